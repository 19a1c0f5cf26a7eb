"""One function per picture: arrays and labels in, the Axes out.

Rows of every matrix read, columns are read. Tokens are text, never markup.
"""

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.patches import Polygon, Rectangle
from matplotlib.ticker import FuncFormatter, Locator, PercentFormatter
from numpy.typing import ArrayLike, NDArray
from torch import nn
from transformers import PreTrainedTokenizerBase

from regard.pictures.style import (
    ALARM,
    ATTENTION,
    BLUE,
    CATEGORICAL,
    FAINT,
    INK,
    LABEL_POINTS,
    LONGEST_LABEL,
    MARKERS,
    PALE_BLUE,
    SMALL_POINTS,
    ink_on,
    literal,
)
from regard.record.given import ROUNDING
from regard.record.trace import Trace
from regard.tracing.run import trace

Matrix = NDArray[np.float64]

READS = "the token that reads (query)"
IS_READ = "the token that is read (key)"
HELD_OUT = {"exact": "whole sentence right", "pronoun": "pronoun right"}
FEW = 16  # tokens; up to here, each cell has its value written into it
MANY = 32  # tokens; up to here, lines part the cells
LONGEST_WORD = 12  # characters of a word that stands in a cell
PERCENT = PercentFormatter(xmax=1, decimals=0, symbol=" %")


def visualize_attention_weights(
    sentence: str,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    layer: int,
    head: int,
    *,
    kind: str | None = None,
    target: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show what one attention head reads in a sentence, as a heatmap.

    Parameters
    ----------
    sentence
        The source text.
    model, tokenizer
        What `regard.tracing.run.trace` takes.
    layer, head
        Counted from 0.
    kind
        "encoder" or "decoder" for their self-attention, "cross" for what the decoder reads in the
        source; the model's first, if not given.
    target
        The translation that the decoder is given to read; without it, what the model writes itself.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes
        A row for each token that reads, a column for each token that is read.

    Raises
    ------
    ValueError
        If the sentence is empty, too long or has unknown words, or there is no such kind, layer or
        head.

    Examples
    --------
    >>> from regard.model.vocabulary import vocabulary
    >>> from regard.model.tokenization import build_tokenizer
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    >>> tokenizer = build_tokenizer(vocabulary(300))
    >>> ax = visualize_attention_weights("the dog saw it .", model, tokenizer, layer=0, head=1)
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['the', 'dog', 'saw', 'it', '.', '</s>']
    """
    seen = trace(sentence, model, tokenizer, target=target, layers=[layer], values=False)
    return plot_attention(seen, layer, head, kind=kind, ax=ax)


def plot_attention(
    seen: Trace, layer: int, head: int, *, kind: str | None = None, ax: Axes | None = None
) -> Axes:
    """Show what one head of a trace reads, as a heatmap.

    Parameters
    ----------
    seen
        From `trace`, also with words merged or special tokens hidden.
    layer, head, kind, ax
        As for `visualize_attention_weights`.

    Returns
    -------
    matplotlib.axes.Axes
        A row for each token that reads, a column for each token that is read. Where tokens are
        hidden, the title says how much of the attention is theirs.

    Raises
    ------
    ValueError
        If there is no such kind, layer or head.

    Examples
    --------
    >>> weights = [[0.5, 0.5], [0.25, 0.75]]
    >>> plot_attention(Trace.from_weights(weights, ["the", "dog"]), layer=0, head=0).get_title()
    'Encoder self-attention, layer 0, head 0'
    """
    weights = seen.weights(layer, head, kind=kind)
    kind = seen.kinds[0] if kind is None else kind
    queries, keys = seen.labels(layer, kind=kind)
    title = str(seen.head(layer, head, kind=kind)).capitalize()
    hidden = seen.hidden_share(layer, head, kind=kind)
    title += f"\n{hidden:.0%} of the attention goes to hidden tokens" if hidden > ROUNDING else ""
    ax = plot_heatmap(weights, queries, keys, ax=ax, title=title)
    if kind != "encoder" and seen.written_tokens:  # such rows are named by both
        ax.set_ylabel(f"{READS} → the token it writes next")
    return ax


def plot_heatmap(
    weights: ArrayLike,
    queries: Sequence[str],
    keys: Sequence[str],
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the attention of one head: a row for each token that reads, a column for each read.

    Parameters
    ----------
    weights
        (Q, K), from 0 to 1. The colours always span 0 to 1, so that pictures can be compared.
    queries, keys
        The Q tokens that read and the K that are read; labels are thinned out where they would
        overlap.
    ax
        Where to draw; a new figure, if not given.
    title
        Plain text.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `weights` is no matrix with a row for each query and a column for each key, or has values
        that are no weights: not finite, negative or above 1.

    Examples
    --------
    >>> ax = plot_heatmap([[0.9, 0.1], [0.3, 0.7]], ["it", "seemed"], ["the", "dog"])
    >>> ax.get_ylabel()
    'the token that reads (query)'
    """
    weights = check_weights(weights, queries, keys)
    ax = ax or new_heatmap_axes(queries, keys)
    sns.heatmap(
        weights,
        vmin=0,
        vmax=1,
        cmap=ATTENTION,
        linewidths=0.5 if max(weights.shape) <= MANY else 0,
        linecolor=FAINT,
        cbar_kws={"label": "attention weight", "shrink": 0.6},
        ax=ax,
    )
    if max(weights.shape) <= FEW:
        write_values(weights, ax)
    outline(ax)
    name_ticks(ax.xaxis, keys)
    name_ticks(ax.yaxis, queries)
    ax.set_xlabel(IS_READ)
    ax.set_ylabel(READS)
    ax.set_title(title or "", parse_math=False)
    return ax


def check_weights(
    weights: ArrayLike, queries: Sequence[str], keys: Sequence[str], *, dimensions: int = 2
) -> Matrix:
    """Give the weights as an array, or say why they are no attention of these tokens."""
    weights = np.asarray(weights, dtype=float)
    if weights.ndim != dimensions:
        wanted = {
            2: "one head, (queries, keys): choose one, as weights[head], or use plot_heads",
            3: "several heads, (heads, queries, keys): for one head use plot_heatmap",
        }
        raise ValueError(
            f"Got weights of shape {weights.shape}, but this draws {wanted[dimensions]}."
        )
    if weights.shape[-2:] != (len(queries), len(keys)):
        raise ValueError(
            f"Got weights of shape {weights.shape} for {len(queries)} queries and {len(keys)} "
            "keys: pass one query for each row and one key for each column."
        )
    if weights.size == 0:
        raise ValueError(
            f"Got weights of shape {weights.shape}, which are none: pass at least one token."
        )
    wrong = ~((weights >= 0) & (weights <= 1 + 1e-3))  # true for NaN as well
    if wrong.any():
        *_, row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"Attention weights lie between 0 and 1, but {wrong.sum()} of {weights.size} do not: "
            f"the first, where {queries[row]!r} reads {keys[column]!r}, is {weights[wrong][0]:.3g}."
            " Scores become weights by softmax over the keys; a row that may attend nowhere must "
            "be zeros, not NaN."
        )
    return weights


