/** Pointing at tokens where they lie: in a picture, or in a sound. */

import { findLayer } from "./checks";
import type { Role } from "./contract";
import { otherOf } from "./estimates";
import { item } from "./items";
import type { Axis, Shown } from "./shown";
import type { State } from "./state";

type IsThere = (axis: Axis) => boolean;

/** Choose what one rather asks of a picture's tokens: where words read, too, how they read it. */
export function wishedOf({ meta, selection }: State, { rows }: Shown): Role {
  const { special } = item(meta.sides, findLayer(meta, selection).layer.rows);
  const isWord = (at: number) => rows.places[at] === null && !special[rows.groups[at]?.[0] ?? -1];
  return rows.names.some((_, at) => isWord(at)) ? "columns" : "rows";
}

/** Choose whether tokens read or are read: as it is wished, where there are such. */
export function roleOf(shown: Shown, isThere: IsThere, wished: Role): Role {
  return isThere(shown[wished]) ? wished : otherOf(wished);
}

/** Choose it of those that are pointed at: read by what is locked, or its readers. */
export function aimedRole(state: State, shown: Shown, isThere: IsThere, wished: Role): Role {
  const { locked } = state.look;
  return roleOf(shown, isThere, locked ? otherOf(locked.role) : wished);
}

/** Point at tokens: with a token that is locked, one makes a cell. */
export function aim(state: State, role: Role, ats: number[]): void {
  const { locked } = state.look;
  const [at, ...more] = ats;
  const [other, ...others] = locked && locked.role !== role ? locked.ats : [];
  const isCell = at !== undefined && other !== undefined && !more.length && !others.length;
  if (!isCell) state.hover(ats.length ? { role, ats } : null);
  else if (role === "rows") state.point({ row: at, column: other });
  else state.point({ row: other, column: at });
}

/** Lock tokens, or unlock them; several are summed. */
export function lockAll(state: State, role: Role, ats: number[], more: boolean): void {
  const [at, ...others] = ats;
  if (at === undefined) return;
  const { locked } = state.look;
  const before = more && locked?.role === role ? locked.ats : [];
  const all = [...new Set([...before, ...ats])];
  if (others.length) state.change({ locked: { role, ats: all }, cell: null }, "locked");
  else state.lock(role, at, more);
}
