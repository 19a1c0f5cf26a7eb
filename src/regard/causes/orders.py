"""How far two orders of the same things agree, and how sure that is."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd

from regard.record.door import numbers

FEWEST = 5  # things, of which something can be said
VARIANCE = 0.5  # of atanh(tau), times n - 4
Order = Sequence[float] | pd.Series


class Agreement(NamedTuple):
    """Kendall's tau-b of two orders, between which bounds it lies, and of how many things."""

    tau: float
    low: float
    high: float
    size: int  # how many things

    def __str__(self) -> str:
        return f"{self.tau:.2f} ({self.low:.2f} to {self.high:.2f}, n = {self.size})"


def agreement(x: Order, y: Order, *, level: float = 0.95) -> Agreement:
    """Correlate two orders by Kendall's tau-b, with an interval.

    Parameters
    ----------
    x, y
        A number for each of the same things, such as how often each head reads a word, and how much
        it is missed.
    level
        How often such an interval should hold the tau that endless such things would give.

    Returns
    -------
    Agreement
        `tau`, `low`, `high` and `size`. The bounds are NaN where there are less than 5 things, or
        one order tells nothing apart.

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If they are not as many, or the level is not between 0 and 1.

    Notes
    -----
    After Fieller, Hartley and Pearson (1957), *Tests for rank correlation coefficients*: atanh(tau)
    is nearly normal, of variance 0.437 / (n - 4). Of few things that is too narrow for a large tau:
    here the variance is 0.5 / (n - 4), and the middle tau (1 - 1/2n). Of normal pairs whose tau is
    0, 0.4, 0.7 or 0.9, such bounds held it in 94 to 100 % of 4,000 draws of 5, 6, 8, 12, 24 and 72
    things, of 24 or more in 94 to 97 %. Ties, and things that are alike, such as heads of one
    layer, make it less sure than that.

    Examples
    --------
    >>> print(agreement(range(8), [1, 0, 2, 4, 3, 5, 7, 6]))
    0.79 (0.24 to 0.93, n = 8)
    """
    if not 0 < level < 1:
        raise ValueError(f"The level of an interval is between 0 and 1, but got {level}.")
    tau, count = kendall(x, y), len(x)
    if count < FEWEST or math.isnan(tau):
        return Agreement(tau, math.nan, math.nan, count)
    reach = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(VARIANCE / (count - 4))
    middle = math.atanh(tau * (1 - 0.5 / count))
    low, high = (math.tanh(middle + sign * reach) for sign in (-1, 1))
    return Agreement(tau, min(low, tau), max(high, tau), count)


def kendall(x: Order, y: Order) -> float:
    """Correlate two orders by Kendall's tau-b; NaN where one of them tells nothing apart.

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If they are not as many.

    Examples
    --------
    >>> kendall([1, 2, 3], [10, 20, 30]), kendall([1, 2, 3], [3, 2, 1])
    (1.0, -1.0)
    """
    name, advice = "An order is a list of numbers", "pass two of one length"
    orders = [numbers(name, order, advice) for order in (x, y)]
    if orders[0].ndim != 1 or orders[0].shape != orders[1].shape:
        raise ValueError(
            "Two orders are of the same things, a number for each, but got shapes "
            f"{orders[0].shape} and {orders[1].shape}."
        )
    first, second = np.triu_indices(len(orders[0]), k=1)
    by_x, by_y = (np.sign(order[first] - order[second]) for order in orders)
    pairs = np.sqrt((by_x**2).sum() * (by_y**2).sum())
    return float((by_x * by_y).sum() / pairs) if pairs else float("nan")
