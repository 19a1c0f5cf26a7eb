/** What is chosen and pointed at, in one place, which says when it changes. */

import { checkMeta, findLayer } from "./checks";
import type { Theme } from "./colours";
import { shadeOf, THEMES } from "./colours";
import type {
  AnatomyReply,
  Bytes,
  ExactReply,
  Focus,
  Kind,
  Look,
  Meta,
  Model,
  Role,
  Selection,
  Weights,
} from "./contract";
import { clamp } from "./dom";
import { Kernel } from "./kernel";
import { isSame, isSameHead, PLAIN, possible } from "./look";
import type { Cell, Change, Part, Strongest, Tile, Token } from "./news";
import { isAlike, isAsLarge, isSameCell, isSameToken, isWithin, kept } from "./places";
import type { Shown } from "./shown";
import { show } from "./shown";
import type { Pinned } from "./together";
import { Together } from "./together";

const SCALES: Change[] = ["weights", "scale", "pins", "look"]; // what changes colours
const REST = 150; // milliseconds after which others are told how one looks

export class State {
  look: Look = PLAIN;
  top = 1; // the weight that has the darkest colour
  shown: Shown | null = null; // of the chosen head, or of several together
  cell: Cell | null = null; // pointed at
  token: Token | null = null; // pointed at
  theme: Theme = THEMES.light;
  said: Part[] = [];
  readonly kernel: Kernel;
  readonly together: Together;
  spoken = ""; // what stands in the sentence
  private opening: Selection | null = null;
  // what the kernel replied
  tile: Tile | null = null; // the last part of a map
  exact: ExactReply | null = null; // of the cell
  strongest: Strongest | null = null;
  anatomy: AnatomyReply | null = null; // of the cell that is explained
  explained: (Cell & { of: Selection }) | null = null; // and whose it is
  private lockedIn: Selection | undefined; // the pinned head whose cell was clicked

  private readonly ears = new Set<(change: Change) => void>();
  private publishing = 0;

  constructor(readonly model: Model) {
    this.kernel = new Kernel(this);
    this.together = new Together(this);
  }

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

  /** Does a kernel know exactly what is shown? Not of several heads together. */
  get isAsked(): boolean {
    return this.isLive && !this.together.isOne;
  }

  /** Is this the head that was shown first? */
  isOpening(selection: Selection): boolean {
    return this.opening !== null && isSameHead(this.opening, selection);
  }

  /** Find the weight that has the darkest colour: of all heads that are compared, the largest. */
  private scaleUp(): void {
    const all = [this.shown, ...this.together.beside().map(({ shown }) => shown)];
    const largest = Math.max(...all.map((shown) => shown?.largest ?? 0));
    this.top = this.look.common ?? (largest || 1);
  }

  /** Give the colour's place in the table for a weight: from 0 to 255. */
  shade(weight: number): number {
    if (this.isSigned) return Math.round(127.5 + 127.5 * clamp(weight / this.top, -1, 1));
    return weight > 0 ? shadeOf(weight / this.top, this.look.log) : 0;
  }

  /** Is a difference shown, which may be below zero? */
  get isSigned(): boolean {
    return this.shown?.signed ?? false;
  }

  /** The 256 colours of what is shown. */
  get table(): Uint8ClampedArray {
    return this.isSigned ? this.theme.signedTable : this.theme.table;
  }

  /** Are the weights those of another head than the chosen one? */
  get isStale(): boolean {
    return !this.weights || !isSameHead(this.weights, this.selection);
  }

  listen(ear: (change: Change) => void): void {
    this.ears.add(ear);
  }

  tell(change: Change): void {
    if (SCALES.includes(change)) this.scaleUp();
    for (const ear of this.ears) ear(change);
  }

  /** Other heads are there: forget what was shown of those before, and check what is said. */
  start(): void {
    this.shown = this.explained = this.anatomy = null;
    this.opening = this.selection;
    this.together.forget();
    checkMeta(this.meta, this.thumbnails);
    this.look = possible(this.model.get("look"), this.meta);
    this.together.want();
  }

  select(selection: Selection): void {
    findLayer(this.meta, selection);
    if (this.together.isOne) this.change({ together: "beside" }, "pins");
    this.model.set("selection", selection);
    this.model.save_changes();
  }

  /** Look otherwise, and tell those who see the same once one rests. */
  change(part: Partial<Look>, change: Change): void {
    this.look = { ...this.look, ...part };
    clearTimeout(this.publishing);
    this.publishing = setTimeout(() => {
      this.model.set("look", this.look);
      this.model.save_changes();
    }, REST);
    this.tell(change);
  }

