"""Attention to two sides in one softmax: what a decoder has, and what its encoder gave (T5Gemma 2).

It is two layers to whoever looks, the decoder's own and the cross-attention, whose rows sum to 1
together: what goes to the one side is a sink of the other.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from regard.record.layers import ScoredLayer
from regard.record.streams import BLOCK_BYTES


def is_merged(module: nn.Module) -> bool:
    """Say whether a module reads its own side and then another, in one softmax."""
    return "MergedAttention" in type(module).__name__


def both_sides(layer: ScoredLayer) -> tuple[ScoredLayer, ScoredLayer]:
    """Part a layer whose keys are its own T, then S of another side: (h, T, T) and (h, T, S)."""
    _, num_queries, num_keys = layer.shape
    own, other = slice(num_queries), slice(num_queries, num_keys)
    return (
        replace(_keys_of(layer, own), sinks=_log_sums(layer, other)),
        replace(_keys_of(layer, other), sinks=_log_sums(layer, own), kind="cross"),
    )


def _keys_of(layer: ScoredLayer, keys: slice) -> ScoredLayer:
    """Keep some of the keys."""
    return replace(
        layer,
        key=layer.key[:, keys],
        value=None if layer.value is None else layer.value[:, keys],
        allowed=None if layer.allowed is None else _columns(layer.allowed, keys),
        bias=None if layer.bias is None else _columns(layer.bias, keys),
    )


def _columns(x: Tensor, keys: slice) -> Tensor:
    """Slice what is broadcastable to (h, Q, K) along its keys, if it has them."""
    return x[..., keys] if x.size(-1) > 1 else x


def _log_sums(layer: ScoredLayer, keys: slice) -> Tensor:
    """Take the log of what the softmax sums over some of the keys: (h, Q), -inf where masked."""
    return torch.cat([layer.score(rows=rows, keys=keys).logsumexp(-1) for rows in _rows(layer)], 1)


def _rows(layer: ScoredLayer) -> Iterator[slice]:
    """Part the queries, so that few scores are held at once."""
    num_heads, num_queries, num_keys = layer.shape
    step = max(BLOCK_BYTES // max(4 * num_heads * num_keys, 1), 1)
    yield from (slice(at, min(at + step, num_queries)) for at in range(0, num_queries, step))
