"""What pictures have in common around what they show: new axes, ticks, names and lines."""

import math
from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.ticker import FuncFormatter, Locator, MaxNLocator, PercentFormatter

from regard.pictures.fonts import warn_of_missing
from regard.pictures.style import FAINT, INK, LABEL_POINTS, LONGEST_LABEL, SMALL_POINTS, literal
from regard.pictures.terminal import columns
from regard.record.places import Stretch

READS = "the token that reads (query)"
IS_READ = "the token that is read (key)"
SECONDS = MaxNLocator(8, steps=[1, 2, 5, 10])
PERCENT = PercentFormatter(xmax=1, decimals=0, symbol=" %")


def new_axes(width: float, height: float) -> Axes:
    """Open a figure of so many inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


class TokenLocator(Locator):
    """A tick in the middle of each token's cell; of every second, third, ... where room is short.

    It measures the axis whenever it is drawn, so labels never overlap, whatever the figure's size.
    """

    def __init__(self, along: Axis, count: int, points: float) -> None:
        self.along = along
        self.count = count
        self.points = points  # that a label needs

    def __call__(self) -> list[float]:
        """Give the places of the ticks."""
        step = max(1, math.ceil(self.points / room(self.along, self.count)))
        return [i + 0.5 for i in range(0, self.count, step)]


def room(axis: Axis, count: float) -> float:
    """Measure the points that each of so many labels has along an axis."""
    box = axis.axes.get_window_extent()
    pixels = box.width if isinstance(axis, XAxis) else box.height
    return max(pixels, 1) * 72 / axis.axes.figure.dpi / count


def name_ticks(axis: Axis, tokens: Sequence[str]) -> None:
    """Label the cells along an axis, the first from 0 to 1, with their tokens."""
    warn_of_missing(tokens)
    names = [literal(token, LONGEST_LABEL) for token in tokens]
    space = room(axis, len(names))
    size = LABEL_POINTS if space > 1.2 * LABEL_POINTS else SMALL_POINTS
    needed, angle = 1.2 * size, 0
    if isinstance(axis, XAxis):
        needed, angle = (1.7 * size, 45) if space > 1.7 * size else (1.2 * size, 90)

    def name(position: float, _: int | None = None) -> str:
        return names[int(position)] if 0 <= position < len(names) else ""

    axis.set_major_locator(TokenLocator(axis, len(names), needed))
    axis.set_major_formatter(FuncFormatter(name))
    axis.set_tick_params(
        length=0,
        labelsize=size,
        labelfontfamily=mpl.rcParams["font.family"],  # which may have grown
        labelrotation=angle,
        labelrotation_mode="xtick" if angle else None,
    )


def name_seconds(axis: Axis, frames: Sequence[Stretch], role: str) -> None:
    """Label the cells along an axis, the first from 0 to 1, by the time at which frames begin.

    The role is that of the frames: "that reads".
    """
    starts = [frame.start for frame in frames] + [frames[-1].end]
    ticks = SECONDS.tick_values(starts[0], starts[-1])
    inside = [tick for tick in ticks if round(tick - starts[-1], 9) <= 0]
    places = np.interp(inside, starts, range(len(starts)))
    axis.set_ticks(places, [f"{tick:g}" for tick in inside])
    axis.set_tick_params(length=3, labelsize=LABEL_POINTS, labelrotation=0, labelrotation_mode=None)
    axis.set_label_text(f"the time {role}, in seconds")


def outline(ax: Axes) -> None:
    """Draw the frame that tells a blank heatmap from paper."""
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAINT)


def inches(tokens: Sequence[str]) -> float:
    """Estimate the room that the longest label needs."""
    return 0.07 * max(columns(literal(token, LONGEST_LABEL)) for token in tokens)


def mark_level(ax: Axes, level: float, name: str) -> None:
    """Draw a line to compare with, named at its right end."""
    ax.axhline(level, color=INK, linewidth=1, linestyle="--")
    end = (1, level)
    ax.annotate(
        name, end, (4, 0), ("axes fraction", "data"), "offset points", verticalalignment="center"
    )


def legend_above(ax: Axes) -> None:
    """Name the marks or bars above the picture."""
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)


def per_cent(share: float) -> str:
    """Write a share, so that 99.6 % does not pass for 100 %."""
    return f"{100 * share:.3g} %"
