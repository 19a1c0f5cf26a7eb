"""At which head a view opens, and why."""

from typing import NamedTuple

from regard.measures.clearest import clearest_head
from regard.record.kinds import Head
from regard.record.trace import Trace
from regard.viewer import packing
from regard.viewer.contract import Look
from regard.viewer.look import PLAIN

WHY = (
    "opened here: of all heads, it most clearly reads single tokens that are not the reader, next "
    "to it, first or special"
)


class Opening(NamedTuple):
    """A head, why it is shown first (nothing, if it was asked for), and how it is looked at."""

    head: Head
    why: str = ""
    look: Look = PLAIN


def open_at(trace: Trace, layer: int | None, head: int | None, kind: str | None) -> Opening:
    """Choose the head that was asked for, else a clear one; of too many weights, the first.

    Raises
    ------
    TypeError, ValueError
        If a number is no whole number, or there is no such kind, layer or head.

    Examples
    --------
    >>> open_at(Trace.from_weights([[1.0, 0.0], [0.25, 0.75]]), layer=0, head=None, kind=None).head
    Head(kind='encoder', layer=0, head=0)
    """
    kind = trace.kind_or_first(kind)
    layers = trace.layers[kind]
    is_asked = layer is not None or head is not None
    num_heads = sum(one.shape[0] for one in layers.values())
    if is_asked or num_heads == 1 or packing.count_cells(trace) > packing.MOST_AT_ONCE:
        first = next(iter(layers)) if layer is None else layer
        return Opening(trace.head(first, 0 if head is None else head, kind=kind))
    return Opening(clearest_head(trace, kind), WHY)
