"""How one head reads in two traces."""

import seaborn as sns
from matplotlib.axes import Axes

from regard.measures.comparison import difference
from regard.pictures.axes import IS_READ, READS, name_ticks, outline
from regard.pictures.head import MANY, new_heatmap_axes
from regard.pictures.style import (
    DIFFERENCE,
    FAINT,
)
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
    ax = ax or new_heatmap_axes(queries, keys)
    sns.heatmap(
        changed,
        vmin=-1,
        vmax=1,
        cmap=DIFFERENCE,
        linewidths=0.5 if max(changed.shape) <= MANY else 0,
        linecolor=FAINT,
        cbar_kws={"label": "more in the first ← weight → more in the second", "shrink": 0.8},
        ax=ax,
    )
    outline(ax)
    name_ticks(ax.xaxis, keys)
    name_ticks(ax.yaxis, queries)
    ax.set_xlabel(IS_READ)
    ax.set_ylabel(READS)
    title = str(first.head(layer, head, kind=kind)).capitalize()
    ax.set_title(f"{title}: difference", parse_math=False)
    return ax
