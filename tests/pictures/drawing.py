"""Weights and words to draw, and what can be read off a picture."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

HOSTILE = ["$x$", "a$b", r"\$y\$", r"\alpha", "_a_", "^2", "<s>", "<script>", "{}", "%", "😀"]


def random_weights(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).dirichlet(np.full(shape[-1], 0.3), shape[:-1])


def words(count: int) -> list[str]:
    return [f"word{i}" for i in range(count)]


def cells(ax: Axes, mesh: int = 0) -> NDArray[np.float64]:
    meshes = [c for c in ax.collections if isinstance(c, QuadMesh)]
    values = np.ma.masked_array(meshes[mesh].get_array(), dtype=float)
    return values.filled(np.nan).reshape(round(max(ax.get_ylim())), round(max(ax.get_xlim())))


def tick_texts(ax: Axes) -> tuple[list[str], list[str]]:
    return (
        [label.get_text() for label in ax.get_xticklabels()],
        [label.get_text() for label in ax.get_yticklabels()],
    )


def points(line: Line2D) -> list[list[float]]:
    return [[float(x), float(y)] for x, y in np.asarray(line.get_xydata())]


def bars(ax: Axes) -> list[Rectangle]:
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def drawn(figure: Any) -> Figure:
    """Draw, and do it again: a layout may settle only then."""
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    figure.canvas.draw()
    return figure
