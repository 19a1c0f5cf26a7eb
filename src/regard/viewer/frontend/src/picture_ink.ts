/** What the picture draws: itself, the weights of its patches over it, and marks. */

import type { Album, Spread } from "./album";
import type { Patch } from "./boxes";
import { levelsOf } from "./boxes";
import type { Brush } from "./brush";
import { ratio } from "./brush";
import { colour } from "./colours";
import type { GivenPicture, Role } from "./contract";
import { item } from "./items";
import type { Lit } from "./lit";
import { litBy } from "./lit";
import type { Shown } from "./shown";
import type { State } from "./state";

const OVER = 0.66; // how much a weight covers of what lies beneath, whatever its size
const VEIL = 0.85; // and the ground, of what no token is of
const LARGE = 3; // CSS pixels of a pixel from which on its edges are seen

type Place = [number, number, number, number]; // left, top, wide, high
type Edge = [number, number, number, number]; // from a point to another
type Rect = Pick<Patch, "left" | "top" | "right" | "bottom">;

export function drawPictures(
  brush: Brush,
  album: Album,
  state: State,
  shown: Shown,
  scrolled: number,
): void {
  const lit = litBy(state, shown)?.patches;
  brush.save();
  brush.translate(0, -scrolled);
  album.pictures.forEach((picture, at) => {
    const spread = item(album.spreads, at);
    const [wide, high] = [picture.width * spread.scale, picture.height * spread.scale];
    const print = album.prints[at];
    brush.imageSmoothingEnabled = spread.scale < LARGE;
    const canvas = lit ? print?.grey : print?.coloured;
    if (canvas) brush.drawImage(canvas, spread.left, spread.top, wide, high);
    if (lit) {
      const own = lit.filter((patch) => patch.picture === at);
      brush.globalAlpha = VEIL;
      brush.fillStyle = state.theme.ground;
      for (const part of unseen(own, picture)) brush.fillRect(...placed(spread, part));
      brush.globalAlpha = OVER;
      for (const patch of own) drawWeight(brush, state, spread, patch);
      brush.globalAlpha = 1;
    }
    if (album.pictures.length > 1) number(brush, state, spread, at + 1);
    brush.strokeStyle = state.theme.quiet;
    brush.lineWidth = 1;
    brush.strokeRect(spread.left + 0.5, spread.top + 0.5, wide - 1, high - 1);
  });
  for (const [role, ats] of marked(state)) {
    const all = levelsOf(shown[role])
      .flat()
      .filter(({ at }) => ats.includes(at));
    const edges = edgesOf(all.map((patch) => placed(item(album.spreads, patch.picture), patch)));
    outline(brush, state, edges);
  }
  brush.restore();
}

/** Write in its corner which of several a picture is. */
function number(brush: Brush, { theme }: State, { left, top }: Spread, which: number): void {
  brush.fillStyle = theme.ground;
  brush.fillRect(left + 1, top + 1, 8 + 7 * String(which).length, 16);
  brush.fillStyle = theme.ink;
  brush.textAlign = "left";
  brush.fillText(String(which), left + 5, top + 9);
}

function drawWeight(brush: Brush, state: State, spread: Spread, patch: Lit): void {
  brush.fillStyle = colour(state.table, patch.shade);
  brush.fillRect(...placed(spread, patch));
}

/** Give what of a picture lies around all its patches: it was cut off before the model saw it. */
function unseen(patches: Lit[], { width, height }: GivenPicture): Rect[] {
  const all = { left: 0, top: 0, right: width, bottom: height };
  if (!patches.length) return [all];
  const least = (of: (patch: Lit) => number) => Math.max(0, Math.min(...patches.map(of)));
  const [left, top] = [least((one) => one.left), least((one) => one.top)];
  const right = Math.min(width, Math.max(...patches.map((one) => one.right)));
  const bottom = Math.min(height, Math.max(...patches.map((one) => one.bottom)));
  return [
    { ...all, bottom: top },
    { ...all, top: bottom },
    { left: 0, top, right: left, bottom },
    { left: right, top, right: width, bottom },
  ].filter((one) => one.right > one.left && one.bottom > one.top);
}

/** Give what is outlined: the tokens in focus, and the cell that is pointed at. */
function marked(state: State): [Role, number[]][] {
  const { cell } = state;
  const focus = state.focus();
  const marks: [Role, number[]][] = focus ? [[focus.role, focus.ats]] : [];
  const { token } = state;
  if (token && token !== focus) marks.push([token.role, token.ats]);
  if (cell) marks.push(["columns", [cell.column]], ["rows", [cell.row]]);
  return marks;
}

/** Give the edges around patches, without those between two of them. */
function edgesOf(places: Place[]): Edge[] {
  const edges = new Map<string, Edge | null>();
  for (const [left, top, wide, high] of places) {
    const [right, bottom] = [left + wide, top + high];
    const around: Edge[] = [
      [left, top, right, top],
      [left, bottom, right, bottom],
      [left, top, left, bottom],
      [right, top, right, bottom],
    ];
    for (const edge of around) edges.set(edge.join(), edges.has(edge.join()) ? null : edge);
  }
  return [...edges.values()].filter((edge) => edge !== null);
}

/** Draw a frame that is seen on light and on dark parts. */
function outline(brush: Brush, { theme }: State, edges: Edge[]): void {
  for (const [wide, ink] of [
    [5, theme.ground],
    [2.5, theme.accent],
  ] as const) {
    brush.strokeStyle = ink;
    brush.lineWidth = wide;
    brush.beginPath();
    for (const [x, y, endX, endY] of edges) {
      const reach = [Math.sign(endX - x) * (wide / 2), Math.sign(endY - y) * (wide / 2)] as const;
      brush.moveTo(x - reach[0], y - reach[1]); // so that corners are closed
      brush.lineTo(endX + reach[0], endY + reach[1]);
    }
    brush.stroke();
  }
}

/** Give where a part of a picture is drawn: from one pixel of the screen to another, no seams. */
function placed({ left, top, scale }: Spread, part: Rect): Place {
  const sharp = (at: number) => Math.round(at * ratio()) / ratio();
  const [x, y] = [sharp(left + part.left * scale), sharp(top + part.top * scale)];
  const [endX, endY] = [sharp(left + part.right * scale), sharp(top + part.bottom * scale)];
  return [x, y, endX - x, endY - y];
}
