"""A third small language, where only the *meaning* of a word tells what a pronoun stands for.

*The animal did not cross the street because it was too tired*, or *too wide*: an animal can be
tired, a street can be wide (after Winograd's schemas; Levesque et al. 2012). Each word is glossed
in place: a noun by its class and itself, `ki-street`, any other word by itself, and *it* by the
class of the noun that it stands for, `ki`. The six classes are arbitrary, like grammatical gender.
"""

import random
from typing import NamedTuple

import pandas as pd

from regard.model.door import check_types
from regard.model.grammar import CATEGORIES, Aligned, Relation, SentencePair
from regard.model.lexicon import Vocabulary
from regard.model.pairs import draw_distinct, row_of

CLASSES = ("ka", "ki", "ma", "mu", "va", "zi")


class Meaning(NamedTuple):
    """Nouns that are alike, and what only such things can be said to be."""

    nouns: tuple[str, ...]
    predicates: tuple[str, ...]


MEANINGS = (
    Meaning(
        (
            *("animal", "dog", "goat", "horse", "cow", "cat"),
            *("wolf", "fox", "hen", "duck", "lion", "bear"),
        ),
        ("tired", "hungry", "sleepy", "timid"),
    ),
    Meaning(
        (
            *("street", "road", "river", "bridge", "path", "valley"),
            *("field", "beach", "canal", "lake", "square", "track"),
        ),
        ("wide", "steep", "narrow", "shallow"),
    ),
    Meaning(
        (
            *("truck", "train", "boat", "wagon", "tractor", "car"),
            *("bus", "bicycle", "ship", "plane", "van", "cart"),
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
        noun: CLASSES[(first + i) % len(CLASSES)]  # the nouns of the famous pair differ in class
        for first, meaning in enumerate(MEANINGS)
        for i, noun in enumerate(meaning.nouns)
    }


def meaning_vocabulary() -> Vocabulary:
    """Give the special tokens, then all words and glosses; a word's place is its id."""
    classes = noun_classes()
    alike = (  # in the gloss, too
        *MEANING_SMALL_WORDS,
        *MEANING_DETERMINERS,
        *MEANING_ADJECTIVES,
        *MEANING_PREPOSITIONS,
        *MEANING_VERBS,
        *(predicate for meaning in MEANINGS for predicate in meaning.predicates),
    )
    glosses = (*CLASSES, *(f"{prefix}-{noun}" for noun, prefix in classes.items()))
    return Vocabulary([(alike, alike), (classes, glosses)])


def draw_glossed_sentence(rng: random.Random) -> SentencePair:
    """Draw a sentence whose predicate fits its subject or its object, and no other noun in it."""
    classes = noun_classes()
    meanings = rng.sample(MEANINGS, 2)
    subject, obj = (rng.choice(meaning.nouns) for meaning in meanings)
    role = rng.choice((0, 1))  # is the subject or the object what "it" stands for?
    predicate = rng.choice(meanings[role].predicates)
    subject_phrase, object_phrase = _phrase(subject, rng), _phrase(obj, rng)
    if rng.random() < 0.3:
        unfit = [meaning for meaning in MEANINGS if meaning is not meanings[role]]
        third = rng.choice([n for m in unfit for n in m.nouns if n not in (subject, obj)])
        host = rng.choice((subject_phrase, object_phrase))
        host += [rng.choice(MEANING_PREPOSITIONS), *_phrase(third, rng)]
    main = [*subject_phrase, "did", "not", rng.choice(MEANING_VERBS), *object_phrase]
    because = ["because", "it", "was", "too", predicate]
    category = rng.choices(CATEGORIES[1:], weights=(70, 30))[0]
    first, second = (main, because) if category == "reason after" else ([*because, ","], main)
    words = [*first, *second, "."]
    antecedent = (subject, obj)[role]
    gloss = [f"{classes[word]}-{word}" if word in classes else word for word in words]
    gloss[words.index("it")] = classes[antecedent]
    verb, it = words.index("not") + 1, words.index("it")
    relations = [
        Relation("verb-subject", verb, words.index(subject)),
        Relation("verb-object", verb, words.index(obj)),
        Relation("pronoun-antecedent", it, words.index(antecedent)),
        Relation("pronoun-predicate", it, words.index(predicate)),
    ]
    aligned = [Aligned(word, position) for position, word in enumerate(gloss)]
    return SentencePair(category, words, aligned, relations)


def _phrase(noun: str, rng: random.Random) -> list[str]:
    adjective = [rng.choice(MEANING_ADJECTIVES)] if rng.random() < 0.3 else []
    return [rng.choice(MEANING_DETERMINERS), *adjective, noun]


def generate_meaning_data(num_sentences: int, *, seed: int = 0) -> pd.DataFrame:
    """Draw glossed sentences, all different, in which meaning decides the antecedent.

    Parameters
    ----------
    num_sentences
        How many.
    seed
        Decides everything.

    Returns
    -------
    pandas.DataFrame
        The columns of `generate_synthetic_data`. `target` is the gloss, word by word, and
        `alignment` says that each gloss stands under its word. The subject and the object are of
        different meanings and of different classes.

    Raises
    ------
    ValueError
        If the grammar has too few sentences.

    Notes
    -----
    The sentences are after those of Levesque, Davis and Morgenstern (2012), *The Winograd schema
    challenge*. `MEANING_PAIR` never occurs, nor any sentence with its main clause.

    Examples
    --------
    >>> generate_meaning_data(2).loc[1, "target"]
    'the ma-road did not cross this mu-duck because mu was too hungry .'
    """
    check_types(generate_meaning_data, locals())
    rng = random.Random(int(seed))
    classes = noun_classes()
    ids = {word: i for i, word in enumerate(meaning_vocabulary())}
    famous = {*classes, *MEANING_VERBS}.intersection(MEANING_PAIR[0].split())

    def is_wanted(pair: SentencePair) -> bool:
        one, other = (classes[pair.source[r.read]] for r in pair.relations[:2])
        return one != other and not famous <= set(pair.source)

    pairs = draw_distinct(num_sentences, lambda: draw_glossed_sentence(rng), is_wanted)
    return pd.DataFrame([row_of(key, pair, ids) for key, pair in enumerate(pairs)])
