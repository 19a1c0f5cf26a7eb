"""Which words a text has, and that their tokens are merged to them."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from regard.record.words import word_groups, word_name
from regard.tracing.texts import tokenize
from regard.tracing.words import words_at
from tests.tracing.test_names import LOSSLESS, byte_level

WORDS = {
    "The cows don't care.": ["The", "cows", "don't", "care", "."],
    "Größere Äpfel": ["Größere", "Äpfel"],
    "牛は犬を追いかけた。": ["牛", "は", "犬", "を", "追", "いかけた", "。"],
    "コーヒーとらーめん": ["コーヒー", "とらーめん"],
    "人々は𠮷野家": ["人", "々", "は", "𠮷", "野", "家"],
    "我喜欢3个苹果": ["我", "喜", "欢", "3", "个", "苹", "果"],
    "개는 소를 보았다": ["개는", "소를", "보았다"],
    "الكلب رأى مَرْحَبًا": ["الكلب", "رأى", "مَرْحَبًا"],
    "می\u200cخواهم بروم": ["می\u200cخواهم", "بروم"],
    "วัวเห็นหมา ที่นี่": ["วัวเห็นหมา", "ที่นี่"],
    "हिन्दी में": ["हिन्दी", "में"],
    "Собака увидела": ["Собака", "увидела"],
    "my 👩‍👩‍👧 and 👍🏽🇩🇪": ["my", "👩‍👩‍👧", "and", "👍🏽", "🇩🇪"],
    "def f_1(x):": ["def", "f_1", "(", "x", ")", ":"],
}


def one_by_one(text: str) -> list[str]:
    """Name the words of a text of which each character is a token."""
    found = words_at(text, [(at, at + 1) for at in range(len(text))])
    words = dict.fromkeys(word for word in found if word is not None)
    return [word.text for word in words]


@pytest.mark.parametrize(("text", "words"), WORDS.items(), ids=str)
def test_what_a_word_is(text: str, words: list[str]) -> None:
    assert one_by_one(text) == words


@pytest.mark.parametrize("text", WORDS)
@pytest.mark.parametrize("kind", ["byte-level BPE", "sentencepiece with byte fallback", "bytes"])
def test_the_tokens_of_one_character_are_of_one_word(kind: str, text: str) -> None:
    tokenizer: Callable[[], PreTrainedTokenizerBase] = LOSSLESS[kind]
    side = tokenize(text, tokenizer()).side
    groups = [group for group in word_groups(side) if not side.special[group[0]]]
    shown = [name for group in groups if (name := word_name(side, group)).strip("␣")]
    assert "".join(shown).replace("␣", "") == "".join("".join(WORDS[text]).split())
    assert len(shown) <= len(WORDS[text])  # one token may have several


def test_one_token_of_several_words_makes_them_one() -> None:
    words = words_at("x == y", [(0, 1), (1, 4), (4, 6)])
    assert [word and word.text for word in words] == ["x", "==", "y"]
    words = words_at("a.b.c", [(0, 1), (1, 3), (3, 5)])
    assert [word and word.text for word in words] == ["a", ".b", ".c"]
    chain = words_at("a.b.c", [(0, 2), (1, 4), (3, 5)])
    assert {word and word.text for word in chain} == {"a.b.c"}


def test_white_space_is_of_no_word() -> None:
    assert words_at("a \n", [(0, 1), (1, 2), (2, 3)])[1:] == [None, None]
    assert words_at("a", [None]) == [None]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
@settings(max_examples=150, deadline=None)
def test_every_token_of_any_text_but_for_white_space_is_of_a_word(text: str) -> None:
    side = tokenize(text, byte_level()).side
    assert side.words is not None
    for name, word in zip(side.tokens, side.words, strict=True):
        is_blank = not name.replace("␣", " ").replace("↵", " ").replace("⇥", " ").strip()
        assert word is None or not is_blank
    assert any(side.words) or all(side.special)  # a text may be that of a special token
