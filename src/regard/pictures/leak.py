"""What moves where a target token is changed."""

from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from numpy.typing import ArrayLike

from regard.pictures.axes import name_ticks, outline
from regard.pictures.head import new_heatmap_axes
from regard.pictures.style import (
    ALARM,
    ATTENTION,
    FAINT,
    INK,
)


def plot_leak(
    moved: ArrayLike,
    tokens: Sequence[str],
    *,
    tolerance: float = 1e-5,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw which outputs move when one token is changed: none may move for a token to come.

    Parameters
    ----------
    moved
        (T, T), at least 0: how far the output at the row's position moves when the column's token
        is changed, in whatever unit.
    tokens
        The T tokens that the decoder reads.
    tolerance
        Moves up to this are rounding, in the same unit.
    ax
        Where to draw; a new figure, if not given.
    title
        Stands above the finding.

    Returns
    -------
    matplotlib.axes.Axes
        The future, columns right of the diagonal, is hatched; where an output moved all the same,
        the cell is orange. The title says how many did.

    Raises
    ------
    ValueError
        If `moved` is not T x T, or has values that are not finite or negative.

    Examples
    --------
    >>> plot_leak(np.tri(3), ["<s>", "lo", "cano"]).get_title()
    'No output moves when a later token is changed'
    """
    moved = np.asarray(moved, dtype=float)
    if moved.shape != (len(tokens), len(tokens)):
        raise ValueError(
            f"Got moves of shape {moved.shape} for {len(tokens)} tokens: pass a row and a column "
            "for each token."
        )
    if moved.size == 0 or not (np.isfinite(moved) & (moved >= 0)).all():
        raise ValueError("Moves are finite and at least 0: pass the size of the difference.")
    ax = ax or new_heatmap_axes(tokens, tokens)
    future = ~np.tri(len(tokens), dtype=bool)
    leaks = future & (moved > tolerance)
    scale = {"vmin": 0, "vmax": max(moved.max(), tolerance), "ax": ax}
    sns.heatmap(
        moved,
        mask=future,
        cmap=ATTENTION,
        cbar_kws={"label": "how far the output moves", "shrink": 0.6},
        **scale,
    )
    sns.heatmap(moved, mask=~leaks, cmap=ALARM, cbar=False, **scale)
    hatch_future(ax, len(tokens))
    outline(ax)
    name_ticks(ax.xaxis, tokens)
    name_ticks(ax.yaxis, tokens)
    ax.set_xlabel("the token that is changed")
    ax.set_ylabel("the output at this token")
    finding = "No output moves when a later token is changed"
    if leaks.any():
        finding = f"LEAK: {leaks.sum()} of {future.sum()} times, a later token moves an output"
    ax.set_title(f"{title}\n{finding}" if title else finding, parse_math=False)
    return ax


def hatch_future(ax: Axes, count: int) -> None:
    """Hatch the cells right of the diagonal, below what is drawn in them, and outline them."""
    stairs = [corner for i in range(1, count) for corner in ((i, i - 1), (i, i))]
    edge = [*stairs, (count, count - 1), (count, 0)]
    ax.add_patch(Polygon(edge, fill=False, hatch="////", edgecolor=FAINT, linewidth=0, zorder=0.5))
    ax.add_patch(Polygon(edge, fill=False, edgecolor=INK, linewidth=1.2, zorder=3, clip_on=False))
