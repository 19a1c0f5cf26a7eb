/** What the matrix draws: cells, what is masked, names, and marks above them. */

import type { Brush } from "./brush";
import { hatch, picture, ratio } from "./brush";
import type { Theme } from "./colours";
import type { Role } from "./contract";
import { clamp } from "./dom";
import type { Frame } from "./frame";
import { isSameHead } from "./look";
import { standOut } from "./matrix_names";
import type { Cell } from "./news";
import { isAlike, isSameCell, isWithin } from "./places";
import type { Place } from "./pooling";
import { pool } from "./pooling";
import type { Shown } from "./shown";
import { spanOf } from "./shown";
import type { State } from "./state";

export function drawCells(
  brush: Brush,
  frame: Frame,
  state: State,
  shown: Shown,
  part: Place,
): void {
  const [top, bottom, left, right] = part;
  const [high, wide] = [(bottom - top) * frame.cell, (right - left) * frame.cell];
  const pixelsOf = (count: number, size: number) =>
    Math.max(1, Math.min(count, Math.floor(size * ratio())));
  const [pixelsHigh, pixelsWide] = [pixelsOf(bottom - top, high), pixelsOf(right - left, wide)];
  const values = shown.pixels
    ? state.kernel.mapped(shown, part, pixelsHigh, pixelsWide)
    : pool(shown, part, pixelsHigh, pixelsWide);
  const shades = new Uint8Array(values.length);
  for (let at = 0; at < values.length; at++) shades[at] = state.shade(values[at] ?? 0);
  brush.save();
  brush.beginPath();
  brush.rect(frame.left, frame.top, frame.stage.width, frame.stage.height);
  brush.clip();
  brush.imageSmoothingEnabled = false;
  const image = picture(state.table, shades, pixelsWide);
  brush.drawImage(image, frame.x(left), frame.y(top), wide, high);
  if (!shown.isOpen) hatchMasked(brush, frame, state.theme, shown, part);
  if (frame.cell >= 9) rule(brush, frame, state.theme, part);
  brush.strokeStyle = state.theme.quiet;
  const [allWide, allHigh] = [shown.columns.names.length, shown.rows.names.length];
  brush.strokeRect(frame.x(0), frame.y(0), allWide * frame.cell, allHigh * frame.cell);
  brush.restore();
}

/** Lay slanted lines over what no row may read: beside the stairs of what it may. */
function hatchMasked(
  brush: Brush,
  frame: Frame,
  theme: Theme,
  shown: Shown,
  [top, bottom, left, right]: Place,
): void {
  const step = Math.max(1, Math.floor(1 / frame.cell));
  const stairs = (side: 0 | 1, edge: number) => {
    brush.moveTo(frame.x(edge), frame.y(top));
    let before = edge;
    for (let row = top; row < bottom; row += step) {
      const at = clamp(spanOf(shown, row)[side], left, right);
      if (at === before) continue;
      brush.lineTo(frame.x(before), frame.y(row));
      brush.lineTo(frame.x(at), frame.y(row));
      before = at;
    }
    brush.lineTo(frame.x(before), frame.y(bottom));
    brush.lineTo(frame.x(edge), frame.y(bottom));
  };
  brush.beginPath();
  stairs(0, left);
  stairs(1, right);
  const [wide, high] = [(right - left) * frame.cell, (bottom - top) * frame.cell];
  hatch(brush, theme, [frame.x(left), frame.y(top), wide, high]);
}

/** Draw thin lines between cells. */
function rule(brush: Brush, frame: Frame, theme: Theme, [top, bottom, left, right]: Place): void {
  brush.strokeStyle = theme.faint;
  brush.lineWidth = 0.5;
  brush.beginPath();
  for (let row = top; row <= bottom; row++) {
    brush.moveTo(frame.x(left), frame.y(row));
    brush.lineTo(frame.x(right), frame.y(row));
  }
  for (let column = left; column <= right; column++) {
    brush.moveTo(frame.x(column), frame.y(top));
    brush.lineTo(frame.x(column), frame.y(bottom));
  }
  brush.stroke();
}

/** Mark what is pointed at and what is locked. */
export function drawOver(brush: Brush, frame: Frame, state: State, shown: Shown): void {
  const { rows, columns } = shown;
  const counts = { rows: rows.names.length, columns: columns.names.length };
  const focus = isAlike(shown, state.shown) ? state.focus() : null;
  const isHere = (cell: Cell | null): cell is Cell =>
    cell !== null && isAlike(shown, state.shownOf(cell));
  const cells = [state.inQuestion, state.cell].filter(isHere);
  const left = explainedIn(state, shown); // which nobody points at any more
  const marked = [...cells, ...(left ? [left] : [])].reverse();
  for (const role of ["rows", "columns"] as const) {
    const ats = marked.map(({ row, column }) => (role === "rows" ? row : column));
    if (focus?.role === role) ats.push(...focus.ats);
    standOut(brush, frame, state.theme, role, shown[role].names, ats);
  }
  brush.save();
  brush.beginPath();
  brush.rect(frame.left - 2, frame.top - 2, frame.stage.width, frame.stage.height);
  brush.clip();
  brush.strokeStyle = state.theme.accent;
  brush.lineWidth = frame.cell < 6 ? 1 : 2;
  const band = (role: Role, at: number, many = 1) => {
    const size = Math.max(frame.cell * many, 2);
    const [wide, high] = [counts.columns * frame.cell, counts.rows * frame.cell];
    if (role === "rows") brush.strokeRect(frame.x(0), frame.y(at), wide, size);
    else brush.strokeRect(frame.x(at), frame.y(0), size, high);
  };
  for (const [at, many] of runsOf(focus?.ats ?? [])) band(focus?.role ?? "rows", at, many);
  if (left) box(brush, frame, left, 1);
  for (const cell of cells) {
    brush.globalAlpha = 0.45;
    brush.lineWidth = 1;
    band("rows", cell.row);
    band("columns", cell.column);
    brush.globalAlpha = 1;
    box(brush, frame, cell, 2.5);
  }
  brush.restore();
}

/** Put neighbours together: the first, and how many. */
function runsOf(ats: number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const at of [...ats].sort((one, other) => one - other)) {
    const last = runs.at(-1);
    if (last && at === last[0] + last[1]) last[1]++;
    else runs.push([at, 1]);
  }
  return runs;
}

function box(brush: Brush, frame: Frame, { row, column }: Cell, wide: number): void {
  brush.lineWidth = wide;
  const side = Math.max(frame.cell, 3);
  brush.strokeRect(frame.x(column), frame.y(row), side, side);
}

/** Give the cell of a matrix that is explained, although something else is pointed at. */
function explainedIn(state: State, shown: Shown): Cell | null {
  const { explained, anatomy, inQuestion } = state;
  if (!explained || !anatomy?.anatomy || isSameCell(explained, inQuestion)) return null;
  const owner = state.ownerOf(explained);
  const isHere = owner?.shown === shown && isSameHead(owner.head, explained.of);
  return isHere && isWithin(explained, shown) ? explained : null;
}
