/** The row of pinned heads: which there are, and whether they stand side by side or are one. */

import type { Look } from "./contract";
import { make, offer } from "./dom";
import type { State } from "./state";
import { MOST_BESIDE } from "./together";

const WAYS: Record<Look["together"], string> = {
  beside: "side by side",
  mean: "their mean",
  largest: "the largest of each weight",
  difference: "the first less the second",
};

export class Pins {
  readonly element = make("span", { class: "pins" });
  private readonly pin = this.button("Pin this head", () =>
    this.state.together.toggle([this.state.selection]),
  );
  private readonly all = this.button("Pin its layer", () => {
    const { kind, layer } = this.state.selection;
    const found = this.state.kindOf(kind)?.layers.find(({ number }) => number === layer);
    this.state.together.toggle((found?.heads ?? []).map((head) => ({ kind, layer, head })));
  });
  private readonly chosen = make("span", { class: "chips" });
  private readonly way = make("select", { "aria-label": "Pinned heads" });
  private readonly none = this.button("unpin all", () => this.state.together.pin([]));
  private readonly note = make("small");

  constructor(
    private readonly state: State,
    private readonly attempt: (act: () => void) => void,
  ) {
    this.pin.title = "Compare it with other heads: side by side, or as one";
    this.way.addEventListener("change", () =>
      this.attempt(() => this.state.together.show(this.way.value as Look["together"])),
    );
    this.element.append(this.pin, this.all, this.chosen, this.way, this.none, this.note);
  }

  show(): void {
    const { look, together, selection, meta } = this.state;
    const { pins } = look;
    this.pin.textContent = together.isPinned(selection) ? "Unpin this head" : "Pin this head";
    this.chosen.replaceChildren(
      ...pins.map((pin) => {
        const kind = meta.kinds.length > 1 ? `${pin.kind} ` : "";
        const chip = this.button(`${kind}${pin.layer}.${pin.head} ×`, () => together.toggle([pin]));
        chip.setAttribute("aria-label", `Unpin ${kind}layer ${pin.layer}, head ${pin.head}`);
        return chip;
      }),
    );
    this.way.hidden = !together.isOffered;
    this.none.hidden = pins.length < 2;
    offer(this.way, Object.keys(WAYS), look.together, (way) => WAYS[way as Look["together"]]);
    const others = pins.filter((pin) => pin !== selection).length;
    const isMany = look.together === "beside" && others > MOST_BESIDE + 1;
    this.note.textContent = isMany ? `the first ${MOST_BESIDE} stand beside the chosen head` : "";
  }

  private button(text: string, act: () => void): HTMLButtonElement {
    const button = make("button", { type: "button" }, text);
    button.addEventListener("click", () => this.attempt(act));
    return button;
  }
}
