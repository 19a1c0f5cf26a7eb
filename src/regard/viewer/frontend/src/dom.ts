/** Elements, and numbers within bounds. */

/** Make an element; text goes in as text. */
export function make<T extends keyof HTMLElementTagNameMap>(
  tag: T,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[T] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Offer values in a menu, and show which is chosen; what is offered already stays as it is. */
export function offer(
  menu: HTMLSelectElement,
  values: string[],
  chosen: string,
  title: (value: string) => string = String,
): void {
  const offered = Array.from(menu.options, ({ value, text }) => [value, text]);
  const wanted = values.map((value) => [value, title(value)]);
  if (JSON.stringify(offered) !== JSON.stringify(wanted)) {
    menu.replaceChildren(
      ...wanted.map(([value = "", text = ""]) => make("option", { value }, text)),
    );
  }
  menu.value = chosen;
}

/** Keep a number within bounds. */
export const clamp = (x: number, low: number, high: number): number =>
  Math.max(low, Math.min(high, x));

/** Give the step of an arrow key, down and right; null for another key, or with a modifier. */
export function stepOf(event: KeyboardEvent): [number, number] | null {
  if (hasModifier(event)) return null;
  const steps: Record<string, [number, number]> = {
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
  };
  return steps[event.key] ?? null;
}

/** Give the step of an arrow key, or of one that goes further: to an end of a row, or ten rows. */
export function walkOf(event: KeyboardEvent): [number, number] | null {
  const steps: Record<string, [number, number]> = {
    Home: [0, -Infinity],
    End: [0, Infinity],
    PageUp: [-10, 0],
    PageDown: [10, 0],
  };
  return stepOf(event) ?? (hasModifier(event) ? null : (steps[event.key] ?? null));
}

export const hasModifier = (event: KeyboardEvent): boolean =>
  event.ctrlKey || event.metaKey || event.altKey;
