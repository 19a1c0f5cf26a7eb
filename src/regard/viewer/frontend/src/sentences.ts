/** What is pointed at, in words. */

import type { Focus, Kind, Role, Selection } from "./contract";
import type { Estimate } from "./estimates";
import { errorAt, otherOf, said, sums, totalOf } from "./estimates";
import { manyOf } from "./folding";
import { item } from "./items";
import { describe, LONGEST_NAME, legible, rounded } from "./names";
import type { Part, Token } from "./news";
import type { Shown } from "./shown";
import type { State } from "./state";
import { nameOf } from "./together";

const MOST_NAMED = 4; // tokens
const UNITS: Record<string, string> = { entropy: " bits", distance: " tokens" };

/** Name a token; one of several that are alike by its place, too; marks in quotes. */
export function named(shown: Shown, role: Role, at: number): { em: string } {
  const { names } = shown[role];
  const name = item(names, at);
  const isOneOfSeveral = names.indexOf(name) !== names.lastIndexOf(name);
  const text = legible(name, LONGEST_NAME);
  const quoted = /[\p{L}\p{N}\p{S}]/u.test(text) ? text : `“${text}”`;
  return { em: quoted + (isOneOfSeveral ? ` (${at})` : "") };
}

/** Say what some tokens read most, or are read most by: of several heads, of which. */
export function focusSentence(state: State, focus: Token): Part[] {
  const owner = state.ownerOf(focus);
  if (!owner) return [];
  const parts = [...namesOf(owner.shown, focus), ...predicateOf(state, owner.shown, focus)];
  return state.together.beside().length ? [`${nameOf(owner.head)}: `, ...parts] : parts;
}

/** Name some tokens: many of one picture by how many they are. */
export function namesOf(shown: Shown, { role, ats }: Focus): Part[] {
  const whole = ats.length > MOST_NAMED ? manyOf(shown[role], ats) : null;
  if (whole) return [{ em: whole }];
  const names = joined(
    ats.slice(0, MOST_NAMED).map((at) => [named(shown, role, at)]),
    " and ",
  );
  const rest = ats.length - MOST_NAMED;
  return rest > 0 ? [...names, ` and ${rest} more`] : names;
}

/** Say what they read, or what reads them: exactly, once the kernel has replied. */
export function predicateOf(state: State, shown: Shown, focus: Focus): Part[] {
  const { strongest: reply } = state;
  if (shown.signed) return comparedPredicate(state, shown, focus);
  if (reply?.focus === focus) {
    const most = reply.found.slice(0, 3);
    const found = most.map(([at, value]): Found => [at, { value, error: 0 }]);
    return strongestPredicate(shown, focus, found, { value: reply.sum, error: 0 });
  }
  if (shown.pixels) return [];
  const all = [...sums(shown, focus).entries()].filter(([, sum]) => sum > 0);
  const strongest = all.sort(([, a], [, b]) => b - a).slice(0, 3);
  const found = strongest.map(([at, value]): Found => {
    return [at, { value, error: errorAt(shown, focus, at) }];
  });
  return strongestPredicate(shown, focus, found, totalOf(shown, focus));
}

/** Say what one head reads more than the other, and what less. */
function comparedPredicate({ together }: State, shown: Shown, focus: Focus): Part[] {
  const all = [...sums(shown, focus).entries()].sort(([, a], [, b]) => b - a);
  const other = otherOf(focus.role);
  const listed = (found: [number, number][]) =>
    joined(
      found.map(([at, value]) => {
        const size = said({ value: Math.abs(value), error: errorAt(shown, focus, at) });
        return [named(shown, other, at), ` ${size}`];
      }),
      ", ",
    );
  const surely = ([at, value]: [number, number]) =>
    Math.abs(value) > errorAt(shown, focus, at) ? value : 0;
  const more = all.filter((one) => surely(one) > 0).slice(0, 2);
  const less = all
    .filter((one) => surely(one) < 0)
    .slice(-2)
    .reverse();
  const verb = focus.role === "rows" ? "reads" : "is read by";
  const heads = together.whole().map(({ head }) => `in ${nameOf(head)}`);
  if (!more.length && !less.length) {
    return [` ${verb} all as much ${heads.join(" as ")}`];
  }
  return [
    ...(more.length ? [` ${verb} more `, ...listed(more)] : []),
    ...(less.length ? [`${more.length ? ";" : ` ${verb}`} less `, ...listed(less)] : []),
    ` (${heads.join(" than ")})`,
  ];
}

type Found = [number, Estimate];

