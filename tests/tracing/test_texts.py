"""What a sentence may be, and how tokens are called whatever it is."""

import copy
from typing import Any

import pytest
import torch
from transformers import AddedToken

from regard.model.lexicon import vocabulary
from regard.model.tokenization import build_tokenizer
from regard.model.transformer import build_transformer_model
from regard.record.words import Side, joined, token_name, word_groups, word_name
from regard.tracing.run import trace
from regard.tracing.texts import side_of, side_of_texts, tokenize
from tests.tracing.test_names import byt5, byte_level, unigram, wordpiece


def words_in(side: Side) -> list[str]:
    return [word_name(side, group) for group in word_groups(side)]


@pytest.mark.parametrize(
    ("sentence", "error", "message"),
    [
        (["the dog saw it .", "the cow"], ValueError, r"'the dog saw it \.' has white space in it"),
        (
            ["the dog", "the cow"],
            ValueError,
            r"one by one, .*for text in texts.*`\(first, second\)",
        ),
        (["a", "b\n"], ValueError, "white space"),
        (["the", "", "cow"], ValueError, "Word 1 .from 0. of the list is '', which is no word"),
        (["", " "], ValueError, "empty"),
        ([], TypeError, "but got an empty list"),
        ([["the", "cow"]], TypeError, r"number 0 .from 0. is \['the', 'cow'\] .list."),
        (["the", b"cow"], TypeError, "list in which number 1 .from 0. is b'cow' .bytes."),
        (["the", None], TypeError, "list in which number 1 .from 0. is None"),
        (("the", None), TypeError, "tuple in which number 1 .from 0. is None"),
        ("the \ud83d cow", ValueError, r"half a character, '.ud83d', .*'surrogatepass'"),
        (b"the cow", TypeError, "but got bytes"),
    ],
)
def test_what_is_no_sentence_is_refused(
    sentence: Any, error: type[Exception], message: str
) -> None:
    tokenizer = build_tokenizer(vocabulary(300))
    model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    with pytest.raises(error, match=message):
        trace(sentence, model, tokenizer)
    if isinstance(sentence, list):
        with pytest.raises((TypeError, ValueError)):
            tokenize(sentence, wordpiece())


def test_three_texts_are_no_pair() -> None:
    with pytest.raises(TypeError, match="a list of words, or tensors, but got tuple of 3 texts"):
        tokenize(("a", "b", "c"), wordpiece())  # type: ignore[arg-type]  # the error is the point


def test_a_list_of_words() -> None:
    side = tokenize(["careless", "cows"], wordpiece()).side
    assert words_in(side) == ["[CLS]", "careless", "cows", "[SEP]"]
    assert "".join(side.tokens[1:-1]).replace("·", "") == "carelesscows"
    spaced = tokenize(["10\u00a0000", "cows"], wordpiece()).side
    assert words_in(spaced)[1:-1] == ["10\\xa0000", "cows"]


def test_a_pair_of_texts() -> None:
    side = tokenize(("cow", "cow"), wordpiece()).side
    assert words_in(side) == ["[CLS]", "cow", "[SEP]", "cow"][:2] + words_in(side)[2:]
    numbers = [word.number for word in side.words or () if word is not None]
    assert numbers[0] != numbers[-1]
    both = tokenize(("the cow", "cow"), byte_level()).side
    assert words_in(both) == ["the", "cow", "cow"]  # though nothing is between the two


def test_special_tokens_keep_their_names() -> None:
    side = tokenize("cow [MASK]", wordpiece()).side
    names = [name for name, special in zip(side.tokens, side.special, strict=True) if special]
    assert names == ["[CLS]", "[MASK]", "[SEP]"]
    assert words_in(side)[-2:] == ["[MASK]", "[SEP]"]
    start = byte_level().bos_token_id
    after = side_of([start, *byte_level()(" of").input_ids], byte_level())
    assert (after.tokens[0], "".join(after.tokens[1:])) == ("<s>", "␣of")


def test_added_tokens_are_as_they_are_written() -> None:
    tokenizer = copy.deepcopy(byte_level())
    tokenizer.add_tokens(AddedToken("<Ġtool>", normalized=False))
    ids = tokenizer("of<Ġtool>of").input_ids
    assert "<Ġtool>" in side_of(ids, tokenizer).tokens
    assert "<Ġtool>" in tokenize("of<Ġtool>of", tokenizer).side.tokens


def test_what_the_tokenizer_does_not_know_has_both_names() -> None:
    side = tokenize("cow ☃ cow", wordpiece()).side
    assert "☃ [UNK]" in side.tokens
    assert words_in(side)[2:-2] == ["☃"]
    assert "☃ <unk>" in tokenize("cow ☃", unigram()).side.tokens
    assert "[UNK]" in side_of(side.ids or [], wordpiece()).tokens


def test_dropped_accents_stay_in_the_stretch() -> None:
    tokenizer = wordpiece(lowers=True)
    for text in ("Cát", "Ca\u0301t", "Cat\u0301"):
        names = tokenize(text, tokenizer).side.tokens[1:-1]
        assert "".join(names).replace("·", "") == text


def test_a_text_that_is_cut_off_is_named_as_far_as_it_is_read() -> None:
    encoded = byte_level()("牛の", truncation=True, max_length=4, return_tensors="pt")
    side = side_of_texts(encoded, ["牛の"], byte_level())
    assert side.tokens == ["牛 1/3", "牛 2/3", "牛 3/3", "の"]


def test_slow_tokenizers_give_no_offsets() -> None:
    side = tokenize("né ␣", byt5()).side
    assert side.tokens[:3] == ["n", "é 1/2", "é 2/2"]
    assert words_in(side)[0] == "né"


def test_tokens_are_told_apart_as_the_model_does() -> None:
    side = tokenize("The the", wordpiece(lowers=True)).side
    assert side.tokens[1:-1] == ["The", "the"]
    assert len(set(side.told_apart[1:-1])) == 1
    hidden = joined(side, [[1], [2]], token_name)
    assert len(set(hidden.told_apart)) == 1
    assert joined(side, [[1, 2]], token_name).told_apart == ["The"]


def test_a_target_is_named_by_its_text_and_what_is_written_by_what_is_read_before() -> None:
    tokenizer = build_tokenizer(vocabulary(300))
    model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    seen = trace("The dog saw it .", model, tokenizer, target="Lo cano elo vedava .")
    assert seen.tokens == ["The", "dog", "saw", "it", ".", "</s>"]
    assert seen.target_tokens == ["<s>", "Lo", "cano", "elo", "vedava", "."]
    assert seen.written_tokens == ["Lo", "cano", "elo", "vedava", ".", "</s>"]
    ids = torch.tensor([[1, 2]])
    assert trace((ids, ids), model).tokens == ["0", "1"]
