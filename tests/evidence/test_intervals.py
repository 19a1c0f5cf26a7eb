"""Intervals hold the truth as often as they say, and tests find nothing where there is nothing."""

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from regard.evidence.intervals import holm, share_interval, sign_flip_test


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


def test_signs_are_flipped_as_in_all_flips() -> None:
    differences = np.array([3, 1, -1, 2, 0, 2, 1])
    flips = [np.dot(signs, differences) for signs in product([-1, 1], repeat=len(differences))]
    exact = np.mean(np.array(flips) >= differences.sum())
    several = np.stack([differences, -differences], axis=1)
    p, other = sign_flip_test(several)
    assert p == pytest.approx(exact, abs=0.01)
    assert other > 0.9


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
