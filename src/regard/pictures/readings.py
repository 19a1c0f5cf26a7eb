"""What some tokens read, and what each receives."""

from collections.abc import Sequence
from itertools import zip_longest

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from regard.pictures.axes import IS_READ, mark_level, name_ticks, room
from regard.pictures.head import LONGEST_WORD, check_weights, write_value
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
    if not len(weights) == len(sentences) == len(readers) > 0:
        raise ValueError(
            f"Got {len(weights)} rows of weights, {len(sentences)} sentences and {len(readers)} "
            "readers: pass as many of each, and at least one."
        )
    for sentence, reader in zip(sentences, readers, strict=True):
        if not 0 <= reader < len(sentence):
            raise ValueError(
                f"Got reader {reader} for a sentence of {len(sentence)} tokens: pass the position "
                "of the token that reads, counted from 0."
            )
    names = [sentence[reader] for sentence, reader in zip(sentences, readers, strict=True)]
    rows = [
        check_weights(np.asarray(row)[None], [name], sentence)[0]
        for row, name, sentence in zip(weights, names, sentences, strict=True)
    ]
    if ax is None:
        ax = plt.subplots(figsize=(9, 0.65 * len(rows) + 0.3), layout="constrained")[1]
    shown = [[literal(token, LONGEST_WORD) for token in sentence] for sentence in sentences]
    columns = zip_longest(*shown, fillvalue="")
    widths = [max(4, *(len(token) + 1.5 for token in column)) for column in columns]  # in letters
    edges = np.cumsum([0, *widths])
    size = min(LABEL_POINTS, 1.6 * room(ax.xaxis, edges[-1]))
    for y, (row, sentence, reader) in enumerate(zip(rows, shown, readers, strict=True)):
        for x, (weight, token) in enumerate(zip(row, sentence, strict=True)):
            middle = (edges[x] + widths[x] / 2, y)
            text = f"{token}\n{write_value(weight)}"
            ax.annotate(
                text, middle, size=size, color=ink_on(weight), ha="center", va="center", zorder=3
            )
            ax.add_patch(
                Rectangle((edges[x], y - 0.4), widths[x], 0.8, fc=ATTENTION(weight), ec=FAINT)
            )
        corner = (edges[reader], y - 0.4)
        ax.add_patch(Rectangle(corner, widths[reader], 0.8, fill=False, ec=INK, lw=2, zorder=2))
    ax.set(xlim=(-0.2, edges[-1] + 0.2), ylim=(len(rows) - 0.5, -0.5), xticks=[])
    ax.set_yticks(range(len(rows)), [f"{literal(name, LONGEST_LABEL)} reads" for name in names])
    ax.set_xlabel("outlined: the token that reads; the darker, the more a token is read")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


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
    ValueError
        If there is not one value for each key, or one is no attention weight.

    Examples
    --------
    >>> ax = plot_received([0.1, 0.6, 0.3], ["the", "dog", "."])
    >>> float(ax.patches[1].get_height())
    0.6
    """
    heights = check_weights(np.asarray(received)[None], ["the average token"], keys)[0]
    even = 1 / len(keys)
    if ax is None:
        width = min(max(4.5, 0.4 * len(keys) + 1), 9)
        ax = plt.subplots(figsize=(width, 3), layout="constrained")[1]
    colours = [BLUE if height > even else PALE_BLUE for height in heights]
    ax.bar(np.arange(len(keys)) + 0.5, heights, width=0.8, color=colours)
    mark_level(ax, even, f"even share, 1/{len(keys)}")
    name_ticks(ax.xaxis, keys)
    ax.set_xlim(0, len(keys))
    ax.set(xlabel=IS_READ, ylabel="average attention received")
    return ax