def new_heatmap_axes(queries: Sequence[str], keys: Sequence[str]) -> Axes:
    """Open a figure whose cells have room for a number, or are smaller where there are many."""
    count = max(len(queries), len(keys))
    cell = 0.4 if count <= FEW else min(0.3, 7 / count)  # inches
    width = max(cell * len(keys) + inches(queries) + 1.5, 4.5)
    height = max(cell * len(queries) + inches(keys) + 0.8, 2.5)
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def inches(tokens: Sequence[str]) -> float:
    """Estimate the room that the longest label needs."""
    return 0.07 * min(max(len(token) for token in tokens), LONGEST_LABEL)


def write_values(weights: Matrix, ax: Axes) -> None:
    """Write each weight into its cell."""
    for (row, column), weight in np.ndenumerate(weights):
        ax.annotate(
            write_value(weight),
            (column + 0.5, row + 0.5),
            size=SMALL_POINTS,
            color=ink_on(weight),
            ha="center",
            va="center",
        )


def write_value(weight: float) -> str:
    """Write a weight as `.25`, `1` and, where it rounds to zero, nothing."""
    text = f"{weight:.2f}"
    return {"0.00": "", "1.00": "1"}.get(text, text.removeprefix("0"))


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
        length=0, labelsize=size, labelrotation=angle, labelrotation_mode="xtick" if angle else None
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


def outline(ax: Axes) -> None:
    """Draw the frame that tells a blank heatmap from paper."""
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAINT)


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


