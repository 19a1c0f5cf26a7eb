"""Rollout against a naive loop, weighted values against explicit vectors."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor
from torch.nn import functional as F

from regard.measures import rollout as rollout_module
from regard.measures.rollout import rollout, value_weighted
from regard.record import streams as streams_module
from regard.record.layers import Layer, ScoredLayer, WeighedLayer
from regard.record.trace import Trace
from regard.record.words import Side

LAYERS, HEADS, GROUPS, TOKENS, SIZE, MODEL = 3, 4, 2, 7, 3, 10
scores = arrays(np.float32, (LAYERS, HEADS, TOKENS, TOKENS), elements=st.floats(-5, 5, width=32))


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """Give two rows a block, and at the end one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams_module, "BLOCK_BYTES", 4 * HEADS * TOKENS * 2)
        yield


def seen(layers: dict[int, Layer], count: int | None = None, kind: str = "encoder") -> Trace:
    side = Side.of_names([f"t{i}" for i in range(TOKENS)])
    return Trace(side, Side(), [], {kind: layers}, {kind: count or len(layers)})


def of_weights(weights: Tensor) -> Trace:
    return seen({i: WeighedLayer("encoder", layer) for i, layer in enumerate(weights)})


def rolled_out_naively(weights: np.ndarray) -> np.ndarray:
    """Roll out (L, h, N, N) as the paper says it."""
    result = np.eye(TOKENS)
    for layer in weights.astype(float):
        mixed = 0.5 * layer.mean(axis=0) + 0.5 * np.eye(TOKENS)
        result = mixed / mixed.sum(axis=-1, keepdims=True) @ result
    return result


@settings(deadline=None)  # rollout of a busy machine takes longer
@given(scores)
def test_rollout_equals_a_naive_loop(x: np.ndarray) -> None:
    weights = torch.from_numpy(x).softmax(dim=-1)
    found = rollout(of_weights(weights))
    assert found.dtype == np.float32
    assert np.allclose(found, rolled_out_naively(weights.numpy()), atol=1e-6)
    assert np.allclose(found.sum(axis=-1), 1, atol=1e-5)


def test_rows_are_renormalised() -> None:
    torch.manual_seed(0)
    weights = torch.rand(LAYERS, HEADS, TOKENS, TOKENS) / TOKENS
    weights[:, :, 2] = 0  # a query that reads nothing stays what it is
    found = rollout(of_weights(weights))
    assert np.allclose(found, rolled_out_naively(weights.numpy()), atol=1e-6)
    assert np.allclose(found.sum(axis=-1), 1, atol=1e-5)
    assert found[2].tolist() == np.eye(TOKENS)[2].tolist()


def test_layers_are_multiplied_in_order_of_their_numbers() -> None:
    weights = torch.rand(2, HEADS, TOKENS, TOKENS).softmax(dim=-1)
    trace = seen({i: WeighedLayer("encoder", weights[i]) for i in (1, 0)})
    assert np.allclose(rollout(trace), rolled_out_naively(weights.numpy()), atol=1e-6)


def test_what_cannot_be_rolled_out_is_refused_in_words() -> None:
    square = WeighedLayer("encoder", torch.rand(HEADS, TOKENS, TOKENS))
    smaller = WeighedLayer("encoder", torch.rand(HEADS, 3, 3))
    pooled = WeighedLayer("encoder", torch.rand(HEADS, TOKENS, 3))
    with pytest.raises(ValueError, match=re.escape("all 3 layers, but only [0, 2] were kept")):
        rollout(seen({0: square, 2: square}, count=3))
    with pytest.raises(ValueError, match=re.escape("of one size (N, N), but got [(3, 3), (7, 7)]")):
        rollout(seen({0: square, 1: smaller}))
    with pytest.raises(ValueError, match=re.escape("of one size (N, N), but got [(7, 3)]")):
        rollout(seen({0: pooled}))
    with pytest.raises(ValueError, match="Cross-attention"):
        rollout(seen({0: square}, kind="cross"))
    with pytest.raises(ValueError, match="no attention of kind 'decoder'"):
        rollout(seen({0: square}), "decoder")


def test_a_long_text_is_refused_before_it_takes_memory() -> None:
    long = ScoredLayer(
        "encoder", torch.ones(1, 20_000, 1), torch.ones(1, 20_000, 1), torch.ones(1, 20_000, 1), 1.0
    )
    with pytest.raises(
        ValueError, match=r"would take 3\.2 GB, .* more than 2\.0 GB .* merge_words"
    ):
        rollout(seen({0: long}))
    with pytest.raises(ValueError, match=r"would take 2\.4 GB, .*: ask for one head"):
        value_weighted(seen({0: attending(torch.ones(6, 10_000, 1))}), 0)


def attending(x: Tensor) -> ScoredLayer:
    return ScoredLayer("encoder", x, x, x, scale=1.0)


