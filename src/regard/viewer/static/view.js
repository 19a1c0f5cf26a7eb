// Built from viewer/frontend by `make frontend`: change it there.
// sources 9309f8fd71b26c0743d8a5fbeb907bbe2ec1034b73da3a7bbd87b6215d2daf67

// src/dom.ts
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
var clamp = (x, low, high) => Math.max(low, Math.min(high, x));
function stepOf(event) {
  if (hasModifier(event)) return null;
  const steps = {
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0]
  };
  return steps[event.key] ?? null;
}
function walkOf(event) {
  const steps = {
    Home: [0, -Infinity],
    End: [0, Infinity],
    PageUp: [-10, 0],
    PageDown: [10, 0]
  };
  return stepOf(event) ?? (hasModifier(event) ? null : steps[event.key] ?? null);
}
var hasModifier = (event) => event.ctrlKey || event.metaKey || event.altKey;

// src/measures.ts
var EXPLAINED = {
  entropy: "how widely a query reads, in bits: 0 where it reads one token, 3 where 8 alike",
  distance: "how far what is read lies from the query, in tokens",
  on_itself: "the attention that a query gives to its own place",
  on_previous: "the attention that a query gives to the token before it",
  on_next: "the attention that a query gives to the token after it",
  on_first: "the attention that a query gives to the first token",
  on_special: "the attention that a query gives to all special tokens, such as [CLS], together",
  mass: [
    "the attention that a query gives in all: 1, less what goes to hidden tokens or to a sink, ",
    "and 0 where a query reads nothing"
  ].join("")
};
var ALL = [
  "All are means over the queries. Where tokens are merged to words, or special ones hidden, they ",
  "are of the words and of what is left. What has no meaning, such as a distance in ",
  "cross-attention, is written –."
].join("");
var nameOf = (measure) => measure.replaceAll("_", " ") || "layer";
function short(value) {
  if (value === null || value === void 0) return "–";
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}
function explainer(measures) {
  const button = make(
    "button",
    { type: "button", "aria-expanded": "false", "aria-label": "What the measures mean" },
    "?"
  );
  const terms = measures.flatMap((measure) => [
    make("dt", {}, nameOf(measure)),
    make("dd", {}, EXPLAINED[measure] ?? "")
  ]);
  const text = make("div", { class: "measures" }, make("dl", {}, ...terms), make("p", {}, ALL));
  text.hidden = true;
  button.addEventListener("click", () => {
    text.hidden = !text.hidden;
    button.setAttribute("aria-expanded", String(!text.hidden));
  });
  return [button, text];
}
var explain = (measure) => EXPLAINED[measure] ?? "a layer a row";

// src/bar.ts
var Bar = class {
  // what measures are
  /** `attempt` does something and says what went wrong. */
  constructor(state, attempt) {
    this.state = state;
    this.attempt = attempt;
    const choose = (changed) => state.selectNearest({ ...state.selection, ...changed });
    this.kinds = this.menu("Attention", (kind) => choose({ kind }));
    this.layers = this.menu("Layer", (layer) => choose({ layer: Number(layer) }));
    this.heads = this.menu(
      "Head",
      (head) => state.select({ ...state.selection, head: Number(head) })
    );
    const { kinds, sides } = state.meta;
    this.sorting();
    const names = kinds.map(({ name }) => name);
    offer(this.kinds, names, state.selection.kind, (name) => state.kindOf(name)?.title ?? name);
    if (sides.some((side) => side.words)) this.boxes.push(this.toggle("words", "words"));
    if (sides.some((side) => side.special.includes(true))) {
      this.boxes.push(this.toggle("hide", "hide special tokens"));
    }
    this.toggle("log", "log scale");
    if (this.explained) this.element.append(this.explained);
  }
  state;
  attempt;
  element = make("div", { class: "bar" });
  kinds;
  layers;
  heads;
  boxes = [];
  // of what pixels of a map have not
  explained = null;
  /** Offer the layers and heads that there are, and show which are chosen. */
  choose() {
    const { selection } = this.state;
    const layers = this.state.kindOf(selection.kind)?.layers ?? [];
    const layer = layers.find(({ number }) => number === selection.layer);
    this.kinds.value = selection.kind;
    offer(
      this.layers,
      layers.map(({ number }) => String(number)),
      String(selection.layer)
    );
    offer(this.heads, layer?.heads.map(String) ?? [], String(selection.head));
  }
  /** A map has no words and no hidden tokens: pixels are of no token. */
  allow() {
    for (const box of this.boxes) box.disabled = this.state.shown?.pixels !== null;
  }
  /** Sort the heads by a measure, up or down, and say what measures are. */
  sorting() {
    const { state } = this;
    const turn = make("button", { type: "button" });
    const show2 = () => {
      sorts.title = explain(state.measure);
      turn.hidden = !state.measure;
      turn.textContent = state.rising ? "↑ lowest first" : "↓ highest first";
    };
    const sort = (measure, rising) => {
      state.sort(measure, rising);
      show2();
    };
    const sorts = this.menu("Heads by", (measure) => sort(measure, state.rising));
    turn.addEventListener("click", () => this.attempt(() => sort(state.measure, !state.rising)));
    offer(sorts, ["", ...state.measures], state.measure, nameOf);
    show2();
    const [button, text] = explainer(state.measures);
    if (!state.measures.length) return;
    this.element.append(turn, button);
    this.explained = text;
  }
  menu(label, act) {
    const select = make("select");
    select.addEventListener("change", () => this.attempt(() => act(select.value)));
    this.element.append(make("label", {}, label, select));
    return select;
  }
  toggle(name, label) {
    const box = make("input", { type: "checkbox" });
    box.checked = this.state[name];
    box.addEventListener("change", () => this.attempt(() => this.state.switch(name, box.checked)));
    this.element.append(make("label", {}, box, label));
    return box;
  }
};
function offer(menu, values, chosen, title = String) {
  menu.replaceChildren(...values.map((value) => make("option", { value }, title(value))));
  menu.value = chosen;
}

// src/names.ts
var LONGEST_LABEL = 20;
var LONGEST_NAME = 60;
var LONGEST_LETTER = 32;
var PLAIN = /^[!-~]*$/;
var LETTERS = "Segmenter" in Intl ? new Intl.Segmenter("en", { granularity: "grapheme" }) : null;
var EMOJI = String.raw`\p{Extended_Pictographic}[\ufe0e\ufe0f]?\p{Emoji_Modifier}?`;
var SEQUENCES = [
  String.raw`${EMOJI}(?:\u200d${EMOJI})*(?:[\u{e0020}-\u{e007e}]+\u{e007f})?`,
  String.raw`\p{Emoji}[\ufe0e\ufe0f]`,
  String.raw`[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Devanagari}\p{Mn}\p{Mc}][\u200c\u200d]`,
  String.raw`\p{Ideographic}[\ufe00-\ufe02\u{e0100}-\u{e01ef}]`,
  String.raw`\p{Script=Mongolian}[\u180b-\u180d\u180f]`,
  String.raw`[\p{Sm}\p{Script=Myanmar}\p{Script=Phags_Pa}0\u3001\u3002]\ufe00`
];
var UNSEEN = [
  String.raw`[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cs}\p{Zl}\p{Zp}`,
  String.raw`\p{Noncharacter_Code_Point}\u2800\ufff9-\ufffb]`
].join("");
var SEQUENCE_OR_UNSEEN = new RegExp(`(${SEQUENCES.join("|")})|${UNSEEN}`, "gu");
var RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
function legible(text, longest) {
  if (text === "") return "(empty)";
  if (text.length <= longest && PLAIN.test(text)) return text;
  const key = `${longest} ${text}`;
  const known = legibles.get(key) ?? legibleOf(text, longest);
  if (legibles.size > MOST_KNOWN) legibles.clear();
  legibles.set(key, known);
  return known;
}
function legibleOf(text, longest) {
  const isBlank = text.trim() === "";
  const write = isBlank ? blank : visible;
  const name = cut(text, longest, write);
  if (isBlank) return `"${name}"`;
  return RIGHT_TO_LEFT.test(name) ? `⁨${name}⁩` : name;
}
var MOST_KNOWN = 2e4;
var legibles = /* @__PURE__ */ new Map();
function cut(text, longest, write) {
  const reach = longest * LONGEST_LETTER;
  const first = lettersOf(text.slice(0, reach), write);
  if (text.length <= reach && first.reduce((sum, { size }) => sum + size, 0) <= longest) {
    return first.map(({ shown }) => shown).join("");
  }
  const half = longest - 1 >> 1;
  const last = lettersOf(text.slice(-reach), write).reverse();
  return `${fitting(first, half).join("")}…${fitting(last, half).reverse().join("")}`;
}
function lettersOf(text, write) {
  const letters = LETTERS ? Array.from(LETTERS.segment(text), ({ segment }) => segment) : [...text];
  return letters.map((segment) => {
    const letter = segment.length > LONGEST_LETTER ? shortened(segment) : segment;
    const shown = write(letter);
    return { shown, size: shown === letter ? 1 : shown.length };
  });
}
var shortened = (letter) => Array.from(letter).slice(0, LONGEST_LETTER / 2).join("");
function fitting(letters, room) {
  let left = room;
  const end = letters.findIndex(({ size }) => {
    left -= size;
    return left < 0;
  });
  return letters.slice(0, end < 0 ? letters.length : end).map(({ shown }) => shown);
}
var visible = (letter) => letter.replace(/\n/g, "↵").replace(SEQUENCE_OR_UNSEEN, (found, sequence) => sequence ?? escaped(found));
var blank = (letter) => letter === " " ? letter : JSON.stringify(letter).slice(1, -1).replace(/[^!-~]/gu, escaped);
function escaped(letter) {
  const number = (letter.codePointAt(0) ?? 0).toString(16);
  return number.length > 4 ? `\\u{${number}}` : `\\u${number.padStart(4, "0")}`;
}
function written(value) {
  if (value === 0) return "0";
  if (value < 5e-4) return "less than 0.001";
  return value < 0.1 ? value.toFixed(3) : value.toFixed(2);
}
var rounded = (x, digits) => String(Number(x.toPrecision(digits)));
function ordinal(rank) {
  if (rank === 1) return "strongest";
  const isTeen = rank % 100 > 10 && rank % 100 < 14;
  const tail = isTeen ? "th" : ["th", "st", "nd", "rd"][rank % 10] ?? "th";
  return `${rank}${tail} strongest`;
}
var place = (rank) => rank === 1 ? "1st" : ordinal(rank).split(" ")[0] ?? "";
function between(best, worst) {
  if (best === worst) return `its ${ordinal(best)}`;
  return `somewhere from its ${place(best)} to its ${place(worst)} strongest`;
}
var describe = (kind, layer, head) => `${kind}, layer ${layer}, head ${head}`;

// src/checks.ts
var FORMAT = 3;
function checkMeta(meta, thumbnails) {
  if (meta?.format !== FORMAT) {
    throw new Error(
      `This view reads format ${FORMAT}, but was given ${meta?.format}: make the page anew, or restart the kernel.`
    );
  }
  const layers = meta.kinds.flatMap((kind) => kind.layers.map((layer) => ({ kind, layer })));
  for (const { kind, layer } of layers) checkNames(meta, kind, layer);
  if (!meta.kinds.length) throw new Error("There are no heads to show.");
  const size = layers.reduce((sum, { layer }) => sum + thumbnailBytes(meta, layer), 0);
  if (thumbnails.byteLength !== size) {
    throw new Error(
      `The thumbnails have ${thumbnails.byteLength} bytes, but ${size} are needed: they were cut off.`
    );
  }
}
function checkNames(meta, kind, layer) {
  const [rows, columns] = layer.shape;
  const fits = meta.sides[layer.rows]?.names.length === rows && meta.sides[layer.columns]?.names.length === columns;
  if (!fits || meta.spans[layer.spans]?.length !== 2 * rows) {
    throw new Error(
      `${kind.title}, layer ${layer.number}, has ${rows} x ${columns} weights, but other names.`
    );
  }
}
function thumbnailBytes(meta, { heads, shape }) {
  return shape.reduce((size, count) => size * Math.min(count, meta.thumbnail), heads.length);
}
function findLayer(meta, { kind, layer, head }) {
  const ofKind = meta.kinds.find(({ name }) => name === kind);
  if (!ofKind) {
    const names = meta.kinds.map(({ name }) => name).join(", ");
    throw new Error(
      `There is no attention of kind ${JSON.stringify(kind)} here: choose from ${names}.`
    );
  }
  const found = ofKind.layers.find(({ number }) => number === layer);
  if (!found?.heads.includes(head)) {
    throw new Error(`There is no ${describe(ofKind.title, layer, head)} here.`);
  }
  return { kind: ofKind, layer: found };
}
function checkWeights(layer, weights) {
  const [rows, columns] = layer.shape;
  const [high, wide] = weights.pixels ?? [];
  if (!(high <= rows && wide <= columns) || rows && columns && !(high && wide)) {
    throw new Error(
      `The weights have the shape ${weights.pixels}, but the tokens need ${rows} x ${columns}.`
    );
  }
  if (weights.bytes?.byteLength !== high * wide) {
    throw new Error(
      `The weights have ${weights.bytes?.byteLength} bytes, but ${high} x ${wide} are needed: they were cut off.`
    );
  }
  if (!(weights.scale >= 0 && weights.scale <= 1.001)) {
    throw new Error(`The largest weight is said to be ${weights.scale}, but lies between 0 and 1.`);
  }
}

