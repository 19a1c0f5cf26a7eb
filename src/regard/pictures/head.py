"""One head as a heatmap: rows read, columns are read. Tokens are text, never markup."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from regard.pictures.axes import IS_READ, READS, name_seconds
from regard.pictures.cells import FEW, draw_cells, name_cells, new_heatmap_axes
from regard.pictures.given import Matrix, check_weights, given_axes
from regard.pictures.style import ATTENTION, SMALL_POINTS, ink_on
from regard.record.given import ROUNDING
from regard.record.kinds import plain
from regard.record.places import Stretch
from regard.record.regrouping import Sides, sides_of
from regard.record.trace import Trace, a_trace


def plot_attention(
    seen: Trace, layer: int, head: int, *, kind: str | None = None, ax: Axes | None = None
) -> Axes:
    """Show what one head of a trace reads, as a heatmap.

    Parameters
    ----------
    seen
        From `trace`, also with words merged or special tokens hidden.
    layer, head, kind, ax
        Which head, and where to draw: as for `visualize_attention_weights`.

    Returns
    -------
    matplotlib.axes.Axes
        A row for each token that reads, a column for each token that is read; frames of a sound
        are named by their seconds, and colours go up to the largest weight. Where tokens are
        hidden, the title says how much of the attention is theirs.

    Raises
    ------
    TypeError
        If `seen` is no trace, a number is no whole number, or `ax` is no Axes.
    ValueError
        If there is no such kind, layer or head.

    Examples
    --------
    >>> weights = [[0.5, 0.5], [0.25, 0.75]]
    >>> plot_attention(Trace.from_weights(weights, ["the", "dog"]), layer=0, head=0).get_title()
    'Encoder self-attention, layer 0, head 0'
    """
    weights = a_trace(seen).weights(layer, head, kind=kind)
    kind = seen.kind_or_first(kind)
    queries, keys = seen.labels(layer, kind=kind)
    title = str(seen.head(layer, head, kind=kind)).capitalize()
    hidden = seen.hidden_share(layer, head, kind=kind)
    title += f"\n{hidden:.0%} of the attention goes to hidden tokens" if hidden > ROUNDING else ""
    ax = plot_heatmap(weights, queries, keys, ax=ax, title=title)
    if plain(kind) != "encoder" and seen.written_tokens:  # such rows are named by both
        ax.set_ylabel(f"{READS}\n→ the token it writes next")
    heard = name_frames(ax, sides_of(seen, kind), weights.shape)
    if heard and max(weights.shape) > FEW:  # each of many frames gets little
        ax.collections[0].set_clim(0, float(weights.max()) or 1)
    return ax


def name_frames(ax: Axes, sides: Sides, shape: tuple[int, ...]) -> bool:
    """Label rows and columns that are frames of a sound by their seconds; say if there are any."""
    roles = "that reads (query)", "that is read (key)"
    is_heard = False
    for axis, side, count, role in zip((ax.yaxis, ax.xaxis), sides, shape, roles, strict=True):
        frames = [place for place in side.places or () if isinstance(place, Stretch)]
        if len(frames) == count:
            name_seconds(axis, frames, role)
            is_heard = True
    return is_heard


def plot_heatmap(
    weights: ArrayLike,
    queries: Sequence[str],
    keys: Sequence[str],
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the attention of one head: a row for each token that reads, a column for each read.

    Parameters
    ----------
    weights
        (Q, K), from 0 to 1. The colours always span 0 to 1, so that pictures can be compared.
    queries, keys
        The Q tokens that read and the K that are read; labels are thinned out where they would
        overlap.
    ax
        Where to draw; a new figure, if not given.
    title
        Plain text.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If the weights are no numbers, the tokens no lists of names, or `ax` is no Axes.
    ValueError
        If `weights` is no matrix with a row for each query and a column for each key, or has values
        that are no weights: not finite, negative or above 1.

    Examples
    --------
    >>> ax = plot_heatmap([[0.9, 0.1], [0.3, 0.7]], ["it", "seemed"], ["the", "dog"])
    >>> ax.get_ylabel()
    'the token that reads (query)'
    """
    matrix = check_weights(weights, queries, keys)
    ax = given_axes(ax) or new_heatmap_axes(queries, keys)
    bar = {"label": "attention weight", "shrink": 0.6}
    draw_cells(matrix, ax, vmin=0, vmax=1, cmap=ATTENTION, cbar_kws=bar)
    if max(matrix.shape) <= FEW:
        write_values(matrix, ax)
    name_cells(ax, queries, keys, rows=READS, columns=IS_READ, title=title or "")
    return ax


def write_values(weights: Matrix, ax: Axes) -> None:
    """Write each weight into its cell."""
    for (row, column), weight in np.ndenumerate(weights):
        ax.annotate(
            write_value(weight),
            (column + 0.5, row + 0.5),
            size=SMALL_POINTS,
            color=ink_on(weight),
            ha="center",
            va="center",
        )


def write_value(weight: float) -> str:
    """Write a weight as `.25`, `1` and, where it rounds to zero, nothing."""
    text = f"{weight:.2f}"
    return {"0.00": "", "1.00": "1"}.get(text, text.removeprefix("0"))
