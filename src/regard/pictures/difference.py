"""What a head reads more, and less, in the second of two traces."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from regard.measures.comparison import difference
from regard.pictures.axes import IS_READ, READS
from regard.pictures.cells import draw_cells, name_cells, new_heatmap_axes
from regard.pictures.given import given_axes
from regard.pictures.style import DIFFERENCE
from regard.record.trace import Trace


def plot_difference(
    first: Trace,
    second: Trace,
    layer: int,
    head: int,
    *,
    kind: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what a head reads more, and less, in the second of two traces.

    Parameters
    ----------
    first, second
        From `regard.trace`; tokens are aligned as in `regard.measures.comparison.align_tokens`.
    layer, head, kind
        Which head; layers and heads count from 0.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes
        A row for each aligned token that reads, a column for each that is read: blue where the
        second trace reads more, orange where the first does, blank where they agree.

    Raises
    ------
    TypeError
        If one is no trace, a number is no whole number, or `ax` is no Axes.
    ValueError
        If there is no such head in both, or the traces share no token.

    Examples
    --------
    >>> first = Trace.from_weights([[1.0, 0.0], [0.5, 0.5]], tokens=["the", "dog"])
    >>> second = Trace.from_weights([[1.0, 0.0], [0.0, 1.0]], tokens=["the", "cow"])
    >>> ax = plot_difference(first, second, layer=0, head=0)
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['the', 'dog / cow']
    """
    changed, queries, keys = difference(first, second, layer, head, kind=kind)
    title = f"{str(first.head(layer, head, kind=kind)).capitalize()}: difference"
    label = "more in the second →\n← more in the first"
    return plot_changes(changed, queries, keys, title=title, label=label, ax=ax)


def plot_changes(
    changed: ArrayLike,
    queries: Sequence[str],
    keys: Sequence[str],
    *,
    title: str,
    label: str = "more in the first →\n← more in the second",
    ax: Axes | None = None,
) -> Axes:
    """Draw differences of weights, (Q, K), from -1 to 1.

    Examples
    --------
    >>> plot_changes(np.array([[0.5, -0.5]]), ["it"], ["the", "dog"], title="more").get_title()
    'more'
    """
    ax = given_axes(ax) or new_heatmap_axes(queries, keys)
    bar = {"label": label, "shrink": 0.8}
    draw_cells(
        np.asarray(changed, dtype=np.float64), ax, vmin=-1, vmax=1, cmap=DIFFERENCE, cbar_kws=bar
    )
    name_cells(ax, queries, keys, rows=READS, columns=IS_READ, title=title)
    return ax
