/** All pictures of one model, side by side. */

import { make } from "./dom";
import { Grid } from "./grid";
import { Inside } from "./inside";
import type { Kernel } from "./kernel";
import { Lines } from "./lines";
import { Matrix } from "./matrix";
import { Reading } from "./reading";
import type { State } from "./state";
import { GRID_WIDE } from "./styles";
import { Variants } from "./variants";

const BESIDE = 22; // CSS pixels that the padding and the scrollbar of the grids take

export class Pictures {
  readonly element: HTMLElement;
  readonly matrix: Matrix;
  readonly lines: Lines;
  readonly inside: Inside;
  private readonly reading: Reading;
  private readonly grids: Grid[];
  private readonly variants: Variants;
  private readonly hint = make("small");
  private readonly frame = make("div", { class: "kinds" });

  constructor(
    private readonly state: State,
    kernel: Kernel,
  ) {
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
      ({ element }) => element,
    );
    this.element = make("div", { class: "pictures" }, heads, ...others);
  }

  draw(): void {
    this.variants.want();
    this.say();
    const room = Math.min(this.element.clientWidth, GRID_WIDE) - BESIDE;
    for (const grid of this.grids) grid.arrange(room);
    this.drawGrids();
    this.matrix.draw();
    this.lines.draw();
    this.reading.draw();
    this.inside.draw();
  }

  private drawGrids(): void {
    for (const grid of this.grids) grid.draw();
  }

  /** Say of what the grids are, where words are merged or tokens hidden. */
  private say(): void {
    const order = this.state.measure ? "layer.head and its value" : "a layer a row";
    const { said } = this.variants;
    const text = said ? `${order}; ${said}` : `${order}; choose one`;
    if (this.hint.textContent !== text) this.hint.textContent = text;
  }

  /** Draw what is pointed at and what hangs on it. */
  drawOver(): void {
    this.matrix.drawOver();
    this.lines.draw();
    this.reading.draw();
    this.inside.draw();
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
