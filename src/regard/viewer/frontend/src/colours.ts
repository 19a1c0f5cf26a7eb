/** Colours of weights and of what stands around them, on light and on dark ground. */

import { clamp } from "./dom";
import { item } from "./items";

const DECADES = 3; // of the logarithmic scale
// As regard.pictures.style.ATTENTION: each step as much darker as the last. On dark ground, the
// other way.
const STOPS = ["#ffffff", "#c6e6de", "#76c3c0", "#3f98ae", "#366e9c", "#3d4579", "#2b1e3e"];

export interface Theme {
  name: "light" | "dark";
  ink: string;
  quiet: string;
  faint: string;
  accent: string;
  link: string;
  /** 256 colours of weights, four bytes each. */
  table: Uint8ClampedArray;
}

/** Mix the stops to 256 colours, each four bytes. */
function colourTable(stops: string[]): Uint8ClampedArray {
  const rgb = stops.map((stop) => [1, 3, 5].map((at) => parseInt(stop.slice(at, at + 2), 16)));
  const table = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const place = (i / 255) * (rgb.length - 1);
    const low = Math.min(Math.floor(place), rgb.length - 2);
    const [from, to] = [item(rgb, low), item(rgb, low + 1)];
    const mixed = from.map((channel, c) => channel + (place - low) * (item(to, c) - channel));
    table.set([...mixed, 255], 4 * i);
  }
  return table;
}

export const THEMES: Record<"light" | "dark", Theme> = {
  light: {
    name: "light",
    ink: "#222222",
    quiet: "#595959",
    faint: "#d4d4d4",
    accent: "#b34700",
    link: "#1f5f8b",
    table: colourTable(STOPS),
  },
  dark: {
    name: "dark",
    ink: "#ececec",
    quiet: "#b4b4b4",
    faint: "#4d4d4d",
    accent: "#ffb454",
    link: "#8fd0e8",
    table: colourTable([...STOPS].reverse()),
  },
};

/** Give the colour's place in the table: from 0 to 255. */
export function shadeOf(value: number, log: boolean): number {
  const part = log ? 1 + Math.log10(Math.max(value, 1e-9)) / DECADES : value;
  return Math.round(255 * clamp(part, 0, 1));
}

const rgbOf = (table: Uint8ClampedArray, shade: number): Uint8ClampedArray =>
  table.subarray(4 * shade, 4 * shade + 3);

export const colour = (table: Uint8ClampedArray, shade: number): string =>
  `rgb(${rgbOf(table, shade).join(" ")})`;

export function isDark(table: Uint8ClampedArray, shade: number): boolean {
  return lightness(rgbOf(table, shade)) < 140;
}

/** How light a colour is to the eye, from 0 to 255. */
export const lightness = ([r = 0, g = 0, b = 0]: Iterable<number>): number =>
  0.299 * r + 0.587 * g + 0.114 * b;
