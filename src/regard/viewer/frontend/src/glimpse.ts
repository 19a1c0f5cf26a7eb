/** A head that is pointed at in the grid: what it reads lights the picture before it is chosen. */

import type { Selection, Weights } from "./contract";
import { isSameHead } from "./look";
import { isAlike } from "./places";
import type { Shown } from "./shown";
import type { State } from "./state";
import type { Pinned } from "./together";

const RESTED = 60; // milliseconds after which one rests on a head

export class Glimpse {
  private wanted: Selection | null = null;
  private seen: Pinned | null = null;
  private waiting = 0;

  constructor(private readonly state: State) {}

  /** Look at a head; or, with none, at the chosen one again. */
  at(head: Selection | null): void {
    const { meta, kernel } = this.state;
    clearTimeout(this.waiting);
    this.wanted = meta.pictures.length ? head : null;
    if (!this.wanted) this.show(null);
    else {
      const { kind, layer, head: number } = this.wanted;
      const asked = { kind, layer, head: number };
      this.waiting = setTimeout(() => {
        kernel.fetch(asked, (weights) => this.take(asked, weights));
      }, RESTED);
    }
  }

  private take(head: Selection, weights: Weights): void {
    const isMeant = this.wanted && isSameHead(this.wanted, head);
    if (isMeant) this.show({ head, shown: this.state.showOf(weights) });
  }

  private show(seen: Pinned | null): void {
    if (seen === this.seen) return;
    this.seen = seen;
    this.state.tell("media");
  }

  /** Give the head that is seen in place of what is shown, where it has the same tokens. */
  over(shown: Shown): Pinned | null {
    const { seen, state } = this;
    const isOther = seen && !isSameHead(seen.head, state.weights) && !state.together.isOne;
    return isOther && !seen.shown.pixels && isAlike(seen.shown, shown) ? seen : null;
  }
}
