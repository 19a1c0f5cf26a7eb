/** The line that says what is pointed at, locked or chosen. */

import { make } from "./dom";
import { cellSentence, focusSentence } from "./sentences";
import type { Part, State } from "./state";
import type { Tip } from "./tip";

export class Sentence {
  readonly element = make("p", { class: "sentence", role: "status", "aria-live": "polite" });

  /** `sayHead` says the chosen head, where there is nothing else to say. */
  constructor(
    private readonly state: State,
    private readonly tip: Tip,
    private readonly sayHead: () => void,
  ) {}

  /** Say a cell, a token or a lock; if there is none, the chosen head. */
  point(): void {
    const { shown, cell, token, locked, exact } = this.state;
    if (!shown) return;
    const focus = token ?? locked;
    if (cell) this.say(cellSentence(shown, cell, exact));
    else if (focus) this.say(focusSentence(this.state, focus));
    else this.sayHead();
  }

  lock(): void {
    const { locked } = this.state;
    this.say(locked ? focusSentence(this.state, locked) : ["unlocked"]);
  }

  /** The kernel has ranked what the tokens of a map read, or are read by. */
  rank(): void {
    const { strongest, token, locked } = this.state;
    if (strongest && strongest.focus === (token ?? locked)) {
      this.say(focusSentence(this.state, strongest.focus));
    }
  }

  say(parts: Part[]): void {
    const text = parts.map((part) => (typeof part === "string" ? part : part.em)).join("");
    const { cell, token, said } = this.state;
    this.tip.say(parts, cell !== null || token !== null || said === parts);
    this.state.spoken = text;
    if (this.element.textContent === text) return;
    this.element.replaceChildren(...piecesOf(parts));
  }
}

/** Give the pieces of a sentence as nodes; a token stands out. */
export const piecesOf = (parts: Part[]): (Node | string)[] =>
  parts.map((part) => (typeof part === "string" ? part : make("em", {}, part.em)));
