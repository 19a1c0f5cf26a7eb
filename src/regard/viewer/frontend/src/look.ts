/** How heads are looked at: all that is saved with a view, and what may be wrong with it. */

import type { Focus, Look, Meta, Selection } from "./contract";

/** How a view opens; the same as `PLAIN` of viewer/look.py. */
export const PLAIN: Look = {
  words: false,
  hide: false,
  log: false,
  common: null,
  measure: "",
  rising: false,
  locked: null,
  cell: null,
  zoom: 1,
  corner: [0, 0],
  pins: [],
  together: "beside",
  least: 0,
  most: 0,
  pair: null,
  unfolded: [],
  level: 0,
};

const isCount = (x: unknown): boolean => Number.isSafeInteger(x) && Number(x) >= 0;
const isShare = (x: unknown): boolean => typeof x === "number" && x >= 0 && x <= 1;
const isFlag = (x: unknown): boolean => typeof x === "boolean";
const isPairOf = (x: unknown, is: (one: unknown) => boolean): boolean =>
  Array.isArray(x) && x.length === 2 && x.every(is);
const orNull = (is: (x: unknown) => boolean) => (x: unknown) => x === null || is(x);

function isFocus(x: unknown): boolean {
  const { role, ats } = (x ?? {}) as Partial<Focus>;
  const isRole = role === "rows" || role === "columns";
  return isRole && Array.isArray(ats) && ats.length > 0 && ats.every(isCount);
}

export function isHead(x: unknown): x is Selection {
  const { kind, layer, head } = (x ?? {}) as Partial<Selection>;
  return typeof kind === "string" && isCount(layer) && isCount(head);
}

const MAY_BE: Record<keyof Look, (x: unknown) => boolean> = {
  words: isFlag,
  hide: isFlag,
  log: isFlag,
  common: orNull((x) => isShare(x) && x !== 0),
  measure: (x) => typeof x === "string",
  rising: isFlag,
  locked: orNull(isFocus),
  cell: orNull((x) => isPairOf(x, isCount)),
  zoom: (x) => typeof x === "number" && x >= 1 && Number.isFinite(x),
  corner: (x) => isPairOf(x, (at) => typeof at === "number" && at >= 0 && Number.isFinite(at)),
  pins: (x) => Array.isArray(x) && x.every(isHead),
  together: (x) => ["beside", "mean", "largest", "difference"].includes(String(x)),
  least: isShare,
  most: isCount,
  pair: orNull((x) => isPairOf(x, isCount)),
  unfolded: (x) => Array.isArray(x) && x.every((one) => typeof one === "string"),
  level: isCount,
};

/** Take what is right of a look that comes from elsewhere; the rest is as it is at first. */
export function sane(given: Partial<Look> = {}): Look {
  const right = Object.entries(given).filter(([name, value]) =>
    MAY_BE[name as keyof Look]?.(value),
  );
  return { ...PLAIN, ...Object.fromEntries(right) };
}

/** Take from a look what can be of the heads that there are. */
export function possible(given: Partial<Look>, { kinds }: Meta): Look {
  const look = sane(given);
  const isMeasured = kinds.some(({ measures }) => Object.hasOwn(measures, look.measure));
  const isThere = ({ kind, layer, head }: Selection) =>
    kinds
      .find(({ name }) => name === kind)
      ?.layers.some((one) => one.number === layer && one.heads.includes(head));
  return {
    ...look,
    measure: isMeasured ? look.measure : "",
    pins: look.pins.filter(isThere),
  };
}

/** Give what is other than it is at first. */
export function chosenOf(look: Look): Partial<Look> {
  const isOther = ([name, value]: [string, unknown]) =>
    JSON.stringify(value) !== JSON.stringify(PLAIN[name as keyof Look]);
  return Object.fromEntries(Object.entries(look).filter(isOther));
}

export const isSame = (one: object, other: object): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

export const isSameHead = (one: Selection, other: Selection): boolean =>
  one.kind === other.kind && one.layer === other.layer && one.head === other.head;
