"""Weights that someone has already, from whatever model: held against what attention must be."""

from collections.abc import Iterable, Mapping, Sized
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regard.record.door import described, names, text
from regard.record.kinds import plain
from regard.record.layers import Layer, WeighedLayer
from regard.record.words import Side, numbers

ROUNDING = 1e-3  # how far a row of weights may be from 1 and still be called attention


def layers_of(weights: Any, kind: str) -> dict[int, Layer]:
    """Take the weights of one layer or several, by number.

    Raises
    ------
    TypeError
        If they are no numbers.
    ValueError
        If there are none, or they are no attention weights of one sentence.
    """
    kind = text("A kind of attention", kind)
    parts = [name for name in dir(weights) if name.endswith("attentions")]
    if isinstance(weights, Mapping) and parts:
        raise TypeError(
            f"Attention weights are arrays, but got {described(weights)}, all that a model "
            f"returned: pass {' or '.join(f'its `.{name}`' for name in parts)}."
        )
    is_array = getattr(weights, "ndim", 1) > 0  # of numbers that have a length
    if weights is None or (is_array and isinstance(weights, Sized) and len(weights) == 0):
        raise ValueError(
            "There are no attention weights. A transformers model under sdpa, its default, gives "
            "an empty tuple or None for output_attentions=True: use `regard.trace(sentence, model, "
            'tokenizer)`, or `model.set_attn_implementation("eager")` first.'
        )
    if isinstance(weights, list | tuple) and any(
        w is None or _tensor(w).dim() > 2 for w in weights
    ):
        several = {i: _tensor(w) for i, w in enumerate(weights) if w is not None}
        if not several:
            return layers_of(None, kind)
    else:
        whole = _tensor(weights)
        several = dict(enumerate(whole if whole.dim() == 4 else [whole]))
    return {i: WeighedLayer(kind, _checked(layer, i)) for i, layer in several.items()}


def _tensor(weights: Any) -> Tensor:
    """Take numbers in rows of one length."""
    try:
        numbers = weights if isinstance(weights, Tensor) else np.array(weights, order="C")
        return torch.as_tensor(numbers).float()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"Attention weights are numbers in rows of one length, (Q, K), (h, Q, K) or (layers, "
            f"h, Q, K), but got {described(weights)}: pass a tensor, an array or nested lists; of "
            "a model, make a trace by `regard.trace(sentence, model, tokenizer)`."
        ) from error


def _checked(weights: Tensor, layer: int) -> Tensor:
    """Give a layer's weights as (h, Q, K), or say what is wrong with them."""
    if weights.dim() == 4 and weights.size(0) == 1:
        weights = weights[0]
    if weights.dim() == 4:
        raise ValueError(
            f"The weights of layer {layer} are of {weights.size(0)} sentences: pass those of one, "
            "such as `[w[:1] for w in attentions]`."
        )
    weights = weights[None] if weights.dim() == 2 else weights
    if weights.dim() != 3:
        raise ValueError(
            f"The weights of layer {layer} are {tuple(weights.shape)}, but must be (h, Q, K)."
        )
    if not weights.isfinite().all() or (weights < 0).any():
        raise ValueError(
            f"The weights of layer {layer} are not all finite and at least 0: pass them after the "
            "softmax; `regard.examine(weights)` says which and why."
        )
    sums = weights.sum(dim=-1)
    if ((sums - 1).abs().minimum(sums) > ROUNDING).any():
        raise ValueError(
            f"The rows of layer {layer} sum to {sums.min():.3g} to {sums.max():.3g}, not to 1: in "
            "train mode dropout is in them (`model.eval()`), and scores must pass the softmax."
        )
    return weights


def sides_given(
    layer: Layer, kind: str, tokens: Iterable[str] | None, target_tokens: Iterable[str] | None
) -> tuple[Side, Side]:
    """Name the tokens that are read, and those of the other side that read.

    Raises
    ------
    ValueError
        If the tokens do not fit the weights, or these are of no self-attention.
    """
    _, num_queries, num_keys = layer.shape
    columns = Side.of_names(named(tokens, num_keys, "tokens"))
    if plain(kind) == "cross":
        return columns, Side.of_names(named(target_tokens, num_queries, "target_tokens"))
    if num_queries != num_keys:
        raise ValueError(
            f"In self-attention the tokens that read are those that are read, but the weights "
            f'have {num_queries} rows and {num_keys} columns: pass kind="cross".'
        )
    return columns, Side()


def named(given: Iterable[str] | None, count: int, what: str) -> list[str]:
    """Take a name for each token; numbers, if none are given."""
    if given is None:
        return numbers(count)
    listed = names(what, given)
    if len(listed) != count:
        raise ValueError(
            f"{what} has {len(listed)} tokens, but the weights have {count}: name every token that "
            "the model saw, special ones too."
        )
    return listed
