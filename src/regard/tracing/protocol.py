"""Attention modules that say what they are: read, edited and narrowed."""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from regard.record.kinds import KINDS
from regard.record.layers import Layer, ScoredLayer, WeighedLayer
from regard.tracing.calls import Call, Edit, check_fit, evenly

SHORT = 64  # queries
ROUNDING = 1e-4  # how far a weight may be from what queries and keys give


class AttentionModule(Protocol):
    """The protocol: a module that is nothing but attention, and says whose.

    Its `forward(query, key, value, num_heads, mask)` takes (B, T, d), (B, S, d), (B, S, d), the
    number of heads that share the features, and a mask broadcastable to (B, h, T, S) or None; what
    it returns has `.weights` (B, h, T, S). `kind` is one of `KINDS`.
    """

    kind: str

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, num_heads: int, mask: Tensor | None
    ) -> Any:
        """Attend."""


def attention_modules(model: nn.Module) -> list[nn.Module]:
    """Find the submodules that follow the protocol, in the order in which they were built."""
    return [module for module in model.modules() if follows_protocol(module)]


def follows_protocol(module: nn.Module) -> bool:
    """Say whether a module says which kind of attention it is."""
    kind = getattr(module, "kind", None)
    return isinstance(kind, str) and kind in KINDS


def read_protocol(module: nn.Module, arguments: Mapping[str, Any], output: Any) -> Layer | None:
    """Read what a module of the protocol was called with, and what it gave, as a layer.

    Where its weights are the softmax of q k^T, scaled or not, queries and keys are kept; else the
    weights themselves, so that a head shows what the module really uses, edited or not.
    """
    inputs = inputs_of_protocol(arguments)
    weights = getattr(output, "weights", None)  # (B, h, T, S)
    if len(inputs) < 5 or not isinstance(weights, Tensor):
        return None  # it has a kind, but is no attention
    *features, num_heads, mask = inputs
    query, key, value = (heads_of(x.detach()[0], num_heads) for x in features)
    weights = weights.detach()[0]
    kind, allowed = str(module.kind), _of_first_sentence(mask)
    scales, masks = (query.size(-1) ** -0.5, 1.0), (allowed, None)  # someone may leave both out
    for scale, may_read in product(scales, masks):
        layer = ScoredLayer(kind, query, key, value, scale, allowed=may_read)
        if _explains(layer, weights):
            return layer
    return WeighedLayer(kind, weights)


def _explains(layer: ScoredLayer, weights: Tensor) -> bool:
    """Hold a layer against the weights that were given: all of a short text, else three rows."""
    _, num_queries, _ = layer.shape
    if weights.shape != layer.shape:
        return False
    rows = [slice(at, at + 1) for at in (0, num_queries // 2, num_queries - 1)]
    rows = [slice(0, num_queries)] if num_queries <= SHORT else rows
    return all(
        torch.allclose(layer.weigh(rows=some), weights[:, some].float(), rtol=0, atol=ROUNDING)
        for some in rows
    )


def heads_of(x: Tensor, num_heads: int) -> Tensor:
    """Part the heads of a sentence: (T, d_model) -> (h, T, d_k)."""
    return x.unflatten(-1, (num_heads, -1)).transpose(0, 1)


def _of_first_sentence(mask: Tensor | None) -> Tensor | None:
    """Take the first sentence's part of a mask that is broadcastable to (B, h, T, S)."""
    if mask is None:
        return None
    return mask.reshape((1,) * (4 - mask.dim()) + tuple(mask.shape))[0]


def inputs_of_protocol(arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    """Give query, key, value, num_heads and mask, of whatever names, or as forward(*inputs)."""
    inputs = tuple(arguments.values())
    return inputs[0] if len(inputs) == 1 and isinstance(inputs[0], tuple) else inputs[:5]


def edit_protocol(
    arguments: Mapping[str, Any],
    output: Any,
    call: Callable[..., Call],
    edit: Edit,
) -> Any:
    """Put what an edit gives in place of what the heads wrote; None to leave it."""
    query, key, value, num_heads, mask = inputs_of_protocol(arguments)
    if not hasattr(output, "_replace") or not hasattr(output, "output"):
        raise TypeError(
            f"An attention module returned {type(output).__name__}: to be edited, it must return a "
            "named tuple of `output` (B, T, features) and `weights`."
        )

    def read_evenly() -> Tensor:
        allowed = torch.ones((), dtype=torch.bool, device=query.device) if mask is None else mask
        shape = (query.size(0), num_heads, query.size(1), key.size(1))
        values = value.unflatten(-1, (num_heads, -1)).transpose(1, 2)  # (B, h, S, d_v)
        return evenly(values, allowed.expand(shape), num_heads).transpose(1, 2)

    edited = edit(call(lambda: output.output.unflatten(-1, (num_heads, -1)), read_evenly))
    return None if edited is None else output._replace(output=edited.flatten(-2))


def narrow_protocol(inputs: tuple[Any, ...], may: Tensor) -> tuple[Any, ...]:
    """Narrow the mask that a module is called with."""
    query, key, value, num_heads, mask = inputs
    check_fit(may, (query.size(0), num_heads, query.size(1), key.size(1)))
    may = may.to(query.device)
    return query, key, value, num_heads, may if mask is None else mask & may
