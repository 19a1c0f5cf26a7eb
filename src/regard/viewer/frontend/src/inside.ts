/** Why one weight is what it is: query and key, dimension by dimension, and the steps then. */

import type { Brush } from "./brush";
import { paintOn } from "./brush";
import type { Anatomy, Off } from "./contract";
import { clamp, make, stepOf } from "./dom";
import type { Estimate } from "./estimates";
import { holding } from "./estimates";
import { item } from "./items";
import { LONGEST_LABEL, legible } from "./names";
import { isWithin } from "./places";
import { named } from "./sentences";
import type { State } from "./state";
import { nameOf } from "./together";

const HEIGHT = 214;
const LEFT = 8;

const EXACT: Off = { query: 0, key: 0, dot: 0 };

const productsOf = ({ query, key }: Anatomy): number[] => query.map((q, at) => q * item(key, at));

const written = (estimate: Estimate): string => holding(estimate).replace("-", "−");

const signed = (value: number): string => written({ value, error: 0 });

/** Give what a dimension adds to q k^T, and by how much that may be off. */
function productAt({ query, key }: Anatomy, off: Off, at: number): Estimate {
  const [q, k] = [item(query, at), item(key, at)];
  const error = Math.abs(q) * off.key + Math.abs(k) * off.query + off.query * off.key;
  return { value: q * k, error };
}

