"""What tokens read of a picture, or are made of, drawn over the picture."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from regard.measures.rollout import rollout
from regard.pictures.axes import new_axes, outline
from regard.pictures.given import given_axes
from regard.pictures.style import ATTENTION, CATEGORICAL, SMALL_POINTS, literal
from regard.record.door import within
from regard.record.places import Box, Pixels
from regard.record.regrouping import sides_of
from regard.record.trace import Trace, a_trace
from regard.record.words import Side, token_at

MOST_PIXELS = 1000  # of a side, of a picture that is drawn
GREY = (0.299, 0.587, 0.114)  # how bright red, green and blue look
PALE = 0.45  # of the picture's contrast, so that colours over it are read
FAINTEST, VEIL = 0.25, 0.85  # how much of the picture the smallest and the largest weight cover
LONGEST_TITLE = 40  # characters of a token in a title
INCHES = 3.2  # of a picture's longer side
SMALL_INCHES = 1.5  # of one among many
MARK = CATEGORICAL[4]

Matrix = NDArray[np.floating[Any]]


def plot_on_image(
    seen: Trace,
    layer: int,
    head: int | None,
    query: int | str,
    *,
    kind: str | None = None,
    picture: int = 0,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw what one token reads of a picture, patch by patch, over the picture.

    Parameters
    ----------
    seen
        From `trace`, of a model that saw a picture.
    layer, head
        Counted from 0; without a head, None, the mean of all heads.
    query
        The token that reads: its place, counted from 0, or its name where one token bears it.
    kind
        One of `.kinds`; the first, if not given.
    picture
        Which, of several, counted from 0.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The picture in grey, under a colour for the weight of each patch. The title says how much of
        the attention goes to the picture; the colours go up to the largest weight of a patch. Where
        the token that reads is a patch itself, it is outlined.

    Raises
    ------
    TypeError
        If `seen` is no trace or `ax` no Axes.
    ValueError
        If there is no such head, token or picture, or none of the tokens that are read has a place
        in it.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from regard.record.places import Media
    >>> seen = Trace.from_weights([[0.25, 0.75], [1.0, 0.0]], tokens=["left", "right"])
    >>> places = [Box(0, 0, 0, 8, 8), Box(0, 8, 0, 16, 8)]
    >>> media = Media((np.zeros((8, 16, 3), dtype=np.uint8),))
    >>> seen = replace(seen, source=replace(seen.source, places=places), media=media)
    >>> plot_on_image(seen, 0, 0, "left").get_title()
    'left reads: 1 of its attention in the picture\nencoder self-attention, layer 0, head 0'
    """
    kind = a_trace(seen).kind_or_first(kind)
    rows, _ = sides_of(seen, kind)
    at = token_at(rows, query)
    weights = _weights(seen, layer, head, kind)[at]
    where = f"{seen.head(layer, head or 0, kind=kind)}"
    where = where if head is not None else f"{where.rpartition(',')[0]}, mean of its heads"
    ax, share = _one_row(seen, kind, at, weights, picture=picture, ax=ax)
    name = literal(rows.tokens[at], LONGEST_TITLE)
    ax.set_title(
        f"{name} reads: {share:.3g} of its attention in the picture\n{where}", parse_math=False
    )
    return ax


