"""T5Gemma 2 reads its own side and the other in one softmax: both are there, and can be cut."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import regard
from regard.viewer.apart import SHARED, why_not
from regard.viewer.tiles import HeadMap
from tests.output_projections import writing
from tests.tiny_models import build, inputs_for

LAYER, HEAD = 1, 2


@pytest.fixture(scope="module")
def model() -> Any:
    return build("t5gemma2", "AutoModelForSeq2SeqLM", None)


@pytest.fixture(scope="module")
def inputs(model: Any) -> dict[str, Tensor]:
    return inputs_for(model, "seq2seq")


@pytest.fixture(scope="module")
def seen(model: Any, inputs: dict[str, Tensor]) -> regard.Trace:
    return regard.trace(inputs, model)


def logits(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(**inputs).logits
    return found


def test_both_sides_are_eagers(model: Any, inputs: dict[str, Tensor], seen: regard.Trace) -> None:
    model.set_attn_implementation("eager")
    with torch.no_grad():
        given = model(**inputs, output_attentions=True)
    model.set_attn_implementation("sdpa")
    for kind in ("decoder", "cross"):
        for number, weights in enumerate(given[f"{kind}_attentions"]):
            np.testing.assert_allclose(seen.weights(number, kind=kind), weights[0], atol=1e-6)
    both = seen.weights(LAYER, kind="decoder").sum(-1) + seen.weights(LAYER, kind="cross").sum(-1)
    np.testing.assert_allclose(both, 1, atol=1e-6)
    assert seen.weights(LAYER, kind="cross").sum(-1).max() < 0.999
    assert "together 1" in seen.how


@pytest.mark.parametrize("kind", ["decoder", "cross"])
def test_a_head_is_cut_by_either_name(model: Any, inputs: dict[str, Tensor], kind: str) -> None:
    with regard.ablate(model, [(kind, LAYER, HEAD)]):
        ours = logits(model, inputs)
    projection = model.model.decoder.layers[LAYER].self_attn.o_proj
    with writing(projection, HEAD, model.config.decoder.num_attention_heads, torch.zeros_like):
        theirs = logits(model, inputs)
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, logits(model, inputs))


@pytest.mark.parametrize("kind", ["decoder", "cross"])
def test_edges_of_either_side_are_blocked(
    model: Any, inputs: dict[str, Tensor], seen: regard.Trace, kind: str
) -> None:
    """What is not read of a key goes to the others of both sides, as it does by hand."""
    _, num_queries, num_keys = seen.layers[kind][0].shape
    forbidden = torch.zeros(1, num_queries, num_keys, dtype=torch.bool)
    forbidden[:, 3:, 1] = True
    with regard.block(model, forbidden, kind=kind):
        narrowed = regard.trace(inputs, model)
    before = np.concatenate([seen.weights(0, kind=side) for side in ("decoder", "cross")], -1)
    column = 1 if kind == "decoder" else num_queries + 1
    before[:, 3:, column] = 0
    wanted = before / before.sum(-1, keepdims=True)
    after = np.concatenate([narrowed.weights(0, kind=side) for side in ("decoder", "cross")], -1)
    np.testing.assert_allclose(after, wanted, atol=1e-6)


def test_a_weight_is_taken_apart_and_kept(seen: regard.Trace, tmp_path: Path) -> None:
    found = regard.dissect(seen, LAYER, HEAD, 3, 2, kind="cross")
    assert found.weight == pytest.approx(float(seen.weights(LAYER, HEAD, kind="cross")[3, 2]))
    scores = regard.dissect(seen, LAYER, HEAD, 3, 2, kind="decoder")
    assert scores.log_sum == pytest.approx(found.log_sum, abs=1e-5)  # one softmax
    assert why_not(seen.layer(LAYER, "cross")) == SHARED
    seen.save(tmp_path / "seen.trace")
    again = regard.Trace.load(tmp_path / "seen.trace")
    np.testing.assert_array_equal(
        again.weights(LAYER, kind="cross"), seen.weights(LAYER, kind="cross")
    )


def test_a_map_of_it_is_of_the_same_softmax(seen: regard.Trace) -> None:
    layer = seen.layer(LAYER, "cross")
    some = layer.weigh(slice(HEAD, HEAD + 1), slice(2, 5))
    np.testing.assert_allclose(some[0], seen.weights(LAYER, HEAD, kind="cross")[2:5], atol=1e-7)
    _, num_queries, num_keys = layer.shape
    head = HeadMap(layer, HEAD)
    drawn = head.tile(head.whole, num_queries, num_keys)
    np.testing.assert_allclose(drawn, seen.weights(LAYER, HEAD, kind="cross"), atol=1e-6)
