/** Clicks and taps, told apart from drags; and two fingers that pinch. */

const STILL = 5; // CSS pixels that a finger or a hand may stray

export interface Acts {
  /** A mouse rests on a place. */
  point: (event: MouseEvent) => void;
  leave: () => void;
  /** A mouse clicks on a place, or a finger taps it. */
  press: (event: MouseEvent, isTouch: boolean) => void;
  /** Two fingers part by a factor, around a place. */
  pinch?: (factor: number, x: number, y: number) => void;
}

type Spot = { x: number; y: number };

const apart = ([a, b]: Spot[]): number => (a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0);

/** Call for what a mouse or fingers do on an element. */
export function listenTo(element: HTMLElement, { point, leave, press, pinch }: Acts): void {
  const fingers = new Map<number, Spot>();
  let start: Spot = { x: 0, y: 0 };
  let isDragged = false;
  let isTouch = false;
  element.addEventListener("pointerdown", (event) => {
    isTouch = event.pointerType === "touch";
    if (!isTouch) fingers.clear();
    start = { x: event.clientX, y: event.clientY };
    isDragged = false;
    if (isTouch) fingers.set(event.pointerId, start);
    if (fingers.size > 1) isDragged = true; // no tap
  });
  element.addEventListener("pointermove", (event) => {
    const spot = { x: event.clientX, y: event.clientY };
    if (event.buttons && apart([start, spot]) > STILL) isDragged = true;
    if (event.pointerType !== "touch") point(event);
    else if (fingers.has(event.pointerId)) {
      const before = apart([...fingers.values()]);
      fingers.set(event.pointerId, spot);
      const box = element.getBoundingClientRect();
      const [a, b] = [...fingers.values()];
      if (!a || !b || !before) return;
      pinch?.(apart([a, b]) / before, (a.x + b.x) / 2 - box.x, (a.y + b.y) / 2 - box.y);
    }
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    element.addEventListener(end, ({ pointerId }) => fingers.delete(pointerId));
  }
  element.addEventListener("pointerleave", ({ pointerType }) => {
    if (pointerType !== "touch") leave(); // a finger leaves with each tap
  });
  element.addEventListener("click", (event) => {
    if (!isDragged) press(event, isTouch);
  });
}
