/** Light or dark: the theme follows the ink that the page gives. */

import type { Theme } from "./colours";
import { lightness, THEMES } from "./colours";

const WATCHED = ["class", "data-jp-theme-light", "theme", "style", "data-theme"];

/** Give the theme of the ink in which an element writes. */
export function themeOf(element: HTMLElement): Theme {
  const ink = getComputedStyle(element).color.match(/[\d.]+/g) ?? ["0", "0", "0"];
  return lightness(ink.map(Number)) > 128 ? THEMES.dark : THEMES.light;
}

/** Call when the page may have changed its theme; gives what ends it. */
export function followTheme(changed: () => void): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", changed);
  const themes = new MutationObserver(changed);
  for (const element of [document.documentElement, document.body]) {
    if (element) themes.observe(element, { attributes: true, attributeFilter: WATCHED });
  }
  return () => {
    dark.removeEventListener("change", changed);
    themes.disconnect();
  };
}
