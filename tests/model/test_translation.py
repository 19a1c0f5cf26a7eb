"""What a trained model writes, and how much of it is right."""

import math
import re
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close
from transformers import PreTrainedTokenizerFast

from regard.model.lexicon import vocabulary
from regard.model.pairs import generate_synthetic_data
from regard.model.tokenization import build_tokenizer
from regard.model.transformer import Transformer
from regard.model.translation import greedy_translate, translation_accuracy

PAD, START, END = 0, 1, 2
VOCAB_SIZE = 300


def test_translations_are_what_the_model_generates(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    sentences = generate_synthetic_data(5, VOCAB_SIZE, max_length=20)
    words = vocabulary(VOCAB_SIZE)
    expected = []
    for ids in sentences["source_ids"]:
        written = model.eval().generate(torch.tensor([[*ids, END]]))[0].tolist()
        expected.append(" ".join(words[i] for i in written if 3 < i < len(words)))
    source = sentences["source"].tolist()
    assert greedy_translate(source, model.train(), tokenizer) == expected


def test_accuracy_counts_sentences_and_pronouns() -> None:
    pairs = generate_synthetic_data(300, VOCAB_SIZE, max_length=24)
    gold = pairs["target"].tolist()
    assert translation_accuracy(gold, gold) == (1.0, 1.0)

    def swap_last(text: str) -> str:
        return re.sub(r"\w+ \.$", "x .", text)

    statements = pairs["category"] == "statement"
    blind = [
        text if still else swap_last(text) for text, still in zip(gold, statements, strict=True)
    ]
    accuracy = translation_accuracy(blind, gold)
    assert_close(accuracy.exact, statements.mean())
    assert accuracy.pronoun == 1.0  # the last word is no pronoun
    assert translation_accuracy(["nothing"] * 300, gold) == (0.0, 0.0)


def test_no_pronouns_are_neither_right_nor_wrong() -> None:
    accuracy = translation_accuracy(["lo cano"], ["lo cano"])
    assert accuracy.exact == 1
    assert math.isnan(accuracy.pronoun)
    with pytest.raises(ValueError, match="got 1 translations of 0"):
        translation_accuracy(["lo cano"], [])


# --- the sides of the tokenizer


@pytest.mark.parametrize(
    ("sentence", "words"),
    [("la vaca vedava .", ["la", "vaca", "vedava"]), ("the dog saw lo cano .", ["cano", "lo"])],
)
def test_words_of_the_target_are_no_source(
    model: Transformer, tokenizer: PreTrainedTokenizerFast, sentence: str, words: list[str]
) -> None:
    message = re.escape(f"in the source language, but {words} are target words: write source")
    with pytest.raises(ValueError, match=message):
        greedy_translate(["the dog saw it .", sentence], model, tokenizer)


def test_a_saved_tokenizer_still_knows_its_sides(
    model: Transformer, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    tokenizer.save_pretrained(tmp_path)
    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="'vaca'] are target words"):
        greedy_translate(["the vaca ."], model, loaded)


def test_words_without_sides_may_all_be_read(model: Transformer) -> None:
    tokenizer = build_tokenizer(list(vocabulary(VOCAB_SIZE)))
    assert len(greedy_translate(["la vaca ."], model, tokenizer)) == 1
    tokenizer.init_kwargs.pop("sides")  # as those of others have none
    assert len(greedy_translate(["la vaca ."], model, tokenizer)) == 1


def test_nothing_is_translated_to_nothing(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert greedy_translate([], model, tokenizer) == []
