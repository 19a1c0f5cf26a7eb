"""Two traces side by side: which heads read otherwise, and where."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regard.record.kinds import plain, title_of
from regard.record.trace import Trace, a_trace

Pairs = list[tuple[int, int]]  # places of one token in the first trace and in the second
Row = tuple[str, int, int, float, str | None, float]  # of the table that `compare` gives


class Difference(NamedTuple):
    """What a head reads more in the second trace than in the first, token by token."""

    weights: NDArray[np.float32]  # (Q, K), second minus first
    queries: list[str]
    keys: list[str]


def align_tokens(first: list[str], second: list[str]) -> Pairs:
    """Pair the tokens of two sentences, in order: equal ones, and those that stand for each other.

    A stretch of tokens that was replaced by as many others is paired one by one; other tokens that
    only one side has are left out.

    Examples
    --------
    >>> align_tokens(["it", "was", "too", "tired"], ["it", "was", "wide"])
    [(0, 0), (1, 1)]
    >>> align_tokens(["too", "tired", "."], ["too", "wide", "."])
    [(0, 0), (1, 1), (2, 2)]
    """
    pairs: Pairs = []
    for change, a, b, c, d in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if change == "equal" or (change == "replace" and b - a == d - c):
            pairs += zip(range(a, b), range(c, d), strict=True)
    return pairs


def compare(first: Trace, second: Trace) -> pd.DataFrame:
    """Rank heads by how differently they read in two traces.

    The traces are of a minimal pair, of two checkpoints, or of two models with one tokenizer.

    Parameters
    ----------
    first, second
        From `regard.trace`; their tokens are aligned as `align_tokens` does.

    Returns
    -------
    pandas.DataFrame
        One head a row, those that changed most first: `kind`, `layer`, `head`, `change`, and
        `query`, `query_change`: the token whose reading changed most, and by how much. A change is
        the total variation distance of a row over the aligned keys, half the sum of the absolute
        differences: 0 where both read alike, 1 where they read nothing in common; `change` is its
        mean over the aligned queries. Where the traces share no token, as a decoder's do when two
        models write nothing alike, nothing can be said: those heads come last, their changes NaN.

    Raises
    ------
    TypeError
        If one is no trace.
    ValueError
        If no kind, layer and head is in both, or no token is.

    Examples
    --------
    >>> first = Trace.from_weights([[1.0, 0.0], [0.5, 0.5]], tokens=["the", "dog"])
    >>> second = Trace.from_weights([[1.0, 0.0], [0.0, 1.0]], tokens=["the", "cow"])
    >>> compare(first, second)
          kind  layer  head  change query  query_change
    0  encoder      0     0    0.25   dog           0.5
    """
    places = list(_places(a_trace(first), a_trace(second)))
    rows = [row for kind, layer in places for row in _rows(first, second, kind, layer)]
    columns = ["kind", "layer", "head", "change", "query", "query_change"]
    table = pd.DataFrame(rows, columns=columns)
    if table["change"].isna().all():
        raise _no_shared_token(*places[0])
    return table.sort_values("change", ascending=False, kind="stable", ignore_index=True)


def difference(
    first: Trace, second: Trace, layer: int, head: int, *, kind: str | None = None
) -> Difference:
    """Subtract what a head reads in the first trace from what it reads in the second.

    Raises
    ------
    TypeError
        If one is no trace.
    ValueError
        If there is no such kind, layer or head in both, or the traces share no token there.

    Examples
    --------
    >>> first = Trace.from_weights([[1.0, 0.0], [0.5, 0.5]], tokens=["the", "dog"])
    >>> second = Trace.from_weights([[1.0, 0.0], [0.0, 1.0]], tokens=["the", "cow"])
    >>> difference(first, second, layer=0, head=0)
    Difference(weights=array([[ 0. ,  0. ],
           [-0.5,  0.5]], dtype=float32), queries=['the', 'dog / cow'], keys=['the', 'dog / cow'])
    """
    kind = a_trace(first).kind_or_first(kind)
    queries, keys = _aligned(first, a_trace(second), kind, layer)
    if not queries or not keys:
        raise _no_shared_token(kind, layer)
    parts = [
        _part(trace.weights(layer, head, kind=kind), queries, keys, side)
        for side, trace in enumerate((first, second))
    ]
    names = [trace.labels(layer, kind=kind) for trace in (first, second)]
    return Difference(
        parts[1] - parts[0],
        [_both(names[0].queries[a], names[1].queries[b]) for a, b in queries],
        [_both(names[0].keys[a], names[1].keys[b]) for a, b in keys],
    )


def _places(first: Trace, second: Trace) -> Iterator[tuple[str, int]]:
    """Give the kinds and layers that both traces have, with as many heads."""
    found = False
    for kind in first.kinds:
        others = second.layers.get(kind, {})
        for layer, seen in first.layers[kind].items():
            if layer in others and others[layer].shape[0] == seen.shape[0]:
                found = True
                yield kind, layer
    if not found:
        raise ValueError(
            f"Nothing to compare: {first!r} and {second!r} share no kind and layer with as many "
            "heads."
        )


def _rows(first: Trace, second: Trace, kind: str, layer: int) -> Iterator[Row]:
    """Say of each head of a layer how much it changed, and whose reading most."""
    queries, keys = _aligned(first, second, kind, layer)
    if not queries or not keys:
        for head in range(first.layer(layer, kind).shape[0]):
            yield kind, layer, head, np.nan, None, np.nan
        return
    before, after = (
        _part(trace.weights(layer, kind=kind), queries, keys, side)
        for side, trace in enumerate((first, second))
    )  # (h, Q, K)
    names = first.labels(layer, kind=kind).queries
    distances = np.abs(after - before).sum(axis=-1) / 2  # (h, Q)
    for head, of_head in enumerate(distances):
        most = int(of_head.argmax())
        yield kind, layer, head, of_head.mean(), names[queries[most][0]], of_head[most]


def _aligned(first: Trace, second: Trace, kind: str, layer: int) -> tuple[Pairs, Pairs]:
    """Pair the queries and the keys of a layer; there may be none."""
    labels = [trace.labels(layer, kind=kind) for trace in (first, second)]
    queries = align_tokens(labels[0].queries, labels[1].queries)
    keys = align_tokens(labels[0].keys, labels[1].keys)
    return queries, keys


def _no_shared_token(kind: str, layer: int) -> ValueError:
    advice = "compare sentences that are alike, read with one tokenizer"
    if plain(kind) != "encoder":
        advice += ", and trace both with one target= where the models write nothing alike"
    return ValueError(f"The traces share no token in {title_of(kind)}, layer {layer}: {advice}.")


def _part(
    weights: NDArray[np.float32], queries: Pairs, keys: Pairs, side: int
) -> NDArray[np.float32]:
    """Take the rows and columns of the aligned tokens: (..., Q, K)."""
    rows, columns = ([pair[side] for pair in pairs] for pairs in (queries, keys))
    return weights[..., rows, :][..., columns]


def _both(one: str, other: str) -> str:
    return one if one == other else f"{one} / {other}"
