"""What attention weights amount to: arrays in, numbers and tables out."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from regard.tracing import Trace

Floats = NDArray[np.float64]


def received_attention(weights: ArrayLike) -> Floats:
    """Average the weight that each key gets over the queries: (..., Q, K) -> (..., K).

    With rows that sum to 1 it sums to 1 too; 1/K each is what even attention would give.

    Examples
    --------
    >>> received_attention([[1.0, 0.0], [0.5, 0.5]])
    array([0.75, 0.25])
    """
    return np.asarray(weights, dtype=np.float64).mean(axis=-2)


def entropy(weights: ArrayLike) -> Floats:
    """Measure how widely each query reads, in bits: (..., Q, K) -> (..., Q).

    0 where one key gets all, log2 K where all get the same.

    Examples
    --------
    >>> entropy([[1.0, 0.0], [0.5, 0.5]])
    array([0., 1.])
    """
    p = np.asarray(weights, dtype=np.float64)
    bits = np.zeros_like(p)
    np.log2(p, out=bits, where=p > 0)
    return np.abs((p * bits).sum(axis=-1))


def mean_distance(weights: ArrayLike) -> Floats:
    """Measure how far each query reads, in tokens, on average: (..., N, N) -> (..., N).

    Examples
    --------
    >>> mean_distance([[0.0, 1.0], [0.5, 0.5]])
    array([1. , 0.5])
    """
    p = np.asarray(weights, dtype=np.float64)
    query, key = np.indices(p.shape[-2:])
    return (p * np.abs(query - key)).sum(axis=-1)


# A gold answer: what is read, in which kind of attention, by which query, which key.
Reading = tuple[str, str, int, int]


def score_heads(traces: Iterable[Trace], gold: Iterable[Sequence[Reading]]) -> pd.DataFrame:
    """Count for every head and kind of reading how often its strongest attention is the gold key.

    Parameters
    ----------
    traces, gold
        One trace and one list of readings (name, kind, query, key) a sentence, in the same order.

    Returns
    -------
    pandas.DataFrame
        One reading and head a row: `name`, `kind`, `layer`, `head`; `share`, of the readings whose
        gold key gets the largest weight; `mass`, the weight of the gold key on average; `count`.

    Notes
    -----
    Clark et al. (2019), *What does BERT look at?*, section 4.2.
    """
    hits: dict[tuple[str, str, int, int], list[tuple[bool, float]]] = defaultdict(list)
    for seen, readings in zip(traces, gold, strict=True):
        for kind in seen.kinds:
            wanted = [reading for reading in readings if reading[1] == kind]
            for layer in range(len(seen.layers[kind]) if wanted else 0):
                weights = seen.weights(layer, kind=kind)  # (h, Q, K)
                for name, _, query, key in wanted:
                    for head, row in enumerate(weights[:, query]):
                        hits[name, kind, layer, head].append((row.argmax() == key, row[key]))
    rows = [
        (*head, *np.mean(found, axis=0, dtype=float), len(found)) for head, found in hits.items()
    ]
    columns = ["name", "kind", "layer", "head", "share", "mass", "count"]
    return pd.DataFrame(rows, columns=columns)


def best_heads(scores: pd.DataFrame) -> pd.DataFrame:
    """Keep for each kind of reading the head with the largest share, indexed by `name`.

    Examples
    --------
    >>> columns = ["name", "layer", "head", "share"]
    >>> scores = pd.DataFrame([("it", 0, 0, 0.2), ("it", 0, 1, 0.9)], columns=columns)
    >>> best_heads(scores).loc["it", "head"].item()
    1
    """
    best = scores.loc[scores.groupby("name", sort=False)["share"].idxmax()]
    return best.set_index("name")


def best_offsets(gold: Iterable[Sequence[Reading]]) -> pd.DataFrame:
    """Find the fixed offset, key - query, that answers each kind of reading most often.

    It is what a head could score that knows positions only, so a head that finds no more than this
    has shown nothing.

    Returns
    -------
    pandas.DataFrame
        Indexed by `name`: `offset`, and its `share`.

    Examples
    --------
    >>> gold = [[("reads the next", "encoder", 0, 1), ("reads the next", "encoder", 3, 4)]]
    >>> best_offsets(gold).loc["reads the next"].tolist()
    [1.0, 1.0]
    """
    columns = ["name", "kind", "query", "key"]
    readings = pd.DataFrame([reading for sentence in gold for reading in sentence], columns=columns)
    readings["offset"] = readings["key"] - readings["query"]
    shares = readings.groupby("name", sort=False)["offset"].value_counts(normalize=True)
    best = shares.groupby(level="name", sort=False).head(1)  # the counts come sorted
    return best.rename("share").reset_index("offset")


def leak_test(predict: Callable[[Tensor], Tensor], target: Tensor, replacement: int) -> Floats:
    """Change one target token after the other, and measure which outputs move.

    Parameters
    ----------
    predict
        Gives logits (1, T, vocab_size) for target ids (1, T).
    target
        Ids (1, T).
    replacement
        The id that each token is changed to.

    Returns
    -------
    numpy.ndarray
        (T, T): row t, column s is the largest change of any logit at position t when token s is
        changed. An honest decoder has zeros above the diagonal: the future moves nothing.

    Examples
    --------
    >>> embedding = torch.nn.Embedding(9, 9)
    >>> moved = leak_test(embedding, torch.tensor([[3, 4]]), replacement=8)
    >>> (moved > 0).tolist()
    [[True, False], [False, True]]
    """
    moved = []
    with torch.no_grad():
        before = predict(target)
        for position in range(target.size(1)):
            changed = target.clone()
            changed[0, position] = replacement
            moved.append((predict(changed) - before).abs().amax(dim=-1)[0])
    return torch.stack(moved, dim=1).double().cpu().numpy()
