/** Thumbnails and measures of words, or without special tokens: as the matrix shows the heads. */

import type { Bytes, VariantReply } from "./contract";
import type { Choice, Head } from "./grid_heads";
import { bytesOf, headsOf } from "./grid_heads";
import type { Kernel } from "./kernel";
import type { State } from "./state";

/** What the grids draw. */
export interface Source {
  thumbnails: Bytes;
  heads: Head[][]; // of each kind
  measures: Record<string, Record<string, (number | null)[]>>; // of each kind
  choice: Choice;
}

const PLAIN: Choice = { words: false, hide: false };
const keyOf = ({ words, hide }: Choice): string => `${words} ${hide}`;

export class Variants {
  private readonly known = new Map<string, Source>();
  private readonly heads: Head[][]; // of all tokens
  private asked = "";

  constructor(
    private readonly state: State,
    private readonly kernel: Kernel,
  ) {
    this.heads = headsOf(state.meta, PLAIN);
  }

  /** What there is of the heads as they are shown; until it is there, of all tokens. */
  get source(): Source {
    const { meta, thumbnails } = this.state;
    const found = this.known.get(keyOf(this.state.look));
    if (found) return found;
    const measures = Object.fromEntries(meta.kinds.map((kind) => [kind.name, kind.measures]));
    return { thumbnails, heads: this.heads, measures, choice: PLAIN };
  }

  /** Are thumbnails and measures of other tokens than the matrix shows? */
  get isOther(): boolean {
    return keyOf(this.source.choice) !== keyOf(this.state.look);
  }

  /** Say of what the thumbnails and measures are, where that is not plain. */
  get said(): string {
    const { words, hide } = this.source.choice;
    const isComing = this.state.isLive && this.asked === keyOf(this.state.look);
    if (this.isOther) return `of all tokens${isComing ? ", until others are computed" : ""}`;
    const parts = [words ? "of words" : "", hide ? "without special tokens" : ""];
    return parts.filter((part) => part).join(", ");
  }

  /** Ask for what is not there yet; long texts are not looked at before a head is opened. */
  want(): void {
    const { look, meta, model, isLive } = this.state;
    const choice = { words: look.words, hide: look.hide };
    const key = keyOf(choice);
    if (!this.isOther || this.asked === key || !meta.looked) return;
    this.asked = key;
    const take = (reply: VariantReply, thumbnails: Bytes) => this.take(choice, reply, thumbnails);
    if (isLive) this.kernel.vary(choice, take);
    else model.vary?.(choice, take);
  }

  private take(choice: Choice, { measures }: VariantReply, thumbnails: Bytes): void {
    const heads = headsOf(this.state.meta, choice);
    const size = bytesOf(heads);
    if (thumbnails.byteLength !== size) {
      throw new Error(
        `The thumbnails have ${thumbnails.byteLength} bytes, but ${size} are needed: ` +
          "they were cut off.",
      );
    }
    this.known.set(keyOf(choice), { thumbnails, heads, measures, choice });
    this.state.tell("order");
  }
}
