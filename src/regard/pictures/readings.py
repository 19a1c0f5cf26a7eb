"""What one token reads, and what each token gets: words as dark as they are read, and bars."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from regard.pictures.axes import IS_READ, mark_level, name_ticks, new_axes, room
from regard.pictures.fonts import warn_of_missing
from regard.pictures.given import Matrix, check_weights, given_axes, numbers
from regard.pictures.head import write_value
from regard.pictures.style import (
    ATTENTION,
    BLUE,
    FAINT,
    INK,
    LABEL_POINTS,
    LONGEST_LABEL,
    PALE_BLUE,
    ink_on,
    literal,
)
from regard.record.door import names, whole_number

LONGEST_WORD = 12  # characters of a word that stands in a cell


class Reading(NamedTuple):
    """What one token of a sentence reads."""

    weights: Matrix  # (K,)
    sentence: Sequence[str]  # K tokens
    reader: int  # the position of the one that reads

    @property
    def name(self) -> str:
        """The token that reads."""
        return self.sentence[self.reader]


def plot_readings(
    weights: Sequence[ArrayLike],
    sentences: Sequence[Sequence[str]],
    readers: Sequence[int],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw what one token of each sentence reads: a row of words, the darker the more it is read.

    Parameters
    ----------
    weights
        A row of an attention matrix for each sentence, (K,), from 0 to 1.
    sentences
        The K tokens of each; lengths may differ.
    readers
        The position of the token that reads, in each; it is outlined.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If weights are no numbers, a sentence is no list of tokens, a reader no whole number, or
        `ax` no Axes.
    ValueError
        If there is not one row of weights and one reader for each sentence and one weight for each
        token, or one is no attention weight or no position.

    Examples
    --------
    >>> sentences = [["it", "seemed", "weak"], ["they", "seemed", "weak"]]
    >>> ax = plot_readings([[0.1, 0.2, 0.7], [0.0, 0.9, 0.1]], sentences, readers=[0, 0])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['it reads', 'they reads']
    """
    readings = list(_readings(weights, sentences, readers))
    ax = given_axes(ax) or new_axes(9, 0.65 * len(readings) + 0.3)
    warn_of_missing(token for one in readings for token in one.sentence)
    shown = [[literal(token, LONGEST_WORD) for token in one.sentence] for one in readings]
    columns = zip_longest(*shown, fillvalue="")
    widths = [max(4, *(len(token) + 1.5 for token in column)) for column in columns]  # in letters
    edges = np.cumsum([0, *widths])
    for y, (reading, words) in enumerate(zip(readings, shown, strict=True)):
        _draw_reading(ax, y, reading, words, edges)
    ax.set(xlim=(-0.2, edges[-1] + 0.2), ylim=(len(readings) - 0.5, -0.5), xticks=[])
    named = [f"{literal(reading.name, LONGEST_LABEL)} reads" for reading in readings]
    ax.set_yticks(range(len(readings)), named)
    ax.set_xlabel("outlined: the token that reads; the darker, the more a token is read")
    ax.tick_params(length=0, labelfontfamily=mpl.rcParams["font.family"])  # which may have grown
    ax.spines[:].set_visible(False)
    return ax


def _readings(
    weights: Sequence[ArrayLike], sentences: Sequence[Sequence[str]], readers: Sequence[int]
) -> Iterator[Reading]:
    """Take what is given for each sentence, or say what does not fit."""
    names("sentences", sentences)
    if not len(weights) == len(sentences) == len(readers) > 0:
        raise ValueError(
            f"Got {len(weights)} rows of weights, {len(sentences)} sentences and {len(readers)} "
            "readers: pass as many of each, and at least one."
        )
    for row, sentence, at in zip(weights, sentences, readers, strict=True):
        names("A sentence", sentence)
        reader = whole_number("A reader, the position of a token,", at)
        if not 0 <= reader < len(sentence):
            raise ValueError(
                f"Got reader {reader} for a sentence of {len(sentence)} tokens: pass the position "
                "of the token that reads, counted from 0."
            )
        matrix = numbers("Attention weights", row)[None]
        yield Reading(check_weights(matrix, [sentence[reader]], sentence)[0], sentence, reader)


def _draw_reading(
    ax: Axes, y: int, reading: Reading, words: Sequence[str], edges: NDArray[np.float64]
) -> None:
    """Draw a row of words, and outline the one that reads."""
    size = min(LABEL_POINTS, 1.6 * room(ax.xaxis, edges[-1]))
    widths = np.diff(edges)
    for x, (weight, word) in enumerate(zip(reading.weights, words, strict=True)):
        middle, text = (edges[x] + widths[x] / 2, y), f"{word}\n{write_value(weight)}"
        ink = ink_on(weight)
        ax.annotate(text, middle, size=size, color=ink, ha="center", va="center", zorder=3)
        corner = (edges[x], y - 0.4)
        ax.add_patch(Rectangle(corner, widths[x], 0.8, fc=ATTENTION(weight), ec=FAINT))
    corner, width = (edges[reading.reader], y - 0.4), widths[reading.reader]
    ax.add_patch(Rectangle(corner, width, 0.8, fill=False, ec=INK, lw=2, zorder=2))


def plot_received(received: ArrayLike, keys: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw how much attention each token gets, on average over the tokens that read.

    Parameters
    ----------
    received
        (K,), from 0 to 1: the mean of each column of an attention matrix.
    keys
        The K tokens that are read.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes
        A bar for each token, dark where it gets more than its even share, 1/K, which is marked.

    Raises
    ------
    TypeError
        If the values are no numbers, the keys no list of tokens, or `ax` is no Axes.
    ValueError
        If there is not one value for each key, or one is no attention weight.

    Examples
    --------
    >>> ax = plot_received([0.1, 0.6, 0.3], ["the", "dog", "."])
    >>> float(ax.patches[1].get_height())
    0.6
    """
    row = numbers("Attention weights", received)[None]
    heights = check_weights(row, ["the average token"], keys)[0]
    even = 1 / len(keys)
    ax = given_axes(ax) or new_axes(min(max(4.5, 0.4 * len(keys) + 1), 9), 3)
    colours = [BLUE if height > even else PALE_BLUE for height in heights]
    ax.bar(np.arange(len(keys)) + 0.5, heights, width=0.8, color=colours)
    mark_level(ax, even, f"even share, 1/{len(keys)}")
    name_ticks(ax.xaxis, keys)
    ax.set_xlim(0, len(keys))
    ax.set(xlabel=IS_READ, ylabel="average attention received")
    return ax
