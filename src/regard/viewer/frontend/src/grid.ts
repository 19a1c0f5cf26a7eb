/** All heads of a kind, one tile each. */

import type { Brush } from "./brush";
import { hatching, paintOn, picture, ratio } from "./brush";
import { shadeOf } from "./colours";
import type { Kind } from "./contract";
import { clamp, make, stepOf } from "./dom";
import { item } from "./items";
import { headSentence } from "./sentences";
import { asBytes } from "./shown";
import type { State } from "./state";
import { FONT } from "./styles";

const TILE = 32; // CSS pixels of a thumbnail, as many as it has at most
const GAP = 4;
const SIDE = TILE + GAP;
const [LEFT, TOP] = [24, 18]; // room for the numbers
const MOST_ACROSS = 12; // where heads are sorted by a measure

interface Head {
  layer: number;
  head: number;
  index: number; // among all of its kind
  at: number; // its first byte
  high: number;
  wide: number;
}

/** Find the bytes of each head among the thumbnails. */
function headsOf(kind: Kind, thumbnail: number, start: number): Head[] {
  const found: Head[] = [];
  let at = start;
  for (const { number, heads, shape } of kind.layers) {
    const [high, wide] = [Math.min(shape[0], thumbnail), Math.min(shape[1], thumbnail)];
    for (const head of heads) {
      found.push({ layer: number, head, index: found.length, at, high, wide });
      at += high * wide;
    }
  }
  return found;
}

export class Grid {
  readonly canvas: HTMLCanvasElement;
  readonly element: HTMLElement;
  readonly end: number; // the byte after its last
  private readonly heads: Head[];

  constructor(
    private readonly state: State,
    readonly kind: Kind,
    start: number,
  ) {
    this.heads = headsOf(kind, state.meta.thumbnail, start);
    this.end = this.heads.reduce((end, { high, wide }) => end + high * wide, start);
    this.canvas = make("canvas", {
      tabindex: "0",
      role: "application",
      "aria-label": `All heads of ${kind.title}: arrow keys choose a head`,
    });
    this.canvas.addEventListener("click", (event) => this.choose(this.headAt(event)));
    this.canvas.addEventListener("pointermove", (event) => this.hover(this.headAt(event)));
    this.canvas.addEventListener("pointerleave", () => state.leave());
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.element = make("div", {}, make("p", { class: "kind" }, kind.title), this.canvas);
  }

  private get measure(): string {
    return this.state.measure in this.kind.measures ? this.state.measure : "";
  }

  /** Give the heads in their places: a layer a row, or by a measure. */
  private get rows(): Head[][] {
    const { kind, heads, measure } = this;
    if (!measure) {
      return kind.layers.map(({ number }) => heads.filter(({ layer }) => layer === number));
    }
    const value = ({ index }: Head) => kind.measures[measure]?.[index] ?? -Infinity;
    const ranked = [...heads].sort((a, b) => value(b) - value(a));
    const count = Math.ceil(ranked.length / MOST_ACROSS);
    return Array.from({ length: count }, (_, row) =>
      ranked.slice(row * MOST_ACROSS, (row + 1) * MOST_ACROSS),
    );
  }

  draw(): void {
    const { rows } = this;
    const across = Math.max(...rows.map((row) => row.length));
    const brush = paintOn(this.canvas, LEFT + across * SIDE + 2, TOP + rows.length * SIDE + 2);
    this.drawNumbers(brush, rows, across);
    const bytes = asBytes(this.state.thumbnails);
    brush.imageSmoothingEnabled = ratio() < 1;
    const shades = Uint8Array.from({ length: 256 }, (_, byte) =>
      byte ? shadeOf(byte / 255, this.state.log) : 0,
    );
    rows.forEach((row, y) => {
      row.forEach((head, x) => {
        const pixels = bytes.subarray(head.at, head.at + head.high * head.wide);
        this.drawHead(
          brush,
          head,
          pixels,
          shades,
          LEFT + x * SIDE + GAP / 2,
          TOP + y * SIDE + GAP / 2,
        );
      });
    });
  }

