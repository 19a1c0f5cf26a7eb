/** One head: the tokens in two columns, a line for each weight. */

import { lockAll } from "./aiming";
import type { Brush } from "./brush";
import { labelWidth, paintOn } from "./brush";
import { colour, isDark } from "./colours";
import type { Focus, Role } from "./contract";
import { clamp, hasModifier, make, walkOf } from "./dom";
import { sums } from "./estimates";
import type { Items } from "./folding";
import { itemsOf } from "./folding";
import { Folds, unfold } from "./folds";
import { item } from "./items";
import { drawStrokes, wear } from "./legend";
import { LONGEST_LABEL, LONGEST_NAME, legible } from "./names";
import { listenTo } from "./pointing";
import { whoseOf } from "./sentences";
import type { Shown } from "./shown";
import { isOfTokens } from "./shown";
import { Stage } from "./stage";
import type { State } from "./state";
import { tallest } from "./styles";
import { TakeAway } from "./take_away";

const LINE = 19; // the height of a token
const TOP = 24;
const MOST_LINKS = 1500;

interface Link {
  row: number;
  column: number;
  shade: number;
}

export class Lines {
  readonly name = "lines";
  readonly element: HTMLElement;
  private readonly title = make("span");
  private readonly caption = make("small");
  private readonly folds: Folds;
  private wide = 0; // of a column of names
  readonly stage = new Stage(
    "Lines: arrow keys walk tokens and change sides, Enter locks one, " +
      "shift and Enter sums several, Escape unlocks",
  );

  constructor(private readonly state: State) {
    this.folds = new Folds(state);
    const take = new TakeAway(state, this).element;
    const heading = make("figcaption", {}, this.title, this.folds.element, take);
    this.element = make("figure", { class: "lines" }, heading, this.stage.element, this.caption);
    const { base, element } = this.stage;
    element.addEventListener("scroll", () => state.tell("sight"));
    listenTo(base, {
      point: (event) => {
        const token = this.tokenAt(event);
        state.hover(token);
        base.style.cursor = token ? "pointer" : "default";
      },
      leave: () => state.leave(),
      press: (event) => {
        const token = this.tokenAt(event);
        if (token) this.choose(token, event.shiftKey);
        else state.unlock();
      },
    });
    base.addEventListener("keydown", (event) => this.press(event));
  }

  draw(): void {
    const { stage, state } = this;
    const { shown } = state;
    this.element.hidden = !shown || !isOfTokens(shown);
    if (!shown || !isOfTokens(shown)) return;
    const whose = whoseOf(state);
    this.title.textContent = whose ? `Lines: ${whose}` : "Lines";
    this.folds.draw(shown);
    const both = [this.itemsOf(shown, "rows").names, this.itemsOf(shown, "columns").names];
    const count = Math.max(...both.map(({ length }) => length));
    const width = Math.max(200, this.element.clientWidth);
    const all = 26 + count * LINE + 4;
    stage.measure(width, Math.min(tallest(), all), 0, all);
    const longest = Math.max(...both.map(labelWidth));
    this.wide = Math.min((stage.width - 70) / 2, 130, Math.max(longest, 40) + 12);
    this.paint(paintOn(stage.base, stage.width, stage.height));
  }

  private itemsOf(shown: Shown, role: Role): Items {
    return itemsOf(shown[role], this.state.look.unfolded);
  }

  /** Draw all that is seen. */
  paint(brush: Brush): void {
    const { stage, state } = this;
    const { shown } = state;
    if (!shown) return;
    brush.fillStyle = state.theme.quiet;
    brush.textAlign = "right";
    brush.fillText("reads", this.wide - 5, 10);
    brush.textAlign = "left";
    brush.fillText("is read", stage.width - this.wide + 5, 10);
    brush.save();
    brush.beginPath();
    brush.rect(0, 22, stage.width, stage.height);
    brush.clip();
    this.drawLinks(brush, shown);
    this.drawNames(brush, shown, "rows");
    this.drawNames(brush, shown, "columns");
    brush.restore();
  }

  /** Draw which line is which weight. */
  legend(brush: Brush): void {
    drawStrokes(brush, this.state);
  }

  /** Give the middle of a token. */
  private y(at: number): number {
    return TOP + (at + 0.5) * LINE - this.stage.element.scrollTop;
  }

  /** Give the tokens in sight. */
  private sight(count: number): [number, number] {
    const { scrollTop } = this.stage.element;
    const end = Math.ceil((scrollTop + this.stage.height) / LINE);
    return [clamp(Math.floor((scrollTop - TOP) / LINE), 0, count), clamp(end, 0, count)];
  }

  /** Collect the links that are to be drawn, the strongest last. */
  private links(shown: Shown): Link[] {
    const { state } = this;
    const [rows, columns] = [this.linked(shown, "rows"), this.linked(shown, "columns")];
    const links: Link[] = [];
    for (const [row, reading] of rows) {
      for (const [column, read] of columns) {
        const shade = state.shade(weightOf(shown, reading, read));
        if (shade >= 2) links.push({ row, column, shade });
      }
    }
    links.sort((a, b) => a.shade - b.shade);
    this.caption.textContent =
      links.length > MOST_LINKS
        ? `the strongest ${MOST_LINKS} of ${links.length} links in sight`
        : "";
    return links.slice(-MOST_LINKS);
  }

