/** Where the cells of the matrix lie on its canvas. */

import { labelWidth } from "./brush";
import { clamp } from "./dom";
import type { Cell } from "./news";
import type { Place } from "./pooling";
import type { Shown } from "./shown";
import type { Stage } from "./stage";
import type { State } from "./state";
import { tallest } from "./styles";

const LARGEST_CELL = 40; // CSS pixels, where few tokens have much room
const ALWAYS = 1.5; // one may look so much nearer, however large cells are
const LOWEST = 120; // CSS pixels of a few rows of many columns, to zoom in
const WIDEST_LABEL = 130;
const RIGHT = 10;
const ROUNDED = 1.5; // CSS pixels that scrolling may be off

const roomFor = (names: string[]): number => Math.min(labelWidth(names), WIDEST_LABEL) + 26;

export class Frame {
  cell = 1; // CSS pixels of a side
  private fit = 1; // where the whole is seen
  left = 0; // room for the names
  top = 0;

  constructor(
    readonly stage: Stage,
    private readonly outside: HTMLElement,
    private readonly state: State,
  ) {
    stage.element.addEventListener("scroll", () => this.scrolled());
  }

  /** Give how wide it is with the largest cells: more room than that, it leaves to others. */
  widest({ rows, columns }: Shown): number {
    return roomFor(rows.names) + columns.names.length * LARGEST_CELL + RIGHT;
  }

  /** Choose the size of a cell and the room for the names. */
  measure({ rows, columns }: Shown): void {
    this.left = roomFor(rows.names);
    this.top = Math.min(labelWidth(columns.names), WIDEST_LABEL) + 30;
    const width = Math.max(220, this.outside.clientWidth);
    const [high, wide] = [Math.max(rows.names.length, 1), Math.max(columns.names.length, 1)];
    const [across, down] = [width - this.left - RIGHT, tallest() - this.top];
    this.fit = Math.min(across / wide, down / high, LARGEST_CELL);
    this.cell = this.fit * this.near(this.state.look.zoom);
    this.outside.dataset.place = [this.left, this.top, this.cell].join(" "); // for who points
    // the frame stays as it is when one zooms
    const room = Math.max(high * this.fit, Math.min(high * LARGEST_CELL, LOWEST));
    const height = Math.min(tallest(), this.top + room + 10);
    const [allWide, allHigh] = [wide * this.cell + RIGHT, high * this.cell + 10];
    this.stage.measure(width, height, this.left + allWide, this.top + allHigh);
    this.scroll();
  }

  /** Keep a zoom between all and a cell that is large enough. */
  private near(zoom: number): number {
    return clamp(zoom, 1, Math.max(ALWAYS, LARGEST_CELL / this.fit));
  }

  /** Scroll to where one looks; browsers round that, which is many cells where cells are small. */
  private scroll(): void {
    const { element } = this.stage;
    const [row, column] = this.state.look.corner;
    const [top, left] = [row * this.cell, column * this.cell];
    if (Math.abs(element.scrollTop - top) > ROUNDED) element.scrollTop = top;
    if (Math.abs(element.scrollLeft - left) > ROUNDED) element.scrollLeft = left;
  }

  private scrolled(): void {
    const { scrollTop, scrollLeft } = this.stage.element;
    const [row, column] = this.state.look.corner;
    const isMeant =
      Math.abs(scrollTop - row * this.cell) <= ROUNDED &&
      Math.abs(scrollLeft - column * this.cell) <= ROUNDED;
    if (isMeant) this.state.tell("sight");
    else this.look([scrollTop, scrollLeft]);
  }

  /** Look from another corner, in CSS pixels of the whole, perhaps nearer. */
  private look([top, left]: [number, number], zoom = this.state.look.zoom): void {
    this.state.change({ zoom, corner: [top / this.cell, left / this.cell] }, "sight");
  }

  /** Give the rows and columns in sight. */
  sight({ rows, columns }: Shown): Place {
    const { scrollTop, scrollLeft } = this.stage.element;
    const [bottom, right] = [
      scrollTop + this.stage.height - this.top,
      scrollLeft + this.stage.width - this.left,
    ];
    const [high, wide] = [rows.names.length, columns.names.length];
    return [
      clamp(Math.floor(scrollTop / this.cell), 0, high),
      clamp(Math.ceil(bottom / this.cell), 0, high),
      clamp(Math.floor(scrollLeft / this.cell), 0, wide),
      clamp(Math.ceil(right / this.cell), 0, wide),
    ];
  }

  y(row: number): number {
    return this.top + row * this.cell - this.stage.element.scrollTop;
  }

  x(column: number): number {
    return this.left + column * this.cell - this.stage.element.scrollLeft;
  }

  cellAt({ offsetX, offsetY }: MouseEvent, { rows, columns }: Shown): Cell | null {
    if (offsetX < this.left || offsetY < this.top) return null;
    const { scrollTop, scrollLeft } = this.stage.element;
    const row = Math.floor((offsetY - this.top + scrollTop) / this.cell);
    const column = Math.floor((offsetX - this.left + scrollLeft) / this.cell);
    return row < rows.names.length && column < columns.names.length ? { row, column } : null;
  }

  /** Zoom, so that what is at a place (the pointed cell or the middle) stays there. */
  zoomTo(zoom: number, { rows, columns }: Shown, atX?: number, atY?: number): void {
    const { width, height } = this.stage;
    const { look } = this.state;
    const x = (atX ?? (this.left + width) / 2) - this.left;
    const y = (atY ?? (this.top + height) / 2) - this.top;
    const [row, column] = [look.corner[0] + y / this.cell, look.corner[1] + x / this.cell];
    const near = this.near(zoom);
    this.cell = this.fit * near;
    const within = (at: number, count: number, room: number) =>
      clamp(at * this.cell, 0, Math.max(0, count * this.cell - room));
    const top = within(row - y / this.cell, rows.names.length, height - this.top);
    const left = within(column - x / this.cell, columns.names.length, width - this.left);
    this.look([top, left], near);
  }

  /** Scroll to a cell. */
  reveal({ row, column }: Cell): void {
    const { width, height } = this.stage;
    const { corner } = this.state.look;
    const into = (scroll: number, at: number, room: number) =>
      clamp(scroll, Math.max(0, (at + 1) * this.cell - room), at * this.cell);
    const top = into(corner[0] * this.cell, row, height - this.top);
    const left = into(corner[1] * this.cell, column, width - this.left);
    if (top !== corner[0] * this.cell || left !== corner[1] * this.cell) this.look([top, left]);
  }
}
