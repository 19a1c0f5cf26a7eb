/** How tokens, weights, ranks and heads are written. */

export const LONGEST_LABEL = 20;
export const LONGEST_NAME = 60; // in a sentence
const LONGEST_LETTER = 32; // UTF-16 units: emoji have at most 15, but accents may be any number
const PLAIN = /^[!-~]*$/;
// of a browser that is old, code points
const LETTERS = "Segmenter" in Intl ? new Intl.Segmenter("en", { granularity: "grapheme" }) : null;
// Emoji with what joins, colours or tags them; and bases that a variation selector changes.
const EMOJI = String.raw`\p{Extended_Pictographic}[\ufe0e\ufe0f]?\p{Emoji_Modifier}?`;
const SEQUENCES = [
  String.raw`${EMOJI}(?:\u200d${EMOJI})*(?:[\u{e0020}-\u{e007e}]+\u{e007f})?`,
  String.raw`\p{Emoji}[\ufe0e\ufe0f]`,
  String.raw`[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Devanagari}\p{Mn}\p{Mc}][\u200c\u200d]`,
  String.raw`\p{Ideographic}[\ufe00-\ufe02\u{e0100}-\u{e01ef}]`,
  String.raw`\p{Script=Mongolian}[\u180b-\u180d\u180f]`,
  String.raw`[\p{Sm}\p{Script=Myanmar}\p{Script=Phags_Pa}0\u3001\u3002]\ufe00`,
];
const UNSEEN = [
  String.raw`[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cs}\p{Zl}\p{Zp}`,
  String.raw`\p{Noncharacter_Code_Point}\u2800\ufff9-\ufffb]`,
].join("");
const SEQUENCE_OR_UNSEEN = new RegExp(`(${SEQUENCES.join("|")})|${UNSEEN}`, "gu");
const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * Write a token so that all of it shows: what has no looks as a sign or a number, and of a long one
 * both ends. What is written from right to left keeps to itself, whatever stands around it.
 */
export function legible(text: string, longest: number): string {
  if (text === "") return "(empty)";
  if (text.length <= longest && PLAIN.test(text)) return text;
  const key = `${longest} ${text}`;
  const known = legibles.get(key) ?? legibleOf(text, longest);
  if (legibles.size > MOST_KNOWN) legibles.clear();
  legibles.set(key, known);
  return known;
}

function legibleOf(text: string, longest: number): string {
  const isBlank = text.trim() === "";
  const write = isBlank ? blank : visible;
  const name = cut(text, longest, write);
  if (isBlank) return `"${name}"`;
  return RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name;
}

const MOST_KNOWN = 20_000; // names, which are written anew with each frame
const legibles = new Map<string, string>();

type Write = (letter: string) => string;

/** Leave out a long token's middle, between letters. */
function cut(text: string, longest: number, write: Write): string {
  const reach = longest * LONGEST_LETTER; // a token may have 10,000 letters
  const first = lettersOf(text.slice(0, reach), write);
  if (text.length <= reach && first.reduce((sum, { size }) => sum + size, 0) <= longest) {
    return first.map(({ shown }) => shown).join("");
  }
  const half = (longest - 1) >> 1;
  const last = lettersOf(text.slice(-reach), write).reverse();
  return `${fitting(first, half).join("")}…${fitting(last, half).reverse().join("")}`;
}

interface Letter {
  shown: string;
  size: number; // in letters; a number has several
}

/** Take a text apart into what is read as one letter. */
function lettersOf(text: string, write: Write): Letter[] {
  const letters = LETTERS ? Array.from(LETTERS.segment(text), ({ segment }) => segment) : [...text];
  return letters.map((segment) => {
    const letter = segment.length > LONGEST_LETTER ? shortened(segment) : segment;
    const shown = write(letter);
    return { shown, size: shown === letter ? 1 : shown.length };
  });
}

const shortened = (letter: string): string =>
  Array.from(letter)
    .slice(0, LONGEST_LETTER / 2)
    .join("");

/** Take letters from the start, as many as have room. */
function fitting(letters: Letter[], room: number): string[] {
  let left = room;
  const end = letters.findIndex(({ size }) => {
    left -= size;
    return left < 0;
  });
  return letters.slice(0, end < 0 ? letters.length : end).map(({ shown }) => shown);
}

const visible: Write = (letter) =>
  letter
    .replace(/\n/g, "↵")
    .replace(SEQUENCE_OR_UNSEEN, (found: string, sequence?: string) => sequence ?? escaped(found));

/** Tell apart what looks like a space. */
const blank: Write = (letter) =>
  letter === " "
    ? letter
    : JSON.stringify(letter)
        .slice(1, -1)
        .replace(/[^!-~]/gu, escaped);

function escaped(letter: string): string {
  const number = (letter.codePointAt(0) ?? 0).toString(16);
  return number.length > 4 ? `\\u{${number}}` : `\\u${number.padStart(4, "0")}`;
}

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
