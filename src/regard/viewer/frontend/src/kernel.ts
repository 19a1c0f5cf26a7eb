/** What the view asks a kernel, and what it replies; only the last question of each sort counts. */

import type {
  AnatomyReply,
  Bytes,
  ExactReply,
  ProblemReply,
  StrongestReply,
  TileReply,
  VariantReply,
} from "./contract";
import type { Choice } from "./grid_heads";
import { item } from "./items";
import type { Place } from "./pooling";
import { enlarge } from "./pooling";
import type { Shown } from "./shown";
import { unpack } from "./shown";
import type { Cell, Focus, State } from "./state";

type Answer = (reply: unknown, buffers: DataView[]) => void;

export class Kernel {
  // all views of a model hear every reply: each asks under a name of its own
  private readonly name = Math.random().toString(36).slice(2);
  private asked = 0;
  private readonly open = new Map<string, { id: string; answer: Answer }>();
  private asking = 0;
  private ranking = 0;
  private fetching = 0;

  constructor(private readonly state: State) {}

  /** Take a reply, if it is to the last question of its sort; raise what went wrong. */
  hear(message: unknown, buffers: DataView[] = []): void {
    const { answer, id, text } = message as ProblemReply & { id?: string };
    if (answer === "problem") throw new Error(String(text));
    const question = this.open.get(answer);
    if (!question || question.id !== id) return;
    this.open.delete(answer);
    question.answer(message, buffers);
  }

  /** Another head is shown: what was asked about the one before is of no use. */
  forget(): void {
    for (const what of [...this.open.keys()]) {
      if (what !== "variant") this.open.delete(what); // which is of all heads
    }
  }

  /** Ask for the exact weight of a cell, and why it is, once one rests on it. */
  explain(cell: Cell): void {
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      const { shown, model } = this.state;
      if (cell !== this.state.cell || !shown) return;
      const tokens = {
        queries: item(shown.rows.groups, cell.row),
        keys: item(shown.columns.groups, cell.column),
      };
      this.ask("weight", { ...tokens, among: shown.groups }, (reply) => {
        if (cell === this.state.cell) this.put("exact", reply as ExactReply);
      });
      const take = (reply: AnatomyReply) => {
        if (cell !== this.state.cell || shown !== this.state.shown) return;
        this.state.explained = cell;
        this.put("anatomy", reply);
      };
      if (model.explain) model.explain(tokens, take);
      else this.ask("anatomy", tokens, (reply) => take(reply as AnatomyReply));
    }, 80);
  }

  /** Ask what some tokens read most, or are read most by, once they are rested on. */
  rank(focus: Focus): void {
    if (this.state.strongest?.focus === focus) return;
    clearTimeout(this.ranking);
    this.ranking = setTimeout(() => {
      const { shown } = this.state;
      if (!shown) return;
      const { role } = focus;
      const other = role === "rows" ? "columns" : "rows";
      const ats = focus.ats.map((at) => shown[role].groups[at]);
      const others = shown.groups && shown[other].groups;
      this.ask("strongest", { role, ats, others }, (reply) => {
        this.put("strongest", { focus, ...(reply as StrongestReply) });
      });
    }, 80);
  }

  /** Give a part of a map as pixels: a tile from the kernel, or until it comes, the overview. */
  mapped(shown: Shown, place: Place, high: number, wide: number): Float32Array {
    const { tile } = this.state;
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

  private ask(what: string, about: object, answer: Answer): void {
    const id = `${this.name}-${++this.asked}`;
    this.open.set(what, { id, answer });
    this.state.model.send?.({ ask: what, id, ...this.state.selection, ...about });
  }

  private put<K extends "exact" | "strongest" | "anatomy" | "tile">(
    name: K,
    reply: NonNullable<State[K]>,
  ): void {
    (this.state as Pick<State, K>)[name] = reply as State[K];
    this.state.tell(name);
  }
}
