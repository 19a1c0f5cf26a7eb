"""The picture of a leak: which outputs move when a token to come is changed."""

from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from numpy.typing import ArrayLike, NDArray

from regard.pictures.cells import name_cells, new_heatmap_axes
from regard.pictures.given import Matrix, given_axes, numbers
from regard.pictures.style import ALARM, ATTENTION, FAINT, INK
from regard.record.door import names, number


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
    TypeError
        If `moved` or `tolerance` are no numbers, the tokens no list, or `ax` is no Axes.
    ValueError
        If `moved` is not T x T, or has values that are not finite or negative.

    Examples
    --------
    >>> plot_leak(np.tri(3), ["<s>", "lo", "cano"]).get_title()
    'No output moves when a later token is changed'
    """
    moves, tolerance = check_moves(moved, tokens), number("tolerance", tolerance)
    ax = given_axes(ax) or new_heatmap_axes(tokens, tokens)
    future = ~np.tri(len(tokens), dtype=bool)
    leaks = future & (moves > tolerance)
    scale = {"vmin": 0, "vmax": max(moves.max(), tolerance), "ax": ax}
    bar = {"label": "how far the output moves", "shrink": 0.6}
    sns.heatmap(moves, mask=future, cmap=ATTENTION, cbar_kws=bar, **scale)
    sns.heatmap(moves, mask=~leaks, cmap=ALARM, cbar=False, **scale)
    hatch_future(ax, len(tokens))
    rows, columns = "the output at this token", "the token that is changed"
    found = finding(leaks, future)
    title = f"{title}\n{found}" if title else found
    name_cells(ax, tokens, tokens, rows=rows, columns=columns, title=title)
    return ax


def check_moves(moved: ArrayLike, tokens: Sequence[str]) -> Matrix:
    """Give the moves as an array, or say why they are none of these tokens."""
    moves = numbers("Moves", moved)
    count = len(names("tokens", tokens))
    if moves.shape != (count, count):
        raise ValueError(
            f"Got moves of shape {moves.shape} for {count} tokens: pass a row and a column "
            "for each token."
        )
    if moves.size == 0 or not (np.isfinite(moves) & (moves >= 0)).all():
        raise ValueError("Moves are finite and at least 0: pass the size of the difference.")
    return moves


def finding(leaks: NDArray[np.bool_], future: NDArray[np.bool_]) -> str:
    """Say how often the future moved an output."""
    if not leaks.any():
        return "No output moves when a later token is changed"
    return f"LEAK: {leaks.sum()} of {future.sum()} times, a later token moves an output"


def hatch_future(ax: Axes, count: int) -> None:
    """Hatch the cells right of the diagonal, below what is drawn in them, and outline them."""
    stairs = [corner for i in range(1, count) for corner in ((i, i - 1), (i, i))]
    edge = [*stairs, (count, count - 1), (count, 0)]
    ax.add_patch(Polygon(edge, fill=False, hatch="////", edgecolor=FAINT, linewidth=0, zorder=0.5))
    ax.add_patch(Polygon(edge, fill=False, edgecolor=INK, linewidth=1.2, zorder=3, clip_on=False))
