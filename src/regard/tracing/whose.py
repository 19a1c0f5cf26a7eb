"""Whose attention a call is: an encoder's, a decoder's, or from one sequence to another."""

import torch
from torch import Tensor, nn

from regard.tracing.functions import Attention
from regard.tracing.places import parted


class Whose:
    """Tells the kinds of calls; of one query, which tells nothing, as of more before."""

    def __init__(self) -> None:
        self.kinds: dict[nn.Module, str] = {}

    def kind_of(self, attention: Attention) -> str:
        """Say "cross", or "decoder" where no query may read what comes after it, or "encoder"."""
        if not attention.shares:
            return "cross"
        num_queries, num_keys = attention.query.size(-2), attention.key.size(-2)
        if num_queries > 1:
            kind = "cross" if num_queries != num_keys else _kind_of_self(attention)
            self.kinds[attention.module] = kind
            return kind
        is_causal = num_keys > 1 or attention.is_causal or _has_triangle(attention.module)
        return self.kinds.get(attention.module, "decoder" if is_causal else "encoder")


def _kind_of_self(attention: Attention) -> str:
    """Ask, of more than one query, whether any reads a later key."""
    if attention.is_causal:
        return "decoder"
    may = attention.weights
    if may is None and attention.mask is not None:
        may, _ = parted(attention.mask)
    if may is None:
        return "encoder"
    size = attention.query.size(-2)
    future = torch.ones(size, size, dtype=torch.bool, device=may.device).triu(1)
    return "encoder" if may.expand(*may.shape[:-2], size, size)[..., future].any() else "decoder"


def _has_triangle(module: nn.Module) -> bool:
    """Say whether a module keeps a mask that hides the future, as nanoGPT's does."""
    return any(_is_triangle(buffer) for buffer in module.buffers())


def _is_triangle(x: Tensor) -> bool:
    is_square = x.dim() > 1 and x.size(-1) == x.size(-2) > 1
    return is_square and bool(x.any()) and not bool(x.triu(1).any())
