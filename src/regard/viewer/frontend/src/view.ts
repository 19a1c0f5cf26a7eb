/** The view of one model: it wires the pictures to what is chosen, and says what goes wrong. */

import { Bar } from "./bar";
import { findLayer } from "./checks";
import type { Hear, Model } from "./contract";
import { hasModifier, make } from "./dom";
import { Foot } from "./foot";
import { SILENT } from "./kernel";
import { describe } from "./names";
import type { Change } from "./news";
import { Pictures } from "./pictures";
import { Sentence } from "./sentence";
import { titleOf } from "./sentences";
import { State } from "./state";
import { CSS } from "./styles";
import { followTheme, themeOf, wear } from "./theme";
import { Tip } from "./tip";

const ABOVE: Change[] = ["pointed", "locked", "said", "exact", "strongest", "anatomy", "media"];
const PATIENCE = 200; // milliseconds before it says that a head is being computed

export class View {
  private readonly state: State;
  private readonly host = make("div", { "data-lm-suppress-shortcuts": "true", "data-regard": "" });
  private readonly alert = make("p", { class: "alert", role: "alert", hidden: "" });
  private readonly body = make("div");
  private readonly section: HTMLElement;
  private readonly tip: Tip;
  private readonly size = new ResizeObserver(() => this.schedule("all"));
  private readonly unfollow: () => void;
  private readonly ears: [string, Hear][];
  private bar: Bar | null = null;
  private foot: Foot | null = null;
  private sentence: Sentence | null = null;
  private pictures: Pictures | null = null;
  private due: "all" | "over" | null = null;
  private isElsewhere = false; // another head was chosen since it was drawn
  private isClosed = false;
  private readonly closed = new AbortController();
  private patience = 0;

  constructor(
    el: HTMLElement,
    private readonly model: Model,
  ) {
    this.state = new State(model);
    const label = { class: "view", "aria-label": "Attention", tabindex: "-1" };
    this.section = make("section", label, this.alert, this.body);
    this.tip = new Tip(this.section);
    this.section.append(this.tip.element);
    const root = this.host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
    root.append(this.section);
    el.append(this.host);
    this.state.listen((change) => this.changed(change));
    this.ears = this.hear();
    for (const [event, ear] of this.ears) model.on(event, ear);
    wear(this.host, this.section, this.state.theme);
    const printing = () => this.attempt(() => this.redraw());
    this.unfollow = followTheme(this.host, () => this.restyle(), printing);
    this.size.observe(this.host);
    // a page of its own has the keys of the whole page
    const page = this.state.isLive ? this.section : document;
    const press = (event: Event) => this.press(event as KeyboardEvent);
    page.addEventListener("keydown", press, { signal: this.closed.signal });
    this.restyle();
    this.attempt(() => this.build());
  }

  /** Name what the model says, and what is done then. */
  private hear(): [string, Hear][] {
    return [
      ["change:meta", () => this.attempt(() => this.build())],
      ["change:selection", () => this.attempt(() => this.chosen())],
      ["change:weights", () => this.attempt(() => this.state.receive())],
      ["change:look", () => this.attempt(() => this.state.adopt())],
      ["comm_live_update", () => this.fail(SILENT)], // as ipywidgets says that a kernel is gone
      ["change:thumbnails", () => this.schedule("all")],
      [
        "msg:custom",
        (message, buffers) => this.attempt(() => this.state.kernel.hear(message, buffers)),
      ],
    ];
  }

  close(): void {
    for (const [event, ear] of this.ears) this.model.off(event, ear);
    this.size.disconnect();
    this.unfollow();
    clearTimeout(this.patience);
    this.closed.abort();
    this.host.remove();
    this.isClosed = true;
  }

  /** Do what a key does anywhere in the view: Escape unlocks, a slash goes to the search. */
  private press(event: KeyboardEvent): void {
    const [target] = event.composedPath();
    const isTyping = target instanceof Element && target.matches("input, select, textarea");
    if (event.defaultPrevented || hasModifier(event)) return;
    if (event.key === "Escape") this.state.unlock();
    if (event.key !== "/" || isTyping) return;
    event.preventDefault();
    this.pictures?.reading.seek();
  }

