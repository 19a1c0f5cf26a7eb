/** Numbers that are known exactly, or within an error that is said. */

import type { Focus, Role } from "./contract";
import { item } from "./items";
import { rounded, written } from "./names";
import type { Cell } from "./news";
import type { Shown } from "./shown";
import { spanOf } from "./shown";

export interface Estimate {
  value: number;
  /** By how much it may be off; 0 if it is exact. */
  error: number;
}

/** Round up to one digit, so that what is promised is kept. */
function roundedUp(x: number): string {
  const unit = 10 ** Math.floor(Math.log10(x));
  return String(Number((Math.ceil(x / unit - 1e-9) * unit).toPrecision(1)));
}

/** Write a number; where it is not exact, as *about*, which is within one of its last digit. */
export function said({ value, error }: Estimate): string {
  if (!error) return written(value);
  if (value < 0.0005) return `less than ${roundedUp(value + error)}`;
  const unit = value < 0.1 ? 0.001 : 0.01;
  const about = `about ${written(value)}`;
  return error <= unit / 2 ? about : `${about} ± ${roundedUp(error + unit / 2)}`;
}

/** Write a number with the digits that hold, so many at most; not exact, as *about*, too. */
export function holding({ value, error }: Estimate, digits = 4): string {
  if (!error) return rounded(value, digits);
  const size = Math.floor(Math.log10(Math.abs(value)));
  const finest = Math.ceil(Math.log10(2 * error)); // half a digit is for rounding
  const count = Math.min(digits, size - finest + 1);
  if (!(count >= 1)) return `about 0 ± ${roundedUp(Math.abs(value) + error)}`;
  const unit = 10 ** (size - count + 1); // of the last digit
  const about = `about ${rounded(value, count)}`;
  return unit > 1 ? `${about} ± ${rounded(unit, 1)}` : about;
}

export const weightAt = (shown: Shown, { row, column }: Cell): Estimate => ({
  value: item(shown.values, row * shown.columns.names.length + column),
  error: shown.errorOf(row, column),
});

/** Find the best and the worst rank that a cell can have in its row, among what that may read. */
export function ranksOf(shown: Shown, cell: Cell): [number, number] {
  const { value, error } = weightAt(shown, cell);
  const [first, end] = spanOf(shown, cell.row);
  let [best, worst] = [1, 1];
  for (let column = first; column < end; column++) {
    if (column === cell.column) continue;
    const other = weightAt(shown, { row: cell.row, column });
    // alike in their bytes, either may be the stronger; of sums, those that their errors reach
    const isSurelyStronger = shown.groups
      ? other.value - other.error > value + error
      : other.value > value;
    const mayBeStronger = shown.groups
      ? other.value + other.error > value - error
      : other.value >= value;
    if (isSurelyStronger) best++;
    if (mayBeStronger) worst++;
  }
  return [best, worst];
}

/** Sum what some rows read, or what some columns get: of each token of the other side. */
export function sums(
  { rows, columns, values }: Pick<Shown, "rows" | "columns" | "values">,
  { role, ats }: Focus,
): Float32Array {
  const wide = columns.names.length;
  const sum = (weight: (at: number) => number) => ats.reduce((all, at) => all + weight(at), 0);
  if (role === "rows") {
    const read = (column: number) => sum((row) => values[row * wide + column] ?? 0);
    return Float32Array.from({ length: wide }, (_, column) => read(column));
  }
  const reads = (row: number) => sum((column) => values[row * wide + column] ?? 0);
  return Float32Array.from(rows.names, (_, row) => reads(row));
}

/** Say by how much the sum over some tokens may be off, at one token of the other side. */
export function errorAt(shown: Shown, { role, ats }: Focus, other: number): number {
  const errorOf = (at: number) =>
    role === "rows" ? shown.errorOf(at, other) : shown.errorOf(other, at);
  return ats.reduce((sum, at) => sum + errorOf(at), 0);
}

/** Sum all that some rows read, or that some columns get. */
export function totalOf(shown: Shown, focus: Focus): Estimate {
  const { role, ats } = focus;
  const exact = shown.sums?.[role];
  if (exact) return { value: ats.reduce((sum, at) => sum + item(exact, at), 0), error: 0 };
  const others = shown[otherOf(role)].names.map((_, other) => other);
  return {
    value: sums(shown, focus).reduce((sum, value) => sum + value, 0),
    error: others.reduce((sum, other) => sum + errorAt(shown, focus, other), 0),
  };
}

export const otherOf = (role: Role): Role => (role === "rows" ? "columns" : "rows");
