// @ts-check
/**
 * The attention view: a grid of all heads, one head as a matrix and as lines between tokens, and
 * one weight taken apart.
 *
 * One plain module, for anywidget (the default export) and for a saved page (`openSaved`). What it
 * is shown comes by a model with the traits below. Rows read, columns are read. Tokens are text:
 * they reach the page by `textContent` and `fillText` alone.
 */

/**
 * What a token is called, and what makes a word.
 * @typedef {object} Side
 * @property {string[]} names
 * @property {boolean[]} special
 * @property {{names: string[], groups: number[][]} | null} words
 */

/**
 * @typedef {object} Layer
 * @property {number} number
 * @property {number[]} heads
 * @property {number} rows which of the sides reads
 * @property {number} columns which is read
 * @property {[number, number]} shape
 * @property {number} spans which of the spans says what is masked
 */

/**
 * @typedef {object} Kind
 * @property {string} name
 * @property {string} title
 * @property {Layer[]} layers
 * @property {Record<string, (number | null)[]>} measures of each head, layer by layer
 */

/**
 * @typedef {object} Meta
 * @property {number} format
 * @property {Side[]} sides
 * @property {number[][]} spans for each query, the first key and the one after the last it may read
 * @property {Kind[]} kinds
 * @property {number} thumbnail pixels of a side, at most
 * @property {boolean} looked are there thumbnails of all heads, not only of those that were opened?
 * @property {boolean} writes are rows named by the token that is written next, too?
 * @property {boolean} hidden were special tokens left out before?
 * @property {Record<string, string>} origin
 */

/** @typedef {{kind: string, layer: number, head: number}} Selection */

/** A weight is its byte / 255 * scale; with fewer pixels than weights, the largest of a pixel.
 * @typedef {Selection & {pixels: [number, number], scale: number, bytes: DataView | Uint8Array}} Weights
 */

/**
 * The traits: the same names as those of the Python class.
 * @typedef {object} Traits
 * @property {Meta} meta
 * @property {Selection} selection
 * @property {DataView | Uint8Array} thumbnails
 * @property {Weights} weights
 */

/** @typedef {(message?: any, buffers?: DataView[]) => void} Hear */

/**
 * What anywidget hands over.
 * @typedef {object} Model
 * @property {<K extends keyof Traits>(name: K) => Traits[K]} get
 * @property {<K extends keyof Traits>(name: K, value: Traits[K]) => void} set
 * @property {() => void} save_changes
 * @property {(event: string, hear: Hear) => void} on
 * @property {(event: string, hear: Hear) => void} off
 * @property {(message: object) => void} [send]
 */

/** Some rows or columns of a head; a group is the tokens that one of them stands for.
 * @typedef {{names: string[], groups: number[][]}} Axis
 */

/** What is drawn of a head: words or tokens, all or only ordinary ones.
 * @typedef {object} Shown
 * @property {Axis} rows
 * @property {Axis} columns
 * @property {Float32Array} values
 * @property {Int32Array} spans for each row, the first column it may read and the one after the last
 * @property {number} hiddenShare
 * @property {number} rounding by how much a value may be off
 * @property {[number, number] | null} pixels of a map: how many its values are; else, all weights
 */

/** @typedef {[number, number, number, number]} Place from row, to row, from column, to column */

/** A part of a map, as pixels. @typedef {{place: Place, high: number, wide: number, values: Float32Array}} Tile */

/** What makes one weight; a score of null is minus infinity.
 * @typedef {object} Anatomy
 * @property {string} query_token @property {string} key_token
 * @property {number[]} query @property {number[]} key
 * @property {number} dot @property {number} scale @property {number} bias
 * @property {number | null} softcap
 * @property {number | null} score
 * @property {number} log_sum
 * @property {number | null} sink
 * @property {number} weight @property {number} num_keys
 */

/** @typedef {"rows" | "columns"} Role */
/** @typedef {{row: number, column: number}} Cell */
/** @typedef {{role: Role, ats: number[]}} Focus */
/** @typedef {string | {em: string}} Part */

const FORMAT = 2;
const TILE = 32; // CSS pixels of a thumbnail, as many as it has at most
const GAP = 4;
const LARGEST_CELL = 28;
const TALLEST = 520; // CSS pixels of a picture
const LINE = 19; // the height of a token between lines
const MOST_LINKS = 1500;
const DECADES = 3; // of the logarithmic scale
const LONGEST_LABEL = 20;
const LONGEST_NAME = 60; // in a sentence
/** @type {Record<string, string>} */
const UNITS = { entropy: " bits", distance: " tokens" };
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
// As regard.style.ATTENTION: each step as much darker as the last. On dark ground, the other way.
const STOPS = ["#ffffff", "#c6e6de", "#76c3c0", "#3f98ae", "#366e9c", "#3d4579", "#2b1e3e"];

const THEMES = {
  light: { ink: "#222222", quiet: "#595959", faint: "#d4d4d4", accent: "#b34700", link: "#1f5f8b", stops: STOPS },
  dark: {
    ink: "#ececec",
    quiet: "#b4b4b4",
    faint: "#4d4d4d",
    accent: "#ffb454",
    link: "#8fd0e8",
    stops: [...STOPS].reverse(),
  },
};
/** @typedef {typeof THEMES.light} Theme */

const CSS = `
:host { display: block; width: 100%; min-width: 280px; container-type: inline-size; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.view {
  --ink: var(--jp-ui-font-color1, var(--vscode-editor-foreground, inherit));
  color: var(--ink);
  background: var(--jp-layout-color1, var(--vscode-editor-background, transparent));
  font: 14px/1.45 ${FONT};
  padding: 8px;
}
.bar { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; }
.bar label { display: inline-flex; gap: 5px; align-items: center; }
select, button { font: inherit; color: inherit; background: Field; border: 1px solid GrayText;
  border-radius: 4px; padding: 2px 6px; min-height: 26px; }
select, option { color: FieldText; max-width: 18em; }
button { color: ButtonText; background: ButtonFace; min-width: 28px; cursor: pointer; }
input { margin: 0; width: 15px; height: 15px; }
:focus-visible { outline: 3px solid #2f7de1; outline-offset: 2px; }
.sentence { min-height: 2.9em; margin: 8px 0 4px; font-size: 15px; overflow-wrap: anywhere; }
.sentence em { font-style: normal; font-weight: 650; unicode-bidi: isolate; }
.pictures { display: flex; flex-wrap: wrap; gap: 12px 24px; align-items: flex-start; }
figure { margin: 0; min-width: 0; max-width: 100%; }
figure.heads { flex: 0 1 auto; }
figure.matrix { flex: 1 1 340px; max-width: 660px; }
figure.lines { flex: 1 1 270px; max-width: 360px; }
figure.inside { flex: 1 1 100%; max-width: 760px; }
figure[hidden], .inside [hidden] { display: none; }
.steps { margin: 2px 0; padding-left: 24px; font-size: 13px; }
.inside p { margin: 0; font-size: 13px; }
figcaption { min-height: 30px; margin-bottom: 4px; font-weight: 600; display: flex; flex-wrap: wrap;
  gap: 2px 10px; align-items: center; }
figcaption small, .foot, .kind { font-size: 12.5px; font-weight: 400; opacity: 0.9; }
.kind { margin: 4px 0 2px; }
.kinds { display: flex; flex-wrap: wrap; gap: 4px 16px; max-width: 480px; max-height: ${TALLEST + 40}px; overflow: auto; padding: 3px; }
.scroll { overflow: auto; position: relative; width: 100%; }
.scroll.whole { overflow: hidden; }
.glass { position: sticky; left: 0; top: 0; overflow: hidden; }
.glass canvas { position: absolute; left: 0; top: 0; }
.glass canvas.over { pointer-events: none; }
.glass canvas:focus-visible, .kinds canvas:focus-visible { outline-offset: -3px; }
canvas { display: block; touch-action: pan-x pan-y; }
.waiting .matrix, .waiting .lines, .waiting .inside { opacity: 0.45; }
.foot { display: flex; flex-wrap: wrap; gap: 4px 18px; align-items: center; margin-top: 8px; }
.foot p { margin: 0; }
.legend { display: inline-flex; gap: 6px; align-items: center; }
.alert { margin: 0 0 8px; padding: 8px 10px; border: 1px solid #b3261e; border-left-width: 6px;
  background: #fdecea; color: #7d1712; overflow-wrap: anywhere; white-space: pre-wrap; }
.alert[hidden] { display: none; }
details { font-size: 12.5px; }
summary { cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 4px 0; }
dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; }
kbd { font: 12px ui-monospace, monospace; }
@container (max-width: 720px) { figure.matrix, figure.lines { flex-basis: 100%; } }
@media (prefers-reduced-motion: reduce) { * { scroll-behavior: auto; transition: none; animation: none; } }
`;

/* ---- small things ---- */

/**
 * Make an element; text goes in as text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Keep a number within bounds.
 * @param {number} x @param {number} low @param {number} high */
const clamp = (x, low, high) => Math.max(low, Math.min(high, x));

/** Write a token so that all of it shows: line breaks and marks of direction as signs.
 * @param {string} text @param {number} longest */
export function legible(text, longest) {
  if (text === "") return "(empty)";
  if (text.trim() === "") return JSON.stringify(text);
  // only the ends are looked at: a token may have 10,000 characters
  const ends = text.length > 4 * longest ? `${text.slice(0, 2 * longest)}${text.slice(-2 * longest)}` : text;
  const letters = [...ends.replace(/\n/g, "↵").replace(/[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, escaped)];
  if (letters.length <= longest && ends === text) return letters.join("");
  const half = (longest - 1) >> 1;
  return `${letters.slice(0, half).join("")}…${letters.slice(-half).join("")}`;
}

/** @param {string} letter */
const escaped = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** @param {number} value */
function written(value) {
  if (value === 0) return "0";
  if (value < 0.0005) return "less than 0.001";
  return value < 0.1 ? value.toFixed(3) : value.toFixed(2);
}

/** @param {number} rank */
function ordinal(rank) {
  const tail = rank % 100 > 10 && rank % 100 < 14 ? "th" : (["th", "st", "nd", "rd"][rank % 10] ?? "th");
  return rank === 1 ? "strongest" : `${rank}${tail} strongest`;
}

/** Draw on a canvas in CSS pixels, sharp on any screen.
 * @param {HTMLCanvasElement} canvas @param {number} width @param {number} height */
function paintOn(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const brush = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  brush.clearRect(0, 0, width, height);
  brush.font = `12px ${FONT}`;
  brush.textBaseline = "middle";
  brush.direction = "ltr";
  return brush;
}

/** Mix the stops to 256 colours, each four bytes.
 * @param {string[]} stops */
function colourTable(stops) {
  const rgb = stops.map((stop) => [1, 3, 5].map((at) => parseInt(stop.slice(at, at + 2), 16)));
  const table = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const place = (i / 255) * (rgb.length - 1);
    const low = Math.min(Math.floor(place), rgb.length - 2);
    for (let c = 0; c < 3; c++) table[4 * i + c] = rgb[low][c] + (place - low) * (rgb[low + 1][c] - rgb[low][c]);
    table[4 * i + 3] = 255;
  }
  return table;
}

