"""What each word that is written reads of a sound, over time, above the sound itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.mlab import specgram
from numpy.typing import NDArray

from regard.measures.timing import FILTER, Alignment, alignment
from regard.pictures.axes import inches, name_ticks, new_axes, outline
from regard.pictures.cells import MANY, in_lines
from regard.pictures.given import given_axes
from regard.pictures.style import ATTENTION, CATEGORICAL, INK, PAPER
from regard.record.given import ROUNDING
from regard.record.places import Samples
from regard.record.trace import Trace

PATH = CATEGORICAL[4]
WINDOW = 0.025  # seconds of sound that a column of the spectrogram is of
QUIETEST = -50  # decibels below the loudest; what is quieter is paper
HIGHEST = 8000  # hertz that are drawn: speech has little above
LOUDNESS = LinearSegmentedColormap.from_list("loudness", [PAPER, INK])
WIDTH, ROW = 7.0, 0.32  # inches
SECOND, WIDEST = 0.4, 11.0  # inches, of a long sound
HEIGHTS = (3, 2)  # of the words, and of the sound below them, as parts of both
MOST_INCHES = 7.5  # of a new figure's height


def plot_alignment(
    seen: Trace,
    heads: Sequence[Sequence[int]],
    *,
    kind: str | None = None,
    filter_width: int = FILTER,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw what each word reads of the sound it was written from, above the sound.

    Parameters
    ----------
    seen, heads, kind, filter_width
        As for `regard.word_times`.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes
        A row for each word, over seconds: the mean weights of the heads, and of a word's tokens.
        The line is the path of `word_times`, from word to word. Below, on an Axes of its own that
        shares the seconds, how loud each pitch is, and where each word starts; an Axes that was
        given makes room for it. The title says how much of the attention goes to silence that was
        added after the sound.

    Raises
    ------
    TypeError, ValueError
        As `regard.word_times`, and if `ax` is no Axes.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from regard.record.places import Media, Stretch
    >>> weights = [[0.6, 0.4, 0.0, 0.0], [0.0, 0.1, 0.8, 0.1], [0.0, 0.0, 0.1, 0.9]]
    >>> seen = Trace.from_weights(weights, kind="cross", target_tokens=["<s>", "do", "re"])
    >>> frames = [Stretch(at / 2, (at + 1) / 2) for at in range(4)]
    >>> target = replace(seen.target, special=[True, False, False])
    >>> media = Media(sound=np.ones(2000, dtype=np.float32), rate=1000)
    >>> source = replace(seen.source, places=frames)
    >>> seen = replace(seen, source=source, target=target, media=media)
    >>> plot_alignment(seen, [(0, 0)]).get_title()
    'Cross-attention, layer 0, head 0'
    """
    found = alignment(seen, heads, kind=kind, filter_width=filter_width)
    count = len(found.words)
    height = max(ROW * count, 1.2) * sum(HEIGHTS) / HEIGHTS[0] + 1
    end = found.frames[-1].end
    width = min(max(WIDTH, SECOND * end), WIDEST)
    ax = given_axes(ax) or new_axes(width, min(height, MOST_INCHES))
    below = _below(ax)
    weights = np.stack([found.weights[group].mean(axis=0) for group in found.groups])  # (words, T)
    shown = ax.imshow(
        weights,
        cmap=ATTENTION,
        vmin=0,
        vmax=float(weights.max()) or 1,
        extent=(found.frames[0].start, end, count, 0),
        aspect="auto",
    )
    _draw_path(found, ax)
    name_ticks(ax.yaxis, found.words)
    ax.set_ylabel("the word that is written")
    ax.set_title(in_lines(_title(found), width - inches(found.words)), parse_math=False)
    name, share = "attention weight of a frame", HEIGHTS[0] / sum(HEIGHTS)
    both = [ax, below]
    ax.figure.colorbar(shown, ax=both, label=name, shrink=share, anchor=(0, 1), aspect=15)
    outline(ax)
    ax.tick_params(labelbottom=False, length=0)
    _draw_sound(seen.media.sound, seen.media.rate, end, below)
    thin = 1 if count <= MANY else 0.5
    for start in found.table["start"]:
        below.axvline(start, color=PATH, linewidth=thin)
    ax.set_xlim(found.frames[0].start, end)
    return ax


def _below(ax: Axes) -> Axes:
    """Part an Axes in two, one above the other, that share their seconds; give the lower one."""
    upper, lower = HEIGHTS
    spec = ax.get_subplotspec()
    if spec is not None:
        parts = spec.subgridspec(2, 1, height_ratios=HEIGHTS, hspace=0.06)
        ax.set_subplotspec(parts[0])
        return ax.figure.add_subplot(parts[1], sharex=ax)
    left, bottom, width, height = ax.get_position().bounds  # it was placed by hand
    part = height * lower / (upper + lower)
    ax.set_position((left, bottom + part, width, height - part))
    return ax.figure.add_axes((left, bottom, width, 0.94 * part), sharex=ax)


def _draw_path(found: Alignment, ax: Axes) -> None:
    """Draw a line through the middle of each row while its word is said, and on to the next."""
    table = found.table
    times = table[["start", "end"]].to_numpy().ravel()
    rows = np.repeat(np.arange(len(table)) + 0.5, 2)
    ax.plot(times, rows, color=PATH, linewidth=1.5)


def _draw_sound(samples: Samples | None, rate: int, end: float, ax: Axes) -> None:
    """Draw how loud each pitch is: dark is loud."""
    ax.set_xlabel("seconds; lines: where each word starts")
    outline(ax)
    if samples is None:
        ax.set(yticks=[])
        return
    decibels, pitches, times = spectrogram(samples[: round(end * rate)], rate)
    ax.pcolormesh(
        times, pitches / 1000, decibels, cmap=LOUDNESS, vmin=QUIETEST, vmax=0, rasterized=True
    )
    ax.set_ylabel("pitch in kHz")


def spectrogram(samples: Samples, rate: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Give how loud each pitch is at each time.

    Returns
    -------
    tuple
        Decibels below the loudest, (F, T); the F pitches in hertz; the T times in seconds.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000).astype(np.float32)
    >>> decibels, pitches, times = spectrogram(tone, 8000)
    >>> float(pitches[decibels[:, 10].argmax()])
    1000.0
    """
    window = min(max(round(WINDOW * rate), 2), len(samples))
    found = specgram(samples, NFFT=window, Fs=rate, noverlap=window // 2)
    power, pitches, times = map(np.asarray, found)
    loudest = power.max() or 1.0
    decibels = 10 * np.log10(np.maximum(power / loudest, 10 ** (QUIETEST / 10)))
    heard = pitches <= HIGHEST
    return decibels[heard], pitches[heard], times


def _title(found: Alignment) -> str:
    """Say which heads these are, and what of their attention is not shown."""
    title = str(found.heads[0]).capitalize()
    if len(found.heads) > 1:
        pairs = ", ".join(f"{head.layer}.{head.head}" for head in found.heads)
        title = f"{title.partition(',')[0]}, mean of {len(found.heads)} heads: {pairs}"
    if found.left_out > ROUNDING:
        title += f"\n{found.left_out:.0%} of the attention goes to silence after the sound"
    return title
