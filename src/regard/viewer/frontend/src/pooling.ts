/** Parts of a head as pixels: the strongest weight of each pixel stays. */

import type { Shown } from "./shown";

/** From row, to row, from column, to column. */
export type Place = [number, number, number, number];

/** One side of a part of a map: which of its pixels each drawn pixel touches. */
function touched(
  count: number,
  from: number,
  to: number,
  pixels: number,
  all: number,
): [number, number][] {
  const share = ((to - from) * pixels) / (count * all);
  const start = (from * pixels) / all;
  return Array.from({ length: count }, (_, at) => {
    const first = Math.floor(start + at * share + 1e-6);
    const end = Math.min(pixels, Math.ceil(start + (at + 1) * share - 1e-6));
    return [first, Math.max(first + 1, end)];
  });
}

/** Draw a part of a map from fewer pixels: each takes in all that it touches. */
export function enlarge(
  shown: Shown,
  [top, bottom, left, right]: Place,
  high: number,
  wide: number,
): Float32Array {
  const [mapHigh, mapWide] = shown.pixels ?? [0, 0];
  const rows = touched(high, top, bottom, mapHigh, shown.rows.names.length);
  const columns = touched(wide, left, right, mapWide, shown.columns.names.length);
  const pooled = new Float32Array(high * wide);
  rows.forEach(([first, end], row) => {
    columns.forEach(([from, to], column) => {
      let most = 0;
      for (let y = first; y < end; y++) {
        for (let x = from; x < to; x++) {
          most = Math.max(most, shown.values[y * mapWide + x] ?? 0);
        }
      }
      pooled[row * wide + column] = most;
    });
  });
  return pooled;
}

/** Pool some rows and columns to so many pixels: the strongest of each part stays. */
export function pool(
  shown: Shown,
  [top, bottom, left, right]: Place,
  high: number,
  wide: number,
): Float32Array {
  const all = shown.columns.groups.length;
  const pooled = new Float32Array(high * wide);
  const place = Int32Array.from({ length: right - left }, (_, at) =>
    Math.floor((at * wide) / (right - left)),
  );
  for (let row = top; row < bottom; row++) {
    const into = Math.floor(((row - top) * high) / (bottom - top)) * wide;
    for (let column = left, at = row * all + left; column < right; column++, at++) {
      const to = into + (place[column - left] ?? 0);
      const [most, value] = [pooled[to] ?? 0, shown.drawn[at] ?? 0];
      if (Math.abs(value) > Math.abs(most)) pooled[to] = value;
    }
  }
  return pooled;
}
