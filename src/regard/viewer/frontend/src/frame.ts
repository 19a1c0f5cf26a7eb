/** Where the cells of the matrix lie on its canvas. */

import { labelWidth } from "./brush";
import { clamp } from "./dom";
import type { Place } from "./pooling";
import type { Shown } from "./shown";
import type { Stage } from "./stage";
import type { Cell } from "./state";
import { tallest } from "./styles";

const LARGEST_CELL = 28;
const WIDEST_LABEL = 130;
const RIGHT = 10;

export class Frame {
  zoom = 1;
  cell = 1; // CSS pixels of a side
  left = 0; // room for the names
  top = 0;
  private meant: [number, number] = [0, 0]; // where zooming scrolled to, exactly

  constructor(
    readonly stage: Stage,
    private readonly outside: HTMLElement,
  ) {}

  /** Choose the size of a cell and the room for the names. */
  measure({ rows, columns }: Shown): void {
    this.left = Math.min(labelWidth(rows.names), WIDEST_LABEL) + 26;
    this.top = Math.min(labelWidth(columns.names), WIDEST_LABEL) + 30;
    const width = Math.max(220, this.outside.clientWidth);
    const [high, wide] = [Math.max(rows.names.length, 1), Math.max(columns.names.length, 1)];
    const [across, down] = [width - this.left - RIGHT, tallest() - this.top];
    const fit = Math.min(across / wide, down / high, LARGEST_CELL);
    this.zoom = clamp(this.zoom, 1, Math.max(1, 40 / fit));
    this.cell = fit * this.zoom;
    this.outside.dataset.place = [this.left, this.top, this.cell].join(" "); // for who points
    // the frame stays as it is when one zooms
    const height = Math.min(tallest(), this.top + high * fit + 10);
    const [allWide, allHigh] = [wide * this.cell + RIGHT, high * this.cell + 10];
    this.stage.measure(width, height, this.left + allWide, this.top + allHigh);
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
  zoomTo(zoom: number, shown: Shown, atX?: number, atY?: number): void {
    const { element, width, height } = this.stage;
    const x = (atX ?? (this.left + width) / 2) - this.left;
    const y = (atY ?? (this.top + height) / 2) - this.top;
    // browsers round where they scroll to, which is many cells where cells are small
    const near = (scrolled: number, meant: number) =>
      Math.abs(scrolled - meant) < 1.5 ? meant : scrolled;
    const left = near(element.scrollLeft, this.meant[0]);
    const top = near(element.scrollTop, this.meant[1]);
    const [column, row] = [(x + left) / this.cell, (y + top) / this.cell];
    this.zoom = zoom;
    this.measure(shown);
    this.meant = [column * this.cell - x, row * this.cell - y];
    [element.scrollLeft, element.scrollTop] = this.meant;
  }

  /** Scroll to a cell. */
  reveal({ row, column }: Cell): void {
    const { element, width, height } = this.stage;
    const into = (scroll: number, at: number, room: number) =>
      clamp(scroll, (at + 1) * this.cell - room, at * this.cell);
    element.scrollTop = into(element.scrollTop, row, height - this.top);
    element.scrollLeft = into(element.scrollLeft, column, width - this.left);
  }
}
