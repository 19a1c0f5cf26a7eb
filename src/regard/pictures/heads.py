"""Several heads, side by side."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from regard.pictures.axes import IS_READ, READS, inches, name_ticks, outline
from regard.pictures.head import check_weights
from regard.pictures.style import (
    ATTENTION,
    LABEL_POINTS,
)


def plot_heads(
    weights: ArrayLike,
    queries: Sequence[str],
    keys: Sequence[str],
    *,
    titles: Sequence[str] | None = None,
    axes: Axes | Sequence[Axes] | NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Draw several heads side by side, with one scale of colours for all.

    Parameters
    ----------
    weights
        (h, Q, K), from 0 to 1: all heads of a layer, or one head in h layers.
    queries, keys
        The Q tokens that read and the K that are read, in every head.
    titles
        One for each head; "head 0", "head 1", ... if not given.
    axes
        h Axes to draw on, in one row or in a grid; a new figure, if not given.

    Returns
    -------
    numpy.ndarray
        The h Axes, in the order of the heads.

    Raises
    ------
    ValueError
        As `plot_heatmap`, or if there is not one title and one Axes for each head.

    Examples
    --------
    >>> axes = plot_heads(np.full((4, 2, 2), 0.5), ["the", "dog"], ["the", "dog"])
    >>> [ax.get_title() for ax in axes]
    ['head 0', 'head 1', 'head 2', 'head 3']
    """
    weights = check_weights(weights, queries, keys, dimensions=3)
    titles = [f"head {i}" for i in range(len(weights))] if titles is None else titles
    grid = (
        new_grid(len(weights), queries, keys)
        if axes is None
        else np.atleast_1d(np.asarray(axes, dtype=object))
    )
    panels = grid.ravel()[: len(weights)]
    if not len(titles) == len(panels) == len(weights):
        raise ValueError(
            f"Got {len(weights)} heads, {len(titles)} titles and {grid.size} axes: pass one title "
            "and one Axes for each head."
        )
    columns = grid.shape[-1]
    for i, (ax, head, title) in enumerate(zip(panels, weights, titles, strict=True)):
        mesh = ax.pcolormesh(head, vmin=0, vmax=1, cmap=ATTENTION)
        ax.set_ylim(len(queries), 0)
        outline(ax)
        name_ticks(ax.xaxis, keys)
        name_ticks(ax.yaxis, queries)
        ax.tick_params(labelleft=i % columns == 0, labelbottom=i + columns >= len(panels))
        ax.set_title(title, parse_math=False)
    figure = panels[0].figure
    figure.supxlabel(IS_READ, fontsize=LABEL_POINTS)
    figure.supylabel(READS, fontsize=LABEL_POINTS)
    figure.colorbar(mesh, ax=list(panels), label="attention weight", shrink=0.5, aspect=25)
    return panels


def new_grid(count: int, queries: Sequence[str], keys: Sequence[str]) -> NDArray[Any]:
    """Open a figure with about as many rows of panels as columns."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    cell = min(0.24, 7 / columns / max(len(queries), len(keys)))  # inches
    width = columns * max(cell * len(keys) + 0.1, 1) + inches(queries) + 1.3
    height = rows * max(cell * len(queries) + 0.3, 1) + inches(keys) + 0.4
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(width, max(height, 2.5)),
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.ravel()[count:]:
        figure.delaxes(ax)
    return np.asarray(axes)
