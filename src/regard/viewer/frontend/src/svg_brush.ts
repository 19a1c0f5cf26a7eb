/** A brush that writes SVG: what the same functions draw on a canvas becomes elements. */

import type { Brush } from "./brush";
import { contextOf, LETTER } from "./brush";
import { make } from "./dom";
import type { Sheet } from "./sheet";
import { FONT } from "./styles";

const SVG = "http://www.w3.org/2000/svg"; // a name: nothing is loaded from there
const FEW_CELLS = 2500; // are drawn one by one; more are a bitmap
const BASELINE = 0.35 * LETTER; // below a letter's middle: few programs know other baselines
const ANCHORS: Record<string, string> = { left: "start", center: "middle", right: "end" };

// of no page: one that forbids images would refuse to load what is put into an SVG
const PAPER = document.implementation.createDocument(null, "");

type Attributes = Record<string, string | number>;

/** Write a number with as many digits as can be seen. */
const short = (x: number): string => String(Number(x.toFixed(3)));

function element(tag: string, attributes: Attributes, text = ""): SVGElement {
  const made = PAPER.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, typeof value === "number" ? short(value) : value);
  }
  made.textContent = text;
  return made;
}

/** What an SVG says besides its picture. */
export interface Caption {
  name: string; // of the file, and of what is named in it
  title: string;
  description: string;
}

/** Draw a picture as an SVG that needs nothing else. */
export function svgOf(
  { name, title, description }: Caption,
  { width, height, ground, paint }: Sheet,
): string {
  const letters = { "font-family": FONT, "font-size": LETTER };
  const sizes = { width, height, viewBox: `0 0 ${short(width)} ${short(height)}` };
  const root = element("svg", { ...sizes, ...letters, role: "img" });
  root.style.whiteSpace = "pre"; // so that each space of a token stays
  const picture = element("g", {});
  root.append(element("title", {}, title), element("desc", {}, description));
  root.append(element("rect", { width, height, fill: ground }), picture);
  paint(new SvgBrush(name, picture));
  return new XMLSerializer().serializeToString(root);
}

class SvgBrush implements Brush {
  fillStyle: Brush["fillStyle"] = "#000000";
  strokeStyle: Brush["strokeStyle"] = "#000000";
  lineWidth = 1;
  globalAlpha = 1;
  imageSmoothingEnabled = true;
  font = `${LETTER}px ${FONT}`;
  textAlign: CanvasTextAlign = "left";
  private path = "";
  private clips = 0;
  private readonly saved: object[] = [];
  private readonly ruler = contextOf(make("canvas"));

  constructor(
    private readonly name: string, // begins what is named in the file
    private group: Element, // into which comes what is drawn
  ) {}

  save(): void {
    this.saved.push({ ...this });
  }

  restore(): void {
    const { path, clips } = this; // which are not among what a canvas saves
    Object.assign(this, this.saved.pop(), { path, clips });
  }

  translate(x: number, y: number): void {
    this.enter({ transform: `translate(${short(x)} ${short(y)})` });
  }

  rotate(angle: number): void {
    this.enter({ transform: `rotate(${short((angle * 180) / Math.PI)})` });
  }

  clip(): void {
    const id = `${this.name}-clip-${++this.clips}`;
    const clip = element("clipPath", { id });
    clip.append(element("path", { d: this.path }));
    this.group.append(clip);
    this.enter({ "clip-path": `url(#${id})` });
  }

  /** Put what comes next into a group. */
  private enter(attributes: Attributes): void {
    const inner = element("g", attributes);
    this.group.append(inner);
    this.group = inner;
  }

  beginPath(): void {
    this.path = "";
  }

  moveTo(x: number, y: number): void {
    this.path += `M${short(x)} ${short(y)}`;
  }

  lineTo(x: number, y: number): void {
    this.path += `L${short(x)} ${short(y)}`;
  }

  bezierCurveTo(...places: [number, number, number, number, number, number]): void {
    this.path += `C${places.map(short).join(" ")}`;
  }

  rect(x: number, y: number, wide: number, high: number): void {
    this.path += `M${short(x)} ${short(y)}h${short(wide)}v${short(high)}h${short(-wide)}z`;
  }

  stroke(): void {
    this.put("path", { d: this.path, ...this.edge });
  }

  strokeRect(x: number, y: number, width: number, height: number): void {
    this.put("rect", { x, y, width, height, ...this.edge });
  }

  fillRect(x: number, y: number, width: number, height: number): void {
    const seamless: Attributes = this.globalAlpha < 1 ? { "shape-rendering": "crispEdges" } : {};
    this.put("rect", { x, y, width, height, fill: String(this.fillStyle), ...seamless });
  }

  measureText(text: string): TextMetrics {
    this.ruler.font = this.font;
    return this.ruler.measureText(text);
  }

  fillText(text: string, x: number, y: number, room = Infinity): void {
    const anchor = ANCHORS[this.textAlign] ?? "start";
    const attributes: Attributes = { x, y: y + BASELINE, "text-anchor": anchor };
    attributes.fill = String(this.fillStyle);
    if (this.font.startsWith("bold")) attributes["font-weight"] = "bold";
    if (this.measureText(text).width > room) {
      Object.assign(attributes, { textLength: room, lengthAdjust: "spacingAndGlyphs" });
    }
    this.put("text", attributes, text);
  }

  drawImage(image: OffscreenCanvas, x: number, y: number, wide: number, high: number): void {
    const canvas = make("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    const brush = contextOf(canvas);
    brush.drawImage(image, 0, 0);
    if (image.width * image.height <= FEW_CELLS) {
      this.cells(brush.getImageData(0, 0, image.width, image.height), x, y, wide, high);
      return;
    }
    const place = { x, y, width: wide, height: high, preserveAspectRatio: "none" };
    const rendering = this.imageSmoothingEnabled ? "auto" : "pixelated";
    this.put("image", { ...place, "image-rendering": rendering, href: canvas.toDataURL() });
  }

  private cells(pixels: ImageData, x: number, y: number, wide: number, high: number): void {
    const [width, height] = [wide / pixels.width, high / pixels.height];
    this.save();
    this.enter({ "shape-rendering": "crispEdges" }); // no seams between them
    for (let at = 0; at < pixels.width * pixels.height; at++) {
      this.fillStyle = `rgb(${pixels.data.subarray(4 * at, 4 * at + 3).join()})`;
      const [column, row] = [at % pixels.width, Math.floor(at / pixels.width)];
      this.fillRect(x + column * width, y + row * height, width, height);
    }
    this.restore();
  }

  private get edge(): Attributes {
    return { fill: "none", stroke: String(this.strokeStyle), "stroke-width": this.lineWidth };
  }

  private put(tag: string, attributes: Attributes, text = ""): void {
    const opacity = this.globalAlpha < 1 ? { opacity: this.globalAlpha } : {};
    this.group.append(element(tag, { ...attributes, ...opacity }, text));
  }
}
