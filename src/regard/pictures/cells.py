"""A matrix as cells: a row for each token along its side, a column for each below."""

from collections.abc import Sequence
from typing import Any

import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import NDArray

from regard.pictures.axes import inches, name_ticks, new_axes, outline
from regard.pictures.style import FAINT

FEW = 16  # tokens; up to here, each cell has room for its value
MANY = 32  # tokens; up to here, lines part the cells


def new_heatmap_axes(queries: Sequence[str], keys: Sequence[str]) -> Axes:
    """Open a figure whose cells have room for a number, or are smaller where there are many."""
    count = max(len(queries), len(keys))
    cell = 0.4 if count <= FEW else min(0.3, 7 / count)  # inches
    width = max(cell * len(keys) + inches(queries) + 1.5, 4.5)
    height = max(cell * len(queries) + inches(keys) + 0.8, 2.5)
    return new_axes(width, height)


def draw_cells(matrix: NDArray[Any], ax: Axes, **options: Any) -> None:
    """Draw a matrix, its cells parted by lines where they are few."""
    lines = 0.5 if max(matrix.shape) <= MANY else 0
    sns.heatmap(matrix, ax=ax, linewidths=lines, linecolor=FAINT, **options)


def name_cells(
    ax: Axes, queries: Sequence[str], keys: Sequence[str], *, rows: str, columns: str
) -> None:
    """Frame the cells, name each row and column, and say which axis is what."""
    outline(ax)
    name_ticks(ax.xaxis, keys)
    name_ticks(ax.yaxis, queries)
    ax.set_xlabel(columns)
    ax.set_ylabel(rows)
