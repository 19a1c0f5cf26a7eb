"""Measures against planted answers and plain loops."""

import math
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike

from regard.measures.leak import leak_test
from regard.measures.weights import (
    Reading,
    best_heads,
    best_offsets,
    entropy,
    mean_distance,
    received_attention,
    recount,
    score_heads,
)
from regard.record.layers import WeighedLayer
from regard.record.trace import Trace
from regard.record.words import Side

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


def planted(*matrices: list[list[float]]) -> Trace:
    """Give a trace of one encoder layer whose heads have these weights."""
    heads = torch.tensor(matrices)
    words = [str(i) for i in range(heads.size(-1))]
    layer = WeighedLayer("encoder", heads)
    return Trace(Side.of_names(words), Side(), [], {"encoder": {0: layer}}, {"encoder": 1})


def test_a_planted_head_is_found() -> None:
    reads_next = planted(np.eye(3).tolist(), np.eye(3, k=1).tolist())
    gold = [("next", "encoder", 0, 1), ("next", "encoder", 1, 2), ("next", "encoder", 2, 2)]
    table = score_heads([reads_next], [gold])
    best = best_heads(table).loc["next"]
    assert (best["layer"], best["head"]) == (0, 1)
    assert best["share"] == pytest.approx(2 / 3)
    assert best["mass"] == pytest.approx(2 / 3)
    assert best.loc["count"] == 3
    other = table[table["head"] == 0].iloc[0]
    assert other["share"] == pytest.approx(1 / 3)


def test_scores_pool_the_sentences_and_keep_names_apart() -> None:
    one, two = planted([[0.9, 0.1], [0.2, 0.8]]), planted([[0.4, 0.6], [0.3, 0.7]])
    gold = [[("a", "encoder", 0, 0)], [("a", "encoder", 0, 0), ("b", "encoder", 1, 1)]]
    table = score_heads([one, two], gold).set_index("name")
    assert table.loc["a", "share"] == 0.5
    assert table.loc["a", "mass"] == pytest.approx((0.9 + 0.4) / 2)
    assert table.loc["b", "share"] == 1


def test_a_missing_gold_list_or_trace_is_an_error() -> None:
    seen = planted([[1.0]])
    with pytest.raises(ValueError, match=r"but gold ends after 0 and traces does not: pass both"):
        score_heads([seen], [])
    with pytest.raises(ValueError, match=r"but traces ends after 1 and gold does not: pass both"):
        score_heads(iter([seen]), [[], []])


@pytest.mark.parametrize("position", [(3, 0), (0, 3), (-1, 0), (0, -1)])
def test_a_gold_position_outside_of_the_matrix(position: tuple[int, int]) -> None:
    seen = planted(np.eye(3).tolist())
    message = f"'it' is at (query, key) = {position}, outside of the encoder attention, whose sizes"
    with pytest.raises(ValueError, match=re.escape(message)):
        score_heads([seen], [[("it", "encoder", *position)]])


def test_readings_of_a_kind_that_a_trace_lacks_are_left_out() -> None:
    gold = [[("a", "cross", 7, 7), ("b", "encoder", 0, 0)]]
    assert score_heads([planted([[1.0]])], gold)["name"].tolist() == ["b"]


@pytest.mark.parametrize("gold", [[], [[], []]])
def test_nothing_has_no_best(gold: list[list[Reading]]) -> None:
    with pytest.raises(ValueError, match="no readings to find an offset for: give at least one"):
        best_offsets(gold)
    with pytest.raises(ValueError, match="no scores to choose heads by: give `score_heads`"):
        best_heads(score_heads([planted([[1.0]])] * len(gold), gold))


@pytest.mark.parametrize("measure", [received_attention, entropy, mean_distance])
def test_weights_are_matrices(measure: Callable[[ArrayLike], object]) -> None:
    with pytest.raises(ValueError, match=r"are \(..., queries, keys\), but got \(2,\)"):
        measure([0.5, 0.5])


def test_distances_are_of_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"square matrices .*, but got \(1, 3\): pass self-att"):
        mean_distance([[0.5, 0.5, 0.0]])


def test_best_offset_counts_signed_distances() -> None:
    gold = [
        [("a", "encoder", 5, 3), ("a", "encoder", 4, 2), ("b", "cross", 0, 4)],
        [("a", "encoder", 2, 4)],
    ]
    table = best_offsets(gold)
    assert table.loc["a", "offset"] == -2
    assert table.loc["a", "share"] == pytest.approx(2 / 3)
    assert table.loc["b", "offset"] == 4
    assert table.loc["b", "share"] == 1


def test_leak_test_sees_exactly_what_is_read() -> None:
    def sums_the_past(ids: torch.Tensor) -> torch.Tensor:
        return ids.float().cumsum(1)[..., None]

    moved = leak_test(sums_the_past, torch.tensor([[1, 2, 3]]), replacement=7)
    assert moved.tolist() == [[6, 0, 0], [6, 5, 0], [6, 5, 4]]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([1, 2], r"ids \(1, T\) of one sentence, not \(2,\)"),
        ([[1, 2], [3, 4]], r"not \(2, 2\)"),
        ([[1, 7]], "replacement, 7, is in the target"),
    ],
)
def test_targets_that_show_no_leak(target: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        leak_test(torch.nn.Embedding(9, 9), torch.tensor(target), replacement=7)


def test_recount_gives_the_chosen_heads_what_they_score_elsewhere() -> None:
    columns = ["name", "kind", "layer", "head", "share", "mass", "count"]
    chosen_on = pd.DataFrame(
        [("it", "encoder", 0, 0, 0.9, 0.5, 9), ("it", "encoder", 0, 1, 0.8, 0.5, 9)],
        columns=columns,
    )
    others = pd.DataFrame(
        [("it", "encoder", 0, 0, 0.3, 0.2, 7), ("it", "encoder", 0, 1, 0.8, 0.5, 7)],
        columns=columns,
    )
    counted = recount(best_heads(chosen_on), others)
    assert list(counted.loc["it"]) == ["encoder", 0, 0, 0.3, 0.2, 7]
