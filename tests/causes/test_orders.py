"""Two orders agree as SciPy says, and the interval holds the truth as often as it should."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from regard.causes.orders import agreement, kendall


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_kendall_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    x, y = zip(*pairs, strict=True)
    found, expected = kendall(x, y), kendalltau(x, y).statistic
    assert found == pytest.approx(expected, nan_ok=True)


def test_two_orders_are_of_the_same_things() -> None:
    with pytest.raises(TypeError, match=r"An order is a list of numbers, but got \['a', 'b'\]"):
        kendall(["a", "b"], [1, 2])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"got shapes \(2,\) and \(3,\)"):
        kendall([1, 2], [1, 2, 3])


@pytest.mark.parametrize("size", [5, 8, 24])
@pytest.mark.parametrize("tau", [0.0, 0.4, 0.7, 0.9])
def test_an_interval_holds_the_truth(size: int, tau: float) -> None:
    """Of normal pairs, tau is 2/pi arcsin of their correlation."""
    rng = np.random.default_rng(0)
    correlation, held, draws = math.sin(math.pi * tau / 2), 0, 500
    for _ in range(draws):
        x, noise = rng.normal(size=(2, size))
        found = agreement(x, correlation * x + math.sqrt(1 - correlation**2) * noise)
        held += found.low <= tau <= found.high
    assert held / draws >= 0.93 - 2 * math.sqrt(0.95 * 0.05 / draws)
    if size == 24:
        assert held / draws <= 0.99


def test_of_few_things_nothing_is_said() -> None:
    assert agreement([1, 2, 3, 4], [1, 2, 4, 3]).size == 4
    assert math.isnan(agreement([1, 2, 3, 4], [1, 2, 4, 3]).low)
    assert math.isnan(agreement([1] * 9, range(9)).high)
    sure = agreement(range(30), range(30))
    assert sure.tau == sure.high == 1
    assert 0.8 < sure.low < 1
    assert agreement(range(30), range(30), level=0.5).low > sure.low
    with pytest.raises(ValueError, match="between 0 and 1, but got 95"):
        agreement(range(9), range(9), level=95)
