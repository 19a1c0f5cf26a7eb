/** What a saved page holds to take weights apart, as a kernel would: see viewer/apart.py. */

import { findLayer } from "./checks";
import type { Anatomy, AnatomyReply, Meta, Off, Selection, Tokens } from "./contract";
import { inflate } from "./inflate";
import { item } from "./items";

/** A head; its parts are places in a list of texts. */
interface Held {
  query: number;
  key: number;
  sums: number;
  mask: number;
  bias: number | null;
  /** Rows and columns; one of them stands for all. */
  bias_shape: [number, number] | null;
  /** How large a step of the queries is, and one of the keys. */
  steps: [number, number];
  /** By how much any q k^T is off, at most. */
  off: number;
  dimensions: number;
  scale: number;
  softcap: number | null;
  sink: number | null;
}

/** Parts as text; of each kind and layer the heads that there are, or why there are none. */
export interface Apart {
  parts: string[];
  heads: Record<string, Record<string, string | Record<string, Held>>>;
}

const NONE = {
  why_not:
    "This page holds no queries and keys of this head, only of some: save fewer heads, with " +
    "layers=[...] or heads=[...], or open it with a kernel.",
};

/** Answer why a weight is what it is: of words, for the strongest pair of their tokens. */
export async function explain(
  { parts, heads }: Apart,
  meta: Meta,
  selection: Selection,
  { queries, keys }: Tokens,
): Promise<AnatomyReply> {
  const ofLayer = heads[selection.kind]?.[selection.layer];
  if (typeof ofLayer === "string") return { why_not: ofLayer };
  const held = ofLayer?.[selection.head];
  if (!held) return NONE;
  const head = await unpacked(parts, held);
  const { layer } = findLayer(meta, selection);
  const rows = item(meta.sides, layer.rows).names;
  const columns = item(meta.sides, layer.columns).names;
  const pairs = queries.flatMap((query) => keys.map((key) => ({ query, key })));
  const found = pairs.map(({ query, key }) => ({
    query_token: item(rows, query),
    key_token: item(columns, key),
    ...head.dissect(query, key),
  }));
  const anatomy = found.reduce((best, one) => (one.weight > best.weight ? one : best));
  return { anatomy, off: head.off };
}

const kept = new WeakMap<Held, Promise<Head>>();

/** Unpack a head once, however many of its weights are taken apart. */
function unpacked(parts: string[], held: Held): Promise<Head> {
  const known = kept.get(held) ?? unpack(parts, held);
  kept.set(held, known);
  return known;
}

async function unpack(parts: string[], held: Held): Promise<Head> {
  const places = [held.query, held.key, held.sums, held.mask];
  if (held.bias !== null) places.push(held.bias);
  const bytes = await Promise.all(places.map((at) => inflate(item(parts, at))));
  const [query, key, sums, mask, bias] = bytes.map(({ buffer }) => new DataView(buffer));
  if (!query || !key || !sums || !mask) throw new Error("It lacks queries and keys.");
  return new Head(held, { query, key, sums, mask, bias: bias ?? null });
}

interface Unpacked {
  query: DataView;
  key: DataView;
  sums: DataView;
  mask: DataView;
  bias: DataView | null;
}

class Head {
  readonly off: Off;
  private readonly numKeys: number;

  constructor(
    private readonly held: Held,
    private readonly parts: Unpacked,
  ) {
    const [query, key] = held.steps;
    this.off = { query: query / 2, key: key / 2, dot: held.off };
    this.numKeys = parts.key.byteLength / 2 / held.dimensions;
  }

  /** Take the steps that `dissect` takes. */
  dissect(queryAt: number, keyAt: number): Omit<Anatomy, "query_token" | "key_token"> {
    const { held, parts } = this;
    const { scale, softcap, sink } = held;
    const query = this.vector(parts.query, queryAt, held.steps[0]);
    const key = this.vector(parts.key, keyAt, held.steps[1]);
    const dot = query.reduce((sum, q, at) => sum + q * item(key, at), 0);
    const bias = this.biasAt(queryAt, keyAt);
    const added = dot * scale + bias;
    const squeezed = softcap === null ? added : softcap * Math.tanh(added / softcap);
    const score = this.mayRead(queryAt, keyAt) ? squeezed : null;
    const logSum = parts.sums.getFloat32(4 * queryAt, true);
    return {
      ...{ query, key, dot, scale, bias, softcap, score, sink },
      log_sum: logSum,
      weight: score === null ? 0 : Math.exp(score - logSum),
      num_keys: this.countOf(queryAt),
    };
  }

  /** Give one row of vectors, whose high bytes come before all low ones. */
  private vector(bytes: DataView, row: number, step: number): number[] {
    const { dimensions } = this.held;
    const low = bytes.byteLength / 2;
    return Array.from({ length: dimensions }, (_, dimension) => {
      const at = row * dimensions + dimension;
      return (bytes.getInt8(at) * 256 + bytes.getUint8(low + at)) * step;
    });
  }

  private biasAt(query: number, key: number): number {
    const { bias } = this.parts;
    if (!bias) return 0;
    const [high, wide] = this.held.bias_shape ?? [1, 1];
    const at = (high > 1 ? query : 0) * wide + (wide > 1 ? key : 0);
    return bias.getFloat32(4 * at, true);
  }

  private mayRead(query: number, key: number): boolean {
    const bytes = Math.ceil(this.numKeys / 8);
    return ((this.parts.mask.getUint8(query * bytes + (key >> 3)) >> (key & 7)) & 1) === 1;
  }

  private countOf(query: number): number {
    let count = 0;
    for (let key = 0; key < this.numKeys; key++) if (this.mayRead(query, key)) count++;
    return count;
  }
}
