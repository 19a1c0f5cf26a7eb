"""Several heads side by side, with one scale of colours for all."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from regard.pictures.axes import IS_READ, READS, inches, name_ticks, outline
from regard.pictures.given import Matrix, check_weights, given_axes
from regard.pictures.style import ATTENTION, LABEL_POINTS
from regard.record.door import names


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
    TypeError
        As `plot_heatmap`, or if the titles are no list.
    ValueError
        As `plot_heatmap`, or if there is not one title and one Axes for each head.

    Examples
    --------
    >>> axes = plot_heads(np.full((4, 2, 2), 0.5), ["the", "dog"], ["the", "dog"])
    >>> [ax.get_title() for ax in axes]
    ['head 0', 'head 1', 'head 2', 'head 3']
    """
    found = check_weights(weights, queries, keys, dimensions=3)
    count = len(found)
    titles = [f"head {i}" for i in range(count)] if titles is None else names("titles", titles)
    grid = new_grid(count, queries, keys) if axes is None else given_grid(axes)
    panels = grid.ravel()[:count]
    if not len(titles) == len(panels) == count:
        raise ValueError(
            f"Got {count} heads, {len(titles)} titles and {grid.size} axes: pass one title "
            "and one Axes for each head."
        )
    columns = grid.shape[-1]
    for i, (ax, head, title) in enumerate(zip(panels, found, titles, strict=True)):
        draw_panel(ax, head, queries, keys)
        ax.tick_params(labelleft=i % columns == 0, labelbottom=i + columns >= count)
        ax.set_title(title, parse_math=False)
    name_panels(panels)
    return panels


def given_grid(axes: Axes | Sequence[Axes] | NDArray[Any]) -> NDArray[Any]:
    """Take the axes of a grid, or raise where one is none."""
    grid = np.atleast_1d(np.asarray(axes, dtype=object))
    for ax in grid.flat:
        given_axes(ax)
    return grid


def draw_panel(ax: Axes, head: Matrix, queries: Sequence[str], keys: Sequence[str]) -> None:
    """Draw one head, its first query on top."""
    ax.pcolormesh(head, vmin=0, vmax=1, cmap=ATTENTION)
    ax.set_ylim(len(queries), 0)
    outline(ax)
    name_ticks(ax.xaxis, keys)
    name_ticks(ax.yaxis, queries)


def name_panels(panels: NDArray[Any]) -> None:
    """Say once for all panels what rows, columns and colours are."""
    figure = panels[0].figure
    figure.supxlabel(IS_READ, fontsize=LABEL_POINTS)
    figure.supylabel(READS, fontsize=LABEL_POINTS)
    mesh = panels[-1].collections[0]
    figure.colorbar(mesh, ax=list(panels), label="attention weight", shrink=0.5, aspect=25)


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
        figsize=(max(width, 4), max(height, 2.8)),
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.ravel()[count:]:
        figure.delaxes(ax)
    return np.asarray(axes)
