/** What is chosen and pointed at, in one place, which says when it changes. */

import { checkMeta, findLayer } from "./checks";
import type { Theme } from "./colours";
import { shadeOf, THEMES } from "./colours";
import type {
  AnatomyReply,
  Bytes,
  ExactReply,
  Kind,
  Meta,
  Model,
  Selection,
  Weights,
} from "./contract";
import { item } from "./items";
import type { Place } from "./pooling";
import type { Role, Shown } from "./shown";
import { show } from "./shown";

export interface Cell {
  row: number;
  column: number;
}

export interface Focus {
  role: Role;
  ats: number[];
}

/** A part of a map, as pixels. */
export interface Tile {
  place: Place;
  high: number;
  wide: number;
  values: Float32Array;
}

/** Pieces of a sentence; a token stands out. */
export type Part = string | { em: string };

/** What has changed: so much must be said or drawn anew. */
export type Change =
  | "pointed" // a cell or a token, or none
  | "locked"
  | "weights" // another head is shown, or otherwise
  | "order" // of the heads
  | "scale"
  | "sight" // scrolled, zoomed or resized
  | "theme"
  | "said"
  | "tile"
  | "exact"
  | "strongest"
  | "anatomy";

/** Places of the other side and their sums, strongest first, and the sum of all. */
export interface Strongest {
  focus: Focus;
  found: [number, number][];
  sum: number;
}

type Choice = "words" | "hide" | "log";

export class State {
  shown: Shown | null = null;
  cell: Cell | null = null;
  token: Focus | null = null; // pointed at
  locked: Focus | null = null;
  words = false;
  hide = false;
  log = false;
  measure = ""; // by which the heads are sorted
  rising = false; // the lowest first
  theme: Theme = THEMES.light;
  said: Part[] = [];
  spoken = ""; // what stands in the sentence
  private opening: Selection | null = null;
  common: number | null = null; // the weight of the darkest colour; else, the largest of the head
  // what the kernel replied
  tile: Tile | null = null; // the last part of a map
  exact: ExactReply | null = null; // of the cell
  strongest: Strongest | null = null;
  anatomy: AnatomyReply | null = null; // of the cell that is explained
  explained: Cell | null = null;

  private readonly ears = new Set<(change: Change) => void>();

  constructor(readonly model: Model) {}

  get meta(): Meta {
    return this.model.get("meta");
  }

  /** What was measured of any heads. */
  get measures(): string[] {
    return [...new Set(this.meta.kinds.flatMap(({ measures }) => Object.keys(measures)))];
  }

  get selection(): Selection {
    return this.model.get("selection");
  }

  get weights(): Weights {
    return this.model.get("weights");
  }

  get thumbnails(): Bytes {
    return this.model.get("thumbnails");
  }

  /** Is there a kernel to ask? */
  get isLive(): boolean {
    return this.model.send !== undefined;
  }

  /** Is this the head that was shown first? */
  isOpening({ kind, layer, head }: Selection): boolean {
    const { opening } = this;
    return opening?.kind === kind && opening.layer === layer && opening.head === head;
  }

  /** The weight that has the darkest colour. */
  get top(): number {
    return this.common ?? (this.shown?.largest || 1);
  }

  /** Give the colour's place in the table for a weight: from 0 to 255. */
  shade(weight: number): number {
    return weight > 0 ? shadeOf(weight / this.top, this.log) : 0;
  }

  /** Are the weights those of another head than the chosen one? */
  get isStale(): boolean {
    const { weights, selection } = this;
    const names = ["kind", "layer", "head"] as const;
    return names.some((name) => weights?.[name] !== selection[name]);
  }

  listen(ear: (change: Change) => void): void {
    this.ears.add(ear);
  }

  tell(change: Change): void {
    for (const ear of this.ears) ear(change);
  }

