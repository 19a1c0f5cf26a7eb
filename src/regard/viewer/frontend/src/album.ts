/** The pictures that a model saw: read once, laid out side by side. */

import type { Point } from "./boxes";
import { offscreen } from "./brush";
import type { GivenPicture } from "./contract";
import { item } from "./items";

const GAP = 8; // CSS pixels between pictures
const NARROWEST = 140; // where there are many
const WRITTEN = /^data:(image\/webp);base64,([A-Za-z0-9+/]+=*)$/;

/** A picture as it was, and, once it is asked for, without its colours. */
class Print {
  private faded: OffscreenCanvas | null = null;

  constructor(readonly coloured: OffscreenCanvas) {}

  get grey(): OffscreenCanvas {
    this.faded ??= greyOf(this.coloured);
    return this.faded;
  }
}

/** Where a picture is drawn, in CSS pixels of all, and how many of them its pixels have. */
export interface Spread {
  left: number;
  top: number;
  scale: number;
}

/** Give the bytes of a data URL that Python wrote; whatever else it may be is refused. */
export function bytesOf(url: string, form: RegExp): [string, Uint8Array<ArrayBuffer>] {
  const [, kind, text] = form.exec(url) ?? [];
  if (!kind || !text) throw new Error("A picture or sound came damaged: make the view anew.");
  return [kind, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))];
}

async function printOf({ data }: GivenPicture): Promise<Print> {
  const [type, bytes] = bytesOf(data, WRITTEN);
  // of a URL, a page that forbids all images would load none
  const bitmap = await createImageBitmap(new Blob([bytes], { type }));
  const [coloured, brush] = offscreen(bitmap.width, bitmap.height);
  brush.drawImage(bitmap, 0, 0);
  return new Print(coloured);
}

/** Leave a picture how light each pixel is. */
function greyOf(coloured: OffscreenCanvas): OffscreenCanvas {
  const { width, height } = coloured;
  const [grey, brush] = offscreen(width, height);
  brush.drawImage(coloured, 0, 0);
  const image = brush.getImageData(0, 0, width, height);
  const pixels = image.data;
  for (let at = 0; at < pixels.length; at += 4) {
    const [r, g, b] = [pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0];
    pixels[at] = pixels[at + 1] = pixels[at + 2] = 0.299 * r + 0.587 * g + 0.114 * b;
  }
  brush.putImageData(image, 0, 0);
  return grey;
}

export class Album {
  readonly prints: (Print | null)[];
  spreads: Spread[] = [];
  height = 0; // of all, in CSS pixels

  /** `tell` is called for each picture that is there; `fail`, where one cannot be read. */
  constructor(
    readonly pictures: GivenPicture[],
    tell: () => void,
    fail: (error: unknown) => void,
  ) {
    this.prints = pictures.map(() => null);
    pictures.forEach((picture, at) => {
      printOf(picture)
        .then((print) => {
          this.prints[at] = print;
          tell();
        })
        .catch(fail);
    });
  }

  /** Say of pictures that they are smaller here than they were given; empty, if none is. */
  get said(): string {
    const smaller = this.pictures.flatMap(({ width, height }, at) => {
      const small = this.prints[at]?.coloured;
      const isSmaller = small && (small.width < width || small.height < height);
      return isSmaller
        ? [`${width} x ${height} pixels, here ${small.width} x ${small.height}`]
        : [];
    });
    const [only, ...more] = smaller;
    if (!only || !more.length) return only ?? "";
    return `${smaller.length} of the pictures are smaller here than they were given`;
  }

  /** Lay all pictures out, as large as they can be in a room; many of them are scrolled. */
  arrange(width: number, height: number): void {
    const counts = this.pictures.map((_, at) => at + 1);
    const tried = counts.map((across) => this.tried(across, width));
    const size = ({ wide, high }: Tried) => wide * Math.min(1, height / high);
    const best = tried.reduce((one, other) => (size(other) > size(one) ? other : one));
    const few = Math.max(1, Math.floor(width / NARROWEST));
    const isSmall = size(best) < NARROWEST && this.pictures.length > few;
    const chosen = isSmall ? this.tried(few, width) : best;
    this.place(chosen.across, isSmall ? chosen.wide : size(chosen));
  }

  /** Say how wide each is where so many stand side by side, and how high all are. */
  private tried(across: number, width: number): Tried {
    const wide = (width - GAP * (across - 1)) / across;
    return { across, wide, high: this.place(across, wide) };
  }

  /** Put so many side by side, each so wide; gives the height of all. */
  private place(across: number, wide: number): number {
    let [top, lowest] = [0, 0];
    this.spreads = this.pictures.map(({ width, height }, at) => {
      if (at % across === 0) top = lowest && lowest + GAP;
      const scale = wide / width;
      lowest = Math.max(lowest, top + height * scale);
      return { left: (at % across) * (wide + GAP), top, scale };
    });
    this.height = lowest;
    return lowest;
  }

  /** Find the picture at a point, and the point in its own pixels. */
  at([x, y]: Point): [number, Point] | null {
    for (const [at, { left, top, scale }] of this.spreads.entries()) {
      const { width, height } = item(this.pictures, at);
      const [inX, inY] = [(x - left) / scale, (y - top) / scale];
      if (inX >= 0 && inY >= 0 && inX < width && inY < height) return [at, [inX, inY]];
    }
    return null;
  }

  /** Give a point of a picture in CSS pixels of all. */
  pointOf(picture: number, [x, y]: Point): Point {
    const { left, top, scale } = item(this.spreads, picture);
    return [left + x * scale, top + y * scale];
  }
}

interface Tried {
  across: number;
  wide: number;
  high: number;
}
