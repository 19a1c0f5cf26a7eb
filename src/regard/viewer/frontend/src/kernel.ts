/** What the view asks a kernel, and what it replies; only the last question of each sort counts. */

import type {
  AnatomyReply,
  Bytes,
  ExactReply,
  HeadReply,
  ProblemReply,
  Selection,
  StrongestReply,
  TableReply,
  TileReply,
  Tokens,
  VariantReply,
  Weights,
} from "./contract";
import type { Choice } from "./grid_heads";
import { item } from "./items";
import type { Cell, Token } from "./news";
import { isSameCell } from "./places";
import type { Place } from "./pooling";
import { enlarge } from "./pooling";
import type { Shown } from "./shown";
import { floatsOf, unpack } from "./shown";
import type { State } from "./state";

type Answer = (reply: unknown, buffers: DataView[]) => void;

const RESTED = 80; // milliseconds after which one rests on something
const OF_ALL = ["variant", "head", "table"]; // questions that do not hang on what is shown
const PATIENCE = 10_000; // milliseconds after which it says that no reply came
export const SILENT = [
  "The kernel does not answer: it is busy with another cell, or it was restarted. If it was, run ",
  "the cell that made this view again; what is shown stays until then.",
].join("");

export class Kernel {
  // all views of a model hear every reply: each asks under a name of its own
  private readonly name = Math.random().toString(36).slice(2);
  private asked = 0;
  private readonly open = new Map<string, { what: string; answer: Answer }>();
  private heard = 0; // replies
  private isSilent = false; // so it was said
  private weighing = 0;
  private dissecting = 0;
  private ranking = 0;
  private fetching = 0;

  constructor(private readonly state: State) {}

  /** Take a reply, if it is to the last question of its sort; raise what went wrong. */
  hear(message: unknown, buffers: DataView[] = []): void {
    const { answer, id, text } = message as ProblemReply & { id?: string };
    if (answer === "problem") throw new Error(String(text));
    const question = this.open.get(id ?? "");
    if (!question) return;
    this.heard++;
    if (this.isSilent) this.state.say([]); // what was said before
    this.isSilent = false;
    this.open.delete(id ?? "");
    question.answer(message, buffers);
  }

  /** Another head is shown: what was asked about the one before is of no use. */
  forget(): void {
    for (const [id, { what }] of [...this.open]) if (!OF_ALL.includes(what)) this.open.delete(id);
  }

  /** Ask for the exact weight of a cell, once one rests on it. */
  weigh(cell: Cell): void {
    clearTimeout(this.weighing);
    this.weighing = setTimeout(() => {
      const owner = this.state.ownerOf(cell);
      if (cell !== this.state.cell || !owner) return;
      const { head, shown } = owner;
      this.ask("weight", { ...head, ...tokensOf(shown, cell), among: shown.groups }, (reply) => {
        if (cell === this.state.cell) this.put("exact", reply as ExactReply);
      });
    }, RESTED);
  }

  /** Ask why the weight of a cell is what it is, once one rests on it. */
  dissect(cell: Cell): void {
    const { explained, anatomy } = this.state;
    if (anatomy && isSameCell(explained, cell)) return;
    clearTimeout(this.dissecting);
    this.dissecting = setTimeout(() => {
      const { model, together } = this.state;
      const owner = this.state.ownerOf(cell);
      const isMeant = () => isSameCell(this.state.inQuestion, cell);
      if (!owner || !isMeant() || together.isOne) return;
      const { head, shown } = owner;
      const take = (reply: AnatomyReply) => {
        if (shown !== this.state.shownOf(cell) || !isMeant()) return;
        this.state.explained = { ...cell, of: head };
        this.put("anatomy", reply);
      };
      const tokens = tokensOf(shown, cell);
      if (model.explain) model.explain(head, tokens, take);
      else this.ask("anatomy", { ...head, ...tokens }, (reply) => take(reply as AnatomyReply));
    }, RESTED);
  }

