/** What is said of a token that lies in a picture or a sound: where that is, and both ways. */

import type { Focus, Where } from "./contract";
import { errorAt, otherOf, said, sums } from "./estimates";
import { item } from "./items";
import type { Part, Token } from "./news";
import { focusSentence, namesOf, predicateOf } from "./sentences";
import type { Shown } from "./shown";
import type { State } from "./state";

/** Say what is pointed at or locked: of what lies in a picture or a sound, more. */
export function tokenSentence(state: State, focus: Token): Part[] {
  const { shown, look } = state;
  const place = shown?.[focus.role].places[focus.ats[0] ?? -1];
  if (!shown || !place || focus.head) return focusSentence(state, focus);
  const { locked } = look;
  const isRead = locked && locked !== focus && locked.role !== focus.role;
  if (isRead) return sharedSentence(shown, locked, focus);
  const where = focus.ats.length === 1 ? [` (${written(place, state.meta.pictures.length)})`] : [];
  const names = [...namesOf(shown, focus), ...where];
  const turned = turnedTo(shown, focus);
  const back = turned ? [". It", ...predicateOf(state, shown, turned)] : [];
  const they =
    focus.ats.length > 1 ? back.map((part) => (part === ". It" ? ". They" : part)) : back;
  return [...names, ...predicateOf(state, shown, focus), ...they];
}

/** Say what tokens that are locked read of others, or how much those read of them. */
function sharedSentence(shown: Shown, locked: Focus, focus: Focus): Part[] {
  const [rows, columns] = locked.role === "rows" ? [locked, focus] : [focus, locked];
  const read = sums(shown, rows);
  const sum = columns.ats.reduce((all, at) => all + item(read, at), 0);
  const error = columns.ats.reduce((all, at) => all + errorAt(shown, rows, at), 0);
  const verb = rows.ats.length > 1 ? " together read " : " reads ";
  const all = columns.ats.length * rows.ats.length > 1 ? " in all" : "";
  const sized = said({ value: sum, error });
  return [...namesOf(shown, rows), verb, ...namesOf(shown, columns), `: ${sized}${all}`];
}

/** Give the same tokens as those that are read, or that read; null, if they are no such. */
function turnedTo(shown: Shown, { role, ats }: Focus): Focus | null {
  const other = otherOf(role);
  const [names, others] = [shown[role].names, shown[other].names];
  const isSame = ats.every((at) => names[at] === others[at]) && names.length === others.length;
  return isSame ? { role: other, ats } : null;
}

/** Write where a token lies. */
function written(place: Where, numPictures: number): string {
  if (place.length === 2) return `${place.map((second) => second.toFixed(2)).join("–")} s`;
  const [picture, left, top, right, bottom] = place.map(Math.round);
  const which = numPictures > 1 ? `picture ${(picture ?? 0) + 1}, ` : "";
  return `${which}pixels ${left}–${right} × ${top}–${bottom}`;
}
