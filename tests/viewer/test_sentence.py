from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerBase

from regard.model.transformer import Transformer
from regard.viewer.sentence import visualize_attention_weights
from tests.pictures.drawing import cells, tick_texts


@pytest.fixture(autouse=True)
def _no_figure_left() -> Iterator[None]:
    yield
    plt.close("all")


def test_cross_attention_has_source_words_in_columns_and_target_words_in_rows(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    source, target = "the dog did not follow it .", "a cat saw these cows"
    ax = visualize_attention_weights(source, model, tokenizer, 1, 0, kind="cross", target=target)
    columns, rows = tick_texts(ax)
    assert columns == [*source.split(), "</s>"]
    reads = ["<s>", *target.split()]
    writes = [*target.split(), "</s>"]
    assert rows == [f"{r} → {w}" for r, w in zip(reads, writes, strict=True)]
    ids = tokenizer.get_vocab()
    src = torch.tensor([[*(ids[word] for word in source.split()), 2]])
    tgt = torch.tensor([[1, *(ids[word] for word in target.split())]])
    with torch.no_grad():
        expected = model.eval().translate(src, tgt).cross_weights[1, 0, 0]
    np.testing.assert_allclose(cells(ax), expected, atol=1e-6)
    assert "writes next" in ax.get_ylabel()


def test_each_kind_is_named_and_has_its_words(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    arguments = ("the dog saw it .", model, tokenizer, 0, 1)
    encoder = visualize_attention_weights(*arguments)
    assert (
        encoder.get_title("left") or encoder.get_title()
    ) == "Encoder self-attention, layer 0, head 1"
    assert tick_texts(encoder) == (["the", "dog", "saw", "it", ".", "</s>"],) * 2
    decoder = visualize_attention_weights(*arguments, kind="decoder", target="a cat .")
    assert tick_texts(decoder)[0] == ["<s>", "a", "cat", "."]
    assert np.triu(cells(decoder), 1).max() == 0, "no token reads a later one"


def test_it_draws_where_it_is_told(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> None:
    ax = plt.subplots()[1]
    assert visualize_attention_weights("a dog", model, tokenizer, 0, 0, ax=ax) is ax


@pytest.mark.parametrize(
    ("sentence", "layer", "head", "message"),
    [
        ("", 0, 0, "empty"),
        ("a xylophone", 0, 0, "xylophone"),
        ("a dog", 2, 0, "layer 2"),
        ("a dog", 0, -1, "head -1"),
        ("dog " * 300, 0, 0, "too long"),
    ],
)
def test_bad_input_is_named_and_opens_no_figure(
    model: Transformer,
    tokenizer: PreTrainedTokenizerBase,
    sentence: str,
    layer: int,
    head: int,
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        visualize_attention_weights(sentence, model, tokenizer, layer, head)
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sentence": 5}, "A sentence is a string.*but got int"),
        ({"layer": "x"}, r"layer.* whole number, but got 'x' \(str\)"),
        ({"layer": True}, r"layer.* whole number, but got True \(bool\)"),
        ({"head": "x"}, r"head.* whole number, but got 'x' \(str\)"),
        ({"head": 0.0}, r"head.* whole number, but got 0.0 \(float\)"),
        ({"kind": 3}, "kind of attention is a text, but got 3"),
        ({"ax": "x"}, "ax is one Axes of matplotlib, but got 'x'"),
    ],
)
def test_what_is_of_a_wrong_type_is_said(
    model: Transformer,
    tokenizer: PreTrainedTokenizerBase,
    changed: dict[str, Any],
    message: str,
) -> None:
    right: dict[str, Any] = {
        "sentence": "a dog",
        "model": model,
        "tokenizer": tokenizer,
        "layer": 0,
        "head": 0,
    }
    with pytest.raises(TypeError, match=message):
        visualize_attention_weights(**(right | {"layer": 0, "head": 0} | changed))
    assert not plt.get_fignums()
