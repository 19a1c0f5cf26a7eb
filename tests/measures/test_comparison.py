"""Two traces compared, against plain loops."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regard.measures.comparison import align_tokens, compare, difference
from regard.record.layers import Layer, WeighedLayer
from regard.record.trace import Trace
from regard.record.words import Side

FIRST = ["it", "was", "too", "tired", "."]
SECOND = ["it", "was", "too", "wide", "."]
words = st.lists(st.sampled_from(["a", "b", "c"]), max_size=7)


def random_weights(*shape: int, seed: int) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(size=shape) * 2
    weights = np.exp(scores)
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)


@given(words, words)
def test_pairs_are_in_order_and_of_no_token_twice(first: list[str], second: list[str]) -> None:
    pairs = align_tokens(first, second)
    assert pairs == sorted(pairs)
    for side, tokens in enumerate((first, second)):
        at = [pair[side] for pair in pairs]
        assert len(set(at)) == len(at)
        assert all(0 <= place < len(tokens) for place in at)
    if first == second:
        assert pairs == [(at, at) for at in range(len(first))]


def test_heads_that_changed_most_come_first() -> None:
    weights = random_weights(2, 3, 5, 5, seed=0)
    other = weights.copy()
    other[1, 2] = random_weights(5, 5, seed=1)
    other[0, 1, 3] = np.eye(5)[0]
    table = compare(Trace.from_weights(weights, FIRST), Trace.from_weights(other, SECOND))
    assert len(table) == 6
    assert list(table.loc[0, ["kind", "layer", "head"]]) == ["encoder", 1, 2]
    assert list(table.loc[1, ["layer", "head", "query"]]) == [0, 1, "tired"]
    expected = [np.abs(weights[1, 2, q] - other[1, 2, q]).sum() / 2 for q in range(5)]
    assert table.loc[0, "change"] == pytest.approx(np.mean(expected), rel=1e-5)
    assert table.loc[0, "query_change"] == pytest.approx(max(expected), rel=1e-5)
    assert (table.loc[2:, "change"] == 0).all()


def test_a_token_that_one_side_has_alone_is_left_out() -> None:
    first, second = ["a", "b", "c"], ["a", "x", "y", "c"]
    weights, other = random_weights(1, 3, 3, seed=2), random_weights(1, 4, 4, seed=3)
    found = difference(Trace.from_weights(weights, first), Trace.from_weights(other, second), 0, 0)
    assert found.queries == found.keys == ["a", "c"]
    expected = other[0][np.ix_([0, 3], [0, 3])] - weights[0][np.ix_([0, 2], [0, 2])]
    np.testing.assert_allclose(found.weights, expected, atol=1e-7)


def with_decoder(source: list[str], target: list[str]) -> Trace:
    """Trace an encoder of two layers, and a decoder that has written this target."""
    seen = Trace.from_weights(random_weights(2, 2, len(source), len(source), seed=0), source)
    written = torch.from_numpy(random_weights(3, len(target), len(target), seed=len(target)))
    decoder: dict[int, Layer] = {0: WeighedLayer("decoder", written)}
    layers, counts = seen.layers | {"decoder": decoder}, seen.counts | {"decoder": 1}
    return replace(seen, target=Side.of_names(target), layers=layers, counts=counts)


def test_what_two_models_wrote_otherwise_hinders_no_comparison_of_what_they_read() -> None:
    first = with_decoder(FIRST, ["lo", "cano"])
    second = with_decoder(SECOND, ["las", "vacas", "parvas"])
    table = compare(first, second)
    of_encoder = table[table["kind"] == "encoder"]
    pd.testing.assert_frame_equal(table.head(4), of_encoder)  # those that are known come first
    assert of_encoder["change"].notna().all()
    left = table[table["kind"] == "decoder"]
    assert list(left["head"]) == [0, 1, 2]
    assert left[["change", "query", "query_change"]].isna().all(axis=None)
    difference(first, second, 0, 0)
    said = "share no token in decoder self-attention, layer 0: .* one target= "
    with pytest.raises(ValueError, match=said):
        difference(first, second, 0, 0, kind="decoder")


def test_only_traces_are_compared() -> None:
    trace = Trace.from_weights(random_weights(1, 2, 2, seed=0), ["a", "b"])
    got = r"A trace is expected, but got 'a b' \(str\): make one by `regard.trace"
    for first, second in ((trace, "a b"), ("a b", trace)):
        with pytest.raises(TypeError, match=got):
            compare(first, second)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=got):
            difference(first, second, 0, 0)  # type: ignore[arg-type]


def test_what_cannot_be_compared_is_refused() -> None:
    trace = Trace.from_weights(random_weights(1, 2, 2, seed=0), ["a", "b"])
    strange = Trace.from_weights(random_weights(1, 2, 2, seed=0), ["c", "d"][:2])
    longer = Trace.from_weights(random_weights(1, 3, 3, seed=0), ["x", "y", "z"])
    assert compare(trace, strange)["change"].tolist() == [0]  # c stands for a, d for b
    with pytest.raises(ValueError, match="share no token"):
        compare(trace, longer)
    more_heads = Trace.from_weights(random_weights(2, 2, 2, seed=0), ["a", "b"])
    with pytest.raises(ValueError, match="share no kind and layer"):
        compare(trace, more_heads)
    with pytest.raises(ValueError, match="There is no layer 1"):
        difference(trace, trace, 1, 0)