  /** Other heads are there: forget what was shown of those before, and check what is said. */
  start(): void {
    this.shown = this.explained = this.anatomy = null;
    this.opening = this.selection;
    checkMeta(this.meta, this.thumbnails);
    if (!this.measures.includes(this.measure)) this.measure = "";
  }

  select(selection: Selection): void {
    findLayer(this.meta, selection);
    this.model.set("selection", selection);
    this.model.save_changes();
  }

  /** Choose a head of a kind and a layer, or the nearest that there is. */
  selectNearest({ kind, layer, head }: Selection): void {
    const ofKind = this.meta.kinds.find(({ name }) => name === kind);
    const found = ofKind?.layers.find(({ number }) => number === layer) ?? ofKind?.layers[0];
    if (!found) return;
    const isThere = found.heads.includes(head);
    this.select({ kind, layer: found.number, head: isThere ? head : item(found.heads, 0) });
  }

  /** Take the weights of the chosen head; what is pointed at stays where the tokens are alike. */
  receive(): void {
    if (this.isStale) return; // those of the chosen head are on their way
    const { layer } = findLayer(this.meta, this.selection);
    const before = this.shown;
    this.shown = null;
    this.shown = show(this.meta, layer, this.weights, this);
    if (!isAlike(before, this.shown)) this.cell = this.token = this.locked = null;
    this.tile = this.exact = this.strongest = this.anatomy = null;
    const { rows, columns } = this.shown;
    const { explained } = this; // the same cell is explained again
    const isThere = explained && explained.row < rows.names.length;
    if (isThere && explained.column < columns.names.length) this.cell = explained;
    this.tell("weights");
  }

  switch(name: Choice, on: boolean): void {
    this[name] = on;
    if (name === "log") this.tell("scale");
    else this.receive();
  }

  /** Colour up to a weight that all heads share; if it is null, to each head's largest. */
  colourTo(common: number | null): void {
    this.common = common;
    this.tell("scale");
  }

  sort(measure: string, rising = this.rising): void {
    this.measure = measure;
    this.rising = rising;
    this.tell("order");
  }

  say(parts: Part[]): void {
    this.said = parts;
    this.tell("said");
  }

  point(cell: Cell | null): void {
    if (cell && cell.row === this.cell?.row && cell.column === this.cell.column) return;
    this.cell = cell;
    this.token = this.exact = null;
    this.tell("pointed");
  }

  hover(token: Focus | null): void {
    if (token?.role === this.token?.role && token?.ats[0] === this.token?.ats[0]) return;
    this.token = token;
    this.cell = this.exact = null;
    this.tell("pointed");
  }

  leave(): void {
    this.cell = this.token = this.exact = null;
    this.tell("pointed");
  }

  /** Lock a token, or unlock it; several are summed. */
  lock(role: Role, at: number, several: boolean): void {
    const before = this.locked?.role === role ? this.locked.ats : [];
    const isLocked = before.includes(at);
    const others = before.filter((other) => other !== at);
    let ats = [at];
    if (several) ats = isLocked ? others : [...before, at];
    else if (isLocked && !others.length) ats = [];
    this.locked = ats.length ? { role, ats } : null;
    this.tell("locked");
  }

  /** Ask the other way: what reads a token, not what it reads. */
  turn(): void {
    if (!this.locked) return;
    this.locked = { ...this.locked, role: this.locked.role === "rows" ? "columns" : "rows" };
    this.tell("locked");
  }

  unlock(): void {
    if (!this.locked) return;
    this.locked = null;
    this.tell("locked");
  }

  /** What the lines are drawn for. */
  focus(): Focus | null {
    return this.locked ?? this.token ?? (this.cell && { role: "rows", ats: [this.cell.row] });
  }

  kindOf(name: string): Kind | undefined {
    return this.meta.kinds.find((kind) => kind.name === name);
  }
}

function isAlike(before: Shown | null, after: Shown): boolean {
  const count = (shown: Shown | null) => [shown?.rows.names.length, shown?.columns.names.length];
  return count(before).join() === count(after).join();
}