def plot_rollout_on_image(
    seen: Trace,
    query: int | str,
    *,
    kind: str | None = None,
    picture: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw which patches one token is made of after the last layer, over the picture.

    That is attention rollout: what is read is followed through all layers, and half of each token
    stays what it is in each (`regard.measures.rollout`).

    Parameters
    ----------
    seen
        From `trace`, with all layers, of a model that saw a picture.
    query
        The token: its place, counted from 0, such as that of the class token, or its name where one
        token bears it.
    kind
        One of `.kinds` of self-attention; the first, if not given.
    picture, ax
        As for `plot_on_image`.

    Returns
    -------
    matplotlib.axes.Axes
        The picture in grey, under a colour for the share of each patch. What comes from tokens that
        lie nowhere in it, such as class tokens and registers, is left out, and the title says how
        much that is.

    Raises
    ------
    TypeError, ValueError
        As `plot_on_image` and `regard.measures.rollout.rollout`.

    Notes
    -----
    Abnar and Zuidema (2020), *Quantifying attention flow in Transformers*. Shares of values and of
    the feed-forward parts are not in it, so it is no measure of cause.

    Examples
    --------
    >>> from regard.record.places import Media
    >>> from dataclasses import replace
    >>> seen = Trace.from_weights([[0.2, 0.6, 0.2], [0, 1, 0], [0, 0, 1]], ["[CLS]", "a", "b"])
    >>> places = [None, Box(0, 0, 0, 8, 8), Box(0, 8, 0, 16, 8)]
    >>> media = Media((np.zeros((8, 16, 3), dtype=np.uint8),))
    >>> seen = replace(seen, source=replace(seen.source, places=places), media=media)
    >>> plot_rollout_on_image(seen, "[CLS]").get_title().splitlines()[0]
    '[CLS] at the end: 0.4 of it comes from the picture'
    """
    kind = a_trace(seen).kind_or_first(kind)
    rows, _ = sides_of(seen, kind)
    at = token_at(rows, query)
    count = f"{seen.counts[kind]} layer{'s' if seen.counts[kind] > 1 else ''}"
    layers = f"{str(seen.head(0, 0, kind=kind)).split(',')[0]}, {count}"
    label = "share that comes from a patch"
    flow = rollout(seen, kind)[at]
    ax, share = _one_row(seen, kind, at, flow, picture=picture, ax=ax, label=label)
    ax.set_title(
        f"{literal(rows.tokens[at], LONGEST_TITLE)} at the end: {share:.3g} of it comes from the "
        f"picture\n{1 - share:.3g}, from other tokens, is left out\nrollout, {layers}",
        parse_math=False,
    )
    return ax


def plot_heads_on_image(
    seen: Trace,
    layer: int,
    query: int | str,
    *,
    kind: str | None = None,
    picture: int = 0,
) -> NDArray[Any]:
    """Draw what one token reads of a picture in every head of a layer, with one scale of colours.

    Parameters
    ----------
    seen, layer, query, kind, picture
        As for `plot_on_image`.

    Returns
    -------
    numpy.ndarray
        An Axes for each head.

    Raises
    ------
    TypeError, ValueError
        As `plot_on_image`.
    """
    kind = a_trace(seen).kind_or_first(kind)
    rows, columns = sides_of(seen, kind)
    at = token_at(rows, query)
    weights = seen.weights(layer, kind=kind)[:, at]  # (h, K)
    titles = [f"head {head}" for head in range(len(weights))]
    title = f"{literal(rows.tokens[at], LONGEST_TITLE)} reads, {seen.head(layer, 0, kind=kind)}"
    title = title.rpartition(",")[0]
    return _sheet(seen, columns, weights, titles, title=title, picture=picture)


def plot_words_on_image(
    seen: Trace,
    layer: int,
    head: int | None,
    queries: Sequence[int | str],
    *,
    kind: str | None = None,
    picture: int = 0,
) -> NDArray[Any]:
    """Draw what each of some tokens reads of a picture, side by side, with one scale of colours.

    Parameters
    ----------
    seen, layer, head, kind, picture
        As for `plot_on_image`.
    queries
        The tokens that read.

    Returns
    -------
    numpy.ndarray
        An Axes for each token.

    Raises
    ------
    TypeError, ValueError
        As `plot_on_image`.
    """
    kind = a_trace(seen).kind_or_first(kind)
    rows, columns = sides_of(seen, kind)
    places = [token_at(rows, query) for query in queries]
    if not places:
        raise ValueError("No token is named: give at least one that reads.")
    weights = _weights(seen, layer, head, kind)[places]  # (words, K)
    titles = [literal(rows.tokens[at], LONGEST_TITLE) for at in places]
    which = "mean of its heads" if head is None else f"head {head}"
    title = f"{str(seen.head(layer, 0, kind=kind)).rpartition(',')[0]}, {which}"
    return _sheet(seen, columns, weights, titles, title=title, picture=picture)


def draw_on_image(
    pixels: Pixels,
    boxes: Sequence[Box | None],
    weights: Matrix,
    ax: Axes,
    most: float | None = None,
) -> AxesImage:
    """Draw a picture in grey, and over it a colour for each box; give what a colour bar needs.

    Where boxes overlap, as a tile's and those of the whole picture do, the sum counts.
    """
    over = _over(pixels, boxes, weights)
    scale = Normalize(0, most or float(np.nanmax(over, initial=0)) or 1)
    grey = 1 - PALE * (1 - (pixels / 255) @ GREY)
    extent = (0.0, float(pixels.shape[1]), float(pixels.shape[0]), 0.0)
    ax.imshow(grey, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="antialiased")
    veil = FAINTEST + (VEIL - FAINTEST) * np.nan_to_num(scale(over)).clip(0, 1)
    shown = ax.imshow(
        over, cmap=ATTENTION, norm=scale, alpha=veil, extent=extent, interpolation="nearest"
    )
    ax.set(xticks=[], yticks=[])
    outline(ax)
    return shown


def _over(pixels: Pixels, boxes: Sequence[Box | None], weights: Matrix) -> NDArray[np.float64]:
    """Sum the weights over each pixel, of a picture that is drawn smaller; NaN outside of boxes."""
    height, width, _ = pixels.shape
    step = max(math.ceil(max(height, width) / MOST_PIXELS), 1)
    sums = np.zeros((math.ceil(height / step), math.ceil(width / step)))
    seen = np.zeros(sums.shape, dtype=bool)
    for box, weight in zip(boxes, weights, strict=True):
        if box is None:
            continue
        part = np.s_[
            _span(box.top, box.bottom, step, len(sums)),
            _span(box.left, box.right, step, sums.shape[1]),
        ]
        sums[part] += weight
        seen[part] = True
    return np.where(seen, sums, np.nan)


def _span(start: float, end: float, step: int, size: int) -> slice:
    """Give the pixels of a side, at least one, of the part of a box that is in the picture."""
    first = min(max(round(start / step), 0), size - 1)
    return slice(first, min(max(round(end / step), first + 1), size))


def _sheet(
    seen: Trace,
    columns: Side,
    weights: Matrix,
    titles: Sequence[str],
    *,
    title: str,
    picture: int,
) -> NDArray[Any]:
    """Draw several on one picture each, with one scale."""
    pixels, boxes = _picture(seen, columns, picture)
    most = max(float(np.nanmax(_over(pixels, boxes, row), initial=0)) for row in weights) or 1.0
    wide = min(len(titles), 6)
    width, height = _size(pixels, SMALL_INCHES)
    size = (max(wide * (width + 0.1) + 1, 5), math.ceil(len(titles) / wide) * (height + 0.3) + 0.6)
    figure, grid = plt.subplots(
        math.ceil(len(titles) / wide), wide, figsize=size, layout="constrained", squeeze=False
    )
    axes = grid.ravel()
    for ax, row, name in zip(axes, weights, titles, strict=False):
        drawn = draw_on_image(pixels, boxes, row, ax, most)
        ax.set_title(name, size=SMALL_POINTS + 1, parse_math=False)
    for ax in axes[len(titles) :]:
        ax.remove()
    figure.suptitle(title, parse_math=False)
    figure.colorbar(drawn, ax=list(axes[: len(titles)]), label="weight of a patch", shrink=0.7)
    return axes[: len(titles)]


def _one_row(
    seen: Trace,
    kind: str,
    at: int,
    weights: Matrix,
    *,
    picture: int,
    ax: Axes | None,
    label: str = "attention weight of a patch",
) -> tuple[Axes, float]:
    """Draw one token's weights, (K,), and give their sum in the picture.

    Where the token lies in the picture itself, it is outlined.
    """
    rows, columns = sides_of(seen, kind)
    pixels, boxes = _picture(seen, columns, picture)
    ax = given_axes(ax) or _new_axes(pixels)
    drawn = draw_on_image(pixels, boxes, weights, ax)
    own = (rows.places or [None] * len(rows.tokens))[at]
    if isinstance(own, Box) and own.picture == picture:
        _outline(own, ax)
    ax.figure.colorbar(drawn, ax=ax, label=label, shrink=0.7)
    return ax, sum(weight for weight, box in zip(weights, boxes, strict=True) if box is not None)


def _weights(seen: Trace, layer: int, head: int | None, kind: str) -> Matrix:
    """Give a head's weights, or the mean of all heads': (Q, K)."""
    weights = seen.weights(layer, head, kind=kind)
    return weights if head is not None else weights.mean(axis=0)


def _picture(seen: Trace, columns: Side, picture: int) -> tuple[Pixels, list[Box | None]]:
    """Give a picture, and for each token that is read its box there."""
    pictures = seen.media.pictures
    if not pictures:
        raise ValueError(
            "This trace has no picture: trace one with its processor, regard.trace(picture, model, "
            "processor) or regard.trace(text, model, processor, images=[picture])."
        )
    number = within("picture", picture, len(pictures), owner="this trace")
    places = columns.places or [None] * len(columns.tokens)
    boxes = [
        place if isinstance(place, Box) and place.picture == number else None for place in places
    ]
    if not any(boxes):
        with_places = [kind for kind in seen.kinds if any(sides_of(seen, kind)[1].places or ())]
        raise ValueError(
            f"None of the tokens that are read here has a place in picture {number}; tokens of "
            f"these kinds have places: {with_places}."
        )
    return pictures[number], boxes


def _size(pixels: Pixels, longest: float) -> tuple[float, float]:
    """Give width and height in inches."""
    height, width, _ = pixels.shape
    scale = longest / max(height, width)
    return max(width * scale, longest / 4), max(height * scale, longest / 4)


def _new_axes(pixels: Pixels) -> Axes:
    width, height = _size(pixels, INCHES)
    return new_axes(max(width + 1.4, 5), height + 0.9)


def _outline(box: Box, ax: Axes) -> None:
    corner, wide, high = (box.left, box.top), box.right - box.left, box.bottom - box.top
    ax.add_patch(Rectangle(corner, wide, high, fill=False, edgecolor=MARK, linewidth=2))
