"""Softmaxes of queries and keys that were used with values in a way that is not seen.

A softmax that is only returned, or becomes a loss, is none of them: it has to be computed with, or
what it was pooled to, and together with a tensor that depends on what the model was given and has a
place for each key, as values have.
"""

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

Numbers = frozenset[int]  # of softmaxes
NONE: Numbers = frozenset()


class Unmet:
    """Follows softmaxes from where they are taken to where they are used."""

    def __init__(self) -> None:
        self.numbers = WeakTensorKeyDictionary()  # of the softmaxes that a tensor comes from
        self.num_keys: list[int] = []  # of each softmax
        self.used: set[int] = set()
        self.met: set[int] = set()  # values, as attention does

    @property
    def count(self) -> int:
        """How many were used, and never met values."""
        return len(self.used - self.met)

    def begin(self, weights: Tensor) -> None:
        """Follow a softmax over keys."""
        self.numbers[weights] = frozenset({len(self.num_keys)})
        self.num_keys.append(weights.size(-1))

    def meet(self, weights: Tensor) -> None:
        """Note that a softmax, or what became of it, met values."""
        self.met |= self.numbers.get(weights, NONE)

    def leave(self, x: Tensor) -> None:
        """Take what comes of scores otherwise for no values."""
        self.numbers[x] = NONE

    def note(
        self,
        sources: Sequence[Tensor],
        result: Tensor,
        are_values: Callable[[Tensor], bool],
        *,
        is_weights: bool,
    ) -> None:
        """Note what was computed, and of which tensors some may be values; or still weights."""
        numbers = NONE.union(*(self.numbers.get(x, NONE) for x in sources))
        if not numbers:
            return
        sides = [x.shape for x in sources if x not in self.numbers and are_values(x)]
        used = {number for number in numbers if any(self.num_keys[number] in s for s in sides)}
        self.used |= used
        self.numbers[result] = numbers if is_weights else numbers - used
