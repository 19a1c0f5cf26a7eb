/** Drawing on a canvas: in CSS pixels, sharp on any screen. */

import type { Theme } from "./colours";
import { make } from "./dom";
import { LONGEST_LABEL, legible } from "./names";
import { FONT } from "./styles";

/** What pictures that can be taken away are drawn with: a canvas has such a brush, an SVG, too. */
export interface Brush
  extends Pick<
    CanvasRenderingContext2D,
    | ("fillStyle" | "strokeStyle" | "lineWidth" | "globalAlpha" | "imageSmoothingEnabled")
    | ("font" | "textAlign" | "fillText" | "measureText" | "fillRect" | "strokeRect")
    | ("save" | "restore" | "translate" | "rotate")
    | ("beginPath" | "moveTo" | "lineTo" | "bezierCurveTo" | "rect")
  > {
  clip(): void;
  stroke(): void;
  drawImage(image: OffscreenCanvas, x: number, y: number, wide: number, high: number): void;
}

export type CanvasBrush = CanvasRenderingContext2D;

export const LETTER = 12; // CSS pixels

export const ratio = (): number => window.devicePixelRatio || 1;

export function contextOf(canvas: HTMLCanvasElement): CanvasBrush {
  const brush = canvas.getContext("2d");
  if (!brush) throw new Error("This browser gives no more canvases to draw on: close other pages.");
  return brush;
}

export function offscreen(
  wide: number,
  high: number,
): [OffscreenCanvas, OffscreenCanvasRenderingContext2D] {
  const canvas = new OffscreenCanvas(wide, high);
  const brush = canvas.getContext("2d");
  if (!brush) throw new Error("This browser gives no more canvases to draw on: close other pages.");
  return [canvas, brush];
}

/** Size a canvas, wipe it, and give a brush for it; of a CSS pixel, so many of its own. */
export function paintOn(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
  scale = ratio(),
): CanvasBrush {
  const pixels = (size: number) => Math.max(1, Math.round(size * scale));
  const [wide, high] = [pixels(width), pixels(height)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const brush = contextOf(canvas);
  brush.setTransform(scale, 0, 0, scale, 0, 0);
  brush.clearRect(0, 0, width, height);
  brush.font = `${LETTER}px ${FONT}`;
  brush.textBaseline = "middle";
  brush.direction = "ltr";
  return brush;
}

/** Paint shades, row by row, on a canvas of their own. */
export function picture(
  table: Uint8ClampedArray,
  shades: Uint8Array,
  wide: number,
): OffscreenCanvas {
  const high = shades.length / wide;
  const image = new ImageData(wide, high);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = new Uint32Array(table.buffer);
  for (let at = 0; at < shades.length; at++) pixels[at] = colours[shades[at] ?? 0] ?? 0;
  const [canvas, brush] = offscreen(wide, high);
  brush.putImageData(image, 0, 0);
  return canvas;
}

const SLANT = 6; // CSS pixels between slanted lines

/**
 * Lay slanted lines over a path, for what is masked or not there yet; the path lies in a rectangle.
 * A pattern would be pixels in an SVG.
 */
export function hatch(
  brush: Brush,
  { quiet }: Theme,
  [left, top, wide, high]: [number, number, number, number],
): void {
  brush.save();
  brush.clip();
  brush.strokeStyle = quiet;
  brush.globalAlpha = 0.55;
  brush.lineWidth = 0.8;
  brush.beginPath();
  const first = Math.ceil((left + top) / SLANT) * SLANT; // the same lines, whatever is hatched
  for (let sum = first; sum < left + wide + top + high; sum += SLANT) {
    brush.moveTo(left, sum - left);
    brush.lineTo(sum - top, top);
  }
  brush.stroke();
  brush.restore();
}

const widths = new WeakMap<string[], number>();

/** Measure the longest of some labels as they are written. */
export function labelWidth(names: string[]): number {
  let width = widths.get(names);
  if (width === undefined) {
    const brush = contextOf(make("canvas"));
    brush.font = `${LETTER}px ${FONT}`;
    const each = names.map((name) => brush.measureText(legible(name, LONGEST_LABEL)).width);
    width = each.reduce((most, one) => Math.max(most, one), 0);
    widths.set(names, width);
  }
  return width;
}
