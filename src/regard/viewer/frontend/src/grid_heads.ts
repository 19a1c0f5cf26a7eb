/** The heads of a kind: where the bytes of each lie, and in which order they stand. */

import type { Kind, Layer, Meta } from "./contract";
import { item } from "./items";
import { axisOf } from "./shown";

export interface Head {
  layer: number;
  head: number;
  index: number; // among all of its kind
  at: number; // its first byte
  high: number;
  wide: number;
}

/** Whether tokens are merged to words, and whether special ones are left out. */
export interface Choice {
  words: boolean;
  hide: boolean;
}

/** Give the heads of each kind, with their places among the thumbnails. */
export function headsOf(meta: Meta, choice: Choice): Head[][] {
  const counts = meta.sides.map((side) => axisOf(side, choice).groups.length);
  const sizeOf = ({ rows, columns }: Layer) =>
    [rows, columns].map((side) => Math.min(item(counts, side), meta.thumbnail));
  let at = 0;
  return meta.kinds.map((kind) => {
    const found: Head[] = [];
    for (const layer of kind.layers) {
      const [high = 0, wide = 0] = sizeOf(layer);
      for (const head of layer.heads) {
        found.push({ layer: layer.number, head, index: found.length, at, high, wide });
        at += high * wide;
      }
    }
    return found;
  });
}

/** Count the bytes of all thumbnails. */
export function bytesOf(heads: Head[][]): number {
  return heads.flat().reduce((sum, { high, wide }) => sum + high * wide, 0);
}

/** A layer a row. */
export function byLayer(kind: Kind, heads: Head[]): Head[][] {
  let start = 0;
  return kind.layers.map((layer) => {
    const end = start + layer.heads.length;
    const row = heads.slice(start, end);
    start = end;
    return row;
  });
}

/** The highest first, or the lowest; heads without a value come last. */
export function ranked(
  heads: Head[],
  values: (number | null)[],
  isRising: boolean,
  across: number,
): Head[][] {
  const sign = isRising ? 1 : -1;
  const key = ({ index }: Head) => {
    const value = values[index];
    return value === null || value === undefined ? Infinity : sign * value;
  };
  const order = [...heads].sort((a, b) => (key(a) === key(b) ? 0 : key(a) - key(b)));
  const count = Math.ceil(order.length / across);
  return Array.from({ length: count }, (_, row) => order.slice(row * across, (row + 1) * across));
}
