/** The text as words, shaded by what is read; a search; and all that is read, in order. */

import { lockAll } from "./aiming";
import { colour, isDark } from "./colours";
import type { Focus, Role } from "./contract";
import { make } from "./dom";
import { errorAt, otherOf, said, sums } from "./estimates";
import type { Item } from "./folding";
import { itemsOf } from "./folding";
import { Folds, unfold } from "./folds";
import { item } from "./items";
import { isSame } from "./look";
import { LONGEST_NAME, legible } from "./names";
import type { Strongest } from "./news";
import { namesOf, whoseOf } from "./sentences";
import type { Shown } from "./shown";
import { isOfTokens } from "./shown";
import type { State } from "./state";

const PATIENCE = 120; // milliseconds that one rests on a token before all is listed
const LONGEST_LIST = 2000;
const TITLES: Record<Role, string> = { rows: "what it reads", columns: "what reads it" };

export class Reading {
  readonly element: HTMLElement;
  private readonly search = make("input", {
    type: "search",
    placeholder: "find a token",
    "aria-label": "Find a token: type it, Enter locks it, and again the next",
  });
  private readonly side = make("select", { "aria-label": "Of a token, show" });
  private readonly title = make("span");
  private readonly hint = make("small");
  private readonly texts = make("div", { class: "texts" });
  private readonly list = make("ol", { class: "ranked", tabindex: "0", "aria-label": "In order" });
  private readonly listTitle = make("p");
  private readonly folds: Folds;
  private words: Partial<Record<Role, [HTMLElement, Item][]>> = {};
  private unfolded: string[] = []; // of what the tokens were written one by one
  private drawn: Shown | null = null;
  private listed: Focus | Strongest | null = null; // what the list is of
  private waiting = 0;
  private writing = 0;
  private isOne = true; // are the tokens that read those that are read?
  private match = -1;

  constructor(private readonly state: State) {
    const roles = Object.entries(TITLES);
    this.side.append(...roles.map(([value, title]) => make("option", { value }, title)));
    this.folds = new Folds(state);
    const controls = [this.search, this.side, this.folds.element, this.hint];
    const heading = make("figcaption", {}, this.title, ...controls);
    const ranking = make("div", { class: "ranking" }, this.listTitle, this.list);
    const panel = make("div", { class: "panel" }, this.texts, ranking);
    this.element = make("figure", { class: "reading" }, heading, panel);
    this.search.addEventListener("input", () => this.find(0));
    this.search.addEventListener("keydown", (event) => this.press(event));
    this.side.addEventListener("change", () => this.turn());
    this.texts.addEventListener("pointerleave", () => state.token && state.leave());
  }

  /** Go to the search. */
  seek(): void {
    this.search.focus();
    this.search.scrollIntoView({ block: "nearest" });
  }

  private get role(): Role {
    return this.side.value as Role;
  }

  draw(): void {
    const { shown } = this.state;
    this.element.hidden = !shown || !isOfTokens(shown);
    if (!shown || !isOfTokens(shown)) return;
    const whose = whoseOf(this.state);
    this.title.textContent = whose ? `Text: ${whose}` : "Text";
    if (this.drawn === shown) this.render(shown);
    else {
      clearTimeout(this.writing); // the matrix comes first
      this.writing = setTimeout(() => this.state.shown === shown && this.render(shown));
    }
  }

