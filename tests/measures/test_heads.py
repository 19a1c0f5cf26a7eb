"""Streamed measures of heads against plain loops over the whole weights."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.measures.heads import MEASURES, measure_heads, received_by_each, top_keys
from regard.record import streams
from regard.record.layers import Layer, ScoredLayer, WeighedLayer
from regard.record.streams import of_head
from regard.record.trace import Trace
from regard.record.words import Side

HEADS, TOKENS = 2, 7
PLACES = ["distance", "on_itself", "on_previous", "on_next"]
# some scores are -inf: keys that are masked, and rows that may read nothing
some_scores = arrays(
    np.float32, (HEADS, TOKENS, TOKENS), elements=st.floats(-5, 5, width=32) | st.just(-math.inf)
)


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """Give two rows a block, and at the end one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK_BYTES", 4 * HEADS * TOKENS * 2)
        yield


def softmax(scores: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(scores).softmax(dim=-1).nan_to_num(0.0)


def side(count: int) -> Side:
    special = [i in {0, count - 1} for i in range(count)]
    return Side([f"t{i}" for i in range(count)], special)


def seen(layers: dict[int, Layer], kind: str = "encoder", targets: int = 0) -> Trace:
    tokens = next(iter(layers.values())).shape[2]
    return Trace(side(tokens), side(targets), [], {kind: layers}, {kind: max(layers) + 1})


def scored(seed: int, kind: str = "encoder", rows: int = TOKENS) -> ScoredLayer:
    torch.manual_seed(seed)
    return ScoredLayer(
        kind, torch.randn(HEADS, rows, 4) * 3, torch.randn(1, TOKENS, 4), None, scale=0.5
    )


def measured_by_loops(weights: np.ndarray, special: list[bool]) -> dict[str, float]:
    """Measure one head, (N, N), as the docstring says it."""
    rows = [(t, row) for t, row in enumerate(weights.astype(float)) if row.sum() > 0]
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for t, row in rows:
        p = row / row.sum()
        found["entropy"].append(-sum(x * math.log2(x) for x in p if x > 0))
        found["distance"].append(sum(x * abs(s - t) for s, x in enumerate(p)))
        found["on_itself"].append(row[t])
        found["on_previous"].append(row[t - 1] if t > 0 else 0)
        found["on_next"].append(row[t + 1] if t + 1 < len(row) else 0)
        found["on_first"].append(row[0])
        found["on_special"].append(sum(x for x, is_it in zip(row, special, strict=True) if is_it))
        found["mass"].append(row.sum())
    means = {name: sum(x) / len(x) if x else math.nan for name, x in found.items()}
    return means | {"mass": sum(found["mass"]) / len(weights)}


@given(some_scores)
def test_measures_equal_plain_loops(scores: np.ndarray) -> None:
    weights = softmax(scores)
    trace = seen({3: WeighedLayer("encoder", weights)})
    table = measure_heads(trace)
    assert table[["kind", "layer", "head"]].to_numpy().tolist() == [
        ["encoder", 3, head] for head in range(HEADS)
    ]
    for head in range(HEADS):
        expected = measured_by_loops(weights[head].numpy(), trace.source.special)
        assert table.loc[head, list(MEASURES)].to_dict() == pytest.approx(
            expected, abs=1e-5, nan_ok=True
        )


@given(some_scores)
def test_received_attention_equals_plain_loops(scores: np.ndarray) -> None:
    weights = softmax(scores)
    table = received_by_each(seen({0: WeighedLayer("encoder", weights)}))
    assert len(table) == HEADS * TOKENS
    received = table.set_index(["head", "position"])
    for head, key in np.ndindex(HEADS, TOKENS):
        reading = [row for row in weights[head].tolist() if sum(row) > 0]
        expected = sum(row[key] for row in reading) / len(reading) if reading else math.nan
        found = received.loc[(head, key)]
        assert found["received"] == pytest.approx(expected, abs=1e-6, nan_ok=True)
        assert found["token"] == f"t{key}"


@given(some_scores, st.integers(1, TOKENS + 2))
def test_top_keys_are_the_largest_weights(scores: np.ndarray, k: int) -> None:
    weights = softmax(scores).numpy()
    table = top_keys(seen({0: WeighedLayer("encoder", torch.from_numpy(weights))}), 0, k=k)
    for head in range(HEADS):
        for query in range(TOKENS):
            found = table[(table["head"] == head) & (table["query"] == query)]
            row = weights[head, query]
            largest = sorted((x for x in row if x > 0), reverse=True)[:k]
            assert found["weight"].tolist() == largest
            assert found["rank"].tolist() == list(range(1, len(largest) + 1))
            assert row[found["key"]].tolist() == largest
            assert found["key"].is_unique
            assert found["key_token"].tolist() == [f"t{key}" for key in found["key"]]
            assert (found["query_token"] == f"t{query}").all()


def test_weights_are_left_as_they_were() -> None:
    weights = torch.rand(HEADS, TOKENS, TOKENS)
    before = weights.clone()
    trace = seen({0: WeighedLayer("encoder", weights)})
    measure_heads(trace)
    received_by_each(trace)
    top_keys(trace, 0)
    assert torch.equal(weights, before)


def test_one_head_is_the_same_as_among_all() -> None:
    trace = seen({0: scored(1)})
    table = top_keys(trace, 0, k=2)
    of_one = top_keys(trace, 0, 1, k=2)
    assert of_one.equals(table[table["head"] == 1].reset_index(drop=True))


def test_one_head_is_a_layer() -> None:
    layer = scored(1)
    one = of_head(layer, 1)
    assert (one.kind, one.shape) == ("encoder", (1, TOKENS, TOKENS))
    assert torch.equal(one.weigh(rows=slice(2, 4)), layer.weigh(slice(1, 2), slice(2, 4)))
    assert one.weigh(slice(1, None)).shape == (0, TOKENS, TOKENS)
    assert of_head(layer, None) is layer


def test_every_kept_layer_of_every_kind_is_measured() -> None:
    layers: dict[str, dict[int, Layer]] = {
        "encoder": {0: scored(0), 2: scored(1)},
        "decoder": {},
        "cross": {1: scored(2, "cross", rows=5)},
    }
    trace = Trace(side(TOKENS), side(5), [], layers, {"encoder": 3, "decoder": 3, "cross": 3})
    places = [("encoder", 0), ("encoder", 2), ("cross", 1)]
    for table in (measure_heads(trace), received_by_each(trace)):
        found = table[["kind", "layer"]].drop_duplicates()
        assert list(found.itertuples(index=False, name=None)) == places
    assert set(received_by_each(trace, "cross")["kind"]) == {"cross"}
    assert received_by_each(trace, "decoder").columns.tolist() == [
        "kind", "layer", "head", "position", "token", "received",
    ]  # fmt: skip
    assert received_by_each(trace, "decoder").empty


@pytest.mark.parametrize("rows", [5, TOKENS])
def test_cross_attention_has_no_distances(rows: int) -> None:
    layer = scored(0, "cross", rows)
    table = measure_heads(seen({0: layer}, "cross", targets=rows))
    assert table[PLACES].isna().all(axis=None)
    weights = layer.weigh().double()
    entropy = -(weights * weights.log2()).sum(-1).mean(-1)
    assert table["entropy"].to_numpy() == pytest.approx(entropy.numpy(), abs=1e-5)
    special = weights[..., [0, -1]].sum(-1).mean(-1)
    assert table["on_special"].to_numpy() == pytest.approx(special.numpy(), abs=1e-6)


def test_keys_that_are_not_the_tokens_have_no_special_ones() -> None:
    pooled = WeighedLayer("encoder", torch.full((1, TOKENS, 3), 1 / 3))
    trace = Trace(side(TOKENS), Side(), [], {"encoder": {0: pooled}}, {"encoder": 1})
    table = measure_heads(trace)
    assert table[[*PLACES, "on_special"]].isna().all(axis=None)
    assert table["on_first"].item() == pytest.approx(1 / 3)
    assert received_by_each(trace)["token"].tolist() == ["0", "1", "2"]


def test_what_goes_to_hidden_tokens_is_missing_from_the_mass() -> None:
    whole = seen({0: scored(4)})
    table = measure_heads(whole.hide())
    shown = whole.weights(0)[:, 1:-1, 1:-1]
    assert table["mass"].to_numpy() == pytest.approx(shown.sum(-1).mean(-1), abs=1e-6)
    assert (table["mass"] < 1).all()
    for head in range(HEADS):
        expected = measured_by_loops(shown[head], [False] * (TOKENS - 2))
        assert table.loc[head, list(MEASURES)].to_dict() == pytest.approx(expected, abs=1e-5)


def test_a_model_in_training_leaves_no_gradients() -> None:
    weights = torch.rand(HEADS, TOKENS, TOKENS, requires_grad=True)
    trace = seen({0: WeighedLayer("encoder", weights)})
    assert len(measure_heads(trace)) == HEADS
    assert len(received_by_each(trace)) == HEADS * TOKENS
    assert len(top_keys(trace, 0, k=1)) == HEADS * TOKENS


def test_bad_input_is_refused_in_words() -> None:
    trace = seen({0: scored(0)})
    with pytest.raises(ValueError, match="k = 0 keys a query are none to list"):
        top_keys(trace, 0, k=0)
    with pytest.raises(ValueError, match="There is no layer 1"):
        top_keys(trace, 1)
    for head in (-1, HEADS):
        with pytest.raises(ValueError, match=f"There is no head {head}: this layer has 2"):
            top_keys(trace, 0, head)
    for function in (received_by_each, lambda trace, kind: top_keys(trace, 0, kind=kind)):
        with pytest.raises(ValueError, match="no attention of kind 'cross'"):
            function(trace, "cross")
