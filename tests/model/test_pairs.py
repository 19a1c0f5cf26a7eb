"""Every gold answer is found again by a reader that shares only the word lists with the writer."""

import random
import re
from collections import Counter
from typing import NamedTuple

import pandas as pd
import pytest

from regard.model import pairs as pairs_module
from regard.model.grammar import CATEGORIES, RELATIONS
from regard.model.pairs import OPENING_PAIR, generate_synthetic_data, gold_readings, pronoun_edges
from regard.model.vocabulary import (
    ADJECTIVES,
    COPULAS,
    DETERMINERS,
    NOUNS,
    PREDICATES,
    PREPOSITIONS,
    SPECIAL_TOKENS,
    VERBS,
    Lexicon,
    vocabulary,
)

SMALLEST, LARGEST = 124, 224  # words that the grammar can do with, and that it has
NOUN_OF = {form: noun for noun in NOUNS for form in noun.source}
PLURALS = {noun.source[1] for noun in NOUNS} | {"they"}
PAST_STEM = {past: stem for past, _, stem in VERBS}
BASE_STEM = {base: stem for _, base, stem in VERBS}


# --- a reader of the source language, who translates what it reads


class Said(NamedTuple):
    """Part of a sentence: its translation, word for word aligned, and where the reader is now."""

    target: list[tuple[str, int]]
    next: int
    head: int = -1


class Reader:
    """Reads a sentence from left to right; `target`, `relations` and `antecedent` are its gold."""

    def __init__(self, text: str) -> None:
        self.words = text.split()
        self.relations: set[tuple[str, int, int]] = set()
        self.pronoun = self.antecedent = self.subject = self.object = -1
        self.target = self.sentence()

    def sentence(self) -> list[tuple[str, int]]:
        """Read a main clause and perhaps a reason, in any order."""
        reason_first = self.words[0] == "because"
        comma = self.words.index(",") if reason_first else -1
        main = self.main_clause(comma + 1)
        end = main.next
        if "because" not in self.words:
            clauses = [main.target]
        else:
            reason = self.reason(0 if reason_first else main.next)
            if reason_first:
                assert reason.next == comma
                clauses = [reason.target, [(",", comma)], main.target]
            else:
                clauses, end = [main.target, reason.target], reason.next
        assert self.words[end:] == ["."]
        return [pair for clause in clauses for pair in clause] + [(".", end)]

    def phrase(self, i: int) -> Said:
        """Read *the (small) dog*."""
        is_described = self.words[i + 1] in dict(ADJECTIVES)
        head = i + 1 + is_described
        noun = NOUN_OF[self.words[head]]
        plural = self.words[head] in PLURALS
        stem, numbers = DETERMINERS[self.words[i]]
        assert ("plural" if plural else "singular") in numbers, "this dog, these dogs"
        ending = noun.gender + "s" * plural
        target = [(stem + ending, i), (noun.stem + ending, head)]
        self.relations.add(("determiner-noun", i, head))
        if is_described:
            target.append((dict(ADJECTIVES)[self.words[i + 1]] + ending, i + 1))
            self.relations.add(("adjective-noun", i + 1, head))
        return Said(target, head + 1, head)

    def argument(self, i: int) -> Said:
        """Read a phrase and perhaps another after a preposition: *the dog (near the fox)*."""
        first = self.phrase(i)
        if self.words[first.next] not in dict(PREPOSITIONS):
            return first
        preposition = (dict(PREPOSITIONS)[self.words[first.next]], first.next)
        second = self.phrase(first.next + 1)
        return Said([*first.target, preposition, *second.target], second.next, first.head)

    def main_clause(self, i: int) -> Said:
        """Read subject, verb, object; say subject, object, verb."""
        subject = self.argument(i)
        verb = subject.next
        negation = []
        stems = PAST_STEM
        if self.words[verb] == "did":
            assert self.words[verb + 1] == "not"
            negation, stems, verb = [("no", verb + 1)], BASE_STEM, verb + 2
        obj = self.argument(verb + 1)
        ending = "avan" if self.words[subject.head] in PLURALS else "ava"
        self.relations |= {("verb-subject", verb, subject.head), ("verb-object", verb, obj.head)}
        self.subject, self.object = subject.head, obj.head
        said = (stems[self.words[verb]] + ending, verb)
        return Said([*subject.target, *obj.target, *negation, said], obj.next)

    def reason(self, i: int) -> Said:
        """Read *because it seemed (very) weak*: the pronoun is the noun of its number."""
        assert self.words[i] == "because"
        self.pronoun = i + 1
        plural = self.words[i + 1] == "they"
        (self.antecedent,) = (
            head for head in (self.subject, self.object) if (self.words[head] in PLURALS) == plural
        )
        self.relations.add(("pronoun-antecedent", i + 1, self.antecedent))
        self.relations.add(("verb-subject", i + 2, i + 1))
        gender = NOUN_OF[self.words[self.antecedent]].gender
        is_very = self.words[i + 3] == "very"
        predicate = i + 3 + is_very
        target = [("quar", i), ("el" + gender + "s" * plural, i + 1)]
        target += [("multo", i + 3)] * is_very
        target.append((dict(PREDICATES)[self.words[predicate]], predicate))
        target.append((dict(COPULAS)[self.words[i + 2]] + ("avan" if plural else "ava"), i + 2))
        return Said(target, predicate + 1)


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    return generate_synthetic_data(num_sentences=3000, vocab_size=300, max_length=24, seed=1)


