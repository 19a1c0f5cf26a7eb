/** One head: a row for each token that reads, a column for each that is read. */

import type { Brush } from "./brush";
import { paintOn } from "./brush";
import { clamp, hasModifier, make, walkOf } from "./dom";
import { Frame } from "./frame";
import type { Kernel } from "./kernel";
import { drawCells, drawNames, drawOver } from "./matrix_ink";
import { listenTo } from "./pointing";
import type { Shown } from "./shown";
import { Stage } from "./stage";
import type { Cell, State } from "./state";
import { TakeAway } from "./take_away";

export class Matrix {
  readonly name = "matrix";
  readonly element: HTMLElement;
  private readonly caption = make("small");
  private readonly frame: Frame;
  readonly stage = new Stage(
    "Matrix: arrow keys walk its cells, plus and minus zoom, Enter locks a row",
  );

  constructor(
    private readonly state: State,
    private readonly kernel: Kernel,
  ) {
    const buttons = [
      this.button("−", "Zoom out", () => this.zoomTo(this.frame.zoom / 1.5)),
      this.button("+", "Zoom in", () => this.zoomTo(this.frame.zoom * 1.5)),
      this.button("whole", "Show the whole matrix", () => this.zoomTo(1)),
    ];
    const taken = new TakeAway(state, this);
    taken.offerMore(kernel);
    const heading = make("figcaption", {}, "Matrix", ...buttons, taken.element);
    this.element = make("figure", { class: "matrix" }, heading, this.stage.element, this.caption);
    this.frame = new Frame(this.stage, this.element);
    this.listen();
  }

  private button(text: string, label: string, act: () => void): HTMLElement {
    const button = make("button", { type: "button", "aria-label": label }, text);
    button.addEventListener("click", act);
    return button;
  }

  private listen(): void {
    const { state } = this;
    const { base, element } = this.stage;
    const cellAt = (event: MouseEvent) =>
      state.shown ? this.frame.cellAt(event, state.shown) : null;
    element.addEventListener("scroll", () => state.tell("sight"));
    listenTo(base, {
      point: (event) => state.point(cellAt(event)),
      leave: () => state.leave(),
      press: (event, isTouch) => this.pressAt(cellAt(event), event.shiftKey, isTouch),
      pinch: (factor, x, y) => this.zoomTo(this.frame.zoom * factor, x, y),
    });
    base.addEventListener("keydown", (event) => this.press(event));
    base.addEventListener("wheel", (event) => this.roll(event), { passive: false });
  }

  /** Lock the row of a cell; a finger points first, and locks when it taps the cell again. */
  private pressAt(cell: Cell | null, several: boolean, isTouch: boolean): void {
    const { state } = this;
    const isNew = cell?.row !== state.cell?.row || cell?.column !== state.cell?.column;
    if (isTouch && isNew) state.point(cell);
    else if (cell) state.lock("rows", cell.row, several);
  }

  draw(): void {
    const { state, stage, frame } = this;
    const { shown, selection } = state;
    if (!shown) return;
    frame.measure(shown);
    const writes = state.meta.writes && selection.kind !== "encoder";
    this.caption.textContent = writes
      ? "rows read (→ what is written next), columns are read"
      : "rows read, columns are read";
    this.paintBase(paintOn(stage.base, stage.width, stage.height), shown);
    this.drawOver();
  }

  private paintBase(brush: Brush, shown: Shown): void {
    const { frame, state } = this;
    const part = frame.sight(shown);
    const [top, bottom, left, right] = part;
    if (bottom <= top || right <= left) return;
    drawCells(brush, frame, state, this.kernel, shown, part);
    drawNames(brush, frame, state.theme, shown, part);
  }

  /** Draw all that is seen, the marks too. */
  paint(brush: Brush): void {
    const { frame, state } = this;
    if (!state.shown) return;
    this.paintBase(brush, state.shown);
    drawOver(brush, frame, state, state.shown);
  }

  /** Mark what is pointed at and what is locked. */
  drawOver(): void {
    const { stage, state, frame } = this;
    if (state.shown) {
      drawOver(paintOn(stage.over, stage.width, stage.height), frame, state, state.shown);
    }
  }

  private zoomTo(zoom: number, atX?: number, atY?: number): void {
    if (!this.state.shown) return;
    this.frame.zoomTo(zoom, this.state.shown, atX, atY);
    this.state.tell("sight");
  }

  private roll(event: WheelEvent): void {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    const zoom = this.frame.zoom * Math.exp(-event.deltaY / 200);
    this.zoomTo(zoom, event.offsetX, event.offsetY);
  }

  private press(event: KeyboardEvent): void {
    if (!this.state.shown || hasModifier(event)) return;
    const step = walkOf(event);
    const act = step ? () => this.walk(step) : this.actOf(event);
    if (!act) return;
    act();
    event.preventDefault();
  }

  private actOf(event: KeyboardEvent): (() => void) | undefined {
    const { zoom } = this.frame;
    const { cell } = this.state;
    const lock = cell ? () => this.state.lock("rows", cell.row, event.shiftKey) : undefined;
    const acts: Record<string, (() => void) | undefined> = {
      "+": () => this.zoomTo(zoom * 1.5),
      "=": () => this.zoomTo(zoom * 1.5),
      "-": () => this.zoomTo(zoom / 1.5),
      "0": () => this.zoomTo(1),
      Enter: lock,
      Escape: () => this.state.unlock(),
      " ": lock,
    };
    return acts[event.key];
  }

  private walk([down, right]: [number, number]): void {
    const { state } = this;
    if (!state.shown) return;
    const { rows, columns } = state.shown;
    const at = state.cell ?? { row: -clamp(down, -1, 1), column: -clamp(right, -1, 1) };
    state.point({
      row: clamp(at.row + down, 0, rows.names.length - 1),
      column: clamp(at.column + right, 0, columns.names.length - 1),
    });
    if (state.cell) this.frame.reveal(state.cell);
  }
}
