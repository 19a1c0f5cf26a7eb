"""What one attention layer saw; the weights of a head are computed when it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class RecordedLayer:
    """One attention layer of one forward pass, on one sentence: O(N d) kept, never h x N x N."""

    kind: str  # "encoder", "decoder" or "cross"
    query: Tensor  # (h, Q, d_k)
    key: Tensor  # (h, K, d_k)
    weigh: Callable[[int], Tensor]  # head -> (Q, K), computed as the model itself does

    @property
    def num_heads(self) -> int:
        """How many heads, h."""
        return self.query.size(0)
