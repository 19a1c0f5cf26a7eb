/** All heads of a kind, one tile each: of those in sight, whose pictures are drawn only once. */

import type { CanvasBrush } from "./brush";
import { hatch, paintOn, ratio } from "./brush";
import type { Kind } from "./contract";
import { make } from "./dom";
import type { Head } from "./grid_heads";
import { byLayer, ranked } from "./grid_heads";
import type { Spot } from "./grid_keys";
import { next } from "./grid_keys";
import { byLayerOf, rankedOf, tileSize } from "./grid_layout";
import { Tiles } from "./grid_tiles";
import { item } from "./items";
import { nameOf, short } from "./measures";
import type { Part } from "./news";
import { headSentence, measuredOf } from "./sentences";
import type { State } from "./state";
import { FONT } from "./styles";
import type { Source, Variants } from "./variants";

const MOST_ACROSS = 10; // where heads are sorted by a measure
const EDGE = 2; // around all tiles, for the frame of the chosen one

export class Grid {
  readonly canvas: HTMLCanvasElement;
  readonly element: HTMLElement;
  private readonly plane: HTMLElement; // as large as all tiles
  private readonly tiles: Tiles;
  private rows: Head[][] = [];
  private readonly tile = tileSize();
  private layout = byLayerOf(this.tile);
  private hovered: Head | undefined;
  private arranged: unknown[] = []; // what the rows hang on

  constructor(
    private readonly state: State,
    private readonly variants: Variants,
    readonly kind: Kind,
    private readonly frame: HTMLElement, // which holds all grids, and scrolls
  ) {
    this.tiles = new Tiles(state);
    this.canvas = make("canvas", {
      tabindex: "0",
      role: "application",
      "aria-label": `All heads of ${kind.title}: arrow keys choose a head`,
    });
    this.canvas.addEventListener("click", (event) => {
      if (event.shiftKey) this.pin(this.headAt(event));
      else this.choose(this.headAt(event));
    });
    this.canvas.addEventListener("pointermove", (event) => this.hover(this.headAt(event)));
    this.canvas.addEventListener("pointerleave", () => {
      this.hover(undefined);
      state.leave();
    });
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.plane = make("div", { class: "plane" }, this.canvas);
    this.element = make("div", {}, make("p", { class: "kind" }, kind.title), this.plane);
  }

  private get heads(): Head[] {
    return item(this.variants.source.heads, this.state.meta.kinds.indexOf(this.kind));
  }

  /** The values that sort the heads; none, where a layer is a row. */
  private get values(): (number | null)[] | undefined {
    return this.variants.source.measures[this.kind.name]?.[this.state.look.measure];
  }

  /** Put the heads in their places, of which so many CSS pixels across are seen. */
  arrange(room: number): void {
    const { kind, heads, values, state } = this;
    const byValue = rankedOf(this.tile);
    const across = Math.floor((room - byValue.left - 2 * EDGE) / byValue.wide);
    const hangsOn = [heads, values, state.look.rising, across];
    if (hangsOn.some((one, at) => one !== this.arranged[at])) {
      this.layout = values ? byValue : byLayerOf(this.tile);
      this.rows = values
        ? ranked(heads, values, state.look.rising, Math.max(1, Math.min(across, MOST_ACROSS)))
        : byLayer(kind, heads);
      this.hovered = undefined;
    }
    this.arranged = hangsOn;
    const { left, top, wide, high } = this.layout;
    const longest = this.rows.reduce((most, row) => Math.max(most, row.length), 0);
    this.plane.style.width = `${left + longest * wide + EDGE}px`;
    this.plane.style.height = `${top + this.rows.length * high + EDGE}px`;
  }

