/** Tokens of a picture or a sound as one item of a text, until someone opens it. */

import { mediumOf } from "./boxes";
import { item } from "./items";
import type { Axis } from "./shown";

/** What stands in a text: a token, or many of one picture. */
export interface Item {
  name: string;
  ats: number[];
  /** Of what they are, if they are folded. */
  medium: string | null;
}

export interface Items {
  all: Item[];
  names: string[];
  /** In which of them each token is. */
  of: number[];
}

/** Name many tokens by what they are of; null, if that is not one. */
export function manyOf({ places }: Axis, ats: number[]): string | null {
  const media = new Set(ats.map((at) => mediumOf(places[at])));
  const [medium] = media;
  return medium && media.size === 1 ? `${ats.length} tokens of ${medium}` : null;
}

const known = new WeakMap<Axis, [string, Items]>();

/** Give the tokens of an axis, those of each picture as one item, except of what is unfolded. */
export function itemsOf(axis: Axis, unfolded: string[]): Items {
  const key = JSON.stringify(unfolded);
  const [before, found] = known.get(axis) ?? [];
  if (found && before === key) return found;
  const media = axis.places.map((place) => {
    const medium = mediumOf(place);
    return medium && unfolded.includes(medium) ? null : medium;
  });
  const items: Items = { all: [], names: [], of: [] };
  for (let at = 0; at < axis.names.length; at++) {
    const medium = item(media, at);
    const last = items.all.at(-1);
    if (last?.medium && isInside(media, at, last.medium)) last.ats.push(at);
    else items.all.push({ name: item(axis.names, at), ats: [at], medium });
    items.of.push(items.all.length - 1);
  }
  for (const one of items.all) settle(one);
  items.names = items.all.map(({ name }) => name);
  known.set(axis, [key, items]);
  return items;
}

/** Is a token of a picture, or does it end one of its rows? */
const isInside = (media: (string | null)[], at: number, medium: string): boolean =>
  media[at] === medium || (media[at] === null && media[at + 1] === medium);

/** A token alone is not folded. */
function settle(one: Item): void {
  if (one.ats.length === 1) one.medium = null;
  else one.name = `${one.ats.length} tokens of ${one.medium}`;
}