function strongestPredicate(
  shown: Shown,
  { role, ats }: Focus,
  strongest: Found[],
  all: Estimate,
): Part[] {
  const isReading = role === "rows";
  if (!strongest.length) {
    const nothing = all.value + all.error > 0 ? `${said(all)} in all` : "nothing here";
    return [isReading ? ` reads ${nothing}` : ` is read by ${nothing}`];
  }
  const parts: Part[] = [verbOf(isReading, ats.length > 1)];
  const found = strongest.map(([at, sum]) => [named(shown, otherOf(role), at), ` ${said(sum)}`]);
  parts.push(...joined(found, ", "));
  if (isReading) return parts;
  return [...parts, `; ${said(all)} from all ${shown.rows.names.length} together`];
}

function verbOf(isReading: boolean, several: boolean): string {
  if (several) return isReading ? " together read most: " : " together are read most by: ";
  return isReading ? " reads most: " : " is read most by: ";
}

const joined = (pieces: Part[][], between: string): Part[] =>
  pieces.flatMap((piece, at) => (at ? [between, ...piece] : piece));

const unitOf = (measure: string, words: boolean): string =>
  words && measure === "distance" ? " words" : (UNITS[measure] ?? "");

/** Name what is shown: the chosen head, or several as one; or another head. */
export function titleOf({ together, weights, meta }: State, of?: Selection): string {
  if (together.isOne && !of) return together.title();
  const { kind, layer, head } = of ?? weights;
  return describe(meta.kinds.find(({ name }) => name === kind)?.title ?? kind, layer, head);
}

/** Name what lines and text are of, where that is not plain: several heads are there. */
export function whoseOf({ together, weights }: State): string {
  if (together.isOne) return together.title();
  return together.beside().length ? nameOf(weights) : "";
}

/** Say what was measured of a head. */
export function measuredOf(measures: Kind["measures"], index: number, words: boolean): string[] {
  return Object.entries(measures).flatMap(([measure, values]) => {
    const value = values[index];
    if (value === null || value === undefined) return [];
    return [`${measure.replaceAll("_", " ")} ${value.toFixed(2)}${unitOf(measure, words)}`];
  });
}

/** Say which head it is, and what was measured of it. */
export function headSentence(
  state: State,
  kind: Kind,
  { layer, head, index }: { layer: number; head: number; index: number },
  words = false,
): Part[] {
  const { looked, opened } = state.meta;
  const isFirst = opened && state.isOpening({ kind: kind.name, layer, head });
  const name = describe(kind.title, layer, head) + (isFirst ? `, ${opened}` : "");
  const measured = measuredOf(kind.measures, index, words);
  if (measured.length) return [`${name}: ${measured.join(", ")}`];
  return [name + (looked ? "" : ": the text is long, so a head is computed when it is chosen")];
}

/** Say what must be known about what is shown. */
export function remark(state: State, shown: Shown): string {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const { together } = state;
  const { isOne } = together;
  const owner = together.beside().length ? ` of ${nameOf(state.weights)}` : "";
  const whose = isOne ? " of each of the heads, on average," : owner;
  const off = `rounded by at most ${rounded(shown.rounding, 2)}`;
  const notes = [
    state.isAsked ? `what is drawn is ${off}; what is said, not` : `weights are ${off}`,
  ];
  if (shown.pixels) notes.unshift(mapRemark(shown, shown.pixels, state.isLive));
  else if (state.look.hide || state.look.pair) {
    const left = state.look.pair ? "to other tokens" : "to the hidden tokens";
    notes.unshift(`${percent(shown.hiddenShare)} of the attention${whose} goes ${left}`);
  }
  if (shown.drawn !== shown.values) notes.unshift("not all weights are drawn");
  if (state.meta.hidden) {
    const shares = (isOne ? together.whole().map((head) => head.shown) : [shown]).map(hiddenBefore);
    const share = shares.reduce((sum, one) => sum + one, 0) / Math.max(1, shares.length);
    notes.unshift(`about ${percent(share)} of the attention${whose} goes to tokens hidden before`);
  }
  return notes.join("; ");
}

/** Give the share of a head's attention that it spent on what was left out before. */
function hiddenBefore({ sums, values, rows }: Shown): number {
  const all = (sums?.rows ?? values).reduce((sum, value) => sum + value, 0);
  return Math.max(0, 1 - all / Math.max(1, rows.names.length));
}

function mapRemark(shown: Shown, [high, wide]: [number, number], isLive: boolean): string {
  const all = "a pixel has the largest of its weights";
  if (isLive) return all;
  const [rows, columns] = [shown.rows.names.length / high, shown.columns.names.length / wide];
  return `${all}, of ${Math.ceil(rows)} x ${Math.ceil(columns)} tokens at the finest`;
}
