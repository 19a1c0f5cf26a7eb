/** Buttons that fold again what was opened of a text. */

import { mediumOf } from "./boxes";
import { make } from "./dom";
import type { Shown } from "./shown";
import type { State } from "./state";

export class Folds {
  readonly element = make("span", { class: "folds" });

  constructor(private readonly state: State) {}

  /** Offer to fold what is there and open. */
  draw({ rows, columns }: Shown): void {
    const places = [...rows.places, ...columns.places];
    const there = new Set(this.state.look.unfolded.length ? places.map(mediumOf) : []);
    const open = this.state.look.unfolded.filter((medium) => there.has(medium));
    const key = open.join("\n");
    if (this.element.dataset.open === key) return;
    this.element.dataset.open = key;
    this.element.replaceChildren(...open.map((medium) => this.button(medium)));
  }

  private button(medium: string): HTMLElement {
    const button = make("button", { type: "button" }, `fold ${medium}`);
    button.addEventListener("click", () => {
      const unfolded = this.state.look.unfolded.filter((one) => one !== medium);
      this.state.change({ unfolded }, "sight");
    });
    return button;
  }
}

/** Show the tokens of a picture or a sound one by one. */
export function unfold(state: State, medium: string): void {
  state.change({ unfolded: [...new Set([...state.look.unfolded, medium])] }, "sight");
}
