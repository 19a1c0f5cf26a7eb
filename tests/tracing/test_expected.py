"""What is no model, no tokenizer or in the wrong place is named at the door."""

from itertools import permutations
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    PreTrainedTokenizerBase,
    Wav2Vec2FeatureExtractor,
)

import regard
from regard.model.transformer import Transformer
from regard.tracing.expected import a_tokenizer, device_of

SENTENCE = "the dog saw it ."
IDS = torch.tensor([[4, 5, 6]])
HEADS = [("encoder", 0, 0)]


@pytest.mark.parametrize("got", ["bert-base", BertModel, None, 3])
def test_what_is_no_model_is_refused(got: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    said = "A model is expected, but got .*: pass a PyTorch module, such as"
    with pytest.raises(TypeError, match=said):
        regard.trace(SENTENCE, got, tokenizer)
    with pytest.raises(TypeError, match=said):
        regard.trace_generation(SENTENCE, got, tokenizer)
    with pytest.raises(TypeError, match=said):
        regard.importance(got, IDS, lambda *_: 1.0)
    with pytest.raises(TypeError, match=said), regard.ablate(got, HEADS):
        pass
    with pytest.raises(TypeError, match=said), regard.block(got, torch.zeros(1, 3, 3).bool()):
        pass


def test_a_model_without_numbers_is_refused() -> None:
    config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    with torch.device("meta"):
        model = BertModel(config)
    assert device_of(model).type == "meta"
    message = "BertModel is on the meta device, where it has no weights: load it by from_pretrained"
    with pytest.raises(ValueError, match=message):
        regard.trace(IDS, model)
    with pytest.raises(ValueError, match=message), regard.ablate(model, HEADS):
        pass


def test_any_other_order_is_named(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> None:
    parts: list[Any] = [SENTENCE, model, tokenizer]
    for order in permutations(parts):
        if list(order) == parts:
            continue
        said = r"A (model|tokenizer) is where the \w+ belongs: the order is "
        with pytest.raises(TypeError, match=said + r"trace\(sentence, model, tokenizer\)"):
            regard.trace(*order)
        with pytest.raises(TypeError, match=said + r"trace_generation\(prompt, model, tokenizer\)"):
            regard.trace_generation(*order)
    wrong: Any = regard.doctor
    with pytest.raises(TypeError, match=r"the order is doctor\(model, tokenizer, sentence\)"):
        wrong(SENTENCE, model, tokenizer)


def test_a_tokenizer_is_one(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> None:
    class Processor:
        def __init__(self) -> None:
            self.tokenizer = tokenizer

    assert a_tokenizer(tokenizer) is tokenizer
    assert a_tokenizer(None) is None
    assert a_tokenizer(Processor()) is tokenizer
    processor: Any = Processor()
    assert (
        regard.trace(SENTENCE, model, processor).tokens
        == regard.trace(SENTENCE, model, tokenizer).tokens
    )
    for got, said in (
        ("bert", r"got 'bert' \(str\): pass one with the interface of transformers"),
        (Tokenizer(WordLevel()), r"pass PreTrainedTokenizerFast\(tokenizer_object=it\)"),
        (Wav2Vec2FeatureExtractor(), r"makes input_values, .*trace\(processor\(\.\.\.\), model\)"),
        (3, r"got 3 \(int\): pass one with the interface"),
    ):
        wrong: Any = got
        with pytest.raises(TypeError, match=said):
            regard.trace(SENTENCE, model, wrong)


def test_a_tokenizer_knows_something() -> None:
    with pytest.raises(ValueError, match=r"BertTokenizer knows no tokens but special ones, as whe"):
        a_tokenizer(BertTokenizer())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": "0"}, r"layers, if not several, is a whole number, but got '0' \(str\)"),
        ({"layers": [True]}, r"Each of layers is a whole number, but got True \(bool\)"),
        ({"layers": 0.0}, r"got 0.0 \(float\)"),
        ({"target": 3}, r"A target is a text, but got 3 \(int\)"),
        ({"target": ["la", "vaca"]}, r"A target is a text, but got"),
        ({"attention": print}, "attention is a mapping from classes of modules to functions"),
        ({"values": 1}, r"values is True or False, but got 1 \(int\)"),
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