/** @param {Uint8ClampedArray} table @param {number} shade */
const colour = (table, shade) => `rgb(${table[4 * shade]} ${table[4 * shade + 1]} ${table[4 * shade + 2]})`;

/** @param {Uint8ClampedArray} table @param {number} shade */
const isDark = (table, shade) =>
  0.299 * table[4 * shade] + 0.587 * table[4 * shade + 1] + 0.114 * table[4 * shade + 2] < 140;

/** @param {DataView | Uint8Array} bytes */
const asBytes = (bytes) => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** @param {string} kind @param {number} layer @param {number} head */
const describe = (kind, layer, head) => `${kind}, layer ${layer}, head ${head}`;

/* ---- what is shown of a head ---- */

/** Check what the model says, so that nothing is drawn that nobody measured.
 * @param {Meta} meta @param {DataView | Uint8Array} thumbnails */
export function checkMeta(meta, thumbnails) {
  if (meta?.format !== FORMAT) {
    throw new Error(`This view reads format ${FORMAT}, but was given ${meta?.format}: make the page anew, or restart the kernel.`);
  }
  let size = 0;
  for (const kind of meta.kinds) {
    for (const layer of kind.layers) {
      const [rows, columns] = layer.shape;
      const fits = meta.sides[layer.rows]?.names.length === rows && meta.sides[layer.columns]?.names.length === columns;
      if (!fits || meta.spans[layer.spans]?.length !== 2 * rows) {
        throw new Error(`${kind.title}, layer ${layer.number}, has ${rows} x ${columns} weights, but other names.`);
      }
      size += layer.heads.length * Math.min(rows, meta.thumbnail) * Math.min(columns, meta.thumbnail);
    }
  }
  if (!meta.kinds.length) throw new Error("There are no heads to show.");
  if (thumbnails.byteLength !== size) {
    throw new Error(`The thumbnails have ${thumbnails.byteLength} bytes, but ${size} are needed: they were cut off.`);
  }
}

/** Find the layer of a head, or say that there is none.
 * @param {Meta} meta @param {Selection} selection */
export function findLayer(meta, { kind, layer, head }) {
  const ofKind = meta.kinds.find(({ name }) => name === kind);
  if (!ofKind) {
    const names = meta.kinds.map(({ name }) => name).join(", ");
    throw new Error(`There is no attention of kind ${JSON.stringify(kind)} here: choose from ${names}.`);
  }
  const found = ofKind.layers.find(({ number }) => number === layer);
  if (!found?.heads.includes(head)) throw new Error(`There is no ${describe(ofKind.title, layer, head)} here.`);
  return { kind: ofKind, layer: found };
}

/** @param {Layer} layer @param {Weights} weights */
function checkWeights(layer, weights) {
  const [rows, columns] = layer.shape;
  const [high, wide] = weights.pixels ?? [];
  if (!(high <= rows && wide <= columns) || (rows && columns && !(high && wide))) {
    throw new Error(`The weights have the shape ${weights.pixels}, but the tokens need ${rows} x ${columns}.`);
  }
  if (weights.bytes?.byteLength !== high * wide) {
    throw new Error(`The weights have ${weights.bytes?.byteLength} bytes, but ${high} x ${wide} are needed: they were cut off.`);
  }
  if (!(weights.scale >= 0 && weights.scale <= 1.001)) {
    throw new Error(`The largest weight is said to be ${weights.scale}, but lies between 0 and 1.`);
  }
}

/** Choose what stands for a row or a column.
 * @param {Side} side @param {boolean} words @param {boolean} hide @returns {Axis} */
function axisOf(side, words, hide) {
  const merged = words ? side.words : null;
  const groups = merged ? merged.groups : side.names.map((_, at) => [at]);
  const names = merged ? merged.names : side.names;
  const kept = groups.map((_, at) => at).filter((at) => !(hide && side.special[groups[at][0]]));
  return { names: kept.map((at) => names[at]), groups: kept.map((at) => groups[at]) };
}

/** Undo the bytes, sum keys and average queries, as `Trace.merge_words` and `Trace.hide` do.
 * @param {Meta} meta @param {Layer} layer @param {Weights} weights
 * @param {{words: boolean, hide: boolean}} choice @returns {Shown} */
export function show(meta, layer, weights, choice) {
  checkWeights(layer, weights);
  if (weights.pixels[0] < layer.shape[0] || weights.pixels[1] < layer.shape[1]) return showMap(meta, layer, weights);
  const rows = axisOf(meta.sides[layer.rows], choice.words, choice.hide);
  const columns = axisOf(meta.sides[layer.columns], choice.words, choice.hide);
  const bytes = asBytes(weights.bytes);
  const [step, numKeys, wide] = [weights.scale / 255, layer.shape[1], columns.groups.length];
  const place = new Int32Array(numKeys).fill(-1); // of a key, its column
  columns.groups.forEach((group, at) => group.forEach((key) => (place[key] = at)));
  const values = new Float32Array(rows.groups.length * wide);
  const isPlain = wide === numKeys && rows.groups.length === layer.shape[0]; // each token for itself
  const spans = new Int32Array(2 * rows.groups.length);
  const allowed = meta.spans[layer.spans];
  let hidden = 0;
  rows.groups.forEach((queries, row) => {
    const share = step / queries.length;
    let [first, end] = [wide, 0];
    for (const query of queries) {
      if (isPlain) for (let key = 0, at = query * numKeys; key < numKeys; key++, at++) values[at] = bytes[at] * step;
      else for (let key = 0, at = query * numKeys; key < numKeys; key++, at++) {
        if (place[key] < 0) hidden += bytes[at] * share;
        else values[row * wide + place[key]] += bytes[at] * share;
      }
      let [from, to] = [allowed[2 * query], allowed[2 * query + 1]];
      while (from < to && place[from] < 0) from++; // hidden
      while (from < to && place[to - 1] < 0) to--;
      if (from < to) [first, end] = [Math.min(first, place[from]), Math.max(end, place[to - 1] + 1)];
    }
    spans.set(end ? [first, end] : [0, 0], 2 * row);
  });
  const largest = columns.groups.reduce((most, group) => Math.max(most, group.length), 1);
  return { rows, columns, values, spans, hiddenShare: rows.groups.length ? hidden / rows.groups.length : 0, rounding: (largest * step) / 2, pixels: null };
}

/** Show pixels of a head that has too many weights: its tokens as they are.
 * @param {Meta} meta @param {Layer} layer @param {Weights} weights @returns {Shown} */
function showMap(meta, layer, weights) {
  return {
    rows: axisOf(meta.sides[layer.rows], false, false),
    columns: axisOf(meta.sides[layer.columns], false, false),
    values: unpack(weights.bytes, weights.scale),
    spans: Int32Array.from(meta.spans[layer.spans]),
    hiddenShare: 0,
    rounding: weights.scale / 255 / 2,
    pixels: weights.pixels,
  };
}

/** @param {DataView | Uint8Array} bytes @param {number} scale */
const unpack = (bytes, scale) => Float32Array.from(asBytes(bytes), (byte) => (byte * scale) / 255);

/** Give the colour's place in the table: from 0 to 255.
 * @param {number} value @param {boolean} log */
export function shadeOf(value, log) {
  const part = log ? 1 + Math.log10(Math.max(value, 1e-9)) / DECADES : value;
  return Math.round(255 * clamp(part, 0, 1));
}

/** Draw a part of a map from fewer pixels: each takes in all that it touches.
 * @param {Shown} shown @param {Place} place @param {number} high @param {number} wide */
export function enlarge(shown, [top, bottom, left, right], high, wide) {
  const [mapHigh, mapWide] = /** @type {[number, number]} */ (shown.pixels);
  const touched = (/** @type {number} */ at, /** @type {number} */ count, /** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ pixels, /** @type {number} */ all) => {
    const share = ((to - from) * pixels) / (count * all);
    const start = Math.floor((from * pixels) / all + at * share + 1e-6);
    return [start, Math.max(start + 1, Math.min(pixels, Math.ceil((from * pixels) / all + (at + 1) * share - 1e-6)))];
  };
  const pooled = new Float32Array(high * wide);
  const columns = Array.from({ length: wide }, (_, at) => touched(at, wide, left, right, mapWide, shown.columns.names.length));
  for (let row = 0; row < high; row++) {
    const [first, end] = touched(row, high, top, bottom, mapHigh, shown.rows.names.length);
    columns.forEach(([from, to], column) => {
      let most = 0;
      for (let y = first; y < end; y++) for (let x = from; x < to; x++) most = Math.max(most, shown.values[y * mapWide + x]);
      pooled[row * wide + column] = most;
    });
  }
  return pooled;
}

/** Pool some rows and columns to so many pixels: the strongest of each part stays.
 * @param {Shown} shown @param {Place} place @param {number} high @param {number} wide */
export function pool(shown, [top, bottom, left, right], high, wide) {
  const all = shown.columns.groups.length;
  const pooled = new Float32Array(high * wide);
  const place = new Int32Array(right - left);
  for (let column = left; column < right; column++) place[column - left] = Math.floor(((column - left) * wide) / (right - left));
  for (let row = top; row < bottom; row++) {
    const into = Math.floor(((row - top) * high) / (bottom - top)) * wide;
    for (let column = left, at = row * all + left; column < right; column++, at++) {
      const to = into + place[column - left];
      if (shown.values[at] > pooled[to]) pooled[to] = shown.values[at];
    }
  }
  return pooled;
}

/* ---- the pictures ---- */