  /** Look as someone else wishes: the kernel, another view of the same, an address. */
  adopt(): void {
    const look = possible(this.model.get("look"), this.meta);
    if (isSame(look, this.look)) return;
    clearTimeout(this.publishing);
    this.look = look;
    this.lockedIn = undefined;
    this.shown = null; // what it says of places holds for what it shows
    this.together.want();
    this.receive();
    this.tell("look");
  }

  /** Show the weights of the chosen head, or of several; what is pointed at stays, if it can. */
  receive(): void {
    if (this.isStale) return; // those of the chosen head are on their way
    const before = this.shown;
    this.shown = null;
    this.shown = this.seen();
    this.keepPlaces(before, this.shown);
    this.renew();
  }

  /** Give what is seen of the weights that are there. */
  seen(): Shown {
    return this.together.shown() ?? this.showOf(this.weights);
  }

  /** Other weights are shown, perhaps because one looks otherwise: what is known is of others. */
  renew(part?: Partial<Look>): void {
    this.tile = this.exact = this.strongest = this.anatomy = null;
    if (part) this.change(part, "weights");
    else this.tell("weights");
  }

  /** Show weights as one looks at heads. */
  showOf(weights: Weights): Shown {
    return show(this.meta, findLayer(this.meta, weights).layer, weights, this.look);
  }

  /** Keep what is pointed at and locked, where the tokens are alike and there is such a place. */
  private keepPlaces(before: Shown | null, after: Shown): void {
    const { look, explained } = this;
    const isLike = !before || isAsLarge(before, after);
    if (!isLike) this.cell = this.token = null;
    this.look = { ...look, ...(isLike ? kept(look, after) : { locked: null, cell: null }) };
    if (explained && isWithin(explained, after)) this.cell = explained; // it is explained again
  }

  say(parts: Part[]): void {
    this.said = parts;
    this.tell("said");
  }

  point(cell: Cell | null): void {
    if (cell && isSameCell(cell, this.cell)) return;
    this.cell = cell;
    this.token = this.exact = null;
    this.tell("pointed");
  }

  hover(token: Token | null): void {
    if (isSameToken(token, this.token)) return;
    this.token = token;
    this.cell = this.exact = null;
    this.tell("pointed");
  }

  leave(): void {
    this.cell = this.token = this.exact = null;
    this.tell("pointed");
  }

  /** Lock a token, or unlock it; several are summed. With a cell, its weight is taken apart. */
  lock(role: Role, at: number, several: boolean, cell: Cell | null = null): void {
    const { locked } = this.look;
    const before = locked?.role === role ? locked.ats : [];
    const isLocked = before.includes(at);
    const others = before.filter((other) => other !== at);
    let ats = [at];
    if (several) ats = isLocked ? others : [...before, at];
    else if (isLocked && !others.length && this.isClicked(cell)) ats = [];
    this.lockedIn = cell?.head;
    const pinned: Look["cell"] = cell && ats.length ? [cell.row, cell.column] : null;
    this.change({ locked: ats.length ? { role, ats } : null, cell: pinned }, "locked");
  }

  /** Is this the cell that was clicked? No cell is, where none was. */
  private isClicked(cell: Cell | null): boolean {
    return isSameCell(cell, this.clicked);
  }

  private get clicked(): Cell | null {
    const { cell } = this.look;
    return cell && { row: cell[0], column: cell[1], head: this.lockedIn };
  }

  /** The cell whose weight is taken apart: the clicked one, else the one that is pointed at. */
  get inQuestion(): Cell | null {
    return this.clicked ?? this.cell;
  }

  /** The head whose weight a cell is, and what is shown of it. */
  ownerOf({ head }: Cell | Token): Pinned | null {
    const { shown, weights } = this;
    const { kind, layer, head: number } = weights;
    const own = shown && { head: { kind, layer, head: number }, shown };
    return (head && this.together.find(head)) ?? own;
  }

  shownOf(cell: Cell): Shown | null {
    return this.ownerOf(cell)?.shown ?? null;
  }

  /** Ask the other way: what reads a token, not what it reads. */
  turn(): void {
    const { locked } = this.look;
    if (!locked) return;
    const role = locked.role === "rows" ? "columns" : "rows";
    this.change({ locked: { ...locked, role }, cell: null }, "locked");
  }

  unlock(): void {
    if (this.look.locked) this.change({ locked: null, cell: null }, "locked");
  }

  /** What the lines are drawn for. */
  focus(): Focus | null {
    const { cell, look, shown } = this;
    const isOfShown = cell && isAlike(this.shownOf(cell), shown);
    return look.locked ?? this.token ?? (isOfShown ? { role: "rows", ats: [cell.row] } : null);
  }

  kindOf(name: string): Kind | undefined {
    return this.meta.kinds.find((kind) => kind.name === name);
  }
}
