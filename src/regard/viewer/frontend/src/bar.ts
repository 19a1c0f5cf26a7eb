/** The menus and boxes above the pictures. */

import { make } from "./dom";
import { explain, explainer, nameOf } from "./measures";
import type { State } from "./state";

export class Bar {
  readonly element = make("div", { class: "bar" });
  private readonly kinds: HTMLSelectElement;
  private readonly layers: HTMLSelectElement;
  private readonly heads: HTMLSelectElement;
  private readonly boxes: HTMLInputElement[] = []; // of what pixels of a map have not

  private explained: HTMLElement | null = null; // what measures are

  /** `attempt` does something and says what went wrong. */
  constructor(
    private readonly state: State,
    private readonly attempt: (act: () => void) => void,
  ) {
    const choose = (changed: object) => state.selectNearest({ ...state.selection, ...changed });
    this.kinds = this.menu("Attention", (kind) => choose({ kind }));
    this.layers = this.menu("Layer", (layer) => choose({ layer: Number(layer) }));
    this.heads = this.menu("Head", (head) =>
      state.select({ ...state.selection, head: Number(head) }),
    );
    const { kinds, sides } = state.meta;
    this.sorting();
    const names = kinds.map(({ name }) => name);
    offer(this.kinds, names, state.selection.kind, (name) => state.kindOf(name)?.title ?? name);
    if (sides.some((side) => side.words)) this.boxes.push(this.toggle("words", "words"));
    if (sides.some((side) => side.special.includes(true))) {
      this.boxes.push(this.toggle("hide", "hide special tokens"));
    }
    this.toggle("log", "log scale");
    if (this.explained) this.element.append(this.explained);
  }

  /** Offer the layers and heads that there are, and show which are chosen. */
  choose(): void {
    const { selection } = this.state;
    const layers = this.state.kindOf(selection.kind)?.layers ?? [];
    const layer = layers.find(({ number }) => number === selection.layer);
    this.kinds.value = selection.kind;
    offer(
      this.layers,
      layers.map(({ number }) => String(number)),
      String(selection.layer),
    );
    offer(this.heads, layer?.heads.map(String) ?? [], String(selection.head));
  }

  /** A map has no words and no hidden tokens: pixels are of no token. */
  allow(): void {
    for (const box of this.boxes) box.disabled = this.state.shown?.pixels !== null;
  }

  /** Sort the heads by a measure, up or down, and say what measures are. */
  private sorting(): void {
    const { state } = this;
    const turn = make("button", { type: "button" });
    const show = () => {
      sorts.title = explain(state.measure);
      turn.hidden = !state.measure;
      turn.textContent = state.rising ? "↑ lowest first" : "↓ highest first";
    };
    const sort = (measure: string, rising: boolean) => {
      state.sort(measure, rising);
      show();
    };
    const sorts = this.menu("Heads by", (measure) => sort(measure, state.rising));
    turn.addEventListener("click", () => this.attempt(() => sort(state.measure, !state.rising)));
    offer(sorts, ["", ...state.measures], state.measure, nameOf);
    show();
    const [button, text] = explainer(state.measures);
    if (!state.measures.length) return;
    this.element.append(turn, button);
    this.explained = text;
  }

  private menu(label: string, act: (value: string) => void): HTMLSelectElement {
    const select = make("select");
    select.addEventListener("change", () => this.attempt(() => act(select.value)));
    this.element.append(make("label", {}, label, select));
    return select;
  }

  private toggle(name: "words" | "hide" | "log", label: string): HTMLInputElement {
    const box = make("input", { type: "checkbox" });
    box.checked = this.state[name];
    box.addEventListener("change", () => this.attempt(() => this.state.switch(name, box.checked)));
    this.element.append(make("label", {}, box, label));
    return box;
  }
}

function offer(
  menu: HTMLSelectElement,
  values: string[],
  chosen: string,
  title: (value: string) => string = String,
): void {
  menu.replaceChildren(...values.map((value) => make("option", { value }, title(value))));
  menu.value = chosen;
}