def plot_loss(history: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how the training loss fell and, below, what was measured on held-out sentences.

    Parameters
    ----------
    history
        What `regard.train_model` returns: columns `step` and `loss`, and any of `exact` and
        `pronoun`, shares of held-out sentences, where they were measured.
    ax
        Where to draw; a new figure, if not given. Its lower part becomes a panel of its own if
        something was measured.

    Returns
    -------
    matplotlib.axes.Axes
        The panel of the loss.

    Raises
    ------
    ValueError
        If the history has no steps, or lacks a column.

    Examples
    --------
    >>> ax = plot_loss(pd.DataFrame({"step": [1, 2, 3], "loss": [5.0, 3.0, 2.5]}))
    >>> ax.get_ylabel()
    'training loss'
    """
    if history.empty or not {"step", "loss"} <= set(history.columns):
        raise ValueError(
            f"A history has columns step and loss and at least one row, but this one has "
            f"{list(history.columns)} and {len(history)} rows: pass what train_model returned."
        )
    ax = ax or plt.subplots(figsize=(7, 4.2), layout="constrained")[1]
    window = max(1, len(history) // 50)
    smooth = history["loss"].rolling(window, center=True, min_periods=1).mean()
    ax.plot(history["step"], history["loss"], color=BLUE, alpha=0.3, lw=0.7, label="each step")
    ax.plot(history["step"], smooth, color=BLUE, label=f"mean of {window} steps")
    ax.legend(loc="best")
    ax.set_ylabel("training loss")
    ax.set_ylim(bottom=0)
    measured = [name for name in HELD_OUT if name in history.columns]
    if measured:
        plot_held_out(history.set_index("step")[measured], panel_below(ax))
    else:
        ax.set_xlabel("training step")
    return ax


def panel_below(ax: Axes) -> Axes:
    """Cut a panel that shares the x-axis off the lower part of an Axes."""
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError("ax stands in no grid: make it with plt.subplots, or leave it out.")
    parts = place.subgridspec(2, 1, height_ratios=(3, 2))
    ax.set_subplotspec(parts[0])
    ax.tick_params(labelbottom=False)
    return ax.figure.add_subplot(parts[1], sharex=ax)


def plot_held_out(shares: pd.DataFrame, ax: Axes) -> None:
    """Draw a dot for each share that was measured; the index says at which step."""
    for name, colour, marker in zip(shares, CATEGORICAL[1:], MARKERS, strict=False):
        share = shares[name].dropna()
        ax.plot(share, color=colour, marker=marker, markersize=4, label=HELD_OUT[str(name)])
    ax.set_ylim(-0.04, 1.04)
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set(xlabel="training step", ylabel="held-out sentences")
    ax.legend(loc="best")


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


def mark_level(ax: Axes, level: float, name: str) -> None:
    """Draw a line to compare with, named at its right end."""
    ax.axhline(level, color=INK, linewidth=1, linestyle="--")
    end = (1, level)
    ax.annotate(
        name, end, (4, 0), ("axes fraction", "data"), "offset points", verticalalignment="center"
    )


def plot_scoreboard(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how often attention finds the gold word: a row a relation, a mark for each column.

    Parameters
    ----------
    table
        Shares from 0 to 1; the index names the relations, the columns what is compared, the one in
        question first and its baselines after it. NaN where there is none.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the table is empty or has values that are no shares.

    Examples
    --------
    >>> shares = {"trained, best head": [0.98, 1.0], "best fixed offset": [0.23, 0.7]}
    >>> ax = plot_scoreboard(pd.DataFrame(shares, index=["pronoun-antecedent", "verb-subject"]))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['pronoun-antecedent', 'verb-subject']
    """
    check_shares(table)
    rows = np.arange(len(table))
    ax = ax or plt.subplots(figsize=(7, 0.6 * len(table) + 1.1), layout="constrained")[1]
    ax.hlines(rows, 0, 1, color=FAINT, linewidth=1, zorder=0)
    for i, name in enumerate(table):
        ax.plot(
            table[name],
            rows + 0.18 * (i - (table.shape[1] - 1) / 2),  # so that no mark hides another
            linestyle="none",
            marker=MARKERS[i % len(MARKERS)],
            markersize=8 if i == 0 else 6,
            color=CATEGORICAL[i % len(CATEGORICAL)],
            label=literal(str(name)),
            clip_on=False,
            zorder=3,
        )
    ax.set_yticks(rows, [literal(str(name)) for name in table.index])
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PERCENT)
    ax.set_xlabel("sentences whose strongest attention is on the gold word")
    legend_above(ax)
    return ax


def check_shares(table: pd.DataFrame) -> None:
    """Raise where a table is empty or has values that are no shares."""
    if table.empty:
        raise ValueError(
            f"Got a table of {table.shape[0]} rows and {table.shape[1]} columns: "
            "pass at least one of each."
        )
    values = table.to_numpy(dtype=float)
    wrong = values[(values < 0) | (values > 1)]
    if wrong.size:
        raise ValueError(
            f"Shares lie between 0 and 1, but got {wrong[0]:.3g}: divide per cents by 100."
        )


def per_cent(share: float) -> str:
    """Write a share, so that 99.6 % does not pass for 100 %."""
    return f"{100 * share:.3g} %"


def legend_above(ax: Axes) -> None:
    """Name the marks or bars above the picture."""
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)


