"""Each mistake is named; what torch computes is right."""

import math

import pytest
from torch import Tensor
from torch.nn import functional as F

from regard.lessons.exercises import RIGHT, AttentionFunction, check_attention
from regard.model.attention import calculate_attention_weights


def blocked(scores: Tensor, mask: Tensor | None, fill: float = -math.inf) -> Tensor:
    return scores if mask is None else scores.masked_fill(~mask, fill)


MISTAKES: dict[str, AttentionFunction] = {
    "not divided by the square root": lambda q, k, v, m: blocked(q @ k.mT, m).softmax(-1) @ v,
    "divided by d_k": lambda q, k, v, m: blocked(q @ k.mT / 4, m).softmax(-1) @ v,
    "runs over the queries": lambda q, k, v, m: blocked(q @ k.mT / 2, m).softmax(-2) @ v,
    "no softmax": lambda q, k, v, m: blocked(q @ k.mT / 2, m, 0) @ v,
    "mask is ignored": lambda q, k, v, m: (q @ k.mT / 2).softmax(-1) @ v,
    "upside down": lambda q, k, v, m: (
        blocked(q @ k.mT / 2, None if m is None else ~m).softmax(-1) @ v
    ),
    "0 instead of minus infinity": lambda q, k, v, m: blocked(q @ k.mT / 2, m, 0).softmax(-1) @ v,
    "after the softmax": lambda q, k, v, m: blocked((q @ k.mT / 2).softmax(-1), m, 0) @ v,
    r"shape is \(2, 3, 5, 6\)": lambda q, k, v, m: blocked(q @ k.mT / 2, m).softmax(-1),
    "torch.float32, not torch.float64": lambda q, k, v, m: F.scaled_dot_product_attention(
        q, k, v, m
    ).float(),
    "NaN": lambda q, k, v, m: blocked(q @ k.mT / 2, m).sqrt() @ v,
    "raised RuntimeError": lambda q, k, v, m: q @ k,
    "not a tensor": calculate_attention_weights,  # type: ignore[dict-item]  # the mistake
    "differs from torch's by up to": lambda q, k, v, m: (
        2 * F.scaled_dot_product_attention(q, k, v, m)
    ),
}


@pytest.mark.parametrize(("verdict", "mistaken"), MISTAKES.items())
def test_mistakes_are_named(verdict: str, mistaken: AttentionFunction) -> None:
    with pytest.raises(AssertionError, match=verdict):
        assert check_attention(mistaken) == RIGHT, check_attention(mistaken)


def test_right_answers_are_right() -> None:
    assert check_attention(F.scaled_dot_product_attention) == RIGHT
    assert check_attention(lambda *args: calculate_attention_weights(*args).output) == RIGHT


def test_what_attention_returned_is_no_attention() -> None:
    with pytest.raises(TypeError, match=r"attention, a function .* expected, but got 5 \(int\)"):
        check_attention(5)  # type: ignore[arg-type]
