"""Simple rules that answer as heads do: what beats none of them has shown little.

A rule is any callable that takes a sentence and the position of the word that is asked about, and
gives the position of the word that it would read, or None. A sentence is whatever is passed to
`scoreboard`: those here are of a treebank, `ParsedSentence`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regard.evidence.conllu import NOT_ANNOTATED, ParsedSentence
from regard.record.door import described, text

Rule = Callable[[Any, int], int | None]
SIDES = {"before": -1, "after": 1}
COMMONEST = 60  # words that are not rare: two of five in English


def nearest_tag(tag: str, side: str) -> Rule:
    """Make the rule that reads the nearest word of a part of speech on one side.

    Parameters
    ----------
    tag
        As in the sentences' `tags`.
    side
        "before" or "after".

    Raises
    ------
    ValueError
        If it is no side.

    Examples
    --------
    >>> sentence = ParsedSentence(["small", "dogs", "ran"], [], ["ADJ", "NOUN", "VERB"])
    >>> nearest_tag("NOUN", "after")(sentence, 0), nearest_tag("NOUN", "before")(sentence, 0)
    (1, None)
    """
    step = _step(side)

    def rule(sentence: ParsedSentence, at: int) -> int | None:
        tags = sentence.tags
        if len(tags) != len(sentence.words):
            raise ValueError(
                f"The rule asks for parts of speech, but a sentence has {len(sentence.words)} "
                f"words and {len(tags)} tags: {' '.join(sentence.words)[:60]!r}. Give each word "
                "its tag, ParsedSentence(words, dependencies, tags), or leave the rule out."
            )
        return next((i for i in _way(at, step, len(tags)) if tags[i] == tag), None)

    return rule


def nearest_rare(common: Iterable[str], side: str) -> Rule:
    """Make the rule that reads the nearest word on one side that is none of the common ones.

    Parameters
    ----------
    common
        Words; upper and lower case are alike.
    side
        "before" or "after".

    Raises
    ------
    ValueError
        If it is no side.

    Examples
    --------
    >>> sentence = ParsedSentence(["The", "cows", "of", "the", "farm"], [])
    >>> nearest_rare(["the", "of"], "after")(sentence, 1)
    4
    """
    step, known = _step(side), {word.lower() for word in common}

    def rule(sentence: ParsedSentence, at: int) -> int | None:
        words = sentence.words
        return next((i for i in _way(at, step, len(words)) if words[i].lower() not in known), None)

    return rule


def most_linked(sentence: ParsedSentence, at: int) -> int | None:
    """Read the word on which most others depend, the nearest of several.

    The dependency of the word that is asked about, which is the gold answer, is not counted.

    Examples
    --------
    >>> from regard.evidence.conllu import Dependency
    >>> arcs = [Dependency("det", 0, 1), Dependency("nsubj", 1, 2), Dependency("advmod", 3, 2)]
    >>> most_linked(ParsedSentence(["the", "dog", "ran", "off"], arcs), 3)
    2
    """
    links = Counter(arc.head for arc in sentence.dependencies if arc.dependent != at)
    links.pop(at, None)
    return min(links, key=lambda word: (-links[word], abs(word - at)), default=None)


def rules_of(sentences: Sequence[ParsedSentence]) -> dict[str, Rule]:
    """Make the rules that a treebank gives.

    Parameters
    ----------
    sentences
        What is common in them is not rare; rules about parts of speech need their tags.

    Returns
    -------
    dict
        By name: the nearest word of each part of speech on either side; the nearest on either side
        that is none of the 60 commonest; the one on which most others depend.

    Examples
    --------
    >>> list(rules_of([ParsedSentence(["dogs", "ran"], [], ["NOUN", "VERB"])]))[:2]
    ['nearest NOUN before', 'nearest NOUN after']
    """
    tags = sorted({tag for sentence in sentences for tag in sentence.tags} - {NOT_ANNOTATED})
    counts = Counter(word.lower() for sentence in sentences for word in sentence.words)
    common = [word for word, _ in counts.most_common(COMMONEST)]
    by_tag = {f"nearest {tag} {side}": nearest_tag(tag, side) for tag in tags for side in SIDES}
    rare = {f"nearest rare word {side}": nearest_rare(common, side) for side in SIDES}
    return by_tag | rare | {"most linked word": most_linked}


def rule_answers(
    rules: Mapping[str, Rule], sentences: Sequence[Any], readings: pd.DataFrame
) -> NDArray[np.bool_]:
    """Say which rules are right about which gold readings.

    Parameters
    ----------
    rules
        By name.
    sentences
        What the rules take, in the order of the readings' numbers.
    readings
        With columns `sentence`, `query` and `offset`, as `Answers` has them.

    Returns
    -------
    numpy.ndarray
        (readings, rules).

    Raises
    ------
    TypeError
        If a rule is no callable, or gives no position.
    """
    for name, rule in rules.items():
        text("The name of a rule", name)
        if not callable(rule):
            raise TypeError(
                f"A rule is called with a sentence and a position, but {name!r} is "
                f"{described(rule)}: pass a function, such as lambda sentence, at: at + 1."
            )
    columns = [readings[column].tolist() for column in ("sentence", "query", "offset")]
    answered: dict[tuple[int, int], list[int | None]] = {}  # both directions ask the same
    right = np.zeros((len(readings), len(rules)), dtype=np.bool_)
    for row, (number, at, offset) in enumerate(zip(*columns, strict=True)):
        if (number, at) not in answered:
            answered[number, at] = [
                _position(rule(sentences[number], at), name) for name, rule in rules.items()
            ]
        right[row] = [found == at + offset for found in answered[number, at]]
    return right


def _position(found: Any, name: str) -> int | None:
    if found is None:
        return None
    if isinstance(found, int | np.integer) and not isinstance(found, bool):
        return int(found)
    raise TypeError(
        f"A rule gives the position of a word, or None, but {name!r} gave {described(found)}."
    )


def _step(side: str) -> int:
    if side not in SIDES:
        raise ValueError(f"A side is one of {list(SIDES)}, but got {described(side)}.")
    return SIDES[side]


def _way(at: int, step: int, length: int) -> range:
    """Go from the next word on, away from a word."""
    return range(at + step, length if step > 0 else -1, step)
