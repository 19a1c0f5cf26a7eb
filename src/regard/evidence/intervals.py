"""How sure a share is: intervals and tests by resampling whole sentences."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from regard.record.door import numbers

Floats = NDArray[np.float64]
AT_ONCE = 500  # draws, so that memory does not grow with their number
NORMAL = NormalDist()


def share_interval(
    hits: ArrayLike, counts: ArrayLike, *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Say between which bounds a share lies, when answers of one sentence are alike.

    Parameters
    ----------
    hits, counts
        For each sentence, how many of how many answers are right: (sentences,). The share is
        sum(hits) / sum(counts).
    level
        How often such an interval should hold the share that endless sentences would give.
    draws
        How often the sentences are drawn anew.
    seed
        Of the draws.

    Returns
    -------
    tuple of float
        The lower and the upper bound.

    Raises
    ------
    ValueError
        If there are no answers, more are right than there are, or the level is not between 0 and 1.

    Notes
    -----
    The bootstrap over sentences, whose percentiles are widened by what they lack when sentences are
    few (Hesterberg 2015, *What teachers should know about the bootstrap*). One sentence that is all
    right and one that is all wrong are added, of average size, much as Agresti and Coull (1998) do
    with single answers: else a share of 1 would have the interval from 1 to 1.

    Examples
    --------
    >>> low, high = share_interval(hits=[1] * 90 + [0] * 10, counts=[1] * 100)
    >>> round(low, 2), round(high, 2)
    (0.82, 0.94)
    """
    right, asked = _checked(hits, counts)
    if not 0 < level < 1:
        raise ValueError(f"The level of an interval is between 0 and 1, but got {level}.")
    size = asked.mean()
    right, asked = np.append(right, [size, 0.0]), np.append(asked, [size, size])
    rng = np.random.default_rng(seed)
    shares = []
    for size in _parts(draws):
        weights = rng.multinomial(len(asked), np.full(len(asked), 1 / len(asked)), size=size)
        totals = weights @ asked
        shares.append(np.divide(weights @ right, totals, where=totals > 0, out=totals * np.nan))
    tail = _widened((1 - level) / 2, len(asked) - 2)
    low, high = np.nanquantile(np.concatenate(shares), [tail, 1 - tail])
    return float(low), float(high)


def _checked(hits: ArrayLike, counts: ArrayLike) -> tuple[Floats, Floats]:
    right, asked = (
        numbers(f"{name.capitalize()} are one number a sentence", got, "pass two lists of numbers")
        for name, got in (("hits", hits), ("counts", counts))
    )
    if right.ndim != 1 or right.shape != asked.shape or (right < 0).any() or (right > asked).any():
        raise ValueError(
            "Hits and counts are two rows of numbers, a pair a sentence, of which hits are at most "
            f"counts, but got shapes {right.shape} and {asked.shape}."
        )
    if not asked.sum():
        raise ValueError("There are no answers to give an interval for: counts are all 0.")
    return right[asked > 0], asked[asked > 0]


def _widened(tail: float, size: int) -> float:
    """Give the percentile that makes a bootstrap as wide as Student's t does."""
    if size < 2:
        return 0.0
    z = NORMAL.inv_cdf(tail)
    df = size - 1
    t = z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
    return NORMAL.cdf(math.sqrt(size / df) * t)


def sign_flip_test(differences: ArrayLike, *, draws: int = 9999, seed: int = 0) -> Floats:
    """Test whether differences are above 0, where they could as well have the other sign.

    Parameters
    ----------
    differences
        (sentences,) or (sentences, tests): in each sentence, how many more answers the one found
        than the other.
    draws
        How often signs are drawn. No p-value is below 1 / (draws + 1).
    seed
        Of the draws.

    Returns
    -------
    numpy.ndarray
        One-sided p-values, () or (tests,).

    Notes
    -----
    Fisher's randomization test for pairs, with a sentence as the pair; the p-values count the
    differences that were seen among the draws (Phipson and Smyth 2010).

    Examples
    --------
    >>> sign_flip_test(np.ones(20)).item() < 0.001, sign_flip_test(np.zeros(20)).item()
    (True, 1.0)
    """
    advice = "pass an array, (sentences,) or (sentences, tests)"
    seen = numbers("Differences are numbers", differences, advice).astype(np.float32)
    seen = seen[seen.reshape(len(seen), -1).any(axis=1)]  # the sign of 0 changes nothing
    rng = np.random.default_rng(seed)
    as_large = np.zeros(seen.shape[1:])
    for size in _parts(draws):
        signs = 2 * rng.integers(0, 2, size=(size, len(seen)), dtype=np.int8) - 1
        as_large += (signs.astype(np.float32) @ seen >= seen.sum(axis=0)).sum(axis=0)
    return (1 + as_large) / (1 + draws)


def _parts(draws: int) -> list[int]:
    whole, rest = divmod(draws, AT_ONCE)
    return [AT_ONCE] * whole + [rest] * (rest > 0)


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Adjust p-values for having made several tests.

    Parameters
    ----------
    p_values
        (tests,).

    Returns
    -------
    numpy.ndarray
        (tests,). If those below 5 % are called findings, and there is nothing to be found, then
        there is any finding at all in at most 5 % of such families of tests.

    Notes
    -----
    Holm (1979), *A simple sequentially rejective multiple test procedure*.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.5]).tolist()
    [0.03, 0.08, 0.5]
    """
    p = numbers("P-values are numbers from 0 to 1", p_values, "pass a list of them")
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty_like(p)
    result[order] = adjusted.clip(max=1)
    return result
