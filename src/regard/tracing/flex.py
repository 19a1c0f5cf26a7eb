"""`flex_attention` as it runs where nothing is compiled: what its functions make of all scores.

torch calls one operator there, with a function that changes a score and one that says who may read
whom. Both are asked about all pairs at once, by indices that broadcast, and what comes of it is
held against what the operator wrote.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from regard.tracing.agreement import TOLERANCES

FLEX: Callable[..., Any] = torch.ops.higher_order.flex_attention


@dataclass(frozen=True)
class Flex:
    """One call: queries (B, h, T, d), keys and values (B, g, S, d)."""

    query: Tensor
    key: Tensor
    value: Tensor
    score_mod: Callable[..., Tensor]
    mask_mod: Callable[..., Tensor]
    scale: float
    of_scores: tuple[Any, ...]  # what else the functions are given
    of_masks: tuple[Any, ...]

    @classmethod
    def of(  # noqa: PLR0917  the operator's own arguments
        cls,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        score_mod: Callable[..., Tensor],
        block_mask: tuple[Any, ...],
        scale: float,
        _: Any = None,
        of_scores: tuple[Any, ...] = (),
        of_masks: tuple[Any, ...] = (),
    ) -> "Flex":
        """Take the arguments of the operator; the last part of a block mask is its function."""
        return cls(query, key, value, score_mod, block_mask[-1], scale, of_scores, of_masks)

    @cached_property
    def as_called(self) -> dict[str, Any]:
        """Say what it is: by a mask, where scores are left as they are, or else by its weights."""
        if not torch.equal(self._changed, self._scores):
            return {"weights": self.weights, "logits": self._logits}
        _, _, query_at, key_at = self._places
        is_causal = bool((self._allowed == (key_at <= query_at)).all())
        is_needed = not is_causal and not self._allowed.all()
        mask = self._allowed if is_needed else None
        return {"mask": mask, "is_causal": is_causal, "scale": self.scale}

    @property
    def weights(self) -> Tensor:
        """The weights, (B, h, T, S); of a query that may read nothing, zeros."""
        return self._logits.softmax(-1).nan_to_num(0.0).to(self.query.dtype)

    def written(self, weights: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Attend with other weights, or under another mask: (B, h, T, d)."""
        if weights is not None:
            return weights.to(self.value.dtype) @ self._of_heads(self.value)
        return F.scaled_dot_product_attention(
            self.query,
            self._of_heads(self.key),
            self._of_heads(self.value),
            attn_mask=mask,
            scale=self.scale,
        )

    def check(self, output: Tensor, name: str) -> None:
        """Hold what the weights make of the values against what the operator wrote.

        Raises
        ------
        ValueError
            If they differ.
        """
        off = (self.written(self.weights) - output).abs().max()
        if off > TOLERANCES.get(output.dtype, 1e-4) * (1 + self.value.abs().max()):
            raise ValueError(
                f"{name or 'The model'} calls flex_attention with functions that give, for all "
                f"pairs at once, not what they give one by one: off by {float(off):.2g}. Let them "
                "compute with their indices only by what broadcasts."
            )

    @cached_property
    def _allowed(self) -> Tensor:
        """Say who may read whom: bool (B, h, T, S), with sides of 1 where all are alike."""
        may = self.mask_mod(*self._places, *self.of_masks)
        return may.reshape(*[1] * (4 - may.dim()), *may.shape)

    @cached_property
    def _logits(self) -> Tensor:
        """What the softmax is taken of: (B, h, T, S)."""
        return self._changed.masked_fill(~self._allowed, float("-inf"))

    @cached_property
    def _scores(self) -> Tensor:
        query, key = self.query.float(), self._of_heads(self.key).float()
        return query @ key.mT * self.scale

    @cached_property
    def _changed(self) -> Tensor:
        changed = self.score_mod(self._scores, *self._places, *self.of_scores)
        return changed.expand_as(self._scores)

    @property
    def _places(self) -> list[Tensor]:
        """The numbers of sentences, heads, queries and keys, each along its side."""
        sides = (*self.query.shape[:3], self.key.size(2))
        return [
            torch.arange(size, device=self.query.device).reshape(-1, *[1] * (3 - side))
            for side, size in enumerate(sides)
        ]

    def _of_heads(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(self.query.size(1) // x.size(1), dim=1)
