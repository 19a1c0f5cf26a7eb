"""Whole words in, ids out, and back again."""

import re

import pytest
from transformers import PreTrainedTokenizerFast

from regard.model.lexicon import SPECIAL_TOKENS, vocabulary
from regard.model.pairs import OPENING_PAIR, generate_synthetic_data
from regard.model.tokenization import build_tokenizer

# the tokenizer itself comes from conftest.py, with the vocabulary of 300 words
PAD, START, END, UNKNOWN = range(4)


def test_ids_are_places_in_the_vocabulary(tokenizer: PreTrainedTokenizerFast) -> None:
    words = vocabulary(300)
    assert len(tokenizer) == len(words)
    assert tokenizer.convert_tokens_to_ids(words) == list(range(len(words)))
    assert tokenizer.convert_ids_to_tokens(list(range(len(words)))) == words


def test_sentences_get_the_ids_of_the_data_and_an_end(tokenizer: PreTrainedTokenizerFast) -> None:
    pairs = generate_synthetic_data(num_sentences=50, vocab_size=300, max_length=24)
    for side in ("source", "target"):
        encoded = tokenizer(pairs[side].tolist()).input_ids
        assert encoded == [[*ids, END] for ids in pairs[f"{side}_ids"]]
        assert tokenizer.batch_decode(encoded, skip_special_tokens=True) == pairs[side].tolist()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The dog, because IT seemed weak.", "the dog , because it seemed weak . </s>"),
        ("  the\tdog\n", "the dog </s>"),
        ("the unicorn saw it", "the <unk> saw it </s>"),
        ("dog's", "dog <unk> <unk> </s>"),  # the apostrophe is no word either
        ("", "</s>"),
    ],
)
def test_text_is_split_into_words(
    tokenizer: PreTrainedTokenizerFast, text: str, tokens: str
) -> None:
    assert tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids) == tokens.split()


def test_accents_may_be_written_in_two_ways() -> None:
    tokenizer = build_tokenizer([*SPECIAL_TOKENS, "très"])
    assert tokenizer("tr\u00e8s tre\u0300s").input_ids == [4, 4, END]


def test_batches_are_padded_at_the_end(tokenizer: PreTrainedTokenizerFast) -> None:
    batch = tokenizer(["the dog", OPENING_PAIR[0]], padding=True)
    short, long = batch.input_ids
    assert short == [*tokenizer("the dog").input_ids, *[PAD] * (len(long) - 3)]
    assert batch.attention_mask == [[1] * 3 + [0] * (len(long) - 3), [1] * len(long)]


def test_special_tokens_have_their_places(tokenizer: PreTrainedTokenizerFast) -> None:
    special = (
        tokenizer.pad_token_id,
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
        tokenizer.unk_token_id,
    )
    assert special == (PAD, START, END, UNKNOWN)
    assert tokenizer.decode([START, 4, END, PAD], skip_special_tokens=True) == vocabulary(300)[4]


@pytest.mark.parametrize("words", [[], ["the", "dog"], ["<s>", "<pad>", "</s>", "<unk>", "the"]])
def test_special_tokens_come_first(words: list[str]) -> None:
    message = f"must start with {SPECIAL_TOKENS}, but starts with {tuple(words[:4])}"
    with pytest.raises(ValueError, match=re.escape(message)):
        build_tokenizer(words)


def test_no_word_comes_twice() -> None:
    words = [*SPECIAL_TOKENS, "the", "dog", "cat", "dog", "the"]
    with pytest.raises(ValueError, match=re.escape("these words twice: ['dog', 'the'].")):
        build_tokenizer(words)