  private render(shown: Shown): void {
    const isFolded = isSame(this.unfolded, this.state.look.unfolded);
    if (this.drawn !== shown || !isFolded) this.write(shown, isFolded);
    this.folds.draw(shown);
    this.shade(shown);
    const focus = this.state.focus();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.rank(shown, focus), PATIENCE);
  }

  /** Write the text anew, if other tokens are shown. */
  private write(shown: Shown, isFolded: boolean): void {
    const before = this.drawn;
    this.drawn = shown;
    this.listed = null;
    const isAlike = (role: Role) =>
      before?.[role].names.join("\n") === shown[role].names.join("\n");
    if (isFolded && isAlike("rows") && isAlike("columns")) return;
    this.unfolded = this.state.look.unfolded;
    this.isOne = shown.rows.names.join("\n") === shown.columns.names.join("\n");
    const roles: Role[] = this.isOne ? ["rows"] : ["rows", "columns"];
    this.side.hidden = roles.length > 1;
    this.words = {};
    this.texts.replaceChildren();
    for (const role of roles) {
      const { all } = itemsOf(shown[role], this.unfolded);
      const words = all.map((one) => this.word(role, one));
      this.words[role] = words.map((word, at) => [word, item(all, at)]);
      const text = make("p", { dir: "auto" }, ...words.flatMap((word) => [word, " "]));
      if (roles.length > 1) text.prepend(make("small", {}, role === "rows" ? "reads: " : "read: "));
      this.texts.append(text);
    }
  }

  private word(role: Role, { name, ats, medium }: Item): HTMLElement {
    const { state } = this;
    const word: HTMLElement = make(medium ? "button" : "span", {}, legible(name, LONGEST_NAME));
    const ownRole = () => (this.isOne ? this.role : role);
    word.addEventListener("click", (event) => {
      if (!getSelection()?.isCollapsed) return; // text is being selected
      if (medium && !event.shiftKey) unfold(state, medium);
      else lockAll(state, ownRole(), ats, event.shiftKey);
    });
    word.addEventListener("pointerenter", ({ pointerType, buttons }) => {
      if (pointerType === "mouse" && !buttons) state.hover({ role: ownRole(), ats });
    });
    return word;
  }

  /** Lay the colour of a weight behind each word. */
  private shade(shown: Shown): void {
    const { state } = this;
    const focus = state.focus();
    const all = focus ? sums(shown, focus) : null;
    const { isOne } = this;
    for (const [role, words] of Object.entries(this.words) as [Role, [HTMLElement, Item][]][]) {
      const isOther = focus !== null && (isOne || role !== focus.role);
      const isMine = focus !== null && (isOne || role === focus.role);
      const own = new Set(isMine ? focus.ats : []);
      const isReader = focus?.role === "columns"; // of several, the mean
      const count = (ats: number[]) => (focus?.ats.length ?? 1) * (isReader ? ats.length : 1);
      for (const [word, { ats }] of words) {
        const sum = all && isOther ? ats.reduce((sum, at) => sum + (all[at] ?? 0), 0) : 0;
        const shade = state.shade(sum / count(ats));
        const { table } = state.theme;
        word.style.background = shade ? colour(table, shade) : "";
        word.style.color = shade ? (isDark(table, shade) ? "#ffffff" : "#1b1b1b") : "";
        word.classList.toggle(
          "own",
          ats.some((at) => own.has(at)),
        );
      }
    }
  }

  /** List all tokens by what is read of them. */
  private rank(shown: Shown, focus: Focus | null): void {
    const { strongest } = this.state;
    const source = strongest && strongest.focus === focus ? strongest : focus;
    if (source === this.listed) return;
    this.listed = source;
    this.list.hidden = this.listTitle.hidden = !focus;
    if (!focus) return;
    const other = otherOf(focus.role);
    const { names } = shown[other];
    const lines = this.linesOf(shown, focus).map(([at, text]) =>
      make("li", {}, `${legible(item(names, at), LONGEST_NAME)} (${at}): ${text}`),
    );
    this.list.replaceChildren(...lines);
    this.entitle(shown, focus);
  }

  /** Say of what the list is, and how much of it is seen where it is cut. */
  private entitle(shown: Shown, focus: Focus): void {
    const { list } = this;
    const names = namesOf(shown, focus).map((part) => (typeof part === "string" ? part : part.em));
    const verb = focus.role === "rows" ? "reads" : "is read by";
    const title = `${names.join("")} ${verb}`;
    this.listTitle.textContent = title;
    const isCut = list.scrollHeight > list.clientHeight + 1;
    list.classList.toggle("cut", isCut);
    list.scrollTop = 0;
    if (!isCut) return;
    const bottom = list.getBoundingClientRect().top + list.clientHeight;
    const lines = [...list.children];
    const seen = lines.filter((line) => line.getBoundingClientRect().bottom <= bottom + 1);
    this.listTitle.textContent = `${title}: ${seen.length} of ${lines.length}, scroll for the rest`;
  }

  private linesOf(shown: Shown, focus: Focus): [number, string][] {
    const { strongest } = this.state;
    if (strongest?.focus === focus) {
      return strongest.found.map(([at, value]) => [at, said({ value, error: 0 })]);
    }
    const all = [...sums(shown, focus).entries()].filter(([, value]) => value > 0);
    all.sort(([, a], [, b]) => b - a);
    return all
      .slice(0, LONGEST_LIST)
      .map(([at, value]) => [at, said({ value, error: errorAt(shown, focus, at) })]);
  }

  private matches(): number[] {
    const { shown } = this.state;
    const sought = this.search.value.trim().toLowerCase();
    if (!shown || !sought) return [];
    const found = [...shown[this.role].names.entries()];
    const holds = (test: (name: string) => boolean) =>
      found.filter(([, name]) => test(name.toLowerCase())).map(([at]) => at);
    const same = holds((name) => name === sought);
    return [...same, ...holds((name) => name !== sought && name.includes(sought))];
  }

  /** Point at a match, and say how many there are. */
  private find(match: number): void {
    const matches = this.matches();
    this.match = matches.length ? match % matches.length : -1;
    const count = matches.length ? `${this.match + 1} of ${matches.length}` : "not there";
    this.hint.textContent = this.search.value.trim() ? count : "";
    const at = matches[this.match];
    this.state.hover(at === undefined ? null : { role: this.role, ats: [at] });
    if (at !== undefined) this.reveal(at);
  }

  private reveal(at: number): void {
    const words = this.words[this.role] ?? this.words.rows;
    const found = words?.find(([, { ats }]) => ats.includes(at));
    found?.[0].scrollIntoView({ block: "nearest" });
  }

  private press(event: KeyboardEvent): void {
    if (event.key === "Escape" && this.search.value) {
      event.preventDefault(); // a second one unlocks
      this.search.value = "";
      this.find(0);
    }
    if (event.key !== "Enter") return;
    event.preventDefault();
    const at = this.matches()[this.match];
    if (at === undefined) return;
    const { locked } = this.state.look;
    const isLocked = locked?.role === this.role && locked.ats.join() === String(at);
    if (isLocked) this.find(this.match + 1);
    const next = this.matches()[this.match] ?? at;
    if (!isLocked || next !== at) this.state.lock(this.role, next, false);
  }

  /** Ask the other way: not what a token reads, but what reads it. */
  private turn(): void {
    const { locked } = this.state.look;
    if (locked && locked.role !== this.role) this.state.turn();
    if (this.search.value) this.find(0);
  }
}
