/** What the model says is checked, so that nothing is drawn that nobody measured. */

import type { Bytes, Kind, Layer, Meta, Selection, Weights } from "./contract";
import { item } from "./items";
import { describe } from "./names";

const FORMAT = 4;

export function checkMeta(meta: Meta, thumbnails: Bytes): void {
  if (meta?.format !== FORMAT) {
    throw new Error(
      `This view reads format ${FORMAT}, but was given ${meta?.format}: make the page anew, ` +
        "or restart the kernel.",
    );
  }
  const layers = meta.kinds.flatMap((kind) => kind.layers.map((layer) => ({ kind, layer })));
  for (const { kind, layer } of layers) checkNames(meta, kind, layer);
  if (!meta.kinds.length) throw new Error("There are no heads to show.");
  const size = layers.reduce((sum, { layer }) => sum + thumbnailBytes(meta, layer), 0);
  if (thumbnails.byteLength !== size) {
    throw new Error(
      `The thumbnails have ${thumbnails.byteLength} bytes, but ${size} are needed: ` +
        "they were cut off.",
    );
  }
}

function checkNames(meta: Meta, kind: Kind, layer: Layer): void {
  const [rows, columns] = layer.shape;
  const fits =
    meta.sides[layer.rows]?.names.length === rows &&
    meta.sides[layer.columns]?.names.length === columns;
  if (!fits || meta.spans[layer.spans]?.length !== 2 * rows) {
    throw new Error(
      `${kind.title}, layer ${layer.number}, has ${rows} x ${columns} weights, but other names.`,
    );
  }
}

function thumbnailBytes(meta: Meta, { heads, shape }: Layer): number {
  return shape.reduce((size, count) => size * Math.min(count, meta.thumbnail), heads.length);
}

/** Find the layer of a head, or say that there is none. */
export function findLayer(
  meta: Meta,
  { kind, layer, head }: Selection,
): { kind: Kind; layer: Layer } {
  const ofKind = meta.kinds.find(({ name }) => name === kind);
  if (!ofKind) {
    const names = meta.kinds.map(({ name }) => name).join(", ");
    throw new Error(
      `There is no attention of kind ${JSON.stringify(kind)} here: choose from ${names}.`,
    );
  }
  const found = ofKind.layers.find(({ number }) => number === layer);
  if (!found?.heads.includes(head)) {
    throw new Error(`There is no ${describe(ofKind.title, layer, head)} here.`);
  }
  return { kind: ofKind, layer: found };
}

export function checkWeights(layer: Layer, weights: Weights): void {
  const [rows, columns] = layer.shape;
  const [high, wide] = weights.pixels ?? [];
  if (!(high <= rows && wide <= columns) || (rows && columns && !(high && wide))) {
    throw new Error(
      `The weights have the shape ${weights.pixels}, but the tokens need ${rows} x ${columns}.`,
    );
  }
  if (weights.bytes?.byteLength !== high * wide) {
    throw new Error(
      `The weights have ${weights.bytes?.byteLength} bytes, but ${high} x ${wide} are needed: ` +
        "they were cut off.",
    );
  }
  // a page of many weights uses half of the bytes, and the largest stands for twice a weight
  if (!(weights.scale >= 0 && weights.scale <= 2.01)) {
    throw new Error(`The largest byte is said to be ${weights.scale}, but lies between 0 and 2.`);
  }
}

/** Give a head of a kind and a layer, or the nearest that there is. */
export function nearest(meta: Meta, { kind, layer, head }: Selection): Selection | null {
  const ofKind = meta.kinds.find(({ name }) => name === kind);
  const found = ofKind?.layers.find(({ number }) => number === layer) ?? ofKind?.layers[0];
  if (!found) return null;
  const isThere = found.heads.includes(head);
  return { kind, layer: found.number, head: isThere ? head : item(found.heads, 0) };
}
