/** What can change in a view, and what comes with it. */

import type { Focus, Selection } from "./contract";
import type { Place } from "./pooling";

export interface Cell {
  row: number;
  column: number;
  /** The pinned head in whose matrix it lies; without one, it is the chosen head's. */
  head?: Selection | undefined;
}

/** A token that is pointed at: perhaps in the matrix of a pinned head. */
export interface Token extends Focus {
  head?: Selection | undefined;
}

/** A part of a map, as pixels. */
export interface Tile {
  place: Place;
  high: number;
  wide: number;
  values: Float32Array;
}

/** Pieces of a sentence; a token stands out. */
export type Part = string | { em: string };

/** What has changed: so much must be said or drawn anew. */
export type Change =
  | "pointed" // a cell or a token, or none
  | "locked"
  | "weights" // another head is shown, or otherwise
  | "order" // of the heads
  | "scale"
  | "sight" // scrolled, zoomed or resized
  | "theme"
  | "said"
  | "tile"
  | "exact"
  | "strongest"
  | "anatomy"
  | "media" // a picture is there to be drawn
  | "pins"
  | "look"; // all of it, from elsewhere

/** Places of the other side and their sums, strongest first, and the sum of all. */
export interface Strongest {
  focus: Focus;
  found: [number, number][];
  sum: number;
  /** Of a map, the sum of each of the other side. */
  line: Float32Array | null;
}
