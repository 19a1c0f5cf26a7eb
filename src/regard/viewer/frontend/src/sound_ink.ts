/** What the sound draws: how loud it is, an axis of seconds, and the weights of its parts. */

import type { Stretch } from "./boxes";
import { stretchesOf } from "./boxes";
import type { Brush } from "./brush";
import { colour } from "./colours";
import type { GivenSound, Role } from "./contract";
import { otherOf, sums } from "./estimates";
import { item } from "./items";
import { rounded } from "./names";
import type { Shown } from "./shown";
import type { State } from "./state";

// CSS pixels: first how loud, then the weights, then the axis
const [LOUD, GAP, HIGH, AXIS] = [64, 4, 56, 22];
export const TALL = LOUD + GAP + HIGH + AXIS;
const EDGE = 8; // left and right
const APART = 64; // of the axis' numbers, at least
const TOP = LOUD + GAP;
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600];

export const timeAt = (x: number, width: number, seconds: number): number =>
  ((x - EDGE) / (width - 2 * EDGE)) * seconds;

export function drawSound(
  brush: Brush,
  sound: GivenSound,
  state: State,
  shown: Shown,
  width: number,
): void {
  const { theme } = state;
  const x = (second: number) => EDGE + (second / sound.seconds) * (width - 2 * EDGE);
  drawLoudness(brush, sound, theme.quiet, width);
  drawWeights(brush, state, shown, x);
  brush.strokeStyle = theme.quiet;
  brush.lineWidth = 1;
  brush.strokeRect(EDGE - 0.5, TOP - 0.5, width - 2 * EDGE + 1, HIGH + 1);
  for (const { start, end } of marked(state, shown)) {
    const wide = Math.max(2, x(end) - x(start));
    brush.strokeStyle = theme.ground;
    brush.lineWidth = 4;
    brush.strokeRect(x(start), 2, wide, TOP + HIGH - 3);
    brush.strokeStyle = theme.accent;
    brush.lineWidth = 2;
    brush.strokeRect(x(start), 2, wide, TOP + HIGH - 3);
  }
  drawAxis(brush, sound.seconds, theme.ink, x, width);
}

/** Draw a bar for each part, as high as its peak is beside the loudest. */
function drawLoudness(brush: Brush, { envelope }: GivenSound, ink: string, width: number): void {
  const most = envelope.reduce((one, other) => Math.max(one, other), 0) || 1;
  const step = (width - 2 * EDGE) / envelope.length;
  brush.fillStyle = ink;
  envelope.forEach((peak, at) => {
    const high = Math.max(1, (peak / most) * LOUD);
    brush.fillRect(EDGE + at * step, (LOUD - high) / 2, Math.max(0.6, step * 0.8), high);
  });
}

/** Draw a bar for what the tokens in focus read of each part, the largest above the others. */
function drawWeights(
  brush: Brush,
  state: State,
  shown: Shown,
  x: (second: number) => number,
): void {
  const focus = state.focus();
  if (!focus) return;
  const weights = sums(shown, focus);
  const lit = stretchesOf(shown[otherOf(focus.role)]).map((stretch) => ({
    ...stretch,
    shade: state.shade(item(weights, stretch.at) / focus.ats.length),
  }));
  const size = ({ shade }: { shade: number }) => (state.isSigned ? Math.abs(shade - 127.5) : shade);
  lit.sort((one, other) => size(one) - size(other));
  for (const { start, end, shade } of lit) {
    brush.fillStyle = colour(state.table, shade);
    const high = Math.max(1, (HIGH * size({ shade })) / (state.isSigned ? 127.5 : 255));
    brush.fillRect(x(start), TOP + HIGH - high, Math.max(1, x(end) - x(start)), high);
  }
}

/** Give the parts in focus, and those that are pointed at. */
function marked(state: State, shown: Shown): Stretch[] {
  const { cell, token } = state;
  const marks: [Role, number[]][] = [];
  const focus = state.focus();
  if (focus) marks.push([focus.role, focus.ats]);
  if (token && token !== focus) marks.push([token.role, token.ats]);
  if (cell) marks.push(["columns", [cell.column]]);
  return marks.flatMap(([role, ats]) =>
    stretchesOf(shown[role]).filter(({ at }) => ats.includes(at)),
  );
}

function drawAxis(
  brush: Brush,
  seconds: number,
  ink: string,
  x: (second: number) => number,
  width: number,
): void {
  const most = Math.max(1, Math.floor(width / APART));
  const step = STEPS.find((one) => seconds / one <= most) ?? seconds;
  brush.fillStyle = ink;
  brush.textAlign = "center";
  for (let at = 0; at * step <= seconds + 1e-9; at++) {
    const [second, middle] = [at * step, x(at * step)];
    brush.fillRect(middle - 0.5, TOP + HIGH, 1, 5);
    brush.textAlign = at === 0 ? "left" : "center";
    const isLast = middle > width - EDGE - 12;
    if (isLast) brush.textAlign = "right";
    const place = at === 0 ? EDGE : isLast ? width - 2 : middle;
    brush.fillText(`${rounded(second, 4)} s`, place, TOP + HIGH + 14);
  }
}
