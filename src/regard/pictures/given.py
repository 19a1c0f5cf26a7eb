"""What someone gives to be drawn: looked at before a figure is opened for it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from regard.record.door import described, names
from regard.record.trace import Trace

Matrix = NDArray[np.float64]
WANTED = {  # dimensions, and what is drawn of them
    2: "one head, (queries, keys): choose one, as weights[head], or use plot_heads",
    3: "several heads, (heads, queries, keys): for one head use plot_heatmap",
}


def given_axes(ax: Axes | None) -> Axes | None:
    """Take one Axes, or none.

    Raises
    ------
    TypeError
        If it is something else, such as a figure or all axes of a grid.
    """
    if ax is None or isinstance(ax, Axes):
        return ax
    raise TypeError(
        f"ax is one Axes of matplotlib, but got {described(ax)}: pass such as "
        "`plt.subplots()[1]`, of a grid one as `axes[0]`, or leave it out for a new figure."
    )


def numbers(what: str, got: object) -> Matrix:
    """Take an array of numbers, also a tensor that is trained.

    Raises
    ------
    TypeError
        If some are none, such as "0.5", or rows have several lengths.
    """
    plain = got.detach().cpu().double() if isinstance(got, Tensor) else got
    try:
        found = np.asarray(plain)
        if found.dtype.kind in "biuf" or not any(isinstance(one, str) for one in found.flat):
            return found.astype(float)
    except (TypeError, ValueError, RuntimeError):
        pass
    raise TypeError(
        f"{what} are numbers, in rows of one length, but got {described(got)}: pass such as an "
        "array, a tensor, nested lists or a table."
    )


def table_of(what: str, got: object) -> pd.DataFrame:
    """Take a table.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(got, pd.DataFrame):
        raise TypeError(
            f"{what} is a pandas.DataFrame, but got {described(got)}: make one by "
            "`pandas.DataFrame(...)`."
        )
    return got


def check_weights(
    weights: ArrayLike, queries: Sequence[str], keys: Sequence[str], *, dimensions: int = 2
) -> Matrix:
    """Give the weights as an array, or say why they are no attention of these tokens."""
    if isinstance(weights, Trace):
        raise TypeError(
            f"Attention weights are numbers, but got {described(weights)}, a trace: draw a head of "
            "it by plot_attention(seen, layer, head), or pass seen.weights(layer, head)."
        )
    found = numbers("Attention weights", weights)
    if found.ndim != dimensions:
        raise ValueError(
            f"Got weights of shape {found.shape}, but this draws {WANTED[dimensions]}."
        )
    shape = (len(names("queries", queries)), len(names("keys", keys)))
    if found.shape[-2:] != shape:
        raise ValueError(
            f"Got weights of shape {found.shape} for {shape[0]} queries and {shape[1]} "
            "keys: pass one query for each row and one key for each column."
        )
    if found.size == 0:
        raise ValueError(
            f"Got weights of shape {found.shape}, which are none: pass at least one token."
        )
    _check_range(found, queries, keys)
    return found


def _check_range(weights: Matrix, queries: Sequence[str], keys: Sequence[str]) -> None:
    wrong = ~((weights >= 0) & (weights <= 1 + 1e-3))  # true for NaN as well
    if wrong.any():
        *_, row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"Attention weights lie between 0 and 1, but {wrong.sum()} of {weights.size} do not: "
            f"the first, where {queries[row]!r} reads {keys[column]!r}, is {weights[wrong][0]:.3g}."
            " Scores become weights by softmax over the keys; a row that may attend nowhere must "
            "be zeros, not NaN."
        )


def check_shares(table: pd.DataFrame) -> None:
    """Raise where a table is none, is empty or has values that are no shares."""
    if table_of("A table of shares", table).empty:
        raise ValueError(
            f"Got a table of {table.shape[0]} rows and {table.shape[1]} columns: "
            "pass at least one of each."
        )
    values = numbers("Shares", table)
    wrong = values[(values < 0) | (values > 1)]
    if wrong.size:
        raise ValueError(
            f"Shares lie between 0 and 1, but got {wrong[0]:.3g}: divide per cents by 100."
        )