// src/styles.ts
var FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
var [LEAST, MOST] = [520, 1600];
var BESIDE = 190;
var tallest = () => Math.max(LEAST, Math.min(MOST, window.innerHeight - BESIDE));
var GRID_WIDE = 480;
var CSS2 = `
:host { display: block; width: 100%; min-width: 280px; container-type: inline-size; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.view {
  color: var(--ink);
  background: var(--ground);
  font: 14px/1.45 ${FONT};
  padding: 8px;
  animation: placed 1ms; /* theme.ts hears it: this was put somewhere */
}
@keyframes placed { from { opacity: 1; } }
.bar { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; }
.bar label { display: inline-flex; gap: 5px; align-items: center; }
select, option, button { font: inherit; color: var(--ink); background: var(--field); }
select, button { border: 1px solid var(--edge);
  border-radius: 4px; padding: 2px 6px; min-height: 26px; }
select { max-width: 18em; }
button { min-width: 28px; cursor: pointer; }
input { margin: 0; width: 15px; height: 15px; accent-color: var(--focus); }
input[type=range] { width: 110px; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
.view { position: relative; }
.sentence { position: sticky; top: 0; z-index: 2; background: var(--ground);
  min-height: 2.9em; margin: 8px 0 4px; font-size: 15px; overflow-wrap: anywhere; }
.sentence em { font-style: normal; font-weight: 650; unicode-bidi: isolate; }
.tip { position: absolute; z-index: 3; pointer-events: none; padding: 3px 8px; font-size: 13px;
  border: 1px solid var(--edge); border-radius: 4px; background: var(--field); color: var(--ink);
  width: max-content; overflow-wrap: anywhere; }
.tip[hidden], select[hidden], input[hidden], ol[hidden] { display: none; }
.tip em { font-style: normal; font-weight: 650; unicode-bidi: isolate; }
.reading { flex: 1 1 100%; }
.panel { display: flex; flex-wrap: wrap; gap: 8px 24px; }
.texts { flex: 3 1 320px; max-height: 320px; overflow: auto; line-height: 1.9; }
.texts p { margin: 0 0 6px; }
.texts span { padding: 2px 3px; border-radius: 3px; cursor: pointer; unicode-bidi: isolate;
  overflow-wrap: anywhere; }
.texts .own { outline: 2px solid var(--accent); }
.ranked { flex: 1 1 200px; max-height: 320px; overflow: auto; margin: 0; padding-left: 3.2em;
  font-size: 13px; }
input[type=search] { font: inherit; font-weight: 400; width: 10em; height: 26px; padding: 2px 6px;
  color: var(--ink); background: var(--field); border: 1px solid var(--edge); border-radius: 4px; }
@media (pointer: coarse) {
  button, select, input[type=search], .bar label, summary { min-height: 44px; min-width: 44px; }
  input[type=checkbox] { width: 24px; height: 24px; }
  .texts { line-height: 2.6; }
}
.pictures { display: flex; flex-wrap: wrap; gap: 12px 24px; align-items: flex-start; }
figure { margin: 0; min-width: 0; max-width: 100%; }
figure.heads { flex: 0 1 auto; }
figure.matrix { flex: 6 1 340px; max-width: clamp(660px, 100vh, 1760px); }
figure.lines { flex: 1 1 270px; max-width: 360px; }
figure.inside { flex: 1 1 420px; max-width: 760px; }
figure[hidden], .inside [hidden] { display: none; }
.steps { margin: 2px 0; padding-left: 24px; font-size: 13px; }
.inside p { margin: 0; font-size: 13px; }
figcaption { min-height: 30px; margin-bottom: 4px; font-weight: 600; display: flex; flex-wrap: wrap;
  gap: 2px 10px; align-items: center; }
figcaption small, .foot, .kind { font-size: 12.5px; font-weight: 400; color: var(--quiet); }
.kind { margin: 4px 0 2px; }
.kinds { display: flex; flex-wrap: wrap; gap: 4px 16px; max-width: ${GRID_WIDE}px;
  max-height: clamp(${LEAST}px, calc(100vh - ${BESIDE}px), ${MOST}px);
  overflow: auto; padding: 3px; }
.plane { position: relative; }
.plane canvas { position: sticky; left: 0; top: 0; }
.measures { flex-basis: 100%; font-size: 13px; max-width: 720px; }
.measures[hidden], .bar button[hidden] { display: none; }
.measures p { margin: 0; }
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
.legend { display: inline-flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.foot select { max-width: 100%; }
.alert { margin: 0 0 8px; padding: 8px 10px; border: 1px solid var(--alertEdge);
  border-left-width: 6px; background: var(--alertGround); color: var(--alertInk);
  overflow-wrap: anywhere; white-space: pre-wrap; }
.alert[hidden] { display: none; }
details { font-size: 12.5px; }
summary { cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 4px 0; }
dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; }
kbd { font: 12px ui-monospace, monospace; }
@container (max-width: 720px) { figure.matrix, figure.lines { flex-basis: 100%; } }
@container (min-width: 1480px) {
  figure.lines { flex-basis: 230px; }
  figure.inside { flex-basis: 260px; max-width: 380px; }
}
@media print {
  .bar, .tip, summary, figcaption button, input[type=search] { display: none; }
  .sentence { position: static; }
  .texts, .ranked { max-height: none; overflow: visible; }
  figure { break-inside: avoid; }
}
@media (prefers-reduced-motion: reduce) {
  * { scroll-behavior: auto; transition: none; animation: none; }
}
`;

