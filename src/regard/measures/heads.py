"""What each head does, in a text of any length: weights are streamed, some rows at a time."""

import math
from functools import partial, reduce

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from regard.record.layers import Layer
from regard.record.streams import blocks, each_head, of_head
from regard.record.trace import Trace

MEASURES = (
    "entropy",
    "distance",
    "on_itself",
    "on_previous",
    "on_next",
    "on_first",
    "on_special",
    "mass",
)
Block = tuple[slice, Tensor]  # some rows, and their weights in one head, (1, Q', K)


def measure_heads(trace: Trace) -> pd.DataFrame:
    """Measure every head of every layer that was kept.

    Parameters
    ----------
    trace
        From `regard.trace`, of a text of any length: N x N weights are never held, only 4 MB of
        them at a time.

    Returns
    -------
    pandas.DataFrame
        One head a row: `kind`, `layer`, `head`, and

        - `entropy`, how widely a query reads, in bits;
        - `distance`, from a query to what it reads, in tokens;
        - `on_itself`, `on_previous`, `on_next`, `on_first`, `on_special`, the attention that a
          query gives to its own place, the one before, the one after, the first key, and all
          special tokens, such as [CLS], together;
        - `mass`, the attention that a query gives in all: 1, but for queries that read nothing and
          for what goes to hidden tokens (`Trace.hide`) or to a sink.

        All are means over the queries. Queries that read nothing at all count in `mass`, as 0, and
        in nothing else; a head of such queries only has NaN. What has no meaning is NaN too:
        distances and places in cross-attention, or where rows and columns are not the same tokens.

    Notes
    -----
    Clark et al. (2019), *What does BERT look at?*, sections 3.1 to 3.3 (entropies there in nats);
    the distance is that of Vig and Belinkov (2019), *Analyzing the structure of attention in a
    Transformer language model*. Entropy and distance are those of the row divided by its sum; the
    shares are not divided. The first token has none before it and gives it 0, so a head that reads
    the token before wherever there is one has `on_previous` = (N - 1) / N.

    Examples
    --------
    >>> seen = Trace.from_weights([[1.0, 0.0], [0.5, 0.5]], tokens=["the", "dog"])
    >>> measure_heads(seen)[["entropy", "distance", "on_itself", "on_previous", "on_first"]]
       entropy  distance  on_itself  on_previous  on_first
    0      0.5      0.25       0.75         0.25      0.75
    """
    rows = [
        (kind, number, head, *measures)
        for kind in trace.kinds
        for number, layer in trace.layers[kind].items()
        for head, measures in enumerate(_measure(layer, trace.special(kind)[1]).tolist())
    ]
    return pd.DataFrame(rows, columns=["kind", "layer", "head", *MEASURES])


def _measure(layer: Layer, is_special: list[bool]) -> Tensor:
    """Average over the queries: (h, measures)."""
    _, num_queries, num_keys = layer.shape
    is_square = layer.kind != "cross" and num_queries == num_keys
    special = torch.tensor(is_special, dtype=torch.float32)
    if len(is_special) != num_keys:  # the layer's keys are not the tokens, but pooled, say
        special = torch.full((num_keys,), math.nan)
    with torch.no_grad():
        sum_block = partial(_sum_measures, is_square=is_square, special=special)
        # map lets go of a block before the next one is computed; a loop variable would hold it
        of_heads = [reduce(Tensor.add_, map(sum_block, blocks(head))) for head in each_head(layer)]
    *sums, mass, reading = torch.cat(of_heads, dim=1)
    return torch.stack([*(total / reading for total in sums), mass / num_queries], dim=1)


def _sum_measures(block: Block, *, is_square: bool, special: Tensor) -> Tensor:
    """Sum over the queries of a block: (measures and the number of queries that read, 1)."""
    rows, weights = block
    mass = weights.sum(dim=-1)  # (1, Q')
    reads = mass != 0
    bits = torch.xlogy(weights, weights).sum(dim=-1) / -math.log(2)
    measures = [
        (bits / mass + mass.log2()).clamp_min(0),
        *(_places(rows, weights, mass) if is_square else [torch.full_like(mass, math.nan)] * 4),
        weights[..., 0],
        weights @ special.to(weights.device),
    ]
    counted = [measure.where(reads, 0.0) for measure in measures]
    return _sum(torch.stack([*counted, mass, reads.float()]))


def _places(rows: slice, weights: Tensor, mass: Tensor) -> list[Tensor]:
    """Give the mean distance, and the weight of the query's place and its neighbours: (1, Q')."""
    query_at = torch.arange(rows.start, rows.stop, device=weights.device)
    key_at = torch.arange(float(weights.size(-1)), device=weights.device)
    distances = (query_at[:, None] - key_at).abs_()  # (Q', K)
    return [
        distances.mul(weights).sum(dim=-1) / mass,
        *(_given_to(query_at + offset, weights) for offset in (0, -1, 1)),
    ]


def _given_to(keys: Tensor, weights: Tensor) -> Tensor:
    """Give the weight of one key for each query, 0 where there is no such key: (1, Q')."""
    last = weights.size(-1) - 1
    given = weights[:, torch.arange(len(keys), device=keys.device), keys.clamp(0, last)]
    return given * ((keys >= 0) & (keys <= last))