  /** Do something; if it fails, say so in the view. */
  private attempt(act: () => void): void {
    try {
      act();
      this.alert.hidden = true;
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.alert.textContent = error instanceof Error ? error.message : String(error);
    this.alert.hidden = false;
  }

  private build(): void {
    const { state } = this;
    this.pictures = null;
    this.body.replaceChildren();
    state.start();
    this.bar = new Bar(state, (act) => this.attempt(act));
    this.foot = new Foot(state);
    this.pictures = new Pictures(state);
    this.sentence = new Sentence(state, this.tip, () => this.pictures?.sayHead());
    const parts = [this.bar, this.sentence, this.pictures, this.foot];
    this.body.append(...parts.map(({ element }) => element));
    this.foot.show();
    this.chosen();
    state.receive();
  }

  /** Take the theme of where the view stands; out of the page, nothing is behind it. */
  private restyle(): void {
    if (!this.host.isConnected) return;
    const theme = themeOf(this.host);
    if (theme === this.state.theme) return;
    wear(this.host, this.section, theme);
    this.state.theme = theme;
    this.state.tell("theme");
  }

  /** Draw at once in the theme of where it stands: on paper, that is ink on white. */
  private redraw(): void {
    this.restyle();
    this.draw("all");
  }

  /** Another head was chosen, here or elsewhere. */
  private chosen(): void {
    const { state } = this;
    const { kind } = findLayer(state.meta, state.selection);
    this.bar?.show();
    this.isElsewhere = true;
    this.wait();
    clearTimeout(this.patience);
    this.patience = setTimeout(() => {
      const { layer, head } = state.selection;
      if (!state.isStale || !state.isLive) return;
      state.say([`${describe(kind.title, layer, head)} is being computed …`]);
    }, PATIENCE);
    this.schedule("all");
  }

  /** Show whether what is drawn is of another head than the chosen one. */
  private wait(): void {
    this.body.classList.toggle("waiting", this.state.isStale);
    this.section.setAttribute("aria-busy", String(this.state.isStale));
  }

  /** Say and draw what has changed. */
  private changed(change: Change): void {
    const acts: Partial<Record<Change, () => void>> = {
      pointed: () => this.pointed(),
      locked: () => this.locked(),
      weights: () => this.received(),
      order: () => this.ordered(),
      said: () => this.said(),
      exact: () => this.sentence?.point(),
      strongest: () => this.sentence?.rank(),
      anatomy: () => this.pictures?.inside.show(),
      theme: () => this.foot?.show(),
      scale: () => this.foot?.show(),
      pins: () => this.looked(),
      look: () => this.looked(),
    };
    acts[change]?.();
    const isAbove = ABOVE.includes(change);
    this.schedule(isAbove ? "over" : "all");
  }

  private pointed(): void {
    const { cell, token, look, inQuestion, kernel, shown, meta } = this.state;
    const focus = token ?? look.locked;
    if (cell) kernel.weigh(cell);
    if (cell && shown?.pixels && meta.pictures.length) {
      kernel.rank({ role: "rows", ats: [cell.row] }); // of a map, only a kernel knows a whole row
    }
    if (!cell && focus) kernel.rank(focus);
    if (inQuestion) kernel.dissect(inQuestion);
    this.sentence?.point();
  }

  private locked(): void {
    const { look, inQuestion, kernel } = this.state;
    if (look.locked) kernel.rank(look.locked);
    if (inQuestion) kernel.dissect(inQuestion);
    this.sentence?.lock();
  }

  /** Other heads are compared, or one looks at them as someone else wished. */
  private looked(): void {
    this.bar?.show();
    this.foot?.show();
    this.sentence?.point();
  }

  /** The heads are sorted otherwise, or measured: the bar has a button that turns the order. */
  private ordered(): void {
    this.bar?.show();
    this.sentence?.point();
  }

  private said(): void {
    if (this.state.said.length) this.sentence?.say(this.state.said);
    else this.sentence?.point();
  }

  private received(): void {
    this.state.kernel.forget();
    this.wait();
    this.bar?.show();
    this.foot?.show();
    this.pictures?.inside.show();
    this.pointed();
    this.section.setAttribute("aria-label", `Attention: ${titleOf(this.state)}`);
  }

  /** Draw with the next frame: all, or only what is pointed at. */
  private schedule(what: "all" | "over"): void {
    const isAsked = this.due !== null;
    if (this.due !== "all") this.due = what;
    if (isAsked || this.isClosed) return;
    requestAnimationFrame(() => {
      const { due } = this;
      this.due = null;
      if (this.isClosed || !due) return;
      try {
        this.draw(due);
      } catch (error) {
        this.fail(error);
      }
    });
  }

  private draw(due: "all" | "over"): void {
    if (due === "all") {
      this.sentence?.hold(); // there may be more or less room now
      this.pictures?.draw();
    } else this.pictures?.drawOver();
    if (this.isElsewhere) this.pictures?.reveal();
    this.isElsewhere = false;
    if (!this.state.shown || !this.pictures) return;
    const { kind, layer, head } = this.state.weights; // what is drawn may be of another head
    this.host.dataset.drawn = describe(kind, layer, head);
  }
}

/** Show a model's attention in an element; gives what takes the view away again. */
export function mount(el: HTMLElement, model: Model): () => void {
  const view = new View(el, model);
  return () => view.close();
}
