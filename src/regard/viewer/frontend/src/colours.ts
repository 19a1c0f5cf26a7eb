/** Colours of weights and of what stands around them, on light and on dark ground. */

import { clamp } from "./dom";
import { item } from "./items";

const DECADES = 3; // of the logarithmic scale
// As regard.pictures.style.ATTENTION: each step as much darker as the last. On dark ground, the
// other way.
const STOPS = ["#ffffff", "#c6e6de", "#76c3c0", "#3f98ae", "#366e9c", "#3d4579", "#2b1e3e"];

// Of differences: below zero as what is wrong, above as weights, both as far from white.
const BELOW = ["#7a3b00", "#b0620f", "#dd9a4f", "#f3d3ab"];
const ABOVE = ["#c6e6de", "#76c3c0", "#3f98ae", "#2b4f7d"];

export interface Theme {
  name: "light" | "dark";
  ground: string;
  ink: string;
  quiet: string;
  faint: string;
  accent: string;
  link: string;
  /** Of menus and buttons, and their edges. */
  field: string;
  edge: string;
  focus: string;
  /** Of what went wrong: its ground, its ink and its edge. */
  alertGround: string;
  alertInk: string;
  alertEdge: string;
  /** 256 colours of weights, four bytes each. */
  table: Uint8ClampedArray;
  /** Of differences: 128 is none, 0 and 255 are as large as any. */
  signedTable: Uint8ClampedArray;
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
    ground: "#ffffff",
    ink: "#222222",
    quiet: "#595959",
    faint: "#d4d4d4",
    accent: "#b34700",
    link: "#1f5f8b",
    field: "#f6f6f6",
    edge: "#767676",
    focus: "#2470d8",
    alertGround: "#fdecea",
    alertInk: "#7d1712",
    alertEdge: "#b3261e",
    table: colourTable(STOPS),
    signedTable: colourTable([...BELOW, "#ffffff", ...ABOVE]),
  },
  dark: {
    name: "dark",
    ground: "#1e1e1e",
    ink: "#ececec",
    quiet: "#b4b4b4",
    faint: "#4d4d4d",
    accent: "#ffb454",
    link: "#8fd0e8",
    field: "#333333",
    edge: "#8c8c8c",
    focus: "#5b9dff",
    alertGround: "#3b1613",
    alertInk: "#ffc4bc",
    alertEdge: "#f2867b",
    table: colourTable([...STOPS].reverse()),
    signedTable: colourTable([...[...BELOW].reverse(), "#1e1e1e", ...[...ABOVE].reverse()]),
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
  `rgb(${rgbOf(table, shade).join(", ")})`; // as SVG has it, too

/** Say whether white is read better than black on a colour. */
export const isDark = (table: Uint8ClampedArray, shade: number): boolean =>
  luminance(rgbOf(table, shade)) < MIDDLE;

/** The luminance that black and white stand off from alike. */
export const MIDDLE = Math.sqrt(1.05 * 0.05) - 0.05;

/** How light a colour is, from 0 to 1, as WCAG 2 has it. */
export function luminance(rgb: Iterable<number>): number {
  const linear = (part: number) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const [r = 0, g = 0, b = 0] = Array.from(rgb, (channel) => linear(channel / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Read a colour of any notation: three channels to 255 and the opacity; null if it is none. */
export function rgbaOf(written: string): number[] | null {
  const plain = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(written);
  if (plain) return [plain[1], plain[2], plain[3], plain[4] ?? 1].map(Number);
  if (!CSS.supports("color", written) || /var\(|currentcolor/i.test(written)) return null;
  const brush = new OffscreenCanvas(1, 1).getContext("2d");
  if (!brush) return null;
  brush.fillStyle = "#0000";
  brush.fillStyle = written; // keeps what it is, if a canvas does not know the notation
  brush.fillRect(0, 0, 1, 1);
  const [r = 0, g = 0, b = 0, opacity = 0] = brush.getImageData(0, 0, 1, 1).data;
  return [r, g, b, opacity / 255];
}
