/** The thumbnails as bitmaps, each drawn once: some hundred heads a page, when first in sight. */

import type { CanvasBrush } from "./brush";
import { offscreen } from "./brush";
import { shadeOf } from "./colours";
import type { Bytes } from "./contract";
import type { Head } from "./grid_heads";
import { asBytes } from "./shown";
import type { State } from "./state";

const ACROSS = 16; // tiles of a page, across and down: far below what browsers allow of a canvas
const OF_PAGE = ACROSS * ACROSS;

interface Page {
  canvas: OffscreenCanvas;
  bytes: Uint8Array; // of which it was drawn
  isBlank: boolean[]; // of each head: nothing but zeros
}

export class Tiles {
  private heads: Head[] = [];
  private bytes: Bytes | null = null;
  private scheme = "";
  private pages = new Map<number, Page>();
  private stale = new Map<number, Page>(); // other thumbnails came: as good where bytes are alike

  constructor(private readonly state: State) {}

  /** Say what thumbnails are shown; what was drawn is kept where it is still right. */
  prepare(heads: Head[], bytes: Bytes): void {
    const { theme, look } = this.state;
    const { log, common } = look;
    const scheme = `${theme.name} ${log} ${common}`;
    const isOther = heads !== this.heads || scheme !== this.scheme;
    if (isOther) this.pages.clear();
    if (isOther || bytes !== this.bytes) {
      this.stale = this.pages;
      this.pages = new Map();
    }
    [this.heads, this.bytes, this.scheme] = [heads, bytes, scheme];
  }

  /** Draw a head's thumbnail; false, if there is nothing in it. */
  draw(
    brush: CanvasBrush,
    { index, high, wide }: Head,
    x: number,
    y: number,
    side: number,
  ): boolean {
    const page = this.page(Math.floor(index / OF_PAGE));
    if (!page) return false;
    const [left, top] = this.placeOf(index % OF_PAGE);
    brush.drawImage(page.canvas, left, top, wide, high, x, y, side, side);
    return !page.isBlank[index % OF_PAGE];
  }

  private placeOf(slot: number): [number, number] {
    const side = this.state.meta.thumbnail;
    return [(slot % ACROSS) * side, Math.floor(slot / ACROSS) * side];
  }

  private page(number: number): Page | null {
    const found = this.pages.get(number);
    if (found) return found;
    const heads = this.heads.slice(number * OF_PAGE, (number + 1) * OF_PAGE);
    const [first, last] = [heads[0], heads.at(-1)];
    if (!first?.high || !first.wide || !last || !this.bytes) return null; // of no tokens
    const bytes = asBytes(this.bytes).subarray(first.at, last.at + last.high * last.wide);
    const before = this.stale.get(number);
    const page = before && isAlike(before.bytes, bytes) ? before : this.paint(heads, bytes);
    this.pages.set(number, page);
    return page;
  }

  private paint(heads: Head[], bytes: Uint8Array): Page {
    const { theme, look, meta } = this.state;
    const { log, common } = look;
    const colours = new Uint32Array(theme.table.buffer);
    const across = ACROSS * meta.thumbnail;
    const image = new ImageData(across, Math.ceil(heads.length / ACROSS) * meta.thumbnail);
    const pixels = new Uint32Array(image.data.buffer);
    const isBlank: boolean[] = [];
    let at = 0;
    heads.forEach(({ high, wide }, slot) => {
      const [left, top] = this.placeOf(slot);
      const most = bytes.subarray(at, at + high * wide).reduce((a, b) => Math.max(a, b), 0);
      const darkest = common ? 255 * common : most; // up to its own largest, or to one for all
      const ink = Uint32Array.from({ length: most + 1 }, (_, byte) => {
        return colours[byte ? shadeOf(byte / darkest, log) : 0] ?? 0;
      });
      for (let y = top; y < top + high; y++) {
        for (let x = left; x < left + wide; x++, at++) {
          pixels[y * across + x] = ink[bytes[at] ?? 0] ?? 0;
        }
      }
      isBlank.push(most === 0);
    });
    const [canvas, brush] = offscreen(image.width, image.height);
    brush.putImageData(image, 0, 0);
    return { canvas, bytes, isBlank };
  }
}

function isAlike(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
