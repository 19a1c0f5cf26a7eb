/** Where tokens lie: boxes in pictures, and stretches of a sound. */

import type { Where } from "./contract";
import type { Axis } from "./shown";

export type Point = [number, number];

/** A token in a picture, in its pixels. */
export interface Patch {
  at: number;
  picture: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A token in a sound, in seconds. */
export interface Stretch {
  at: number;
  start: number;
  end: number;
}

/** What tokens lie in: a picture by its number, a sound; null, if nothing is known. */
export function mediumOf(place: Where | null | undefined): string | null {
  if (!place) return null;
  return place.length === 2 ? "the sound" : `picture ${place[0] + 1}`;
}

const levels = new WeakMap<Axis["places"], Patch[][]>(); // all heads of a layer have the same

/** Give the tokens of an axis that lie in pictures: those of one level lie beside each other. */
export function levelsOf({ places }: Axis): Patch[][] {
  let found = levels.get(places);
  if (!found) {
    found = leveled(places.flatMap(patchOf));
    levels.set(places, found);
  }
  return found;
}

/** Give the tokens of one level; of the last, if there are not so many. */
export const patchesOf = (axis: Axis, level: number): Patch[] =>
  levelsOf(axis)[level] ?? levelsOf(axis).at(-1) ?? [];

function patchOf(place: Where | null, at: number): Patch[] {
  if (place?.length !== 5) return [];
  const [picture, left, top, right, bottom] = place;
  return right > left && bottom > top ? [{ at, picture, left, top, right, bottom }] : [];
}

/** Put patches in as many levels as lie over each other, those with the most patches first. */
function leveled(all: Patch[]): Patch[][] {
  const found: Patch[][] = [];
  for (const patch of all) {
    const free = found.find((level) => !level.some((other) => isOver(patch, other)));
    if (free) free.push(patch);
    else found.push([patch]);
  }
  return found.sort((one, other) => other.length - one.length);
}

/** Does one of two patches hold the middle of the other? */
const isOver = (one: Patch, other: Patch): boolean =>
  one.picture === other.picture && (holds(one, middleOf(other)) || holds(other, middleOf(one)));

const holds = ({ left, top, right, bottom }: Patch, [x, y]: Point): boolean =>
  left <= x && x < right && top <= y && y < bottom;

/** Give the tokens of an axis that lie in a sound. */
export const stretchesOf = ({ places }: Axis): Stretch[] =>
  places.flatMap((place, at) =>
    place?.length === 2 ? [{ at, start: place[0], end: place[1] }] : [],
  );

/** Find the patch that has a point of a picture. */
export const patchAt = (all: Patch[], picture: number, point: Point): Patch | undefined =>
  all.find((patch) => patch.picture === picture && holds(patch, point));

export const middleOf = ({ left, top, right, bottom }: Patch): Point => [
  (left + right) / 2,
  (top + bottom) / 2,
];

/** Give the patches whose middle lies in the box around two of one picture. */
export function between(all: Patch[], one: Patch, other: Patch): Patch[] {
  const [left, right] = [Math.min(one.left, other.left), Math.max(one.right, other.right)];
  const [top, bottom] = [Math.min(one.top, other.top), Math.max(one.bottom, other.bottom)];
  return all.filter((patch) => {
    const [x, y] = middleOf(patch);
    return patch.picture === one.picture && left < x && x < right && top < y && y < bottom;
  });
}

/** Find the nearest patch below, above or beside another; itself, if there is none. */
export function nextTo(
  all: Patch[],
  from: Patch,
  [down, right]: Point,
  placeOf: (patch: Patch) => Point, // of all pictures, as they are seen
): Patch {
  const [x, y] = placeOf(from);
  let [best, least] = [from, Infinity];
  for (const patch of all) {
    const [otherX, otherY] = placeOf(patch);
    const [acrossX, acrossY] = [otherX - x, otherY - y];
    const ahead = acrossX * right + acrossY * down;
    const aside = Math.abs(acrossX * down) + Math.abs(acrossY * right);
    const far = ahead + 3 * aside;
    if (ahead > 0.5 && far < least) [best, least] = [patch, far];
  }
  return best;
}
