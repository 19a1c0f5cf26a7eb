"""Rows say what they mean, the opening pair is never among them, and the limits hold."""

import random
from collections import Counter

import pandas as pd
import pytest

from regard.model import pairs as pairs_module
from regard.model.grammar import SentencePair, draw_sentence_pair
from regard.model.lexicon import (
    Lexicon,
    vocabulary,
)
from regard.model.pairs import OPENING_PAIR, generate_synthetic_data, gold_readings, pronoun_edges
from tests.model.source_reader import Reader

SMALLEST, LARGEST = 124, 224  # words that the grammar can do with, and that it has


def test_the_opening_pair_differs_in_one_word() -> None:
    it, they = (text.split() for text in OPENING_PAIR)
    assert [pair for pair in zip(it, they, strict=True) if pair[0] != pair[1]] == [("it", "they")]


def test_columns_say_what_they_mean(pairs: pd.DataFrame) -> None:
    words = vocabulary(300)
    assert pairs["key"].tolist() == list(range(3000))
    assert (pairs["time"].diff().dropna() == pd.Timedelta(minutes=1)).all()
    for _, row in pairs.iterrows():
        for side in ("source", "target"):
            assert row[side] == " ".join(words[i] for i in row[f"{side}_ids"])
        assert row["length"] == len(row["source"].split())
        distances = [abs(reader - read) for _, reader, read in row["relations"]]
        assert row["difficulty"] == pytest.approx(sum(distances) / len(distances))
        clauses = row["source"].split("because")
        category = "statement" if len(clauses) == 1 else "reason before" if not clauses[0] else None
        assert row["category"] == (category or "reason after")


def test_gold_readings_are_the_relations_and_the_alignment(
    pairs: pd.DataFrame, readers: list[Reader]
) -> None:
    names = set()
    for (_, row), reader in zip(pairs.iterrows(), readers, strict=True):
        readings = gold_readings(row)
        encoder = {(query, key) for _, kind, query, key in readings if kind == "encoder"}
        cross = [(query, key) for _, kind, query, key in readings if kind == "cross"]
        assert encoder == {(query, key) for _, query, key in reader.relations}
        assert cross == list(enumerate(at for _, at in reader.target))
        names |= {name for name, *_ in readings}
    assert {"it reads its antecedent", "they reads its antecedent"} < names


def test_pronoun_edges_are_the_two_candidates(pairs: pd.DataFrame, readers: list[Reader]) -> None:
    for relations, reader in zip(pairs["relations"], readers, strict=True):
        if reader.pronoun >= 0:
            (other,) = {reader.subject, reader.object} - {reader.antecedent}
            assert pronoun_edges(relations) == {
                "its antecedent": (reader.pronoun, reader.antecedent),
                "the other noun": (reader.pronoun, other),
            }


def test_the_opening_pair_is_never_generated() -> None:
    """By the smallest lexicon, where its words are frequent."""
    pairs = generate_synthetic_data(4000, SMALLEST, max_length=20)
    clauses = Counter[tuple[str, str, str]]()
    for text in pairs["source"]:
        reader = Reader(text)
        (verb,) = (at for name, at, _ in reader.relations if name == "verb-object")
        subject, obj = reader.words[reader.subject], reader.words[reader.object]
        clauses[subject, reader.words[verb], obj] += 1
    assert clauses["cows", "follow", "dog"] == 0
    similar = [("cow", "follow", "dogs"), ("cows", "followed", "dog"), ("cats", "follow", "dog")]
    assert sum(clauses[clause] for clause in similar) > 8, "the test would not see it"
    assert set(OPENING_PAIR[0].split()) <= set(vocabulary(SMALLEST))


def test_a_seed_decides_everything() -> None:
    first, again, other = (generate_synthetic_data(50, 300, 20, seed=seed) for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(first, again)
    assert len(set(first["source"]) & set(other["source"])) < 5
    pd.testing.assert_frame_equal(generate_synthetic_data(20, 300, 20, seed=5), first.head(20))


def test_no_sentence_comes_twice() -> None:
    pairs = generate_synthetic_data(3000, SMALLEST, max_length=10)
    assert pairs["source"].is_unique


@pytest.mark.parametrize("max_length", [10, 11, 14, 30])
def test_sentences_are_at_most_so_long(max_length: int) -> None:
    pairs = generate_synthetic_data(400, 300, max_length)
    longest = max(len(text.split()) for side in ("source", "target") for text in pairs[side])
    assert longest == min(max_length, longest)
    assert longest >= min(max_length, 16), "the room is used"
    assert (pairs["category"] != "statement").any(), "there are pronouns"


def test_sentences_that_are_too_short_or_too_few() -> None:
    with pytest.raises(
        ValueError, match=r"max_length=9 leaves no room .*: choose 10 words or more"
    ):
        generate_synthetic_data(10, 300, 9)
    with pytest.raises(ValueError, match="num_sentences must be at least 1, but is 0"):
        generate_synthetic_data(0, 300, 20)


def test_a_grammar_that_has_said_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a writer of two sentences, so that the test is quick."""

    def draw_one_of_two(_lexicon: Lexicon, rng: random.Random) -> SentencePair:
        return draw_sentence_pair(Lexicon(2), random.Random(rng.choice((3, 4))))

    monkeypatch.setattr(pairs_module, "draw_sentence_pair", draw_one_of_two)
    assert len(generate_synthetic_data(2, 300, 30)) == 2
    message = "too few sentences: found 2 different ones that are not too long, not 3. Ask"
    with pytest.raises(ValueError, match=message):
        generate_synthetic_data(3, 300, 30)
