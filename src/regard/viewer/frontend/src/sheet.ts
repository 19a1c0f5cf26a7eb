/** A picture for paper: its caption above, its legend below, dark on light. */

import type { Brush } from "./brush";
import { LETTER } from "./brush";
import { THEMES } from "./colours";
import { LEGEND } from "./legend";
import { legible } from "./names";
import type { Stage } from "./stage";
import type { State } from "./state";

const [MARGIN, CAPTION, GAP] = [8, 20, 6]; // CSS pixels

/** What can be taken away. */
export interface Picture {
  readonly name: string;
  readonly stage: Stage;
  paint(brush: Brush): void;
  legend(brush: Brush): void;
}

export interface Sheet {
  width: number;
  height: number;
  ground: string;
  paint(brush: Brush): void;
}

export function sheetOf(state: State, picture: Picture, caption: string): Sheet {
  const { width, height } = picture.stage;
  const wide = Math.max(width, LEGEND[0]);
  const paint = (brush: Brush) => {
    const { theme } = state;
    brush.font = brush.font.replace(/^/, "bold ");
    brush.fillStyle = theme.ink;
    brush.textAlign = "left";
    brush.fillText(legible(caption, Infinity), MARGIN, MARGIN + LETTER / 2, wide);
    brush.font = brush.font.replace("bold ", "");
    within(brush, MARGIN + CAPTION, [width, height], () => picture.paint(brush));
    within(brush, MARGIN + CAPTION + height + GAP, LEGEND, () => picture.legend(brush));
  };
  return {
    width: wide + 2 * MARGIN,
    height: height + LEGEND[1] + CAPTION + GAP + 2 * MARGIN,
    ground: THEMES.light.ground,
    paint: (brush) => onPaper(state, () => paint(brush)),
  };
}

/** Draw in a frame of its own, so far down. */
function within(
  brush: Brush,
  top: number,
  [width, height]: [number, number],
  draw: () => void,
): void {
  brush.save();
  brush.translate(MARGIN, top);
  brush.beginPath();
  brush.rect(0, 0, width, height);
  brush.clip();
  draw();
  brush.restore();
}

/** Draw in the colours of paper, whatever the screen's are. */
function onPaper(state: State, draw: () => void): void {
  const { theme } = state;
  state.theme = THEMES.light;
  try {
    draw();
  } finally {
    state.theme = theme;
  }
}
