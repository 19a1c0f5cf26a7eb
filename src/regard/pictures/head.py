"""One head, as a heatmap."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from regard.pictures.axes import IS_READ, READS, inches, name_ticks, outline
from regard.pictures.style import (
    ATTENTION,
    FAINT,
    SMALL_POINTS,
    ink_on,
)
from regard.record.given import ROUNDING
from regard.record.trace import Trace, a_trace

FEW = 16  # tokens; up to here, each cell has its value written into it
MANY = 32  # tokens; up to here, lines part the cells
LONGEST_WORD = 12  # characters of a word that stands in a cell


Matrix = NDArray[np.float64]


def plot_attention(
    seen: Trace, layer: int, head: int, *, kind: str | None = None, ax: Axes | None = None
) -> Axes:
    """Show what one head of a trace reads, as a heatmap.

    Parameters
    ----------
    seen
        From `trace`, also with words merged or special tokens hidden.
    layer, head, kind, ax
        As for `visualize_attention_weights`.

    Returns
    -------
    matplotlib.axes.Axes
        A row for each token that reads, a column for each token that is read. Where tokens are
        hidden, the title says how much of the attention is theirs.

    Raises
    ------
    ValueError
        If there is no such kind, layer or head.

    Examples
    --------
    >>> weights = [[0.5, 0.5], [0.25, 0.75]]
    >>> plot_attention(Trace.from_weights(weights, ["the", "dog"]), layer=0, head=0).get_title()
    'Encoder self-attention, layer 0, head 0'
    """
    kind = a_trace(seen).kind_or_first(kind)
    weights = seen.weights(layer, head, kind=kind)
    queries, keys = seen.labels(layer, kind=kind)
    title = str(seen.head(layer, head, kind=kind)).capitalize()
    hidden = seen.hidden_share(layer, head, kind=kind)
    title += f"\n{hidden:.0%} of the attention goes to hidden tokens" if hidden > ROUNDING else ""
    ax = plot_heatmap(weights, queries, keys, ax=ax, title=title)
    if kind != "encoder" and seen.written_tokens:  # such rows are named by both
        ax.set_ylabel(f"{READS} → the token it writes next")
    return ax


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
    ValueError
        If `weights` is no matrix with a row for each query and a column for each key, or has values
        that are no weights: not finite, negative or above 1.

    Examples
    --------
    >>> ax = plot_heatmap([[0.9, 0.1], [0.3, 0.7]], ["it", "seemed"], ["the", "dog"])
    >>> ax.get_ylabel()
    'the token that reads (query)'
    """
    weights = check_weights(weights, queries, keys)
    ax = ax or new_heatmap_axes(queries, keys)
    sns.heatmap(
        weights,
        vmin=0,
        vmax=1,
        cmap=ATTENTION,
        linewidths=0.5 if max(weights.shape) <= MANY else 0,
        linecolor=FAINT,
        cbar_kws={"label": "attention weight", "shrink": 0.6},
        ax=ax,
    )
    if max(weights.shape) <= FEW:
        write_values(weights, ax)
    outline(ax)
    name_ticks(ax.xaxis, keys)
    name_ticks(ax.yaxis, queries)
    ax.set_xlabel(IS_READ)
    ax.set_ylabel(READS)
    ax.set_title(title or "", parse_math=False)
    return ax


def check_weights(
    weights: ArrayLike, queries: Sequence[str], keys: Sequence[str], *, dimensions: int = 2
) -> Matrix:
    """Give the weights as an array, or say why they are no attention of these tokens."""
    weights = np.asarray(weights, dtype=float)
    if weights.ndim != dimensions:
        wanted = {
            2: "one head, (queries, keys): choose one, as weights[head], or use plot_heads",
            3: "several heads, (heads, queries, keys): for one head use plot_heatmap",
        }
        raise ValueError(
            f"Got weights of shape {weights.shape}, but this draws {wanted[dimensions]}."
        )
    if weights.shape[-2:] != (len(queries), len(keys)):
        raise ValueError(
            f"Got weights of shape {weights.shape} for {len(queries)} queries and {len(keys)} "
            "keys: pass one query for each row and one key for each column."
        )
    if weights.size == 0:
        raise ValueError(
            f"Got weights of shape {weights.shape}, which are none: pass at least one token."
        )
    wrong = ~((weights >= 0) & (weights <= 1 + 1e-3))  # true for NaN as well
    if wrong.any():
        *_, row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"Attention weights lie between 0 and 1, but {wrong.sum()} of {weights.size} do not: "
            f"the first, where {queries[row]!r} reads {keys[column]!r}, is {weights[wrong][0]:.3g}."
            " Scores become weights by softmax over the keys; a row that may attend nowhere must "
            "be zeros, not NaN."
        )
    return weights


def new_heatmap_axes(queries: Sequence[str], keys: Sequence[str]) -> Axes:
    """Open a figure whose cells have room for a number, or are smaller where there are many."""
    count = max(len(queries), len(keys))
    cell = 0.4 if count <= FEW else min(0.3, 7 / count)  # inches
    width = max(cell * len(keys) + inches(queries) + 1.5, 4.5)
    height = max(cell * len(queries) + inches(keys) + 0.8, 2.5)
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


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
