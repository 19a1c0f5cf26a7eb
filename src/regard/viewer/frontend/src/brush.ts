/** Drawing on a canvas: in CSS pixels, sharp on any screen. */

import type { Theme } from "./colours";
import { make } from "./dom";
import { LONGEST_LABEL, legible } from "./names";
import { FONT } from "./styles";

export type Brush = CanvasRenderingContext2D;

export const ratio = (): number => window.devicePixelRatio || 1;

function contextOf(canvas: HTMLCanvasElement): Brush {
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

/** Size a canvas, wipe it, and give a brush for it. */
export function paintOn(canvas: HTMLCanvasElement, width: number, height: number): Brush {
  const pixels = (size: number) => Math.max(1, Math.round(size * ratio()));
  const [wide, high] = [pixels(width), pixels(height)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const brush = contextOf(canvas);
  brush.setTransform(ratio(), 0, 0, ratio(), 0, 0);
  brush.clearRect(0, 0, width, height);
  brush.font = `12px ${FONT}`;
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

/** Slanted lines, for what is masked or not there yet. */
export function hatching(brush: Brush, theme: Theme): CanvasPattern | string {
  const [tile, line] = offscreen(6 * ratio(), 6 * ratio());
  line.scale(ratio(), ratio());
  line.strokeStyle = theme.quiet;
  line.globalAlpha = 0.55;
  line.lineWidth = 0.8;
  line.beginPath();
  for (const at of [-6, 0, 6]) {
    line.moveTo(at - 1, 7);
    line.lineTo(at + 7, -1);
  }
  line.stroke();
  const pattern = brush.createPattern(tile, "repeat");
  pattern?.setTransform(new DOMMatrix().scale(1 / ratio()));
  return pattern ?? theme.faint;
}

const widths = new WeakMap<string[], number>();

/** Measure the longest of some labels as they are written. */
export function labelWidth(names: string[]): number {
  let width = widths.get(names);
  if (width === undefined) {
    const brush = contextOf(make("canvas"));
    brush.font = `12px ${FONT}`;
    const each = names.map((name) => brush.measureText(legible(name, LONGEST_LABEL)).width);
    width = each.reduce((most, one) => Math.max(most, one), 0);
    widths.set(names, width);
  }
  return width;
}
