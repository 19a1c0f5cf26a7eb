/** What the matrix draws: cells, what is masked, names, and marks above them. */

import type { Brush } from "./brush";
import { hatch, picture, ratio } from "./brush";
import type { Theme } from "./colours";
import type { Role } from "./contract";
import { clamp } from "./dom";
import type { Frame } from "./frame";
import { item } from "./items";
import { LONGEST_LABEL, legible } from "./names";
import type { Cell } from "./news";
import { isAlike } from "./places";
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

/** Write the names beside the cells, and which axis is which. */
export function drawNames(
  brush: Brush,
  frame: Frame,
  theme: Theme,
  { rows, columns }: Shown,
  [top, bottom, left, right]: Place,
): void {
  const every = Math.max(1, Math.ceil(12 / frame.cell));
  const { width, height } = frame.stage;
  brush.fillStyle = theme.ink;
  brush.textAlign = "right";
  for (let row = Math.ceil(top / every) * every; row < bottom; row += every) {
    const y = frame.y(row + 0.5);
    if (y <= frame.top || y >= height - 3) continue;
    const name = legible(item(rows.names, row), LONGEST_LABEL);
    brush.fillText(name, frame.left - 5, y, frame.left - 24);
  }
  brush.textAlign = "left";
  for (let column = Math.ceil(left / every) * every; column < right; column += every) {
    const x = frame.x(column + 0.5);
    if (x < frame.left || x > width - 3) continue;
    const name = legible(item(columns.names, column), LONGEST_LABEL);
    upwards(brush, x, frame.top - 5, () => brush.fillText(name, 0, 0, frame.top - 26));
  }
  brush.fillStyle = theme.quiet;
  brush.fillText("is read →", frame.left, 9);
  brush.textAlign = "right";
  upwards(brush, 9, frame.top, () => brush.fillText("← reads", 0, 0));
}

/** Draw turned by a quarter, so that text runs upwards from a place. */
function upwards(brush: Brush, x: number, y: number, draw: () => void): void {
  brush.save();
  brush.translate(x, y);
  brush.rotate(-Math.PI / 2);
  draw();
  brush.restore();
}

/** Write the name of a row or a column above the others, whether or not it has room there. */
function standOut(
  brush: Brush,
  frame: Frame,
  theme: Theme,
  role: Role,
  at: number,
  name: string,
): void {
  const [x, y] = [frame.x(at + 0.5), frame.y(at + 0.5)];
  const { width, height } = frame.stage;
  const isSeen = role === "rows" ? y > frame.top && y < height : x > frame.left && x < width;
  if (!isSeen) return;
  const write = (right: number, room: number) => {
    const text = legible(name, LONGEST_LABEL);
    const wide = Math.min(brush.measureText(text).width, room);
    brush.fillStyle = theme.ground;
    brush.fillRect(right - wide - 4, -8, wide + 6, 16);
    brush.fillStyle = theme.accent;
    brush.textAlign = "right";
    brush.fillText(text, right, 0, room);
  };
  brush.save();
  brush.font = brush.font.replace(/^/, "bold ");
  brush.translate(role === "rows" ? 0 : x, role === "rows" ? y : 0);
  if (role === "rows") write(frame.left - 5, frame.left - 24);
  else {
    brush.translate(0, frame.top - 5);
    brush.rotate(-Math.PI / 2);
    const room = frame.top - 26;
    const wide = Math.min(brush.measureText(legible(name, LONGEST_LABEL)).width, room);
    write(wide, room);
  }
  brush.restore();
}

/** Mark what is pointed at and what is locked. */
export function drawOver(brush: Brush, frame: Frame, state: State, shown: Shown): void {
  const { rows, columns } = shown;
  const counts = { rows: rows.names.length, columns: columns.names.length };
  const focus = isAlike(shown, state.shown) ? state.focus() : null;
  const isHere = (cell: Cell | null) => cell && isAlike(shown, state.shownOf(cell));
  const cells = [state.inQuestion, state.cell].filter(isHere);
  const pointed = (role: Role) => (focus?.role === role ? focus.ats : []);
  for (const at of [...pointed("rows"), ...cells.map((cell) => cell?.row ?? 0)]) {
    standOut(brush, frame, state.theme, "rows", at, item(rows.names, at));
  }
  for (const at of [...pointed("columns"), ...cells.map((cell) => cell?.column ?? 0)]) {
    standOut(brush, frame, state.theme, "columns", at, item(columns.names, at));
  }
  brush.save();
  brush.beginPath();
  brush.rect(frame.left - 2, frame.top - 2, frame.stage.width, frame.stage.height);
  brush.clip();
  brush.strokeStyle = state.theme.accent;
  brush.lineWidth = frame.cell < 6 ? 1 : 2;
  const band = (role: Role, at: number) => {
    const size = Math.max(frame.cell, 2);
    const [wide, high] = [counts.columns * frame.cell, counts.rows * frame.cell];
    if (role === "rows") brush.strokeRect(frame.x(0), frame.y(at), wide, size);
    else brush.strokeRect(frame.x(at), frame.y(0), size, high);
  };
  for (const at of focus?.ats ?? []) band(focus?.role ?? "rows", at);
  for (const cell of cells) {
    if (!cell) continue;
    brush.globalAlpha = 0.45;
    brush.lineWidth = 1;
    band("rows", cell.row);
    band("columns", cell.column);
    brush.globalAlpha = 1;
    brush.lineWidth = 2.5;
    const side = Math.max(frame.cell, 3);
    brush.strokeRect(frame.x(cell.column), frame.y(cell.row), side, side);
  }
  brush.restore();
}
