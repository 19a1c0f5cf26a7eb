/** How tokens, weights, ranks and heads are written. */

export const LONGEST_LABEL = 20;
export const LONGEST_NAME = 60; // in a sentence
const UNSEEN = /[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Write a token so that all of it shows: line breaks and marks of direction as signs. */
export function legible(text: string, longest: number): string {
  if (text === "") return "(empty)";
  if (text.trim() === "") return JSON.stringify(text);
  // only the ends are looked at: a token may have 10,000 characters
  const isLong = text.length > 4 * longest;
  const ends = isLong ? `${text.slice(0, 2 * longest)}${text.slice(-2 * longest)}` : text;
  const letters = [...ends.replace(/\n/g, "↵").replace(UNSEEN, escaped)];
  if (letters.length <= longest && !isLong) return letters.join("");
  const half = (longest - 1) >> 1;
  return `${letters.slice(0, half).join("")}…${letters.slice(-half).join("")}`;
}

const escaped = (letter: string): string =>
  `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;

export function written(value: number): string {
  if (value === 0) return "0";
  if (value < 0.0005) return "less than 0.001";
  return value < 0.1 ? value.toFixed(3) : value.toFixed(2);
}

/** Round to so many digits, without zeros at the end. */
export const rounded = (x: number, digits: number): string => String(Number(x.toPrecision(digits)));

export function ordinal(rank: number): string {
  if (rank === 1) return "strongest";
  const isTeen = rank % 100 > 10 && rank % 100 < 14;
  const tail = isTeen ? "th" : (["th", "st", "nd", "rd"][rank % 10] ?? "th");
  return `${rank}${tail} strongest`;
}

const place = (rank: number): string => (rank === 1 ? "1st" : (ordinal(rank).split(" ")[0] ?? ""));

/** Say a rank, or the best and the worst that it can be. */
export function between(best: number, worst: number): string {
  if (best === worst) return `its ${ordinal(best)}`;
  return `somewhere from its ${place(best)} to its ${place(worst)} strongest`;
}

export const describe = (kind: string, layer: number, head: number): string =>
  `${kind}, layer ${layer}, head ${head}`;
