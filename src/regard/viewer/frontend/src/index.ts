/**
 * The attention view: a grid of all heads, one head as a matrix and as lines between tokens, and
 * one weight taken apart.
 *
 * One module, for anywidget (the default export) and for a saved page (`openSaved`). What it is
 * shown comes by a model with the traits of contract.ts. Rows read, columns are read. Tokens are
 * text: they reach the page by `textContent` and `fillText` alone.
 */

import type { Model } from "./contract";
import { mount } from "./view";

export { checkMeta, findLayer } from "./checks";
export { shadeOf } from "./colours";
export { legible } from "./names";
export { enlarge, pool } from "./pooling";
export { openSaved } from "./saved";
export { show } from "./shown";
export { mount };

/** What anywidget calls. */
function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  return mount(el, model);
}

export default { render };