  /** Give the items of a side that have links, and of which of their tokens. */
  private linked(shown: Shown, role: Role): [number, number[]][] {
    const focus = this.state.focus();
    const { all, of } = this.itemsOf(shown, role);
    if (focus?.role === role) {
      const places = [...new Set(focus.ats.map((at) => item(of, at)))];
      return places.map((place) => [place, focus.ats.filter((at) => of[at] === place)]);
    }
    const [first, end] = role === "rows" && !focus ? this.sight(all.length) : [0, all.length];
    return all.slice(first, end).map(({ ats }, place) => [first + place, ats]);
  }

  private drawLinks(brush: Brush, shown: Shown): void {
    const [from, to] = [this.wide + 3, this.stage.width - this.wide - 3];
    const bend = (to - from) * 0.4;
    for (const { row, column, shade } of this.links(shown)) {
      const [y, end] = [this.y(row), this.y(column)];
      wear(brush, this.state, shade);
      brush.beginPath();
      brush.moveTo(from, y);
      brush.bezierCurveTo(from + bend, y, to - bend, end, to, end);
      brush.stroke();
    }
    brush.globalAlpha = 1;
  }

  private drawNames(brush: Brush, shown: Shown, role: Role): void {
    const { state, wide } = this;
    const { all: items, of } = this.itemsOf(shown, role);
    const isLeft = role === "rows";
    const x = isLeft ? 0 : this.stage.width - wide;
    const focus = state.focus();
    const isOwn = new Set(focus?.role === role ? focus.ats.map((at) => of[at]) : []);
    const all = focus && focus.role !== role ? sums(shown, focus) : null;
    const [top, bottom] = this.sight(items.length);
    brush.textAlign = isLeft ? "right" : "left";
    for (let at = top; at < bottom; at++) {
      const y = this.y(at) - LINE / 2 + 1;
      brush.fillStyle = state.theme.ink;
      const { name, ats, medium } = item(items, at);
      if (all && focus) this.shade(brush, x, y, sumOf(all, ats, role) / focus.ats.length);
      const text = legible(name, medium ? LONGEST_NAME : LONGEST_LABEL);
      brush.fillText(text, isLeft ? x + wide - 5 : x + 5, this.y(at), wide - 8);
      if (isOwn.has(at)) {
        brush.strokeStyle = state.theme.accent;
        brush.lineWidth = state.look.locked ? 3 : 1.5;
        brush.strokeRect(x + 1.5, y, wide - 3, LINE - 2);
      }
    }
  }

  /** Lay a weight's colour under a name, and choose an ink that is read on it. */
  private shade(brush: Brush, x: number, y: number, value: number): void {
    const { table } = this.state.theme;
    const shade = this.state.shade(value);
    brush.fillStyle = colour(table, shade);
    brush.fillRect(x, y, this.wide, LINE - 2);
    brush.fillStyle = isDark(table, shade) ? "#ffffff" : "#000000";
  }

  private tokenAt({ offsetX, offsetY }: MouseEvent): Focus | null {
    const { shown } = this.state;
    const role = this.roleAt(offsetX);
    if (!shown || !role || offsetY < TOP) return null;
    const at = Math.floor((offsetY - TOP + this.stage.element.scrollTop) / LINE);
    const found = this.itemsOf(shown, role).all[at];
    return found ? { role, ats: found.ats } : null;
  }

  /** Lock a token; open those of a picture, or with Shift lock them all. */
  private choose({ role, ats }: Focus, isShift: boolean): void {
    const { state } = this;
    const { shown } = state;
    if (!shown) return;
    const { all, of } = this.itemsOf(shown, role);
    const { medium } = item(all, item(of, item(ats, 0)));
    if (medium && !isShift) unfold(state, medium);
    else lockAll(state, role, ats, isShift);
  }

  private roleAt(x: number): Role | null {
    if (x < this.wide) return "rows";
    return x > this.stage.width - this.wide ? "columns" : null;
  }

  private press(event: KeyboardEvent): void {
    const { state } = this;
    const { shown, token } = state;
    if (!shown || hasModifier(event)) return;
    const [step, role] = [walkOf(event), token?.role ?? "rows"];
    const first = token?.ats[0] ?? 0;
    const at = item(this.itemsOf(shown, role).of, first);
    if (step?.[0]) this.walk(shown, role, token ? at + step[0] : 0);
    else if (Number.isFinite(step?.[1])) {
      this.walk(shown, (step?.[1] ?? 0) < 0 ? "rows" : "columns", at);
    } else if (step) this.walk(shown, role, step[1]);
    else if (event.key === "Enter" || event.key === " ") {
      this.choose({ role, ats: token?.ats ?? [first] }, event.shiftKey);
    } else return;
    event.preventDefault();
  }

  private walk(shown: Shown, role: Role, at: number): void {
    const { element, height } = this.stage;
    const { all } = this.itemsOf(shown, role);
    const next = clamp(at, 0, all.length - 1);
    const least = (next + 1) * LINE + 26 - height;
    element.scrollTop = clamp(element.scrollTop, least, next * LINE);
    this.state.hover({ role, ats: item(all, next).ats });
  }
}

/** Sum what is read of tokens; of what they read, take the mean, as words do. */
const sumOf = (all: Float32Array, ats: number[], role: Role): number => {
  const sum = ats.reduce((sum, at) => sum + item(all, at), 0);
  return role === "rows" ? sum / ats.length : sum;
};

/** Sum what tokens are read, on average of those that read. */
function weightOf({ drawn, columns }: Shown, reading: number[], read: number[]): number {
  const wide = columns.names.length;
  let sum = 0;
  for (const row of reading) for (const column of read) sum += drawn[row * wide + column] ?? 0;
  return sum / reading.length;
}
