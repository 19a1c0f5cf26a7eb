"""Measures against planted answers and plain loops."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike

from regard.measures.weights import entropy, mean_distance, received_attention

scores = arrays(np.float64, (2, 5, 5), elements=st.floats(-5, 5))


def softmax(x: np.ndarray) -> np.ndarray:
    return torch.from_numpy(x).softmax(-1).numpy()


@given(scores)
def test_entropy_is_that_of_a_distribution(x: np.ndarray) -> None:
    weights = softmax(x)
    expected = torch.distributions.Categorical(torch.from_numpy(weights)).entropy() / math.log(2)
    assert np.allclose(entropy(weights), expected, atol=1e-9)


@given(scores)
def test_received_attention_and_distance_equal_plain_loops(x: np.ndarray) -> None:
    weights = softmax(x)
    for head in range(2):
        for s in range(5):
            assert received_attention(weights)[head, s] == pytest.approx(
                sum(weights[head, t, s] for t in range(5)) / 5
            )
        for t in range(5):
            assert mean_distance(weights)[head, t] == pytest.approx(
                sum(weights[head, t, s] * abs(s - t) for s in range(5))
            )


@pytest.mark.parametrize("measure", [received_attention, entropy, mean_distance])
def test_weights_are_matrices(measure: Callable[[ArrayLike], object]) -> None:
    with pytest.raises(ValueError, match=r"are \(..., queries, keys\), but got \(2,\)"):
        measure([0.5, 0.5])


def test_distances_are_of_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"square matrices .*, but got \(1, 3\): pass self-att"):
        mean_distance([[0.5, 0.5, 0.0]])


@pytest.mark.parametrize("measure", [received_attention, entropy, mean_distance])
@pytest.mark.parametrize("got", ["attention", [["a", "b"]], [[1.0], [0.5, 0.5]]])
def test_what_is_no_array_of_numbers(measure: Callable[[ArrayLike], object], got: Any) -> None:
    with pytest.raises(TypeError, match=r"are an array of numbers, .* but got .*: pass "):
        measure(got)
