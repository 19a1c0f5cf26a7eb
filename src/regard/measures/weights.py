"""What attention weights amount to: arrays in, numbers out."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from regard.record.door import numbers

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
    p = numbers(
        "Attention weights are an array of numbers, (..., queries, keys)",
        weights,
        "pass what `seen.weights(layer, head)` gives",
    )
    if p.ndim < 2:
        raise ValueError(f"Attention weights are (..., queries, keys), but got {p.shape}.")
    return p