/** All heads of a kind, one tile each. */
class Grid {
  /** @param {View} view @param {Kind} kind @param {number} start the kind's first byte in the thumbnails */
  constructor(view, kind, start) {
    this.view = view;
    this.kind = kind;
    /** @type {{layer: number, head: number, at: number, high: number, wide: number, index: number}[]} */
    this.heads = [];
    for (const { number, heads, shape } of kind.layers) {
      const [high, wide] = shape.map((count) => Math.min(count, view.meta.thumbnail));
      for (const head of heads) {
        this.heads.push({ layer: number, head, at: start, high, wide, index: this.heads.length });
        start += high * wide;
      }
    }
    this.end = start;
    this.canvas = make("canvas", {
      tabindex: "0",
      role: "application",
      "aria-label": `All heads of ${kind.title}: arrow keys choose a head`,
    });
    this.canvas.addEventListener("click", (event) => this.choose(this.headAt(event)));
    this.canvas.addEventListener("pointermove", (event) => this.hover(this.headAt(event)));
    this.canvas.addEventListener("pointerleave", () => this.view.leave());
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.element = make("div", {}, make("p", { class: "kind" }, kind.title), this.canvas);
    this.sort("");
  }

  /** Put the heads in their places: a layer a row, or by a measure.
   * @param {string} measure */
  sort(measure) {
    this.measure = measure in this.kind.measures ? measure : "";
    const values = this.kind.measures[this.measure];
    const heads = this.kind.layers.map((layer) => layer.heads.length);
    this.across = this.measure ? Math.min(12, this.heads.length) : Math.max(...heads);
    if (values) {
      const value = (/** @type {{index: number}} */ { index }) => values[index] ?? -Infinity;
      const ranked = [...this.heads].sort((a, b) => value(b) - value(a));
      this.rows = Array.from({ length: Math.ceil(ranked.length / this.across) }, (_, row) =>
        ranked.slice(row * /** @type {number} */ (this.across), (row + 1) * /** @type {number} */ (this.across)),
      );
    } else {
      this.rows = this.kind.layers.map(({ number }) => this.heads.filter(({ layer }) => layer === number));
    }
  }

  draw() {
    const { view, across, rows } = this;
    if (!rows || !across) return;
    const [side, left, top] = [TILE + GAP, 24, 18];
    const brush = paintOn(this.canvas, left + across * side + 2, top + rows.length * side + 2);
    brush.fillStyle = view.theme.quiet;
    brush.font = `11px ${FONT}`;
    brush.textAlign = "center";
    if (!this.measure) {
      const head = (/** @type {number} */ at) => rows.find((row) => row.length > at)?.[at].head;
      for (let at = 0; at < across; at++) brush.fillText(String(head(at)), left + at * side + side / 2, 9);
      rows.forEach((row, at) => brush.fillText(String(row[0]?.layer), 11, top + at * side + side / 2));
    } else {
      brush.textAlign = "left";
      brush.fillText("highest first", left + GAP / 2, 9);
    }
    const bytes = asBytes(view.model.get("thumbnails"));
    brush.imageSmoothingEnabled = (window.devicePixelRatio || 1) < 1;
    const shades = Uint8Array.from({ length: 256 }, (_, byte) => (byte ? shadeOf(byte / 255, view.log) : 0));
    rows.forEach((row, y) =>
      row.forEach((head, x) => this.drawHead(brush, bytes, shades, head, left + x * side + GAP / 2, top + y * side + GAP / 2)),
    );
  }

  /** @param {CanvasRenderingContext2D} brush @param {Uint8Array} bytes @param {Uint8Array} shades
   * @param {Grid["heads"][number]} tile @param {number} x @param {number} y */
  drawHead(brush, bytes, shades, { layer, head, at, high, wide }, x, y) {
    const { view } = this;
    const pixels = bytes.subarray(at, at + high * wide);
    brush.drawImage(view.picture(pixels.map((byte) => shades[byte]), wide), x, y, TILE, TILE);
    if (!view.meta.looked && pixels.every((byte) => byte === 0)) {
      brush.fillStyle = view.hatching(brush);
      brush.fillRect(x, y, TILE, TILE);
    }
    brush.strokeStyle = view.theme.faint;
    brush.lineWidth = 1;
    brush.strokeRect(x - 0.5, y - 0.5, TILE + 1, TILE + 1);
    const { selection } = view;
    if (selection.kind !== this.kind.name || selection.layer !== layer || selection.head !== head) return;
    brush.strokeStyle = view.theme.accent;
    brush.lineWidth = 3;
    brush.strokeRect(x - 1, y - 1, TILE + 2, TILE + 2);
  }

  /** Scroll to the chosen head.
   * @param {HTMLElement} frame what the grids scroll in */
  reveal(frame) {
    const { kind, layer, head } = this.view.selection;
    if (kind !== this.kind.name || !this.rows) return;
    const isChosen = (/** @type {Grid["heads"][number]} */ tile) => tile.layer === layer && tile.head === head;
    const y = this.rows.findIndex((row) => row.some(isChosen));
    const x = this.rows[y]?.findIndex(isChosen) ?? 0;
    const [canvas, seen, side] = [this.canvas.getBoundingClientRect(), frame.getBoundingClientRect(), TILE + GAP];
    const into = (/** @type {number} */ from, /** @type {number} */ room) => Math.min(from, 0) + Math.max(from + side + 6 - room, 0);
    frame.scrollTop += into(canvas.top + 18 + y * side - 20 - seen.top, frame.clientHeight - 20);
    frame.scrollLeft += into(canvas.left + 24 + x * side - 4 - seen.left, frame.clientWidth);
  }

  /** @param {MouseEvent} event */
  headAt(event) {
    const side = TILE + GAP;
    return this.rows?.[Math.floor((event.offsetY - 18) / side)]?.[Math.floor((event.offsetX - 24) / side)];
  }

  /** @param {Grid["heads"][number] | undefined} head */
  choose(head) {
    if (head) this.view.select({ kind: this.kind.name, layer: head.layer, head: head.head });
  }

  /** @param {Grid["heads"][number] | undefined} head */
  hover(head) {
    this.canvas.style.cursor = head ? "pointer" : "default";
    if (head) this.view.say(this.sentence(head));
  }

  /** @param {Grid["heads"][number]} head @returns {Part[]} */
  sentence({ layer, head, index }) {
    const measured = Object.entries(this.kind.measures)
      .filter(([, values]) => values[index] !== null)
      .map(([name, values]) => `${name.replaceAll("_", " ")} ${/** @type {number} */ (values[index]).toFixed(2)}${UNITS[name] ?? ""}`);
    const name = describe(this.kind.title, layer, head);
    return [measured.length ? `${name}: ${measured.join(", ")}` : name + (this.view.meta.looked ? "" : ": the text is long, so a head is computed when it is chosen")];
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step || !this.rows || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const { selection } = this.view;
    const isHere = selection.kind === this.kind.name;
    const [y, x] = this.rows.reduce(
      (found, row, at) => {
        const column = row.findIndex(({ layer, head }) => layer === selection.layer && head === selection.head);
        return isHere && column >= 0 ? [at, column] : found;
      },
      [0, isHere ? 0 : -step[1]],
    );
    const row = this.rows[clamp(y + (isHere ? step[0] : 0), 0, this.rows.length - 1)];
    const next = row[clamp(x + step[1], 0, row.length - 1)];
    this.choose(next);
    this.view.say(this.sentence(next));
  }
}

/** A canvas for the picture, one above it for what is pointed at, and room to scroll in. */
class Stage {
  /** @param {string} label */
  constructor(label) {
    this.base = make("canvas", { tabindex: "0", role: "application", "aria-label": label });
    this.over = make("canvas", { class: "over", "aria-hidden": "true" });
    this.glass = make("div", { class: "glass" }, this.base, this.over);
    this.room = make("div", {}, this.glass);
    this.element = make("div", { class: "scroll" }, this.room);
  }

  /** @param {number} width @param {number} height of what is seen @param {number} wide @param {number} high of all */
  measure(width, height, wide, high) {
    const isWhole = wide <= width + 0.5 && high <= height + 0.5;
    this.element.classList.toggle("whole", isWhole);
    this.element.style.height = `${height}px`;
    this.room.style.width = `${isWhole ? Math.min(wide, width) : wide}px`;
    this.room.style.height = `${isWhole ? height : high}px`;
    this.width = isWhole ? width : this.element.clientWidth;
    this.height = isWhole ? height : this.element.clientHeight;
    this.glass.style.width = `${this.width}px`;
    this.glass.style.height = `${this.height}px`;
  }
}

