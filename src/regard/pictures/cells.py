"""A matrix as cells: a row for each token along its side, a column for each below."""

import textwrap
from collections.abc import Sequence
from typing import Any

import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import NDArray

from regard.pictures.axes import inches, name_ticks, new_axes, outline
from regard.pictures.style import FAINT

FEW = 16  # tokens; up to here, each cell has room for its value
MANY = 32  # tokens; up to here, lines part the cells
WIDTH_OF_TITLE = 4.3  # inches, from the first column on; a longer title is broken
LETTER_OF_TITLE = 0.0765  # inches
BESIDE = 0.6  # inches, for the name of the axis and what parts it from the cells
HEIGHT_OF_NAME = 2.0  # inches that the name of an axis needs beside the cells


def new_heatmap_axes(queries: Sequence[str], keys: Sequence[str]) -> Axes:
    """Open a figure whose cells have room for a number, or are smaller where there are many."""
    count = max(len(queries), len(keys))
    cell = 0.4 if count <= FEW else min(0.3, 7 / count)  # inches
    width = max(cell * len(keys) + 1.5, WIDTH_OF_TITLE + BESIDE) + inches(queries)
    height = max(cell * len(queries), HEIGHT_OF_NAME) + inches(keys) + 0.8
    return new_axes(width, height)


def draw_cells(matrix: NDArray[Any], ax: Axes, **options: Any) -> None:
    """Draw a matrix, its cells parted by lines where they are few."""
    lines = 0.5 if max(matrix.shape) <= MANY else 0
    sns.heatmap(matrix, ax=ax, linewidths=lines, linecolor=FAINT, **options)


def name_cells(
    ax: Axes, queries: Sequence[str], keys: Sequence[str], *, rows: str, columns: str, title: str
) -> None:
    """Frame the cells, name each row and column, and say what is drawn and which axis is what."""
    outline(ax)
    name_ticks(ax.xaxis, keys)
    name_ticks(ax.yaxis, queries)
    ax.set_xlabel(columns)
    ax.set_ylabel(rows)
    ax.set_title(
        in_lines(title, ax.figure.bbox.width / ax.figure.dpi - inches(queries)), parse_math=False
    )


def in_lines(title: str, width: float) -> str:
    """Break the lines of a title at spaces where they would leave a picture of so many inches."""
    longest = int((max(width, WIDTH_OF_TITLE + BESIDE) - BESIDE) / LETTER_OF_TITLE)
    return "\n".join(textwrap.fill(line, longest) for line in title.splitlines())
