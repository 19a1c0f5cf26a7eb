"""What is no model, no tokenizer or in the wrong place is named at the door."""

from itertools import permutations
from typing import Any

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerBase

import regard
from regard.model.transformer import Transformer
from regard.tracing.expected import a_tokenizer, device_of

SENTENCE = "the dog saw it ."
IDS = torch.tensor([[4, 5, 6]])
HEADS = [("encoder", 0, 0)]


def small() -> BertModel:
    config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    return BertModel(config)


@pytest.mark.parametrize(
    ("got", "said"),
    [
        ("bert-base", r"AutoModel.from_pretrained\('bert-base'\)"),
        (BertModel, r"pass an instance, such as BertModel\(...\) or BertModel.from_pretrained"),
        (None, r"got None \(NoneType\): pass a transformers model, or any torch.nn.Module"),
        (3, r"got 3 \(int\)"),
    ],
)
def test_what_is_no_model_is_refused(
    got: Any, said: str, tokenizer: PreTrainedTokenizerBase
) -> None:
    with pytest.raises(TypeError, match=said):
        regard.trace(SENTENCE, got, tokenizer)
    with pytest.raises(TypeError, match=said):
        regard.trace_generation(SENTENCE, got, tokenizer)
    with pytest.raises(TypeError, match=said):
        regard.importance(got, IDS, lambda *_: 1.0)
    with pytest.raises(TypeError, match=said), regard.ablate(got, HEADS):
        pass
    with (
        pytest.raises(TypeError, match=said),
        regard.block(got, torch.zeros(1, 3, 3, dtype=torch.bool)),
    ):
        pass


def test_a_model_without_numbers_is_refused() -> None:
    with torch.device("meta"):
        model = small()
    assert device_of(model).type == "meta"
    message = r"BertModel is on the meta device.* BertModel.from_pretrained"
    with pytest.raises(ValueError, match=message):
        regard.trace(IDS, model)
    with pytest.raises(ValueError, match=message), regard.ablate(model, HEADS):
        pass


def test_any_other_order_is_named(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> None:
    parts = {"sentence": SENTENCE, "model": model, "tokenizer": tokenizer}
    for order in permutations(parts):
        if order == tuple(parts):
            continue
        got: list[Any] = [parts[part] for part in order]
        said = rf"in the order \({', '.join(order)}\): call trace\(sentence, model, tokenizer\)"
        with pytest.raises(TypeError, match=said):
            regard.trace(*got)
        with pytest.raises(TypeError, match=said.replace("call trace", "call trace_generation")):
            regard.trace_generation(*got)
    swapped: list[Any] = [model, IDS]
    with pytest.raises(TypeError, match=r"in the order \(model, sentence\)"):
        regard.trace(*swapped)


def test_a_tokenizer_is_one(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> None:
    class Processor:
        def __init__(self) -> None:
            self.tokenizer = tokenizer

    assert a_tokenizer(tokenizer) is tokenizer
    assert a_tokenizer(None) is None
    for got, said in (
        ("bert", r"AutoTokenizer.from_pretrained\('bert'\)"),
        (Processor(), r"pass its tokenizer, that is Processor's .tokenizer"),
        (3, r"got 3 \(int\): pass one with the Hugging Face interface"),
    ):
        wrong: Any = got
        with pytest.raises(TypeError, match=said):
            regard.trace(SENTENCE, model, wrong)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": "0"}, r"layers, if not several, is a whole number, but got '0' \(str\)"),
        ({"layers": [True]}, r"Each of layers is a whole number, but got True \(bool\)"),
        ({"layers": 0.0}, r"got 0.0 \(float\)"),
        ({"target": 3}, r"A target is a text, but got 3 \(int\)"),
        ({"target": ["la", "vaca"]}, r"A target is a text, but got"),
    ],
)
def test_options_of_other_types_are_refused(
    options: Any, said: str, model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    with pytest.raises(TypeError, match=said):
        regard.trace(SENTENCE, model, tokenizer, **options)


def test_the_most_tokens_are_a_whole_number(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    for wrong in ("x", 2.0, True):
        most: Any = wrong
        with pytest.raises(TypeError, match="max_new_tokens is a whole number"):
            regard.trace_generation(SENTENCE, model, tokenizer, max_new_tokens=most)
    with pytest.raises(ValueError, match="at least 1"):
        regard.trace_generation(SENTENCE, model, tokenizer, max_new_tokens=0)


def test_numpys_and_one_layer_are_taken(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    for layers in (1, torch.tensor(1), torch.tensor([1]), {1}):
        some: Any = layers
        assert list(regard.trace(SENTENCE, model, tokenizer, layers=some).layers["encoder"]) == [1]


def test_where_a_model_without_parameters_computes() -> None:
    assert device_of(nn.Identity()).type == "cpu"
