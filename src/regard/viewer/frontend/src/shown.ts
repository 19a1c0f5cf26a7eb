/** What is shown of a head: its bytes undone, keys summed to words, queries averaged. */

import { checkWeights } from "./checks";
import type { Bytes, Layer, Look, Meta, Role, Side, Weights, Where } from "./contract";
import { filtered } from "./filtered";
import { item } from "./items";
import { pairOf, sentencesOf } from "./sentence_pairs";

/** Some rows or columns of a head; a group is the tokens that one of them stands for. */
export interface Axis {
  names: string[];
  groups: number[][];
  /** Where each lies, if it is known. */
  places: (Where | null)[];
}

/** What is drawn of a head: words or tokens, all or only ordinary ones. */
export interface Shown {
  rows: Axis;
  columns: Axis;
  values: Float32Array;
  /** Those that are drawn; the rest of them is 0. */
  drawn: Float32Array;
  /** For each row, the first column it may read and the one after the last. */
  spans: Int32Array;
  /** May every row read every column? */
  isOpen: boolean;
  hiddenShare: number;
  /** By how much any value may be off, at most; and that of a cell. */
  rounding: number;
  errorOf: (row: number, column: number) => number;
  /** The largest of the values, whatever its sign. */
  largest: number;
  /** Is it a difference, which may be below zero? */
  signed: boolean;
  /** What rows read in all and columns get, exactly; null where only a kernel knows. */
  sums: Record<Role, Float32Array> | null;
  /** The tokens of each column, where they are not the keys one by one. */
  groups: number[][] | null;
  /** Of a map: how many its values are; else, all weights. */
  pixels: [number, number] | null;
}

/** Give the first column that a row may read and the one after the last. */
export const spanOf = ({ spans }: Shown, row: number): [number, number] => [
  item(spans, 2 * row),
  item(spans, 2 * row + 1),
];

/** Is a value what one token reads of another? Not a pixel of several, nor a difference. */
export const isOfTokens = ({ pixels, signed }: Shown): boolean => !pixels && !signed;

export const asBytes = (bytes: Bytes): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface Packed {
  bytes: Bytes;
  scale: number;
  power: number;
}

/** Undo the bytes of weights. */
export function unpack({ bytes, scale, power }: Packed): Float32Array {
  const weights = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255) ** power * scale);
  const packed = asBytes(bytes);
  const unpacked = new Float32Array(packed.length); // a loop is ten times as fast as `from`
  for (let at = 0; at < packed.length; at++) unpacked[at] = weights[packed[at] ?? 0] ?? 0;
  return unpacked;
}

export function largestOf(values: Float32Array): number {
  let most = 0;
  for (let at = 0; at < values.length; at++) most = Math.max(most, values[at] ?? 0);
  return most;
}

/** By how much the weight of each byte may be off; float32 adds a little. */
function errorsOf({ scale, power }: Packed): Float32Array {
  const largest = (byte: number) => Math.min((byte + 0.5) / 255, 1) ** power;
  const least = (byte: number) => Math.max((byte - 0.5) / 255, 0) ** power;
  const off = (byte: number) => {
    const weight = (byte / 255) ** power;
    return Math.max(largest(byte) - weight, weight - least(byte)) * scale + scale * 2 ** -22;
  };
  return Float32Array.from({ length: 256 }, (_, byte) => off(byte));
}

/** The sums that came with a head: of its rows, and of its columns. */
function sumsOf({ sums }: Weights, [high, wide]: [number, number]): Shown["sums"] {
  if (sums.byteLength !== 4 * (high + wide)) return null;
  const all = floatsOf(sums);
  return { rows: all.subarray(0, high), columns: all.subarray(high) };
}

/** Read numbers of four bytes. */
export function floatsOf({ buffer, byteOffset, byteLength }: Bytes): Float32Array {
  const view = new DataView(buffer, byteOffset, byteLength);
  return Float32Array.from({ length: byteLength / 4 }, (_, at) => view.getFloat32(4 * at, true));
}

/** Choose what stands for a row or a column. */
export function axisOf(
  side: Side,
  { words, hide }: Pick<Look, "words" | "hide">,
  sentence: number | null = null, // only its tokens
): Axis {
  const merged = words ? side.words : null;
  const groups = merged ? merged.groups : side.names.map((_, at) => [at]);
  const names = merged ? merged.names : side.names;
  const sentences = sentence === null ? null : sentencesOf(side);
  const isKept = groups.map(([first = 0]) => {
    const isElsewhere = sentences !== null && sentences[first] !== sentence;
    return !isElsewhere && !(hide && side.special[first]);
  });
  const kept = groups.filter((_, at) => isKept[at]);
  return {
    names: names.filter((_, at) => isKept[at]),
    groups: kept,
    places: placesIn(side, kept),
  };
}

/** Give where each group lies: of all tokens, what the side itself has. */
function placesIn({ places, names }: Side, groups: number[][]): Axis["places"] {
  if (places && groups.length === names.length) return places;
  return groups.map(([first = 0]) => places?.[first] ?? null);
}