/** One head: a row for each token that reads, a column for each that is read. */
class Matrix {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.stage = new Stage("Matrix: arrow keys walk its cells, plus and minus zoom, Enter locks a row");
    this.zoom = 1;
    const { base, element } = this.stage;
    element.addEventListener("scroll", () => view.schedule());
    base.addEventListener("pointermove", (event) => view.point(this.cellAt(event)));
    base.addEventListener("pointerleave", () => view.leave());
    base.addEventListener("click", (event) => {
      const cell = this.cellAt(event);
      if (cell) view.lock("rows", cell.row, event.shiftKey);
    });
    base.addEventListener("keydown", (event) => this.press(event));
    base.addEventListener("wheel", (event) => this.roll(event), { passive: false });
    const buttons = [
      ["−", "Zoom out", () => this.zoomTo(this.zoom / 1.5)],
      ["+", "Zoom in", () => this.zoomTo(this.zoom * 1.5)],
      ["whole", "Show the whole matrix", () => this.zoomTo(1)],
    ].map(([text, label, act]) => {
      const button = make("button", { type: "button", "aria-label": String(label) }, String(text));
      button.addEventListener("click", /** @type {() => void} */ (act));
      return button;
    });
    this.caption = make("small");
    this.element = make("figure", { class: "matrix" }, make("figcaption", {}, "Matrix", ...buttons), this.stage.element, this.caption);
    this.cell = 1;
    this.left = this.top = 0;
    /** @type {[number, number]} */
    this.meant = [0, 0]; // where zooming scrolled to, exactly
  }

  /** Choose the size of a cell and the room for the names. */
  measure() {
    const { rows, columns } = this.shown();
    const longest = (/** @type {string[]} */ names) => this.view.textWidth(names, LONGEST_LABEL);
    this.left = Math.min(longest(rows.names), 130) + 26;
    this.top = Math.min(longest(columns.names), 130) + 30;
    const width = Math.max(220, this.element.clientWidth);
    const [high, wide] = [Math.max(rows.names.length, 1), Math.max(columns.names.length, 1)];
    this.right = 10;
    const fit = Math.min((width - this.left - this.right) / wide, (TALLEST - this.top) / high, LARGEST_CELL);
    this.zoom = clamp(this.zoom, 1, Math.max(1, 40 / fit));
    this.cell = fit * this.zoom;
    this.element.dataset.place = [this.left, this.top, this.cell].join(" "); // for whoever points at a cell
    // the frame stays as it is when one zooms
    this.stage.measure(width, Math.min(TALLEST, this.top + high * fit + 10), this.left + wide * this.cell + this.right, this.top + high * this.cell + 10);
  }

  shown() {
    return /** @type {Shown} */ (this.view.shown);
  }

  /** @returns {Place} the rows and columns in sight */
  sight() {
    const { rows, columns } = this.shown();
    const { scrollTop, scrollLeft } = this.stage.element;
    const high = /** @type {number} */ (this.stage.height) - this.top;
    const wide = /** @type {number} */ (this.stage.width) - this.left;
    return [
      clamp(Math.floor(scrollTop / this.cell), 0, rows.names.length),
      clamp(Math.ceil((scrollTop + high) / this.cell), 0, rows.names.length),
      clamp(Math.floor(scrollLeft / this.cell), 0, columns.names.length),
      clamp(Math.ceil((scrollLeft + wide) / this.cell), 0, columns.names.length),
    ];
  }

  /** @param {number} row */
  y(row) {
    return this.top + row * this.cell - this.stage.element.scrollTop;
  }

  /** @param {number} column */
  x(column) {
    return this.left + column * this.cell - this.stage.element.scrollLeft;
  }

  draw() {
    this.measure();
    const { view, stage } = this;
    const shown = this.shown();
    const brush = paintOn(stage.base, stage.width ?? 1, stage.height ?? 1);
    const part = this.sight();
    const [top, bottom, left, right] = part;
    this.caption.textContent = view.meta.writes && view.selection.kind !== "encoder" ? "rows read (→ what is written next), columns are read" : "rows read, columns are read";
    if (bottom <= top || right <= left) return;
    brush.save();
    brush.beginPath();
    brush.rect(this.left, this.top, stage.width ?? 1, stage.height ?? 1);
    brush.clip();
    const [high, wide] = [(bottom - top) * this.cell, (right - left) * this.cell];
    const ratio = window.devicePixelRatio || 1;
    const [pixelsHigh, pixelsWide] = [[bottom - top, high], [right - left, wide]].map(([count, size]) => Math.max(1, Math.min(count, Math.floor(size * ratio))));
    const values = shown.pixels ? view.mapped(part, pixelsHigh, pixelsWide) : pool(shown, part, pixelsHigh, pixelsWide);
    const shades = Uint8Array.from(values, (value) => (value ? shadeOf(value, view.log) : 0));
    brush.imageSmoothingEnabled = false;
    brush.drawImage(view.picture(shades, pixelsWide), this.x(left), this.y(top), wide, high);
    this.hatch(brush, part);
    if (this.cell >= 9) this.rule(brush, part);
    brush.strokeStyle = view.theme.quiet;
    brush.strokeRect(this.x(0), this.y(0), shown.columns.names.length * this.cell, shown.rows.names.length * this.cell);
    brush.restore();
    this.name(brush, part);
    this.drawOver();
  }

  /** Hatch what is masked. @param {CanvasRenderingContext2D} brush @param {Place} part */
  hatch(brush, [top, bottom, left, right]) {
    const { spans } = this.shown();
    brush.fillStyle = this.view.hatching(brush);
    const step = Math.max(1, Math.floor(1 / this.cell));
    for (let row = top; row < bottom; row += step) {
      const [first, end] = [clamp(spans[2 * row], left, right), clamp(spans[2 * row + 1], left, right)];
      const high = Math.min(step, bottom - row) * this.cell;
      if (first > left) brush.fillRect(this.x(left), this.y(row), (first - left) * this.cell, high);
      if (end < right) brush.fillRect(this.x(end), this.y(row), (right - end) * this.cell, high);
    }
  }

  /** Draw thin lines between cells. @param {CanvasRenderingContext2D} brush @param {Place} part */
  rule(brush, [top, bottom, left, right]) {
    brush.strokeStyle = this.view.theme.faint;
    brush.lineWidth = 0.5;
    brush.beginPath();
    for (let row = top; row <= bottom; row++) {
      brush.moveTo(this.x(left), this.y(row));
      brush.lineTo(this.x(right), this.y(row));
    }
    for (let column = left; column <= right; column++) {
      brush.moveTo(this.x(column), this.y(top));
      brush.lineTo(this.x(column), this.y(bottom));
    }
    brush.stroke();
  }

  /** Write the names beside the cells, and which axis is which. @param {CanvasRenderingContext2D} brush @param {Place} part */
  name(brush, [top, bottom, left, right]) {
    const { rows, columns } = this.shown();
    const { theme } = this.view;
    const every = Math.max(1, Math.ceil(12 / this.cell));
    const bounds = [this.stage.width ?? 1, this.stage.height ?? 1];
    brush.fillStyle = theme.ink;
    brush.textAlign = "right";
    for (let row = Math.ceil(top / every) * every; row < bottom; row += every) {
      const y = this.y(row + 0.5);
      if (y > this.top && y < bounds[1] - 3) brush.fillText(legible(rows.names[row], LONGEST_LABEL), this.left - 5, y, this.left - 24);
    }
    brush.textAlign = "left";
    for (let column = Math.ceil(left / every) * every; column < right; column += every) {
      const x = this.x(column + 0.5);
      if (x < this.left || x > bounds[0] - 3) continue;
      brush.save();
      brush.translate(x, this.top - 5);
      brush.rotate(-Math.PI / 2);
      brush.fillText(legible(columns.names[column], LONGEST_LABEL), 0, 0, this.top - 26);
      brush.restore();
    }
    brush.fillStyle = theme.quiet;
    brush.fillText("is read →", this.left, 9);
    brush.translate(9, this.top);
    brush.rotate(-Math.PI / 2);
    brush.textAlign = "right";
    brush.fillText("← reads", 0, 0);
    brush.rotate(Math.PI / 2);
    brush.translate(-9, -this.top);
  }

  /** Mark what is pointed at and what is locked. */
  drawOver() {
    const { view, stage } = this;
    const brush = paintOn(stage.over, stage.width ?? 1, stage.height ?? 1);
    const { rows, columns } = this.shown();
    brush.beginPath();
    brush.rect(this.left - 2, this.top - 2, stage.width ?? 1, stage.height ?? 1);
    brush.clip();
    brush.strokeStyle = view.theme.accent;
    brush.lineWidth = this.cell < 6 ? 1 : 2;
    const band = (/** @type {Role} */ role, /** @type {number} */ at) => {
      const size = Math.max(this.cell, 2);
      if (role === "rows") brush.strokeRect(this.x(0), this.y(at), columns.names.length * this.cell, size);
      else brush.strokeRect(this.x(at), this.y(0), size, rows.names.length * this.cell);
    };
    const focus = view.focus();
    focus?.ats.forEach((at) => band(focus.role, at));
    if (!view.cell) return;
    brush.globalAlpha = 0.45;
    brush.lineWidth = 1;
    band("rows", view.cell.row);
    band("columns", view.cell.column);
    brush.globalAlpha = 1;
    brush.lineWidth = 2.5;
    brush.strokeRect(this.x(view.cell.column), this.y(view.cell.row), Math.max(this.cell, 3), Math.max(this.cell, 3));
  }

  /** @param {MouseEvent} event @returns {Cell | null} */
  cellAt(event) {
    if (!this.view.shown || event.offsetX < this.left || event.offsetY < this.top) return null;
    const { scrollTop, scrollLeft } = this.stage.element;
    const row = Math.floor((event.offsetY - this.top + scrollTop) / this.cell);
    const column = Math.floor((event.offsetX - this.left + scrollLeft) / this.cell);
    const { rows, columns } = this.shown();
    return row < rows.names.length && column < columns.names.length ? { row, column } : null;
  }

  /** Zoom, so that what is at a place (the pointed cell or the middle) stays there.
   * @param {number} zoom @param {number} [atX] @param {number} [atY] */
  zoomTo(zoom, atX, atY) {
    if (!this.view.shown) return;
    const { element, width, height } = this.stage;
    const x = (atX ?? (this.left + (width ?? 0)) / 2) - this.left;
    const y = (atY ?? (this.top + (height ?? 0)) / 2) - this.top;
    // browsers round where they scroll to, which is many cells where cells are small
    const near = (/** @type {number} */ scrolled, /** @type {number} */ meant) => (Math.abs(scrolled - meant) < 1.5 ? meant : scrolled);
    const [left, top] = [near(element.scrollLeft, this.meant[0]), near(element.scrollTop, this.meant[1])];
    const [column, row] = [(x + left) / this.cell, (y + top) / this.cell];
    this.zoom = zoom;
    this.measure();
    this.meant = [column * this.cell - x, row * this.cell - y];
    [element.scrollLeft, element.scrollTop] = this.meant;
    this.view.schedule();
  }

  /** @param {WheelEvent} event */
  roll(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    this.zoomTo(this.zoom * Math.exp(-event.deltaY / 200), event.offsetX, event.offsetY);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const { view } = this;
    if (!view.shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const { rows, columns } = view.shown;
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const at = view.cell;
    if (step) {
      view.point({
        row: clamp((at?.row ?? 0) + (at ? step[0] : 0), 0, rows.names.length - 1),
        column: clamp((at?.column ?? 0) + (at ? step[1] : 0), 0, columns.names.length - 1),
      });
      this.reveal();
    } else if (event.key === "+" || event.key === "=") this.zoomTo(this.zoom * 1.5);
    else if (event.key === "-") this.zoomTo(this.zoom / 1.5);
    else if (event.key === "0") this.zoomTo(1);
    else if ((event.key === "Enter" || event.key === " ") && at) view.lock("rows", at.row, event.shiftKey);
    else return;
    event.preventDefault();
  }

  /** Scroll to the cell that is pointed at. */
  reveal() {
    const { element, width, height } = this.stage;
    const cell = this.view.cell;
    if (!cell) return;
    const into = (/** @type {number} */ scroll, /** @type {number} */ at, /** @type {number} */ room) =>
      clamp(scroll, (at + 1) * this.cell - room, at * this.cell);
    element.scrollTop = into(element.scrollTop, cell.row, (height ?? 0) - this.top);
    element.scrollLeft = into(element.scrollLeft, cell.column, (width ?? 0) - this.left);
  }
}