def plot_leak(
    moved: ArrayLike,
    tokens: Sequence[str],
    *,
    tolerance: float = 1e-5,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw which outputs move when one token is changed: none may move for a token to come.

    Parameters
    ----------
    moved
        (T, T), at least 0: how far the output at the row's position moves when the column's token
        is changed, in whatever unit.
    tokens
        The T tokens that the decoder reads.
    tolerance
        Moves up to this are rounding, in the same unit.
    ax
        Where to draw; a new figure, if not given.
    title
        Stands above the finding.

    Returns
    -------
    matplotlib.axes.Axes
        The future, columns right of the diagonal, is hatched; where an output moved all the same,
        the cell is orange. The title says how many did.

    Raises
    ------
    ValueError
        If `moved` is not T x T, or has values that are not finite or negative.

    Examples
    --------
    >>> plot_leak(np.tri(3), ["<s>", "lo", "cano"]).get_title()
    'No output moves when a later token is changed'
    """
    moved = np.asarray(moved, dtype=float)
    if moved.shape != (len(tokens), len(tokens)):
        raise ValueError(
            f"Got moves of shape {moved.shape} for {len(tokens)} tokens: pass a row and a column "
            "for each token."
        )
    if moved.size == 0 or not (np.isfinite(moved) & (moved >= 0)).all():
        raise ValueError("Moves are finite and at least 0: pass the size of the difference.")
    ax = ax or new_heatmap_axes(tokens, tokens)
    future = ~np.tri(len(tokens), dtype=bool)
    leaks = future & (moved > tolerance)
    scale = {"vmin": 0, "vmax": max(moved.max(), tolerance), "ax": ax}
    sns.heatmap(
        moved,
        mask=future,
        cmap=ATTENTION,
        cbar_kws={"label": "how far the output moves", "shrink": 0.6},
        **scale,
    )
    sns.heatmap(moved, mask=~leaks, cmap=ALARM, cbar=False, **scale)
    hatch_future(ax, len(tokens))
    outline(ax)
    name_ticks(ax.xaxis, tokens)
    name_ticks(ax.yaxis, tokens)
    ax.set_xlabel("the token that is changed")
    ax.set_ylabel("the output at this token")
    finding = "No output moves when a later token is changed"
    if leaks.any():
        finding = f"LEAK: {leaks.sum()} of {future.sum()} times, a later token moves an output"
    ax.set_title(f"{title}\n{finding}" if title else finding, parse_math=False)
    return ax


def hatch_future(ax: Axes, count: int) -> None:
    """Hatch the cells right of the diagonal, below what is drawn in them, and outline them."""
    stairs = [corner for i in range(1, count) for corner in ((i, i - 1), (i, i))]
    edge = [*stairs, (count, count - 1), (count, 0)]
    ax.add_patch(Polygon(edge, fill=False, hatch="////", edgecolor=FAINT, linewidth=0, zorder=0.5))
    ax.add_patch(Polygon(edge, fill=False, edgecolor=INK, linewidth=1.2, zorder=3, clip_on=False))


def plot_knockout(table: pd.DataFrame, *, chance: float = 0.5, ax: Axes | None = None) -> Axes:
    """Draw how often the pronoun is right when it may not read a word: groups of bars.

    Parameters
    ----------
    table
        Shares from 0 to 1; the index says what may not be read, the columns name the models.
    chance
        What guessing gives; it is marked.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the table is empty or has values that are no shares.

    Examples
    --------
    >>> table = pd.DataFrame({"guided": [1.0, 0.56]}, index=["nothing", "its antecedent"])
    >>> [text.get_text() for text in plot_knockout(table).texts]
    ['100 %', '56 %', 'chance, 50 %']
    """
    check_shares(table)
    ax = ax or plt.subplots(figsize=(7, 3.4), layout="constrained")[1]
    groups = np.arange(len(table))
    width = 0.8 / table.shape[1]
    for i, name in enumerate(table):
        place = groups + (i - (table.shape[1] - 1) / 2) * width
        colour = CATEGORICAL[i % len(CATEGORICAL)]
        bars = ax.bar(place, table[name], 0.92 * width, color=colour, label=literal(str(name)))
        ax.bar_label(bars, [per_cent(share) for share in table[name]], padding=2)
    mark_level(ax, chance, f"chance, {per_cent(chance)}")
    ax.set_xticks(groups, [literal(str(name)) for name in table.index])
    ax.set_ylim(0, 1.1)
    ax.set_yticks(np.linspace(0, 1, 5))
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set(xlabel="what the pronoun may not read", ylabel="pronouns right")
    legend_above(ax)
    return ax
