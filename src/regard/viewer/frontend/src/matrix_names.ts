/** The names beside the matrix: as many as have room, and those of what is pointed at. */

import type { Brush } from "./brush";
import type { Theme } from "./colours";
import type { Role } from "./contract";
import type { Frame } from "./frame";
import { item } from "./items";
import { LONGEST_LABEL, legible } from "./names";
import type { Place } from "./pooling";
import type { Shown } from "./shown";

const LINE = 11; // CSS pixels from a name to the next, at least
const HALF = 6; // of what a name covers
const AXIS = 18; // CSS pixels that the name of the axis takes

/** Of how many rows one is named. */
const every = (frame: Frame): number => Math.max(1, Math.ceil(LINE / frame.cell));

/** Write the names beside the cells, and which axis is which. */
export function drawNames(
  brush: Brush,
  frame: Frame,
  theme: Theme,
  { rows, columns }: Shown,
  [top, bottom, left, right]: Place,
): void {
  const step = every(frame);
  brush.fillStyle = theme.ink;
  for (let row = Math.ceil(top / step) * step; row < bottom; row += step) {
    write(brush, frame, "rows", row, item(rows.names, row));
  }
  for (let column = Math.ceil(left / step) * step; column < right; column += step) {
    write(brush, frame, "columns", column, item(columns.names, column));
  }
  brush.fillStyle = theme.quiet;
  brush.textAlign = "left";
  brush.fillText("is read →", frame.left, 9);
  brush.textAlign = "right";
  upwards(brush, 9, frame.top, () => brush.fillText("← reads", 0, 0));
}

/** Give the middle of a row or a column; null, where its name would not be seen. */
function middleOf(frame: Frame, role: Role, at: number): number | null {
  const { width, height } = frame.stage;
  const y = frame.y(at + 0.5);
  if (role === "rows") return y > frame.top && y < height - 3 ? y : null;
  const x = frame.x(at + 0.5);
  return x >= frame.left && x <= width - 3 ? x : null;
}

function write(brush: Brush, frame: Frame, role: Role, at: number, name: string): void {
  const middle = middleOf(frame, role, at);
  if (middle === null) return;
  const text = legible(name, LONGEST_LABEL);
  brush.textAlign = role === "rows" ? "right" : "left";
  if (role === "rows") brush.fillText(text, frame.left - 5, middle, frame.left - 24);
  else upwards(brush, middle, frame.top - 5, () => brush.fillText(text, 0, 0, frame.top - 26));
}

/** Draw turned by a quarter, so that text runs upwards from a place. */
function upwards(brush: Brush, x: number, y: number, draw: () => void): void {
  brush.save();
  brush.translate(x, y);
  brush.rotate(-Math.PI / 2);
  draw();
  brush.restore();
}

/** Write some names above the others, the first before all; whole names make room for them. */
export function standOut(
  brush: Brush,
  frame: Frame,
  theme: Theme,
  role: Role,
  names: string[],
  ats: number[],
): void {
  const placed = new Map<number, number>();
  for (const at of ats) {
    const middle = middleOf(frame, role, at);
    const isFree = [...placed.values()].every((other) => Math.abs(other - (middle ?? 0)) >= LINE);
    if (middle !== null && isFree) placed.set(at, middle);
  }
  brush.fillStyle = theme.ground;
  for (const [at, middle] of placed) {
    for (const near of neighbours(frame, role, at, names.length)) wipe(brush, frame, role, near);
    wipe(brush, frame, role, middle);
  }
  brush.save();
  brush.font = brush.font.replace(/^/, "bold ");
  brush.fillStyle = theme.accent;
  for (const at of placed.keys()) write(brush, frame, role, at, item(names, at));
  brush.restore();
}

/** Give the middles of the names that another one would lie over. */
function neighbours(frame: Frame, role: Role, at: number, count: number): number[] {
  const step = every(frame);
  const first = Math.floor(at / step) * step;
  const named = [first, first + step].filter((near) => near < count);
  const isNear = (near: number) => Math.abs(near - at) * frame.cell < LINE;
  return named.filter(isNear).flatMap((near) => middleOf(frame, role, near) ?? []);
}

function wipe(brush: Brush, frame: Frame, role: Role, middle: number): void {
  const [from, high] = [middle - HALF, 2 * HALF];
  if (role === "rows") brush.fillRect(AXIS, from, frame.left - AXIS - 3, high);
  else brush.fillRect(from, AXIS, high, frame.top - AXIS - 3);
}