/** One head: the tokens in two columns, a line for each weight. */
class Lines {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.stage = new Stage("Lines: arrow keys walk tokens and change sides, Enter locks one, shift and Enter sums several, Escape unlocks");
    const { base, element } = this.stage;
    element.addEventListener("scroll", () => view.schedule());
    base.addEventListener("pointermove", (event) => {
      const token = this.tokenAt(event);
      view.hoverToken(token);
      base.style.cursor = token ? "pointer" : "default";
    });
    base.addEventListener("pointerleave", () => view.leave());
    base.addEventListener("click", (event) => {
      const token = this.tokenAt(event);
      if (token) view.lock(token.role, token.ats[0], event.shiftKey);
      else view.unlock();
    });
    base.addEventListener("keydown", (event) => this.press(event));
    this.caption = make("small");
    this.element = make("figure", { class: "lines" }, make("figcaption", {}, "Lines"), this.stage.element, this.caption);
  }

  draw() {
    const { view, stage } = this;
    const shown = /** @type {Shown} */ (view.shown);
    const count = Math.max(shown.rows.names.length, shown.columns.names.length);
    const width = Math.max(200, this.element.clientWidth);
    stage.measure(width, Math.min(TALLEST, 26 + count * LINE + 4), 0, 26 + count * LINE + 4);
    const brush = paintOn(stage.base, stage.width ?? 1, stage.height ?? 1);
    const longest = Math.max(view.textWidth(shown.rows.names, LONGEST_LABEL), view.textWidth(shown.columns.names, LONGEST_LABEL));
    this.wide = Math.min(((stage.width ?? 1) - 70) / 2, 130, Math.max(longest, 40) + 12);
    brush.fillStyle = view.theme.quiet;
    brush.textAlign = "right";
    brush.fillText("reads", this.wide - 5, 10);
    brush.textAlign = "left";
    brush.fillText("is read", (stage.width ?? 1) - this.wide + 5, 10);
    brush.save();
    brush.beginPath();
    brush.rect(0, 22, stage.width ?? 1, stage.height ?? 1);
    brush.clip();
    this.drawLinks(brush, shown);
    this.drawNames(brush, shown, "rows");
    this.drawNames(brush, shown, "columns");
    brush.restore();
  }

  /** @param {number} at */
  y(at) {
    return 24 + (at + 0.5) * LINE - this.stage.element.scrollTop;
  }

  /** @param {number} count @returns {[number, number]} the tokens in sight */
  sight(count) {
    const { scrollTop } = this.stage.element;
    return [
      clamp(Math.floor((scrollTop - 24) / LINE), 0, count),
      clamp(Math.ceil((scrollTop + (this.stage.height ?? 0)) / LINE), 0, count),
    ];
  }

  /** Collect the links that are to be drawn, the strongest last. @param {Shown} shown */
  links(shown) {
    const { view } = this;
    const focus = view.focus();
    const columns = shown.columns.names.length;
    const [top, bottom] = this.sight(shown.rows.names.length);
    const rows = focus?.role === "rows" ? focus.ats : Array.from({ length: shown.rows.names.length }, (_, at) => at);
    const inSight = focus ? rows : rows.slice(top, bottom);
    const chosen = focus?.role === "columns" ? focus.ats : null;
    /** @type {{row: number, column: number, shade: number}[]} */
    const links = [];
    for (const row of inSight) {
      const add = (/** @type {number} */ column) => {
        const value = shown.values[row * columns + column];
        const shade = value > 0 ? shadeOf(value, view.log) : 0;
        if (shade >= 2) links.push({ row, column, shade });
      };
      if (chosen) chosen.forEach(add);
      else for (let column = 0; column < columns; column++) add(column);
    }
    links.sort((a, b) => a.shade - b.shade);
    this.caption.textContent = links.length > MOST_LINKS ? `the strongest ${MOST_LINKS} of ${links.length} links in sight` : "";
    return links.slice(-MOST_LINKS);
  }

  /** @param {CanvasRenderingContext2D} brush @param {Shown} shown */
  drawLinks(brush, shown) {
    const [from, to] = [/** @type {number} */ (this.wide) + 3, (this.stage.width ?? 1) - /** @type {number} */ (this.wide) - 3];
    brush.strokeStyle = this.view.theme.link;
    for (const { row, column, shade } of this.links(shown)) {
      const [y, end] = [this.y(row), this.y(column)];
      brush.globalAlpha = 0.06 + (0.94 * shade) / 255;
      brush.lineWidth = 0.6 + (2.8 * shade) / 255;
      brush.beginPath();
      brush.moveTo(from, y);
      brush.bezierCurveTo(from + (to - from) * 0.4, y, to - (to - from) * 0.4, end, to, end);
      brush.stroke();
    }
    brush.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} brush @param {Shown} shown @param {Role} role */
  drawNames(brush, shown, role) {
    const { view } = this;
    const names = shown[role].names;
    const wide = /** @type {number} */ (this.wide);
    const x = role === "rows" ? 0 : (this.stage.width ?? 1) - wide;
    const focus = view.focus();
    const sums = focus && focus.role !== role ? view.sums(focus) : null;
    const [top, bottom] = this.sight(names.length);
    brush.textAlign = role === "rows" ? "right" : "left";
    for (let at = top; at < bottom; at++) {
      const y = this.y(at) - LINE / 2 + 1;
      brush.fillStyle = view.theme.ink;
      if (sums && focus) {
        const shade = sums[at] > 0 ? shadeOf(sums[at] / focus.ats.length, view.log) : 0;
        brush.fillStyle = colour(view.table, shade);
        brush.fillRect(x, y, wide, LINE - 2);
        brush.fillStyle = isDark(view.table, shade) ? "#ffffff" : "#1b1b1b";
      }
      brush.fillText(legible(names[at], LONGEST_LABEL), role === "rows" ? x + wide - 5 : x + 5, this.y(at), wide - 8);
      if (focus?.role === role && focus.ats.includes(at)) {
        brush.strokeStyle = view.theme.accent;
        brush.lineWidth = view.locked ? 3 : 1.5;
        brush.strokeRect(x + 1.5, y, wide - 3, LINE - 2);
      }
    }
  }

  /** @param {MouseEvent} event @returns {Focus | null} */
  tokenAt(event) {
    const { shown } = this.view;
    if (!shown || event.offsetY < 24) return null;
    const wide = this.wide ?? 0;
    const role = event.offsetX < wide ? "rows" : event.offsetX > (this.stage.width ?? 0) - wide ? "columns" : null;
    const at = Math.floor((event.offsetY - 24 + this.stage.element.scrollTop) / LINE);
    return role && at < shown[role].names.length ? { role, ats: [at] } : null;
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const { view } = this;
    if (!view.shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const token = view.token;
    const role = token?.role ?? "rows";
    const at = token?.ats[0] ?? 0;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.walk(role, token ? at + (event.key === "ArrowDown" ? 1 : -1) : 0);
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      this.walk(event.key === "ArrowLeft" ? "rows" : "columns", at);
    } else if (event.key === "Enter" || event.key === " ") view.lock(role, at, event.shiftKey);
    else if (event.key === "Escape") view.unlock();
    else return;
    event.preventDefault();
  }

  /** @param {Role} role @param {number} at */
  walk(role, at) {
    const { element, height } = this.stage;
    const last = /** @type {Shown} */ (this.view.shown)[role].names.length - 1;
    const next = clamp(at, 0, last);
    element.scrollTop = clamp(element.scrollTop, (next + 1) * LINE + 26 - (height ?? 0), next * LINE);
    this.view.hoverToken({ role, ats: [next] });
  }
}

