/** Items that must be there: an index is checked, so that nothing undefined is drawn. */

/** Give the item at a place. In loops over all weights, `?? 0` is quicker. */
export function item<T>(items: ArrayLike<T>, at: number): T {
  const found = items[at];
  if (found === undefined) throw new RangeError(`There is no item ${at} of ${items.length}.`);
  return found;
}
