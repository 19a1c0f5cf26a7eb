/** What is said, beside the pointer, so that nobody has to look away. */

import { clamp, make } from "./dom";
import type { Part } from "./news";
import { piecesOf } from "./sentence";

const [BESIDE, WIDEST] = [16, 300]; // CSS pixels

export class Tip {
  readonly element = make("div", { class: "tip", "aria-hidden": "true", hidden: "" });
  private isPointing = false; // with a mouse or a finger, not by keys

  /** `around` is what the pointer moves in, and what the tip stays in. */
  constructor(private readonly around: HTMLElement) {
    for (const event of ["pointermove", "pointerdown"] as const) {
      // before anything is said
      around.addEventListener(event, (at) => this.follow(at), { capture: true });
    }
    around.addEventListener("keydown", () => this.hide());
    around.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType === "mouse") this.hide();
    });
  }

  private follow({ clientX, clientY, target }: PointerEvent): void {
    // of the lines it would hide the ends, and of a picture what is lit
    this.isPointing =
      target instanceof Element && target.closest(".matrix, .heads, .sound") !== null;
    if (!this.isPointing) this.element.hidden = true;
    const box = this.around.getBoundingClientRect();
    const [x, y] = [clientX - box.x, clientY - box.y];
    const wide = Math.min(WIDEST, box.width - 8);
    const isLeft = x + BESIDE + wide > box.width && x > wide;
    this.element.style.maxWidth = `${wide}px`;
    this.element.style.left = isLeft ? "" : `${clamp(x + BESIDE, 0, box.width - wide)}px`;
    this.element.style.right = isLeft ? `${box.width - x + BESIDE}px` : "";
    this.element.style.top = `${y + BESIDE}px`;
  }

  private hide(): void {
    this.isPointing = false;
    this.element.hidden = true;
  }

  /** Show what is said of what is pointed at; of nothing, nothing. */
  say(parts: Part[], isOfPointed: boolean): void {
    this.element.hidden = !(isOfPointed && this.isPointing);
    if (!this.element.hidden) this.element.replaceChildren(...piecesOf(parts));
  }
}
