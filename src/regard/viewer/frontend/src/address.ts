/** What is seen, in the address of a saved page: after the #, so that a link opens it again. */

import type { Look, Selection } from "./contract";
import { chosenOf, isHead, sane } from "./look";

/** Write a head and a look as the end of an address: `#kind=encoder&layer=2&head=3&words=true`. */
export function written(selection: Selection, look: Look): string {
  const { kind, ...numbers } = selection;
  const rest = Object.entries({ ...numbers, ...chosenOf(look) });
  const fields = rest.map(([name, value]): [string, string] => [name, JSON.stringify(value)]);
  return `#${new URLSearchParams([["kind", kind], ...fields])}`;
}

/** Read it; what is no head or no look is passed over. */
export function read(hash: string): { selection: Selection | null; look: Look | null } {
  const { kind, ...rest } = Object.fromEntries(new URLSearchParams(hash.slice(1)));
  const found = Object.entries(rest).map(([name, value]) => [name, parsed(value)]);
  const { layer, head, ...look } = Object.fromEntries(found);
  const selection = { kind, layer, head };
  return isHead(selection) ? { selection, look: sane(look) } : { selection: null, look: null };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
