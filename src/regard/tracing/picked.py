"""Queries or keys that were picked by rank, as the most telling ones: their rows are no tokens.

Informer attends from the best of its queries alone, in no order, and Reformer from sorted ones.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from regard.tracing.leading import is_alias
from regard.tracing.running import tensors_in

RANKS = {torch.topk, Tensor.topk, torch.sort, Tensor.sort, torch.argsort, Tensor.argsort}
PICKS = {Tensor.__getitem__, torch.index_select, Tensor.index_select, torch.gather, Tensor.gather}
PICKS |= {torch.take_along_dim, Tensor.take_along_dim}


class Picked:
    """Follows ranks to what is picked by them, and that as long as it is only viewed otherwise."""

    def __init__(self) -> None:
        self.ranks = WeakTensorKeyDictionary()
        self.picked = WeakTensorKeyDictionary()

    def holds(self, *tensors: Tensor) -> bool:
        """Say whether any of these was picked."""
        return any(x in self.picked for x in tensors)

    def note(self, func: Any, sources: Any, results: Any) -> None:
        """Note what was computed, by which function and of what."""
        given = list(tensors_in(sources))
        is_ranked = func in RANKS or any(x in self.ranks for x in given)
        for result in tensors_in(results):
            if is_ranked and result.dtype == torch.long:
                self.ranks[result] = True
            elif (is_ranked and func in PICKS) or self._is_view(result, given):
                self.picked[result] = True

    def _is_view(self, result: Tensor, given: list[Tensor]) -> bool:
        return any(x in self.picked and is_alias(x, result) for x in given if x is not result)
