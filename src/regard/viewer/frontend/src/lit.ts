/** Which patches are lit: those that the tokens in focus read, or that read them. */

import type { Patch } from "./boxes";
import { patchesOf } from "./boxes";
import type { Focus } from "./contract";
import type { Estimate } from "./estimates";
import { errorAt, otherOf, sums } from "./estimates";
import { item } from "./items";
import { isSame } from "./look";
import type { Shown } from "./shown";
import type { State } from "./state";

/** A patch with the colour of its weight. */
export interface Lit extends Patch {
  shade: number;
}

export interface Light {
  patches: Lit[];
  /** What the last colour stands for; null, where that is as in the matrix. */
  most: Estimate | null;
}

/**
 * Give the patches with their colours, up to the strongest of them: what a word reads of a picture
 * is often little beside the head's largest weight. Null, if nothing is in focus.
 */
export function litBy(state: State, shown: Shown): Light | null {
  const focus = state.focus();
  const all = focus && patchesOf(shown[otherOf(focus.role)], state.look.level);
  if (!focus || !all?.length) return null;
  const seen = state.together.glimpse.over(shown)?.shown ?? shown;
  const weights = seen.pixels ? lineOf(state, focus) : sums(seen, focus);
  if (!weights) return null;
  const weightOf = ({ at }: Patch) => item(weights, at);
  const isOwn = !state.isSigned && state.look.common === null;
  const strongest = all.reduce((one, other) => (weightOf(other) > weightOf(one) ? other : one));
  const value = weightOf(strongest);
  const scale = isOwn ? state.top / (value || 1) : 1 / focus.ats.length;
  const error = seen.pixels ? 0 : errorAt(seen, focus, strongest.at);
  return {
    patches: all.map((patch) => ({ ...patch, shade: state.shade(scale * weightOf(patch)) })),
    most: isOwn ? { value, error } : null,
  };
}

/** Give what a kernel said of a line of a map, if it is of the tokens in focus. */
function lineOf({ strongest }: State, { role, ats }: Focus): Float32Array | null {
  const isOfThem = strongest?.focus.role === role && isSame(strongest.focus.ats, ats);
  return isOfThem ? strongest.line : null;
}