/** Undo the bytes, sum keys and average queries, as `Trace.merge_words` and `Trace.hide` do. */
export function show(meta: Meta, layer: Layer, weights: Weights, look: Look): Shown {
  checkWeights(layer, weights);
  if (weights.pixels.some((count, side) => count < item(layer.shape, side))) {
    return showMap(meta, layer, weights);
  }
  const [reading, read] = pairOf(meta, layer, look.pair) ?? [null, null];
  const rows = axisOf(item(meta.sides, layer.rows), look, reading);
  const columns = axisOf(item(meta.sides, layer.columns), look, read);
  const place = placesOf(columns, layer.shape[1]);
  const isPlain = rows.names.length === layer.shape[0] && columns.names.length === layer.shape[1];
  const errors = errorsOf(weights);
  const { values, hidden } = isPlain
    ? { values: unpack(weights), hidden: 0 }
    : grouped(weights, rows, columns, place);
  const longest = columns.groups.reduce((most, group) => Math.max(most, group.length), 1);
  return {
    rows,
    columns,
    values,
    drawn: filtered(values, columns, look),
    ...spanned(spansOf(item(meta.spans, layer.spans), rows, columns, place), columns.names.length),
    hiddenShare: rows.groups.length ? hidden / rows.groups.length : 0,
    rounding: longest * largestOf(errors),
    errorOf: errorsOfCells(weights, errors, [rows, columns], layer.shape[1]),
    largest: largestOf(values),
    signed: false,
    sums: isPlain ? sumsOf(weights, layer.shape) : null,
    groups: isPlain ? null : columns.groups,
    pixels: null,
  };
}

/** By how much a cell may be off: its keys' errors add up, those of its queries are averaged. */
function errorsOfCells(
  { bytes }: Weights,
  errors: Float32Array,
  [rows, columns]: [Axis, Axis],
  numKeys: number,
): Shown["errorOf"] {
  const all = asBytes(bytes);
  return (row, column) => {
    const queries = item(rows.groups, row);
    let sum = 0;
    for (const query of queries) {
      for (const key of item(columns.groups, column)) {
        sum += errors[all[query * numKeys + key] ?? 0] ?? 0;
      }
    }
    return sum / queries.length;
  };
}

/** Give the column of each key; -1 where it is hidden. */
function placesOf(columns: Axis, numKeys: number): Int32Array {
  const place = new Int32Array(numKeys).fill(-1);
  columns.groups.forEach((group, at) => {
    for (const key of group) place[key] = at;
  });
  return place;
}

/** Sum the keys of a column, average the queries of a row; what is hidden is only summed. */
function grouped(
  weights: Weights,
  rows: Axis,
  columns: Axis,
  place: Int32Array,
): { values: Float32Array; hidden: number } {
  const weightOf = unpack({ ...weights, bytes: Uint8Array.from({ length: 256 }, (_, at) => at) });
  const bytes = asBytes(weights.bytes);
  const [numKeys, wide] = [place.length, columns.groups.length];
  const values = new Float32Array(rows.groups.length * wide);
  let hidden = 0;
  rows.groups.forEach((queries, row) => {
    for (const query of queries) {
      for (let key = 0; key < numKeys; key++) {
        const column = place[key] ?? -1;
        const weight = (weightOf[bytes[query * numKeys + key] ?? 0] ?? 0) / queries.length;
        if (column < 0) hidden += weight;
        else values[row * wide + column] = (values[row * wide + column] ?? 0) + weight;
      }
    }
  });
  return { values, hidden };
}

/** Give for each row the columns that any of its queries may read. */
function spansOf(allowed: number[], rows: Axis, columns: Axis, place: Int32Array): Int32Array {
  const spans = new Int32Array(2 * rows.groups.length);
  const isHidden = (key: number) => item(place, key) < 0;
  rows.groups.forEach((queries, row) => {
    let [first, end] = [columns.groups.length, 0];
    for (const query of queries) {
      let [from, to] = [item(allowed, 2 * query), item(allowed, 2 * query + 1)];
      while (from < to && isHidden(from)) from++;
      while (from < to && isHidden(to - 1)) to--;
      if (from >= to) continue;
      [first, end] = [Math.min(first, item(place, from)), Math.max(end, item(place, to - 1) + 1)];
    }
    spans.set(end ? [first, end] : [0, 0], 2 * row);
  });
  return spans;
}

/** Say, too, whether nothing is masked. */
function spanned(spans: Int32Array, wide: number): Pick<Shown, "spans" | "isOpen"> {
  return { spans, isOpen: spans.every((at, side) => at === (side % 2 ? wide : 0)) };
}

/** Show pixels of a head that has too many weights: its tokens as they are. */
function showMap(meta: Meta, layer: Layer, weights: Weights): Shown {
  const [values, all] = [unpack(weights), { words: false, hide: false }];
  return {
    rows: axisOf(item(meta.sides, layer.rows), all),
    columns: axisOf(item(meta.sides, layer.columns), all),
    values,
    drawn: values,
    ...spanned(Int32Array.from(item(meta.spans, layer.spans)), layer.shape[1]),
    hiddenShare: 0,
    rounding: largestOf(errorsOf(weights)),
    largest: largestOf(values),
    signed: false,
    errorOf: () => Number.POSITIVE_INFINITY, // a pixel has the largest of many
    sums: null,
    groups: null,
    pixels: weights.pixels,
  };
}
