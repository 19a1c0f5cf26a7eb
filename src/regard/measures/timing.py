"""When each word was said: read off heads that align what a decoder writes with what it hears.

The way is that of Whisper's own code: Radford et al. (2022), *Robust speech recognition via
large-scale weak supervision*, `whisper/timing.py`, as transformers has it, too. The weights of each
frame are standardised over the tokens, smoothed over time by a median, averaged over the heads; of
the paths that only go forward, the one that gathers most is found by dynamic time warping.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regard.record.door import described, whole_number
from regard.record.kinds import Head, plain
from regard.record.places import Stretch
from regard.record.regrouping import sides_of
from regard.record.trace import Trace, a_trace
from regard.record.words import Groups, Side, word_groups, word_name

FILTER = 7  # frames; Whisper's
A_TIME = re.compile(r"<\|\d+\.\d\d\|>")  # such as <|1.20|>, which Whisper writes between words

Matrix = NDArray[np.floating[Any]]
Path = NDArray[np.int64]


@dataclass(frozen=True)
class Alignment:
    """What is written beside what is heard."""

    weights: Matrix  # (Q, T): the mean of the heads, of the rows that write
    frames: list[Stretch]  # T, of the sound; those of silence that was added are left out
    starts: NDArray[np.float64]  # (Q,): when the path comes to each row, in seconds
    groups: Groups  # the rows that write each word
    words: list[str]
    heads: list[Head]
    left_out: float  # the share of the attention that goes to other frames

    @property
    def table(self) -> pd.DataFrame:
        """A word a row: `word`, `start`, `end`."""
        starts = [self.starts[group[0]] for group in self.groups]
        ends = [self.starts[group[-1] + 1] for group in self.groups]
        return pd.DataFrame({"word": self.words, "start": starts, "end": ends})


def word_times(
    seen: Trace,
    heads: Sequence[Sequence[int]],
    *,
    kind: str | None = None,
    filter_width: int = FILTER,
) -> pd.DataFrame:
    """Say when each word was said that a speech model writes.

    Parameters
    ----------
    seen
        From `trace` or `trace_generation` of a model that writes what it hears, with the sound and
        the model's processor.
    heads
        Pairs of a layer and a head, counted from 0, whose mean is taken: those of
        `model.generation_config.alignment_heads` of a Whisper that someone trained.
    kind
        One of `.kinds`; that of cross-attention, if not given.
    filter_width
        Of the median over time, in frames: an odd number. 1 smooths nothing.

    Returns
    -------
    pandas.DataFrame
        A row for each word: `word`, `start` and `end` in seconds. A word starts where the path
        comes to the row that writes its first token, and ends where the next token is written, so
        that silence after a word is its own. Of a generation that was cut off, the last token,
        which is written but not read, is in no word.

    Raises
    ------
    TypeError
        If `seen` is no trace, or numbers are no whole numbers.
    ValueError
        If there is no such kind or head, it reads no sound, or no word was written.

    Notes
    -----
    As in Whisper's own code, a token's row is the one that writes it; transformers takes the one
    that reads it, which is one row further. As in transformers, frames after the end of the sound
    are left out after the softmax, not before.

    Examples
    --------
    >>> from dataclasses import replace
    >>> weights = [[0.6, 0.4, 0.0, 0.0], [0.0, 0.1, 0.8, 0.1], [0.0, 0.0, 0.1, 0.9]]
    >>> seen = Trace.from_weights(weights, kind="cross", target_tokens=["<s>", "do", "re"])
    >>> frames = [Stretch(at / 2, (at + 1) / 2) for at in range(4)]
    >>> target = replace(seen.target, special=[True, False, False])
    >>> seen = replace(seen, source=replace(seen.source, places=frames), target=target)
    >>> word_times(seen, [(0, 0)], filter_width=1)
      word  start  end
    0   do    0.0  1.0
    1   re    1.0  1.5
    """
    return alignment(seen, heads, kind=kind, filter_width=filter_width).table


def alignment(
    seen: Trace,
    heads: Sequence[Sequence[int]],
    *,
    kind: str | None = None,
    filter_width: int = FILTER,
) -> Alignment:
    """Align what is written with what is heard; see `word_times`."""
    seen = a_trace(seen).whole or seen  # words merged, or tokens hidden, are other rows
    kind = _kind(seen, kind)
    pairs = [_pair(one) for one in _several(heads)]
    weights = np.stack([seen.weights(*pair, kind=kind) for pair in pairs])  # (heads, Q, T)
    rows, columns = sides_of(seen, kind)
    first, groups = _words(rows)
    frames, is_heard = _frames(seen, columns)
    written = weights[:, first:]
    heard = written[..., is_heard]
    path = monotone_path(emphasised(heard, filter_width))
    starts = np.array([frames[at].start for at in first_frames(path)])
    return Alignment(
        heard.mean(axis=0),
        frames,
        starts,
        [[at - 1 - first for at in group] for group in groups],
        [word_name(rows, group) for group in groups],
        [seen.head(*pair, kind=kind) for pair in pairs],
        float(1 - heard.sum() / written.sum()),
    )


def emphasised(weights: Matrix, filter_width: int = FILTER) -> NDArray[np.float64]:
    """Bring out what each token reads more than others do.

    Parameters
    ----------
    weights
        (heads, Q, T).
    filter_width
        Of the median over time: an odd number of frames.

    Returns
    -------
    numpy.ndarray
        (Q, T): standardised over the tokens, smoothed over time, and averaged over the heads. 0
        where all tokens read a frame alike.

    Raises
    ------
    TypeError, ValueError
        If the width is no odd number.

    Examples
    --------
    >>> emphasised(np.array([[[0.9, 0.5, 0.1], [0.1, 0.5, 0.9]]]), filter_width=1).tolist()
    [[1.0, 0.0, -1.0], [-1.0, 0.0, 1.0]]
    """
    if whole_number("filter_width", filter_width) < 1 or filter_width % 2 == 0:
        raise ValueError(
            f"filter_width is an odd number of frames, from 1 on, but got {filter_width}."
        )
    weights = weights.astype(np.float64)
    spread = weights.std(axis=-2, keepdims=True)
    less_mean = weights - weights.mean(axis=-2, keepdims=True)
    scores = np.divide(less_mean, spread, out=np.zeros_like(weights), where=spread > 0)
    beside = filter_width // 2
    if scores.shape[-1] > beside:
        padded = np.pad(scores, ((0, 0), (0, 0), (beside, beside)), mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, filter_width, axis=-1)
        scores = np.median(windows, axis=-1)
    return scores.mean(axis=0)


def monotone_path(gains: Matrix) -> Path:
    """Find the path from the first row and column to the last that gathers most.

    Parameters
    ----------
    gains
        (Q, T): what each row gains at each column.

    Returns
    -------
    numpy.ndarray
        (steps, 2): rows and columns, of which each step goes on by one row, by one column or both.

    Notes
    -----
    Dynamic time warping: Sakoe and Chiba (1978). Of ways that gather as much, the one that comes to
    the last rows earliest is taken. Whisper's own code and transformers take a worse way where a
    step by one row and a step by both would be alike.

    Examples
    --------
    >>> monotone_path(np.array([[1, 1, -1], [-1, -1, 1]])).tolist()
    [[0, 0], [0, 1], [1, 2]]
    """
    count = gains.shape[1]
    costs = [[0.0] + [np.inf] * count]  # to come to each place, beside an edge
    for row in gains.tolist():
        above, here = costs[-1], [np.inf]
        for column, gain in enumerate(row):
            here.append(min(above[column], above[column + 1], here[column]) - gain)
        costs.append(here)
    row, column = gains.shape
    path = []
    while row and column:
        path.append((row - 1, column - 1))
        both, up, left = costs[row - 1][column - 1], costs[row - 1][column], costs[row][column - 1]
        if left <= min(both, up):
            column -= 1
        elif both <= up:
            row, column = row - 1, column - 1
        else:
            row -= 1
    return np.array(path[::-1], dtype=np.int64)


def first_frames(path: Path) -> NDArray[np.int64]:
    """Give the column at which a path comes to each row."""
    return path[np.unique(path[:, 0], return_index=True)[1], 1]


def _kind(seen: Trace, kind: str | None) -> str:
    if kind is not None:
        return seen.kind_or_first(kind)
    found = [one for one in seen.kinds if plain(one) == "cross"]
    if not found:
        raise ValueError(
            "Words are timed by the cross-attention of a decoder that reads a sound, such as "
            f"Whisper's, but this trace has only {seen.kinds}."
        )
    return found[0]


def _several(heads: object) -> list[Any]:
    found = list(heads) if isinstance(heads, Sequence | np.ndarray) else []
    if not found or isinstance(heads, str) or any(np.ndim(one) != 1 for one in found):
        raise TypeError(
            "heads is a list of pairs of a layer and a head, such as [(2, 0), (3, 1)], but got "
            f"{described(heads)}."
        )
    return found


def _pair(got: Sequence[int]) -> tuple[int, int]:
    if len(got) != 2:
        raise ValueError(f"A head is a pair of a layer and a head, but got {tuple(got)}.")
    return whole_number("A layer", got[0]), whole_number("A head", got[1])


def _words(rows: Side) -> tuple[int, Groups]:
    """Give the first row that writes a word, and the tokens of each word."""
    said = [
        not special and not A_TIME.fullmatch(token)
        for token, special in zip(rows.tokens, rows.special, strict=True)
    ]
    groups = [group for group in word_groups(rows) if group[0] > 0 and said[group[0]]]
    if not groups:
        raise ValueError(
            f"This trace has no word that was written: its decoder read {rows.tokens[:9]}. Give it "
            "a target, or let it write more."
        )
    return groups[0][0] - 1, groups


def _frames(seen: Trace, columns: Side) -> tuple[list[Stretch], NDArray[np.bool_]]:
    """Give the frames of the sound, and say which these are: silence may have been added."""
    places = columns.places or []
    if not any(isinstance(place, Stretch) for place in places):
        raise ValueError(
            "What is read here has no place in a sound: trace one with its processor, "
            "regard.trace((samples, rate), model, processor)."
        )
    sound, rate = seen.media.sound, seen.media.rate
    end = np.inf if sound is None else len(sound) / rate
    frames = [place for place in places if isinstance(place, Stretch) and place.start < end]
    if not frames:
        raise ValueError(
            f"None of the {len(places)} frames that are read lies within the sound, which ends at "
            f"{end:.3g} seconds."
        )
    is_heard = [isinstance(place, Stretch) and place.start < end for place in places]
    return frames, np.array(is_heard)
