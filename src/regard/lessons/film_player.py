"""Pictures of a film: a head while its model is trained, and when it locks on."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from itertools import cycle
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from regard.lessons.film import Film, a_film
from regard.pictures.axes import PERCENT, new_axes
from regard.pictures.given import check_shares, given_axes
from regard.pictures.head import plot_heatmap
from regard.pictures.heads import plot_heads
from regard.pictures.style import INK, MARKERS, QUIET, literal
from regard.record.door import number, whole_number
from regard.record.kinds import Head

FRAME_DPI = 80


def plot_film(
    film: Film,
    layer: int,
    head: int,
    *,
    kind: str = "encoder",
    num_frames: int = 6,
    axes: Axes | Sequence[Axes] | NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Draw a head at some steps of its training, from the first to the last.

    Parameters
    ----------
    film
        From `regard.lessons.film.Film`.
    layer, head, kind
        Which head; layers and heads count from 0.
    num_frames
        How many of the frames, evenly among those that there are.
    axes
        As many Axes to draw on; a new figure, if not given.

    Returns
    -------
    numpy.ndarray
        The Axes, in the order of the steps.

    Raises
    ------
    TypeError
        If it is no film, or a number no whole number.
    ValueError
        If the film has no frames, no such head, or none are to be drawn.

    Examples
    --------
    >>> from regard.record.trace import Trace
    >>> film = Film(lambda _: Trace.from_weights([[1.0, 0.0], [0.25, 0.75]]), num_steps=9)
    >>> for step in (0, 9):
    ...     film.take(None, step)
    >>> [ax.get_title() for ax in plot_film(film, layer=0, head=0)]
    ['step 0', 'step 9']
    """
    _check_frames(film)
    if whole_number("num_frames", num_frames) < 1:
        raise ValueError(f"Got num_frames={num_frames}: ask for 1 or more.")
    chosen = np.unique(np.linspace(0, len(film.frames) - 1, num_frames).round().astype(int))
    weights = np.stack([film.weights(int(at), layer, head, kind=kind) for at in chosen])
    titles = [f"step {film.frames[at].step:,}" for at in chosen]
    return plot_heads(weights, *film.labels(layer, kind=kind), titles=titles, axes=axes)


def plot_locks(film: Film, *, threshold: float = 0.9, ax: Axes | None = None) -> Axes:
    """Draw what was measured in each frame, and mark where it stays above a threshold.

    Parameters
    ----------
    film
        With shares as measures.
    threshold
        From which share on a head counts as locked on.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes
        Its steps are spread as the frames are: densely in the beginning. The axis bears the name of
        what was measured; of several things, the legend does.

    Raises
    ------
    TypeError
        If it is no film, the threshold no number, or `ax` no Axes.
    ValueError
        If nothing was measured, or what was measured are no shares.

    Examples
    --------
    >>> from regard.record.trace import Trace
    >>> shares = iter([0.25, 1.0])
    >>> look = lambda _: Trace.from_weights([[1.0, 0.0], [0.25, 0.75]])
    >>> film = Film(look, num_steps=9, measure=lambda _: {"it reads its noun": next(shares)})
    >>> for step in (0, 9):
    ...     film.take(None, step)
    >>> plot_locks(film).get_legend_handles_labels()[1]
    ['it reads its noun: from step 9 on']
    """
    table = _measured(film)
    locks = film.locked_on(number("threshold", threshold))
    ax = given_axes(ax) or new_axes(7, 4)
    for (name, shares), marker in zip(table.items(), cycle(MARKERS), strict=False):
        _draw_shares(ax, shares, locks[str(name)], marker)
    ax.axhline(threshold, color=QUIET, linewidth=1, linestyle="--")
    _name_steps(ax, max(film.steps))
    ax.set_ylim(-0.04, 1.04)
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_ylabel(literal(table.columns[0]) if table.shape[1] == 1 else "share, of what is named")
    ax.legend(loc="best")
    return ax


def _measured(film: Film) -> pd.DataFrame:
    """Give the shares that were measured, by step and name."""
    if not a_film(film).frames or not film.frames[0].measures:
        raise ValueError(
            "The film has no measures to draw: make it with `measure=`, a function from the model "
            "to shares by name, and train."
        )
    table = film.to_dataframe().drop(columns="loss").set_index("step")
    check_shares(table)
    return table


