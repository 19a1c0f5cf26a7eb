"""What attention weights amount to: arrays in, numbers and tables out."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from regard.record.trace import Trace

Floats = NDArray[np.float64]


def received_attention(weights: ArrayLike) -> Floats:
    """Average the weight that each key gets over the queries: (..., Q, K) -> (..., K).

    With rows that sum to 1 it sums to 1 too; 1/K each is what even attention would give.

    Parameters
    ----------
    weights
        (..., Q, K).

    Returns
    -------
    numpy.ndarray
        (..., K).

    Raises
    ------
    ValueError
        If the weights have fewer than two dimensions.

    Examples
    --------
    >>> received_attention([[1.0, 0.0], [0.5, 0.5]])
    array([0.75, 0.25])
    """
    return _matrices(weights).mean(axis=-2)


def entropy(weights: ArrayLike) -> Floats:
    """Measure how widely each query reads, in bits: (..., Q, K) -> (..., Q).

    0 where one key gets all, log2 K where all get the same.

    Parameters
    ----------
    weights
        (..., Q, K), whose rows sum to 1.

    Returns
    -------
    numpy.ndarray
        (..., Q).

    Raises
    ------
    ValueError
        If the weights have fewer than two dimensions.

    Notes
    -----
    Clark et al. (2019), *What does BERT look at?*, section 3.3, there in nats.

    Examples
    --------
    >>> entropy([[1.0, 0.0], [0.5, 0.5]])
    array([0., 1.])
    """
    p = _matrices(weights)
    bits = np.zeros_like(p)
    np.log2(p, out=bits, where=p > 0)
    return np.abs((p * bits).sum(axis=-1))


def mean_distance(weights: ArrayLike) -> Floats:
    """Measure how far each query reads, in tokens, on average: (..., N, N) -> (..., N).

    Parameters
    ----------
    weights
        (..., N, N) of self-attention, whose rows sum to 1.

    Returns
    -------
    numpy.ndarray
        (..., N).

    Raises
    ------
    ValueError
        If the matrices are not square: words of two sentences have no distance.

    Notes
    -----
    Vig and Belinkov (2019), *Analyzing the structure of attention in a Transformer language model*,
    for each query by itself. Clark et al. (2019), section 3.1, ask for single offsets instead.

    Examples
    --------
    >>> mean_distance([[0.0, 1.0], [0.5, 0.5]])
    array([1. , 0.5])
    """
    p = _matrices(weights)
    if p.shape[-2] != p.shape[-1]:
        raise ValueError(
            f"A distance needs square matrices (..., N, N), but got {p.shape}: pass "
            'self-attention, of kind "encoder" or "decoder".'
        )
    query, key = np.indices(p.shape[-2:])
    return (p * np.abs(query - key)).sum(axis=-1)


def _matrices(weights: ArrayLike) -> Floats:
    p = np.asarray(weights, dtype=np.float64)
    if p.ndim < 2:
        raise ValueError(f"Attention weights are (..., queries, keys), but got {p.shape}.")
    return p


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
        Readings of a kind of attention that a trace lacks are left out.

    Raises
    ------
    ValueError
        If there are not as many lists of readings as traces, or a gold position lies outside the
        attention matrix of its sentence.

    Notes
    -----
    Clark et al. (2019), *What does BERT look at?*, section 4.2.

    Examples
    --------
    >>> from regard.model.lexicon import vocabulary
    >>> from regard.model.tokenization import build_tokenizer
    >>> from regard.tracing.run import trace
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    >>> seen = trace("the dog saw it .", model, build_tokenizer(vocabulary(300)))
    >>> scores = score_heads([seen], [[("it reads dog", "encoder", 3, 1)]])
    >>> scores[["name", "layer", "head", "count"]]
               name  layer  head  count
    0  it reads dog      0     0      1
    1  it reads dog      0     1      1
    """
    hits: dict[tuple[str, str, int, int], list[tuple[bool, float]]] = defaultdict(list)
    for seen, readings in paired(traces, gold):
        for kind in seen.kinds:
            wanted = [reading for reading in readings if reading[1] == kind]
            for layer in seen.layers[kind] if wanted else ():
                weights = seen.weights(layer, kind=kind)  # (h, Q, K)
                for name, _, query, key in wanted:
                    check_position(name, kind, (query, key), weights.shape[1:])
                    for head, row in enumerate(weights[:, query]):
                        hits[name, kind, layer, head].append((row.argmax() == key, row[key]))
    rows = [
        (*head, *np.mean(found, axis=0, dtype=float), len(found)) for head, found in hits.items()
    ]
    columns = ["name", "kind", "layer", "head", "share", "mass", "count"]
    return pd.DataFrame(rows, columns=columns)


