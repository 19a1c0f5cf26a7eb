"""Scaled dot-product attention and multi-head attention, as in the paper's section 3.2.

Vaswani et al. (2017), *Attention is all you need*. Masks are bool with **True = may attend**,
as in `torch.nn.functional.scaled_dot_product_attention`.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from regard.model.door import check_types


class Attention(NamedTuple):
    """What a head wrote, and where it looked."""

    output: Tensor  # (..., T, d_v)
    weights: Tensor  # (..., T, S): row t sums to 1, or to 0 where t may attend nowhere


def calculate_attention_weights(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> Attention:
    """Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V, with the weights.

    Parameters
    ----------
    query, key, value
        Shapes (..., T, d_k), (..., S, d_k) and (..., S, d_v), of one floating dtype.
    mask
        Bool, broadcastable to (..., T, S); True where query t may attend to key s.

    Returns
    -------
    Attention
        Named tuple of output (..., T, d_v) and weights (..., T, S). Each row of the weights sums
        to 1; a row that may attend nowhere is zero, never NaN.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or the mask does not broadcast to the weights.
    TypeError
        If query, key and value are not of one floating dtype, or the mask is not bool.

    Notes
    -----
    Vaswani et al. (2017), section 3.2.1, equation 1.

    Examples
    --------
    >>> query, key = torch.eye(2), torch.eye(2)
    >>> output, weights = calculate_attention_weights(query, key, value=torch.eye(2))
    >>> weights
    tensor([[0.6698, 0.3302],
            [0.3302, 0.6698]])
    """
    check_types(calculate_attention_weights, locals())
    check_attention_inputs(query, key, value, mask)
    d_k = query.size(-1)
    scores = query @ key.mT / math.sqrt(d_k)  # (..., T, S)
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        weights = scores.masked_fill(~mask, -math.inf).softmax(dim=-1)
        nowhere = ~mask.any(dim=-1, keepdim=True)  # (..., T, 1)
        if nowhere.any():  # the softmax of a row of -inf is NaN: make it zero
            weights = weights.masked_fill(nowhere, 0.0)
    return Attention(weights @ value, weights)


def multi_head_attention(
    query: Tensor, key: Tensor, value: Tensor, num_heads: int, mask: Tensor | None = None
) -> Attention:
    """Concat(head_1, ..., head_h), where head_i attends within its own slice of the features.

    The learned projections W_i^Q, W_i^K, W_i^V come before this function and W^O after it:
    see `MultiHeadAttention`.

    Parameters
    ----------
    query, key, value
        Shapes (B, T, d_model), (B, S, d_model) and (B, S, d_model).
    num_heads
        h, which divides d_model; each head gets d_k = d_model / h features.
    mask
        Bool, broadcastable to (B, h, T, S); True where query t may attend to key s.

    Returns
    -------
    Attention
        Named tuple of output (B, T, d_model) and weights (B, h, T, S).

    Raises
    ------
    ValueError
        If num_heads does not divide the number of features, the shapes do not fit together, or the
        mask does not broadcast to the weights.
    TypeError
        If query, key and value are not of one floating dtype, or the mask is not bool.

    Notes
    -----
    Vaswani et al. (2017), section 3.2.2.

    Examples
    --------
    >>> x = torch.randn(1, 5, 8)
    >>> output, weights = multi_head_attention(x, x, x, num_heads=2)
    >>> output.shape, weights.shape
    (torch.Size([1, 5, 8]), torch.Size([1, 2, 5, 5]))
    """
    check_types(multi_head_attention, locals())
    query, key, value = (split_heads(x, num_heads) for x in (query, key, value))
    output, weights = calculate_attention_weights(query, key, value, mask)
    return Attention(output.transpose(-3, -2).flatten(-2), weights)


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Give each head its slice of the features: (B, T, d_model) -> (B, h, T, d_k)."""
    d_model = x.size(-1)
    if num_heads < 1 or d_model % num_heads:
        raise ValueError(
            f"{d_model} features cannot be split into {num_heads} heads of one size: "
            f"choose a number of heads that divides {d_model}."
        )
    return x.unflatten(-1, (num_heads, d_model // num_heads)).transpose(-3, -2)


def check_attention_inputs(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> None:
    """Raise where query, key, value and mask do not fit together, in words and with the shapes."""
    shapes = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
    if min(query.dim(), key.dim(), value.dim()) < 2:
        raise ValueError(f"Attention takes (..., length, features), but got {shapes}.")
    if query.size(-1) != key.size(-1):
        raise ValueError(f"query and key differ in their last size, d_k: {shapes}.")
    if key.size(-2) != value.size(-2):
        raise ValueError(f"There must be one value for each key, but got {shapes}.")
    if not query.is_floating_point() or not query.dtype == key.dtype == value.dtype:
        raise TypeError(
            "query, key and value must be of one floating dtype, but got "
            f"{query.dtype}, {key.dtype} and {value.dtype}: convert them with `.to(torch.float32)`."
        )
    try:
        batch = torch.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    except RuntimeError as error:
        raise ValueError(f"The sizes before the last two must be the same: {shapes}.") from error
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise TypeError(
            f"The mask is {mask.dtype}, but must be bool with True = may attend: "
            "pass `mask != 0` for a mask of zeros and ones."
        )
    expected = (*batch, query.size(-2), key.size(-2))  # (..., T, S)
    try:
        mask.expand(expected)
    except RuntimeError as error:
        raise ValueError(
            f"The mask {tuple(mask.shape)} does not broadcast to the weights {expected}: give it "
            "their sizes or 1, such as `mask[:, None, None, :]` for a padding mask (B, S)."
        ) from error
