/** Several sentences in one text: what one of them reads of another. */

import type { Layer, Look, Meta, Side } from "./contract";
import { item } from "./items";

/** Number the sentence of each token: what stands between special tokens; of these, -1. */
export function sentencesOf({ names, special }: Side): number[] {
  let [number, isInside] = [-1, false];
  return names.map((_, at) => {
    if (!special[at] && !isInside) number++;
    isInside = !special[at];
    return isInside ? number : -1;
  });
}

const countOf = (side: Side): number => Math.max(-1, ...sentencesOf(side)) + 1;

/** Say how many sentences read and are read; 0, where it is only one. */
export function numSentences(meta: Meta, { rows, columns }: Layer): number {
  const fewest = Math.min(countOf(item(meta.sides, rows)), countOf(item(meta.sides, columns)));
  return fewest > 1 ? fewest : 0;
}

/** Give the sentences that are asked for, where a layer has them: what reads and what is read. */
export function pairOf(meta: Meta, layer: Layer, pair: Look["pair"]): Look["pair"] {
  const count = pair ? numSentences(meta, layer) : 0;
  return pair?.every((at) => at < count) ? pair : null;
}

/** Name a sentence: A, B, ... */
export const letterOf = (at: number): string => String.fromCodePoint(65 + (at % 26));
