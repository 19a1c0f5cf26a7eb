/** What one cell is, in words: one head's weight, those of several heads, or a difference. */

import type { ExactReply } from "./contract";
import { ranksOf, said, weightAt } from "./estimates";
import { isSameHead } from "./look";
import { between, ordinal, rounded } from "./names";
import type { Cell, Part } from "./news";
import { isAlike } from "./places";
import { enlarge } from "./pooling";
import { named } from "./sentences";
import type { Shown } from "./shown";
import { spanOf } from "./shown";
import type { State } from "./state";
import type { Pinned } from "./together";
import { nameOf } from "./together";

export function cellSentence(state: State, cell: Cell): Part[] {
  const { together, exact } = state;
  const owner = state.ownerOf(cell);
  if (!owner) return [];
  const { shown } = owner;
  const [reads, read] = [named(shown, "rows", cell.row), named(shown, "columns", cell.column)];
  const start: Part[] = [reads, " reads ", read];
  if (together.beside().length) return [...start, `: ${besideSaid(state, owner, cell)}`];
  if (isMasked(shown, cell)) {
    return [reads, " does not read ", read, ": masked (no head of this layer reads it)"];
  }
  if (shown.signed) return [...start, `: ${comparedAt(state, shown, cell)}`];
  return [...start, `: ${weightSaid(shown, cell, exact)}`];
}

function isMasked(shown: Shown, { row, column }: Cell): boolean {
  const [first, end] = spanOf(shown, row);
  return column < first || column >= end;
}

/** Say a weight and its rank: exactly, once the kernel has replied. */
function weightSaid(shown: Shown, cell: Cell, exact: ExactReply | null): string {
  const [first, end] = spanOf(shown, cell.row);
  if (exact) return `${rounded(exact.weight, 4)}, its ${ordinal(exact.rank)} of ${end - first}`;
  if (shown.pixels) return pixelOf(shown, cell);
  const [best, worst] = ranksOf(shown, cell);
  return `${said(weightAt(shown, cell))}, ${between(best, worst)} of ${end - first}`;
}

/** Say a cell of each head that has it, the pointed one first. */
function besideSaid(state: State, owner: Pinned, cell: Cell): string {
  const { together, exact } = state;
  const isTold = ({ head, shown }: Pinned) =>
    !isSameHead(head, owner.head) && isAlike(shown, owner.shown) && !shown.pixels;
  const chosen = state.ownerOf({ row: 0, column: 0 });
  const others = [...(chosen ? [chosen] : []), ...together.beside()].filter(isTold);
  const masked = "masked (no head of its layer reads it)";
  const first = isMasked(owner.shown, cell) ? masked : weightSaid(owner.shown, cell, exact);
  const rest = others.map(({ head, shown }) => {
    return `; ${nameOf(head)}: ${isMasked(shown, cell) ? "masked" : said(weightAt(shown, cell))}`;
  });
  return `${nameOf(owner.head)}: ${first}${rest.join("")}`;
}

/** Say by how much one head reads more than the other, and how much each does. */
function comparedAt({ together }: State, shown: Shown, cell: Cell): string {
  const { value, error } = weightAt(shown, cell);
  const [one, other] = together.whole();
  if (!one || !other) return "";
  const [name, otherName] = [nameOf(one.head), nameOf(other.head)];
  const each = [one, other].map((head) => said(weightAt(head.shown, cell)));
  if (Math.abs(value) <= error) {
    const both = `${name} ${each[0]}, ${otherName} ${each[1]}`;
    return `as much in both, within what is known (${both})`;
  }
  const size = said({ value: Math.abs(value), error });
  const way = value > 0 ? "more" : "less";
  return `${name} ${size} ${way} than ${otherName} (${each[0]} and ${each[1]})`;
}

/** Bound a weight of a map, which only a kernel knows. */
function pixelOf(shown: Shown, { row, column }: Cell): string {
  const [most = 0] = enlarge(shown, [row, row + 1, column, column + 1], 1, 1);
  return `at most ${rounded(most + shown.rounding, 2)}`;
}
