"""Products of two tensors: which of their sides are queries, keys, and what is summed over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    is_turned: bool = False  # and then the last two the other way round

    def put(self, x: Tensor) -> Tensor:
        """Put the sides in order."""
        x = x if self.sides is None else x.permute(self.sides)
        return x.mT if self.is_turned else x

    def back(self, x: Tensor) -> Tensor:
        """Put them as they stood."""
        x = x.mT if self.is_turned else x
        return x if self.sides is None else x.permute([self.sides.index(n) for n in range(x.dim())])

    def keeps_last(self, x: Tensor) -> bool:
        """Say whether the last side stays the last."""
        is_last = self.sides is None or self.sides[-1] == x.dim() - 1
        return is_last != self.is_turned

    @property
    def turned(self) -> "Order":
        """The order in which the last two stand the other way round."""
        return replace(self, is_turned=not self.is_turned)


@dataclass(frozen=True)
class Factors:
    """A product as it was given, and how its parts are (..., T, n), (..., n, S) and (..., T, S)."""

    left: Tensor
    right: Tensor
    multiplied: Callable[[Tensor, Tensor], Tensor]  # two others, as these were
    of_left: Order = Order()
    of_right: Order = Order()
    of_result: Order = Order()

    def times(self, left: Tensor) -> Tensor:
        """Multiply another left one with the right one."""
        return self.multiplied(left, self.right)

    @property
    def turned(self) -> "Factors":
        """The same as V W^T, where W is what is right here: that is (W V^T)^T."""
        return Factors(
            self.right,
            self.left,
            lambda left, right: self.multiplied(right, left),
            self.of_right.turned,
            self.of_left.turned,
            self.of_result.turned,
        )

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
        return Factors(left, right, lambda one, other: func(first, one, other, **kwargs))
    return Factors(left, right, func)


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
        partial(torch.einsum, args[0]),
        _order(one, [*stacked, *rows, *summed]),
        _order(other, [*stacked, *summed, *columns]),
        _order(result, [*stacked, *rows, *columns]),
    )


def _order(letters: str, wanted: Sequence[str]) -> Order:
    return Order(tuple(letters.index(letter) for letter in wanted))
