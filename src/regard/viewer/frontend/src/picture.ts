/** The pictures that were seen, with the weights of a token over them. */

import { aim, aimedRole, lockAll, roleOf, wishedOf } from "./aiming";
import { Album } from "./album";
import type { Patch, Point } from "./boxes";
import { between, levelsOf, middleOf, nextTo, patchAt, patchesOf } from "./boxes";
import type { Brush } from "./brush";
import { paintOn } from "./brush";
import type { Role } from "./contract";
import { clamp, hasModifier, make, offer, walkOf } from "./dom";
import { said } from "./estimates";
import { isForFingers } from "./grid_layout";
import { whenHeld } from "./holding";
import { drawColours } from "./legend";
import { litBy } from "./lit";
import { isSame } from "./look";
import { drawPictures } from "./picture_ink";
import { listenTo } from "./pointing";
import { whoseOf } from "./sentences";
import type { Axis, Shown } from "./shown";
import { Stage } from "./stage";
import type { State } from "./state";
import { tallest } from "./styles";
import { TakeAway } from "./take_away";
import { nameOf } from "./together";

const TITLES: Record<Role, string> = { rows: "what it reads", columns: "what reads it" };
const WHOLE = 100; // steps from one edge of a picture to the other, at most

const hint = (): string =>
  isForFingers()
    ? "tap a word or a patch, or hold a patch and drag over several"
    : "point at a word or a patch, or drag over several patches";

const isThere = (axis: Axis): boolean => levelsOf(axis).length > 0;

export class Picture {
  readonly name = "picture";
  readonly element: HTMLElement;
  readonly stage: Stage;
  private readonly album: Album;
  private readonly title = make("span");
  private readonly caption = make("small");
  private readonly side = make("select", { "aria-label": "Of a patch, show" });
  private readonly level = make("select", { "aria-label": "Weights of which patches" });
  private here: Patch | null = null; // pointed at
  private start: Patch | null = null; // where what is pointed at began, of several
  private isDragged = false;

  constructor(private readonly state: State) {
    const { pictures } = state.meta;
    const draw = () => state.tell("media");
    const fail = (error: unknown) => state.say([String(error)]);
    this.album = new Album(pictures, draw, fail);
    const sizes = pictures.map(({ width, height }) => `${width} x ${height} pixels`);
    const keys =
      "arrow keys walk its patches, with Shift they choose several, Enter locks, Escape unlocks";
    this.stage = new Stage(
      `${pictures.length > 1 ? `${pictures.length} pictures` : "Picture"} that the model saw, ` +
        `${sizes.join(" and ")}, with weights over it: ${keys}`,
    );
    this.side.append(
      ...Object.entries(TITLES).map(([value, text]) => make("option", { value }, text)),
    );
    this.side.addEventListener("change", () => this.turn());
    this.level.addEventListener("change", () =>
      state.change({ level: Number(this.level.value) }, "sight"),
    );
    const take = new TakeAway(state, this).element;
    const heading = make("figcaption", {}, this.title, this.side, this.level, take);
    this.element = make("figure", { class: "picture" }, heading, this.stage.element, this.caption);
    this.element.hidden = true;
    this.listen();
  }

  private get shown(): Shown | null {
    const { shown } = this.state;
    const isKnown = shown && (!shown.pixels || this.state.isAsked); // of a map, by a kernel
    const has = isKnown && (isThere(shown.rows) || isThere(shown.columns));
    return has ? shown : null;
  }