/** One weight: the query and the key, dimension by dimension, and the steps from there. */
class Inside {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    /** @type {Anatomy | null} */
    this.found = null;
    /** @type {Cell | null} */
    this.cell = null;
    this.dimension = -1;
    this.canvas = make("canvas", { tabindex: "0", role: "application", "aria-label": "Why this weight: arrow keys walk the dimensions of query and key" });
    this.steps = make("ol", { class: "steps" });
    this.note = make("p", {}, "Point at a cell of the matrix to see why its weight is what it is.");
    this.element = make("figure", { class: "inside" }, make("figcaption", {}, "Why this weight"), this.note, this.canvas, this.steps);
    this.element.hidden = !view.model.send; // only a kernel knows queries and keys
    this.canvas.hidden = true;
    this.canvas.addEventListener("pointermove", (event) => this.point(this.dimensionAt(event)));
    this.canvas.addEventListener("pointerleave", () => this.point(-1));
    this.canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !this.found || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.point(clamp(this.dimension + step, 0, this.found.query.length - 1));
    });
  }

  /** Another head is shown: ask about the same cell. */
  again() {
    const shown = this.view.shown;
    const { cell } = this;
    this.found = null;
    this.canvas.hidden = true;
    this.steps.replaceChildren();
    if (shown && cell && cell.row < shown.rows.names.length && cell.column < shown.columns.names.length) {
      this.view.cell = cell;
      this.view.ask(cell);
    }
  }

  /** @param {Cell} cell @param {{anatomy?: Anatomy, why_not?: string}} answer */
  show(cell, { anatomy, why_not: whyNot }) {
    this.cell = cell;
    this.found = anatomy ?? null;
    this.dimension = -1;
    this.canvas.hidden = !anatomy;
    this.note.hidden = Boolean(anatomy);
    this.note.textContent = whyNot ?? "";
    this.steps.replaceChildren(...(anatomy ? this.say(anatomy) : []).map((step) => make("li", {}, step)));
    this.view.schedule("over");
  }

  /** Say the steps from the products to the weight.
   * @param {Anatomy} found */
  say({ query, key, dot, scale, bias, softcap, score, log_sum: logSum, sink, weight, num_keys: count }) {
    const n = (/** @type {number} */ x) => String(Number(x.toPrecision(4))).replace("-", "−");
    const products = query.map((q, at) => q * key[at]);
    const largest = [...products.keys()].sort((a, b) => Math.abs(products[b]) - Math.abs(products[a])).slice(0, 3);
    const added = dot * scale + bias;
    const steps = [
      `q · k = ${n(dot)}, the sum of ${query.length} products; the largest: ${largest.map((at) => `${n(products[at])} in dimension ${at}`).join(", ")}`,
      `× scale ${n(scale)} = ${n(dot * scale)}`,
    ];
    if (bias) steps.push(`+ bias, such as a position term, ${n(bias)} = ${n(added)}`);
    if (softcap !== null) steps.push(`squeezed to ±${n(softcap)} = ${n(softcap * Math.tanh(added / softcap))}`);
    if (score === null) return [...steps, "masked: this query may not read this key, so the weight is 0"];
    const sum = `over the ${count} ${count === 1 ? "key" : "keys"} that it may read${sink === null ? "" : `, and the sink's exp(${n(sink)})`}`;
    return [...steps, `softmax: exp(${n(score)}), divided by its sum ${sum}, exp(${n(logSum)}), = ${n(weight)}`];
  }

  draw() {
    if (!this.found || this.element.hidden) return;
    const { theme } = this.view;
    const { query, key, query_token: reads, key_token: read } = this.found;
    const products = query.map((q, at) => q * key[at]);
    const width = Math.max(240, this.element.clientWidth);
    const brush = paintOn(this.canvas, width, 214);
    this.step = (width - 16) / query.length;
    /** @type {[string, number[], number, number][]} */
    const charts = [
      [`query of ${legible(reads, LONGEST_LABEL)}`, query, 0, 30],
      [`key of ${legible(read, LONGEST_LABEL)}`, key, 66, 30],
      ["product of each dimension", products, 132, 58],
    ];
    for (const [title, values, top, high] of charts) {
      brush.fillStyle = theme.quiet;
      brush.textAlign = "left";
      brush.fillText(title, 8, top + 9);
      this.bars(brush, values, top + 20, high);
    }
    if (this.dimension < 0) return;
    brush.strokeStyle = theme.accent;
    brush.lineWidth = 1.5;
    brush.strokeRect(8 + this.dimension * this.step - 0.5, 18, Math.max(this.step, 2) + 1, 194);
  }

  /** Draw a bar for each value, up or down from zero.
   * @param {CanvasRenderingContext2D} brush @param {number[]} values @param {number} top @param {number} high */
  bars(brush, values, top, high) {
    const { theme } = this.view;
    const step = /** @type {number} */ (this.step);
    const most = Math.max(...values.map(Math.abs)) || 1;
    const middle = top + high / 2;
    values.forEach((value, at) => {
      const size = (Math.abs(value) / most) * (high / 2);
      brush.fillStyle = value < 0 ? theme.accent : theme.link;
      brush.fillRect(8 + at * step + step * 0.1, value < 0 ? middle : middle - size, Math.max(step * 0.8, 0.7), size);
    });
    brush.fillStyle = theme.quiet;
    brush.fillRect(8, middle - 0.25, values.length * step, 0.5);
  }

  /** @param {MouseEvent} event */
  dimensionAt(event) {
    const at = Math.floor((event.offsetX - 8) / (this.step ?? 1));
    return this.found && at >= 0 && at < this.found.query.length ? at : -1;
  }

  /** @param {number} dimension */
  point(dimension) {
    if (!this.found || dimension === this.dimension) return;
    this.dimension = dimension;
    if (dimension >= 0) {
      const [q, k] = [this.found.query[dimension], this.found.key[dimension]];
      const n = (/** @type {number} */ x) => Number(x.toPrecision(3));
      this.view.say([`dimension ${dimension}: ${n(q)} × ${n(k)} = ${n(q * k)}, of ${n(this.found.dot)} in all`]);
    } else this.view.say([]);
    this.view.schedule("over");
  }
}

/* ---- the view ---- */

/** The pictures of one model, and what they are linked by. */
class View {
  /** @param {HTMLElement} el @param {Model} model */
  constructor(el, model) {
    this.model = model;
    this.host = make("div", { "data-lm-suppress-shortcuts": "true", "data-regard": "" });
    const root = this.host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
    this.alert = make("p", { class: "alert", role: "alert", hidden: "" });
    this.body = make("div");
    this.section = make("section", { class: "view", "aria-label": "Attention" }, this.alert, this.body);
    root.append(this.section);
    el.append(this.host);
    /** @type {Shown | null} */
    this.shown = null;
    /** @type {Cell | null} */
    this.cell = null;
    /** @type {Focus | null} */
    this.token = null; // pointed at
    /** @type {Focus | null} */
    this.locked = null;
    /** @type {Tile | null} */
    this.tile = null; // the last part of a map that the kernel drew
    this.words = this.hide = this.log = false;
    /** @type {HTMLInputElement[]} */
    this.boxes = [];
    /** @type {Grid[]} */
    this.grids = [];
    /** @type {Theme} */
    this.theme = THEMES.light;
    this.table = colourTable(this.theme.stops);
    this.widths = new Map(); // of names, as they are written
    this.follow();
    this.hear();
    this.attempt(() => this.build());
  }

  /** Follow the theme and the size of the page. */
  follow() {
    const again = () => this.restyle();
    this.size = new ResizeObserver(() => this.schedule());
    this.size.observe(this.host);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", again);
    this.themes = new MutationObserver(again);
    const watched = { attributes: true, attributeFilter: ["class", "data-jp-theme-light", "theme", "style", "data-theme"] };
    for (const element of [document.documentElement, document.body]) if (element) this.themes.observe(element, watched);
    this.restyle();
  }

  restyle() {
    const [r, g, b] = (getComputedStyle(this.section).color.match(/[\d.]+/g) ?? ["0", "0", "0"]).map(Number);
    const name = 0.299 * r + 0.587 * g + 0.114 * b > 128 ? "dark" : "light";
    this.host.style.colorScheme = name;
    this.host.dataset.theme = name;
    this.theme = THEMES[name];
    this.table = colourTable(this.theme.stops);
    this.drawLegend();
    this.schedule();
  }

  /** Listen to the model. */
  hear() {
    const { model } = this;
    /** @type {[string, Hear][]} */
    this.ears = [
      ["change:meta", () => this.attempt(() => this.build())],
      ["change:selection", () => this.attempt(() => this.chosen())],
      ["change:weights", () => this.attempt(() => this.receive())],
      ["change:thumbnails", () => this.schedule()],
      ["msg:custom", (message, buffers) => this.attempt(() => this.answered(message, buffers))],
    ];
    for (const [event, ear] of this.ears) model.on(event, ear);
  }

  close() {
    for (const [event, ear] of this.ears ?? []) this.model.off(event, ear);
    this.size?.disconnect();
    this.themes?.disconnect();
    this.host.remove();
    this.closed = true;
  }

  /** Do something; if it fails, say so in the view.
   * @param {() => void} act */
  attempt(act) {
    try {
      act();
      this.alert.hidden = true;
    } catch (error) {
      this.fail(error);
    }
  }

  /** @param {unknown} error */
  fail(error) {
    this.alert.textContent = error instanceof Error ? error.message : String(error);
    this.alert.hidden = false;
  }

  get meta() {
    return this.model.get("meta");
  }

  get selection() {
    return this.model.get("selection");
  }

  build() {
    this.shown = null;
    this.boxes = [];
    this.body.replaceChildren();
    checkMeta(this.meta, this.model.get("thumbnails"));
    let start = 0;
    this.grids = this.meta.kinds.map((kind) => {
      const grid = new Grid(this, kind, start);
      start = grid.end;
      return grid;
    });
    this.matrix = new Matrix(this);
    this.lines = new Lines(this);
    this.inside = new Inside(this);
    this.sentence = make("p", { class: "sentence", role: "status", "aria-live": "polite" });
    this.frame = make("div", { class: "kinds" }, ...this.grids.map((grid) => grid.element));
    const heads = make("figure", { class: "heads" }, make("figcaption", {}, "Heads ", make("small", {}, "a layer a row; choose one")),
      this.frame);
    this.body.append(this.buildBar(), this.sentence, make("div", { class: "pictures" }, heads, this.matrix.element, this.lines.element, this.inside.element), this.buildFoot());
    this.restyle();
    this.chosen();
    this.receive();
  }

  buildBar() {
    this.kinds = this.menu("Attention", (value) => this.selectNearest(value, this.selection.layer, this.selection.head));
    this.layers = this.menu("Layer", (value) => this.selectNearest(this.selection.kind, Number(value), this.selection.head));
    this.heads = this.menu("Head", (value) => this.select({ ...this.selection, head: Number(value) }));
    this.sorts = this.menu("Heads by", (value) => {
      this.grids.forEach((grid) => grid.sort(value));
      this.schedule();
    });
    const measures = [...new Set(this.meta.kinds.flatMap(({ measures }) => Object.keys(measures)))];
    this.offer(this.sorts, ["", ...measures], "", (name) => name.replaceAll("_", " ") || "layer");
    this.offer(this.kinds, this.meta.kinds.map(({ name }) => name), this.selection.kind, (name) => this.meta.kinds.find((kind) => kind.name === name)?.title ?? name);
    const bar = make("div", { class: "bar" }, ...[this.kinds, this.layers, this.heads, this.sorts].map((menu) => /** @type {Node} */ (menu.parentNode)));
    const { sides } = this.meta;
    if (sides.some((side) => side.words)) bar.append(this.toggle("words", "words"));
    if (sides.some((side) => side.special.includes(true))) bar.append(this.toggle("hide", "hide special tokens"));
    bar.append(this.toggle("log", "log scale"));
    return bar;
  }

  /** @param {string} label @param {(value: string) => void} act */
  menu(label, act) {
    const select = make("select");
    select.addEventListener("change", () => this.attempt(() => act(select.value)));
    make("label", {}, label, select);
    return select;
  }

  /** @param {HTMLSelectElement} menu @param {(string | number)[]} values @param {string | number} chosen @param {(value: string) => string} [title] */
  offer(menu, values, chosen, title = String) {
    menu.replaceChildren(...values.map((value) => make("option", { value: String(value) }, title(String(value)))));
    menu.value = String(chosen);
  }

  /** @param {"words" | "hide" | "log"} name @param {string} label */
  toggle(name, label) {
    const box = make("input", { type: "checkbox" });
    if (name !== "log") this.boxes.push(box);
    box.checked = this[name];
    box.addEventListener("change", () => {
      this[name] = box.checked;
      if (name !== "log") this.attempt(() => this.receive());
      this.drawLegend();
      this.schedule();
    });
    return make("label", {}, box, label);
  }

