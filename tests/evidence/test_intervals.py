"""Intervals hold the truth as often as they say, and tests find nothing where there is nothing."""

import math
from collections.abc import Callable
from itertools import product
from statistics import NormalDist

import numpy as np
import pytest

from regard.evidence.intervals import (
    _normal,
    _student,
    _tail,
    holm,
    lead_interval,
    lead_test,
    share_interval,
    sign_flip_test,
)


def simulate(
    rng: np.random.Generator, share: float, sentences: int, size: float, likeness: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw hits and counts of sentences whose answers are alike (beta-binomial)."""
    counts = 1 + rng.poisson(size - 1, sentences)
    odds = (1 - likeness) / likeness
    return rng.binomial(counts, rng.beta(share * odds, (1 - share) * odds, sentences)), counts


@pytest.mark.parametrize(
    ("share", "sentences", "size", "likeness"),
    [
        (0.5, 100, 1, 0.1),
        (0.8, 100, 2, 0.3),
        (0.3, 30, 3, 0.5),
        (0.95, 60, 4, 0.5),
        (0.99, 60, 1, 0.1),
    ],
)
def test_intervals_cover_at_their_rate(
    share: float, sentences: int, size: float, likeness: float
) -> None:
    rng = np.random.default_rng(7)
    tries, covered = 400, 0
    for seed in range(tries):
        hits, counts = simulate(rng, share, sentences, size, likeness)
        low, high = share_interval(hits, counts, draws=400, seed=seed)
        covered += low <= share <= high
    luck = 2.6 * math.sqrt(0.95 * 0.05 / tries)  # 99 of 100 simulations of exact intervals
    assert covered / tries > 0.95 - luck
    if 0.2 < share < 0.9 and sentences >= 100:  # at the edges no interval is exact
        assert covered / tries < 0.95 + luck


def test_answers_that_are_alike_in_a_sentence_tell_less() -> None:
    hits, counts = np.array([4, 0] * 25), np.full(50, 4)
    alike = share_interval(hits, counts)
    apart = share_interval(np.array([1, 0] * 100), np.ones(200))
    assert alike[1] - alike[0] > 1.8 * (apart[1] - apart[0])


def test_a_share_of_one_is_not_certain() -> None:
    low, high = share_interval(np.ones(50), np.ones(50))
    assert 0.9 < low < 0.97
    assert high > 0.999


def test_few_sentences_or_a_higher_level_are_less_sure() -> None:
    hits, counts = [1, 0, 1, 1, 0, 1], [1] * 6
    six, many = share_interval(hits, counts), share_interval(hits * 10, counts * 10)
    surer = share_interval(hits, counts, level=0.5)
    assert six[0] < many[0] < many[1] < six[1]
    assert six[0] < surer[0] < surer[1] < six[1]
    assert share_interval([1], [1]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("hits", "counts", "level", "message"),
    [
        ([2], [1], 0.95, "of which hits are at most counts"),
        ([1], [1, 1], 0.95, r"got shapes \(1,\) and \(2,\)"),
        ([-1], [1], 0.95, "Hits and counts are two rows"),
        ([0], [0], 0.95, "no answers to give an interval for"),
        ([1], [1], 95, "is between 0 and 1, but got 95"),
    ],
)
def test_what_has_no_interval(
    hits: list[int], counts: list[int], level: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        share_interval(hits, counts, level=level)


@pytest.mark.parametrize(
    "differences",
    [[3, 1, -1, 2, 0, 2, 1], [1] * 12 + [-1] * 3, [0.5, 0.2, -0.3, 0.9, 0.1, 0.4, -0.2, 0.6]],
)
def test_signs_are_flipped_as_in_all_flips(differences: list[float]) -> None:
    tried = np.array(differences)
    flips = [np.dot(signs, tried) for signs in product([-1, 1], repeat=len(tried))]
    exact = np.mean(np.array(flips) >= tried.sum() - 1e-9)
    p, other = sign_flip_test(np.stack([tried, -tried], axis=1))
    assert p == pytest.approx(exact, rel=0.15)
    assert other > 0.9


@pytest.mark.parametrize("ahead", [20, 30, 60])
def test_far_out_there_is_no_floor_and_no_promise_too_many(ahead: int) -> None:
    """Of the sentences that differ, all but five are ahead: the exact p is binomial."""
    differences = np.array([1] * ahead + [-1] * 5 + [0] * 10)
    size = ahead + 5
    exact = sum(math.comb(size, k) for k in range(ahead, size + 1)) / 2**size
    p = sign_flip_test(differences).item()
    assert exact < p < max(30 * exact, exact**0.8)
    assert lead_test(differences, np.ones(len(differences))) >= p


def test_leads_are_tested_as_their_intervals_say() -> None:
    """A p-value of Student's t is below 2.5 % where the lower bound of 95 % is above 0."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        counts = rng.integers(0, 6, 60)
        ahead = rng.binomial(counts, 0.4) - rng.binomial(counts, 0.6) + rng.integers(-1, 2, 60)
        ahead = ahead.clip(-counts, counts)
        low, high = lead_interval(ahead, counts)
        p = lead_test(np.stack([ahead, -ahead], axis=1), counts)
        assert p[0] >= 0.025 or low > 0
        assert p[1] >= 0.025 or high < 0
        assert low <= ahead.sum() / counts.sum() <= high


@pytest.mark.parametrize(
    ("t", "freedom", "tail"), [(1.8125, 10, 0.05), (2.2281, 10, 0.025), (4.5869, 10, 0.0005)]
)
def test_students_t_is_that_of_the_tables(t: float, freedom: float, tail: float) -> None:
    assert _tail(_normal(t, freedom)) == pytest.approx(tail, rel=0.03)
    assert _student(_normal(t, freedom), freedom) == pytest.approx(t)


def leads(
    rng: np.random.Generator, shares: tuple[float, float], sentences: int, size: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a head and a rule whose answers, in a sentence and to each other, are alike."""
    counts = 1 + rng.poisson(size - 1, sentences)
    at = np.repeat(np.arange(sentences), counts)
    alike = rng.normal(size=(3, sentences))[:, at] + rng.normal(size=(3, len(at)))
    bounds = [NormalDist(sigma=2).inv_cdf(share) for share in shares]
    head, rule = ((alike[0] + alike[i + 1]) < bound for i, bound in enumerate(bounds))
    return np.bincount(at, head.astype(float) - rule, minlength=sentences), counts


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.6), (0.98, 0.9), (0.1, 0.02)])
@pytest.mark.parametrize(("sentences", "size"), [(10, 3), (50, 1), (50, 3), (200, 2)])
def test_intervals_of_a_lead_cover_at_their_rate(
    shares: tuple[float, float], sentences: int, size: float
) -> None:
    rng = np.random.default_rng(3)
    tries, covered = 600, 0
    for _ in range(tries):
        low, high = lead_interval(*leads(rng, shares, sentences, size))
        covered += low <= shares[0] - shares[1] <= high
    assert covered / tries > 0.93
    if sentences == 200 and shares != (0.98, 0.9):
        assert covered / tries < 0.98


def test_two_that_never_differ_are_not_certain_to_be_alike() -> None:
    low, high = lead_interval(np.zeros(50), np.ones(50))
    assert -0.1 < low == pytest.approx(-high)
    assert low < -0.02


def test_documents_of_many_sentences_tell_less_than_as_many_sentences() -> None:
    ahead = np.array([3, -1] * 20)
    apart = lead_interval(np.repeat(ahead / 4, 4), np.ones(160))
    alike = lead_interval(ahead, np.full(40, 4))
    assert alike[1] - alike[0] > 1.8 * (apart[1] - apart[0])


@pytest.mark.parametrize(
    ("ahead", "counts", "message"),
    [
        ([1, 0], [1], r"one row a sentence, but got shapes \(2,\) and \(1,\)"),
        ([2], [1], "at most as large as its count"),
        ([0], [0], "no answers to compare"),
    ],
)
def test_what_is_no_lead(ahead: list[int], counts: list[int], message: str) -> None:
    for call in (lead_interval, lead_test):
        with pytest.raises(ValueError, match=message):
            call(ahead, counts)
    with pytest.raises(ValueError, match="is between 0 and 1, but got 95"):
        lead_interval([1], [1], level=95)


def test_holm_equals_its_definition() -> None:
    p_values = np.random.default_rng(0).random(20) ** 3
    for level in (0.01, 0.05, 0.3):
        rejected: set[int] = set()
        for rank, at in enumerate(np.argsort(p_values)):
            if p_values[at] >= level / (len(p_values) - rank):
                break
            rejected.add(int(at))
        assert set(np.flatnonzero(holm(p_values) < level).tolist()) == rejected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: share_interval("many", [1]), "Hits are one number a sentence, but got 'many'"),
        (lambda: sign_flip_test("many"), "Differences are numbers, but got 'many'"),
        (lambda: holm("small"), "P-values are numbers from 0 to 1, but got 'small'"),  # type: ignore[arg-type]
    ],
)
def test_words_are_no_numbers(call: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()
