"""How a sentence is said in two languages at once, with gold answers.

The source is subject, verb, object; the target puts the verb last. Each phrase gives its
translation, aligned, and notes its relations as it goes: almost every target word depends on one.
"""

import random
from dataclasses import dataclass, field
from typing import NamedTuple

from regard.model.lexicon import (
    COPULAS,
    DETERMINERS,
    NUMBERS,
    PREPOSITIONS,
    PRONOUN_STEM,
    PRONOUNS,
    Lexicon,
    Noun,
    Number,
    agree,
    conjugate,
)

CATEGORIES = ("statement", "reason after", "reason before")
RELATIONS = (
    "determiner-noun",
    "adjective-noun",
    "verb-subject",
    "verb-object",
    "pronoun-antecedent",
    "pronoun-predicate",  # only where meaning decides: see `regard.model.meaning`
)


class Relation(NamedTuple):
    """One gold answer: of which kind, which source word should read, and which it should read."""

    name: str
    reader: int
    read: int


class Aligned(NamedTuple):
    """A target word, and the position of the source word that it translates."""

    word: str
    position: int


@dataclass
class Phrase:
    """A noun phrase that was said: its target words, and what other words agree with."""

    target: list[Aligned]
    head: int
    noun: Noun
    number: Number


@dataclass
class Draft:
    """A source sentence under way, said word by word; the target follows from what was said."""

    lexicon: Lexicon
    rng: random.Random
    source: list[str] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)

    def say(self, word: str) -> int:
        """Add a source word and give its position."""
        self.source.append(word)
        return len(self.source) - 1

    def relate(self, name: str, reader: int, read: int) -> None:
        """Note a gold answer."""
        self.relations.append(Relation(name, reader, read))

    def noun_phrase(self, noun: Noun, number: Number) -> Phrase:
        """Say *the (small) dog*; the target is *lo cano (parvo)*."""
        rng = self.rng
        fitting = [word for word, (_, numbers) in DETERMINERS.items() if number in numbers]
        det = rng.choice(["the", *fitting])  # "the" twice as often
        det_at = self.say(det)
        adjective = rng.choice(self.lexicon.adjectives) if rng.random() < 0.3 else None
        adjective_at = self.say(adjective[0]) if adjective else -1
        head = self.say(noun.source[NUMBERS.index(number)])
        self.relate("determiner-noun", det_at, head)
        stems = [(DETERMINERS[det][0], det_at), (noun.stem, head)]
        if adjective:
            self.relate("adjective-noun", adjective_at, head)
            stems.append((adjective[1], adjective_at))
        target = [Aligned(agree(stem, noun.gender, number), at) for stem, at in stems]
        return Phrase(target, head, noun, number)

    def with_distractor(self, phrase: Phrase, distractor: Noun) -> Phrase:
        """Say *... near the fox* after a noun phrase: a third noun, of any number."""
        preposition, target_preposition = self.rng.choice(PREPOSITIONS)
        at = self.say(preposition)
        other = self.noun_phrase(distractor, self.rng.choice(NUMBERS))
        target = [*phrase.target, Aligned(target_preposition, at), *other.target]
        return Phrase(target, phrase.head, phrase.noun, phrase.number)

    def main_clause(
        self, nouns: list[Noun], numbers: tuple[Number, Number]
    ) -> tuple[list[Aligned], Phrase, Phrase]:
        """Say *the dog (did not) follow(ed) the cows*; the target puts the verb last."""
        rng = self.rng
        subject = self.noun_phrase(nouns[0], numbers[0])
        if rng.random() < 0.3:
            subject = self.with_distractor(subject, nouns[2])
        past, base, stem = rng.choice(self.lexicon.verbs)
        negated = rng.random() < 0.5
        if negated:
            self.say("did")
            not_at = self.say("not")
        verb = self.say(base if negated else past)
        verb_phrase = [Aligned(conjugate(stem, subject.number), verb)]
        if negated:
            verb_phrase = [Aligned("no", not_at), *verb_phrase]
        obj = self.noun_phrase(nouns[1], numbers[1])
        self.relate("verb-subject", verb, subject.head)
        self.relate("verb-object", verb, obj.head)
        return [*subject.target, *obj.target, *verb_phrase], subject, obj

    def reason_clause(self, number: Number, gender: str) -> tuple[list[Aligned], int]:
        """Say *because it seemed (very) weak*; give the target and the pronoun's position."""
        rng = self.rng
        because = self.say("because")
        pronoun = self.say(PRONOUNS[number])
        past, stem = rng.choice(COPULAS)
        copula = self.say(past)
        very = self.say("very") if rng.random() < 0.3 else -1
        source, target_predicate = rng.choice(self.lexicon.predicates)
        predicate = self.say(source)
        self.relate("verb-subject", copula, pronoun)
        target = [
            Aligned("quar", because),
            Aligned(agree(PRONOUN_STEM, gender, number), pronoun),
            *([Aligned("multo", very)] if very >= 0 else []),
            Aligned(target_predicate, predicate),
            Aligned(conjugate(stem, number), copula),
        ]
        return target, pronoun


class SentencePair(NamedTuple):
    """A source sentence, its translation, and the gold answers."""

    category: str
    source: list[str]
    target: list[Aligned]
    relations: list[Relation]

    @property
    def difficulty(self) -> float:
        """How far apart in words the two ends of its relations stand, on average."""
        return sum(abs(r.reader - r.read) for r in self.relations) / len(self.relations)


def draw_sentence_pair(lexicon: Lexicon, rng: random.Random) -> SentencePair:
    """Draw one sentence pair; its subject and object differ in number where a pronoun follows."""
    draft = Draft(lexicon, rng)
    category = rng.choices(CATEGORIES, weights=(15, 55, 30))[0]
    nouns = rng.sample(lexicon.nouns, 3)
    subject_number = rng.choice(NUMBERS)
    if category == "statement":
        target, _, _ = draft.main_clause(nouns, (subject_number, rng.choice(NUMBERS)))
    else:
        other_number: Number = "plural" if subject_number == "singular" else "singular"
        numbers = (subject_number, other_number)
        role = rng.choice((0, 1))  # is the subject or the object what the pronoun stands for?
        reason = (numbers[role], nouns[role].gender)
        if category == "reason after":
            target, *phrases = draft.main_clause(nouns, numbers)
            because, pronoun = draft.reason_clause(*reason)
            target = [*target, *because]
        else:
            because, pronoun = draft.reason_clause(*reason)
            comma = Aligned(",", draft.say(","))
            target, *phrases = draft.main_clause(nouns, numbers)
            target = [*because, comma, *target]
        draft.relate("pronoun-antecedent", pronoun, phrases[role].head)
    target.append(Aligned(".", draft.say(".")))
    return SentencePair(category, draft.source, target, draft.relations)
