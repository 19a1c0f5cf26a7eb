"""Whose attention a call is: an encoder's, a decoder's, or from one sequence to another."""

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from regard.tracing.addresses import parted
from regard.tracing.causality import hides_the_future, says_causal, side_of
from regard.tracing.functions import Attention


class Whose:
    """Tells the kinds of calls; of one query, which tells nothing, as of more before."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.kinds: dict[nn.Module, str] = {}

    def kind_of(self, attention: Attention) -> str:
        """Say "cross", or "decoder" where no query may read what comes after it, or "encoder".

        Raises
        ------
        ValueError
            If it is of a model's encoder or decoder, and only some of the tokens read.
        """
        if not attention.shares:
            return "cross"
        module, num_keys = attention.module, attention.key.size(-2)
        if side := side_of(attention.name, self.model):
            if attention.query.size(-2) not in {1, num_keys}:
                raise ValueError(
                    f"{attention.name} attends from some of its tokens to {num_keys} of several "
                    "kinds, so that a head has no one matrix of weights."
                )
            return side
        if attention.query.size(-2) > 1:
            if attention.query.size(-2) != num_keys:
                kind = "cross"
            else:
                kind = "decoder" if self._is_decoders(attention) else "encoder"
            self.kinds[module] = kind
            return kind
        is_causal = attention.is_causal or _has_triangle(module)
        is_causal = is_causal or bool(says_causal(module, self.model))
        alone = "encoder" if num_keys == 1 else "cross"  # a class token reads all others
        return self.kinds.get(module, "decoder" if is_causal else alone)

    def _is_decoders(self, attention: Attention) -> bool:
        """Ask, of more than one query, the mask; of a transformers model, what it says, too."""
        may = _may_read(attention)
        if attention.is_causal or may is None:
            return attention.is_causal
        if hides_the_future(may.expand(*may.shape[:-2], *[attention.query.size(-2)] * 2)):
            return True
        is_known = isinstance(self.model, PreTrainedModel)
        return is_known and bool(says_causal(attention.module, self.model))


def _may_read(attention: Attention) -> Tensor | None:
    """Say who may read whom, by a mask or by what the softmax was taken of; None for everybody."""
    if attention.logits is not None:
        return attention.logits > torch.finfo(attention.logits.dtype).min / 2
    if attention.weights is not None:
        return attention.weights > 0
    return None if attention.mask is None else parted(attention.mask)[0]


def _has_triangle(module: nn.Module) -> bool:
    """Say whether a module keeps a mask that hides the future, as nanoGPT's does."""
    return any(_is_triangle(buffer) for buffer in module.buffers())


def _is_triangle(x: Tensor) -> bool:
    is_square = x.dim() > 1 and x.size(-1) == x.size(-2) > 1
    return is_square and bool(x.any()) and not bool(x.triu(1).any())