  private drawNumbers(brush: Brush, rows: Head[][], across: number): void {
    brush.fillStyle = this.state.theme.quiet;
    brush.font = `11px ${FONT}`;
    if (this.measure) {
      brush.textAlign = "left";
      brush.fillText("highest first", LEFT + GAP / 2, 9);
      return;
    }
    brush.textAlign = "center";
    const longest = rows.find((row) => row.length === across) ?? [];
    longest.forEach(({ head }, at) => {
      brush.fillText(String(head), LEFT + at * SIDE + SIDE / 2, 9);
    });
    rows.forEach((row, at) => {
      brush.fillText(String(row[0]?.layer), 11, TOP + at * SIDE + SIDE / 2);
    });
  }

  private drawHead(
    brush: Brush,
    head: Head,
    pixels: Uint8Array,
    shades: Uint8Array,
    x: number,
    y: number,
  ): void {
    const { theme, meta } = this.state;
    const shaded = pixels.map((byte) => shades[byte] ?? 0);
    brush.drawImage(picture(theme, shaded, head.wide), x, y, TILE, TILE);
    if (!meta.looked && pixels.every((byte) => byte === 0)) {
      brush.fillStyle = hatching(brush, theme);
      brush.fillRect(x, y, TILE, TILE);
    }
    brush.strokeStyle = theme.faint;
    brush.lineWidth = 1;
    brush.strokeRect(x - 0.5, y - 0.5, TILE + 1, TILE + 1);
    if (!this.isChosen(head)) return;
    brush.strokeStyle = theme.accent;
    brush.lineWidth = 3;
    brush.strokeRect(x - 1, y - 1, TILE + 2, TILE + 2);
  }

  private isChosen({ layer, head }: Head): boolean {
    const { selection } = this.state;
    const isMine = selection.kind === this.kind.name;
    return isMine && selection.layer === layer && selection.head === head;
  }

  /** Find the row and the column of the chosen head, if it is of this kind. */
  private chosenPlace(): [number, number] | null {
    for (const [y, row] of this.rows.entries()) {
      const x = row.findIndex((head) => this.isChosen(head));
      if (x >= 0) return [y, x];
    }
    return null;
  }

  /** Scroll to the chosen head, in the frame that holds all grids. */
  reveal(frame: HTMLElement): void {
    const place = this.chosenPlace();
    if (!place) return;
    const [y, x] = place;
    const [canvas, seen] = [this.canvas.getBoundingClientRect(), frame.getBoundingClientRect()];
    const into = (from: number, room: number) =>
      Math.min(from, 0) + Math.max(from + SIDE + 6 - room, 0);
    frame.scrollTop += into(canvas.top + TOP + y * SIDE - 20 - seen.top, frame.clientHeight - 20);
    frame.scrollLeft += into(canvas.left + LEFT + x * SIDE - 4 - seen.left, frame.clientWidth);
  }

  private headAt(event: MouseEvent): Head | undefined {
    const [y, x] = [(event.offsetY - TOP) / SIDE, (event.offsetX - LEFT) / SIDE];
    return this.rows[Math.floor(y)]?.[Math.floor(x)];
  }

  private choose(head: Head | undefined): void {
    if (head) this.state.select({ kind: this.kind.name, layer: head.layer, head: head.head });
  }

  private hover(head: Head | undefined): void {
    this.canvas.style.cursor = head ? "pointer" : "default";
    if (head) this.describe(head);
  }

  /** Say the chosen head, if it is of this kind. */
  say(): void {
    const chosen = this.heads.find((head) => this.isChosen(head));
    if (chosen) this.describe(chosen);
  }

  private describe(head: Head): void {
    this.state.say(headSentence(this.state, this.kind, head));
  }

  private press(event: KeyboardEvent): void {
    const step = stepOf(event);
    if (!step) return;
    event.preventDefault();
    const { rows } = this;
    const place = this.chosenPlace();
    const [y, x] = place ? [place[0] + step[0], place[1] + step[1]] : [0, 0];
    const row = item(rows, clamp(y, 0, rows.length - 1));
    const next = item(row, clamp(x, 0, row.length - 1));
    this.choose(next);
    this.describe(next);
  }
}
