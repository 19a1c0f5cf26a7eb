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


def _parts(draws: int) -> list[int]:
    whole, rest = divmod(draws, AT_ONCE)
    return [AT_ONCE] * whole + [rest] * (rest > 0)


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


def lead_interval(
    ahead: ArrayLike, counts: ArrayLike, *, level: float = 0.95
) -> tuple[float, float]:
    """Say between which bounds a lead lies: how much more often the one is right than the other.

    Parameters
    ----------
    ahead, counts
        For each sentence, or each document where sentences of one are alike, how many more answers
        the one has right than the other, and how many there are: (sentences,). The lead is
        sum(ahead) / sum(counts).
    level
        How often such an interval should hold the lead that endless sentences would give.

    Returns
    -------
    tuple of float
        The lower and the upper bound, within -1 and 1.

    Raises
    ------
    ValueError
        If there are no answers, a lead is larger than there are answers, or the level is not
        between 0 and 1.

    Notes
    -----
    Both are asked the same, so they are compared in each sentence. The standard error is the
    jackknife's over sentences, of a ratio; its Student's t has as many degrees of freedom as
    sentences of equal size would have that weigh as much. One sentence in which the one has all
    right that the other has wrong, and one the other way round, are added, of average size: Bonett
    and Price (2012) add as much to single pairs, else two that never differ had the interval from
    0 to 0. Where fewer than about 20 sentences differ at all, intervals are too wide rather than
    too narrow (`python -m benchmarks.evidence`).

    Examples
    --------
    >>> low, high = lead_interval(ahead=[1] * 30 + [0] * 60 + [-1] * 10, counts=[1] * 100)
    >>> round(low, 2), round(high, 2)
    (0.07, 0.32)
    """
    lead, asked = _checked_leads(ahead, counts)
    if not 0 < level < 1:
        raise ValueError(f"The level of an interval is between 0 and 1, but got {level}.")
    mean, error, freedom = _ratio(lead[:, None], asked)
    margin = _student(NORMAL.inv_cdf((1 + level) / 2), freedom) * error[0]
    return max(-1.0, float(mean[0] - margin)), min(1.0, float(mean[0] + margin))


def lead_test(ahead: ArrayLike, counts: ArrayLike) -> Floats:
    """Test whether leads are above 0.

    Parameters
    ----------
    ahead
        (sentences,) or (sentences, tests): in each sentence, or each document, how many more
        answers the one has right than the other.
    counts
        How many answers there are: (sentences,) for all tests.

    Returns
    -------
    numpy.ndarray
        One-sided p-values, () or (tests,). They have no floor: of 100 sentences that are all ahead,
        p < 1e-20.

    Raises
    ------
    ValueError
        As `lead_interval`.

    Notes
    -----
    Of two tests the larger p-value. `sign_flip_test` is sound, however few the sentences, where a
    lead could as well have been a lag. Student's t, of which `lead_interval` is made, is sound on
    average also where it could not, as where a few sentences lose much and many win little: from
    about five such sentences on (`python -m benchmarks.evidence`).

    Examples
    --------
    >>> lead_test(np.ones(20), np.ones(20)).item() < 0.001
    True
    """
    lead, asked = _checked_leads(ahead, counts)
    tests = lead.reshape(len(lead), -1)
    mean, error, freedom = _ratio(tests, asked)
    by_t = np.array([_tail(_normal(t, freedom)) for t in mean / error])
    return np.maximum(by_t, sign_flip_test(tests)).reshape(lead.shape[1:])


def _checked_leads(ahead: ArrayLike, counts: ArrayLike) -> tuple[Floats, Floats]:
    advice = "pass an array, (sentences,) or (sentences, tests), and one of (sentences,)"
    lead = numbers("Leads are numbers", ahead, advice)
    asked = numbers("Counts are one number a sentence", counts, advice)
    if asked.ndim != 1 or not lead.ndim or len(lead) != len(asked):
        raise ValueError(
            "Leads and counts have one row a sentence, but got shapes "
            f"{lead.shape} and {asked.shape}."
        )
    if (asked + 1e-6 < np.abs(lead).T).any():  # shares of answers are rounded
        raise ValueError("In a sentence a lead is at most as large as its count of answers.")
    if not asked.sum():
        raise ValueError("There are no answers to compare: counts are all 0.")
    return lead[asked > 0], asked[asked > 0]


def _ratio(lead: Floats, asked: Floats) -> tuple[Floats, Floats, float]:
    """Give sum(lead) / sum(asked), its standard error by the jackknife, degrees of freedom."""
    size = asked.mean()
    ends = np.array([[size], [-size]]) * np.ones(lead.shape[1])
    lead, asked = np.concatenate([lead, ends]), np.append(asked, [size, size])
    mean = lead.sum(axis=0) / asked.sum()
    rests = (lead - np.outer(asked, mean)) / (asked.sum() - asked)[:, None]
    freedom = asked.sum() ** 2 / (asked**2).sum() - 1
    return mean, np.sqrt((rests**2).sum(axis=0)), float(freedom)


def _normal(t: float, freedom: float) -> float:
    """Give the normal deviate that is as rare as a Student's t (Wallace 1959)."""
    shrink = (8 * freedom + 1) / (8 * freedom + 3)
    return math.copysign(shrink * math.sqrt(freedom * math.log1p(t * t / freedom)), t)


def _student(z: float, freedom: float) -> float:
    """Give the Student's t that is as rare as a normal deviate: the inverse of `_normal`."""
    grown = z * (8 * freedom + 3) / (8 * freedom + 1)
    return math.copysign(math.sqrt(freedom * math.expm1(grown * grown / freedom)), z)


def _tail(z: float) -> float:
    """Give how rare a normal deviate is that is at least so large."""
    return math.erfc(z / math.sqrt(2)) / 2


def sign_flip_test(differences: ArrayLike) -> Floats:
    """Test whether differences are above 0, where they could as well have the other sign.

    Parameters
    ----------
    differences
        (sentences,) or (sentences, tests): in each sentence, how many more answers the one found
        than the other.

    Returns
    -------
    numpy.ndarray
        One-sided p-values, () or (tests,).

    Notes
    -----
    Fisher's randomization test for pairs, with a sentence as the pair. How often a sum of random
    signs is as large is not drawn, since draws end at 1 / (draws + 1), but read off the normal
    distribution, with a correction for continuity: flipping the smallest difference changes the sum
    by two of it. Far out the normal distribution is the wider one: there p-values are too large
    rather than too small.

    Examples
    --------
    >>> sign_flip_test(np.ones(20)).item() < 0.001, sign_flip_test(np.zeros(20)).item()
    (True, 1.0)
    """
    advice = "pass an array, (sentences,) or (sentences, tests)"
    seen = numbers("Differences are numbers", differences, advice)
    tests = seen.reshape(len(seen), -1)
    sizes = np.abs(tests)
    smallest = sizes.min(axis=0, where=sizes > 0, initial=np.inf)
    spread = np.sqrt((sizes**2).sum(axis=0))
    p_values = [
        _tail((total - step) / wide) if wide else 1.0
        for total, step, wide in zip(tests.sum(axis=0), smallest, spread, strict=True)
    ]
    return np.reshape(p_values, seen.shape[1:])


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
