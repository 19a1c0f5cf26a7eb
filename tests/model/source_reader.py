"""A reader of the source language, who translates what it reads; shares only word lists."""

from typing import NamedTuple

from regard.model.lexicon import (
    ADJECTIVES,
    COPULAS,
    DETERMINERS,
    NOUNS,
    PREDICATES,
    PREPOSITIONS,
    VERBS,
)

NOUN_OF = {form: noun for noun in NOUNS for form in noun.source}
PLURALS = {noun.source[1] for noun in NOUNS} | {"they"}
PAST_STEM = {past: stem for past, _, stem in VERBS}
BASE_STEM = {base: stem for _, base, stem in VERBS}


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