@pytest.fixture
def layer() -> ScoredLayer:
    """Give a causal layer of grouped heads."""
    torch.manual_seed(2)
    query = torch.randn(HEADS, TOKENS, 4)
    key, value = torch.randn(GROUPS, TOKENS, 4), torch.randn(GROUPS, TOKENS, SIZE)
    return ScoredLayer("encoder", query, key, value, scale=0.5, is_causal=True)


@pytest.fixture
def output() -> Tensor:
    torch.manual_seed(3)
    return torch.randn(HEADS * SIZE, MODEL)


def each_vector(layer: ScoredLayer, output: Tensor) -> Tensor:
    """Give a_ij f(x_j) itself: (h, Q, K, d_model)."""
    assert layer.value is not None
    value = layer.value.repeat_interleave(HEADS // GROUPS, dim=0)
    transformed = torch.einsum("hkd,hdm->hkm", value, output.view(HEADS, SIZE, MODEL))
    return torch.einsum("hqk,hkm->hqkm", layer.weigh(), transformed)


def test_norms_are_those_of_the_vectors_that_sum_to_the_output(
    layer: ScoredLayer, output: Tensor
) -> None:
    vectors = each_vector(layer, output)
    assert layer.value is not None
    query, key, value = (x[None] for x in (layer.query, layer.key, layer.value))
    attended = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
    out = attended[0].transpose(0, 1).flatten(1) @ output
    assert torch.allclose(vectors.sum(dim=(0, 2)), out, atol=1e-5)
    found = value_weighted(seen({0: layer}), 0, output=output)
    assert found.dtype == np.float32
    assert np.allclose(found, vectors.norm(dim=-1), atol=1e-5)


def test_without_an_output_projection_norms_are_the_values_own(layer: ScoredLayer) -> None:
    found = value_weighted(seen({0: layer}), 0)
    assert layer.value is not None
    for head, query, key in np.ndindex(HEADS, TOKENS, TOKENS):
        vector = layer.weigh()[head, query, key] * layer.value[head // (HEADS // GROUPS), key]
        assert found[head, query, key] == pytest.approx(vector.norm().item(), abs=1e-6)


def test_one_head_is_the_same_as_among_all(layer: ScoredLayer, output: Tensor) -> None:
    trace = seen({0: layer})
    for given_output in (output, None):
        of_all = value_weighted(trace, 0, output=given_output)
        for head in range(HEADS):
            of_one = value_weighted(trace, 0, head, output=given_output)
            assert np.allclose(of_one, of_all[head], atol=1e-6)


def test_a_parameter_and_a_layer_may_want_gradients(output: Tensor) -> None:
    x = torch.rand(HEADS, TOKENS, SIZE, requires_grad=True)
    trace = seen({0: ScoredLayer("encoder", x, x, x, scale=1.0)})
    assert value_weighted(trace, 0, output=torch.nn.Parameter(output)).shape[0] == HEADS
    assert rollout(trace).shape == (TOKENS, TOKENS)


def test_values_that_are_missing_or_do_not_fit_are_refused_in_words(
    layer: ScoredLayer, output: Tensor
) -> None:
    trace = seen({0: layer})
    without = of_weights(torch.rand(1, HEADS, TOKENS, TOKENS))
    for lacking in (without, trace.hide()):
        with pytest.raises(ValueError, match="trace with values=True"):
            value_weighted(lacking, 0)
    with pytest.raises(ValueError, match=re.escape("is (12, d_model), but got (10, 12)")):
        value_weighted(trace, 0, output=output.T)
    with pytest.raises(ValueError, match="There is no layer 1"):
        value_weighted(trace, 1)
    with pytest.raises(ValueError, match="There is no head 4"):
        value_weighted(trace, 0, 4)


def test_the_limit_is_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = of_weights(torch.rand(1, HEADS, TOKENS, TOKENS))
    monkeypatch.setattr(rollout_module, "LIMIT_BYTES", 2 * TOKENS**2 * 4)
    assert rollout(trace).shape == (TOKENS, TOKENS)
    monkeypatch.setattr(rollout_module, "LIMIT_BYTES", 2 * TOKENS**2 * 4 - 1)
    with pytest.raises(ValueError, match="would take"):
        rollout(trace)


def test_only_traces_are_rolled_out(layer: ScoredLayer) -> None:
    got = r"A trace is expected, but got 'a text' \(str\): make one by"
    with pytest.raises(TypeError, match=got):
        rollout("a text")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=got):
        value_weighted("a text", 0)  # type: ignore[arg-type]
    trace = seen({0: layer})
    with pytest.raises(TypeError, match=r"A kind of attention is a text, but got 0 \(int\)"):
        rollout(trace, 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"layer, counted from 0, is a whole number, but got 'a'"):
        value_weighted(trace, "a")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"head, counted from 0, is a whole number, but got True"):
        value_weighted(trace, 0, True)  # noqa: FBT003  what is refused
    with pytest.raises(TypeError, match=r"output is a tensor .* a Linear: pass `.weight.T` of"):
        value_weighted(trace, 0, output=torch.nn.Linear(12, 10))  # type: ignore[arg-type]
