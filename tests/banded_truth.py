"""Longformer's and LED's attention in a band, computed in full from hidden states and matrices."""

import math
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn


def banded_weights(model: nn.Module, inputs: Mapping[str, Any], length: int) -> list[Tensor]:
    """Compute each layer's weights, (h, T, T), without what the model pads its text with."""
    found: list[Tensor] = []
    banded = [x for x in model.modules() if hasattr(x, "one_sided_attn_window_size")]

    def note(module: Any, args: tuple[Tensor, ...], given: Mapping[str, Any]) -> None:
        found.append(in_full(module, *args, **given)[:, :length, :length])

    with ExitStack() as hooks, torch.no_grad():
        for module in banded:
            hooks.callback(module.register_forward_pre_hook(note, with_kwargs=True).remove)
        if banded:
            model(**inputs)
    return found


def in_full(
    module: Any,
    hidden_states: Tensor,
    _: Tensor | None = None,
    *,
    is_index_masked: Tensor,
    is_index_global_attn: Tensor,
    **__: Any,
) -> Tensor:
    """Let each token read its neighbours and the global ones, and those read all."""
    x, masked, is_global = hidden_states[0], is_index_masked[0], is_index_global_attn[0]
    at = torch.arange(len(x))
    near = (at[:, None] - at).abs() <= module.one_sided_attn_window_size

    def read(query: nn.Module, key: nn.Module, may: Tensor) -> Tensor:
        q, k = (
            of(x).unflatten(-1, (module.num_heads, -1)).transpose(0, 1).double()
            for of in (query, key)
        )
        scores = (q @ k.mT / math.sqrt(q.size(-1))).masked_fill(~(may & ~masked), -math.inf)
        return scores.softmax(-1).nan_to_num().masked_fill(masked[:, None], 0)

    weights = read(module.query, module.key, near | is_global)
    of_globals = read(module.query_global, module.key_global, torch.ones_like(near))
    return torch.where(is_global[:, None], of_globals, weights)