// src/brush.ts
var ratio = () => window.devicePixelRatio || 1;
function contextOf(canvas) {
  const brush = canvas.getContext("2d");
  if (!brush) throw new Error("This browser gives no more canvases to draw on: close other pages.");
  return brush;
}
function offscreen(wide, high) {
  const canvas = new OffscreenCanvas(wide, high);
  const brush = canvas.getContext("2d");
  if (!brush) throw new Error("This browser gives no more canvases to draw on: close other pages.");
  return [canvas, brush];
}
function paintOn(canvas, width, height) {
  const pixels = (size) => Math.max(1, Math.round(size * ratio()));
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
function picture(theme, shades, wide) {
  const high = shades.length / wide;
  const image = new ImageData(wide, high);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = new Uint32Array(theme.table.buffer);
  for (let at = 0; at < shades.length; at++) pixels[at] = colours[shades[at] ?? 0] ?? 0;
  const [canvas, brush] = offscreen(wide, high);
  brush.putImageData(image, 0, 0);
  return canvas;
}
function hatching(brush, theme) {
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
var widths = /* @__PURE__ */ new WeakMap();
function labelWidth(names) {
  let width = widths.get(names);
  if (width === void 0) {
    const brush = contextOf(make("canvas"));
    brush.font = `12px ${FONT}`;
    const each = names.map((name) => brush.measureText(legible(name, LONGEST_LABEL)).width);
    width = each.reduce((most, one) => Math.max(most, one), 0);
    widths.set(names, width);
  }
  return width;
}

// src/items.ts
function item(items, at) {
  const found = items[at];
  if (found === void 0) throw new RangeError(`There is no item ${at} of ${items.length}.`);
  return found;
}

// src/colours.ts
var DECADES = 3;
var STOPS = ["#ffffff", "#c6e6de", "#76c3c0", "#3f98ae", "#366e9c", "#3d4579", "#2b1e3e"];
function colourTable(stops) {
  const rgb = stops.map((stop) => [1, 3, 5].map((at) => parseInt(stop.slice(at, at + 2), 16)));
  const table = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const place2 = i / 255 * (rgb.length - 1);
    const low = Math.min(Math.floor(place2), rgb.length - 2);
    const [from, to] = [item(rgb, low), item(rgb, low + 1)];
    const mixed = from.map((channel, c) => channel + (place2 - low) * (item(to, c) - channel));
    table.set([...mixed, 255], 4 * i);
  }
  return table;
}
var THEMES = {
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
    table: colourTable(STOPS)
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
    table: colourTable([...STOPS].reverse())
  }
};
function shadeOf(value, log) {
  const part = log ? 1 + Math.log10(Math.max(value, 1e-9)) / DECADES : value;
  return Math.round(255 * clamp(part, 0, 1));
}
var rgbOf = (table, shade) => table.subarray(4 * shade, 4 * shade + 3);
var colour = (table, shade) => `rgb(${rgbOf(table, shade).join(" ")})`;
var isDark = (table, shade) => luminance(rgbOf(table, shade)) < MIDDLE;
var MIDDLE = Math.sqrt(1.05 * 0.05) - 0.05;
function luminance(rgb) {
  const linear = (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const [r = 0, g = 0, b = 0] = Array.from(rgb, (channel) => linear(channel / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function rgbaOf(written3) {
  const plain = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(written3);
  if (plain) return [plain[1], plain[2], plain[3], plain[4] ?? 1].map(Number);
  if (!CSS.supports("color", written3) || /var\(|currentcolor/i.test(written3)) return null;
  const brush = new OffscreenCanvas(1, 1).getContext("2d");
  if (!brush) return null;
  brush.fillStyle = "#0000";
  brush.fillStyle = written3;
  brush.fillRect(0, 0, 1, 1);
  const [r = 0, g = 0, b = 0, opacity = 0] = brush.getImageData(0, 0, 1, 1).data;
  return [r, g, b, opacity / 255];
}

// src/shown.ts
var spanOf = ({ spans }, row) => [
  item(spans, 2 * row),
  item(spans, 2 * row + 1)
];
var asBytes = (bytes) => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
function unpack({ bytes, scale, power }) {
  const weights = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255) ** power * scale);
  const packed = asBytes(bytes);
  const unpacked3 = new Float32Array(packed.length);
  for (let at = 0; at < packed.length; at++) unpacked3[at] = weights[packed[at] ?? 0] ?? 0;
  return unpacked3;
}
function largestOf(values) {
  let most = 0;
  for (let at = 0; at < values.length; at++) most = Math.max(most, values[at] ?? 0);
  return most;
}
function errorsOf({ scale, power }) {
  const largest = (byte) => Math.min((byte + 0.5) / 255, 1) ** power;
  const least = (byte) => Math.max((byte - 0.5) / 255, 0) ** power;
  const off = (byte) => {
    const weight = (byte / 255) ** power;
    return Math.max(largest(byte) - weight, weight - least(byte)) * scale + scale * 2 ** -22;
  };
  return Float32Array.from({ length: 256 }, (_, byte) => off(byte));
}
function sumsOf({ sums: sums2 }, [high, wide]) {
  if (sums2.byteLength !== 4 * (high + wide)) return null;
  const view = new DataView(sums2.buffer, sums2.byteOffset, sums2.byteLength);
  const from = (start, length) => Float32Array.from({ length }, (_, at) => view.getFloat32(4 * (start + at), true));
  return { rows: from(0, high), columns: from(high, wide) };
}
function axisOf(side, words, hide) {
  const merged = words ? side.words : null;
  const groups = merged ? merged.groups : side.names.map((_, at) => [at]);
  const names = merged ? merged.names : side.names;
  const isHidden = ([first = 0]) => hide && side.special[first];
  const isKept = groups.map((group) => !isHidden(group));
  return {
    names: names.filter((_, at) => isKept[at]),
    groups: groups.filter((_, at) => isKept[at])
  };
}
function show(meta, layer, weights, choice) {
  checkWeights(layer, weights);
  if (weights.pixels.some((count, side) => count < item(layer.shape, side))) {
    return showMap(meta, layer, weights);
  }
  const rows = axisOf(item(meta.sides, layer.rows), choice.words, choice.hide);
  const columns = axisOf(item(meta.sides, layer.columns), choice.words, choice.hide);
  const place2 = placesOf(columns, layer.shape[1]);
  const isPlain = rows.names.length === layer.shape[0] && columns.names.length === layer.shape[1];
  const errors = errorsOf(weights);
  const { values, hidden } = isPlain ? { values: unpack(weights), hidden: 0 } : grouped(weights, rows, columns, place2);
  const longest = columns.groups.reduce((most, group) => Math.max(most, group.length), 1);
  return {
    rows,
    columns,
    values,
    ...spanned(spansOf(item(meta.spans, layer.spans), rows, columns, place2), columns.names.length),
    hiddenShare: rows.groups.length ? hidden / rows.groups.length : 0,
    rounding: longest * largestOf(errors),
    errorOf: errorsOfCells(weights, errors, [rows, columns], layer.shape[1]),
    largest: largestOf(values),
    sums: isPlain ? sumsOf(weights, layer.shape) : null,
    groups: isPlain ? null : columns.groups,
    pixels: null
  };
}
function errorsOfCells({ bytes }, errors, [rows, columns], numKeys) {
  const all = asBytes(bytes);
  return (row, column) => {
    const queries = item(rows.groups, row);
    let sum = 0;
    for (const query of queries) {
      for (const key of item(columns.groups, column)) {
        sum += errors[all[query * numKeys + key] ?? 0] ?? 0;
      }
    }
    return sum / queries.length;
  };
}
function placesOf(columns, numKeys) {
  const place2 = new Int32Array(numKeys).fill(-1);
  columns.groups.forEach((group, at) => {
    for (const key of group) place2[key] = at;
  });
  return place2;
}
function grouped(weights, rows, columns, place2) {
  const weightOf = unpack({ ...weights, bytes: Uint8Array.from({ length: 256 }, (_, at) => at) });
  const bytes = asBytes(weights.bytes);
  const [numKeys, wide] = [place2.length, columns.groups.length];
  const values = new Float32Array(rows.groups.length * wide);
  let hidden = 0;
  rows.groups.forEach((queries, row) => {
    for (const query of queries) {
      for (let key = 0; key < numKeys; key++) {
        const column = place2[key] ?? -1;
        const weight = (weightOf[bytes[query * numKeys + key] ?? 0] ?? 0) / queries.length;
        if (column < 0) hidden += weight;
        else values[row * wide + column] = (values[row * wide + column] ?? 0) + weight;
      }
    }
  });
  return { values, hidden };
}
function spansOf(allowed, rows, columns, place2) {
  const spans = new Int32Array(2 * rows.groups.length);
  const isHidden = (key) => item(place2, key) < 0;
  rows.groups.forEach((queries, row) => {
    let [first, end] = [columns.groups.length, 0];
    for (const query of queries) {
      let [from, to] = [item(allowed, 2 * query), item(allowed, 2 * query + 1)];
      while (from < to && isHidden(from)) from++;
      while (from < to && isHidden(to - 1)) to--;
      if (from >= to) continue;
      [first, end] = [Math.min(first, item(place2, from)), Math.max(end, item(place2, to - 1) + 1)];
    }
    spans.set(end ? [first, end] : [0, 0], 2 * row);
  });
  return spans;
}
function spanned(spans, wide) {
  return { spans, isOpen: spans.every((at, side) => at === (side % 2 ? wide : 0)) };
}
function showMap(meta, layer, weights) {
  return {
    rows: axisOf(item(meta.sides, layer.rows), false, false),
    columns: axisOf(item(meta.sides, layer.columns), false, false),
    values: unpack(weights),
    ...spanned(Int32Array.from(item(meta.spans, layer.spans)), layer.shape[1]),
    hiddenShare: 0,
    rounding: largestOf(errorsOf(weights)),
    largest: weights.scale,
    errorOf: () => Number.POSITIVE_INFINITY,
    // a pixel has the largest of many
    sums: null,
    groups: null,
    pixels: weights.pixels
  };
}

// src/estimates.ts
function roundedUp(x) {
  const unit = 10 ** Math.floor(Math.log10(x));
  return String(Number((Math.ceil(x / unit - 1e-9) * unit).toPrecision(1)));
}
function said({ value, error }) {
  if (!error) return written(value);
  if (value < 5e-4) return `less than ${roundedUp(value + error)}`;
  const unit = value < 0.1 ? 1e-3 : 0.01;
  const about = `about ${written(value)}`;
  return error <= unit / 2 ? about : `${about} ± ${roundedUp(error + unit / 2)}`;
}
function holding({ value, error }, digits = 4) {
  if (!error) return rounded(value, digits);
  const size = Math.floor(Math.log10(Math.abs(value)));
  const finest = Math.ceil(Math.log10(2 * error));
  const count = Math.min(digits, size - finest + 1);
  if (!(count >= 1)) return `about 0 ± ${roundedUp(Math.abs(value) + error)}`;
  const unit = 10 ** (size - count + 1);
  const about = `about ${rounded(value, count)}`;
  return unit > 1 ? `${about} ± ${rounded(unit, 1)}` : about;
}
var weightAt = (shown, { row, column }) => ({
  value: item(shown.values, row * shown.columns.names.length + column),
  error: shown.errorOf(row, column)
});
function ranksOf(shown, cell) {
  const { value, error } = weightAt(shown, cell);
  const [first, end] = spanOf(shown, cell.row);
  let [best, worst] = [1, 1];
  for (let column = first; column < end; column++) {
    if (column === cell.column) continue;
    const other = weightAt(shown, { row: cell.row, column });
    const isSurelyStronger = shown.groups ? other.value - other.error > value + error : other.value > value;
    const mayBeStronger = shown.groups ? other.value + other.error > value - error : other.value >= value;
    if (isSurelyStronger) best++;
    if (mayBeStronger) worst++;
  }
  return [best, worst];
}
function sums({ rows, columns, values }, { role, ats }) {
  const wide = columns.names.length;
  const sum = (weight) => ats.reduce((all, at) => all + weight(at), 0);
  if (role === "rows") {
    const read = (column) => sum((row) => values[row * wide + column] ?? 0);
    return Float32Array.from({ length: wide }, (_, column) => read(column));
  }
  const reads = (row) => sum((column) => values[row * wide + column] ?? 0);
  return Float32Array.from(rows.names, (_, row) => reads(row));
}
function errorAt(shown, { role, ats }, other) {
  const errorOf = (at) => role === "rows" ? shown.errorOf(at, other) : shown.errorOf(other, at);
  return ats.reduce((sum, at) => sum + errorOf(at), 0);
}
function totalOf(shown, focus) {
  const { role, ats } = focus;
  const exact = shown.sums?.[role];
  if (exact) return { value: ats.reduce((sum, at) => sum + item(exact, at), 0), error: 0 };
  const others = shown[otherOf(role)].names.map((_, other) => other);
  return {
    value: sums(shown, focus).reduce((sum, value) => sum + value, 0),
    error: others.reduce((sum, other) => sum + errorAt(shown, focus, other), 0)
  };
}
var otherOf = (role) => role === "rows" ? "columns" : "rows";

// src/pooling.ts
function touched(count, from, to, pixels, all) {
  const share = (to - from) * pixels / (count * all);
  const start = from * pixels / all;
  return Array.from({ length: count }, (_, at) => {
    const first = Math.floor(start + at * share + 1e-6);
    const end = Math.min(pixels, Math.ceil(start + (at + 1) * share - 1e-6));
    return [first, Math.max(first + 1, end)];
  });
}
function enlarge(shown, [top, bottom, left, right], high, wide) {
  const [mapHigh, mapWide] = shown.pixels ?? [0, 0];
  const rows = touched(high, top, bottom, mapHigh, shown.rows.names.length);
  const columns = touched(wide, left, right, mapWide, shown.columns.names.length);
  const pooled = new Float32Array(high * wide);
  rows.forEach(([first, end], row) => {
    columns.forEach(([from, to], column) => {
      let most = 0;
      for (let y = first; y < end; y++) {
        for (let x = from; x < to; x++) {
          most = Math.max(most, shown.values[y * mapWide + x] ?? 0);
        }
      }
      pooled[row * wide + column] = most;
    });
  });
  return pooled;
}
function pool(shown, [top, bottom, left, right], high, wide) {
  const all = shown.columns.groups.length;
  const pooled = new Float32Array(high * wide);
  const place2 = Int32Array.from(
    { length: right - left },
    (_, at) => Math.floor(at * wide / (right - left))
  );
  for (let row = top; row < bottom; row++) {
    const into = Math.floor((row - top) * high / (bottom - top)) * wide;
    for (let column = left, at = row * all + left; column < right; column++, at++) {
      const to = into + (place2[column - left] ?? 0);
      pooled[to] = Math.max(pooled[to] ?? 0, shown.values[at] ?? 0);
    }
  }
  return pooled;
}

// src/sentences.ts
var UNITS = { entropy: " bits", distance: " tokens" };
function named(shown, role, at) {
  const { names } = shown[role];
  const name = item(names, at);
  const isOneOfSeveral = names.indexOf(name) !== names.lastIndexOf(name);
  const text = legible(name, LONGEST_NAME);
  const quoted = /[\p{L}\p{N}\p{S}]/u.test(text) ? text : `“${text}”`;
  return { em: quoted + (isOneOfSeveral ? ` (${at})` : "") };
}
function cellSentence(shown, cell, exact) {
  const [reads, read] = [named(shown, "rows", cell.row), named(shown, "columns", cell.column)];
  const [first, end] = spanOf(shown, cell.row);
  if (cell.column < first || cell.column >= end) {
    return [reads, " does not read ", read, ": masked (no head of this layer reads it)"];
  }
  const start = [reads, " reads ", read];
  if (exact) {
    return [
      ...start,
      `: ${rounded(exact.weight, 4)}, its ${ordinal(exact.rank)} of ${end - first}`
    ];
  }
  if (shown.pixels) return [...start, `: ${pixelOf(shown, cell)}`];
  const [best, worst] = ranksOf(shown, cell);
  return [...start, `: ${said(weightAt(shown, cell))}, ${between(best, worst)} of ${end - first}`];
}
function pixelOf(shown, { row, column }) {
  const [most = 0] = enlarge(shown, [row, row + 1, column, column + 1], 1, 1);
  return `at most ${rounded(most + shown.rounding, 2)}`;
}
function focusSentence(state, focus) {
  const { shown, strongest: reply } = state;
  if (!shown) return [];
  if (reply?.focus === focus) {
    const most = reply.found.slice(0, 3);
    const found2 = most.map(([at, value]) => [at, { value, error: 0 }]);
    return strongestSentence(shown, focus, found2, { value: reply.sum, error: 0 });
  }
  if (shown.pixels) return [named(shown, focus.role, item(focus.ats, 0))];
  const all = [...sums(shown, focus).entries()].filter(([, sum]) => sum > 0);
  const strongest = all.sort(([, a], [, b]) => b - a).slice(0, 3);
  const found = strongest.map(([at, value]) => {
    return [at, { value, error: errorAt(shown, focus, at) }];
  });
  return strongestSentence(shown, focus, found, totalOf(shown, focus));
}
function strongestSentence(shown, { role, ats }, strongest, all) {
  const isReading = role === "rows";
  const parts = joined(
    ats.slice(0, 4).map((at) => [named(shown, role, at)]),
    " and "
  );
  if (ats.length > 4) parts.push(` and ${ats.length - 4} more`);
  if (!strongest.length) {
    const nothing = all.value + all.error > 0 ? `${said(all)} in all` : "nothing here";
    return [...parts, isReading ? ` reads ${nothing}` : ` is read by ${nothing}`];
  }
  parts.push(verbOf(isReading, ats.length > 1));
  const found = strongest.map(([at, sum]) => [named(shown, otherOf(role), at), ` ${said(sum)}`]);
  parts.push(...joined(found, ", "));
  if (isReading) return parts;
  return [...parts, `; ${said(all)} from all ${shown.rows.names.length} together`];
}
function verbOf(isReading, several) {
  if (several) return isReading ? " together read most: " : " together are read most by: ";
  return isReading ? " reads most: " : " is read most by: ";
}
var joined = (pieces, between2) => pieces.flatMap((piece, at) => at ? [between2, ...piece] : piece);
var unitOf = (measure, words) => words && measure === "distance" ? " words" : UNITS[measure] ?? "";
function headSentence(state, kind, { layer, head, index }, words = false) {
  const { looked, opened } = state.meta;
  const isFirst = opened && state.isOpening({ kind: kind.name, layer, head });
  const name = describe(kind.title, layer, head) + (isFirst ? `, ${opened}` : "");
  const measured = Object.entries(kind.measures).flatMap(([measure, values]) => {
    const value = values[index];
    if (value === null || value === void 0) return [];
    return [`${measure.replaceAll("_", " ")} ${value.toFixed(2)}${unitOf(measure, words)}`];
  });
  if (measured.length) return [`${name}: ${measured.join(", ")}`];
  return [name + (looked ? "" : ": the text is long, so a head is computed when it is chosen")];
}
function remark(state, shown) {
  const percent = (share) => `${(100 * share).toFixed(0)} %`;
  const off = `rounded by at most ${rounded(shown.rounding, 2)}`;
  const notes = [
    state.isLive ? `what is drawn is ${off}; what is said, not` : `weights are ${off}`
  ];
  if (shown.pixels) notes.unshift(mapRemark(shown, shown.pixels, state.isLive));
  else if (state.hide) {
    notes.unshift(`${percent(shown.hiddenShare)} of the attention goes to the hidden tokens`);
  }
  if (state.meta.hidden) {
    const all = (shown.sums?.rows ?? shown.values).reduce((sum, value) => sum + value, 0);
    const share = Math.max(0, 1 - all / Math.max(1, shown.rows.names.length));
    notes.unshift(`about ${percent(share)} of the attention goes to tokens hidden before`);
  }
  return notes.join("; ");
}
function mapRemark(shown, [high, wide], isLive) {
  const all = "a pixel has the largest of its weights";
  if (isLive) return all;
  const [rows, columns] = [shown.rows.names.length / high, shown.columns.names.length / wide];
  return `${all}, of ${Math.ceil(rows)} x ${Math.ceil(columns)} tokens at the finest`;
}

// src/foot.ts
var KEYS = [
  "Tab goes from picture to picture. Heads: arrow keys choose layer and head, Home and End the ",
  "first and the last of a row, Page Up and Page Down go further. Matrix: arrow keys walk cells, ",
  "with those keys to the ends, + and − zoom, 0 shows all, Enter locks a row, Escape unlocks; ",
  "the wheel with Ctrl or two fingers zoom, and a finger's second tap locks. Lines: up ",
  "and down walk tokens, left and right change sides, Enter or a click locks and unlocks, with ",
  "Shift several are summed, Escape unlocks. Hatched: masked, or read by no head of the layer. A ",
  "number in brackets: the place of one of several tokens that are alike, counted from 0. About: ",
  "within one of the last digit, or within what stands after ±; the kernel knows it exactly."
].join("");
var [LEFT, WIDE] = [20, 160];
var Foot = class {
  constructor(state) {
    this.state = state;
    const keys = make("details", {}, make("summary", {}, "Keys and mouse"), make("p", {}, KEYS));
    const rows = Object.entries(state.meta.origin).flatMap(([name, value]) => [
      make("dt", {}, name),
      make("dd", {}, String(value))
    ]);
    const summary = make("summary", {}, "Where this comes from");
    const origin = make("details", {}, summary, make("dl", {}, ...rows));
    const legend = make("span", { class: "legend" }, this.legend, ...this.scale());
    this.element = make("div", { class: "foot" }, legend, this.note, keys, origin);
  }
  state;
  element;
  legend = make("canvas", { role: "img", "aria-label": "Colours of the weights" });
  note = make("p");
  /** Colours up to this head's largest weight, or up to one for all heads that a slider chooses. */
  scale() {
    const { state } = this;
    const menu = make("select", { "aria-label": "Colours go up to" });
    const titles = { own: "this head's largest", common: "one weight for all heads" };
    menu.append(
      ...Object.entries(titles).map(([value, title]) => make("option", { value }, title))
    );
    const range = { type: "range", min: "0.01", max: "1", step: "0.01", value: "1" };
    const slider = make("input", { ...range, "aria-label": "The darkest weight", hidden: "" });
    const act = () => {
      slider.hidden = menu.value === "own";
      state.colourTo(slider.hidden ? null : Number(slider.value));
    };
    menu.addEventListener("change", act);
    slider.addEventListener("input", act);
    return [menu, slider];
  }
  remark() {
    if (this.state.shown) this.note.textContent = remark(this.state, this.state.shown);
  }
  drawLegend() {
    const { theme, log, top } = this.state;
    const brush = paintOn(this.legend, 200, 32);
    for (let x = 0; x < WIDE; x++) {
      brush.fillStyle = colour(theme.table, Math.round(x / (WIDE - 1) * 255));
      brush.fillRect(LEFT + x, 2, 1.2, 12);
    }
    brush.strokeStyle = theme.quiet;
    brush.strokeRect(LEFT - 0.5, 1.5, WIDE + 1, 13);
    brush.fillStyle = theme.ink;
    brush.textAlign = "center";
    const written3 = (share) => rounded(top * share, 2).replace(/^0\./, ".");
    const ticks = log ? [`≤${written3(1e-3)}`, ...[0.01, 0.1, 1].map(written3)] : ["0", ...[0.5, 1].map(written3)];
    ticks.forEach((tick, at) => {
      brush.fillText(tick, LEFT + WIDE * at / (ticks.length - 1), 24);
    });
  }
};

// src/kernel.ts
var Kernel = class {
  constructor(state) {
    this.state = state;
  }
  state;
  // all views of a model hear every reply: each asks under a name of its own
  name = Math.random().toString(36).slice(2);
  asked = 0;
  open = /* @__PURE__ */ new Map();
  asking = 0;
  ranking = 0;
  fetching = 0;
  /** Take a reply, if it is to the last question of its sort; raise what went wrong. */
  hear(message, buffers = []) {
    const { answer, id, text } = message;
    if (answer === "problem") throw new Error(String(text));
    const question = this.open.get(answer);
    if (!question || question.id !== id) return;
    this.open.delete(answer);
    question.answer(message, buffers);
  }
  /** Another head is shown: what was asked about the one before is of no use. */
  forget() {
    for (const what of [...this.open.keys()]) {
      if (what !== "variant") this.open.delete(what);
    }
  }
  /** Ask for the exact weight of a cell, and why it is, once one rests on it. */
  explain(cell) {
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      const { shown, model } = this.state;
      if (cell !== this.state.cell || !shown) return;
      const tokens = {
        queries: item(shown.rows.groups, cell.row),
        keys: item(shown.columns.groups, cell.column)
      };
      this.ask("weight", { ...tokens, among: shown.groups }, (reply) => {
        if (cell === this.state.cell) this.put("exact", reply);
      });
      const take = (reply) => {
        if (cell !== this.state.cell || shown !== this.state.shown) return;
        this.state.explained = cell;
        this.put("anatomy", reply);
      };
      if (model.explain) model.explain(tokens, take);
      else this.ask("anatomy", tokens, (reply) => take(reply));
    }, 80);
  }
  /** Ask what some tokens read most, or are read most by, once they are rested on. */
  rank(focus) {
    if (this.state.strongest?.focus === focus) return;
    clearTimeout(this.ranking);
    this.ranking = setTimeout(() => {
      const { shown } = this.state;
      if (!shown) return;
      const { role } = focus;
      const other = role === "rows" ? "columns" : "rows";
      const ats = focus.ats.map((at) => shown[role].groups[at]);
      const others = shown.groups && shown[other].groups;
      this.ask("strongest", { role, ats, others }, (reply) => {
        this.put("strongest", { focus, ...reply });
      });
    }, 80);
  }
  /** Give a part of a map as pixels: a tile from the kernel, or until it comes, the overview. */
  mapped(shown, place2, high, wide) {
    const { tile } = this.state;
    const isSame = tile && tile.high === high && tile.wide === wide;
    if (isSame && place2.every((at, side) => at === tile.place[side])) return tile.values;
    clearTimeout(this.fetching);
    this.fetching = setTimeout(() => {
      this.ask("tile", { part: place2, high, wide }, (reply, [bytes]) => {
        if (!bytes) throw new Error("A part of the map came without its weights: move it anew.");
        const values = unpack({ ...reply, bytes });
        this.put("tile", { place: place2, high, wide, values });
      });
    }, 60);
    return enlarge(shown, place2, high, wide);
  }
  /** Ask for thumbnails and measures of words, or without special tokens. */
  vary(choice, take) {
    this.ask("variant", choice, (reply, [bytes]) => {
      if (!bytes) throw new Error("Thumbnails came without their bytes: choose anew.");
      take(reply, bytes);
    });
  }
  ask(what, about, answer) {
    const id = `${this.name}-${++this.asked}`;
    this.open.set(what, { id, answer });
    this.state.model.send?.({ ask: what, id, ...this.state.selection, ...about });
  }
  put(name, reply) {
    this.state[name] = reply;
    this.state.tell(name);
  }
};

// src/grid_heads.ts
function headsOf(meta, choice) {
  const counts = meta.sides.map((side) => axisOf(side, choice.words, choice.hide).groups.length);
  const sizeOf = ({ rows, columns }) => [rows, columns].map((side) => Math.min(item(counts, side), meta.thumbnail));
  let at = 0;
  return meta.kinds.map((kind) => {
    const found = [];
    for (const layer of kind.layers) {
      const [high = 0, wide = 0] = sizeOf(layer);
      for (const head of layer.heads) {
        found.push({ layer: layer.number, head, index: found.length, at, high, wide });
        at += high * wide;
      }
    }
    return found;
  });
}
function bytesOf(heads) {
  return heads.flat().reduce((sum, { high, wide }) => sum + high * wide, 0);
}
function byLayer(kind, heads) {
  let start = 0;
  return kind.layers.map((layer) => {
    const end = start + layer.heads.length;
    const row = heads.slice(start, end);
    start = end;
    return row;
  });
}
function ranked(heads, values, isRising, across) {
  const sign = isRising ? 1 : -1;
  const key = ({ index }) => {
    const value = values[index];
    return value === null || value === void 0 ? Infinity : sign * value;
  };
  const order = [...heads].sort((a, b) => key(a) === key(b) ? 0 : key(a) - key(b));
  const count = Math.ceil(order.length / across);
  return Array.from({ length: count }, (_, row) => order.slice(row * across, (row + 1) * across));
}

// src/grid_keys.ts
function next(event, from, rows, page) {
  const [y, x] = from ?? [0, 0];
  const to = from ? wanted(event, y, x, page) : wanted(event, y, x, page) && [0, 0];
  if (!to) return null;
  const row = clamp(to[0] ?? 0, 0, rows.length - 1);
  return [row, clamp(to[1] ?? 0, 0, (rows[row]?.length ?? 1) - 1)];
}
function wanted(event, y, x, page) {
  const step = stepOf(event);
  if (step) return [y + step[0], x + step[1]];
  if (event.key === "Home" && event.ctrlKey) return [0, 0];
  if (event.key === "End" && event.ctrlKey) return [Infinity, Infinity];
  if (hasModifier(event)) return null;
  const places = {
    Home: [y, 0],
    End: [y, Infinity],
    PageUp: [y - page, x],
    PageDown: [y + page, x]
  };
  return places[event.key] ?? null;
}

// src/grid_tiles.ts
var ACROSS = 16;
var OF_PAGE = ACROSS * ACROSS;
var Tiles = class {
  // other thumbnails came: as good where bytes are alike
  constructor(state) {
    this.state = state;
  }
  state;
  heads = [];
  bytes = null;
  scheme = "";
  pages = /* @__PURE__ */ new Map();
  stale = /* @__PURE__ */ new Map();
  /** Say what thumbnails are shown; what was drawn is kept where it is still right. */
  prepare(heads, bytes) {
    const { theme, log, common } = this.state;
    const scheme = `${theme.name} ${log} ${common}`;
    const isOther = heads !== this.heads || scheme !== this.scheme;
    if (isOther) this.pages.clear();
    if (isOther || bytes !== this.bytes) {
      this.stale = this.pages;
      this.pages = /* @__PURE__ */ new Map();
    }
    [this.heads, this.bytes, this.scheme] = [heads, bytes, scheme];
  }
  /** Draw a head's thumbnail; false, if there is nothing in it. */
  draw(brush, { index, high, wide }, x, y, side) {
    const page = this.page(Math.floor(index / OF_PAGE));
    if (!page) return false;
    const [left, top] = this.placeOf(index % OF_PAGE);
    brush.drawImage(page.canvas, left, top, wide, high, x, y, side, side);
    return !page.isBlank[index % OF_PAGE];
  }
  placeOf(slot) {
    const side = this.state.meta.thumbnail;
    return [slot % ACROSS * side, Math.floor(slot / ACROSS) * side];
  }
  page(number) {
    const found = this.pages.get(number);
    if (found) return found;
    const heads = this.heads.slice(number * OF_PAGE, (number + 1) * OF_PAGE);
    const [first, last] = [heads[0], heads.at(-1)];
    if (!first?.high || !first.wide || !last || !this.bytes) return null;
    const bytes = asBytes(this.bytes).subarray(first.at, last.at + last.high * last.wide);
    const before = this.stale.get(number);
    const page = before && isAlike(before.bytes, bytes) ? before : this.paint(heads, bytes);
    this.pages.set(number, page);
    return page;
  }
  paint(heads, bytes) {
    const { theme, log, common, meta } = this.state;
    const colours = new Uint32Array(theme.table.buffer);
    const across = ACROSS * meta.thumbnail;
    const image = new ImageData(across, Math.ceil(heads.length / ACROSS) * meta.thumbnail);
    const pixels = new Uint32Array(image.data.buffer);
    const isBlank = [];
    let at = 0;
    heads.forEach(({ high, wide }, slot) => {
      const [left, top] = this.placeOf(slot);
      const most = bytes.subarray(at, at + high * wide).reduce((a, b) => Math.max(a, b), 0);
      const darkest = common ? 255 * common : most;
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
};
function isAlike(a, b) {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

// src/grid.ts
var TILE = 32;
var MOST_ACROSS = 10;
var EDGE = 2;
var BY_LAYER = { left: 24, top: 18, wide: 36, high: 36, x: 2, y: 2 };
var RANKED = { left: 2, top: 18, wide: 44, high: 64, x: 6, y: 15 };
var Grid = class {
  // what the rows hang on
  constructor(state, variants, kind, frame) {
    this.state = state;
    this.variants = variants;
    this.kind = kind;
    this.frame = frame;
    this.tiles = new Tiles(state);
    this.canvas = make("canvas", {
      tabindex: "0",
      role: "application",
      "aria-label": `All heads of ${kind.title}: arrow keys choose a head`
    });
    this.canvas.addEventListener("click", (event) => this.choose(this.headAt(event)));
    this.canvas.addEventListener("pointermove", (event) => this.hover(this.headAt(event)));
    this.canvas.addEventListener("pointerleave", () => {
      this.hover(void 0);
      state.leave();
    });
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.plane = make("div", { class: "plane" }, this.canvas);
    this.element = make("div", {}, make("p", { class: "kind" }, kind.title), this.plane);
  }
  state;
  variants;
  kind;
  frame;
  canvas;
  element;
  plane;
  // as large as all tiles
  tiles;
  rows = [];
  layout = BY_LAYER;
  hovered;
  arranged = [];
  get heads() {
    return item(this.variants.source.heads, this.state.meta.kinds.indexOf(this.kind));
  }
  /** The values that sort the heads; none, where a layer is a row. */
  get values() {
    return this.variants.source.measures[this.kind.name]?.[this.state.measure];
  }
  /** Put the heads in their places, of which so many CSS pixels across are seen. */
  arrange(room) {
    const { kind, heads, values, state } = this;
    const across = Math.floor((room - RANKED.left - 2 * EDGE) / RANKED.wide);
    const hangsOn = [heads, values, state.rising, across];
    if (hangsOn.some((one, at) => one !== this.arranged[at])) {
      this.layout = values ? RANKED : BY_LAYER;
      this.rows = values ? ranked(heads, values, state.rising, Math.max(1, Math.min(across, MOST_ACROSS))) : byLayer(kind, heads);
      this.hovered = void 0;
    }
    this.arranged = hangsOn;
    const { left, top, wide, high } = this.layout;
    const longest = this.rows.reduce((most, row) => Math.max(most, row.length), 0);
    this.plane.style.width = `${left + longest * wide + EDGE}px`;
    this.plane.style.height = `${top + this.rows.length * high + EDGE}px`;
  }
  /** Draw what is in sight of all heads, once all grids are arranged. */
  draw() {
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
    const hatched = hatching(brush, this.state.theme);
    const last = Math.min(rows.length, Math.ceil((down + height - top) / high));
    for (let y = Math.max(0, Math.floor(down / high)); y < last; y++) {
      const row = item(rows, y);
      const end = Math.min(row.length, Math.ceil((right + width - left) / wide));
      for (let x = Math.max(0, Math.floor(right / wide)); x < end; x++) {
        const [atX, atY] = [left + x * wide - right, top + y * high - down];
        this.drawHead(brush, item(row, x), atX, atY, hatched);
      }
    }
    brush.restore();
    if (this.values) this.drawOrder(brush);
    else this.drawNumbers(brush, height, width);
  }
  /** How far down and right the tiles are scrolled under the canvas, which stays in sight. */
  scrolled() {
    const [plane, seen] = [this.plane.getBoundingClientRect(), this.canvas.getBoundingClientRect()];
    return [Math.max(0, seen.top - plane.top), Math.max(0, seen.left - plane.left)];
  }
  drawOrder(brush) {
    brush.fillStyle = this.state.theme.quiet;
    brush.font = `11px ${FONT}`;
    brush.textAlign = "left";
    const order = this.state.rising ? "lowest" : "highest";
    brush.fillText(`${order} ${nameOf(this.state.measure)} first`, this.layout.left + 2, 8);
  }
  /** Number heads and layers, beside and above what is scrolled. */
  drawNumbers(brush, height, width) {
    const { rows, layout } = this;
    const { left, top, wide, high } = layout;
    const [down, right] = this.scrolled();
    brush.fillStyle = this.state.theme.quiet;
    brush.font = `11px ${FONT}`;
    brush.textAlign = "center";
    const across = rows.reduce((longest, row) => row.length > longest.length ? row : longest, []);
    across.forEach(({ head }, at) => {
      const x = left + (at + 0.5) * wide - right;
      if (x > left && x < width) brush.fillText(String(head), x, 9);
    });
    rows.forEach((row, at) => {
      const y = top + (at + 0.5) * high - down;
      if (y > top && y < height) brush.fillText(String(row[0]?.layer), 11, y);
    });
  }
  drawHead(brush, head, left, top, hatched) {
    const { theme } = this.state;
    const [x, y] = [left + this.layout.x, top + this.layout.y];
    const hasInk = this.tiles.draw(brush, head, x, y, TILE);
    if (!hasInk) {
      brush.fillStyle = hatched;
      brush.fillRect(x, y, TILE, TILE);
    }
    if (this.values) this.title(brush, head, left + this.layout.wide / 2, y);
    const isChosen = this.isChosen(head);
    const isMarked = isChosen || head === this.hovered;
    const grown = isMarked ? 1 : 0.5;
    brush.strokeStyle = isChosen ? theme.accent : isMarked ? theme.quiet : theme.faint;
    brush.lineWidth = isChosen ? 3 : isMarked ? 2 : 1;
    brush.strokeRect(x - grown, y - grown, TILE + 2 * grown, TILE + 2 * grown);
  }
  /** Write which head it is, and by which value it stands there. */
  title(brush, head, middle, y) {
    const { theme } = this.state;
    brush.font = `11px ${FONT}`;
    brush.textAlign = "center";
    brush.fillStyle = theme.ink;
    brush.fillText(`${head.layer}.${head.head}`, middle, y - 8);
    brush.fillStyle = theme.quiet;
    brush.fillText(short(this.values?.[head.index]), middle, y + TILE + 9);
  }
  isChosen({ layer, head }) {
    const { selection } = this.state;
    const isMine = selection.kind === this.kind.name;
    return isMine && selection.layer === layer && selection.head === head;
  }
  /** Find the row and the column of the chosen head, if it is of this kind. */
  chosenPlace() {
    for (const [y, row] of this.rows.entries()) {
      const x = row.findIndex((head) => this.isChosen(head));
      if (x >= 0) return [y, x];
    }
    return null;
  }
  /** Scroll to the chosen head; true, if that moved anything. */
  reveal() {
    const place2 = this.chosenPlace();
    if (!place2) return false;
    const { frame, layout } = this;
    const [plane, seen] = [this.plane.getBoundingClientRect(), frame.getBoundingClientRect()];
    const into = (from, size, room) => Math.min(from, 0) + Math.max(from + size - room, 0);
    const down = plane.top - seen.top + place2[0] * layout.high;
    const right = plane.left - seen.left + place2[1] * layout.wide;
    const before = [frame.scrollTop, frame.scrollLeft];
    frame.scrollTop += into(down - 4, layout.top + layout.high + 8, frame.clientHeight);
    frame.scrollLeft += into(right - 4, layout.left + layout.wide + 8, frame.clientWidth);
    return frame.scrollTop !== before[0] || frame.scrollLeft !== before[1];
  }
  headAt({ offsetX, offsetY }) {
    const { left, top, wide, high } = this.layout;
    if (offsetX < left || offsetY < top) return void 0;
    const [down, right] = this.scrolled();
    const row = this.rows[Math.floor((offsetY - top + down) / high)];
    return row?.[Math.floor((offsetX - left + right) / wide)];
  }
  choose(head) {
    if (head) this.state.select({ kind: this.kind.name, layer: head.layer, head: head.head });
  }
  hover(head) {
    this.canvas.style.cursor = head ? "pointer" : "default";
    if (head === this.hovered) return;
    this.hovered = head;
    this.draw();
    if (head) this.describe(head);
  }
  /** Say the chosen head, if it is of this kind. */
  say() {
    const chosen = this.heads.find((head) => this.isChosen(head));
    if (chosen) this.describe(chosen);
  }
  describe(head) {
    const { source, isOther } = this.variants;
    const kind = { ...this.kind, measures: source.measures[this.kind.name] ?? {} };
    const parts = headSentence(this.state, kind, head, source.choice.words);
    const isMeasured = Object.keys(kind.measures).length > 0;
    this.state.say(isOther && isMeasured ? [...parts, " (of all tokens)"] : parts);
  }
  press(event) {
    const { rows, layout } = this;
    const page = Math.max(1, Math.floor((this.canvas.offsetHeight - layout.top) / layout.high));
    const place2 = next(event, this.chosenPlace(), rows, page);
    if (!place2) return;
    event.preventDefault();
    const head = item(item(rows, place2[0]), place2[1]);
    this.choose(head);
    this.describe(head);
  }
};

// src/inside.ts
var HEIGHT = 214;
var LEFT2 = 8;
var EXACT = { query: 0, key: 0, dot: 0 };
var productsOf = ({ query, key }) => query.map((q, at) => q * item(key, at));
var written2 = (estimate) => holding(estimate).replace("-", "−");
var signed = (value) => written2({ value, error: 0 });
function productAt({ query, key }, off, at) {
  const [q, k] = [item(query, at), item(key, at)];
  const error = Math.abs(q) * off.key + Math.abs(k) * off.query + off.query * off.key;
  return { value: q * k, error };
}
function stepsOf(found, off = EXACT) {
  const { query, dot, scale, bias, softcap, score, log_sum: logSum, weight } = found;
  const error = Math.abs(scale) * off.dot;
  const about = (value) => written2({ value, error });
  const largest = [...productsOf(found).entries()].sort(([, a], [, b]) => Math.abs(b) - Math.abs(a)).slice(0, 3).map(([at]) => `${written2(productAt(found, off, at))} in dimension ${at}`).join(", ");
  const added = dot * scale + bias;
  const ofAll = `the sum of ${query.length} products; the largest: ${largest}`;
  const steps = [
    `q · k = ${written2({ value: dot, error: off.dot })}, ${ofAll}`,
    `× scale ${signed(scale)} = ${about(dot * scale)}`
  ];
  if (bias) steps.push(`+ bias, such as a position term, ${signed(bias)} = ${about(added)}`);
  if (softcap !== null) {
    const squeezed = softcap * Math.tanh(added / softcap);
    steps.push(`squeezed to ±${signed(softcap)} = ${about(squeezed)}`);
  }
  if (score === null) {
    return [...steps, "masked: this query may not read this key, so the weight is 0"];
  }
  const divided = `divided by its sum ${denominatorOf(found)}, exp(${signed(logSum)})`;
  const share = written2({ value: weight, error: weight * Math.expm1(error) });
  return [...steps, `softmax: exp(${about(score)}), ${divided}, = ${share}`];
}
function denominatorOf({ num_keys: count, sink }) {
  const keys = `over the ${count} ${count === 1 ? "key" : "keys"} that it may read`;
  return sink === null ? keys : `${keys}, and the sink's exp(${signed(sink)})`;
}
var Inside = class {
  // CSS pixels of a dimension
  constructor(state) {
    this.state = state;
    const heading = make("figcaption", {}, "Why this weight");
    const parts = [heading, this.note, this.canvas, this.steps];
    this.element = make("figure", { class: "inside" }, ...parts);
    this.element.hidden = !state.isLive && !state.model.explain;
    this.canvas.addEventListener("pointermove", (event) => this.point(this.dimensionAt(event)));
    this.canvas.addEventListener("pointerleave", () => this.point(-1));
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.show();
  }
  state;
  element;
  canvas = make("canvas", {
    tabindex: "0",
    role: "application",
    "aria-label": "Why this weight: arrow keys walk the dimensions of query and key"
  });
  steps = make("ol", { class: "steps" });
  note = make("p");
  dimension = -1;
  // pointed at
  step = 1;
  get found() {
    return this.state.anatomy?.anatomy;
  }
  get off() {
    return this.state.anatomy?.off ?? EXACT;
  }
  /** Say what the kernel or the page replied, or what to do. */
  show() {
    const { found } = this;
    const point = "Point at a cell of the matrix to see why its weight is what it is.";
    this.dimension = -1;
    this.canvas.hidden = !found;
    this.note.hidden = found !== void 0;
    this.note.textContent = this.state.anatomy?.why_not ?? point;
    const steps = found ? stepsOf(found, this.off) : [];
    this.steps.replaceChildren(...steps.map((step) => make("li", {}, step)));
  }
  draw() {
    const { found, state } = this;
    if (!found || this.element.hidden) return;
    const width = Math.max(240, this.element.clientWidth);
    const brush = paintOn(this.canvas, width, HEIGHT);
    this.step = (width - 2 * LEFT2) / found.query.length;
    const charts = [
      [`query of ${legible(found.query_token, LONGEST_LABEL)}`, found.query, 0, 30],
      [`key of ${legible(found.key_token, LONGEST_LABEL)}`, found.key, 66, 30],
      ["product of each dimension", productsOf(found), 132, 58]
    ];
    for (const [title, values, top, high] of charts) {
      brush.fillStyle = state.theme.quiet;
      brush.textAlign = "left";
      brush.fillText(title, LEFT2, top + 9);
      this.bars(brush, values, top + 20, high);
    }
    if (this.dimension < 0) return;
    brush.strokeStyle = state.theme.accent;
    brush.lineWidth = 1.5;
    const x = LEFT2 + this.dimension * this.step - 0.5;
    brush.strokeRect(x, 18, Math.max(this.step, 2) + 1, 194);
  }
  /** Draw a bar for each value, up or down from zero. */
  bars(brush, values, top, high) {
    const { theme } = this.state;
    const most = Math.max(...values.map(Math.abs)) || 1;
    const middle = top + high / 2;
    const wide = Math.max(this.step * 0.8, 0.7);
    values.forEach((value, at) => {
      const size = Math.abs(value) / most * (high / 2);
      brush.fillStyle = value < 0 ? theme.accent : theme.link;
      const x = LEFT2 + at * this.step + this.step * 0.1;
      brush.fillRect(x, value < 0 ? middle : middle - size, wide, size);
    });
    brush.fillStyle = theme.quiet;
    brush.fillRect(LEFT2, middle - 0.25, values.length * this.step, 0.5);
  }
  dimensionAt(event) {
    const at = Math.floor((event.offsetX - LEFT2) / this.step);
    return this.found && at >= 0 && at < this.found.query.length ? at : -1;
  }
  press(event) {
    const step = stepOf(event);
    if (!step?.[1] || !this.found) return;
    event.preventDefault();
    this.point(clamp(this.dimension + step[1], 0, this.found.query.length - 1));
  }
  point(dimension) {
    const { found } = this;
    if (!found || dimension === this.dimension) return;
    this.dimension = dimension;
    this.state.say(dimension < 0 ? [] : [productSentence(found, this.off, dimension)]);
    this.draw();
  }
};
function productSentence(found, off, at) {
  const [q, k] = [item(found.query, at), item(found.key, at)];
  const n = (value, error) => holding({ value, error }, 3);
  const product = holding(productAt(found, off, at), 3);
  const all = n(found.dot, off.dot);
  return `dimension ${at}: ${n(q, off.query)} × ${n(k, off.key)} = ${product}, of ${all} in all`;
}

// src/pointing.ts
var STILL = 5;
var apart = ([a, b]) => a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
function listenTo(element, { point, leave, press, pinch }) {
  const fingers = /* @__PURE__ */ new Map();
  let start = { x: 0, y: 0 };
  let isDragged = false;
  let isTouch = false;
  element.addEventListener("pointerdown", (event) => {
    isTouch = event.pointerType === "touch";
    if (!isTouch) fingers.clear();
    start = { x: event.clientX, y: event.clientY };
    isDragged = false;
    if (isTouch) fingers.set(event.pointerId, start);
    if (fingers.size > 1) isDragged = true;
  });
  element.addEventListener("pointermove", (event) => {
    const spot = { x: event.clientX, y: event.clientY };
    if (event.buttons && apart([start, spot]) > STILL) isDragged = true;
    if (event.pointerType !== "touch") point(event);
    else if (fingers.has(event.pointerId)) {
      const before = apart([...fingers.values()]);
      fingers.set(event.pointerId, spot);
      const box = element.getBoundingClientRect();
      const [a, b] = [...fingers.values()];
      if (!a || !b || !before) return;
      pinch?.(apart([a, b]) / before, (a.x + b.x) / 2 - box.x, (a.y + b.y) / 2 - box.y);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    element.addEventListener(end, ({ pointerId }) => fingers.delete(pointerId));
  }
  element.addEventListener("pointerleave", ({ pointerType }) => {
    if (pointerType !== "touch") leave();
  });
  element.addEventListener("click", (event) => {
    if (!isDragged) press(event, isTouch);
  });
}

// src/stage.ts
var Stage = class {
  base;
  over;
  element;
  width = 1;
  // of what is seen
  height = 1;
  glass;
  room;
  constructor(label) {
    this.base = make("canvas", { tabindex: "0", role: "application", "aria-label": label });
    this.over = make("canvas", { class: "over", "aria-hidden": "true" });
    this.glass = make("div", { class: "glass" }, this.base, this.over);
    this.room = make("div", {}, this.glass);
    this.element = make("div", { class: "scroll" }, this.room);
  }
  /** Make room for all, `wide` and `high`, of which a frame is seen. */
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
};

// src/lines.ts
var LINE = 19;
var TOP = 24;
var MOST_LINKS = 1500;
var Lines = class {
  constructor(state) {
    this.state = state;
    const heading = make("figcaption", {}, "Lines");
    this.element = make("figure", { class: "lines" }, heading, this.stage.element, this.caption);
    const { base, element } = this.stage;
    element.addEventListener("scroll", () => state.tell("sight"));
    listenTo(base, {
      point: (event) => {
        const token = this.tokenAt(event);
        state.hover(token);
        base.style.cursor = token ? "pointer" : "default";
      },
      leave: () => state.leave(),
      press: (event) => {
        const token = this.tokenAt(event);
        if (token) state.lock(token.role, item(token.ats, 0), event.shiftKey);
        else state.unlock();
      }
    });
    base.addEventListener("keydown", (event) => this.press(event));
  }
  state;
  element;
  caption = make("small");
  wide = 0;
  // of a column of names
  stage = new Stage(
    "Lines: arrow keys walk tokens and change sides, Enter locks one, shift and Enter sums several, Escape unlocks"
  );
  draw() {
    const { stage, state } = this;
    const { shown } = state;
    this.element.hidden = Boolean(shown?.pixels);
    if (!shown || shown.pixels) return;
    const count = Math.max(shown.rows.names.length, shown.columns.names.length);
    const width = Math.max(200, this.element.clientWidth);
    const all = 26 + count * LINE + 4;
    stage.measure(width, Math.min(tallest(), all), 0, all);
    const brush = paintOn(stage.base, stage.width, stage.height);
    const longest = Math.max(labelWidth(shown.rows.names), labelWidth(shown.columns.names));
    this.wide = Math.min((stage.width - 70) / 2, 130, Math.max(longest, 40) + 12);
    brush.fillStyle = state.theme.quiet;
    brush.textAlign = "right";
    brush.fillText("reads", this.wide - 5, 10);
    brush.textAlign = "left";
    brush.fillText("is read", stage.width - this.wide + 5, 10);
    brush.save();
    brush.beginPath();
    brush.rect(0, 22, stage.width, stage.height);
    brush.clip();
    this.drawLinks(brush, shown);
    this.drawNames(brush, shown, "rows");
    this.drawNames(brush, shown, "columns");
    brush.restore();
  }
  /** Give the middle of a token. */
  y(at) {
    return TOP + (at + 0.5) * LINE - this.stage.element.scrollTop;
  }
  /** Give the tokens in sight. */
  sight(count) {
    const { scrollTop } = this.stage.element;
    const end = Math.ceil((scrollTop + this.stage.height) / LINE);
    return [clamp(Math.floor((scrollTop - TOP) / LINE), 0, count), clamp(end, 0, count)];
  }
  /** Collect the links that are to be drawn, the strongest last. */
  links(shown) {
    const focus = this.state.focus();
    const all = shown.columns.names.map((_, column) => column);
    const columns = focus?.role === "columns" ? focus.ats : all;
    const links = [];
    for (const row of this.linkedRows(shown, focus)) {
      for (const column of columns) {
        const value = shown.values[row * all.length + column] ?? 0;
        const shade = this.state.shade(value);
        if (shade >= 2) links.push({ row, column, shade });
      }
    }
    links.sort((a, b) => a.shade - b.shade);
    this.caption.textContent = links.length > MOST_LINKS ? `the strongest ${MOST_LINKS} of ${links.length} links in sight` : "";
    return links.slice(-MOST_LINKS);
  }
  linkedRows(shown, focus) {
    if (focus?.role === "rows") return focus.ats;
    const rows = shown.rows.names.map((_, row) => row);
    return focus ? rows : rows.slice(...this.sight(rows.length));
  }
  drawLinks(brush, shown) {
    const [from, to] = [this.wide + 3, this.stage.width - this.wide - 3];
    const bend = (to - from) * 0.4;
    brush.strokeStyle = this.state.theme.link;
    for (const { row, column, shade } of this.links(shown)) {
      const [y, end] = [this.y(row), this.y(column)];
      brush.globalAlpha = 0.06 + 0.94 * shade / 255;
      brush.lineWidth = 0.6 + 2.8 * shade / 255;
      brush.beginPath();
      brush.moveTo(from, y);
      brush.bezierCurveTo(from + bend, y, to - bend, end, to, end);
      brush.stroke();
    }
    brush.globalAlpha = 1;
  }
  drawNames(brush, shown, role) {
    const { state, wide } = this;
    const { names } = shown[role];
    const isLeft = role === "rows";
    const x = isLeft ? 0 : this.stage.width - wide;
    const focus = state.focus();
    const all = focus && focus.role !== role ? sums(shown, focus) : null;
    const [top, bottom] = this.sight(names.length);
    brush.textAlign = isLeft ? "right" : "left";
    for (let at = top; at < bottom; at++) {
      const y = this.y(at) - LINE / 2 + 1;
      brush.fillStyle = state.theme.ink;
      if (all && focus) this.shade(brush, x, y, item(all, at) / focus.ats.length);
      const name = legible(item(names, at), LONGEST_LABEL);
      brush.fillText(name, isLeft ? x + wide - 5 : x + 5, this.y(at), wide - 8);
      if (focus?.role === role && focus.ats.includes(at)) {
        brush.strokeStyle = state.theme.accent;
        brush.lineWidth = state.locked ? 3 : 1.5;
        brush.strokeRect(x + 1.5, y, wide - 3, LINE - 2);
      }
    }
  }
  /** Lay a weight's colour under a name, and choose an ink that is read on it. */
  shade(brush, x, y, value) {
    const { table } = this.state.theme;
    const shade = this.state.shade(value);
    brush.fillStyle = colour(table, shade);
    brush.fillRect(x, y, this.wide, LINE - 2);
    brush.fillStyle = isDark(table, shade) ? "#ffffff" : "#000000";
  }
  tokenAt({ offsetX, offsetY }) {
    const { shown } = this.state;
    const role = this.roleAt(offsetX);
    if (!shown || !role || offsetY < TOP) return null;
    const at = Math.floor((offsetY - TOP + this.stage.element.scrollTop) / LINE);
    return at < shown[role].names.length ? { role, ats: [at] } : null;
  }
  roleAt(x) {
    if (x < this.wide) return "rows";
    return x > this.stage.width - this.wide ? "columns" : null;
  }
  press(event) {
    const { state } = this;
    if (!state.shown || hasModifier(event)) return;
    const step = walkOf(event);
    const role = state.token?.role ?? "rows";
    const at = state.token?.ats[0] ?? 0;
    if (step?.[0]) this.walk(state.shown, role, state.token ? at + step[0] : 0);
    else if (Number.isFinite(step?.[1])) {
      this.walk(state.shown, (step?.[1] ?? 0) < 0 ? "rows" : "columns", at);
    } else if (step) this.walk(state.shown, role, step[1]);
    else if (event.key === "Enter" || event.key === " ") state.lock(role, at, event.shiftKey);
    else if (event.key === "Escape") state.unlock();
    else return;
    event.preventDefault();
  }
  walk(shown, role, at) {
    const { element, height } = this.stage;
    const next2 = clamp(at, 0, shown[role].names.length - 1);
    const least = (next2 + 1) * LINE + 26 - height;
    element.scrollTop = clamp(element.scrollTop, least, next2 * LINE);
    this.state.hover({ role, ats: [next2] });
  }
};

// src/frame.ts
var LARGEST_CELL = 28;
var WIDEST_LABEL = 130;
var RIGHT = 10;
var Frame = class {
  // where zooming scrolled to, exactly
  constructor(stage, outside) {
    this.stage = stage;
    this.outside = outside;
  }
  stage;
  outside;
  zoom = 1;
  cell = 1;
  // CSS pixels of a side
  left = 0;
  // room for the names
  top = 0;
  meant = [0, 0];
  /** Choose the size of a cell and the room for the names. */
  measure({ rows, columns }) {
    this.left = Math.min(labelWidth(rows.names), WIDEST_LABEL) + 26;
    this.top = Math.min(labelWidth(columns.names), WIDEST_LABEL) + 30;
    const width = Math.max(220, this.outside.clientWidth);
    const [high, wide] = [Math.max(rows.names.length, 1), Math.max(columns.names.length, 1)];
    const [across, down] = [width - this.left - RIGHT, tallest() - this.top];
    const fit = Math.min(across / wide, down / high, LARGEST_CELL);
    this.zoom = clamp(this.zoom, 1, Math.max(1, 40 / fit));
    this.cell = fit * this.zoom;
    this.outside.dataset.place = [this.left, this.top, this.cell].join(" ");
    const height = Math.min(tallest(), this.top + high * fit + 10);
    const [allWide, allHigh] = [wide * this.cell + RIGHT, high * this.cell + 10];
    this.stage.measure(width, height, this.left + allWide, this.top + allHigh);
  }
  /** Give the rows and columns in sight. */
  sight({ rows, columns }) {
    const { scrollTop, scrollLeft } = this.stage.element;
    const [bottom, right] = [
      scrollTop + this.stage.height - this.top,
      scrollLeft + this.stage.width - this.left
    ];
    const [high, wide] = [rows.names.length, columns.names.length];
    return [
      clamp(Math.floor(scrollTop / this.cell), 0, high),
      clamp(Math.ceil(bottom / this.cell), 0, high),
      clamp(Math.floor(scrollLeft / this.cell), 0, wide),
      clamp(Math.ceil(right / this.cell), 0, wide)
    ];
  }
  y(row) {
    return this.top + row * this.cell - this.stage.element.scrollTop;
  }
  x(column) {
    return this.left + column * this.cell - this.stage.element.scrollLeft;
  }
  cellAt({ offsetX, offsetY }, { rows, columns }) {
    if (offsetX < this.left || offsetY < this.top) return null;
    const { scrollTop, scrollLeft } = this.stage.element;
    const row = Math.floor((offsetY - this.top + scrollTop) / this.cell);
    const column = Math.floor((offsetX - this.left + scrollLeft) / this.cell);
    return row < rows.names.length && column < columns.names.length ? { row, column } : null;
  }
  /** Zoom, so that what is at a place (the pointed cell or the middle) stays there. */
  zoomTo(zoom, shown, atX, atY) {
    const { element, width, height } = this.stage;
    const x = (atX ?? (this.left + width) / 2) - this.left;
    const y = (atY ?? (this.top + height) / 2) - this.top;
    const near = (scrolled, meant) => Math.abs(scrolled - meant) < 1.5 ? meant : scrolled;
    const left = near(element.scrollLeft, this.meant[0]);
    const top = near(element.scrollTop, this.meant[1]);
    const [column, row] = [(x + left) / this.cell, (y + top) / this.cell];
    this.zoom = zoom;
    this.measure(shown);
    this.meant = [column * this.cell - x, row * this.cell - y];
    [element.scrollLeft, element.scrollTop] = this.meant;
  }
  /** Scroll to a cell. */
  reveal({ row, column }) {
    const { element, width, height } = this.stage;
    const into = (scroll, at, room) => clamp(scroll, (at + 1) * this.cell - room, at * this.cell);
    element.scrollTop = into(element.scrollTop, row, height - this.top);
    element.scrollLeft = into(element.scrollLeft, column, width - this.left);
  }
};

// src/matrix_ink.ts
function drawCells(brush, frame, state, kernel, shown, part) {
  const [top, bottom, left, right] = part;
  const [high, wide] = [(bottom - top) * frame.cell, (right - left) * frame.cell];
  const pixelsOf = (count, size) => Math.max(1, Math.min(count, Math.floor(size * ratio())));
  const [pixelsHigh, pixelsWide] = [pixelsOf(bottom - top, high), pixelsOf(right - left, wide)];
  const values = shown.pixels ? kernel.mapped(shown, part, pixelsHigh, pixelsWide) : pool(shown, part, pixelsHigh, pixelsWide);
  const shades = new Uint8Array(values.length);
  for (let at = 0; at < values.length; at++) shades[at] = state.shade(values[at] ?? 0);
  brush.save();
  brush.beginPath();
  brush.rect(frame.left, frame.top, frame.stage.width, frame.stage.height);
  brush.clip();
  brush.imageSmoothingEnabled = false;
  const image = picture(state.theme, shades, pixelsWide);
  brush.drawImage(image, frame.x(left), frame.y(top), wide, high);
  hatchMasked(brush, frame, state.theme, shown, part);
  if (frame.cell >= 9) rule(brush, frame, state.theme, part);
  brush.strokeStyle = state.theme.quiet;
  const [allWide, allHigh] = [shown.columns.names.length, shown.rows.names.length];
  brush.strokeRect(frame.x(0), frame.y(0), allWide * frame.cell, allHigh * frame.cell);
  brush.restore();
}
function hatchMasked(brush, frame, theme, shown, [top, bottom, left, right]) {
  if (shown.isOpen) return;
  brush.fillStyle = hatching(brush, theme);
  const step = Math.max(1, Math.floor(1 / frame.cell));
  for (let row = top; row < bottom; row += step) {
    const [first, end] = spanOf(shown, row);
    const high = Math.min(step, bottom - row) * frame.cell;
    const fill = (from, to) => {
      if (from < to) brush.fillRect(frame.x(from), frame.y(row), (to - from) * frame.cell, high);
    };
    fill(left, clamp(first, left, right));
    fill(clamp(end, left, right), right);
  }
}
function rule(brush, frame, theme, [top, bottom, left, right]) {
  brush.strokeStyle = theme.faint;
  brush.lineWidth = 0.5;
  brush.beginPath();
  for (let row = top; row <= bottom; row++) {
    brush.moveTo(frame.x(left), frame.y(row));
    brush.lineTo(frame.x(right), frame.y(row));
  }
  for (let column = left; column <= right; column++) {
    brush.moveTo(frame.x(column), frame.y(top));
    brush.lineTo(frame.x(column), frame.y(bottom));
  }
  brush.stroke();
}
function drawNames(brush, frame, theme, { rows, columns }, [top, bottom, left, right]) {
  const every = Math.max(1, Math.ceil(12 / frame.cell));
  const { width, height } = frame.stage;
  brush.fillStyle = theme.ink;
  brush.textAlign = "right";
  for (let row = Math.ceil(top / every) * every; row < bottom; row += every) {
    const y = frame.y(row + 0.5);
    if (y <= frame.top || y >= height - 3) continue;
    const name = legible(item(rows.names, row), LONGEST_LABEL);
    brush.fillText(name, frame.left - 5, y, frame.left - 24);
  }
  brush.textAlign = "left";
  for (let column = Math.ceil(left / every) * every; column < right; column += every) {
    const x = frame.x(column + 0.5);
    if (x < frame.left || x > width - 3) continue;
    const name = legible(item(columns.names, column), LONGEST_LABEL);
    upwards(brush, x, frame.top - 5, () => brush.fillText(name, 0, 0, frame.top - 26));
  }
  brush.fillStyle = theme.quiet;
  brush.fillText("is read →", frame.left, 9);
  brush.textAlign = "right";
  upwards(brush, 9, frame.top, () => brush.fillText("← reads", 0, 0));
}
function upwards(brush, x, y, draw) {
  brush.save();
  brush.translate(x, y);
  brush.rotate(-Math.PI / 2);
  draw();
  brush.restore();
}
function standOut(brush, frame, theme, role, at, name) {
  const [x, y] = [frame.x(at + 0.5), frame.y(at + 0.5)];
  const { width, height } = frame.stage;
  const isSeen = role === "rows" ? y > frame.top && y < height : x > frame.left && x < width;
  if (!isSeen) return;
  const write = (right, room) => {
    const text = legible(name, LONGEST_LABEL);
    const wide = Math.min(brush.measureText(text).width, room);
    brush.fillStyle = theme.ground;
    brush.fillRect(right - wide - 4, -8, wide + 6, 16);
    brush.fillStyle = theme.accent;
    brush.textAlign = "right";
    brush.fillText(text, right, 0, room);
  };
  brush.save();
  brush.font = brush.font.replace(/^/, "bold ");
  brush.translate(role === "rows" ? 0 : x, role === "rows" ? y : 0);
  if (role === "rows") write(frame.left - 5, frame.left - 24);
  else {
    brush.translate(0, frame.top - 5);
    brush.rotate(-Math.PI / 2);
    const room = frame.top - 26;
    const wide = Math.min(brush.measureText(legible(name, LONGEST_LABEL)).width, room);
    write(wide, room);
  }
  brush.restore();
}
function drawOver(brush, frame, state, { rows, columns }) {
  const focus = state.focus();
  const pointed = (role) => focus?.role === role ? focus.ats : [];
  const { row: atRow, column: atColumn } = state.cell ?? {};
  const also = (at) => at === void 0 ? [] : [at];
  for (const at of [...pointed("rows"), ...also(atRow)]) {
    standOut(brush, frame, state.theme, "rows", at, item(rows.names, at));
  }
  for (const at of [...pointed("columns"), ...also(atColumn)]) {
    standOut(brush, frame, state.theme, "columns", at, item(columns.names, at));
  }
  brush.beginPath();
  brush.rect(frame.left - 2, frame.top - 2, frame.stage.width, frame.stage.height);
  brush.clip();
  brush.strokeStyle = state.theme.accent;
  brush.lineWidth = frame.cell < 6 ? 1 : 2;
  const band = (role, at) => {
    const size = Math.max(frame.cell, 2);
    const [wide, high] = [columns.names.length * frame.cell, rows.names.length * frame.cell];
    if (role === "rows") brush.strokeRect(frame.x(0), frame.y(at), wide, size);
    else brush.strokeRect(frame.x(at), frame.y(0), size, high);
  };
  for (const at of focus?.ats ?? []) band(focus?.role ?? "rows", at);
  if (!state.cell) return;
  const { row, column } = state.cell;
  brush.globalAlpha = 0.45;
  brush.lineWidth = 1;
  band("rows", row);
  band("columns", column);
  brush.globalAlpha = 1;
  brush.lineWidth = 2.5;
  const side = Math.max(frame.cell, 3);
  brush.strokeRect(frame.x(column), frame.y(row), side, side);
}

// src/matrix.ts
var Matrix = class {
  constructor(state, kernel) {
    this.state = state;
    this.kernel = kernel;
    const buttons = [
      this.button("−", "Zoom out", () => this.zoomTo(this.frame.zoom / 1.5)),
      this.button("+", "Zoom in", () => this.zoomTo(this.frame.zoom * 1.5)),
      this.button("whole", "Show the whole matrix", () => this.zoomTo(1))
    ];
    const heading = make("figcaption", {}, "Matrix", ...buttons);
    this.element = make("figure", { class: "matrix" }, heading, this.stage.element, this.caption);
    this.frame = new Frame(this.stage, this.element);
    this.listen();
  }
  state;
  kernel;
  element;
  caption = make("small");
  frame;
  stage = new Stage(
    "Matrix: arrow keys walk its cells, plus and minus zoom, Enter locks a row"
  );
  button(text, label, act) {
    const button = make("button", { type: "button", "aria-label": label }, text);
    button.addEventListener("click", act);
    return button;
  }
  listen() {
    const { state } = this;
    const { base, element } = this.stage;
    const cellAt = (event) => state.shown ? this.frame.cellAt(event, state.shown) : null;
    element.addEventListener("scroll", () => state.tell("sight"));
    listenTo(base, {
      point: (event) => state.point(cellAt(event)),
      leave: () => state.leave(),
      press: (event, isTouch) => this.pressAt(cellAt(event), event.shiftKey, isTouch),
      pinch: (factor, x, y) => this.zoomTo(this.frame.zoom * factor, x, y)
    });
    base.addEventListener("keydown", (event) => this.press(event));
    base.addEventListener("wheel", (event) => this.roll(event), { passive: false });
  }
  /** Lock the row of a cell; a finger points first, and locks when it taps the cell again. */
  pressAt(cell, several, isTouch) {
    const { state } = this;
    const isNew = cell?.row !== state.cell?.row || cell?.column !== state.cell?.column;
    if (isTouch && isNew) state.point(cell);
    else if (cell) state.lock("rows", cell.row, several);
  }
  draw() {
    const { state, stage, frame } = this;
    const { shown, selection } = state;
    if (!shown) return;
    frame.measure(shown);
    const brush = paintOn(stage.base, stage.width, stage.height);
    const writes = state.meta.writes && selection.kind !== "encoder";
    this.caption.textContent = writes ? "rows read (→ what is written next), columns are read" : "rows read, columns are read";
    const part = frame.sight(shown);
    const [top, bottom, left, right] = part;
    if (bottom <= top || right <= left) return;
    drawCells(brush, frame, state, this.kernel, shown, part);
    drawNames(brush, frame, state.theme, shown, part);
    this.drawOver();
  }
  /** Mark what is pointed at and what is locked. */
  drawOver() {
    const { stage, state, frame } = this;
    if (state.shown) {
      drawOver(paintOn(stage.over, stage.width, stage.height), frame, state, state.shown);
    }
  }
  zoomTo(zoom, atX, atY) {
    if (!this.state.shown) return;
    this.frame.zoomTo(zoom, this.state.shown, atX, atY);
    this.state.tell("sight");
  }
  roll(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const zoom = this.frame.zoom * Math.exp(-event.deltaY / 200);
    this.zoomTo(zoom, event.offsetX, event.offsetY);
  }
  press(event) {
    if (!this.state.shown || hasModifier(event)) return;
    const step = walkOf(event);
    const act = step ? () => this.walk(step) : this.actOf(event);
    if (!act) return;
    act();
    event.preventDefault();
  }
  actOf(event) {
    const { zoom } = this.frame;
    const { cell } = this.state;
    const lock = cell ? () => this.state.lock("rows", cell.row, event.shiftKey) : void 0;
    const acts = {
      "+": () => this.zoomTo(zoom * 1.5),
      "=": () => this.zoomTo(zoom * 1.5),
      "-": () => this.zoomTo(zoom / 1.5),
      "0": () => this.zoomTo(1),
      Enter: lock,
      Escape: () => this.state.unlock(),
      " ": lock
    };
    return acts[event.key];
  }
  walk([down, right]) {
    const { state } = this;
    if (!state.shown) return;
    const { rows, columns } = state.shown;
    const at = state.cell ?? { row: -clamp(down, -1, 1), column: -clamp(right, -1, 1) };
    state.point({
      row: clamp(at.row + down, 0, rows.names.length - 1),
      column: clamp(at.column + right, 0, columns.names.length - 1)
    });
    if (state.cell) this.frame.reveal(state.cell);
  }
};

// src/reading.ts
var PATIENCE = 120;
var LONGEST_LIST = 2e3;
var TITLES = { rows: "what it reads", columns: "what reads it" };
var Reading = class {
  constructor(state) {
    this.state = state;
    const roles = Object.entries(TITLES);
    this.side.append(...roles.map(([value, title]) => make("option", { value }, title)));
    const heading = make("figcaption", {}, "Text ", this.search, this.side, this.hint);
    const panel = make("div", { class: "panel" }, this.texts, this.list);
    this.element = make("figure", { class: "reading" }, heading, panel);
    this.search.addEventListener("input", () => this.find(0));
    this.search.addEventListener("keydown", (event) => this.press(event));
    this.side.addEventListener("change", () => this.turn());
  }
  state;
  element;
  search = make("input", {
    type: "search",
    placeholder: "find a token",
    "aria-label": "Find a token: type it, Enter locks it, and again the next"
  });
  side = make("select", { "aria-label": "Of a token, show" });
  hint = make("small");
  texts = make("div", { class: "texts" });
  list = make("ol", { class: "ranked", tabindex: "0", "aria-label": "In order" });
  words = {};
  drawn = null;
  listed = null;
  // what the list is of
  waiting = 0;
  writing = 0;
  isOne = true;
  // are the tokens that read those that are read?
  match = -1;
  get role() {
    return this.side.value;
  }
  draw() {
    const { shown } = this.state;
    this.element.hidden = Boolean(shown?.pixels);
    if (!shown || shown.pixels) return;
    if (this.drawn === shown) this.render(shown);
    else {
      clearTimeout(this.writing);
      this.writing = setTimeout(() => this.state.shown === shown && this.render(shown));
    }
  }
  render(shown) {
    if (this.drawn !== shown) this.write(shown);
    this.shade(shown);
    const focus = this.state.locked ?? this.state.focus();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.rank(shown, focus), PATIENCE);
  }
  /** Write the text anew, if other tokens are shown. */
  write(shown) {
    const before = this.drawn;
    this.drawn = shown;
    this.listed = null;
    const isAlike3 = (role) => before?.[role].names.join("\n") === shown[role].names.join("\n");
    if (isAlike3("rows") && isAlike3("columns")) return;
    this.isOne = shown.rows.names.join("\n") === shown.columns.names.join("\n");
    const roles = this.isOne ? ["rows"] : ["rows", "columns"];
    this.side.hidden = roles.length > 1;
    this.words = {};
    this.texts.replaceChildren();
    for (const role of roles) {
      const words = shown[role].names.map((_, at) => this.word(shown, role, at));
      this.words[role] = words;
      const text = make("p", { dir: "auto" }, ...words.flatMap((word) => [word, " "]));
      if (roles.length > 1) text.prepend(make("small", {}, role === "rows" ? "reads: " : "read: "));
      this.texts.append(text);
    }
  }
  word(shown, role, at) {
    const word = make("span", {}, legible(item(shown[role].names, at), LONGEST_NAME));
    word.addEventListener("click", (event) => {
      if (!getSelection()?.isCollapsed) return;
      this.state.lock(this.isOne ? this.role : role, at, event.shiftKey);
    });
    return word;
  }
  /** Lay the colour of a weight behind each word. */
  shade(shown) {
    const { state } = this;
    const focus = state.focus();
    const all = focus ? sums(shown, focus) : null;
    const { isOne } = this;
    for (const [role, words] of Object.entries(this.words)) {
      const isOther = focus !== null && (isOne || role !== focus.role);
      const isOwn = (at) => focus !== null && (isOne || role === focus.role) && focus.ats.includes(at);
      words.forEach((word, at) => {
        const weight = all && isOther ? (all[at] ?? 0) / (focus?.ats.length ?? 1) : 0;
        const shade = state.shade(weight);
        const { table } = state.theme;
        word.style.background = shade ? colour(table, shade) : "";
        word.style.color = shade ? isDark(table, shade) ? "#ffffff" : "#1b1b1b" : "";
        word.classList.toggle("own", isOwn(at));
      });
    }
  }
  /** List all tokens by what is read of them. */
  rank(shown, focus) {
    const { strongest } = this.state;
    const source = strongest && strongest.focus === focus ? strongest : focus;
    if (source === this.listed) return;
    this.listed = source;
    this.list.hidden = !focus;
    if (!focus) return;
    const other = otherOf(focus.role);
    const { names } = shown[other];
    const lines = this.linesOf(shown, focus).map(
      ([at, text]) => make("li", {}, `${legible(item(names, at), LONGEST_NAME)} (${at}): ${text}`)
    );
    this.list.replaceChildren(...lines);
  }
  linesOf(shown, focus) {
    const { strongest } = this.state;
    if (strongest?.focus === focus) {
      return strongest.found.map(([at, value]) => [at, said({ value, error: 0 })]);
    }
    const all = [...sums(shown, focus).entries()].filter(([, value]) => value > 0);
    all.sort(([, a], [, b]) => b - a);
    return all.slice(0, LONGEST_LIST).map(([at, value]) => [at, said({ value, error: errorAt(shown, focus, at) })]);
  }
  matches() {
    const { shown } = this.state;
    const sought = this.search.value.trim().toLowerCase();
    if (!shown || !sought) return [];
    const found = [...shown[this.role].names.entries()];
    const holds = (test) => found.filter(([, name]) => test(name.toLowerCase())).map(([at]) => at);
    const same = holds((name) => name === sought);
    return [...same, ...holds((name) => name !== sought && name.includes(sought))];
  }
  /** Point at a match, and say how many there are. */
  find(match) {
    const matches = this.matches();
    this.match = matches.length ? match % matches.length : -1;
    const count = matches.length ? `${this.match + 1} of ${matches.length}` : "not there";
    this.hint.textContent = this.search.value.trim() ? count : "";
    const at = matches[this.match];
    this.state.hover(at === void 0 ? null : { role: this.role, ats: [at] });
    if (at !== void 0) this.reveal(at);
  }
  reveal(at) {
    const words = this.words[this.role] ?? this.words.rows;
    words?.[at]?.scrollIntoView({ block: "nearest" });
  }
  press(event) {
    if (event.key === "Escape") this.state.unlock();
    if (event.key !== "Enter") return;
    event.preventDefault();
    const at = this.matches()[this.match];
    if (at === void 0) return;
    const { locked } = this.state;
    const isLocked = locked?.role === this.role && locked.ats.join() === String(at);
    if (isLocked) this.find(this.match + 1);
    const next2 = this.matches()[this.match] ?? at;
    if (!isLocked || next2 !== at) this.state.lock(this.role, next2, false);
  }
  /** Ask the other way: not what a token reads, but what reads it. */
  turn() {
    const { locked } = this.state;
    if (locked && locked.role !== this.role) this.state.turn();
    if (this.search.value) this.find(0);
  }
};

// src/variants.ts
var PLAIN2 = { words: false, hide: false };
var keyOf = ({ words, hide }) => `${words} ${hide}`;
var Variants = class {
  constructor(state, kernel) {
    this.state = state;
    this.kernel = kernel;
    this.heads = headsOf(state.meta, PLAIN2);
  }
  state;
  kernel;
  known = /* @__PURE__ */ new Map();
  heads;
  // of all tokens
  asked = "";
  /** What there is of the heads as they are shown; until it is there, of all tokens. */
  get source() {
    const { meta, thumbnails } = this.state;
    const found = this.known.get(keyOf(this.state));
    if (found) return found;
    const measures = Object.fromEntries(meta.kinds.map((kind) => [kind.name, kind.measures]));
    return { thumbnails, heads: this.heads, measures, choice: PLAIN2 };
  }
  /** Are thumbnails and measures of other tokens than the matrix shows? */
  get isOther() {
    return keyOf(this.source.choice) !== keyOf(this.state);
  }
  /** Say of what the thumbnails and measures are, where that is not plain. */
  get said() {
    const { words, hide } = this.source.choice;
    const isComing = this.state.isLive && this.asked === keyOf(this.state);
    if (this.isOther) return `of all tokens${isComing ? ", until others are computed" : ""}`;
    const parts = [words ? "of words" : "", hide ? "without special tokens" : ""];
    return parts.filter((part) => part).join(", ");
  }
  /** Ask for what is not there yet; long texts are not looked at before a head is opened. */
  want() {
    const { words, hide, meta, model, isLive } = this.state;
    const choice = { words, hide };
    const key = keyOf(choice);
    if (!this.isOther || this.asked === key || !meta.looked) return;
    this.asked = key;
    const take = (reply, thumbnails) => this.take(choice, reply, thumbnails);
    if (isLive) this.kernel.vary(choice, take);
    else model.vary?.(choice, take);
  }
  take(choice, { measures }, thumbnails) {
    const heads = headsOf(this.state.meta, choice);
    const size = bytesOf(heads);
    if (thumbnails.byteLength !== size) {
      throw new Error(
        `The thumbnails have ${thumbnails.byteLength} bytes, but ${size} are needed: they were cut off.`
      );
    }
    this.known.set(keyOf(choice), { thumbnails, heads, measures, choice });
    this.state.tell("order");
  }
};

// src/pictures.ts
var BESIDE2 = 22;
var Pictures = class {
  constructor(state, kernel) {
    this.state = state;
    const variants = new Variants(state, kernel);
    this.variants = variants;
    this.grids = state.meta.kinds.map((kind) => new Grid(state, variants, kind, this.frame));
    this.frame.append(...this.grids.map(({ element }) => element));
    this.frame.addEventListener("scroll", () => this.drawGrids());
    this.matrix = new Matrix(state, kernel);
    this.lines = new Lines(state);
    this.inside = new Inside(state);
    this.reading = new Reading(state);
    const heading = make("figcaption", {}, "Heads ", this.hint);
    const heads = make("figure", { class: "heads" }, heading, this.frame);
    const others = [this.matrix, this.lines, this.inside, this.reading].map(
      ({ element }) => element
    );
    this.element = make("div", { class: "pictures" }, heads, ...others);
  }
  state;
  element;
  matrix;
  lines;
  inside;
  reading;
  grids;
  variants;
  hint = make("small");
  frame = make("div", { class: "kinds" });
  draw() {
    this.variants.want();
    this.say();
    const room = Math.min(this.element.clientWidth, GRID_WIDE) - BESIDE2;
    for (const grid of this.grids) grid.arrange(room);
    this.drawGrids();
    this.matrix.draw();
    this.lines.draw();
    this.reading.draw();
    this.inside.draw();
  }
  drawGrids() {
    for (const grid of this.grids) grid.draw();
  }
  /** Say of what the grids are, where words are merged or tokens hidden. */
  say() {
    const order = this.state.measure ? "layer.head and its value" : "a layer a row";
    const { said: said2 } = this.variants;
    const text = said2 ? `${order}; ${said2}` : `${order}; choose one`;
    if (this.hint.textContent !== text) this.hint.textContent = text;
  }
  /** Draw what is pointed at and what hangs on it. */
  drawOver() {
    this.matrix.drawOver();
    this.lines.draw();
    this.reading.draw();
    this.inside.draw();
  }
  /** Scroll to the chosen head. */
  reveal() {
    const moved = this.grids.map((grid) => grid.reveal());
    if (moved.includes(true)) this.drawGrids();
  }
  sayHead() {
    for (const grid of this.grids) grid.say();
  }
};

// src/sentence.ts
var Sentence = class {
  /** `sayHead` says the chosen head, where there is nothing else to say. */
  constructor(state, tip, sayHead) {
    this.state = state;
    this.tip = tip;
    this.sayHead = sayHead;
  }
  state;
  tip;
  sayHead;
  element = make("p", { class: "sentence", role: "status", "aria-live": "polite" });
  /** Say a cell, a token or a lock; if there is none, the chosen head. */
  point() {
    const { shown, cell, token, locked, exact } = this.state;
    if (!shown) return;
    const focus = token ?? locked;
    if (cell) this.say(cellSentence(shown, cell, exact));
    else if (focus) this.say(focusSentence(this.state, focus));
    else this.sayHead();
  }
  lock() {
    const { locked } = this.state;
    this.say(locked ? focusSentence(this.state, locked) : ["unlocked"]);
  }
  /** The kernel has ranked what the tokens of a map read, or are read by. */
  rank() {
    const { strongest, token, locked } = this.state;
    if (strongest && strongest.focus === (token ?? locked)) {
      this.say(focusSentence(this.state, strongest.focus));
    }
  }
  say(parts) {
    const text = parts.map((part) => typeof part === "string" ? part : part.em).join("");
    const { cell, token, said: said2 } = this.state;
    this.tip.say(parts, cell !== null || token !== null || said2 === parts);
    if (this.element.textContent === text) return;
    this.element.replaceChildren(...piecesOf(parts));
  }
};
var piecesOf = (parts) => parts.map((part) => typeof part === "string" ? part : make("em", {}, part.em));

// src/state.ts
var State = class {
  constructor(model) {
    this.model = model;
  }
  model;
  shown = null;
  cell = null;
  token = null;
  // pointed at
  locked = null;
  words = false;
  hide = false;
  log = false;
  measure = "";
  // by which the heads are sorted
  rising = false;
  // the lowest first
  theme = THEMES.light;
  said = [];
  opening = null;
  common = null;
  // the weight of the darkest colour; else, the largest of the head
  // what the kernel replied
  tile = null;
  // the last part of a map
  exact = null;
  // of the cell
  strongest = null;
  anatomy = null;
  // of the cell that is explained
  explained = null;
  ears = /* @__PURE__ */ new Set();
  get meta() {
    return this.model.get("meta");
  }
  /** What was measured of any heads. */
  get measures() {
    return [...new Set(this.meta.kinds.flatMap(({ measures }) => Object.keys(measures)))];
  }
  get selection() {
    return this.model.get("selection");
  }
  get weights() {
    return this.model.get("weights");
  }
  get thumbnails() {
    return this.model.get("thumbnails");
  }
  /** Is there a kernel to ask? */
  get isLive() {
    return this.model.send !== void 0;
  }
  /** Is this the head that was shown first? */
  isOpening({ kind, layer, head }) {
    const { opening } = this;
    return opening?.kind === kind && opening.layer === layer && opening.head === head;
  }
  /** The weight that has the darkest colour. */
  get top() {
    return this.common ?? (this.shown?.largest || 1);
  }
  /** Give the colour's place in the table for a weight: from 0 to 255. */
  shade(weight) {
    return weight > 0 ? shadeOf(weight / this.top, this.log) : 0;
  }
  /** Are the weights those of another head than the chosen one? */
  get isStale() {
    const { weights, selection } = this;
    const names = ["kind", "layer", "head"];
    return names.some((name) => weights?.[name] !== selection[name]);
  }
  listen(ear) {
    this.ears.add(ear);
  }
  tell(change) {
    for (const ear of this.ears) ear(change);
  }
  /** Other heads are there: forget what was shown of those before, and check what is said. */
  start() {
    this.shown = this.explained = this.anatomy = null;
    this.opening = this.selection;
    checkMeta(this.meta, this.thumbnails);
    if (!this.measures.includes(this.measure)) this.measure = "";
  }
  select(selection) {
    findLayer(this.meta, selection);
    this.model.set("selection", selection);
    this.model.save_changes();
  }
  /** Choose a head of a kind and a layer, or the nearest that there is. */
  selectNearest({ kind, layer, head }) {
    const ofKind = this.meta.kinds.find(({ name }) => name === kind);
    const found = ofKind?.layers.find(({ number }) => number === layer) ?? ofKind?.layers[0];
    if (!found) return;
    const isThere = found.heads.includes(head);
    this.select({ kind, layer: found.number, head: isThere ? head : item(found.heads, 0) });
  }
  /** Take the weights of the chosen head; what is pointed at stays where the tokens are alike. */
  receive() {
    if (this.isStale) return;
    const { layer } = findLayer(this.meta, this.selection);
    const before = this.shown;
    this.shown = null;
    this.shown = show(this.meta, layer, this.weights, this);
    if (!isAlike2(before, this.shown)) this.cell = this.token = this.locked = null;
    this.tile = this.exact = this.strongest = this.anatomy = null;
    const { rows, columns } = this.shown;
    const { explained } = this;
    const isThere = explained && explained.row < rows.names.length;
    if (isThere && explained.column < columns.names.length) this.cell = explained;
    this.tell("weights");
  }
  switch(name, on) {
    this[name] = on;
    if (name === "log") this.tell("scale");
    else this.receive();
  }
  /** Colour up to a weight that all heads share; if it is null, to each head's largest. */
  colourTo(common) {
    this.common = common;
    this.tell("scale");
  }
  sort(measure, rising = this.rising) {
    this.measure = measure;
    this.rising = rising;
    this.tell("order");
  }
  say(parts) {
    this.said = parts;
    this.tell("said");
  }
  point(cell) {
    if (cell && cell.row === this.cell?.row && cell.column === this.cell.column) return;
    this.cell = cell;
    this.token = this.exact = null;
    this.tell("pointed");
  }
  hover(token) {
    if (token?.role === this.token?.role && token?.ats[0] === this.token?.ats[0]) return;
    this.token = token;
    this.cell = this.exact = null;
    this.tell("pointed");
  }
  leave() {
    this.cell = this.token = this.exact = null;
    this.tell("pointed");
  }
  /** Lock a token, or unlock it; several are summed. */
  lock(role, at, several) {
    const before = this.locked?.role === role ? this.locked.ats : [];
    const isLocked = before.includes(at);
    const others = before.filter((other) => other !== at);
    let ats = [at];
    if (several) ats = isLocked ? others : [...before, at];
    else if (isLocked && !others.length) ats = [];
    this.locked = ats.length ? { role, ats } : null;
    this.tell("locked");
  }
  /** Ask the other way: what reads a token, not what it reads. */
  turn() {
    if (!this.locked) return;
    this.locked = { ...this.locked, role: this.locked.role === "rows" ? "columns" : "rows" };
    this.tell("locked");
  }
  unlock() {
    if (!this.locked) return;
    this.locked = null;
    this.tell("locked");
  }
  /** What the lines are drawn for. */
  focus() {
    return this.locked ?? this.token ?? (this.cell && { role: "rows", ats: [this.cell.row] });
  }
  kindOf(name) {
    return this.meta.kinds.find((kind) => kind.name === name);
  }
};
function isAlike2(before, after) {
  const count = (shown) => [shown?.rows.names.length, shown?.columns.names.length];
  return count(before).join() === count(after).join();
}

// src/theme.ts
var WATCHED = [
  ...["class", "style", "theme", "data-theme", "data-mode", "data-color-mode", "data-bs-theme"],
  ...["data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind"]
];
var GROUNDS = [
  "--vscode-editor-background",
  "--colab-primary-surface-color",
  "--jp-layout-color1"
];
var DARK = "(prefers-color-scheme: dark)";
var FORCED = "(forced-colors: active)";
var isOpaque = (colour2) => (colour2?.[3] ?? 0) > 0.5;
function parentOf(element) {
  const root = element.getRootNode();
  const around = root instanceof ShadowRoot ? root.host : null;
  return element.assignedSlot ?? element.parentElement ?? around;
}
function* ancestorsOf(element) {
  for (let next2 = parentOf(element); next2; next2 = parentOf(next2)) yield next2;
}
function themeOf(element) {
  if (matchMedia(FORCED).matches) return matchMedia(DARK).matches ? THEMES.dark : THEMES.light;
  const ground = groundBehind(element) ?? namedGround(element);
  const isDark2 = ground ? luminance(ground) < MIDDLE : luminance(inkAround(element)) > MIDDLE;
  return isDark2 ? THEMES.dark : THEMES.light;
}
function groundBehind(element) {
  for (const ancestor of ancestorsOf(element)) {
    const colour2 = rgbaOf(getComputedStyle(ancestor).backgroundColor);
    if (isOpaque(colour2)) return colour2;
  }
  return null;
}
function namedGround(element) {
  const style = getComputedStyle(element);
  const named2 = GROUNDS.map((name) => rgbaOf(style.getPropertyValue(name)));
  return named2.find(isOpaque) ?? null;
}
function inkAround(element) {
  return rgbaOf(getComputedStyle(parentOf(element) ?? element).color) ?? [0, 0, 0, 1];
}
function wear(host, view, theme) {
  host.style.colorScheme = theme.name;
  host.dataset.theme = theme.name;
  const { table, name, ...colours } = theme;
  for (const [role, colour2] of Object.entries(colours)) view.style.setProperty(`--${role}`, colour2);
}
function followTheme(host, changed) {
  const ended = new AbortController();
  const { signal } = ended;
  const attributes = new MutationObserver(changed);
  const placed = () => {
    attributes.disconnect();
    for (const ancestor of ancestorsOf(host)) {
      attributes.observe(ancestor, { attributeFilter: WATCHED });
    }
    changed();
  };
  const size = new ResizeObserver(placed);
  size.observe(host);
  host.shadowRoot?.addEventListener("animationstart", placed, { signal });
  document.addEventListener("load", changed, { capture: true, signal });
  document.addEventListener("transitionend", faded(changed), { signal });
  for (const query of [DARK, FORCED]) {
    matchMedia(query).addEventListener("change", changed, { signal });
  }
  return () => {
    ended.abort();
    size.disconnect();
    attributes.disconnect();
  };
}
function faded(changed) {
  return ({ propertyName }) => {
    if (/^(background-)?color$/.test(propertyName)) changed();
  };
}

// src/tip.ts
var [BESIDE3, WIDEST] = [16, 300];
var Tip = class {
  // with a mouse or a finger, not by keys
  /** `around` is what the pointer moves in, and what the tip stays in. */
  constructor(around) {
    this.around = around;
    for (const event of ["pointermove", "pointerdown"]) {
      around.addEventListener(event, (at) => this.follow(at), { capture: true });
    }
    around.addEventListener("keydown", () => this.hide());
    around.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType === "mouse") this.hide();
    });
  }
  around;
  element = make("div", { class: "tip", "aria-hidden": "true", hidden: "" });
  isPointing = false;
  follow({ clientX, clientY, target }) {
    this.isPointing = target instanceof Element && target.closest(".matrix, .heads") !== null;
    if (!this.isPointing) this.element.hidden = true;
    const box = this.around.getBoundingClientRect();
    const [x, y] = [clientX - box.x, clientY - box.y];
    const wide = Math.min(WIDEST, box.width - 8);
    const isLeft = x + BESIDE3 + wide > box.width && x > wide;
    this.element.style.maxWidth = `${wide}px`;
    this.element.style.left = isLeft ? "" : `${clamp(x + BESIDE3, 0, box.width - wide)}px`;
    this.element.style.right = isLeft ? `${box.width - x + BESIDE3}px` : "";
    this.element.style.top = `${y + BESIDE3}px`;
  }
  hide() {
    this.isPointing = false;
    this.element.hidden = true;
  }
  /** Show what is said of what is pointed at; of nothing, nothing. */
  say(parts, isOfPointed) {
    this.element.hidden = !(isOfPointed && this.isPointing);
    if (!this.element.hidden) this.element.replaceChildren(...piecesOf(parts));
  }
};

// src/view.ts
var PATIENCE2 = 200;
var View = class {
  constructor(el, model) {
    this.model = model;
    this.state = new State(model);
    this.kernel = new Kernel(this.state);
    const label = { class: "view", "aria-label": "Attention" };
    this.section = make("section", label, this.alert, this.body);
    this.tip = new Tip(this.section);
    this.section.append(this.tip.element);
    const root = this.host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS2);
    root.adoptedStyleSheets = [sheet];
    root.append(this.section);
    el.append(this.host);
    this.state.listen((change) => this.changed(change));
    this.ears = this.hear();
    for (const [event, ear] of this.ears) model.on(event, ear);
    wear(this.host, this.section, this.state.theme);
    this.unfollow = followTheme(this.host, () => this.restyle());
    this.size.observe(this.host);
    this.restyle();
    this.attempt(() => this.build());
  }
  model;
  state;
  kernel;
  host = make("div", { "data-lm-suppress-shortcuts": "true", "data-regard": "" });
  alert = make("p", { class: "alert", role: "alert", hidden: "" });
  body = make("div");
  section;
  tip;
  size = new ResizeObserver(() => this.schedule("all"));
  unfollow;
  ears;
  bar = null;
  foot = null;
  sentence = null;
  pictures = null;
  due = null;
  isElsewhere = false;
  // another head was chosen since it was drawn
  isClosed = false;
  patience = 0;
  /** Name what the model says, and what is done then. */
  hear() {
    return [
      ["change:meta", () => this.attempt(() => this.build())],
      ["change:selection", () => this.attempt(() => this.chosen())],
      ["change:weights", () => this.attempt(() => this.state.receive())],
      ["change:thumbnails", () => this.schedule("all")],
      ["msg:custom", (message, buffers) => this.attempt(() => this.kernel.hear(message, buffers))]
    ];
  }
  close() {
    for (const [event, ear] of this.ears) this.model.off(event, ear);
    this.size.disconnect();
    this.unfollow();
    clearTimeout(this.patience);
    this.host.remove();
    this.isClosed = true;
  }
  /** Do something; if it fails, say so in the view. */
  attempt(act) {
    try {
      act();
      this.alert.hidden = true;
    } catch (error) {
      this.fail(error);
    }
  }
  fail(error) {
    this.alert.textContent = error instanceof Error ? error.message : String(error);
    this.alert.hidden = false;
  }
  build() {
    const { state } = this;
    this.pictures = null;
    this.body.replaceChildren();
    state.start();
    this.bar = new Bar(state, (act) => this.attempt(act));
    this.foot = new Foot(state);
    this.pictures = new Pictures(state, this.kernel);
    this.sentence = new Sentence(state, this.tip, () => this.pictures?.sayHead());
    const parts = [this.bar, this.sentence, this.pictures, this.foot];
    this.body.append(...parts.map(({ element }) => element));
    this.foot.drawLegend();
    this.chosen();
    state.receive();
  }
  /** Take the theme of where the view stands; out of the page, nothing is behind it. */
  restyle() {
    if (!this.host.isConnected) return;
    const theme = themeOf(this.host);
    if (theme === this.state.theme) return;
    wear(this.host, this.section, theme);
    this.state.theme = theme;
    this.state.tell("theme");
  }
  /** Another head was chosen, here or elsewhere. */
  chosen() {
    const { state } = this;
    const { kind } = findLayer(state.meta, state.selection);
    this.bar?.choose();
    this.isElsewhere = true;
    this.wait();
    clearTimeout(this.patience);
    this.patience = setTimeout(() => {
      const { layer, head } = state.selection;
      if (!state.isStale || !state.isLive) return;
      state.say([`${describe(kind.title, layer, head)} is being computed …`]);
    }, PATIENCE2);
    this.schedule("all");
  }
  /** Show whether what is drawn is of another head than the chosen one. */
  wait() {
    this.body.classList.toggle("waiting", this.state.isStale);
    this.section.setAttribute("aria-busy", String(this.state.isStale));
  }
  /** Say and draw what has changed. */
  changed(change) {
    const acts = {
      pointed: () => this.pointed(),
      locked: () => this.locked(),
      weights: () => this.received(),
      order: () => this.sentence?.point(),
      said: () => this.said(),
      exact: () => this.sentence?.point(),
      strongest: () => this.sentence?.rank(),
      anatomy: () => this.pictures?.inside.show(),
      theme: () => this.foot?.drawLegend(),
      scale: () => this.foot?.drawLegend()
    };
    acts[change]?.();
    const isAbove = ["pointed", "locked", "said", "exact", "strongest", "anatomy"].includes(change);
    this.schedule(isAbove ? "over" : "all");
  }
  pointed() {
    const { cell, token, locked, shown } = this.state;
    const focus = token ?? locked;
    if (cell) this.kernel.explain(cell);
    else if (focus && shown) this.kernel.rank(focus);
    this.sentence?.point();
  }
  locked() {
    const { locked, shown } = this.state;
    if (locked && shown) this.kernel.rank(locked);
    this.sentence?.lock();
  }
  said() {
    if (this.state.said.length) this.sentence?.say(this.state.said);
    else this.sentence?.point();
  }
  received() {
    const { kind, layer, head } = this.state.selection;
    const title = this.state.kindOf(kind)?.title ?? kind;
    this.kernel.forget();
    this.wait();
    this.bar?.allow();
    this.foot?.remark();
    this.foot?.drawLegend();
    this.pictures?.inside.show();
    this.pointed();
    this.section.setAttribute("aria-label", `Attention: ${describe(title, layer, head)}`);
  }
  /** Draw with the next frame: all, or only what is pointed at. */
  schedule(what) {
    const isAsked = this.due !== null;
    if (this.due !== "all") this.due = what;
    if (isAsked || this.isClosed) return;
    requestAnimationFrame(() => {
      const { due } = this;
      this.due = null;
      if (this.isClosed || !due) return;
      try {
        this.draw(due);
      } catch (error) {
        this.fail(error);
      }
    });
  }
  draw(due) {
    if (due === "all") this.pictures?.draw();
    else this.pictures?.drawOver();
    if (this.isElsewhere) this.pictures?.reveal();
    this.isElsewhere = false;
    if (!this.state.shown || !this.pictures) return;
    const { kind, layer, head } = this.state.weights;
    this.host.dataset.drawn = describe(kind, layer, head);
  }
};
function mount(el, model) {
  const view = new View(el, model);
  return () => view.close();
}

// src/inflate.ts
async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// src/apart.ts
var NONE = {
  why_not: "This page holds no queries and keys of this head, only of some: save fewer heads, with layers=[...] or heads=[...], or open it with a kernel."
};
async function explain2({ parts, heads }, meta, selection, { queries, keys }) {
  const ofLayer = heads[selection.kind]?.[selection.layer];
  if (typeof ofLayer === "string") return { why_not: ofLayer };
  const held = ofLayer?.[selection.head];
  if (!held) return NONE;
  const head = await unpacked(parts, held);
  const { layer } = findLayer(meta, selection);
  const rows = item(meta.sides, layer.rows).names;
  const columns = item(meta.sides, layer.columns).names;
  const pairs = queries.flatMap((query) => keys.map((key) => ({ query, key })));
  const found = pairs.map(({ query, key }) => ({
    query_token: item(rows, query),
    key_token: item(columns, key),
    ...head.dissect(query, key)
  }));
  const anatomy = found.reduce((best, one) => one.weight > best.weight ? one : best);
  return { anatomy, off: head.off };
}
var kept = /* @__PURE__ */ new WeakMap();
function unpacked(parts, held) {
  const known = kept.get(held) ?? unpack2(parts, held);
  kept.set(held, known);
  return known;
}
async function unpack2(parts, held) {
  const places = [held.query, held.key, held.sums, held.mask];
  if (held.bias !== null) places.push(held.bias);
  const bytes = await Promise.all(places.map((at) => inflate(item(parts, at))));
  const [query, key, sums2, mask, bias] = bytes.map(({ buffer }) => new DataView(buffer));
  if (!query || !key || !sums2 || !mask) throw new Error("It lacks queries and keys.");
  return new Head(held, { query, key, sums: sums2, mask, bias: bias ?? null });
}
var Head = class {
  constructor(held, parts) {
    this.held = held;
    this.parts = parts;
    const [query, key] = held.steps;
    this.off = { query: query / 2, key: key / 2, dot: held.off };
    this.numKeys = parts.key.byteLength / 2 / held.dimensions;
  }
  held;
  parts;
  off;
  numKeys;
  /** Take the steps that `dissect` takes. */
  dissect(queryAt, keyAt) {
    const { held, parts } = this;
    const { scale, softcap, sink } = held;
    const query = this.vector(parts.query, queryAt, held.steps[0]);
    const key = this.vector(parts.key, keyAt, held.steps[1]);
    const dot = query.reduce((sum, q, at) => sum + q * item(key, at), 0);
    const bias = this.biasAt(queryAt, keyAt);
    const added = dot * scale + bias;
    const squeezed = softcap === null ? added : softcap * Math.tanh(added / softcap);
    const score = this.mayRead(queryAt, keyAt) ? squeezed : null;
    const logSum = parts.sums.getFloat32(4 * queryAt, true);
    return {
      ...{ query, key, dot, scale, bias, softcap, score, sink },
      log_sum: logSum,
      weight: score === null ? 0 : Math.exp(score - logSum),
      num_keys: this.countOf(queryAt)
    };
  }
  /** Give one row of vectors, whose high bytes come before all low ones. */
  vector(bytes, row, step) {
    const { dimensions } = this.held;
    const low = bytes.byteLength / 2;
    return Array.from({ length: dimensions }, (_, dimension) => {
      const at = row * dimensions + dimension;
      return (bytes.getInt8(at) * 256 + bytes.getUint8(low + at)) * step;
    });
  }
  biasAt(query, key) {
    const { bias } = this.parts;
    if (!bias) return 0;
    const [high, wide] = this.held.bias_shape ?? [1, 1];
    const at = (high > 1 ? query : 0) * wide + (wide > 1 ? key : 0);
    return bias.getFloat32(4 * at, true);
  }
  mayRead(query, key) {
    const bytes = Math.ceil(this.numKeys / 8);
    return (this.parts.mask.getUint8(query * bytes + (key >> 3)) >> (key & 7) & 1) === 1;
  }
  countOf(query) {
    let count = 0;
    for (let key = 0; key < this.numKeys; key++) if (this.mayRead(query, key)) count++;
    return count;
  }
};

// src/saved.ts
var SavedModel = class {
  constructor(saved, thumbnails, weights) {
    this.saved = saved;
    this.traits = { meta: saved.meta, selection: saved.selection, thumbnails, weights };
    const { why } = saved;
    this.explain = why && ((tokens, take) => this.dissect(why, tokens, take));
  }
  saved;
  explain;
  traits;
  ears = /* @__PURE__ */ new Map();
  get(name) {
    return this.traits[name];
  }
  set(name, value) {
    this.traits[name] = value;
    this.tell(`change:${name}`);
    if (name === "selection") void this.load();
  }
  tell(event, message) {
    for (const ear of this.ears.get(event) ?? []) ear(message);
  }
  save_changes() {
  }
  on(event, ear) {
    const ears = this.ears.get(event) ?? /* @__PURE__ */ new Set();
    this.ears.set(event, ears.add(ear));
  }
  off(event, ear) {
    this.ears.get(event)?.delete(ear);
  }
  /** Unpack thumbnails of words, or without special tokens; a page may have none. */
  vary({ words, hide }, take) {
    const found = this.saved.variants.find((one) => one.words === words && one.hide === hide);
    if (!found) return;
    inflate(found.thumbnails).then((thumbnails) => take(found, thumbnails)).catch((error) => this.fail(error));
  }
  /** Take a weight of the chosen head apart. */
  dissect(why, tokens, take) {
    const { meta, selection } = this.traits;
    explain2(why, meta, selection, tokens).then((reply) => this.traits.selection === selection && take(reply)).catch((error) => this.fail(error));
  }
  fail(error) {
    this.tell("msg:custom", { answer: "problem", text: damaged(error) });
  }
  /** Unpack the chosen head; say what is wrong with it, if anything is. */
  async load() {
    const { selection } = this.traits;
    try {
      const weights = await unpacked2(this.saved, selection);
      const isMeant = this.traits.selection === selection;
      if (isMeant) this.set("weights", weights);
    } catch (error) {
      this.fail(error);
    }
  }
};
async function unpacked2(saved, selection) {
  const { kind, layer, head } = selection;
  const packed = saved.heads[kind]?.[layer]?.[head];
  if (!packed) throw new Error(`It lacks ${describe(kind, layer, head)}.`);
  if ("problem" in packed) throw new Unshown(packed.problem);
  const [bytes, sums2] = await Promise.all([inflate(packed.bytes), inflate(packed.sums)]);
  return { ...selection, ...packed, bytes, sums: sums2 };
}
var Unshown = class extends Error {
};
var damaged = (error) => error instanceof Unshown ? error.message : `This page is damaged, save it anew. ${error instanceof Error ? error.message : error}`;
async function openSaved(page) {
  const place2 = page.getElementById("regard-view") ?? page.body;
  try {
    if (!("DecompressionStream" in window)) {
      throw new Error("This browser is too old for it (no DecompressionStream).");
    }
    const saved = JSON.parse(page.getElementById("regard-data")?.textContent ?? "");
    const none = new Uint8Array();
    const nothing = { pixels: [0, 0], scale: 0, power: 1, bytes: none, sums: none };
    let problem = null;
    const [thumbnails, weights] = await Promise.all([
      inflate(saved.thumbnails),
      unpacked2(saved, saved.selection).catch((error) => {
        problem = { answer: "problem", text: damaged(error) };
        return { ...saved.selection, ...nothing, kind: "" };
      })
    ]);
    const model = new SavedModel(saved, thumbnails, weights);
    mount(place2, model);
    if (problem) model.tell("msg:custom", problem);
  } catch (error) {
    place2.append(make("p", { role: "alert" }, damaged(error)));
  }
}

// src/index.ts
function render({ model, el }) {
  return mount(el, model);
}
var index_default = { render };
export {
  checkMeta,
  index_default as default,
  enlarge,
  findLayer,
  legible,
  mount,
  openSaved,
  pool,
  shadeOf,
  show
};
