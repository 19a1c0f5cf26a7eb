/** Several heads as one: their mean, the largest of each weight, or what one has above another. */

import { item } from "./items";
import { largestOf, type Shown } from "./shown";

type Values = (all: number[]) => number;

const mean: Values = (all) => all.reduce((sum, one) => sum + one, 0) / all.length;
const largest: Values = (all) => Math.max(...all);
const difference: Values = ([one = 0, other = 0]) => one - other;
const together: Values = (all) => all.reduce((sum, one) => sum + one, 0);

/** What becomes of the weights, and of their errors. */
const WAYS: Record<string, [Values, Values]> = {
  mean: [mean, mean],
  largest: [largest, largest],
  difference: [difference, together],
};

/** Put heads of the same tokens together: "mean", "largest" or "difference" (of the first two). */
export function combine(all: Shown[], how: string): Shown {
  const [ofValues, ofErrors] = WAYS[how] ?? [mean, mean];
  const first = item(all, 0);
  const values = first.values.map((_, at) => ofValues(all.map((one) => one.values[at] ?? 0)));
  const signed = how === "difference";
  return {
    ...first,
    values,
    drawn: values,
    spans: first.spans.map((_, at) => {
      const ends = all.map(({ spans }) => item(spans, at));
      return at % 2 ? Math.max(...ends) : Math.min(...ends);
    }),
    isOpen: all.some(({ isOpen }) => isOpen),
    hiddenShare: mean(all.map(({ hiddenShare }) => hiddenShare)),
    rounding: ofErrors(all.map(({ rounding }) => rounding)),
    errorOf: (row, column) => ofErrors(all.map(({ errorOf }) => errorOf(row, column))),
    largest: largestOf(signed ? values.map(Math.abs) : values),
    sums: how === "mean" ? meanSums(all) : null,
    signed,
  };
}

function meanSums(all: Shown[]): Shown["sums"] {
  const each = all.flatMap(({ sums }) => sums ?? []);
  if (each.length < all.length) return null;
  const of = (role: "rows" | "columns") =>
    item(each, 0)[role].map((_, at) => mean(each.map((sums) => item(sums[role], at))));
  return { rows: of("rows"), columns: of("columns") };
}
