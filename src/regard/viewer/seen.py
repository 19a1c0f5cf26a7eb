"""What is seen of a trace as someone looks at it: words, one sentence of two, several heads as one.

The front end does the same for the eye: `together.ts` and `sentence_pairs.ts`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regard.record.kinds import Head
from regard.record.trace import Trace
from regard.viewer.contract import Look
from regard.viewer.packing import merged

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """A matrix of weights, (Q, K), with the tokens that read and are read, and what it is of.

    Where one head is compared with another, it is the difference of their weights.
    """

    weights: Matrix
    queries: list[str]
    keys: list[str]
    title: str
    is_difference: bool = False


def looked_at(trace: Trace, *, words: bool, hide: bool) -> Trace:
    """Merge tokens to words, where that can be told, or leave special ones out, or both.

    Examples
    --------
    >>> looked_at(Trace.from_weights([[1.0]], tokens=["the"]), words=True, hide=False).tokens
    ['the']
    """
    shown = (merged(trace) or trace) if words else trace
    return shown.hide() if hide else shown


def is_plain(look: Look) -> bool:
    """Say whether one head is seen, with all its rows and columns."""
    return look["pair"] is None and not is_one(look)


def is_one(look: Look) -> bool:
    """Say whether several heads are seen as one."""
    return look["together"] != "beside" and len(look["pins"]) > 1


def seen_of(trace: Trace, selected: Head, look: Look) -> Seen:
    """Give what is seen.

    Raises
    ------
    ValueError
        If the heads have other tokens than each other, or there is no such sentence.

    Examples
    --------
    >>> from regard.viewer.look import checked
    >>> trace = Trace.from_weights([[[1.0, 0.0], [0.25, 0.75]], [[1.0, 0.0], [0.75, 0.25]]])
    >>> pins = [{"kind": "encoder", "layer": 0, "head": head} for head in (0, 1)]
    >>> mean = seen_of(trace, trace.head(0, 0), checked({"pins": pins, "together": "mean"}, trace))
    >>> mean.title, mean.weights.tolist()
    ('Mean of 2 heads', [[1.0, 0.0], [0.5, 0.5]])
    """
    heads = [Head(**pin) for pin in look["pins"]] if is_one(look) else [selected]
    heads = heads[:2] if look["together"] == "difference" else heads
    sentence_pair = look["pair"]
    whole = looked_at(trace, words=look["words"], hide=False)
    shown = whole.hide() if look["hide"] and not sentence_pair else whole
    layer, kind = heads[0].layer, heads[0].kind
    labels = shown.labels(layer, kind=kind)
    rows, columns = (np.ones(len(side), dtype=bool) for side in labels)
    if sentence_pair:
        sides = zip(whole.special(kind), sentence_pair, strict=True)
        rows, columns = (sentences_of(special) == number for special, number in sides)
    weights = combined([_weights(shown, head, labels) for head in heads], look["together"])
    return Seen(
        weights[rows][:, columns],
        [name for name, is_seen in zip(labels.queries, rows, strict=True) if is_seen],
        [name for name, is_seen in zip(labels.keys, columns, strict=True) if is_seen],
        title_of(heads, look["together"]),
        is_difference=len(heads) > 1 and look["together"] == "difference",
    )


def _weights(trace: Trace, head: Head, labels: object) -> Matrix:
    kind, layer, number = head
    if trace.labels(layer, kind=kind) != labels:
        raise ValueError(f"{head} has other tokens than the first pinned head: unpin it.")
    return trace.weights(layer, number, kind=kind)


def combined(weights: list[Matrix], together: str) -> Matrix:
    """Make one matrix of several: their mean, the largest of each weight, or a difference."""
    if len(weights) == 1:
        return weights[0]
    stacked = np.stack(weights)  # (heads, Q, K)
    if together == "difference":
        return np.asarray(stacked[0] - stacked[1])
    return np.asarray(stacked.max(axis=0) if together == "largest" else stacked.mean(axis=0))


def sentences_of(special: list[bool]) -> NDArray[np.int64]:
    """Give the number of each token's sentence: what stands between special tokens; of these, -1.

    Examples
    --------
    >>> sentences_of([True, False, False, True, False, True]).tolist()
    [-1, 0, 0, -1, 1, -1]
    """
    is_inside = ~np.asarray(special, dtype=bool)
    is_first = is_inside & ~np.concatenate([[False], is_inside[:-1]])
    return np.where(is_inside, np.cumsum(is_first) - 1, -1)


def title_of(heads: list[Head], together: str) -> str:
    """Name heads that are seen as one."""
    if len(heads) == 1:
        return str(heads[0]).capitalize()
    if together == "difference":
        return " less ".join(f"layer {head.layer}, head {head.head}" for head in heads).capitalize()
    return f"{'Largest weight' if together == 'largest' else 'Mean'} of {len(heads)} heads"
