/** The line that says what is pointed at, locked or chosen. */

import { make } from "./dom";
import type { Part } from "./news";
import { cellSentence } from "./sentence_cells";
import { tokenSentence } from "./sentence_places";
import { titleOf } from "./sentences";
import type { State } from "./state";
import type { Tip } from "./tip";

const GAP = 4; // CSS pixels below it, as in styles.ts
export const BRIEF = 4000; // milliseconds that what was done is said

export class Sentence {
  readonly element = make("p", { class: "sentence", role: "status", "aria-live": "polite" });

  private wide = 0; // CSS pixels
  private most = 0; // how high it was, at this width
  private leaving = 0;

  /** `sayHead` says the chosen head, where there is nothing else to say. */
  constructor(
    private readonly state: State,
    private readonly tip: Tip,
    private readonly sayHead: () => void,
  ) {}

  /** Say a cell, a token or a lock; if there is none, the chosen head. */
  point(): void {
    const { shown, cell, token, look } = this.state;
    if (!shown) return;
    const focus = token ?? look.locked;
    if (cell) this.say(cellSentence(this.state, cell));
    else if (focus) this.say(tokenSentence(this.state, focus));
    else if (this.state.together.isOne) this.say([titleOf(this.state)]);
    else this.sayHead();
  }

  lock(): void {
    const { look, cell } = this.state;
    const { locked } = look;
    const clicked = locked && cell?.head ? { ...locked, head: cell.head } : locked; // a pinned head
    this.say(clicked ? tokenSentence(this.state, clicked) : ["unlocked"]);
    if (!locked) this.leaving = setTimeout(() => this.point(), BRIEF);
  }

  /** The kernel has ranked what the tokens of a map read, or are read by. */
  rank(): void {
    const { strongest, token, look, cell } = this.state;
    if (cell?.head) return; // it is of the chosen head
    if (strongest && strongest.focus === (token ?? look.locked)) {
      this.say(tokenSentence(this.state, strongest.focus));
    }
  }

  say(parts: Part[]): void {
    clearTimeout(this.leaving);
    const text = parts.map((part) => (typeof part === "string" ? part : part.em)).join("");
    const { cell, token, said } = this.state;
    this.tip.say(parts, cell !== null || token !== null || said === parts);
    this.state.spoken = text;
    if (this.element.textContent === text) return;
    this.element.replaceChildren(...piecesOf(parts));
    this.hold();
  }

  /** Keep what is below where it is: a shorter sentence leaves room for the longest one so far. */
  hold(): void {
    const { width: wide, height: high } = this.element.getBoundingClientRect();
    this.most = wide === this.wide ? Math.max(this.most, high) : high;
    this.wide = wide;
    this.element.style.marginBottom = `${GAP + this.most - high}px`;
  }
}

/** Give the pieces of a sentence as nodes; a token stands out. */
export const piecesOf = (parts: Part[]): (Node | string)[] =>
  parts.map((part) => (typeof part === "string" ? part : make("em", {}, part.em)));
