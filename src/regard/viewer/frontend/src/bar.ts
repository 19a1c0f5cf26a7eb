/** The menus and boxes above the pictures. */

import { findLayer, nearest } from "./checks";
import type { Look } from "./contract";
import { make, offer } from "./dom";
import { explain, explainer, nameOf } from "./measures";
import { Pins } from "./pins";
import { retoken } from "./retoken";
import { letterOf, numSentences } from "./sentence_pairs";
import type { State } from "./state";

const MOST_SENTENCES = 4; // of which each pair is offered
const LEAST = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
const MOST = [1, 3, 5, 10];

export class Bar {
  readonly element = make("div", { class: "bar" });
  private readonly shows: (() => void)[] = []; // what each control does to show what is chosen
  private explained: HTMLElement | null = null; // what measures are

  /** `attempt` does something and says what went wrong. */
  constructor(
    private readonly state: State,
    private readonly attempt: (act: () => void) => void,
  ) {
    const { kinds, sides } = state.meta;
    this.heads();
    this.sorting();
    if (sides.some((side) => side.words)) {
      this.toggle("words", "words", (words) => retoken(state, { words }));
    }
    if (sides.some((side) => side.special.includes(true))) {
      this.toggle("hide", "hide special tokens", (hide) => retoken(state, { hide }));
    }
    this.toggle("log", "log scale", (log) => state.change({ log }, "scale"));
    this.drawing();
    if (kinds.some(({ layers }) => layers.some((one) => numSentences(state.meta, one)))) {
      this.sentences();
    }
    const pins = new Pins(state, attempt);
    this.shows.push(() => pins.show());
    this.element.append(pins.element);
    if (this.explained) this.element.append(this.explained);
  }

  /** Show what is chosen, here or elsewhere. */
  show(): void {
    for (const show of this.shows) show();
  }

  /** Offer the kinds, layers and heads that there are. */
  private heads(): void {
    const { state } = this;
    const choose = (changed: object) => {
      const found = nearest(state.meta, { ...state.selection, ...changed });
      if (found) state.select(found);
    };
    const kinds = this.menu("Attention", (kind) => choose({ kind }));
    const isOnly = state.meta.kinds.length < 2;
    if (isOnly) kinds.parentElement?.remove();
    const layers = this.menu("Layer", (layer) => choose({ layer: Number(layer) }));
    const heads = this.menu("Head", (head) =>
      state.select({ ...state.selection, head: Number(head) }),
    );
    this.shows.push(() => {
      const { kind, layer, head } = state.selection;
      const ofKind = state.kindOf(kind)?.layers ?? [];
      const names = state.meta.kinds.map(({ name }) => name);
      offer(kinds, names, kind, (name) => state.kindOf(name)?.title ?? name);
      offer(
        layers,
        ofKind.map(({ number }) => String(number)),
        String(layer),
      );
      const found = ofKind.find(({ number }) => number === layer);
      offer(heads, found?.heads.map(String) ?? [], String(head));
    });
  }

  /** Sort the heads by a measure, up or down, and say what measures are. */
  private sorting(): void {
    const { state } = this;
    const sorts = this.menu("Heads by", (measure) => state.change({ measure }, "order"));
    offer(sorts, ["", ...state.measures], "", nameOf);
    const turn = make("button", { type: "button" });
    turn.addEventListener("click", () =>
      this.attempt(() => state.change({ rising: !state.look.rising }, "order")),
    );
    this.shows.push(() => {
      const { measure, rising } = state.look;
      sorts.value = measure;
      sorts.title = explain(measure);
      turn.hidden = !measure;
      turn.textContent = rising ? "↑ lowest first" : "↓ highest first";
    });
    const [button, text] = explainer(state.measures);
    if (!state.measures.length) return;
    this.element.append(turn, button);
    this.explained = text;
  }

  /** Choose which weights are drawn: all, the large ones, or the strongest of each row. */
  private drawing(): void {
    const { state } = this;
    const titles: Record<string, string> = { "0 0": "all weights" };
    for (const least of LEAST) titles[`${least} 0`] = `those from ${least}`;
    for (const most of MOST) titles[`0 ${most}`] = `the ${most} strongest of a row`;
    titles["0 1"] = "the strongest of each row";
    const menu = this.menu("Draw", (chosen) => {
      const [least = 0, most = 0] = chosen.split(" ").map(Number);
      state.change({ least, most }, "scale");
      state.receive();
    });
    this.shows.push(() => {
      const { least, most } = state.look;
      const chosen = `${least} ${most}`;
      const other = `from ${least}, the ${most || "many"} strongest of a row`;
      offer(
        menu,
        [...new Set([...Object.keys(titles), chosen])],
        chosen,
        (one) => titles[one] ?? other,
      );
      menu.disabled = state.shown?.pixels !== null; // of pixels, all
    });
  }

  /** Choose which sentence reads and which is read. */
  private sentences(): void {
    const { state } = this;
    const menu = this.menu("Sentences", (chosen) => {
      const pair = chosen ? (chosen.split(" ").map(Number) as [number, number]) : null;
      retoken(state, { pair });
    });
    this.shows.push(() => {
      const count = numSentences(state.meta, findLayer(state.meta, state.selection).layer);
      const all = Array.from({ length: Math.min(count, MOST_SENTENCES) }, (_, at) => at);
      const pairs = all.flatMap((one) => all.map((other) => `${one} ${other}`));
      offer(menu, ["", ...pairs], state.look.pair?.join(" ") ?? "", (pair) => {
        const [one = 0, other = 0] = pair.split(" ").map(Number);
        return pair ? `what ${letterOf(one)} reads of ${letterOf(other)}` : "all";
      });
      menu.disabled = !count || state.shown?.pixels !== null;
    });
  }

  private menu(label: string, act: (value: string) => void): HTMLSelectElement {
    const select = make("select");
    select.addEventListener("change", () => this.attempt(() => act(select.value)));
    this.element.append(make("label", {}, label, select));
    return select;
  }

  private toggle(
    name: keyof Pick<Look, "words" | "hide" | "log">,
    label: string,
    act: (on: boolean) => void,
  ): void {
    const { state } = this;
    const box = make("input", { type: "checkbox" });
    box.addEventListener("change", () => this.attempt(() => act(box.checked)));
    this.element.append(make("label", {}, box, label));
    this.shows.push(() => {
      box.checked = state.look[name];
      const isOfPixels = name !== "log" && state.shown?.pixels !== null; // they are of no token
      const isOfDifference = name === "log" && state.isSigned;
      box.disabled = isOfPixels || isOfDifference;
      box.title = isOfDifference ? "A difference may be below zero, which has no logarithm" : "";
    });
  }
}