def _sum(x: Tensor) -> Tensor:
    """Sum a few numbers a query over the queries, exactly: some devices have no float64."""
    return x.cpu().double().sum(dim=-1)


def received_by_each(trace: Trace, kind: str | None = None) -> pd.DataFrame:
    """Average the attention that each token gets from the queries, in every head that was kept.

    Parameters
    ----------
    trace
        From `regard.trace`, of a text of any length.
    kind
        One of the trace's kinds; all of them, if not given.

    Returns
    -------
    pandas.DataFrame
        One head and token a row: `kind`, `layer`, `head`, `position`, `token`, `received`. Queries
        that read nothing at all are left out of the mean; without any that read, it is NaN. In a
        head it sums to 1, less what goes to hidden tokens or to a sink.

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> seen = Trace.from_weights([[1.0, 0.0], [0.5, 0.5]], tokens=["the", "dog"])
    >>> received_by_each(seen)[["head", "position", "token", "received"]]
       head  position token  received
    0     0         0   the      0.75
    1     0         1   dog      0.25
    """
    tables = [
        _table_received(layer, trace.labels(number, kind=of_kind).keys).assign(
            kind=of_kind, layer=number
        )
        for of_kind in (trace.kinds if kind is None else [trace.kind_or_first(kind)])
        for number, layer in trace.layers[of_kind].items()
    ]
    columns = ["kind", "layer", "head", "position", "token", "received"]
    return (
        pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
    )


def _table_received(layer: Layer, tokens: list[str]) -> pd.DataFrame:
    with torch.no_grad():
        of_heads = [reduce(Tensor.add_, map(_sum_received, blocks(x))) for x in each_head(layer)]
    sums = torch.cat(of_heads)  # (h, K + 1)
    received = (sums[:, :-1] / sums[:, -1:]).numpy()
    head_at, key_at = np.indices(received.shape)
    return pd.DataFrame(
        {
            "head": head_at.ravel(),
            "position": key_at.ravel(),
            "token": np.array(tokens, dtype=object)[key_at.ravel()],
            "received": received.ravel(),
        }
    )


def _sum_received(block: Block) -> Tensor:
    """Sum what each key gets, and count the queries that read: (1, K + 1)."""
    _, weights = block
    reads = weights.sum(dim=-1) != 0
    counted = torch.cat([weights.sum(dim=1), reads.sum(dim=1, keepdim=True)], dim=1)
    return counted.cpu().double()


def top_keys(
    trace: Trace, layer: int, head: int | None = None, *, k: int = 3, kind: str | None = None
) -> pd.DataFrame:
    """List the keys that each query reads most.

    Parameters
    ----------
    trace
        From `regard.trace`, of a text of any length.
    layer, head
        Counted from 0. Without a head, all of them.
    k
        How many keys a query.
    kind
        One of the trace's kinds; the first, if not given.

    Returns
    -------
    pandas.DataFrame
        One head, query and key a row, the strongest first: `head`, `query`, `query_token`, `rank`
        (from 1), `key`, `key_token`, `weight`. A key that gets nothing is not listed, so a query
        may have fewer than `k`. Of keys that get the same, any may come first.

    Raises
    ------
    ValueError
        If `k` is less than 1, there is no such kind, layer or head, or the layer was not kept.

    Examples
    --------
    >>> weights = [[1.0, 0.0], [0.25, 0.75]]
    >>> seen = Trace.from_weights(weights, tokens=["the", "dog"])
    >>> top_keys(seen, layer=0, head=0, k=2)
       head  query query_token  rank  key key_token  weight
    0     0      0         the     1    0       the    1.00
    1     0      1         dog     1    1       dog    0.75
    2     0      1         dog     2    0       the    0.25
    """
    if k < 1:
        raise ValueError(f"k = {k} keys a query are none to list: ask for 1 or more.")
    asked = of_head(trace.layer(layer, kind), head)
    labels = trace.labels(layer, kind=kind)
    weights, keys = _strongest(asked, k)
    head_at, query_at, rank = (at.ravel() for at in np.indices(keys.shape))
    table = pd.DataFrame(
        {
            "head": head_at + (head or 0),
            "query": query_at,
            "query_token": np.array(labels.queries, dtype=object)[query_at],
            "rank": rank + 1,
            "key": keys.ravel(),
            "key_token": np.array(labels.keys, dtype=object)[keys.ravel()],
            "weight": weights.ravel(),
        }
    )
    return table[table["weight"] > 0].reset_index(drop=True)


def _strongest(layer: Layer, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Give the weights and the places of the strongest keys: (h, Q, k) each."""
    num_heads, num_queries, num_keys = layer.shape
    k = min(k, num_keys)
    # filled in place: small pieces that outlive a block would keep its memory from being used again
    strongest = np.empty((num_heads, num_queries, k), dtype=np.float32)
    places = np.empty((num_heads, num_queries, k), dtype=np.int64)
    with torch.no_grad():
        for head, one in enumerate(each_head(layer)):
            for rows, (weights,) in blocks(one):
                values, keys = weights.topk(k, dim=-1)
                strongest[head, rows] = values.cpu().numpy()
                places[head, rows] = keys.cpu().numpy()
                del weights  # before the next block is computed
    return strongest, places