  /** Ask what some tokens read most, or are read most by, once they are rested on. */
  rank(focus: Token): void {
    if (focus.head || this.state.strongest?.focus === focus) return; // lists are the chosen head's
    clearTimeout(this.ranking);
    this.ranking = setTimeout(() => {
      const { shown } = this.state;
      if (!shown) return;
      const { role } = focus;
      const other = role === "rows" ? "columns" : "rows";
      const ats = focus.ats.map((at) => shown[role].groups[at]);
      const others = shown.groups && shown[other].groups;
      this.ask("strongest", { role, ats, others }, (reply, [line]) => {
        const sums = line ? floatsOf(line) : null;
        this.put("strongest", { focus, ...(reply as StrongestReply), line: sums });
      });
    }, RESTED);
  }

  /** Give a part of a map as pixels: a tile from the kernel, or until it comes, the overview. */
  mapped(shown: Shown, place: Place, high: number, wide: number): Float32Array {
    const { tile } = this.state;
    if (shown !== this.state.shown) return enlarge(shown, place, high, wide); // a pinned head
    const isSame = tile && tile.high === high && tile.wide === wide;
    if (isSame && place.every((at, side) => at === tile.place[side])) return tile.values;
    clearTimeout(this.fetching);
    this.fetching = setTimeout(() => {
      this.ask("tile", { part: place, high, wide }, (reply, [bytes]) => {
        if (!bytes) throw new Error("A part of the map came without its weights: move it anew.");
        const values = unpack({ ...(reply as TileReply), bytes });
        this.put("tile", { place, high, wide, values });
      });
    }, 60);
    return enlarge(shown, place, high, wide);
  }

  /** Ask for thumbnails and measures of words, or without special tokens. */
  vary(choice: Choice, take: (reply: VariantReply, thumbnails: Bytes) => void): void {
    this.ask("variant", choice, (reply, [bytes]) => {
      if (!bytes) throw new Error("Thumbnails came without their bytes: choose anew.");
      take(reply as VariantReply, bytes);
    });
  }

  /** Ask for all weights of a head that is not the chosen one. */
  fetch(head: Selection, take: (weights: Weights) => void): void {
    if (!this.state.isLive) this.state.model.fetch?.(head, take);
    this.ask("head", head, (reply, [bytes, sums]) => {
      if (!bytes || !sums) throw new Error("A head came without its weights: pin it anew.");
      take({ ...head, ...(reply as HeadReply), bytes, sums });
    });
  }

  /** Ask for all weights that are seen, as CSV. */
  tabulate(take: (reply: TableReply) => void): void {
    const { kind, layer, head } = this.state.weights; // what is drawn may be of another head
    const about = { kind, layer, head, look: this.state.look };
    this.ask("table", about, (reply) => take(reply as TableReply));
  }

  /** Ask a kernel, if there is one that can know; several heads as one are known only here. */
  private ask(what: string, about: object, answer: Answer): void {
    if (!this.state.isLive || (this.state.together.isOne && !OF_ALL.includes(what))) return;
    const id = `${this.name}-${++this.asked}`;
    for (const [before, question] of [...this.open]) {
      if (question.what === what && what !== "head") this.open.delete(before);
    }
    this.open.set(id, { what, answer });
    this.state.model.send?.({ ask: what, id, ...this.state.selection, ...about });
    const { heard } = this;
    setTimeout(() => {
      this.isSilent = this.open.has(id) && heard === this.heard; // nor to anything else
      if (this.isSilent) this.state.say([SILENT]);
    }, PATIENCE);
  }

  private put<K extends "exact" | "strongest" | "anatomy" | "tile">(
    name: K,
    reply: NonNullable<State[K]>,
  ): void {
    (this.state as Pick<State, K>)[name] = reply as State[K];
    this.state.tell(name);
  }
}

/** The tokens that a cell stands for. */
const tokensOf = ({ rows, columns }: Shown, { row, column }: Cell): Tokens => ({
  queries: item(rows.groups, row),
  keys: item(columns.groups, column),
});
