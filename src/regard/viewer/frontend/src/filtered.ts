/** Which weights are drawn, where not all are: large ones, or the strongest of a row. */

import type { Look } from "./contract";
import type { Axis } from "./shown";

/** Give the values of which the rest is drawn as nothing; where all are drawn, these themselves. */
export function filtered(
  values: Float32Array,
  columns: Axis,
  { least, most }: Pick<Look, "least" | "most">,
): Float32Array {
  const wide = columns.names.length;
  if (!least && !(most && most < wide)) return values;
  const kept = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += wide) {
    const row = values.subarray(start, start + wide);
    const bound = Math.max(least, most ? strongest(row, most) : 0);
    row.forEach((value, at) => {
      if (Math.abs(value) >= bound) kept[start + at] = value;
    });
  }
  return kept;
}

/** Give the size of the so many-th strongest value. */
const strongest = (row: Float32Array, rank: number): number =>
  row.map(Math.abs).sort().at(-rank) ?? 0;
