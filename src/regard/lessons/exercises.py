"""Exercises that check themselves: what is wrong about a learner's attention, against torch."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from regard.record.door import function

AttentionFunction = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]

RIGHT = "Right: it equals torch's scaled_dot_product_attention, with a mask and without."


def check_attention(attention: AttentionFunction) -> str:
    """Say what is right or wrong about an implementation of scaled dot-product attention.

    Parameters
    ----------
    attention
        Called as `attention(query, key, value, mask)` with (B, h, T, d_k), (B, h, S, d_k),
        (B, h, S, d_v) and a bool mask (T, S), True = may attend, or None. It returns the output
        (B, h, T, d_v).

    Returns
    -------
    str
        That it is right, or the first thing that is wrong and what to look at. The verdict comes
        from `torch.nn.functional.scaled_dot_product_attention`.

    Raises
    ------
    TypeError
        If it is no function: pass `my_attention`, not what it returned.

    Examples
    --------
    >>> check_attention(lambda q, k, v, mask: (q @ k.mT).softmax(-1) @ v)
    'Not yet: the scores are not divided by the square root of d_k. Look at the scale.'
    """
    function("attention, a function (query, key, value, mask) and not what it returned,", attention)
    random = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(2, 3, length, 4, generator=random, dtype=torch.float64) for length in (5, 6, 6)
    )
    mask = torch.ones(5, 6, dtype=torch.bool).tril(1)
    problem = _problem(attention, query, key, value, None) or _problem(
        attention, query, key, value, mask
    )
    return f"Not yet: {problem}" if problem else RIGHT


def _problem(
    attention: AttentionFunction, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
) -> str | None:
    """Name what is wrong, or None where nothing is."""
    try:
        output = attention(query, key, value, mask)
    except Exception as error:  # noqa: BLE001  a learner's code may fail in any way
        return f"it raised {type(error).__name__}: {error}"
    right = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    if not isinstance(output, Tensor):
        return f"it returned {type(output).__name__}, not a tensor: return the output alone."
    if output.shape != right.shape:
        return f"the output's shape is {tuple(output.shape)}, not {tuple(right.shape)}."
    if output.dtype != right.dtype:
        return f"the output is {output.dtype}, not {right.dtype}: keep the dtype of the input."
    if torch.allclose(output, right):
        return None
    return _diagnosis(output, right, _mistakes(query, key, value, mask))


def _diagnosis(output: Tensor, right: Tensor, mistakes: dict[str, Tensor]) -> str:
    """Name the mistake that gives this output, or say how far it is from right."""
    for complaint, mistaken in mistakes.items():
        if torch.allclose(output, mistaken, equal_nan=True):
            return complaint
    if not output.isfinite().all():
        return "the output has NaN or infinite numbers. Look at what the softmax is given."
    worst = (output - right).abs().max().item()
    return f"the output differs from torch's by up to {worst:.2g}. Go through the formula again."


def _mistakes(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
    """Make the mistakes that learners make, each with what to say about it."""
    raw = query @ key.mT
    scores = raw / math.sqrt(query.size(-1))
    allowed = torch.ones_like(raw, dtype=torch.bool) if mask is None else mask.expand_as(raw)

    def masked(scores: Tensor) -> Tensor:
        return scores.masked_fill(~allowed, -math.inf)

    weights = {
        "the scores are not divided by the square root of d_k. Look at the scale.": (
            masked(raw).softmax(-1)
        ),
        "the scores are divided by d_k, not by its square root. Look at the scale.": (
            masked(raw / query.size(-1)).softmax(-1)
        ),
        "the softmax runs over the queries. Each query divides its attention among the keys: "
        "look at the softmax's axis.": masked(scores).softmax(-2),
        "there is no softmax. The weights of a query must be positive and sum to 1.": (
            scores.masked_fill(~allowed, 0.0)
        ),
    }
    if mask is not None:
        weights |= {
            "the mask is ignored. Look at the scores where it is False.": scores.softmax(-1),
            "the mask is upside down: True means *may* attend.": (
                scores.masked_fill(allowed, -math.inf).softmax(-1)
            ),
            "the mask sets scores to 0 instead of minus infinity. Exp(0) is 1: look at the mask.": (
                scores.masked_fill(~allowed, 0.0).softmax(-1)
            ),
            "the mask is applied after the softmax, so that the weights no longer sum to 1.": (
                scores.softmax(-1).masked_fill(~allowed, 0.0)
            ),
        }
    return {complaint: weight @ value for complaint, weight in weights.items()}
