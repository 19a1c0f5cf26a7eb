/** What stands below the pictures: the colours, remarks, the keys, where it all comes from. */

import { paintOn } from "./brush";
import { make, offer } from "./dom";
import { drawColours, LEGEND } from "./legend";
import { remark } from "./sentences";
import type { State } from "./state";

const KEYS = [
  "Anywhere: Tab goes from picture to picture, Escape unlocks, / goes to the search.",
  "Heads: arrow keys choose layer and head, Home and End the first and the last of a row.",
  "Heads: Page Up and Page Down go further; a click with Shift pins a head.",
  "Matrix: arrow keys walk cells; Home, End, Page Up and Page Down go further.",
  "Matrix: + and − zoom, 0 shows all, Enter or a click locks a row.",
  "Matrix: the wheel with Ctrl or two fingers zoom, and a finger's second tap locks.",
  "Lines: up and down walk tokens, left and right change sides.",
  "Lines: Enter or a click locks and unlocks, with Shift several are summed.",
  "Picture: arrow keys walk patches, with Shift several; a drag with a mouse chooses several, too.",
  "Sound: arrow keys walk its parts, Enter plays what is read most, Space or a click locks.",
  "Lines and text: Enter or a click opens the tokens of a picture, a click with Shift locks all.",
  "Hatched: masked, or read by no head of the layer.",
  "A number in brackets: the place of one of several tokens that are alike, counted from 0.",
  "About: within one of the last digit, or within what stands after ±; a kernel knows it exactly.",
];

export class Foot {
  readonly element: HTMLElement;
  private readonly legend = make("canvas", { role: "img", "aria-label": "Colours of the weights" });
  private readonly note = make("p");
  private readonly path = make("dd");

  private readonly colours = make("select", { "aria-label": "Colours go up to" });
  private readonly slider = make("input", {
    type: "range",
    min: "0.01",
    max: "1",
    step: "0.01",
    "aria-label": "The darkest weight",
  });

  constructor(private readonly state: State) {
    const lines = KEYS.map((line) => make("li", {}, line));
    const summary = make("summary", {}, "Keys and mouse");
    const keys = make("details", {}, summary, make("ul", { class: "keys" }, ...lines));
    const rows = Object.entries(state.meta.origin).flatMap(([name, value]) => [
      make("dt", {}, name),
      make("dd", {}, String(value)),
    ]);
    rows.unshift(make("dt", {}, "this layer"), this.path);
    const from = make("summary", {}, "Where this comes from");
    const origin = make("details", {}, from, make("dl", {}, ...rows));
    this.scale();
    const legend = make("span", { class: "legend" }, this.legend, this.colours, this.slider);
    this.element = make("div", { class: "foot" }, legend, this.note, keys, origin);
  }

  /** Colours up to this head's largest weight, or up to one for all heads that a slider chooses. */
  private scale(): void {
    const { state, colours, slider } = this;
    const titles = { own: "the largest shown", common: "one weight for all heads" };
    offer(colours, Object.keys(titles), "own", (one) => titles[one as keyof typeof titles]);
    colours.addEventListener("change", () =>
      state.change({ common: colours.value === "own" ? null : Number(slider.value) }, "scale"),
    );
    slider.addEventListener("input", () => state.change({ common: Number(slider.value) }, "scale"));
  }

  /** Show what is chosen and what must be known about it. */
  show(): void {
    const { common } = this.state.look;
    const { kind, layer } = this.state.selection;
    const found = this.state.kindOf(kind)?.layers.find(({ number }) => number === layer);
    this.path.textContent = found?.path || "of a module that is not known";
    this.colours.value = common === null ? "own" : "common";
    this.slider.hidden = common === null;
    this.slider.value = String(common ?? 1);
    if (this.state.shown) this.note.textContent = remark(this.state, this.state.shown);
    drawColours(paintOn(this.legend, ...LEGEND), this.state);
  }
}
