/** Other tokens are shown: words, without special ones, or what one sentence reads of another. */

import type { Look } from "./contract";
import type { Axis, Shown } from "./shown";
import type { State } from "./state";

/** Show other tokens; what is locked stays locked where the same tokens are still shown. */
export function retoken(state: State, part: Partial<Pick<Look, "words" | "hide" | "pair">>): void {
  const { shown: before, look } = state;
  state.cell = state.token = state.explained = null;
  const whole = { ...part, locked: null, cell: null, zoom: 1, corner: [0, 0] as [number, number] };
  if (!before || before.pixels || state.isStale) {
    state.change(whole, "locked");
    state.receive();
    return;
  }
  state.look = { ...look, ...whole };
  state.shown = state.seen();
  state.renew({ ...whole, ...moved(look, before, state.shown) });
}

/** Say where what is locked has gone to. */
function moved({ locked, cell }: Look, before: Shown, after: Shown): Pick<Look, "locked" | "cell"> {
  if (!locked) return { locked: null, cell: null };
  const { role } = locked;
  const ats = locked.ats.flatMap((at) => placesOf(before[role], at, after[role]));
  const rest = [...new Set(ats)];
  if (!rest.length) return { locked: null, cell: null };
  const [rows, columns] = [cell?.[0], cell?.[1]].map((at, side) => {
    const on = side ? "columns" : "rows";
    return at === undefined ? [] : placesOf(before[on], at, after[on]);
  });
  const [row, ...otherRows] = rows ?? [];
  const [column, ...otherColumns] = columns ?? [];
  const isOne = !otherRows.length && !otherColumns.length; // a word's cell may be several
  const isThere = row !== undefined && column !== undefined && isOne;
  return { locked: { role, ats: rest }, cell: isThere ? [row, column] : null };
}

/** Give the places that have any of the tokens of one before. */
function placesOf(before: Axis, at: number, after: Axis): number[] {
  const tokens = new Set(before.groups[at]);
  return [...after.groups.entries()]
    .filter(([, group]) => group.some((token) => tokens.has(token)))
    .map(([place]) => place);
}
