/** A canvas for the picture, one above it for what is pointed at, and room to scroll in. */

import { make } from "./dom";

export class Stage {
  readonly base: HTMLCanvasElement;
  readonly over: HTMLCanvasElement;
  readonly element: HTMLElement;
  width = 1; // of what is seen
  height = 1;
  private readonly glass: HTMLElement;
  private readonly room: HTMLElement;

  constructor(label: string) {
    this.base = make("canvas", { tabindex: "0", role: "application", "aria-label": label });
    this.over = make("canvas", { class: "over", "aria-hidden": "true" });
    this.glass = make("div", { class: "glass" }, this.base, this.over);
    this.room = make("div", {}, this.glass);
    this.element = make("div", { class: "scroll" }, this.room);
  }

  /** Make room for all, `wide` and `high`, of which a frame is seen. */
  measure(width: number, height: number, wide: number, high: number): void {
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
}