def paired(
    traces: Iterable[Trace], gold: Iterable[Sequence[Reading]]
) -> Iterator[tuple[Trace, Sequence[Reading]]]:
    """Go through traces and gold readings together, and raise where one ends before the other."""
    for count, (seen, readings) in enumerate(zip_longest(traces, gold)):
        if seen is None or readings is None:
            few, many = ("traces", "gold") if seen is None else ("gold", "traces")
            raise ValueError(
                f"There must be one list of gold readings for each trace, but {few} ends after "
                f"{count} and {many} does not: pass both for the same sentences, in one order."
            )
        yield seen, readings


def check_position(name: str, kind: str, position: tuple[int, int], shape: tuple[int, ...]) -> None:
    """Raise where a gold reading is at no place of the attention matrix."""
    if not all(0 <= at < size for at, size in zip(position, shape, strict=True)):
        raise ValueError(
            f"The gold reading {name!r} is at (query, key) = {position}, outside of the {kind} "
            f"attention, whose sizes are {shape}: count from 0, in the tokens of the same sentence."
        )


def best_heads(scores: pd.DataFrame) -> pd.DataFrame:
    """Keep for each kind of reading the head with the largest share, indexed by `name`.

    Parameters
    ----------
    scores
        What `score_heads` gives: at least the columns `name` and `share`.

    Returns
    -------
    pandas.DataFrame
        The rows of the best heads, of equals the first. Their shares are the largest of many, so
        count them anew on other sentences before you call them a success.

    Raises
    ------
    ValueError
        If there are no scores.

    Examples
    --------
    >>> columns = ["name", "layer", "head", "share"]
    >>> scores = pd.DataFrame([("it", 0, 0, 0.2), ("it", 0, 1, 0.9)], columns=columns)
    >>> best_heads(scores).loc["it", "head"].item()
    1
    """
    if scores.empty:
        raise ValueError(
            "There are no scores to choose heads by: give `score_heads` some readings."
        )
    best = scores.loc[scores.groupby("name", sort=False)["share"].idxmax()]
    return best.set_index("name")


def recount(best: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Look up what chosen heads score on other sentences than those they were chosen on.

    The best of many heads owes a part of its score to luck; what it scores on sentences that had no
    say in the choice does not.

    Parameters
    ----------
    best
        From `best_heads`, of one part of the sentences.
    scores
        From `score_heads`, of another part.

    Returns
    -------
    pandas.DataFrame
        The rows of `scores` for these readings and heads, indexed by `name`; a reading that the
        other part never has is left out.

    Examples
    --------
    >>> columns = ["name", "kind", "layer", "head", "share"]
    >>> chosen_on = pd.DataFrame([("it", "encoder", 0, 1, 0.9)], columns=columns)
    >>> others = pd.DataFrame([("it", "encoder", 0, 1, 0.8)], columns=columns)
    >>> recount(best_heads(chosen_on), others).loc["it", "share"].item()
    0.8
    """
    place = ["name", "kind", "layer", "head"]
    return best.reset_index()[place].merge(scores, on=place).set_index("name")


def best_offsets(gold: Iterable[Sequence[Reading]]) -> pd.DataFrame:
    """Find the fixed offset, key - query, that answers each kind of reading most often.

    It is what a head could score that knows positions only, so a head that finds no more than this
    has shown nothing.

    Parameters
    ----------
    gold
        A list of readings (name, kind, query, key) a sentence.

    Returns
    -------
    pandas.DataFrame
        Indexed by `name`: `offset`, and its `share`.

    Raises
    ------
    ValueError
        If there are no readings.

    Notes
    -----
    The baseline of Clark et al. (2019), section 4.2.

    Examples
    --------
    >>> gold = [[("reads the next", "encoder", 0, 1), ("reads the next", "encoder", 3, 4)]]
    >>> best_offsets(gold).loc["reads the next"].tolist()
    [1.0, 1.0]
    """
    columns = ["name", "kind", "query", "key"]
    readings = pd.DataFrame([reading for sentence in gold for reading in sentence], columns=columns)
    if readings.empty:
        raise ValueError(
            "There are no readings to find an offset for: give at least one "
            "(name, kind, query, key)."
        )
    readings["offset"] = readings["key"] - readings["query"]
    shares = readings.groupby("name", sort=False)["offset"].value_counts(normalize=True)
    best = shares.groupby(level="name", sort=False).head(1)  # the counts come sorted
    return best.rename("share").reset_index("offset")
