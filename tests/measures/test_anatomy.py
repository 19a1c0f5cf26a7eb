"""One weight, taken apart, against the weights of the trace."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

import regard
from regard.lessons.bugs import bug
from regard.measures.anatomy import dissect
from regard.model.transformer import Transformer
from regard.record.layers import Layer, ScoredLayer
from regard.record.trace import Trace
from regard.record.words import Side, Word
from tests.viewer.test_tiles import layers


def seen(layer: Layer) -> Trace:
    _, queries, keys = layer.shape
    source, target = (
        Side.of_names([f"{name}{at}" for at in range(n)])
        for name, n in (("k", keys), ("q", queries))
    )
    crossed: Layer = replace(layer, kind="cross")  # type: ignore[type-var]
    return Trace(source, target, [], {"cross": {0: crossed}}, {"cross": 1})


@given(layers(), st.data())
def test_the_steps_lead_to_the_weight(layer: ScoredLayer, data: st.DataObject) -> None:
    _, queries, keys = layer.shape
    query, key = data.draw(st.integers(0, queries - 1)), data.draw(st.integers(0, keys - 1))
    found = dissect(seen(layer), 0, 1, query, key)
    score = found.products.astype(float).sum() * found.scale + found.bias
    if found.softcap is not None:
        score = found.softcap * math.tanh(score / found.softcap)
    assert found.score in (-math.inf, pytest.approx(score, abs=1e-5))
    may_read = layer.may_read().expand(2, queries, keys)[1, query]
    assert (found.score > -math.inf) == may_read[key]
    assert found.weight == pytest.approx(float(layer.weigh()[1, query, key]), abs=1e-6)
    assert found.num_keys == int(may_read.sum())
    assert found.to_dataframe()["adds"].sum() == pytest.approx(found.dot * found.scale, abs=1e-5)


def test_our_own_model_is_explained(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> None:
    trace = regard.trace("the dog saw it .", model, tokenizer, target="a cat")
    for kind, (query, key) in {"encoder": (1, 3), "decoder": (2, 1), "cross": (1, 4)}.items():
        found = dissect(trace, 1, 0, query, key, kind=kind)
        assert found.weight == pytest.approx(trace.weights(1, 0, kind=kind)[query, key], abs=1e-6)
        assert found.scale == pytest.approx(found.query.size**-0.5)


def test_attention_without_scale_is_explained_too(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    with bug(model, "no scale"):
        trace = regard.trace("the dog saw it .", model, tokenizer, target="a cat")
    found = dissect(trace, 1, 0, 1, 3)
    assert found.weight == pytest.approx(trace.weights(1, 0)[1, 3], abs=1e-6)


def test_of_words_the_strongest_pair_of_tokens_is_shown() -> None:
    torch.manual_seed(0)
    layer = ScoredLayer("encoder", torch.randn(1, 4, 4), torch.randn(1, 4, 4), None, scale=1.0)
    names = ["the", "un", "##like", "##ly"]
    words: list[Word | None] = [Word(0, "the"), *[Word(1, "unlikely")] * 3]
    whole = Trace(
        Side(names, [False] * 4, words), Side(), [], {"encoder": {0: layer}}, {"encoder": 1}
    )
    found = dissect(whole.merge_words(), 0, 0, query=1, key=1)
    weights = whole.weights(0, 0)[1:, 1:]
    assert found.weight == pytest.approx(weights.max())
    query, key = np.unravel_index(weights.argmax(), weights.shape)
    assert (found.query_token, found.key_token) == (names[1 + query], names[1 + key])


def test_what_cannot_be_taken_apart_says_why() -> None:
    with pytest.raises(ValueError, match="was made from weights"):
        dissect(Trace.from_weights(np.eye(2)), 0, 0, 0, 1)


def test_of_a_module_with_a_way_of_its_own_only_weights_are_known(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    with bug(model, "softmax over queries"):
        trace = regard.trace("the dog saw it .", model, tokenizer, target="a cat")
    with pytest.raises(ValueError, match=r"no queries and keys .* weights as the module gave them"):
        dissect(trace, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("place", "said"),
    [((1, 0, 0, 0), "There is no layer 1"), ((0, 2, 0, 0), "no head 2: this layer has 1"),
     ((0, 0, 3, 0), "no query 3"), ((0, 0, 0, -1), "no key -1")],
)  # fmt: skip
def test_a_weight_that_is_not_there_is_refused(place: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        dissect(Trace.from_weights(np.eye(3)), *place)


def test_a_line_of_text_says_all_steps() -> None:
    q, k = torch.tensor([[[2.0, 1.0]]]), torch.tensor([[[1.0, 0.5], [0.0, 1.0]]])
    layer = ScoredLayer("cross", q, k, None, 0.5, bias=torch.ones(1, 1, 2), softcap=3.0,
                        sinks=torch.zeros(1))  # fmt: skip
    text = str(dissect(seen(layer), 0, 0, 0, 0))
    assert text.startswith(
        "q0 reads k0: q k^T = 2.5; x scale 0.5 = 1.25; + bias 1 = 2.25; squeezed"
    )
    assert "the sum over 2 keys and the sink" in text
    masked = replace(layer, allowed=torch.tensor([[[False, True]]]))
    said = str(dissect(seen(masked), 0, 0, 0, 0))
    assert "masked: -inf" in said
    assert f"squeezed to +-3 = {3 * math.tanh(2.25 / 3):.4g}" in said