@pytest.fixture(scope="module")
def readers(pairs: pd.DataFrame) -> list[Reader]:
    return [Reader(text) for text in pairs["source"]]


def test_the_reader_reads_by_hand() -> None:
    """The reader itself is right about the opening pair."""
    it, they = (Reader(text) for text in OPENING_PAIR)
    assert " ".join(word for word, _ in it.target) == (
        "las vacas lo cano no sequavan quar elo debil semblava ."
    )
    assert " ".join(word for word, _ in they.target) == (
        "las vacas lo cano no sequavan quar elas debil semblavan ."
    )
    assert [at for _, at in it.target] == [0, 1, 5, 6, 3, 4, 7, 8, 10, 9, 11]
    assert it.relations ^ they.relations == {
        ("pronoun-antecedent", 8, 6),
        ("pronoun-antecedent", 8, 1),
    }


def test_the_opening_pair_differs_in_one_word() -> None:
    it, they = (text.split() for text in OPENING_PAIR)
    assert [pair for pair in zip(it, they, strict=True) if pair[0] != pair[1]] == [("it", "they")]


# --- the gold answers


def test_every_translation_and_alignment(pairs: pd.DataFrame, readers: list[Reader]) -> None:
    for target, alignment, reader in zip(pairs["target"], pairs["alignment"], readers, strict=True):
        assert target == " ".join(word for word, _ in reader.target)
        assert alignment == [at for _, at in reader.target]


def test_every_relation(pairs: pd.DataFrame, readers: list[Reader]) -> None:
    for relations, reader in zip(pairs["relations"], readers, strict=True):
        assert {tuple(relation) for relation in relations} == reader.relations
        assert len(relations) == len(reader.relations)
    found = Counter(relation.name for row in pairs["relations"] for relation in row)
    assert set(found) == set(RELATIONS) - {"pronoun-predicate"}  # of the other language


def test_a_pronoun_agrees_with_its_antecedent(pairs: pd.DataFrame) -> None:
    """Said once more without the reader: gender and number of the noun are the pronoun's."""
    seen = Counter[str]()
    for _, row in pairs.iterrows():
        said = [word for word in row["target"].split() if re.fullmatch("el[oae]s?", word)]
        edges = [r for r in row["relations"] if r.name == "pronoun-antecedent"]
        assert len(said) == len(edges) == (row["category"] != "statement")
        for word, edge in zip(said, edges, strict=True):
            form = row["source"].split()[edge.read]
            assert word == "el" + NOUN_OF[form].gender + "s" * (form in PLURALS)
            seen[word] += 1
    assert len(seen) == 6
    assert min(seen.values()) > 0.1 * sum(seen.values()), "every one is common"


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


