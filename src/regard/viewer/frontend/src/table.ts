/** The weights that are shown, as CSV: those of a kernel are exact, these come from bytes. */

import type { Selection } from "./contract";
import { weightAt } from "./estimates";
import type { Shown } from "./shown";

const MOST_ROWS = 2 ** 20 - 1; // of a spreadsheet, besides the names of the columns
// As regard.record.spreadsheet, which says what spreadsheets take for a formula.
const FORMULA = /^[ \ufeff\u200b]*[=+\-@\t\r\n]/;
const COLUMNS = "query_position,query,key_position,key,weight,error";

/** Say where there is no table of what is shown. */
export function checkTable({ rows, columns, pixels }: Shown): void {
  const count = rows.names.length * columns.names.length;
  if (count <= MOST_ROWS && !pixels) return;
  const reason = `${count} weights are more than a spreadsheet opens, or only pixels are here`;
  throw new Error(`${reason}: write the table in Python, with view(…).save("head.csv").`);
}

/** Write what is shown, a weight a row, and by how much each may be off. */
export function tableOf(shown: Shown, whose: Selection | { of: string }): string {
  const owner = "of" in whose ? { of: whose.of } : headOf(whose);
  const start = Object.values(owner).map(cellOf).join(",");
  const keys = shown.columns.names.map(cellOf);
  const lines = shown.rows.names.flatMap((name, row) => {
    const query = `${start},${row},${cellOf(name)}`;
    return keys.map((key, column) => {
      const { value, error } = weightAt(shown, { row, column });
      return `${query},${column},${key},${digits(value)},${digits(error * (1 + 1e-6))}`;
    });
  });
  return `${[`${Object.keys(owner).join(",")},${COLUMNS}`, ...lines].join("\n")}\n`;
}

const headOf = ({ kind, layer, head }: Selection): Record<string, string> => ({
  kind,
  layer: String(layer),
  head: String(head),
});

/** Write what float32 knows of a number. */
const digits = (x: number): string => String(Number(x.toPrecision(7)));

/** Write a text so that no spreadsheet runs it and half a character is no damage. */
function cellOf(text: string): string {
  const isFormula = FORMULA.test(text.normalize("NFKC"));
  const whole = text.replace(/\p{Cs}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
  const safe = isFormula ? `'${whole}` : whole;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