def _draw_shares(ax: Axes, shares: pd.Series, lock: Any, marker: str) -> None:
    """Draw what was measured of one thing, with a mark where it locks on, if it does."""
    said = "not locked on" if pd.isna(lock) else f"from step {lock:,} on"
    (line,) = ax.plot(shares.index + 1, shares, label=literal(f"{shares.name}: {said}"))
    if not pd.isna(lock):
        ax.plot(lock + 1, shares[lock], marker=marker, color=line.get_color(), ms=8, mec=INK)


def _name_steps(ax: Axes, last: int) -> None:
    """Name the powers of ten, on an axis that shows step 0 too."""
    ax.set_xscale("log")
    ticks = [0, *(10**power for power in range(8) if 10**power <= last)]
    ax.set_xticks([step + 1 for step in ticks], [f"{step:,}" for step in ticks], minor=False)
    ax.minorticks_off()
    ax.set_xlabel("training step")


class FilmPlayer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A film with a play button and a slider; without a kernel, a strip of its frames.

    `play_film` makes it.
    """

    def __init__(self, film: Film, layer: int, head: int, kind: str) -> None:
        self.film, self.head = film, (kind, layer, head)
        last = len(film.frames) - 1
        film.weights(last, layer, head, kind=kind)  # says what is wrong with a head
        self.drawn: dict[int, bytes] = {}
        self.slider = widgets.IntSlider(last, 0, last, description="Frame", readout=False)
        self.play = widgets.Play(value=last, min=0, max=last, interval=200)
        self.said = widgets.Label()
        self.picture = widgets.Image(format="png", layout=widgets.Layout(align_self="flex-start"))
        widgets.jslink((self.play, "value"), (self.slider, "value"))
        self.slider.observe(self.show, "value")
        super().__init__([widgets.HBox([self.play, self.slider, self.said]), self.picture])
        self.show()

    def show(self, _: object = None) -> None:
        """Show the frame at the slider."""
        at = self.slider.value
        frame = self.film.frames[at]
        self.said.value = f"step {frame.step:,}, loss {frame.loss:.2f}"
        if at not in self.drawn:
            self.drawn[at] = self._draw(at)
        self.picture.value = self.drawn[at]

    def _draw(self, at: int) -> bytes:
        kind, layer, head = self.head
        weights = self.film.weights(at, layer, head, kind=kind)
        step = self.film.frames[at].step
        title = f"{str(Head(kind, layer, head)).capitalize()}, step {step:,}"
        return _png(plot_heatmap(weights, *self.film.labels(layer, kind=kind), title=title))

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Give the live player and, for where there is no kernel, a strip of frames."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options) or {}
        kind, layer, head = self.head
        strip = _png(plot_film(self.film, layer, head, kind=kind)[0])
        return bundle | {
            "text/plain": f"{len(self.film.frames)} frames of {Head(kind, layer, head)}",
            "image/png": b64encode(strip).decode("ascii"),
        }


def _check_frames(film: Film) -> None:
    if not a_film(film).frames:
        raise ValueError("The film has no frames yet: train with `loss=film.watch(loss)`.")


def _png(ax: Axes) -> bytes:
    """Draw the figure that an Axes is in, and close it."""
    figure = ax.get_figure(root=True)
    png = BytesIO()
    figure.savefig(png, format="png", bbox_inches="tight", dpi=FRAME_DPI)  # type: ignore[union-attr]
    plt.close(figure)
    return png.getvalue()


def play_film(film: Film, layer: int, head: int, *, kind: str = "encoder") -> FilmPlayer:
    """Play a head through its training: a button, a slider, and the picture of each frame.

    Raises
    ------
    TypeError
        If it is no film, or a number no whole number.
    ValueError
        If the film has no frames, or no such head.

    Examples
    --------
    >>> from regard.record.trace import Trace
    >>> film = Film(lambda _: Trace.from_weights([[1.0, 0.0], [0.25, 0.75]]), num_steps=9)
    >>> for step in (0, 9):
    ...     film.take(None, step, loss=1.5)
    >>> player = play_film(film, layer=0, head=0)
    >>> player.slider.value = 0
    >>> player.said.value
    'step 0, loss 1.50'
    """
    _check_frames(film)
    return FilmPlayer(film, layer, head, kind)
