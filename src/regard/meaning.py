"""A third small language, where only the *meaning* of a word tells what a pronoun stands for.

*The animal did not cross the street because it was too tired*, or *too wide*: an animal can be
tired, a street can be wide (after Winograd's schemas; Levesque et al. 2012). Each word is glossed
in place: a noun by its class and itself, `ki-street`, any other word by itself, and *it* by the
class of the noun that it stands for, `ki`. The six classes are arbitrary, like grammatical gender.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from regard.languages import FIRST_DAY, SPECIAL_TOKENS, Relation

CLASSES = ("ka", "ki", "ma", "mu", "va", "zi")


class Meaning(NamedTuple):
    """Nouns that are alike, and what only such things can be said to be."""

    nouns: tuple[str, ...]
    predicates: tuple[str, ...]


MEANINGS = (
    Meaning(
        (
            "animal",
            "dog",
            "goat",
            "horse",
            "cow",
            "cat",
            "wolf",
            "fox",
            "hen",
            "duck",
            "lion",
            "bear",
        ),
        ("tired", "hungry", "sleepy", "timid"),
    ),
    Meaning(
        (
            "street",
            "road",
            "river",
            "bridge",
            "path",
            "valley",
            "field",
            "beach",
            "canal",
            "lake",
            "square",
            "track",
        ),
        ("wide", "steep", "narrow", "shallow"),
    ),
    Meaning(
        (
            "truck",
            "train",
            "boat",
            "wagon",
            "tractor",
            "car",
            "bus",
            "bicycle",
            "ship",
            "plane",
            "van",
            "cart",
        ),
        ("rusty", "expensive", "fast", "noisy"),
    ),
)
MEANING_VERBS = ("cross", "reach", "pass", "touch", "block", "face")
MEANING_ADJECTIVES = ("old", "new", "small", "big", "pretty", "strange")
MEANING_PREPOSITIONS = ("near", "behind", "beside")
MEANING_DETERMINERS = ("the", "the", "this", "one")
MEANING_SMALL_WORDS = ("did", "not", "because", "it", "was", "too", ",", ".")

# The famous pair: one word changes, and with it the antecedent. Neither is ever generated.
MEANING_PAIR = (
    "the animal did not cross the street because it was too tired .",
    "the animal did not cross the street because it was too wide .",
)


def noun_classes() -> dict[str, str]:
    """Give every noun a class; every class has as many nouns of each meaning."""
    return {
        noun: CLASSES[i % len(CLASSES)]
        for meaning in MEANINGS
        for i, noun in enumerate(meaning.nouns)
    }


def meaning_vocabulary() -> list[str]:
    """Give the special tokens, then all words and glosses; a word's place is its id."""
    classes = noun_classes()
    words = [
        *MEANING_SMALL_WORDS,
        *MEANING_DETERMINERS,
        *MEANING_ADJECTIVES,
        *MEANING_PREPOSITIONS,
        *MEANING_VERBS,
        *(predicate for meaning in MEANINGS for predicate in meaning.predicates),
        *classes,
        *CLASSES,
        *(f"{prefix}-{noun}" for noun, prefix in classes.items()),
    ]
    return list(dict.fromkeys((*SPECIAL_TOKENS, *words)))


def draw_schema(rng: random.Random) -> tuple[list[str], list[Relation], str]:
    """Draw a sentence; give its words, its relations, and the noun that *it* stands for."""
    subject_meaning, object_meaning = rng.sample(MEANINGS, 2)
    subject, obj = rng.choice(subject_meaning.nouns), rng.choice(object_meaning.nouns)
    role = rng.choice((0, 1))
    predicate = rng.choice((subject_meaning, object_meaning)[role].predicates)
    because = ["because", "it", "was", "too", predicate]
    subject_phrase, object_phrase = _phrase(subject, rng), _phrase(obj, rng)
    verb = rng.choice(MEANING_VERBS)
    if rng.random() < 0.3:
        distractor = _phrase(rng.choice(rng.choice(MEANINGS).nouns), rng)
        host = rng.choice((subject_phrase, object_phrase))
        host += [rng.choice(MEANING_PREPOSITIONS), *distractor]
    main = [*subject_phrase, "did", "not", verb, *object_phrase]
    first = rng.random() < 0.3
    words = [*because, ",", *main, "."] if first else [*main, *because, "."]
    main_at = len(because) + 1 if first else 0
    subject_at = main_at + subject_phrase.index(subject)
    object_at = main_at + len(subject_phrase) + 3 + object_phrase.index(obj)
    relations = [
        Relation("pronoun-antecedent", words.index("it"), (subject_at, object_at)[role]),
        Relation("pronoun-other", words.index("it"), (object_at, subject_at)[role]),
        Relation("pronoun-predicate", words.index("it"), words.index(predicate)),
    ]
    return words, relations, (subject, obj)[role]


def _phrase(noun: str, rng: random.Random) -> list[str]:
    adjective = [rng.choice(MEANING_ADJECTIVES)] if rng.random() < 0.3 else []
    return [rng.choice(MEANING_DETERMINERS), *adjective, noun]


def generate_meaning_data(num_sentences: int, *, seed: int = 0) -> pd.DataFrame:
    """Draw glossed sentences, all different, in which meaning decides the antecedent.

    Returns
    -------
    pandas.DataFrame
        `source` and `target` (the gloss, word by word), their ids, `alignment` (each gloss stands
        under its word) and `relations`, as in `generate_synthetic_data`. The subject and the object
        are of different meanings and of different classes.

    Examples
    --------
    >>> generate_meaning_data(2).loc[1, "target"]
    'the ma-goat did not touch this ki-road because ki was too steep .'
    """
    ids = {word: i for i, word in enumerate(meaning_vocabulary())}
    pairs = _draw_different(num_sentences, random.Random(seed))
    return pd.DataFrame(
        {
            "key": key,
            "source": " ".join(words),
            "target": " ".join(gloss),
            "source_ids": [ids[word] for word in words],
            "target_ids": [ids[word] for word in gloss],
            "time": FIRST_DAY + pd.Timedelta(minutes=key),
            "alignment": list(range(len(words))),
            "relations": relations,
        }
        for key, (words, gloss, relations) in enumerate(pairs)
    )


def _draw_different(
    num_sentences: int, rng: random.Random
) -> Iterator[tuple[list[str], list[str], list[Relation]]]:
    classes = noun_classes()
    seen: set[str] = set()
    while len(seen) < num_sentences:
        words, relations, antecedent = draw_schema(rng)
        text = " ".join(words)
        one, other = (classes[words[r.read]] for r in relations[:2])
        held_out = {"animal", "street", "cross"} <= set(words)
        if one == other or held_out or text in seen:
            continue
        seen.add(text)
        gloss = [f"{classes[word]}-{word}" if word in classes else word for word in words]
        gloss[words.index("it")] = classes[antecedent]
        yield words, gloss, relations
