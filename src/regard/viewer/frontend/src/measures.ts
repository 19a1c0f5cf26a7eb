/** What is measured of heads, in words: as in measures/heads.py. */

import { make } from "./dom";

const EXPLAINED: Record<string, string> = {
  entropy: "how widely a query reads, in bits: 0 where it reads one token, 3 where 8 alike",
  distance: "how far what is read lies from the query, in tokens",
  on_itself: "the attention that a query gives to its own place",
  on_previous: "the attention that a query gives to the token before it",
  on_next: "the attention that a query gives to the token after it",
  on_first: "the attention that a query gives to the first token",
  on_special: "the attention that a query gives to all special tokens, such as [CLS], together",
  mass: [
    "the attention that a query gives in all: 1, less what goes to hidden tokens or to a sink, ",
    "and 0 where a query reads nothing",
  ].join(""),
};
const ALL = [
  "All are means over the queries. Where tokens are merged to words, or special ones hidden, they ",
  "are of the words and of what is left. What has no meaning, such as a distance in ",
  "cross-attention, is written –.",
].join("");

export const nameOf = (measure: string): string => measure.replaceAll("_", " ") || "layer";

/** Write a value so that it fits under a thumbnail. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

/** Explain some measures: a button, and what it shows and hides. */
export function explainer(measures: string[]): [HTMLButtonElement, HTMLElement] {
  const button = make(
    "button",
    { type: "button", "aria-expanded": "false", "aria-label": "What the measures mean" },
    "?",
  );
  const terms = measures.flatMap((measure) => [
    make("dt", {}, nameOf(measure)),
    make("dd", {}, EXPLAINED[measure] ?? ""),
  ]);
  const text = make("div", { class: "measures" }, make("dl", {}, ...terms), make("p", {}, ALL));
  text.hidden = true;
  button.addEventListener("click", () => {
    text.hidden = !text.hidden;
    button.setAttribute("aria-expanded", String(!text.hidden));
  });
  return [button, text];
}

/** Say in a few words what a measure is. */
export const explain = (measure: string): string => EXPLAINED[measure] ?? "a layer a row";