/** Say the steps from the products to the weight. */
export function stepsOf(found: Anatomy, off: Off = EXACT): string[] {
  const { query, dot, scale, bias, softcap, score, log_sum: logSum, weight } = found;
  const error = Math.abs(scale) * off.dot; // which no later step makes larger
  const about = (value: number) => written({ value, error });
  const largest = [...productsOf(found).entries()]
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .slice(0, 3)
    .map(([at]) => `${written(productAt(found, off, at))} in dimension ${at}`)
    .join(", ");
  const added = dot * scale + bias;
  const ofAll = `the sum of ${query.length} products; the largest: ${largest}`;
  const steps = [
    `q · k = ${written({ value: dot, error: off.dot })}, ${ofAll}`,
    `× scale ${signed(scale)} = ${about(dot * scale)}`,
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
  const share = written({ value: weight, error: weight * Math.expm1(error) });
  return [...steps, `softmax: exp(${about(score)}), ${divided}, = ${share}`];
}

function denominatorOf({ num_keys: count, sink }: Anatomy): string {
  const keys = `over the ${count} ${count === 1 ? "key" : "keys"} that it may read`;
  return sink === null ? keys : `${keys}, and the sink's exp(${signed(sink)})`;
}

export class Inside {
  readonly element: HTMLElement;
  private readonly canvas = make("canvas", {
    tabindex: "0",
    role: "application",
    "aria-label": "Why this weight: arrow keys walk the dimensions of query and key",
  });
  private readonly heading = make("figcaption");
  private readonly steps = make("ol", { class: "steps" });
  private readonly note = make("p");
  private dimension = -1; // pointed at
  private step = 1; // CSS pixels of a dimension

  constructor(private readonly state: State) {
    const parts = [this.heading, this.note, this.canvas, this.steps];
    this.element = make("figure", { class: "inside" }, ...parts);
    this.element.hidden = !state.isLive && !state.model.explain; // nobody knows queries and keys
    this.canvas.addEventListener("pointermove", (event) => this.point(this.dimensionAt(event)));
    this.canvas.addEventListener("pointerleave", () => this.point(-1));
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.show();
  }

  private get found(): Anatomy | undefined {
    return this.state.anatomy?.anatomy;
  }

  private get off(): Off {
    return this.state.anatomy?.off ?? EXACT;
  }

  /** Say what the kernel or the page replied, or what to do. */
  show(): void {
    const { found } = this;
    const point = this.state.together.isOne
      ? "Several heads are one here: choose a head to take its weights apart."
      : "Point at a cell of the matrix to see why its weight is what it is.";
    this.dimension = -1;
    this.heading.textContent = this.title;
    this.canvas.hidden = !found;
    this.note.hidden = found !== undefined;
    this.note.textContent = this.state.anatomy?.why_not ?? point;
    const steps = found ? stepsOf(found, this.off) : [];
    this.steps.replaceChildren(...steps.map((step) => make("li", {}, step)));
  }

  /** Say which weight is explained, also when nothing is pointed at any more. */
  private get title(): string {
    const { explained, anatomy } = this.state;
    const shown = explained && this.state.shownOf(explained);
    if (!shown || !anatomy || !isWithin(explained, shown)) return "Why this weight";
    const [query, key] = (["rows", "columns"] as const).map((role) => {
      return named(shown, role, role === "rows" ? explained.row : explained.column).em;
    });
    return `Why this weight: ${nameOf(explained.of)}, ${query} → ${key}`;
  }

  draw(): void {
    const { found, state } = this;
    if (!found || this.element.hidden) return;
    const width = Math.max(240, this.element.clientWidth);
    const brush = paintOn(this.canvas, width, HEIGHT);
    this.step = (width - 2 * LEFT) / found.query.length;
    const charts: [string, number[], number, number][] = [
      [`query of ${legible(found.query_token, LONGEST_LABEL)}`, found.query, 0, 30],
      [`key of ${legible(found.key_token, LONGEST_LABEL)}`, found.key, 66, 30],
      ["product of each dimension", productsOf(found), 132, 58],
    ];
    for (const [title, values, top, high] of charts) {
      brush.fillStyle = state.theme.quiet;
      brush.textAlign = "left";
      brush.fillText(title, LEFT, top + 9);
      this.bars(brush, values, top + 20, high);
    }
    if (this.dimension < 0) return;
    brush.strokeStyle = state.theme.accent;
    brush.lineWidth = 1.5;
    const x = LEFT + this.dimension * this.step - 0.5;
    brush.strokeRect(x, 18, Math.max(this.step, 2) + 1, 194);
  }

  /** Draw a bar for each value, up or down from zero. */
  private bars(brush: Brush, values: number[], top: number, high: number): void {
    const { theme } = this.state;
    const most = Math.max(...values.map(Math.abs)) || 1;
    const middle = top + high / 2;
    const wide = Math.max(this.step * 0.8, 0.7);
    values.forEach((value, at) => {
      const size = (Math.abs(value) / most) * (high / 2);
      brush.fillStyle = value < 0 ? theme.accent : theme.link;
      const x = LEFT + at * this.step + this.step * 0.1;
      brush.fillRect(x, value < 0 ? middle : middle - size, wide, size);
    });
    brush.fillStyle = theme.quiet;
    brush.fillRect(LEFT, middle - 0.25, values.length * this.step, 0.5);
  }

  private dimensionAt(event: MouseEvent): number {
    const at = Math.floor((event.offsetX - LEFT) / this.step);
    return this.found && at >= 0 && at < this.found.query.length ? at : -1;
  }

  private press(event: KeyboardEvent): void {
    const step = stepOf(event);
    if (!step?.[1] || !this.found) return;
    event.preventDefault();
    this.point(clamp(this.dimension + step[1], 0, this.found.query.length - 1));
  }

  private point(dimension: number): void {
    const { found } = this;
    if (!found || dimension === this.dimension) return;
    this.dimension = dimension;
    this.state.say(dimension < 0 ? [] : [productSentence(found, this.off, dimension)]);
    this.draw();
  }
}

function productSentence(found: Anatomy, off: Off, at: number): string {
  const [q, k] = [item(found.query, at), item(found.key, at)];
  const n = (value: number, error: number) => holding({ value, error }, 3);
  const product = holding(productAt(found, off, at), 3);
  const all = n(found.dot, off.dot);
  return `dimension ${at}: ${n(q, off.query)} × ${n(k, off.key)} = ${product}, of ${all} in all`;
}
