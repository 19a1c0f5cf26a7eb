"""Heads that do what heads are known to do: read the word before, the first, the same once more."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from regard.record.kinds import plain
from regard.record.layers import Layer
from regard.record.regrouping import sides_of
from regard.record.streams import blocks, each_head
from regard.record.trace import Trace, a_trace

Pattern = Literal["previous", "next", "same", "first", "special", "duplicate", "induction"]
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
Measure = Literal["share", "mul", "abs"]
MEASURES: tuple[Measure, ...] = get_args(Measure)


def score_patterns(trace: Trace, measure: Measure = "share") -> pd.DataFrame:
    """Score each head of self-attention for each known behaviour.

    Parameters
    ----------
    trace
        From `regard.trace`. A text without repetition says nothing about induction and duplicates.
    measure
        - "share": the attention that a query gives to the keys of the pattern, on average over the
          queries that have such keys; 1 where it gives all.
        - "mul": the attention to the keys of the pattern, of all queries, divided by all attention.
        - "abs": 1 - the difference between the attention and the pattern, summed over the keys and
          averaged over all queries; from -1 to 1. A query with no key in the pattern, or several,
          cannot follow it, so that even a perfect head may not reach 1.

    Returns
    -------
    pandas.DataFrame
        One head a row: `kind`, `layer`, `head`, and a column for each of `PATTERNS`:

        - `previous`, `next`, `same`: the key before the query, after it, and its own;
        - `first`, `special`: the first key, and special tokens such as [CLS];
        - `duplicate`: earlier keys with the query's own token;
        - `induction`: keys after an earlier occurrence of the query's token.

        NaN where no query has such keys. Cross-attention is left out.

    Raises
    ------
    ValueError
        If there is no such measure, or no self-attention whose rows and columns are the tokens.

    Notes
    -----
    Duplicate-token and induction heads are those of Elhage et al. (2021), *A mathematical framework
    for Transformer circuits*, and Olsson et al. (2022), *In-context learning and induction heads*.
    "mul" and "abs" are the error measures of TransformerLens' `detect_head`, whose "abs" is rounded
    to three digits.

    Examples
    --------
    >>> seen = Trace.from_weights([[1.0, 0.0], [1.0, 0.0]], tokens=["the", "dog"])
    >>> score_patterns(seen)[["previous", "same", "first"]]
       previous  same  first
    0       1.0   0.5    1.0
    """
    if measure not in MEASURES:
        raise ValueError(f"There is no measure {measure!r}: choose from {MEASURES}.")
    rows = [
        (kind, number, head, *scores)
        for kind in a_trace(trace).kinds
        if plain(kind) != "cross"
        for number, layer in trace.layers[kind].items()
        for head, scores in enumerate(_scores(trace, kind, layer, measure))
    ]
    if not rows:
        raise ValueError(
            f"Patterns are those of self-attention, but this trace has only {trace.kinds}."
        )
    return pd.DataFrame(rows, columns=["kind", "layer", "head", *PATTERNS])


def pattern_rows(
    tokens: Sequence[str] | Sequence[int], special: Sequence[bool], rows: slice
) -> Tensor:
    """Say which keys each of some queries should read: bool (patterns, Q', N).

    Examples
    --------
    >>> wanted = pattern_rows(["a", "b", "a"], [False] * 3, slice(2, 3))
    >>> [name for name, keys in zip(PATTERNS, wanted[:, 0], strict=True) if keys[1]]
    ['previous', 'induction']
    """
    codes = torch.from_numpy(np.unique(list(tokens), return_inverse=True)[1])  # (N,)
    key = torch.arange(len(codes))
    query = key[rows, None]
    is_duplicate = (codes == codes[rows, None]) & (key < query)
    is_special = torch.tensor(list(special), dtype=torch.bool)
    patterns = {
        "previous": key == query - 1,
        "next": key == query + 1,
        "same": key == query,
        "first": (key == 0).expand_as(is_duplicate),
        "special": is_special.expand_as(is_duplicate),
        "duplicate": is_duplicate,
        "induction": torch.nn.functional.pad(is_duplicate, (1, 0))[:, :-1],
    }
    return torch.stack([patterns[name] for name in PATTERNS])


def _scores(trace: Trace, kind: str, layer: Layer, measure: Measure) -> list[list[float]]:
    """Score each head of a layer: (heads, patterns)."""
    tokens = sides_of(trace, kind)[0].told_apart
    special, _ = trace.special(kind)
    if layer.shape[1:] != (len(tokens), len(tokens)):
        raise ValueError(
            f"A {kind} layer attends from {layer.shape[1]} to {layer.shape[2]} places, but there "
            f"are {len(tokens)} tokens: patterns need rows and columns that are the tokens."
        )
    wanted = partial(pattern_rows, tokens, special)
    with torch.no_grad():
        return [SCORES[measure](head, wanted).tolist() for head in each_head(layer)]


Wanted = Callable[[slice], Tensor]  # some rows of every pattern


def _share(head: Layer, wanted: Wanted) -> Tensor:
    given, asked = torch.zeros(len(PATTERNS), dtype=torch.float64), torch.zeros(len(PATTERNS))
    for rows, weights in blocks(head):
        patterns = wanted(rows)
        given += (weights.cpu() * patterns).double().sum(dim=(1, 2))
        asked += patterns.any(dim=-1).sum(dim=-1)
    return given / asked


def _mul(head: Layer, wanted: Wanted) -> Tensor:
    given, total = torch.zeros(len(PATTERNS), dtype=torch.float64), 0.0
    for rows, weights in blocks(head):
        given += (weights.cpu() * wanted(rows)).double().sum(dim=(1, 2))
        total += float(weights.double().sum())
    return given / total


def _abs(head: Layer, wanted: Wanted) -> Tensor:
    differences = torch.zeros(len(PATTERNS), dtype=torch.float64)
    for rows, weights in blocks(head):
        differences += (weights.cpu() - wanted(rows).float()).abs().double().sum(dim=(1, 2))
    return 1 - differences / head.shape[1]


SCORES: dict[Measure, Callable[[Layer, Wanted], Tensor]] = {
    "share": _share,
    "mul": _mul,
    "abs": _abs,
}
