/** One head: a row for each token that reads, a column for each that is read. */

import type { Brush } from "./brush";
import { paintOn } from "./brush";
import type { Selection } from "./contract";
import { clamp, hasModifier, make, walkOf } from "./dom";
import { Frame } from "./frame";
import { drawColours } from "./legend";
import { drawCells, drawOver } from "./matrix_ink";
import { drawNames } from "./matrix_names";
import type { Cell, Token } from "./news";
import { isAlike, isSameCell } from "./places";
import { listenTo } from "./pointing";
import type { Shown } from "./shown";
import { Stage } from "./stage";
import type { State } from "./state";
import { isOnPaper } from "./theme";

export const NEARER = 1.5; // a step of zooming

export class Matrix {
  readonly name = "matrix";
  readonly element: HTMLElement;
  private readonly caption = make("small");
  private readonly frame: Frame;
  readonly stage: Stage;

  /** `shownOf` gives what it shows: the chosen head, or a pinned one. */
  constructor(
    private readonly state: State,
    private readonly shownOf: () => Shown | null,
    readonly heading: HTMLElement,
    label = "Matrix",
    private readonly head?: Selection, // the pinned one
  ) {
    const keys = "arrow keys walk its cells, plus and minus zoom, Enter locks a row";
    this.stage = new Stage(`${label}: ${keys}`);
    this.element = make("figure", { class: "matrix" }, heading, this.stage.element, this.caption);
    this.frame = new Frame(this.stage, this.element, state);
    this.listen();
  }

  /** Show it nearer by a factor, or the whole. */
  near(factor: number): void {
    this.zoomTo(factor ? this.state.look.zoom * factor : 1);
  }

  /** How wide it is at most, in CSS pixels. */
  get widest(): number {
    return this.shown ? this.frame.widest(this.shown) : 0;
  }

  private get shown(): Shown | null {
    return this.shownOf();
  }

  private listen(): void {
    const { state } = this;
    const { base } = this.stage;
    const cellAt = (event: MouseEvent) =>
      this.shown ? this.owned(this.frame.cellAt(event, this.shown)) : null;
    listenTo(base, {
      point: (event) => this.pointAt(cellAt(event), event),
      leave: () => state.leave(),
      press: (event, isTouch) => this.pressAt(cellAt(event), event.shiftKey, isTouch),
      pinch: (factor, x, y) => this.zoomTo(state.look.zoom * factor, x, y),
    });
    base.addEventListener("keydown", (event) => this.press(event));
    base.addEventListener("wheel", (event) => this.roll(event), { passive: false });
  }

  /** Point at a cell, or at the token of a row's or a column's name. */
  private pointAt(cell: Cell | null, event: MouseEvent): void {
    const token = !cell && this.isAlike ? this.namedAt(event) : null;
    if (token) this.state.hover(token);
    else this.state.point(cell);
  }

  private namedAt({ offsetX, offsetY }: MouseEvent): Token | null {
    const { frame, shown } = this;
    const [isLeft, isAbove] = [offsetX < frame.left, offsetY < frame.top];
    if (!shown || isLeft === isAbove) return null;
    const role = isLeft ? "rows" : "columns";
    const start = isLeft ? frame.y(0) : frame.x(0);
    const at = Math.floor(((isLeft ? offsetY : offsetX) - start) / frame.cell);
    return at < shown[role].names.length ? { role, ats: [at], head: this.head } : null;
  }

  /** Lock the row of a cell; a finger points first, and locks when it taps the cell again. */
  private pressAt(cell: Cell | null, several: boolean, isTouch: boolean): void {
    const { state } = this;
    if (isTouch && !isSameCell(cell, state.cell)) state.point(cell);
    else if (cell && this.isAlike) state.lock("rows", cell.row, several, cell);
  }

  /** Say whose a cell is, where it is not the chosen head's. */
  private owned(cell: Cell | null): Cell | null {
    return cell && this.head ? { ...cell, head: this.head } : cell;
  }

  /** Are its tokens those of the chosen head, which are locked? */
  private get isAlike(): boolean {
    return isAlike(this.shown, this.state.shown);
  }

  draw(): void {
    const { state, stage, frame, shown } = this;
    const { selection } = state;
    if (!shown) return;
    frame.measure(shown);
    const writes = state.meta.writes && !/(^|\/)encoder$/.test(selection.kind);
    this.caption.textContent = writes
      ? "rows read (→ what is written next), columns are read"
      : "rows read, columns are read";
    const brush = paintOn(stage.base, stage.width, stage.height);
    this.paintBase(brush, shown);
    if (isOnPaper())
      drawOver(brush, frame, state, shown); // a second canvas would hide the first
    else this.drawOver();
  }

  private paintBase(brush: Brush, shown: Shown): void {
    const { frame, state } = this;
    const part = frame.sight(shown);
    const [top, bottom, left, right] = part;
    if (bottom <= top || right <= left) return;
    drawCells(brush, frame, state, shown, part);
    drawNames(brush, frame, state.theme, shown, part);
  }

  /** Draw all that is seen, the marks too. */
  paint(brush: Brush): void {
    const { frame, state, shown } = this;
    if (!shown) return;
    this.paintBase(brush, shown);
    drawOver(brush, frame, state, shown);
  }

  /** Draw which colour is which weight. */
  legend(brush: Brush): void {
    drawColours(brush, this.state);
  }

  /** Mark what is pointed at and what is locked. */
  drawOver(): void {
    const { stage, state, frame, shown } = this;
    if (shown) drawOver(paintOn(stage.over, stage.width, stage.height), frame, state, shown);
  }

  private zoomTo(zoom: number, atX?: number, atY?: number): void {
    if (this.shown) this.frame.zoomTo(zoom, this.shown, atX, atY);
  }

  private roll(event: WheelEvent): void {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    const zoom = this.state.look.zoom * Math.exp(-event.deltaY / 200);
    this.zoomTo(zoom, event.offsetX, event.offsetY);
  }

  private press(event: KeyboardEvent): void {
    if (!this.shown || hasModifier(event)) return;
    const step = walkOf(event);
    const act = step ? () => this.walk(step) : this.actOf(event);
    if (!act) return;
    act();
    event.preventDefault();
  }

  private actOf(event: KeyboardEvent): (() => void) | undefined {
    const { cell } = this.state;
    const lock =
      cell && this.isAlike
        ? () => this.state.lock("rows", cell.row, event.shiftKey, cell)
        : undefined;
    const acts: Record<string, (() => void) | undefined> = {
      "+": () => this.near(NEARER),
      "=": () => this.near(NEARER),
      "-": () => this.near(1 / NEARER),
      "0": () => this.near(0),
      Enter: lock,
      " ": lock,
    };
    return acts[event.key];
  }

  private walk([down, right]: [number, number]): void {
    const { state, shown } = this;
    if (!shown) return;
    const { rows, columns } = shown;
    const at = state.cell ?? { row: -clamp(down, -1, 1), column: -clamp(right, -1, 1) };
    const [row, column] = [at.row + down, at.column + right];
    state.point(
      this.owned({
        row: clamp(row, 0, rows.names.length - 1),
        column: clamp(column, 0, columns.names.length - 1),
      }),
    );
    if (state.cell) this.frame.reveal(state.cell);
  }
}
