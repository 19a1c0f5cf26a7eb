/** Which head a key chooses. */

import { clamp, hasModifier, stepOf } from "./dom";

/** Row and column. */
export type Spot = [number, number];

/** Give the place that a key goes to, a page being so many rows; null for another key. */
export function next(
  event: KeyboardEvent,
  from: Spot | null,
  rows: unknown[][],
  page: number,
): Spot | null {
  const [y, x] = from ?? [0, 0];
  const to = from ? wanted(event, y, x, page) : wanted(event, y, x, page) && [0, 0];
  if (!to) return null;
  const row = clamp(to[0] ?? 0, 0, rows.length - 1);
  return [row, clamp(to[1] ?? 0, 0, (rows[row]?.length ?? 1) - 1)];
}

function wanted(event: KeyboardEvent, y: number, x: number, page: number): Spot | null {
  const step = stepOf(event);
  if (step) return [y + step[0], x + step[1]];
  if (event.key === "Home" && event.ctrlKey) return [0, 0];
  if (event.key === "End" && event.ctrlKey) return [Infinity, Infinity];
  if (hasModifier(event)) return null;
  const places: Record<string, Spot> = {
    Home: [y, 0],
    End: [y, Infinity],
    PageUp: [y - page, x],
    PageDown: [y + page, x],
  };
  return places[event.key] ?? null;
}
