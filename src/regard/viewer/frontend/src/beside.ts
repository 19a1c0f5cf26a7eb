/** The pinned heads, as matrices beside the chosen one: what is pointed at is marked in all. */

import type { Selection } from "./contract";
import { make } from "./dom";
import { Matrix } from "./matrix";
import type { State } from "./state";
import { TakeAway } from "./take_away";
import { nameOf } from "./together";

export class Beside {
  readonly element = make("div", { class: "besides" });
  private matrices: [Selection, Matrix][] = [];

  constructor(private readonly state: State) {}

  draw(): void {
    const heads = this.state.together.beside().map(({ head }) => head);
    const before = this.matrices.map(([head]) => head);
    if (JSON.stringify(heads) !== JSON.stringify(before)) this.arrange(heads);
    for (const [, matrix] of this.matrices) matrix.draw();
  }

  drawOver(): void {
    for (const [, matrix] of this.matrices) matrix.drawOver();
  }

  private arrange(heads: Selection[]): void {
    this.matrices = heads.map((head) => [head, this.matrix(head)]);
    this.element.replaceChildren(...this.matrices.map(([, { element }]) => element));
  }

  private matrix(head: Selection): Matrix {
    const { state } = this;
    const title = nameOf(head);
    const unpin = make("button", { type: "button", "aria-label": `Unpin ${title}` }, "×");
    unpin.addEventListener("click", () => state.together.toggle([head]));
    const heading = make("figcaption", {}, title, unpin);
    const shownOf = () => state.together.find(head)?.shown ?? null;
    const matrix = new Matrix(state, shownOf, heading, `Matrix of ${title}`, head);
    unpin.before(new TakeAway(state, matrix, head).element);
    return matrix;
  }
}
