"""Words from ids: those of the text itself, wherever the ids give the text back."""

# ruff: noqa: S106  (tokens are no passwords)

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

import regard
from regard.model.lexicon import vocabulary
from regard.model.tokenization import build_tokenizer
from regard.record.words import Side, word_groups, word_name
from regard.tracing.texts import side_of, side_of_encoded, tokenize
from tests.tracing.test_names import (
    LOSSLESS,
    PARTED,
    TEXTS,
    byte_fallback,
    byte_level,
    corpus,
    unigram,
    wordpiece,
    wrapped,
)

MORE = {
    "mixed": "café 東京 the",
    "indents": "def f(x):\n    if x:\n        return x == 'a'\n\n\treturn",
    "families": "👨‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽👍🏿 ❤️",
    "spaces": " the  cow   dog ",
}


def retold(tokenizer: PreTrainedTokenizerBase, **changes: object) -> PreTrainedTokenizerBase:
    """Change the description of a fast tokenizer."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    return wrapped(Tokenizer.from_str(json.dumps(state | changes)), unk_token="<unk>")


@cache
def llama_3() -> PreTrainedTokenizerBase:
    """Byte-level, with a pattern of its own that lets a sign go with the word after it."""
    tokenizer = Tokenizer(models.BPE())
    pattern = Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(corpus() * 3, trainer)
    return wrapped(tokenizer)


@cache
def gemma() -> PreTrainedTokenizerBase:
    """Bytes for what is in no piece, and no space before the text."""
    space = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    back = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    steps = [back, {"type": "ByteFallback"}, {"type": "Fuse"}]
    decoder = {"type": "Sequence", "decoders": steps}
    return retold(byte_fallback(), normalizer=space, decoder=decoder)


@cache
def unigram_with_bytes() -> PreTrainedTokenizerBase:
    """As newer T5s': Unigram, and bytes for what is in no piece."""
    state = json.loads(unigram().backend_tokenizer.to_str())
    known = [piece for piece in state["model"]["vocab"] if piece[0].replace("▁", "").isascii()]
    codes = [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
    model = state["model"] | {"vocab": [*known, *codes], "byte_fallback": True}
    steps = [{"type": "ByteFallback"}, state["decoder"]]
    return retold(unigram(), model=model, decoder={"type": "Sequence", "decoders": steps})


@cache
def clip() -> PreTrainedTokenizerBase:
    """Byte-level, and </w> at the end of each word."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.BPEDecoder()
    trainer = trainers.BpeTrainer(
        vocab_size=600, end_of_word_suffix="</w>", special_tokens=["<unk>"], show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS.values(), trainer)
    return wrapped(tokenizer, unk_token="<unk>")


MAKERS: dict[str, Callable[[], PreTrainedTokenizerBase]] = {
    **LOSSLESS,
    **PARTED,
    "Llama 3's": llama_3,
    "Gemma's": gemma,
    "Unigram with byte fallback": unigram_with_bytes,
    "ends of words": clip,
    "WordPiece in lower case": lambda: wordpiece(lowers=True),
}


def words_in(side: Side) -> list[tuple[str, list[int]]]:
    return [(word_name(side, group), group) for group in word_groups(side)]


def of_ids(text: str, tokenizer: PreTrainedTokenizerBase) -> list[int] | None:
    """Give the ids of a text, if they give it back."""
    ids: list[int] = tokenizer(text).input_ids
    return ids if tokenizer.decode(ids, skip_special_tokens=True) == text else None


def texts() -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=["Cs"])
    asked = st.sampled_from("牛はé \n\t\u0301\u200d👩👧🏽हिन्दीที่اللغة\u200b\u3000▁Ġ#@</w>'.-")
    english = st.sampled_from("the cow don't")
    return st.text(letters | asked | english, max_size=20).filter(str.strip)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("text", [*TEXTS.values(), *MORE.values()], ids=[*TEXTS, *MORE])
def test_words_from_ids_are_those_of_the_text(kind: str, text: str) -> None:
    tokenizer = MAKERS[kind]()
    if (ids := of_ids(text, tokenizer)) is not None:
        assert words_in(side_of(ids, tokenizer)) == words_in(tokenize(text, tokenizer).side)


@pytest.mark.parametrize("kind", MAKERS)
@given(text=texts())
@settings(max_examples=100, deadline=None)
def test_words_from_ids_are_those_of_any_text(kind: str, text: str) -> None:
    tokenizer = MAKERS[kind]()
    if (ids := of_ids(text, tokenizer)) is not None:
        assert words_in(side_of(ids, tokenizer)) == words_in(tokenize(text, tokenizer).side)


@pytest.mark.parametrize("text", ["café 東京 the", "牛は犬。", "हिन्दी में।", "👍🏽🇩🇪🇫🇷", "а = б"])
def test_bytes_of_one_run_are_of_their_own_characters(text: str) -> None:
    """Unigram gives each of them the place of the whole run."""
    side = tokenize(text, unigram_with_bytes()).side
    others = tokenize(text, byte_level()).side
    assert [w.text for w in dict.fromkeys(filter(None, side.words or []))] == [
        w.text for w in dict.fromkeys(filter(None, others.words or []))
    ]


BUILT = {"byte-level BPE": byte_level, "Gemma's": gemma, "Llama's": byte_fallback}
BUILT |= {"WordPiece": wordpiece, "ends of words": clip, "Unigram": unigram}


@pytest.mark.parametrize("kind", BUILT)
@pytest.mark.parametrize("text", ["café 東京 the", "careless cows", "größere Äpfel", " in 🇩🇪🇫🇷 "])
def test_a_tokenizer_without_a_decoder_is_read_by_how_it_spells(kind: str, text: str) -> None:
    """So is one that was built with the library tokenizers, in a few lines."""
    whole = BUILT[kind]()
    without = retold(whole, decoder=None)
    ids: list[int] = whole(text).input_ids
    assert without(text).input_ids == ids
    assert words_in(side_of(ids, without)) == words_in(side_of(ids, whole))


def test_words_that_are_known_need_no_decoder() -> None:
    tokenizer = build_tokenizer(vocabulary(300))
    ids = tokenizer("the dog saw it .").input_ids
    assert side_of(ids, tokenizer).tokens == ["the", "dog", "saw", "it", ".", "</s>"]


@pytest.mark.parametrize("kind", ["byte-level BPE", "sentencepiece with byte fallback", "bytes"])
def test_what_ends_within_a_character(kind: str) -> None:
    tokenizer = LOSSLESS[kind]()
    ids = [i for i in tokenizer("café 東京").input_ids if i != tokenizer.eos_token_id]
    whole, cut = side_of(ids, tokenizer), side_of(ids[:-1], tokenizer)
    assert words_in(cut)[:-1] == words_in(whole)[:-1]
    assert words_in(cut)[-1] == ("<0xE4><0xBA>", words_in(whole)[-1][1][:-1])


# what a tokenizer gave


def given_to(tokenizer: PreTrainedTokenizerBase, *texts: Any, **options: Any) -> Side:
    encoded = tokenizer(*texts, return_tensors="pt", **options)
    return side_of_encoded(encoded, encoded.input_ids[0].tolist(), tokenizer)


FAST = {kind: make for kind, make in MAKERS.items() if kind != "bytes"}


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("text", [*TEXTS.values(), *MORE.values()], ids=[*TEXTS, *MORE])
def test_words_of_what_a_tokenizer_gave_are_those_of_the_text(kind: str, text: str) -> None:
    """Also where the ids alone give back another text, as WordPiece's of *don't*."""
    tokenizer = FAST[kind]()
    from_text = tokenize(text, tokenizer).side
    if tokenizer.unk_token_id not in (from_text.ids or []):
        assert word_groups(given_to(tokenizer, text)) == word_groups(from_text)


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("words", [["don't", "a", "the"], ["a", "b", "of"], ["careless", "cows."]])
def test_words_that_a_tokenizer_was_given_stay_words(kind: str, words: list[str]) -> None:
    tokenizer = FAST[kind]()
    side = given_to(tokenizer, words, is_split_into_words=True)
    assert word_groups(side) == word_groups(tokenize(words, tokenizer).side)
    given = [group for group in word_groups(side) if not side.special[group[0]]]
    assert len(given) == len(words)


@pytest.mark.parametrize("kind", FAST)
def test_a_pair_of_texts_has_the_words_of_both(kind: str) -> None:
    """Some tokenizers take a whole text for a word."""
    side = given_to(FAST[kind](), "the cow. of", "of the")
    assert word_groups(side) == word_groups(tokenize(("the cow. of", "of the"), FAST[kind]()).side)


def test_no_word_is_of_two_texts() -> None:
    assert [name for name, _ in words_in(given_to(byte_level(), "the cow", "cow"))] == [
        *("the", "cow", "cow")
    ]
    pair = given_to(wordpiece(), ["a", "cow"], ["cow", "a"], is_split_into_words=True)
    names = [name for name, _ in words_in(pair)]
    assert names == ["[CLS]", "a", "cow", "[SEP]", "cow", "a", "[SEP]"]


def test_what_was_changed_since_is_read_by_its_ids() -> None:
    encoded = wordpiece()("don't care", return_tensors="pt")
    ids = encoded.input_ids[0].tolist()
    assert side_of_encoded(encoded, ids[:-1], wordpiece()) == side_of(ids[:-1], wordpiece())
    assert side_of_encoded(encoded, ids, None).tokens == list(map(str, ids))


# traces


def gpt2(tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=128, n_embd=32, n_layer=2, n_head=4)
    return GPT2LMHeadModel(config).eval()


@pytest.mark.parametrize("kind", ["byte-level BPE", "sentencepiece with byte fallback"])
@pytest.mark.parametrize("text", ["café 東京 the", *(TEXTS[name] for name in ("Thai", "emoji"))])
def test_weights_of_words_from_ids_are_those_from_the_text(kind: str, text: str) -> None:
    tokenizer = LOSSLESS[kind]()
    model = gpt2(tokenizer)
    encoded = tokenizer(text, return_tensors="pt")
    expected = regard.trace(text, model, tokenizer).merge_words()
    for given_ids in (encoded, encoded["input_ids"], dict(encoded)):
        seen = regard.trace(given_ids, model, tokenizer).merge_words()
        assert seen.tokens == expected.tokens
        assert np.array_equal(seen.weights(1, 2), expected.weights(1, 2))


def test_a_prompt_and_what_is_written_are_one_text() -> None:
    tokenizer = byte_level()
    model = gpt2(tokenizer)
    prompt, whole = (tokenizer(text).input_ids for text in ("the ca", "the café 東"))
    assert whole[: len(prompt)] == prompt
    model.generation_config.sequence_bias = [
        [whole[: at + 1], 1e4] for at in range(len(prompt), len(whole))
    ]
    number = len(whole) - len(prompt)
    seen = regard.trace_generation("the ca", model, tokenizer, max_new_tokens=number)
    assert seen.written_tokens[-number:] == tokenize("the café 東", tokenizer).side.tokens[-number:]
    words = seen.merge_words().tokens  # of what is read: all but the last byte
    assert [word.strip("␣") for word in words if word != "␣"] == ["the", "café", "東"]