# --- what must not give the answer away


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


def test_no_place_gives_the_antecedent_away(readers: list[Reader]) -> None:
    """Offsets find few, and first, last, nearest and *subject* are right half of the time."""
    told = [reader for reader in readers if reader.pronoun >= 0]
    for pronoun in ("it", "they"):
        some = [reader for reader in told if reader.words[reader.pronoun] == pronoun]
        offsets = Counter(reader.antecedent - reader.pronoun for reader in some)
        assert max(offsets.values()) < 0.35 * len(some)
    right = Counter[str]()
    for reader in told:
        nouns = [i for i, word in enumerate(reader.words) if word in NOUN_OF]
        guesses = {
            "the first noun": nouns[0],
            "the last noun": nouns[-1],
            "the nearest noun": min(nouns, key=lambda i: abs(i - reader.pronoun)),
            "the subject": reader.subject,
        }
        right.update(name for name, guess in guesses.items() if guess == reader.antecedent)
    assert len(right) == 4
    for name, count in right.items():
        assert 0.4 < count / len(told) < 0.56, name


def test_the_pronoun_is_not_told_by_the_rest_of_the_target(pairs: pd.DataFrame) -> None:
    """Nothing but the pronoun agrees with the antecedent in gender, in the reason."""
    reasons = pairs["target"].str.extract(r"quar el([oae])s? (?:multo )?(\w+) (\w+)").dropna()
    by_words = reasons.groupby([1, 2])[0].agg(lambda genders: genders.value_counts().iloc[0])
    counts = reasons.groupby([1, 2])[0].size()
    assert (by_words / counts)[counts > 30].max() < 0.6  # three genders: 0.33 and some luck


def test_the_languages_share_no_word(pairs: pd.DataFrame) -> None:
    source, target = (set(" ".join(pairs[side]).split()) for side in ("source", "target"))
    assert source & target == {".", ","}
    assert source | target == set(vocabulary(300)) - set(SPECIAL_TOKENS), "no word is idle"


def test_sentences_are_english(pairs: pd.DataFrame) -> None:
    assert not pairs["source"].str.contains(r"\ba [aeiou]").any()
    assert pairs["source"].str.endswith(" .").all()


def test_categories_and_options_are_mixed(pairs: pd.DataFrame) -> None:
    shares = pairs["category"].value_counts(normalize=True)
    assert set(shares.index) == set(CATEGORIES)
    assert shares.min() > 0.1
    for option in ("not", "very", *dict(PREPOSITIONS)):
        assert 0.03 < pairs["source"].str.contains(rf"\b{option}\b").mean() < 0.7
    assert pairs["length"].nunique() > 8


# --- the limits


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


def test_sentences_that_are_too_short_or_too_few() -> None:
    with pytest.raises(
        ValueError, match=r"max_length=9 leaves no room .*: choose 10 words or more"
    ):
        generate_synthetic_data(10, 300, 9)
    with pytest.raises(ValueError, match="num_sentences must be at least 1, but is 0"):
        generate_synthetic_data(0, 300, 20)


def test_a_grammar_that_has_said_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a writer of two sentences, so that the test is quick."""
    draw = pairs_module.draw_sentence_pair

    def draw_one_of_two(_lexicon: Lexicon, rng: random.Random) -> pairs_module.SentencePair:
        return draw(Lexicon(2), random.Random(rng.choice((3, 4))))

    monkeypatch.setattr(pairs_module, "draw_sentence_pair", draw_one_of_two)
    assert len(generate_synthetic_data(2, 300, 30)) == 2
    message = "too few sentences: found 2 different ones that are not too long, not 3. Ask"
    with pytest.raises(ValueError, match=message):
        generate_synthetic_data(3, 300, 30)
