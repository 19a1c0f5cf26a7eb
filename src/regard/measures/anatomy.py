"""Why one weight is what it is: from a query and a key to the softmax, step by step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from regard.record.door import within
from regard.record.layers import GroupedLayer, Layer, ScoredLayer
from regard.record.trace import Trace, a_trace
from regard.record.windows import WindowedLayer

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Anatomy:
    """What makes one weight of a head: weight = exp(score - log_sum).

    `dissect` makes it. The score is q k^T scale + bias, squeezed by the softcap if there is one;
    the softmax divides its exponential by the sum of those of all keys that the query may read.

    Attributes
    ----------
    query_token, key_token
        What reads and what is read.
    query, key
        The vectors, (d_k,).
    dot
        q k^T, the sum of `products`.
    scale
        Usually 1 / sqrt(d_k).
    bias
        What is added after the scale, such as a position term; 0 where there is none.
    softcap
        The bound that scores are squeezed to, or None.
    score
        What goes into the softmax; -inf where the key is masked.
    log_sum
        The logarithm of the softmax's denominator.
    sink
        The score that the head gives to no key at all, in the denominator too; where both sides
        are in one softmax (T5Gemma 2), that of all keys of the other one. None without either.
    weight
        The attention weight, between 0 and 1.
    num_keys
        How many keys the query may read.
    """

    query_token: str
    key_token: str
    query: Vector
    key: Vector
    dot: float
    scale: float
    bias: float
    softcap: float | None
    score: float
    log_sum: float
    sink: float | None
    weight: float
    num_keys: int

    @property
    def products(self) -> Vector:
        """What each dimension adds to q k^T: (d_k,)."""
        return self.query * self.key

    def to_dataframe(self) -> pd.DataFrame:
        """Give a row a dimension: `query`, `key`, `product`, and what it adds to the score."""
        table = pd.DataFrame({"query": self.query, "key": self.key, "product": self.products})
        table["adds"] = table["product"] * self.scale
        table.index.name = "dimension"
        return table

    def __str__(self) -> str:
        steps = [
            f"q k^T = {self.dot:.4g}",
            f"x scale {self.scale:.4g} = {self.dot * self.scale:.4g}",
        ]
        if self.bias:
            steps.append(f"+ bias {self.bias:.4g} = {self.dot * self.scale + self.bias:.4g}")
        if self.softcap is not None:
            squeezed = self.softcap * math.tanh((self.dot * self.scale + self.bias) / self.softcap)
            steps.append(f"squeezed to +-{self.softcap:g} = {squeezed:.4g}")
        if self.score == -math.inf:
            steps.append("masked: -inf")
        denominator = f"the sum over {self.num_keys} keys"
        if self.sink is not None:
            denominator += " and the sink"
        steps.append(f"softmax: exp(score) / {denominator} = {self.weight:.4g}")
        return f"{self.query_token} reads {self.key_token}: " + "; ".join(steps)


def dissect(
    trace: Trace, layer: int, head: int, query: int, key: int, *, kind: str | None = None
) -> Anatomy:
    """Take one weight apart: the query, the key, their score, and the softmax.

    Parameters
    ----------
    trace
        From `regard.trace`. Where words are merged, the strongest pair of their tokens is shown.
    layer, head, query, key
        Counted from 0.
    kind
        One of the trace's kinds; the first, if not given.

    Returns
    -------
    Anatomy
        Its `print` is one line; `.to_dataframe()` gives a row a dimension.

    Raises
    ------
    ValueError
        If there is no such kind, layer, head, query or key; the trace has weights, but no queries
        and keys; or the model computes its weights in a way of its own.

    Notes
    -----
    Vaswani et al. (2017), *Attention is all you need*, equation 1.

    Examples
    --------
    >>> from regard.record.words import Side
    >>> q, k = torch.tensor([[[2.0, 0.0]]]), torch.tensor([[[1.0, 5.0], [0.0, 1.0]]])
    >>> layers = {"cross": {0: ScoredLayer("cross", q, k, None, scale=0.5)}}
    >>> source, target = Side.of_names(["the", "dog"]), Side.of_names(["lo"])
    >>> seen = Trace(source, target, [], layers, {"cross": 1})
    >>> print(dissect(seen, layer=0, head=0, query=0, key=0))
    lo reads the: q k^T = 2; x scale 0.5 = 1; softmax: exp(score) / the sum over 2 keys = 0.7311
    """
    kind, layer, head = a_trace(trace).head(layer, head, kind=kind)
    seen, labels = trace.layer(layer, kind), trace.labels(layer, kind=kind)
    _, num_queries, num_keys = seen.shape
    query = within("query", query, num_queries, owner="this layer")
    key = within("key", key, num_keys, owner="this layer")
    while isinstance(seen, GroupedLayer):
        groups = seen.query_groups[query], seen.key_groups[key]
        seen = seen.layer
        query, key = strongest_pair(seen, head, *groups)
    if trace.whole is not None:  # the tokens are named, not the words
        labels = trace.whole.labels(layer, kind=kind)
    names = [labels.queries[query], labels.keys[key]]
    if isinstance(seen, WindowedLayer):
        seen, query, key = seen.at(query, key)
    with torch.no_grad():
        return _of_scores(_scored(seen, trace), head, query, key, names)


def strongest_pair(
    layer: Layer, head: int, queries: Sequence[int], keys: Sequence[int]
) -> tuple[int, int]:
    """Find, among the tokens of two words, the query and the key of the largest weight."""
    rows = slice(min(queries), max(queries) + 1)
    weights = layer.weigh(slice(head, head + 1), rows)[0].cpu()
    among = weights[[at - rows.start for at in queries]][:, list(keys)]
    best = int(among.argmax())
    return queries[best // len(keys)], keys[best % len(keys)]


def _scored(layer: Layer, trace: Trace) -> ScoredLayer:
    """Give the layer as queries, keys and scale."""
    if isinstance(layer, ScoredLayer):
        return layer
    if "queries and keys" in trace.how:
        raise ValueError(
            "This module computes its weights in a way of its own: they are not the softmax of "
            "q k^T / sqrt(d_k), nor of q k^T, over the keys that it may read, so they can't be "
            "taken apart."
        )
    raise ValueError(
        f"This trace has no queries and keys to take a weight apart: it was made from {trace.how}."
    )


def _of_scores(layer: ScoredLayer, head: int, query: int, key: int, names: list[str]) -> Anatomy:
    heads, rows = slice(head, head + 1), slice(query, query + 1)
    scores = layer.score(heads, rows)  # (1, 1, K)
    log_sum = float(layer.log_sums(scores, heads, rows))
    sinks = layer.sinks_of(heads, rows)
    score = float(scores[0, 0, key])
    q = layer.query[head, query].float().cpu().numpy()
    k = layer.of_heads(layer.key, heads)[0, key].float().cpu().numpy()
    return Anatomy(
        query_token=names[0],
        key_token=names[1],
        query=q,
        key=k,
        dot=float(q @ k),
        scale=layer.scale,
        bias=_bias_at(layer.bias, head, query, key),
        softcap=layer.softcap,
        score=score,
        log_sum=log_sum,
        sink=None if sinks is None else float(sinks),
        weight=math.exp(score - log_sum),
        num_keys=int(torch.isfinite(scores).sum()),
    )


def _bias_at(bias: Tensor | None, head: int, query: int, key: int) -> float:
    """Look up what is broadcastable to (h, Q, K)."""
    if bias is None:
        return 0.0
    place = (at if size > 1 else 0 for at, size in zip((head, query, key), bias.shape, strict=True))
    return float(bias[tuple(place)])
