/** How large the tiles of the grid are, and where they stand. */

const MOUSE_TILE = 32; // CSS pixels of a thumbnail, as many as it has at most
const FINGER_TILE = 40; // with what is around it, as large as a finger asks for

/** Give the size of a thumbnail: on a touch screen, as large as a finger asks for. */
export const tileSize = (): number => (isForFingers() ? FINGER_TILE : MOUSE_TILE);

export const isForFingers = (): boolean => matchMedia("(pointer: coarse)").matches;

/** Room for the numbers, the size of a cell, and where in it the thumbnail is; CSS pixels. */
export interface Layout {
  left: number;
  top: number;
  wide: number;
  high: number;
  x: number;
  y: number;
}

export const byLayerOf = (tile: number): Layout => {
  const side = tile + 4;
  return { left: 24, top: 18, wide: side, high: side, x: 2, y: 2 };
};
export const rankedOf = (tile: number): Layout => {
  return { left: 2, top: 18, wide: 44, high: tile + 38, x: (44 - tile) / 2, y: 15 };
};
