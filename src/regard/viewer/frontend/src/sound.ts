/** The sound that was heard: how loud it is over time, with the weights of a token below. */

import { aim, aimedRole, lockAll, wishedOf } from "./aiming";
import type { Stretch } from "./boxes";
import { stretchesOf } from "./boxes";
import type { Brush } from "./brush";
import { paintOn } from "./brush";
import type { GivenSound, Role } from "./contract";
import { clamp, hasModifier, make, walkOf } from "./dom";
import { otherOf, sums } from "./estimates";
import { item } from "./items";
import { drawColours } from "./legend";
import { Player } from "./player";
import { listenTo } from "./pointing";
import { whoseOf } from "./sentences";
import type { Axis, Shown } from "./shown";
import { drawSound, TALL, timeAt } from "./sound_ink";
import { Stage } from "./stage";
import type { State } from "./state";
import { TakeAway } from "./take_away";

const SHORTEST = 0.5; // seconds that are played, at least: less is a click
const PART = 0.3; // of the largest weight: what has less ends a stretch

const isThere = (axis: Axis): boolean => axis.places.some((place) => place?.length === 2);

export class Sound {
  readonly name = "sound";
  readonly element: HTMLElement;
  readonly stage: Stage;
  private readonly player: Player | null;
  private readonly title = make("span");
  private readonly caption = make("small");
  private readonly play = make("button", { type: "button" }, "▶ what it reads most");
  private here: number | null = null; // pointed at

  constructor(
    private readonly state: State,
    private readonly sound: GivenSound,
  ) {
    this.player = sound.data ? new Player(sound.data, (error) => state.say([String(error)])) : null;
    const enter = this.player ? "Enter plays what is read most, Space locks" : "Enter locks";
    const seconds = sound.seconds.toFixed(1);
    this.stage = new Stage(
      `Sound that the model heard, ${seconds} seconds: arrow keys walk its parts, ${enter}`,
    );
    this.play.addEventListener("click", () => this.playMost());
    this.play.hidden = !this.player;
    const heading = make(
      "figcaption",
      {},
      this.title,
      this.play,
      new TakeAway(state, this).element,
    );
    this.element = make("figure", { class: "sound" }, heading, this.stage.element, this.caption);
    this.element.hidden = true;
    const { base } = this.stage;
    listenTo(base, {
      point: (event) => this.pointTo(this.tokenAt(event)),
      leave: () => this.pointTo(null),
      press: (event, isTouch) => {
        const at = this.tokenAt(event);
        const isNew = at !== this.here;
        this.pointTo(at);
        if (at !== null && !(isTouch && isNew)) this.lock(event.shiftKey);
      },
    });
    base.addEventListener("keydown", (event) => this.press(event));
  }

  private get shown(): Shown | null {
    const { shown } = this.state;
    const has = shown && !shown.pixels && (isThere(shown.rows) || isThere(shown.columns));
    return has ? shown : null;
  }

  draw(): void {
    const { shown, stage, state } = this;
    this.element.hidden = !shown;
    if (!shown) return;
    const whose = whoseOf(state);
    this.title.textContent = whose ? `Sound: ${whose}` : "Sound";
    const most = this.mostRead();
    this.play.disabled = !most;
    this.caption.textContent = most
      ? `read most: ${most.map((second) => second.toFixed(2)).join(" to ")} s`
      : "point at a word, or at a part of the sound";
    const width = Math.max(200, this.element.clientWidth);
    stage.measure(width, TALL, 0, TALL);
    this.paint(paintOn(stage.base, stage.width, stage.height));
  }

  /** Draw all that is seen. */
  paint(brush: Brush): void {
    const { shown, sound, stage, state } = this;
    if (shown) drawSound(brush, sound, state, shown, stage.width);
  }

  /** Draw which colour is which weight. */
  legend(brush: Brush): void {
    drawColours(brush, this.state);
  }

  private roleIn(shown: Shown): Role {
    return aimedRole(this.state, shown, isThere, wishedOf(this.state, shown));
  }

  private get stretches(): Stretch[] {
    const { shown } = this;
    return shown ? stretchesOf(shown[this.roleIn(shown)]) : [];
  }

  private tokenAt({ offsetX }: MouseEvent): number | null {
    const second = timeAt(offsetX, this.stage.width, this.sound.seconds);
    const far = ({ start, end }: Stretch) => Math.abs((start + end) / 2 - second);
    const held = this.stretches.filter(({ start, end }) => start <= second && second < end);
    const [first, ...rest] = held;
    return first
      ? rest.reduce((one, other) => (far(other) < far(one) ? other : one), first).at
      : null;
  }

  private pointTo(at: number | null): void {
    const { shown, state } = this;
    this.here = at;
    if (!shown || at === null) state.leave();
    else aim(state, this.roleIn(shown), [at]);
  }

  private lock(more: boolean): void {
    const { shown, here, state } = this;
    if (shown && here !== null) lockAll(state, this.roleIn(shown), [here], more);
  }

  private press(event: KeyboardEvent): void {
    if (hasModifier(event)) return;
    const step = walkOf(event);
    if (step) this.walk(step[0] + step[1]);
    else if (event.key === "Enter" && this.player) this.playMost();
    else if (event.key === "Enter" || event.key === " ") this.lock(event.shiftKey);
    else return;
    event.preventDefault();
  }

  private walk(step: number): void {
    const all = this.stretches;
    const before = all.findIndex(({ at }) => at === this.here);
    const next = all[clamp(before < 0 ? 0 : before + step, 0, all.length - 1)];
    if (next) this.pointTo(next.at);
  }

  /** Give from when to when the tokens in focus read most: around the strongest. */
  private mostRead(): [number, number] | null {
    const { shown, state } = this;
    const focus = state.focus();
    if (!shown || !focus || !isThere(shown[otherOf(focus.role)])) return null;
    const weights = sums(shown, focus);
    const all = stretchesOf(shown[otherOf(focus.role)]);
    const [first, ...rest] = all.map(({ at }) => item(weights, at));
    const most = rest.reduce((one, other) => Math.max(one, other), first ?? 0);
    if (most <= 0) return null;
    const middle = all.findIndex(({ at }) => item(weights, at) === most);
    const isRead = (at: number) => item(weights, item(all, at).at) >= PART * most;
    let [from, to] = [middle, middle];
    while (from > 0 && isRead(from - 1)) from--;
    while (to < all.length - 1 && isRead(to + 1)) to++;
    return this.widened(item(all, from).start, item(all, to).end);
  }

  /** Take as much of the sound around it as can be heard. */
  private widened(start: number, end: number): [number, number] {
    const { seconds } = this.sound;
    const lack = Math.max(0, SHORTEST - (end - start)) / 2;
    const from = clamp(start - lack, 0, Math.max(0, seconds - SHORTEST));
    return [from, clamp(end + lack, from, seconds)];
  }

  private playMost(): void {
    const most = this.mostRead();
    if (!most) return;
    this.player?.play(...most);
    this.element.dataset.played = most.map((second) => second.toFixed(2)).join(" ");
  }
}
