/** A finger that rests on a place, and then drags: one that does not rest scrolls the page. */

const RESTED = 350; // milliseconds
const STILL = 8; // CSS pixels that it may stray until then

export interface Held {
  start: (place: Pick<PointerEvent, "offsetX" | "offsetY">) => void;
  move: (event: PointerEvent) => void;
  end: () => void;
}

/** Call for what a finger does once it has rested on an element. */
export function whenHeld(element: HTMLElement, { start, move, end }: Held): void {
  let first: PointerEvent | null = null; // of a finger that is down
  let isHeld = false;
  let waiting = 0;
  const far = (event: PointerEvent) =>
    first ? Math.hypot(event.clientX - first.clientX, event.clientY - first.clientY) : 0;
  element.addEventListener("pointerdown", (event) => {
    clearTimeout(waiting);
    first = event.pointerType === "touch" && event.isPrimary ? event : null; // a second one pinches
    if (!first) return;
    const { offsetX, offsetY } = event; // later on, they are those of what holds the element
    waiting = setTimeout(() => {
      isHeld = true;
      start({ offsetX, offsetY });
    }, RESTED);
  });
  element.addEventListener("pointermove", (event) => {
    if (!first || event.pointerId !== first.pointerId) return;
    if (isHeld) move(event);
    else if (far(event) > STILL) clearTimeout(waiting);
  });
  for (const ending of ["pointerup", "pointercancel"] as const) {
    element.addEventListener(ending, () => {
      clearTimeout(waiting);
      if (isHeld && ending === "pointerup") end();
      isHeld = false;
      first = null;
    });
  }
  const holdsStill = (event: Event) => {
    if (isHeld) event.preventDefault(); // else the page would scroll
  };
  element.addEventListener("touchmove", holdsStill, { passive: false });
  element.addEventListener("contextmenu", (event) => {
    if (first) event.preventDefault(); // which a long press opens
  });
}