  /** Draw what is in sight of all heads, once all grids are arranged. */
  draw(): void {
    const { source } = this.variants;
    const { frame, plane, rows } = this;
    this.tiles.prepare(this.heads, source.thumbnails);
    const width = Math.min(plane.offsetWidth, frame.clientWidth || Infinity);
    const height = Math.min(plane.offsetHeight, frame.clientHeight || Infinity);
    const brush = paintOn(this.canvas, width, height);
    const { left, top, wide, high } = this.layout;
    const [down, right] = this.scrolled();
    brush.save();
    brush.beginPath();
    brush.rect(left - EDGE, top - EDGE, width, height);
    brush.clip();
    brush.imageSmoothingEnabled = ratio() < 1;
    const last = Math.min(rows.length, Math.ceil((down + height - top) / high));
    for (let y = Math.max(0, Math.floor(down / high)); y < last; y++) {
      const row = item(rows, y);
      const end = Math.min(row.length, Math.ceil((right + width - left) / wide));
      for (let x = Math.max(0, Math.floor(right / wide)); x < end; x++) {
        const [atX, atY] = [left + x * wide - right, top + y * high - down];
        this.drawHead(brush, item(row, x), atX, atY);
      }
    }
    brush.restore();
    if (this.values) this.drawOrder(brush);
    else this.drawNumbers(brush, height, width);
  }

  /** How far down and right the tiles are scrolled under the canvas, which stays in sight. */
  private scrolled(): [number, number] {
    const [plane, seen] = [this.plane.getBoundingClientRect(), this.canvas.getBoundingClientRect()];
    return [Math.max(0, seen.top - plane.top), Math.max(0, seen.left - plane.left)];
  }

  private drawOrder(brush: CanvasBrush): void {
    brush.fillStyle = this.state.theme.quiet;
    brush.font = `11px ${FONT}`;
    brush.textAlign = "left";
    const order = this.state.look.rising ? "lowest" : "highest";
    brush.fillText(`${order} ${nameOf(this.state.look.measure)} first`, this.layout.left + 2, 8);
  }

  /** Number heads and layers, beside and above what is scrolled. */
  private drawNumbers(brush: CanvasBrush, height: number, width: number): void {
    const { rows, layout } = this;
    const { left, top, wide, high } = layout;
    const [down, right] = this.scrolled();
    brush.fillStyle = this.state.theme.quiet;
    brush.font = `11px ${FONT}`;
    brush.textAlign = "center";
    const across = rows.reduce((longest, row) => (row.length > longest.length ? row : longest), []);
    across.forEach(({ head }, at) => {
      const x = left + (at + 0.5) * wide - right;
      if (x > left && x < width) brush.fillText(String(head), x, 9);
    });
    rows.forEach((row, at) => {
      const y = top + (at + 0.5) * high - down;
      if (y > top && y < height) brush.fillText(String(row[0]?.layer), 11, y);
    });
  }

  private drawHead(brush: CanvasBrush, head: Head, left: number, top: number): void {
    const { tile } = this;
    const { theme } = this.state;
    const [x, y] = [left + this.layout.x, top + this.layout.y];
    const hasInk = this.tiles.draw(brush, head, x, y, tile);
    if (!hasInk) {
      brush.beginPath();
      brush.rect(x, y, tile, tile);
      hatch(brush, theme, [x, y, tile, tile]);
    }
    if (this.values) this.title(brush, head, left + this.layout.wide / 2, y);
    const isChosen = this.isChosen(head);
    const isMarked = isChosen || head === this.hovered;
    if (this.isPinned(head)) {
      this.outline(brush, isChosen ? 2 : 0, x, y);
      if (!isMarked) return;
    }
    const grown = isMarked ? 1 : 0.5;
    brush.strokeStyle = isChosen ? theme.accent : isMarked ? theme.quiet : theme.faint;
    brush.lineWidth = isChosen ? 3 : isMarked ? 2 : 1;
    brush.strokeRect(x - grown, y - grown, tile + 2 * grown, tile + 2 * grown);
  }

  /** Write which head it is, and by which value it stands there. */
  private title(brush: CanvasBrush, head: Head, middle: number, y: number): void {
    const { theme } = this.state;
    brush.font = `11px ${FONT}`;
    brush.textAlign = "center";
    brush.fillStyle = theme.ink;
    brush.fillText(`L${head.layer} H${head.head}`, middle, y - 8, this.layout.wide - 2);
    brush.fillStyle = theme.quiet;
    brush.fillText(short(this.values?.[head.index]), middle, y + this.tile + 9);
  }

  /** Mark a pinned head, within the frame of the chosen one. */
  private outline(brush: CanvasBrush, inset: number, x: number, y: number): void {
    brush.strokeStyle = this.state.theme.link;
    brush.lineWidth = 2;
    const size = this.tile - 2 * inset;
    brush.strokeRect(x + inset, y + inset, size, size);
  }

