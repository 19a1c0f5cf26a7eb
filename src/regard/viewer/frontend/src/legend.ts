/** Which colour, or which line, is which weight. */

import type { Brush } from "./brush";
import { colour } from "./colours";
import { rounded } from "./names";
import type { State } from "./state";

const [LEFT, WIDE] = [20, 160];
export const LEGEND: [number, number] = [200, 32]; // CSS pixels

/** Draw the colours of the matrix, with the weights that they stand for. */
export function drawColours(brush: Brush, state: State, top = state.top): void {
  const { theme, table } = state;
  for (let x = 0; x < WIDE; x++) {
    brush.fillStyle = colour(table, Math.round((x / (WIDE - 1)) * 255));
    brush.fillRect(LEFT + x, 2, 1.2, 12);
  }
  brush.strokeStyle = theme.quiet;
  brush.lineWidth = 1;
  brush.strokeRect(LEFT - 0.5, 1.5, WIDE + 1, 13);
  drawTicks(brush, state, top);
}

/** Draw a line for each of some weights. */
export function drawStrokes(brush: Brush, state: State): void {
  const ticks = drawTicks(brush, state);
  brush.save();
  ticks.forEach((_, at) => {
    const middle = LEFT + (WIDE * at) / (ticks.length - 1);
    wear(brush, state, Math.round((255 * at) / (ticks.length - 1)));
    brush.beginPath();
    brush.moveTo(middle - 16, 8);
    brush.lineTo(middle + 16, 8);
    brush.stroke();
  });
  brush.restore();
}

/** Take the colour and the width of a weight's line; on dark ground a thin one is seen less. */
export function wear(brush: Brush, { theme }: State, shade: number): void {
  const [faintest, thinnest] = theme.name === "dark" ? [0.16, 0.9] : [0.06, 0.6];
  brush.strokeStyle = theme.link;
  brush.globalAlpha = faintest + ((1 - faintest) * shade) / 255;
  brush.lineWidth = thinnest + ((3.4 - thinnest) * shade) / 255;
}

function drawTicks(brush: Brush, state: State, top = state.top): string[] {
  const { theme, look, isSigned } = state;
  brush.fillStyle = theme.ink;
  brush.textAlign = "center";
  const written = (share: number) => rounded(top * share, 2).replace(/^(-?)0\./, "$1.");
  const ticks = isSigned ? signedTicks(written) : ticksOf(written, look.log);
  ticks.forEach((tick, at) => {
    brush.fillText(tick, LEFT + (WIDE * at) / (ticks.length - 1), 24);
  });
  return ticks;
}

const ticksOf = (written: (share: number) => string, log: boolean): string[] =>
  log ? [`≤${written(0.001)}`, ...[0.01, 0.1, 1].map(written)] : ["0", ...[0.5, 1].map(written)];

const signedTicks = (written: (share: number) => string): string[] => [
  `−${written(1)}`,
  "0",
  `+${written(1)}`,
];
