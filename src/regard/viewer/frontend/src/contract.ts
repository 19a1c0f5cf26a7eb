/**
 * What Python and the view say to each other: the same names as in `viewer/contract.py`, which a
 * test compares field by field.
 */

/** A group of tokens for each word. */
export interface Words {
  names: string[];
  groups: number[][];
}

/** What tokens are called, what makes a word, and where each lies. */
export interface Side {
  names: string[];
  special: boolean[];
  words: Words | null;
  /** A picture's number and a box in its pixels, or a start and an end in seconds. */
  places: ([number, number, number, number, number] | [number, number] | null)[] | null;
}

export type Where = NonNullable<NonNullable<Side["places"]>[number]>;

/** A picture that a model saw: its size as it was given, and a smaller one as a data URL. */
export interface GivenPicture {
  width: number;
  height: number;
  data: string;
}

/** A sound that a model heard: the peaks of even parts, and a WAV if that is small enough. */
export interface GivenSound {
  rate: number;
  seconds: number;
  envelope: number[];
  data: string | null;
}

export interface Layer {
  number: number;
  /** Of the module that attended; empty, if it is not known. */
  path: string;
  heads: number[];
  /** Which of the sides reads. */
  rows: number;
  /** Which is read. */
  columns: number;
  shape: [number, number];
  /** Which of the spans says what is masked. */
  spans: number;
}

export interface Kind {
  name: string;
  title: string;
  layers: Layer[];
  /** Of each head, layer by layer. */
  measures: Record<string, (number | null)[]>;
}

export interface Meta {
  format: number;
  sides: Side[];
  /** For each query, the first key and the one after the last that it may read. */
  spans: number[][];
  kinds: Kind[];
  /** Pixels of a side, at most. */
  thumbnail: number;
  /** Are there thumbnails of all heads, not only of those that were opened? */
  looked: boolean;
  /** Are rows named by the token that is written next, too? */
  writes: boolean;
  /** Were special tokens left out before? */
  hidden: boolean;
  /** Why the view opened at this head; empty, if it was asked for. */
  opened: string;
  origin: Record<string, string>;
  pictures: GivenPicture[];
  sound: GivenSound | null;
}

export interface Selection {
  kind: string;
  layer: number;
  head: number;
}

/** Tokens of one side, summed where they are several. */
export interface Focus {
  role: "rows" | "columns";
  ats: number[];
}

export type Role = Focus["role"];

/** How heads are looked at, whichever is chosen: all that is saved with a view. */
export interface Look {
  words: boolean;
  hide: boolean;
  log: boolean;
  /** The weight of the darkest colour; if it is null, each head's largest. */
  common: number | null;
  /** By which the heads are sorted, and whether the lowest come first. */
  measure: string;
  rising: boolean;
  /** What was clicked: tokens, and the cell whose weight is taken apart. */
  locked: Focus | null;
  cell: [number, number] | null;
  zoom: number;
  /** The row and the column in the upper left corner. */
  corner: [number, number];
  /** Heads that are compared, and how. */
  pins: Selection[];
  together: "beside" | "mean" | "largest" | "difference";
  /** Smaller weights are not drawn; and of each row only so many, if it is not 0. */
  least: number;
  most: number;
  /** Only what one sentence reads of another, counted from 0. */
  pair: [number, number] | null;
  /** What is given token by token in text and lines, such as "picture 1", not as one item. */
  unfolded: string[];
  /** Of which patches weights are drawn, where some lie over others: tiles and the whole. */
  level: number;
}

/**
 * A weight is (byte / 255) ** power * scale; with fewer pixels than weights, it is the largest of a
 * pixel. Sums are float32: what each row reads in all, then what each column gets; of pixels, none.
 */
export interface Weights {
  kind: string;
  layer: number;
  head: number;
  pixels: [number, number];
  scale: number;
  power: number;
  bytes: Bytes;
  sums: Bytes;
}

/** What makes one weight; a score of null is minus infinity. */
export interface Anatomy {
  query_token: string;
  key_token: string;
  query: number[];
  key: number[];
  dot: number;
  scale: number;
  bias: number;
  softcap: number | null;
  score: number | null;
  log_sum: number;
  sink: number | null;
  weight: number;
  num_keys: number;
}

/** The exact weight of a cell, and its place among the columns that are shown of its row. */
export interface ExactReply {
  weight: number;
  rank: number;
}

/** A part of a map: pixels that travel as bytes beside it. */
export interface TileReply {
  pixels: [number, number];
  scale: number;
  power: number;
}

/** What some tokens read most, or are read most by: places and sums. */
export interface StrongestReply {
  found: [number, number][];
  sum: number;
}

/** By how much a number of the query, one of the key, and q k^T may be off, at most. */
export interface Off {
  query: number;
  key: number;
  dot: number;
}

/** Why a weight is what it is, or why nobody can tell; without `off`, it is exact. */
export interface AnatomyReply {
  anatomy?: Anatomy;
  off?: Off;
  why_not?: string;
}

/** Weights of a head that is not the chosen one; its bytes and sums travel beside it. */
export interface HeadReply {
  pixels: [number, number];
  scale: number;
  power: number;
}

/** Of words, or without special tokens: the measures of each kind; thumbnails travel beside it. */
export interface VariantReply {
  measures: Record<string, Record<string, (number | null)[]>>;
}

/** The weights that are shown of a head, as CSV. */
export interface TableReply {
  text: string;
}

/** Something went wrong; the view shows the text. */
export interface ProblemReply {
  answer: string;
  text: string;
}

export type Bytes = DataView | Uint8Array;

/** The traits: the same names as those of the Python class. */
export interface Traits {
  meta: Meta;
  selection: Selection;
  look: Partial<Look>;
  thumbnails: Bytes;
  weights: Weights;
}

/** What a row and a column stand for. */
export interface Tokens {
  queries: number[];
  keys: number[];
}

export type Hear = (message?: unknown, buffers?: DataView[]) => void;

/** What anywidget hands over; a saved page has one without `send`. */
export interface Model {
  get<K extends keyof Traits>(name: K): Traits[K];
  set<K extends keyof Traits>(name: K, value: Traits[K]): void;
  save_changes(): void;
  on(event: string, hear: Hear): void;
  off(event: string, hear: Hear): void;
  send?: (message: object) => void;
  /** Where there is no kernel: give the weights of a head. */
  fetch?: (selection: Selection, take: (weights: Weights) => void) => void;
  /** Where there is no kernel: give thumbnails and measures of words, or without special tokens. */
  vary?: (
    choice: { words: boolean; hide: boolean },
    take: (reply: VariantReply, thumbnails: Bytes) => void,
  ) => void;
  /** Where there is no kernel, but queries and keys: say why a weight is what it is. */
  explain?:
    | ((head: Selection, tokens: Tokens, take: (reply: AnatomyReply) => void) => void)
    | undefined;
}
