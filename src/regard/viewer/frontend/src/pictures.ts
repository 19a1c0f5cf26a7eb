/** All pictures of one model, side by side. */

import { make } from "./dom";
import { Grid } from "./grid";
import { Inside } from "./inside";
import type { Kernel } from "./kernel";
import { Lines } from "./lines";
import { Matrix } from "./matrix";
import { Reading } from "./reading";
import type { State } from "./state";

export class Pictures {
  readonly element: HTMLElement;
  readonly matrix: Matrix;
  readonly lines: Lines;
  readonly inside: Inside;
  private readonly reading: Reading;
  private readonly grids: Grid[] = [];
  private readonly frame = make("div", { class: "kinds" });

  constructor(state: State, kernel: Kernel) {
    let start = 0;
    for (const kind of state.meta.kinds) {
      const grid = new Grid(state, kind, start);
      this.grids.push(grid);
      start = grid.end;
    }
    this.frame.append(...this.grids.map(({ element }) => element));
    this.matrix = new Matrix(state, kernel);
    this.lines = new Lines(state);
    this.inside = new Inside(state);
    this.reading = new Reading(state);
    const hint = make("small", {}, "a layer a row; choose one");
    const heading = make("figcaption", {}, "Heads ", hint);
    const heads = make("figure", { class: "heads" }, heading, this.frame);
    const others = [this.matrix, this.lines, this.reading, this.inside].map(
      ({ element }) => element,
    );
    this.element = make("div", { class: "pictures" }, heads, ...others);
  }

  draw(): void {
    for (const grid of this.grids) grid.draw();
    this.matrix.draw();
    this.lines.draw();
    this.reading.draw();
    this.inside.draw();
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
    for (const grid of this.grids) grid.reveal(this.frame);
  }

  sayHead(): void {
    for (const grid of this.grids) grid.say();
  }
}
