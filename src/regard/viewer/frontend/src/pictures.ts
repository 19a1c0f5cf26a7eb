/** All pictures of one model, side by side. */

import { Beside } from "./beside";
import { make } from "./dom";
import { Grid } from "./grid";
import { Inside } from "./inside";
import { Lines } from "./lines";
import { Matrix, NEARER } from "./matrix";
import { Picture } from "./picture";
import { Reading } from "./reading";
import { whoseOf } from "./sentences";
import { Sound } from "./sound";
import type { State } from "./state";
import { GRID_WIDE } from "./styles";
import { TakeAway } from "./take_away";
import { Variants } from "./variants";

const BESIDE = 22; // CSS pixels that the padding and the scrollbar of the grids take

export class Pictures {
  readonly element: HTMLElement;
  readonly matrix: Matrix;
  readonly lines: Lines;
  readonly inside: Inside;
  private readonly beside: Beside;
  readonly reading: Reading;
  private readonly seen: (Picture | Sound)[]; // beside text
  private readonly grids: Grid[];
  private readonly variants: Variants;
  private readonly hint = make("small");
  private readonly measured = make("p", { class: "measured" });
  private readonly title = make("span");
  private readonly matrices = make("div", { class: "matrices" });
  private readonly frame = make("div", { class: "kinds" });

  constructor(private readonly state: State) {
    const variants = new Variants(state, state.kernel);
    this.variants = variants;
    this.grids = state.meta.kinds.map((kind) => new Grid(state, variants, kind, this.frame));
    this.frame.append(...this.grids.map(({ element }) => element));
    this.frame.addEventListener("scroll", () => this.drawGrids());
    this.matrix = this.chosen();
    this.beside = new Beside(state);
    this.lines = new Lines(state);
    this.inside = new Inside(state);
    this.reading = new Reading(state);
    const { pictures, sound } = state.meta;
    this.seen = pictures.length ? [new Picture(state)] : [];
    if (sound) this.seen.push(new Sound(state, sound));
    const heading = make("figcaption", {}, "Heads ", this.hint);
    const heads = make("figure", { class: "heads" }, heading, this.measured, this.frame);
    this.matrices.append(this.matrix.element, this.beside.element);
    const others = [...this.seen, this.lines, this.inside, this.reading];
    this.element = make("div", { class: "pictures" }, heads, this.matrices);
    this.element.append(...others.map(({ element }) => element));
  }

  /** The matrix of the chosen head, or of several as one. */
  private chosen(): Matrix {
    const button = (text: string, label: string, factor: number) => {
      const one = make("button", { type: "button", "aria-label": label }, text);
      one.addEventListener("click", () => this.matrix.near(factor));
      return one;
    };
    const buttons = [
      button("−", "Zoom out", 1 / NEARER),
      button("+", "Zoom in", NEARER),
      button("whole", "Show the whole matrix", 0),
    ];
    const heading = make("figcaption", {}, this.title, ...buttons);
    const matrix = new Matrix(this.state, () => this.state.shown, heading);
    const taken = new TakeAway(this.state, matrix);
    taken.offerMore();
    heading.append(taken.element);
    return matrix;
  }

  draw(): void {
    this.variants.want();
    this.say();
    const room = Math.min(this.element.clientWidth, GRID_WIDE) - BESIDE;
    for (const grid of this.grids) grid.arrange(room);
    this.drawGrids();
    const isOneOfSeveral = this.state.together.beside().length > 0;
    this.title.textContent = whoseOf(this.state) || "Matrix";
    this.matrices.classList.toggle("several", isOneOfSeveral);
    this.matrices.style.setProperty("--widest", `${this.matrix.widest}px`);
    this.matrix.draw();
    this.beside.draw();
    this.drawOthers();
  }

  private drawOthers(): void {
    for (const one of [...this.seen, this.lines, this.reading, this.inside]) one.draw();
  }

  private drawGrids(): void {
    for (const grid of this.grids) grid.draw();
  }

  /** Say of what the grids are, where words are merged or tokens hidden. */
  private say(): void {
    const order = this.state.look.measure ? "layer, head and value" : "a layer a row";
    const { said } = this.variants;
    const text = said ? `${order}; ${said}` : `${order}; choose one`;
    if (this.hint.textContent !== text) this.hint.textContent = text;
    this.measured.textContent = this.grids.map((grid) => grid.measured).join("");
  }

  /** Draw what is pointed at and what hangs on it. */
  drawOver(): void {
    this.matrix.drawOver();
    this.beside.drawOver();
    this.drawOthers();
  }

  /** Scroll to the chosen head. */
  reveal(): void {
    const moved = this.grids.map((grid) => grid.reveal());
    if (moved.includes(true)) this.drawGrids(); // before the frame is shown
  }

  sayHead(): void {
    for (const grid of this.grids) grid.say();
  }
}