  private listen(): void {
    const { base, element } = this.stage;
    element.addEventListener("scroll", () => this.state.tell("sight"));
    listenTo(base, {
      point: (event) => this.pointAt(event),
      leave: () => this.leave(),
      press: (event, isTouch) => this.pressAt(event, isTouch),
    });
    base.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch" || event.button) return;
      base.setPointerCapture(event.pointerId);
      this.start = this.patchAt(event);
      this.isDragged = false;
    });
    base.addEventListener("pointerup", ({ pointerType }) => {
      if (pointerType !== "touch") this.drop();
    });
    whenHeld(base, {
      start: (place) => {
        this.pointTo(this.patchAt(place), false);
        this.start = this.here;
        this.isDragged = false;
      },
      move: (event) => this.pointAt(event),
      end: () => this.drop(),
    });
    base.addEventListener("keydown", (event) => this.press(event));
  }

  draw(): void {
    const { shown, stage, album, state } = this;
    this.element.hidden = !shown;
    if (!shown) return;
    const glimpsed = state.together.glimpse.over(shown);
    const whose = glimpsed ? nameOf(glimpsed.head) : whoseOf(state);
    const title = album.pictures.length > 1 ? "Pictures" : "Picture";
    this.title.textContent = whose ? `${title}: ${whose}` : title;
    this.side.hidden = !(isThere(shown.rows) && isThere(shown.columns));
    this.side.value = this.asked(shown);
    this.offerLevels(shown);
    const light = litBy(state, shown);
    const colours = light?.most ? `up to ${said(light.most)}` : "as in the matrix";
    this.caption.textContent = light
      ? `colours ${colours}, over the picture without its own`
      : [hint(), album.said].filter((part) => part).join("; ");
    this.element.classList.toggle("several", album.pictures.length > 1);
    const width = Math.max(200, this.element.clientWidth);
    album.arrange(width, tallest());
    stage.measure(width, Math.min(tallest(), album.height), 0, album.height);
    this.element.dataset.spreads = album.spreads
      .map(({ left, top, scale }) => [left, top, scale].join(" "))
      .join(";"); // for who points
    this.paint(paintOn(stage.base, stage.width, stage.height));
  }

  /** Is it asked what patches read, or what reads them? Of a locked one, as it is locked. */
  private asked(shown: Shown): Role {
    const { locked } = this.state.look;
    const isPatch = locked?.ats.some((at) => shown[locked.role].places[at]?.length === 5);
    if (locked && isPatch) return locked.role;
    return this.side.dataset.chosen ? (this.side.value as Role) : wishedOf(this.state, shown);
  }

  /** Offer the whole and its tiles, where both have tokens. */
  private offerLevels(shown: Shown): void {
    const { level, state } = this;
    const levels = levelsOf(shown[isThere(shown.columns) ? "columns" : "rows"]);
    const names = levels.map(({ length }) => `${length} patches`);
    const chosen = Math.min(state.look.level, levels.length - 1);
    offer(
      level,
      names.map((_, at) => String(at)),
      String(chosen),
      (at) => names[Number(at)] ?? "",
    );
    level.hidden = levels.length < 2;
  }

  /** Draw all that is seen. */
  paint(brush: Brush): void {
    const { shown, album, state, stage } = this;
    if (shown) drawPictures(brush, album, state, shown, stage.element.scrollTop);
  }

  /** Draw which colour is which weight. */
  legend(brush: Brush): void {
    const { shown, state } = this;
    drawColours(brush, state, (shown && litBy(state, shown)?.most?.value) || state.top);
  }

  /** Of the tokens that are pointed at: do they read? */
  private roleIn(shown: Shown): Role {
    return aimedRole(this.state, shown, isThere, this.side.value as Role);
  }

  /** Those that can be pointed at. */
  private get patches(): Patch[] {
    const { shown, state } = this;
    return shown ? patchesOf(shown[this.roleIn(shown)], state.look.level) : [];
  }

  private patchAt({ offsetX, offsetY }: Pick<MouseEvent, "offsetX" | "offsetY">): Patch | null {
    const { shown, album, stage } = this;
    const found = album.at([offsetX, offsetY + stage.element.scrollTop]);
    if (!shown || !found) return null;
    return patchAt(this.patches, ...found) ?? null;
  }

  private pointAt(event: PointerEvent | MouseEvent): void {
    const patch = this.patchAt(event);
    const isDragging = event.buttons === 1 && this.start !== null;
    if (!isDragging && this.isDragged) return; // what was dragged over stays
    this.stage.base.style.cursor = patch ? "pointer" : "default";
    if (isDragging && patch && patch.at !== this.here?.at) this.isDragged = true;
    if (isDragging && !patch) return;
    this.pointTo(patch, isDragging);
  }

  /** Point at a patch; or at all from where one began up to it. */
  private pointTo(patch: Patch | null, isArea: boolean): void {
    const { shown, state } = this;
    if (!isArea) this.start = null;
    this.here = patch;
    if (!shown || !patch) state.leave();
    else aim(state, this.roleIn(shown), this.area());
  }

  /** Give the tokens that are pointed at. */
  private area(): number[] {
    const { here, start } = this;
    if (!here) return [];
    const isArea = start && start.picture === here.picture;
    return isArea ? between(this.patches, start, here).map(({ at }) => at) : [here.at];
  }

  private leave(): void {
    this.isDragged = false;
    this.here = this.start = null;
    this.state.leave();
  }

  /** End a drag: lock what was dragged over, or, beside what is locked, leave it pointed at. */
  private drop(): void {
    if (!this.isDragged || this.state.look.locked) return;
    this.lock(false);
    this.isDragged = false;
  }

  /** Lock what is pointed at; with a mouse, that is where it clicks, and a finger points first. */
  private pressAt(event: MouseEvent, isTouch: boolean): void {
    const patch = this.patchAt(event);
    const isNew = patch?.at !== this.here?.at;
    this.isDragged = false;
    if (isTouch && isNew) this.pointTo(patch, false);
    else if (patch) {
      this.pointTo(patch, false);
      this.lock(event.shiftKey);
    } else this.state.unlock();
  }

  private lock(more: boolean): void {
    const { shown, state } = this;
    if (!shown) return;
    const [aimed, wished] = [this.roleIn(shown), roleOf(shown, isThere, this.side.value as Role)];
    const ats = this.area();
    const placeOf = (role: Role, at: number) => shown[role].places[at] ?? null;
    const isOne = ats.every((at) => isSame([placeOf(aimed, at)], [placeOf(wished, at)]));
    lockAll(state, isOne ? wished : aimed, ats, more);
  }

  /** Ask the other way: not what a patch reads, but what reads it. */
  private turn(): void {
    const { locked } = this.state.look;
    this.side.dataset.chosen = "true";
    if (locked && locked.role !== this.side.value) this.state.turn();
  }

  private press(event: KeyboardEvent): void {
    if (hasModifier(event)) return;
    const step = walkOf(event);
    if (step) this.walk(step, event.shiftKey);
    else if (event.key === "Enter" || event.key === " ") this.lock(event.shiftKey);
    else return;
    event.preventDefault();
  }

  private walk([down, right]: [number, number], isArea: boolean): void {
    const { album, patches: all } = this;
    if (!all.length) return;
    const first = this.here ?? all.reduce((one, other) => (other.at < one.at ? other : one));
    let patch = first;
    const placeOf = (one: Patch) => album.pointOf(one.picture, middleOf(one));
    const steps = this.here ? Math.min(Math.abs(down + right), WHOLE) : 0;
    const direction: Point = [Math.sign(down), Math.sign(right)];
    for (let step = 0; step < steps; step++) patch = nextTo(all, patch, direction, placeOf);
    this.start = isArea ? (this.start ?? this.here) : null;
    this.pointTo(patch, isArea);
    this.reveal(patch);
  }

  /** Scroll to a patch. */
  private reveal(patch: Patch): void {
    const { album, stage } = this;
    const [, top] = album.pointOf(patch.picture, [patch.left, patch.top]);
    const [, bottom] = album.pointOf(patch.picture, [patch.right, patch.bottom]);
    const { element, height } = stage;
    element.scrollTop = clamp(element.scrollTop, bottom - height, top);
  }
}
