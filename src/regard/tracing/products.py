"""Products of two tensors: which of their sides are queries, keys, and what is summed over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

PRODUCTS = {
    *(torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, Tensor.bmm),
    *(torch.baddbmm, Tensor.baddbmm, torch.einsum),
}
BIASED = {torch.baddbmm, Tensor.baddbmm}


@dataclass(frozen=True)
class Order:
    """In which order the sides of a tensor stand, and back; None, if they stand so."""

    sides: tuple[int, ...] | None = None

    def put(self, x: Tensor) -> Tensor:
        """Put the sides in order."""
        return x if self.sides is None else x.permute(self.sides)

    def back(self, x: Tensor) -> Tensor:
        """Put them as they stood."""
        return x if self.sides is None else x.permute([self.sides.index(n) for n in range(x.dim())])


@dataclass(frozen=True)
class Factors:
    """A product as it was given, and how its parts are (..., T, n), (..., n, S) and (..., T, S)."""

    left: Tensor
    right: Tensor
    times: Callable[[Tensor], Tensor]  # multiplies another left one with the right one
    of_left: Order = Order()
    of_right: Order = Order()
    of_result: Order = Order()

    @property
    def queries_and_keys(self) -> tuple[Tensor, Tensor]:
        """As scores: queries (..., T, d) and keys (..., S, d)."""
        return self.of_left.put(self.left), self.of_right.put(self.right).mT

    @property
    def weights(self) -> Tensor:
        """As weights: (..., T, S)."""
        return self.of_left.put(self.left)

    @property
    def values(self) -> Tensor:
        """As values: (..., S, d)."""
        return self.of_right.put(self.right)

    @property
    def is_over_keys(self) -> bool:
        """Say whether what is summed over are the rows of the values."""
        return self.weights.size(-1) == self.values.size(-2)


def factors_of(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Factors | None:
    """Take a product apart; None, where it is none of two matrices, or of stacks of them."""
    if func is torch.einsum:
        return _einsum(args)
    if func in BIASED:
        args = [*args, *(kwargs[name] for name in ("batch1", "batch2") if name in kwargs)]
        kwargs = {name: x for name, x in kwargs.items() if name not in {"batch1", "batch2"}}
    first, left, right = args[:3] if func in BIASED else (None, *args[:2])
    if not all(isinstance(x, Tensor) and x.dim() > 1 for x in (left, right)):
        return None
    if func in BIASED:
        return Factors(left, right, lambda other: func(first, other, right, **kwargs))
    return Factors(left, right, lambda other: func(other, right))


def _einsum(args: Sequence[Any]) -> Factors | None:
    """Take apart such as bhid,bhjd->bhij; one letter is summed, the others are in the result."""
    if len(args) == 2 and isinstance(args[1], list | tuple):
        args = [args[0], *args[1]]
    if len(args) != 3 or not isinstance(args[0], str) or "->" not in args[0]:
        return None
    terms, result = args[0].replace(" ", "").split("->")
    if "." in terms or terms.count(",") != 1:
        return None
    one, other = terms.split(",")
    summed = [letter for letter in one if letter in other and letter not in result]
    stacked = [letter for letter in result if letter in one and letter in other]
    rows = [letter for letter in one if letter not in other]
    columns = [letter for letter in other if letter not in one]
    if not len(summed) == len(rows) == len(columns) == 1:
        return None
    return Factors(
        args[1],
        args[2],
        partial(_einsum_with, args[0], args[2]),
        _order(one, [*stacked, *rows, *summed]),
        _order(other, [*stacked, *summed, *columns]),
        _order(result, [*stacked, *rows, *columns]),
    )


def _einsum_with(equation: str, right: Tensor, left: Tensor) -> Tensor:
    return torch.einsum(equation, left, right)


def _order(letters: str, wanted: Sequence[str]) -> Order:
    return Order(tuple(letters.index(letter) for letter in wanted))
