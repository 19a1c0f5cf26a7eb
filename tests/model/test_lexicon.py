"""The words of both languages: none is idle, none is in both, and they fit."""

import re
from collections import Counter

import pandas as pd
import pytest

from regard.model.lexicon import SPECIAL_TOKENS, vocabulary
from regard.model.meaning import CLASSES, generate_meaning_data, meaning_vocabulary
from regard.model.pairs import generate_synthetic_data
from tests.model.source_reader import NOUN_OF

SMALLEST, LARGEST = 124, 224  # words that the grammar can do with, and that it has


def test_the_languages_share_no_word(pairs: pd.DataFrame) -> None:
    source, target = (set(" ".join(pairs[side]).split()) for side in ("source", "target"))
    assert source & target == {".", ","}
    assert source | target == set(vocabulary(300)) - set(SPECIAL_TOKENS), "no word is idle"


@pytest.mark.parametrize("vocab_size", [SMALLEST, SMALLEST + 1, 150, LARGEST - 1, LARGEST, 1000])
def test_the_vocabulary_fits(vocab_size: int) -> None:
    words = vocabulary(vocab_size)
    assert len(set(words)) == len(words) <= vocab_size
    assert tuple(words[:4]) == SPECIAL_TOKENS
    assert set(words) <= set(vocabulary(LARGEST))
    pairs = generate_synthetic_data(100, vocab_size, max_length=20)
    ids = [i for side in ("source_ids", "target_ids") for row in pairs[side] for i in row]
    assert min(ids) >= len(SPECIAL_TOKENS)
    assert max(ids) < len(words)
    genders = Counter(NOUN_OF[word].gender for word in words if word in NOUN_OF)
    assert len(set(genders.values())) == 1, "as many nouns of each gender"
    assert len(genders) == 3


def test_vocabularies_are_as_large_as_they_may() -> None:
    assert len(vocabulary(SMALLEST)) == SMALLEST
    assert len(vocabulary(LARGEST)) == len(vocabulary(10_000)) == LARGEST


@pytest.mark.parametrize("vocab_size", [-1, 0, SMALLEST - 1])
def test_a_vocabulary_that_is_too_small(vocab_size: int) -> None:
    message = (
        f"vocab_size={vocab_size} is too small for the grammar, whose smallest vocabulary has "
        f"{SMALLEST} words: choose {SMALLEST} or more ({LARGEST} for all the words)."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        generate_synthetic_data(10, vocab_size, 20)


@pytest.mark.parametrize("vocab_size", [SMALLEST, LARGEST])
def test_each_side_has_the_words_that_are_said_on_it(vocab_size: int) -> None:
    words = vocabulary(vocab_size)
    pairs = generate_synthetic_data(3000, vocab_size, max_length=24)
    for side in ("source", "target"):
        assert set(getattr(words, side)) == set(" ".join(pairs[side]).split())


def test_a_gloss_is_no_word_to_be_glossed() -> None:
    words, glossed = meaning_vocabulary(), generate_meaning_data(3000)
    for side in ("source", "target"):
        assert set(" ".join(glossed[side]).split()) <= set(getattr(words, side))
    assert not set(CLASSES) & set(words.source)
    assert {*words.source, *words.target} == set(words) - set(SPECIAL_TOKENS)
