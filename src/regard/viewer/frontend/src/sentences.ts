/** What is pointed at, in words. */

import type { ExactReply, Kind } from "./contract";
import { item } from "./items";
import { describe, LONGEST_NAME, legible, ordinal, rounded, written } from "./names";
import { enlarge } from "./pooling";
import type { Role, Shown } from "./shown";
import { spanOf } from "./shown";
import type { Cell, Focus, Part, State } from "./state";
import { sums } from "./state";

const UNITS: Record<string, string> = { entropy: " bits", distance: " tokens" };

/** Name a token; one of several that are alike by its place, too. */
function named(shown: Shown, role: Role, at: number): Part {
  const { names } = shown[role];
  const name = item(names, at);
  const isOneOfSeveral = names.indexOf(name) !== names.lastIndexOf(name);
  return { em: legible(name, LONGEST_NAME) + (isOneOfSeveral ? ` (${at})` : "") };
}

export function cellSentence(shown: Shown, cell: Cell, exact: ExactReply | null): Part[] {
  const [reads, read] = [named(shown, "rows", cell.row), named(shown, "columns", cell.column)];
  const [first, end] = spanOf(shown, cell.row);
  if (cell.column < first || cell.column >= end) {
    return [reads, " does not read ", read, ": masked (no head of this layer reads it)"];
  }
  const weight = shown.pixels ? pixelOf(shown, cell, exact) : weightOf(shown, cell, exact);
  if (shown.pixels && !exact) return [reads, " reads ", read, `: ${weight}`];
  const rank = shown.pixels && exact ? exact.rank : rankOf(shown, cell, first, end);
  return [reads, " reads ", read, `: ${weight}, its ${ordinal(rank)} of ${end - first}`];
}

function weightOf(shown: Shown, { row, column }: Cell, exact: ExactReply | null): string {
  if (exact) return rounded(exact.weight, 4);
  const value = item(shown.values, row * shown.columns.names.length + column);
  // where the byte is 0, the weight need not be
  return value ? written(value) : `less than ${rounded(shown.rounding, 1)}`;
}

function rankOf(shown: Shown, { row, column }: Cell, first: number, end: number): number {
  const wide = shown.columns.names.length;
  const value = item(shown.values, row * wide + column);
  const others = shown.values.subarray(row * wide + first, row * wide + end);
  return others.reduce((rank, other) => (other > value ? rank + 1 : rank), 1);
}

/** Write a weight of a map, which only a kernel knows exactly. */
function pixelOf(shown: Shown, { row, column }: Cell, exact: ExactReply | null): string {
  if (exact) return rounded(exact.weight, 4);
  const [most = 0] = enlarge(shown, [row, row + 1, column, column + 1], 1, 1);
  return `at most ${written(most)}`;
}

/** Say what some tokens read most, or are read most by; of a map, what the kernel replied. */
export function focusSentence(state: State, focus: Focus): Part[] {
  const { shown } = state;
  if (!shown) return [];
  if (shown.pixels) {
    const reply = state.strongest;
    return reply?.focus === focus
      ? strongestSentence(shown, focus, reply.found, reply.sum)
      : [named(shown, focus.role, item(focus.ats, 0))];
  }
  const all = sums(shown, focus);
  const strongest = [...all.entries()].filter(([, sum]) => sum > 0).sort(([, a], [, b]) => b - a);
  return strongestSentence(
    shown,
    focus,
    strongest.slice(0, 3),
    all.reduce((sum, value) => sum + value, 0),
  );
}

function strongestSentence(
  shown: Shown,
  { role, ats }: Focus,
  strongest: [number, number][],
  all: number,
): Part[] {
  const [isReading, other]: [boolean, Role] = role === "rows" ? [true, "columns"] : [false, "rows"];
  const parts = joined(
    ats.slice(0, 4).map((at) => [named(shown, role, at)]),
    " and ",
  );
  if (ats.length > 4) parts.push(` and ${ats.length - 4} more`);
  if (!strongest.length) {
    return [...parts, isReading ? " reads nothing here" : " is read by nothing here"];
  }
  parts.push(verbOf(isReading, ats.length > 1));
  const found = strongest.map(([at, sum]) => [named(shown, other, at), ` ${written(sum)}`]);
  parts.push(...joined(found, ", "));
  if (isReading) return parts;
  return [...parts, `; ${written(all)} from all ${shown.rows.names.length} together`];
}

function verbOf(isReading: boolean, several: boolean): string {
  if (several) return isReading ? " together read most: " : " together are read most by: ";
  return isReading ? " reads most: " : " is read most by: ";
}

const joined = (pieces: Part[][], between: string): Part[] =>
  pieces.flatMap((piece, at) => (at ? [between, ...piece] : piece));

const unitOf = (measure: string, words: boolean): string =>
  words && measure === "distance" ? " words" : (UNITS[measure] ?? "");

/** Say which head it is, and what was measured of it. */
export function headSentence(
  kind: Kind,
  { layer, head, index }: { layer: number; head: number; index: number },
  looked: boolean,
  words = false,
): Part[] {
  const name = describe(kind.title, layer, head);
  const measured = Object.entries(kind.measures).flatMap(([measure, values]) => {
    const value = values[index];
    if (value === null || value === undefined) return [];
    return [`${measure.replaceAll("_", " ")} ${value.toFixed(2)}${unitOf(measure, words)}`];
  });
  if (measured.length) return [`${name}: ${measured.join(", ")}`];
  return [name + (looked ? "" : ": the text is long, so a head is computed when it is chosen")];
}

/** Say what must be known about what is shown. */
export function remark(state: State, shown: Shown): string {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const notes = [`weights are rounded by at most ${rounded(shown.rounding, 2)}`];
  if (shown.pixels) notes.unshift(mapRemark(shown, shown.pixels, state.isLive));
  else if (state.hide) {
    notes.unshift(`${percent(shown.hiddenShare)} of the attention goes to the hidden tokens`);
  }
  if (state.meta.hidden) {
    const all = shown.values.reduce((sum, value) => sum + value, 0);
    const share = Math.max(0, 1 - all / Math.max(1, shown.rows.names.length));
    notes.unshift(`about ${percent(share)} of the attention goes to tokens hidden before`);
  }
  return notes.join("; ");
}

function mapRemark(shown: Shown, [high, wide]: [number, number], isLive: boolean): string {
  const all = "a pixel has the largest of its weights";
  if (isLive) return all;
  const [rows, columns] = [shown.rows.names.length / high, shown.columns.names.length / wide];
  return `${all}, of ${Math.ceil(rows)} x ${Math.ceil(columns)} tokens at the finest`;
}