  buildFoot() {
    this.legend = make("canvas", { role: "img", "aria-label": "Colours of the weights" });
    this.note = make("p");
    const keys = make("details", {}, make("summary", {}, "Keys and mouse"), make("p", {},
      "Tab goes from picture to picture. Heads: arrow keys choose layer and head. Matrix: arrow keys walk cells, + and − zoom, 0 shows all, Enter locks a row; the wheel with Ctrl zooms. ",
      "Lines: up and down walk tokens, left and right change sides, Enter or a click locks and unlocks, with Shift several are summed, Escape unlocks. Hatched: masked, or read by no head of the layer. A number in brackets: the place of one of several tokens that are alike, counted from 0."));
    const origin = make("dl", {}, ...Object.entries(this.meta.origin).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
    return make("div", { class: "foot" }, make("span", { class: "legend" }, this.legend), this.note, keys, make("details", {}, make("summary", {}, "Where this comes from"), origin));
  }

  drawLegend() {
    if (!this.legend) return;
    const brush = paintOn(this.legend, 200, 32);
    for (let x = 0; x < 160; x++) {
      brush.fillStyle = colour(this.table, Math.round((x / 159) * 255));
      brush.fillRect(20 + x, 2, 1.2, 12);
    }
    brush.strokeStyle = this.theme.quiet;
    brush.strokeRect(19.5, 1.5, 161, 13);
    brush.fillStyle = this.theme.ink;
    brush.textAlign = "center";
    const ticks = this.log ? ["≤.001", ".01", ".1", "1"] : ["0", ".5", "1"];
    ticks.forEach((tick, at) => brush.fillText(tick, 20 + (160 * at) / (ticks.length - 1), 24));
  }

  /* what is chosen */

  /** @param {string} kind @param {number} layer @param {number} head */
  selectNearest(kind, layer, head) {
    const ofKind = this.meta.kinds.find(({ name }) => name === kind);
    const found = ofKind?.layers.find(({ number }) => number === layer) ?? ofKind?.layers[0];
    if (found) this.select({ kind, layer: found.number, head: found.heads.includes(head) ? head : found.heads[0] });
  }

  /** @param {Selection} selection */
  select(selection) {
    findLayer(this.meta, selection);
    this.model.set("selection", selection);
    this.model.save_changes();
  }

  /** Another head was chosen, here or elsewhere. */
  chosen() {
    const { kind, layer } = findLayer(this.meta, this.selection);
    if (!this.kinds || !this.layers || !this.heads) return;
    this.kinds.value = kind.name;
    this.offer(this.layers, kind.layers.map(({ number }) => number), this.selection.layer);
    this.offer(this.heads, layer.heads, this.selection.head);
    this.isElsewhere = true;
    this.body.classList.toggle("waiting", this.isStale());
    this.section.setAttribute("aria-busy", String(this.isStale()));
    clearTimeout(this.patience);
    this.patience = setTimeout(() => {
      if (this.isStale() && this.model.send) this.say([`${describe(kind.title, this.selection.layer, this.selection.head)} is being computed …`]);
    }, 200);
    this.schedule();
  }

  /** Are the weights those of another head than the chosen one? */
  isStale() {
    const weights = this.model.get("weights");
    return ["kind", "layer", "head"].some((name) => weights?.[/** @type {"kind"} */ (name)] !== this.selection[/** @type {"kind"} */ (name)]);
  }

  /** Take the weights of the chosen head. */
  receive() {
    const weights = this.model.get("weights");
    const { selection } = this;
    if (this.isStale()) return; // those of the chosen head are on their way
    const { layer, kind } = findLayer(this.meta, selection);
    const before = this.shown;
    this.shown = null;
    this.shown = show(this.meta, layer, weights, this);
    const isAlike = before?.rows.names.length === this.shown.rows.names.length && before?.columns.names.length === this.shown.columns.names.length;
    if (!isAlike) this.cell = this.token = this.locked = null;
    this.tile = null;
    if (this.lines) this.lines.element.hidden = this.shown.pixels !== null;
    for (const box of this.boxes) box.disabled = this.shown.pixels !== null; // pixels are of no token
    this.body.classList.remove("waiting");
    this.section.setAttribute("aria-busy", "false");
    this.inside?.again();
    this.say(this.cell ? this.cellSentence(this.cell) : []);
    if (this.cell) this.ask(this.cell);
    if (this.note) this.note.textContent = this.remark(this.shown);
    this.section.setAttribute("aria-label", `Attention: ${describe(kind.title, selection.layer, selection.head)}`);
    this.schedule();
  }

  /** @param {Shown} shown */
  remark(shown) {
    const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(0)} %`;
    const notes = [`weights are rounded by at most ${Number(shown.rounding.toPrecision(2))}`];
    if (shown.pixels) notes.unshift(`a pixel has the largest of its weights${this.model.send ? "" : `, of ${Math.ceil(shown.rows.names.length / shown.pixels[0])} x ${Math.ceil(shown.columns.names.length / shown.pixels[1])} tokens at the finest`}`);
    if (this.hide && !shown.pixels) notes.unshift(`${percent(shown.hiddenShare)} of the attention goes to the hidden tokens`);
    if (this.meta.hidden) {
      const mass = shown.values.reduce((sum, value) => sum + value, 0) / Math.max(1, shown.rows.names.length);
      notes.unshift(`about ${percent(Math.max(0, 1 - mass))} of the attention goes to tokens hidden before`);
    }
    return notes.join("; ");
  }

  /* what is pointed at */

  /** @param {Cell | null} cell */
  point(cell) {
    if (cell && cell.row === this.cell?.row && cell.column === this.cell.column) return;
    this.cell = cell;
    this.token = null;
    if (cell) {
      this.say(this.cellSentence(cell));
      this.ask(cell);
    } else this.say([]);
    this.schedule("over");
  }

  /** @param {Focus | null} token */
  hoverToken(token) {
    if (token?.role === this.token?.role && token?.ats[0] === this.token?.ats[0]) return;
    this.token = token;
    this.cell = null;
    this.say([]);
    this.schedule("over");
  }

  leave() {
    this.cell = this.token = null;
    this.say([]);
    this.schedule("over");
  }

  /** Lock a token, or unlock it; several are summed.
   * @param {Role} role @param {number} at @param {boolean} several */
  lock(role, at, several) {
    const before = this.locked?.role === role ? this.locked.ats : [];
    const isLocked = before.includes(at);
    let ats = several ? (isLocked ? before.filter((other) => other !== at) : [...before, at]) : [at];
    if (!several && isLocked && before.length === 1) ats = [];
    this.locked = ats.length ? { role, ats } : null;
    this.say(this.locked ? this.focusSentence(this.locked) : ["unlocked"]);
    this.schedule("over");
  }

  unlock() {
    if (!this.locked) return;
    this.locked = null;
    this.say(["unlocked"]);
    this.schedule("over");
  }

  /** @returns {Focus | null} what the lines are drawn for */
  focus() {
    return this.locked ?? this.token ?? (this.cell && { role: "rows", ats: [this.cell.row] });
  }

  /** Sum what some rows read, or what some columns get.
   * @param {Focus} focus */
  sums({ role, ats }) {
    const { rows, columns, values } = /** @type {Shown} */ (this.shown);
    const wide = columns.names.length;
    if (role === "rows") return Float32Array.from({ length: wide }, (_, column) => ats.reduce((sum, row) => sum + values[row * wide + column], 0));
    return Float32Array.from(rows.names, (_, row) => ats.reduce((sum, column) => sum + values[row * wide + column], 0));
  }

  /* sentences */

  /** Name a token; one of several that are alike by its place, too.
   * @param {Role} role @param {number} at @returns {Part} */
  named(role, at) {
    const { names } = /** @type {Shown} */ (this.shown)[role];
    const isOneOfSeveral = names.indexOf(names[at]) !== names.lastIndexOf(names[at]);
    return { em: legible(names[at], LONGEST_NAME) + (isOneOfSeveral ? ` (${at})` : "") };
  }

  /** @param {Cell} cell @param {{weight: number, rank: number}} [exact] @returns {Part[]} */
  cellSentence({ row, column }, exact) {
    const { columns, values, spans, rounding, pixels } = /** @type {Shown} */ (this.shown);
    const wide = columns.names.length;
    const [first, end] = [spans[2 * row], spans[2 * row + 1]];
    const names = [this.named("rows", row), this.named("columns", column)];
    if (column < first || column >= end) return [names[0], " does not read ", names[1], ": masked (no head of this layer reads it)"];
    if (pixels) return this.mapSentence(names, end - first, { row, column }, exact);
    const value = values[row * wide + column];
    let rank = 1;
    for (let at = first; at < end; at++) if (values[row * wide + at] > value) rank++;
    const small = `less than ${Number(rounding.toPrecision(1))}`; // the byte is 0, the weight need not be
    const weight = exact ? String(Number(exact.weight.toPrecision(4))) : value ? written(value) : small;
    return [names[0], " reads ", names[1], `: ${weight}, its ${ordinal(rank)} of ${end - first}`];
  }

  /** Say a weight of a map, which only a kernel knows exactly.
   * @param {Part[]} names @param {number} count @param {Cell} cell @param {{weight: number, rank: number}} [exact] @returns {Part[]} */
  mapSentence(names, count, { row, column }, exact) {
    if (exact) return [names[0], " reads ", names[1], `: ${Number(exact.weight.toPrecision(4))}, its ${ordinal(exact.rank)} of ${count}`];
    const [most] = enlarge(/** @type {Shown} */ (this.shown), [row, row + 1, column, column + 1], 1, 1);
    return [names[0], " reads ", names[1], `: at most ${written(most)}`];
  }

  /** @param {Focus} focus @returns {Part[]} */
  focusSentence(focus) {
    const shown = /** @type {Shown} */ (this.shown);
    if (shown.pixels) {
      this.model.send?.({ ask: "strongest", ...this.selection, role: focus.role, ats: focus.ats });
      return [this.named(focus.role, focus.ats[0])];
    }
    const sums = this.sums(focus);
    const strongest = [...sums.keys()].filter((at) => sums[at] > 0).sort((a, b) => sums[b] - sums[a]).slice(0, 3);
    return this.strongestSentence(focus, strongest.map((at) => [at, sums[at]]), sums.reduce((sum, value) => sum + value, 0));
  }

  /** @param {Focus} focus @param {[number, number][]} strongest tokens of the other side, and their sums @param {number} all @returns {Part[]} */
  strongestSentence(focus, strongest, all) {
    const other = focus.role === "rows" ? "columns" : "rows";
    /** @type {Part[]} */
    const parts = [];
    focus.ats.slice(0, 4).forEach((at, place) => parts.push(...(place ? [" and "] : []), this.named(focus.role, at)));
    if (focus.ats.length > 4) parts.push(` and ${focus.ats.length - 4} more`);
    const verb = focus.ats.length > 1 ? (focus.role === "rows" ? " together read most: " : " together are read most by: ") : focus.role === "rows" ? " reads most: " : " is read most by: ";
    if (!strongest.length) return [...parts, focus.role === "rows" ? " reads nothing here" : " is read by nothing here"];
    parts.push(verb);
    strongest.forEach(([at, sum], place) => parts.push(...(place ? [", "] : []), this.named(other, at), ` ${written(sum)}`));
    if (focus.role === "columns") parts.push(`; ${written(all)} from all ${/** @type {Shown} */ (this.shown).rows.names.length} together`);
    return parts;
  }

  /** Say a sentence; if it is empty, what is locked or chosen.
   * @param {Part[]} parts */
  say(parts) {
    if (!this.sentence) return;
    if (!parts.length && this.shown) {
      const focus = this.token ?? this.locked;
      parts = focus ? this.focusSentence(focus) : this.headSentence();
    }
    const text = parts.map((part) => (typeof part === "string" ? part : part.em)).join("");
    if (this.sentence.textContent === text) return;
    this.sentence.replaceChildren(...parts.map((part) => (typeof part === "string" ? part : make("em", {}, part.em))));
  }

  /** @returns {Part[]} */
  headSentence() {
    const { kind, layer, head } = this.selection;
    const grid = this.grids.find((one) => one.kind.name === kind);
    const tile = grid?.heads.find((one) => one.layer === layer && one.head === head);
    return grid && tile ? grid.sentence(tile) : [];
  }

  /* the kernel */

  /** Ask for the exact weight, and why it is, where there is someone to ask.
   * @param {Cell} cell */
  ask(cell) {
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      if (cell !== this.cell || !this.shown) return;
      this.model.send?.({ ask: "weight", ...this.asked(cell) });
      this.model.send?.({ ask: "anatomy", ...this.asked(cell) });
    }, 80);
  }

  /** Name the head and the tokens of a cell to the kernel.
   * @param {Cell} cell */
  asked({ row, column }) {
    const { rows, columns } = /** @type {Shown} */ (this.shown);
    return { ...this.selection, queries: rows.groups[row], keys: columns.groups[column] };
  }

  /** @param {any} message @param {DataView[]} [buffers] */
  answered(message, buffers) {
    if (message?.answer === "problem") throw new Error(String(message.text));
    const { cell, shown, selection } = this;
    const isOf = (/** @type {object} */ asked) => Object.entries(asked).every(([name, value]) => JSON.stringify(message[name]) === JSON.stringify(value));
    if (!shown || !isOf(selection)) return;
    if (message.answer === "tile" && buffers) {
      this.tile = { place: message.part, high: message.high, wide: message.wide, values: unpack(buffers[0], message.scale) };
      this.schedule();
    } else if (message.answer === "strongest") {
      const focus = this.token ?? this.locked;
      if (focus && isOf({ role: focus.role, ats: focus.ats })) this.say(this.strongestSentence(focus, message.found, message.sum));
    } else if (cell && isOf(this.asked(cell))) {
      if (message.answer === "weight") this.say(this.cellSentence(cell, message));
      else this.inside?.show(cell, message);
    }
  }

  /** Give a part of a map as pixels: a tile from the kernel, or until it comes, the overview.
   * @param {Place} place @param {number} high @param {number} wide */
  mapped(place, high, wide) {
    const { tile } = this;
    const isSame = tile && tile.high === high && tile.wide === wide && place.every((at, side) => at === tile.place[side]);
    if (isSame) return tile.values;
    clearTimeout(this.fetching);
    this.fetching = setTimeout(() => this.model.send?.({ ask: "tile", ...this.selection, part: place, high, wide }), 60);
    return enlarge(/** @type {Shown} */ (this.shown), place, high, wide);
  }

  /* drawing */

  /** Draw with the next frame: all, or only what is pointed at.
   * @param {"all" | "over"} what */
  schedule(what = "all") {
    if (this.due !== "all") this.due = what;
    if (this.waiting || this.closed) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      const due = this.due;
      this.waiting = false;
      this.due = undefined;
      if (this.closed) return;
      try {
        this.draw(due);
      } catch (error) {
        this.fail(error);
      }
    });
  }

  /** @param {"all" | "over" | undefined} due */
  draw(due) {
    if (due === "all" && this.body.childElementCount) this.grids.forEach((grid) => grid.draw());
    if (this.isElsewhere) for (const grid of this.grids) if (this.frame) grid.reveal(this.frame);
    this.isElsewhere = false;
    if (!this.shown || !this.matrix || !this.lines) return;
    if (due === "all") this.matrix.draw();
    else this.matrix.drawOver();
    if (!this.shown.pixels) this.lines.draw();
    this.inside?.draw();
    const { kind, layer, head } = this.model.get("weights"); // of what is drawn, while another is on its way
    this.host.dataset.drawn = describe(kind, layer, head);
  }

  /** Paint shades, row by row, on a canvas of their own.
   * @param {Uint8Array} shades @param {number} wide */
  picture(shades, wide) {
    const high = shades.length / wide;
    const image = new ImageData(wide, high);
    const pixels = new Uint32Array(image.data.buffer);
    const colours = new Uint32Array(this.table.buffer);
    for (let at = 0; at < shades.length; at++) pixels[at] = colours[shades[at]];
    const canvas = new OffscreenCanvas(wide, high);
    /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(image, 0, 0);
    return canvas;
  }

  /** @param {CanvasRenderingContext2D} brush */
  hatching(brush) {
    const ratio = window.devicePixelRatio || 1;
    const tile = new OffscreenCanvas(6 * ratio, 6 * ratio);
    const line = /** @type {OffscreenCanvasRenderingContext2D} */ (tile.getContext("2d"));
    line.scale(ratio, ratio);
    line.strokeStyle = this.theme.quiet;
    line.globalAlpha = 0.55;
    line.lineWidth = 0.8;
    line.beginPath();
    for (const at of [-6, 0, 6]) {
      line.moveTo(at - 1, 7);
      line.lineTo(at + 7, -1);
    }
    line.stroke();
    const pattern = /** @type {CanvasPattern} */ (brush.createPattern(tile, "repeat"));
    pattern.setTransform(new DOMMatrix().scale(1 / ratio));
    return pattern;
  }

  /** Measure the longest of some names as they are written.
   * @param {string[]} names @param {number} longest */
  textWidth(names, longest) {
    if (!this.widths.has(names)) {
      const brush = /** @type {CanvasRenderingContext2D} */ (make("canvas").getContext("2d"));
      brush.font = `12px ${FONT}`;
      this.widths.set(names, names.reduce((most, name) => Math.max(most, brush.measureText(legible(name, longest)).width), 0));
    }
    return this.widths.get(names);
  }
}

/**
 * Show a model's attention in an element.
 * @param {HTMLElement} el @param {Model} model
 * @returns {() => void} takes the view away again
 */
export function mount(el, model) {
  const view = new View(el, model);
  return () => view.close();
}

/* ---- the saved page ---- */

/** @param {string} text base64 of deflated bytes */
async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** What a saved page holds: heads by kind, layer and head, each its scale, its bytes and its pixels.
 * @typedef {{meta: Meta, selection: Selection, thumbnails: string, heads: Record<string, Record<string, Record<string, [number, string, [number, number]]>>>}} Saved
 */

/** Stands for the kernel in a saved page: it unpacks the head that is chosen. */
class SavedModel {
  /** @param {Saved} saved */
  constructor(saved) {
    this.saved = saved;
    /** @type {any} */
    this.traits = { meta: saved.meta, selection: saved.selection, thumbnails: null, weights: null };
    /** @type {Record<string, Set<(message?: any) => void>>} */
    this.ears = {};
  }

  /** @param {string} name */
  get(name) {
    return this.traits[name];
  }

  /** @param {string} name @param {any} value */
  set(name, value) {
    this.traits[name] = value;
    this.tell(`change:${name}`);
    if (name === "selection") void this.load();
  }

  /** @param {string} event @param {object} [message] */
  tell(event, message) {
    for (const ear of this.ears[event] ?? []) ear(message);
  }

  save_changes() {}

  /** @param {string} event @param {(message?: any) => void} ear */
  on(event, ear) {
    (this.ears[event] ??= new Set()).add(ear);
  }

  /** @param {string} event @param {(message?: any) => void} ear */
  off(event, ear) {
    this.ears[event]?.delete(ear);
  }

  /** Unpack the chosen head; give what is wrong with it, if anything is. */
  async load() {
    const selection = this.traits.selection;
    try {
      const { kind, layer, head } = selection;
      const [scale, text, pixels] = this.saved.heads[kind]?.[layer]?.[head] ?? [0, "", [0, 0]];
      const bytes = await inflate(text);
      if (this.traits.selection !== selection) return null; // another was chosen meanwhile
      this.set("weights", { ...selection, pixels, scale, bytes });
    } catch (error) {
      const problem = { answer: "problem", text: damaged(error) };
      this.tell("msg:custom", problem);
      return problem;
    }
    return null;
  }
}

/** @param {unknown} error */
const damaged = (error) => `This page is damaged, save it anew. ${error instanceof Error ? error.message : error}`;

/**
 * Show what a saved page holds.
 * @param {Document} page
 */
export async function openSaved(page) {
  const place = /** @type {HTMLElement} */ (page.getElementById("regard-view"));
  try {
    if (!("DecompressionStream" in window)) throw new Error("This browser is too old for it (no DecompressionStream).");
    /** @type {Saved} */
    const saved = JSON.parse(page.getElementById("regard-data")?.textContent ?? "");
    const model = new SavedModel(saved);
    // both before anything is drawn, so that it is drawn once
    const [thumbnails, problem] = await Promise.all([inflate(saved.thumbnails), model.load()]);
    model.traits.thumbnails = thumbnails;
    mount(place, /** @type {any} */ (model));
    if (problem) model.tell("msg:custom", problem);
  } catch (error) {
    place.append(make("p", { role: "alert" }, damaged(error)));
  }
}

/**
 * What anywidget calls.
 * @param {{model: Model, el: HTMLElement}} given
 */
function render({ model, el }) {
  return mount(el, model);
}

export default { render };
