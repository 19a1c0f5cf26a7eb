/** What is pointed at and locked: the same cell, and where it is once something else is shown. */

import type { Look } from "./contract";
import { isSame, isSameHead } from "./look";
import type { Cell, Token } from "./news";
import type { Shown } from "./shown";

const ROLES = ["rows", "columns"] as const;

/** Are both of one head? */
function isOfOne({ head: one }: Cell | Token, { head: other }: Cell | Token): boolean {
  return one && other ? isSameHead(one, other) : one === other;
}

export function isSameCell(one: Cell | null, other: Cell | null): boolean {
  if (!one || !other) return one === other;
  return isOfOne(one, other) && one.row === other.row && one.column === other.column;
}

export function isSameToken(one: Token | null, other: Token | null): boolean {
  if (!one || !other) return one === other;
  return isOfOne(one, other) && one.role === other.role && isSame(one.ats, other.ats);
}

/** Do two heads have the same tokens? */
export function isAlike(one: Shown | null, other: Shown | null): boolean {
  if (!one || !other || one === other) return one === other;
  return ROLES.every((role) => {
    const [mine, its] = [one[role].names, other[role].names];
    return mine.length === its.length && mine.every((name, at) => name === its[at]);
  });
}

/** Is there such a place? */
export const isWithin = ({ row, column }: Cell, { rows, columns }: Shown): boolean =>
  row < rows.names.length && column < columns.names.length;

/** Are there as many rows and columns? */
export const isAsLarge = (one: Shown, other: Shown): boolean =>
  ROLES.every((role) => one[role].names.length === other[role].names.length);

/** Keep what is locked, where there is such a place. */
export function kept({ locked, cell }: Look, shown: Shown): Pick<Look, "locked" | "cell"> {
  const isLocked = locked?.ats.every((at) => at < shown[locked.role].names.length);
  const isCell = cell && isWithin({ row: cell[0], column: cell[1] }, shown);
  return { locked: isLocked ? locked : null, cell: isCell ? cell : null };
}