  private isPinned({ layer, head }: Head): boolean {
    return this.state.together.isPinned({ kind: this.kind.name, layer, head });
  }

  private isChosen({ layer, head }: Head): boolean {
    const { selection } = this.state;
    const isMine = selection.kind === this.kind.name;
    return isMine && selection.layer === layer && selection.head === head;
  }

  /** Find the row and the column of the chosen head, if it is of this kind. */
  private chosenPlace(): Spot | null {
    for (const [y, row] of this.rows.entries()) {
      const x = row.findIndex((head) => this.isChosen(head));
      if (x >= 0) return [y, x];
    }
    return null;
  }

  /** Scroll to the chosen head; true, if that moved anything. */
  reveal(): boolean {
    const place = this.chosenPlace();
    if (!place) return false;
    const { frame, layout } = this;
    const [plane, seen] = [this.plane.getBoundingClientRect(), frame.getBoundingClientRect()];
    const into = (from: number, size: number, room: number) =>
      Math.min(from, 0) + Math.max(from + size - room, 0);
    const down = plane.top - seen.top + place[0] * layout.high;
    const right = plane.left - seen.left + place[1] * layout.wide;
    const before = [frame.scrollTop, frame.scrollLeft];
    frame.scrollTop += into(down - 4, layout.top + layout.high + 8, frame.clientHeight);
    frame.scrollLeft += into(right - 4, layout.left + layout.wide + 8, frame.clientWidth);
    return frame.scrollTop !== before[0] || frame.scrollLeft !== before[1];
  }

  private headAt({ offsetX, offsetY }: MouseEvent): Head | undefined {
    const { left, top, wide, high } = this.layout;
    if (offsetX < left || offsetY < top) return undefined;
    const [down, right] = this.scrolled();
    const row = this.rows[Math.floor((offsetY - top + down) / high)];
    return row?.[Math.floor((offsetX - left + right) / wide)];
  }

  private choose(head: Head | undefined): void {
    if (head) this.state.select({ kind: this.kind.name, layer: head.layer, head: head.head });
  }

  private pin(head: Head | undefined): void {
    const { kind } = this;
    if (head) this.state.together.toggle([{ kind: kind.name, layer: head.layer, head: head.head }]);
  }

  private hover(head: Head | undefined): void {
    this.canvas.style.cursor = head ? "pointer" : "default";
    if (head === this.hovered) return;
    this.hovered = head;
    this.state.together.glimpse.at(head ? { ...head, kind: this.kind.name } : null);
    this.draw();
    if (head) this.describe(head);
  }

  /** Say the chosen head, if it is of this kind. */
  say(): void {
    const chosen = this.heads.find((head) => this.isChosen(head));
    if (!chosen) return;
    const isAlone = this.state.together.isAlone;
    this.describe(chosen, isAlone ? ["; pinned: choose another head to compare it with"] : []);
  }

  /** The chosen head's measures, which stay in sight; empty, if it is of another kind. */
  get measured(): string {
    const { measures, choice } = this.variants.source;
    const chosen = this.heads.find((head) => this.isChosen(head));
    const found = chosen && measuredOf(measures[this.kind.name] ?? {}, chosen.index, choice.words);
    return found?.length ? `layer ${chosen?.layer}, head ${chosen?.head}: ${found.join(", ")}` : "";
  }

  private describe(head: Head, more: Part[] = []): void {
    const { source, isOther }: { source: Source; isOther: boolean } = this.variants;
    const kind = { ...this.kind, measures: source.measures[this.kind.name] ?? {} };
    const parts = headSentence(this.state, kind, head, source.choice.words);
    const isMeasured = Object.keys(kind.measures).length > 0;
    const note = isOther && isMeasured ? [" (of all tokens)"] : [];
    this.state.say([...parts, ...note, ...more]);
  }

  private press(event: KeyboardEvent): void {
    const { rows, layout } = this;
    const page = Math.max(1, Math.floor((this.canvas.offsetHeight - layout.top) / layout.high));
    const place = next(event, this.chosenPlace(), rows, page);
    if (!place) return;
    event.preventDefault();
    const head = item(item(rows, place[0]), place[1]);
    this.choose(head);
    this.describe(head);
  }
}
