/** Heads that are pinned: their weights, to be seen beside the chosen head or as one. */

import { findLayer } from "./checks";
import { combine } from "./combined";
import type { Look, Selection, Weights } from "./contract";
import { filtered } from "./filtered";
import { Glimpse } from "./glimpse";
import { isSameHead } from "./look";
import type { Shown } from "./shown";
import type { State } from "./state";

export const MOST_BESIDE = 3; // and the chosen head

export interface Pinned {
  head: Selection;
  shown: Shown;
}

const keyOf = ({ kind, layer, head }: Selection): string => `${layer} ${head} ${kind}`;

export class Together {
  private readonly known = new Map<string, Weights>();
  private readonly asked = new Set<string>();
  private readonly drawn = new Map<Weights, [string, Shown]>(); // and as what it was looked at

  readonly glimpse: Glimpse;

  constructor(private readonly state: State) {
    this.glimpse = new Glimpse(state);
  }

  /** Are several heads shown as one? */
  get isOne(): boolean {
    return this.state.look.together !== "beside" && this.alike.length > 1 && this.isWhole;
  }

  /** The pinned heads that have the tokens of the first: they can be one. */
  get alike(): Selection[] {
    const { pins, together } = this.state.look;
    const found = this.like(pins);
    return together === "difference" ? found.slice(0, 2) : found;
  }

  private like(heads: Selection[]): Selection[] {
    const [first] = heads;
    if (!first) return [];
    const sides = (head: Selection) => {
      const { rows, columns, shape } = findLayer(this.state.meta, head).layer;
      return [rows, columns, ...shape].join();
    };
    return heads.filter((head) => sides(head) === sides(first));
  }

  /** The heads that would be one: those that are pinned; of only one, the chosen head, too. */
  private get compared(): Selection[] {
    const { look, selection } = this.state;
    const { kind, layer, head } = selection;
    const isOther = look.pins.length === 1 && !this.isPinned(selection);
    return isOther ? [...look.pins, { kind, layer, head }] : look.pins;
  }

  /** Are there several heads that can be one? */
  get isOffered(): boolean {
    return this.like(this.compared).length > 1;
  }

  /** Is the chosen head the only one that is pinned? */
  get isAlone(): boolean {
    return this.state.look.pins.length === 1 && this.isPinned(this.state.selection);
  }

  /** Are all their weights here? Of a map there are only pixels, each of several. */
  private get isWhole(): boolean {
    return this.alike.every((pin) => {
      const { shape } = findLayer(this.state.meta, pin).layer;
      return this.known.get(keyOf(pin))?.pixels.join() === shape.join();
    });
  }

  isPinned(head: Selection): boolean {
    return this.state.look.pins.some((pin) => isSameHead(pin, head));
  }

  /** Pin heads, or let go of them if all are pinned. */
  toggle(heads: Selection[]): void {
    const { pins } = this.state.look;
    const others = pins.filter((pin) => !heads.some((head) => isSameHead(pin, head)));
    const isNew = heads.some((head) => !this.isPinned(head));
    this.pin(isNew ? [...others, ...heads] : others);
  }

  pin(pins: Selection[]): void {
    const { look } = this.state;
    const together = pins.length > 1 ? look.together : "beside";
    const { cell } = this.state;
    const isGone = cell?.head && !pins.some((pin) => cell.head && isSameHead(pin, cell.head));
    if (isGone) this.state.leave();
    this.state.change({ pins, together }, "pins");
    this.want();
    if (look.together !== "beside") this.state.receive();
  }

  /** Show them side by side, or as one, for which they are pinned. */
  show(together: Look["together"]): void {
    const pins = together === "beside" ? this.state.look.pins : this.compared;
    this.state.change({ pins, together }, "pins");
    this.want();
    this.state.receive();
  }

  /** Ask for the weights that are not there yet. */
  want(): void {
    for (const pin of this.state.look.pins) {
      const key = keyOf(pin);
      if (this.asked.has(key)) continue;
      this.asked.add(key);
      this.state.kernel.fetch(pin, (weights) => this.take(key, weights));
    }
  }

  /** Other heads are there. */
  forget(): void {
    this.known.clear();
    this.asked.clear();
  }

  private take(key: string, weights: Weights): void {
    this.known.set(key, weights);
    if (this.isOne) this.state.receive();
    this.state.tell("pins");
  }

  /** Give several heads as one, if that is wanted and all are there. */
  shown(): Shown | null {
    if (!this.isOne) return null;
    const all = this.whole().map(({ shown }) => shown);
    const { together, least, most } = this.state.look;
    const one = combine(all, together);
    return { ...one, drawn: filtered(one.values, one.columns, { least, most }) };
  }

  /** Give the heads that are one. */
  whole(): Pinned[] {
    return this.alike.flatMap((head) => {
      const shown = this.shownOf(head);
      return shown ? [{ head, shown }] : [];
    });
  }

  /** Find a head among those that stand beside the chosen one. */
  find(head: Selection): Pinned | undefined {
    return this.beside().find((one) => isSameHead(one.head, head));
  }

  /** Give the heads that stand beside the chosen one. */
  beside(): Pinned[] {
    const { look, selection } = this.state;
    if (look.together !== "beside") return [];
    const others = look.pins.filter((pin) => !isSameHead(pin, selection));
    return others.slice(0, MOST_BESIDE).flatMap((head) => {
      const shown = this.shownOf(head);
      return shown ? [{ head, shown }] : [];
    });
  }

  private shownOf(pin: Selection): Shown | null {
    const weights = this.known.get(keyOf(pin));
    if (!weights) return null;
    const { words, hide, pair, least, most } = this.state.look;
    const key = JSON.stringify([words, hide, pair, least, most]);
    const [before, found] = this.drawn.get(weights) ?? [];
    if (found && before === key) return found;
    const shown = this.state.showOf(weights);
    this.drawn.set(weights, [key, shown]);
    return shown;
  }

  /** Name what is shown, where it is several heads as one. */
  title(): string {
    const { together } = this.state.look;
    if (together === "difference") return this.alike.map(nameOf).join(" less ");
    const way = together === "mean" ? "mean" : "largest weight";
    return `${way} of ${this.alike.length} heads`;
  }
}

export const nameOf = ({ layer, head }: Selection): string => `layer ${layer}, head ${head}`;
