/** Light or dark: the theme is that of the ground on which the view stands. */

import type { Theme } from "./colours";
import { luminance, MIDDLE, rgbaOf, THEMES } from "./colours";

const WATCHED = [
  ...["class", "style", "theme", "data-theme", "data-mode", "data-color-mode", "data-bs-theme"],
  ...["data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind"],
];
// Where nothing is painted, hosts name their ground. VS Code comes first: in a dark editor, it
// keeps JupyterLab's light variables.
const GROUNDS = [
  "--vscode-editor-background",
  "--colab-primary-surface-color",
  "--jp-layout-color1",
];
const DARK = "(prefers-color-scheme: dark)";
const FORCED = "(forced-colors: active)"; // the user's own colours, on all pages
const PAPER = "print";
let isPrinting = false; // browsers say so before they lay pages out

const isOpaque = (colour: number[] | null): colour is number[] => (colour?.[3] ?? 0) > 0.5;

/** Give the element around another, out of shadow trees, too. */
function parentOf(element: Element): Element | null {
  const root = element.getRootNode();
  const around = root instanceof ShadowRoot ? root.host : null;
  return element.assignedSlot ?? element.parentElement ?? around;
}

function* ancestorsOf(element: Element): Generator<Element> {
  for (let next = parentOf(element); next; next = parentOf(next)) yield next;
}

export const isOnPaper = (): boolean => isPrinting || matchMedia(PAPER).matches;

/** Give the theme that is read on what is behind an element of a page. */
export function themeOf(element: HTMLElement): Theme {
  if (isOnPaper()) return THEMES.light;
  if (matchMedia(FORCED).matches) return matchMedia(DARK).matches ? THEMES.dark : THEMES.light;
  const ground = groundBehind(element) ?? namedGround(element);
  const isDark = ground ? luminance(ground) < MIDDLE : luminance(inkAround(element)) > MIDDLE;
  return isDark ? THEMES.dark : THEMES.light;
}

/** Find what is painted behind an element, if anything is. */
function groundBehind(element: HTMLElement): number[] | null {
  for (const ancestor of ancestorsOf(element)) {
    const colour = rgbaOf(getComputedStyle(ancestor).backgroundColor);
    if (isOpaque(colour)) return colour;
  }
  return null;
}

function namedGround(element: HTMLElement): number[] | null {
  const style = getComputedStyle(element);
  const named = GROUNDS.map((name) => rgbaOf(style.getPropertyValue(name)));
  return named.find(isOpaque) ?? null;
}

/** Give the colour in which the page writes; light ink stands on dark ground. */
function inkAround(element: HTMLElement): number[] {
  return rgbaOf(getComputedStyle(parentOf(element) ?? element).color) ?? [0, 0, 0, 1];
}

/** Show a theme: its name to who looks, its colours to the style sheet. */
export function wear(host: HTMLElement, view: HTMLElement, theme: Theme): void {
  host.style.colorScheme = theme.name;
  host.dataset.theme = theme.name;
  const { table, signedTable, name, ...colours } = theme;
  for (const [role, colour] of Object.entries(colours)) view.style.setProperty(`--${role}`, colour);
}

/**
 * Call when an element may stand on another ground: it was put into the page or moved in it, or
 * the page changed its theme. `printing` is called where it is to be drawn at once, as pages are
 * laid out before the next frame. Gives what ends it.
 */
export function followTheme(
  host: HTMLElement,
  changed: () => void,
  printing: () => void,
): () => void {
  const ended = new AbortController();
  const { signal } = ended;
  const attributes = new MutationObserver(changed);
  const placed = () => {
    attributes.disconnect();
    for (const ancestor of ancestorsOf(host)) {
      attributes.observe(ancestor, { attributeFilter: WATCHED });
    }
    changed();
  };
  const size = new ResizeObserver(placed); // before it is first painted
  size.observe(host);
  // a move that leaves the size alone: styles.ts has an animation, which begins anew then
  host.shadowRoot?.addEventListener("animationstart", placed, { signal });
  document.addEventListener("load", changed, { capture: true, signal }); // of a style sheet
  document.addEventListener("transitionend", faded(changed), { signal });
  for (const query of [DARK, FORCED, PAPER]) {
    matchMedia(query).addEventListener("change", changed, { signal });
  }
  for (const event of ["beforeprint", "afterprint"]) {
    const heard = () => {
      isPrinting = event === "beforeprint";
      printing();
    };
    window.addEventListener(event, heard, { signal });
  }
  return () => {
    ended.abort();
    size.disconnect();
    attributes.disconnect();
  };
}

/** Call at the end of a page's fade from one theme to another. */
function faded(changed: () => void): (event: TransitionEvent) => void {
  return ({ propertyName }) => {
    if (/^(background-)?color$/.test(propertyName)) changed();
  };
}
