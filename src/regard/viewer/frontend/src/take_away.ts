/** Buttons that give a picture, or its weights, to take away. */

import { paintOn, ratio } from "./brush";
import { copy } from "./clipboard";
import type { Selection } from "./contract";
import { make } from "./dom";
import { legible } from "./names";
import { BRIEF } from "./sentence";
import { titleOf } from "./sentences";
import type { Picture } from "./sheet";
import { sheetOf } from "./sheet";
import type { State } from "./state";
import { svgOf } from "./svg_brush";
import { checkTable, tableOf } from "./table";
import { nameOf } from "./together";

const SHARPEST = 2; // pixels of a CSS pixel, at least: for paper and for large screens
const COPIED = {
  both: "Copied: the picture, and what was said.",
  text: "Copied, but only what was said: for the picture, press PNG.",
};
const REFUSED = "Nothing can be copied here: press PNG for the picture.";

export class TakeAway {
  readonly element: HTMLElement;
  private readonly of: string; // what is taken away

  constructor(
    private readonly state: State,
    private readonly picture: Picture,
    private readonly head?: Selection, // the pinned one
  ) {
    this.of = head ? nameOf(head) : `the ${picture.name}`;
    const label = `Take ${this.of} away`;
    this.element = make("span", { class: "take", role: "group", "aria-label": label });
    this.offer("SVG", () => this.save(".svg", this.svg()));
    this.offer("PNG", async () => this.save(".png", await this.png()));
  }

  /** Offer a table, too, which a kernel writes exactly, and a copy. */
  offerMore(): void {
    this.offer("CSV", () => this.table());
    this.offer("copy", () => this.copy(), "copy the picture");
  }

  private offer(
    text: string,
    act: () => Promise<void> | void,
    label = `${text} of ${this.of}`,
  ): void {
    const button = make("button", { type: "button", "aria-label": label }, text);
    button.addEventListener("click", async () => {
      if (!this.state.shown) return;
      try {
        await act();
      } catch (error) {
        this.say(error instanceof Error ? error.message : String(error));
      }
      button.focus(); // copying may have taken it away
    });
    this.element.append(button);
  }

  private get title(): string {
    return titleOf(this.state, this.head);
  }

  /** The title as the name of a file; what is no matrix says so. */
  private get fileName(): string {
    const title =
      this.picture.name === "matrix" ? this.title : `${this.title} ${this.picture.name}`;
    return title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
  }

  private svg(): Blob {
    const { state, picture } = this;
    const origin = Object.entries(state.meta.origin).map(([name, value]) => `${name}: ${value}`);
    const whole = (text: string) => legible(text, Infinity); // XML has no place for some letters
    const [title, description] = [whole(this.title), origin.map(whole).join("; ")];
    const caption = { name: this.fileName, title, description };
    const drawn = svgOf(caption, sheetOf(state, picture, this.title));
    return new Blob([drawn], { type: "image/svg+xml" });
  }

  private png(): Promise<Blob> {
    const { width, height, ground, paint } = sheetOf(this.state, this.picture, this.title);
    const canvas = make("canvas");
    const brush = paintOn(canvas, width, height, Math.max(SHARPEST, ratio()));
    brush.fillStyle = ground;
    brush.fillRect(0, 0, width, height);
    paint(brush);
    return new Promise((done, fail) => {
      canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("It is too large for a PNG."))));
    });
  }

  private table(): void {
    const { state, fileName } = this;
    const { shown, weights, together, kernel } = state;
    if (!shown) return;
    checkTable(shown);
    const save = (text: string) => {
      this.save(".csv", new Blob([text], { type: "text/csv" }), fileName);
    };
    if (state.isLive) {
      this.say("The kernel is writing the table …");
      kernel.tabulate(({ text }) => save(text));
    } else save(tableOf(shown, together.isOne ? { of: this.title } : weights));
  }

  private async copy(): Promise<void> {
    const { title } = this;
    const { spoken } = this.state;
    const text = spoken.startsWith(title) ? spoken : `${title}: ${spoken}`;
    const copied = await copy(text, this.png());
    this.say(copied ? COPIED[copied] : REFUSED, true);
  }

  private save(ending: string, file: Blob, name = this.fileName): void {
    const link = make("a", { href: URL.createObjectURL(file), download: `${name}${ending}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // when it surely is written
    this.say(`Saved as ${link.download}.`, true);
  }

  /** Say what has become of it, which is nothing to copy. */
  private say(text: string, isBrief = false): void {
    const { state } = this;
    const { spoken } = state;
    const said = [text];
    state.say(said);
    state.spoken = spoken;
    if (isBrief) setTimeout(() => state.said === said && state.say([]), BRIEF);
  }
}
