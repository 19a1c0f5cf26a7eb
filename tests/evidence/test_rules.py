"""Simple rules, against plain reading of a sentence; and what they may not see."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from regard.evidence.conllu import Dependency, ParsedSentence
from regard.evidence.rules import (
    most_linked,
    nearest_rare,
    nearest_tag,
    rule_answers,
    rules_of,
)

WORDS = ["The", "dogs", "of", "the", "farm", "barked", "."]
TAGS = ["DET", "NOUN", "ADP", "DET", "NOUN", "VERB", "PUNCT"]
ARCS = [
    Dependency("det", 0, 1),
    Dependency("nsubj", 1, 5),
    Dependency("case", 2, 4),
    Dependency("det", 3, 4),
    Dependency("nmod", 4, 1),
]
SENTENCE = ParsedSentence(WORDS, ARCS, TAGS)


@pytest.mark.parametrize(
    ("tag", "side", "found"),
    [
        ("NOUN", "before", [None, None, 1, 1, 1, 4, 4]),
        ("NOUN", "after", [1, 4, 4, 4, None, None, None]),
        ("DET", "before", [None, 0, 0, 0, 3, 3, 3]),
        ("X", "after", [None] * 7),
    ],
)
def test_the_nearest_word_of_a_part_of_speech(tag: str, side: str, found: list[int | None]) -> None:
    rule = nearest_tag(tag, side)
    assert [rule(SENTENCE, at) for at in range(7)] == found


def test_the_nearest_word_that_is_not_common() -> None:
    after, before = (nearest_rare(["THE", "of", "."], side) for side in ("after", "before"))
    assert [after(SENTENCE, at) for at in range(7)] == [1, 4, 4, 4, 5, None, None]
    assert [before(SENTENCE, at) for at in range(7)] == [None, None, 1, 1, 1, 4, 5]


def test_the_most_linked_word_does_not_know_whom_the_word_depends_on() -> None:
    """On "dogs" and on "farm" depend two words each; asked for one of these, one."""
    assert [most_linked(SENTENCE, at) for at in range(7)] == [4, 4, 1, 1, 5, 4, 4]
    assert most_linked(ParsedSentence(["a", "b"], [Dependency("x", 0, 1)]), 0) is None


def test_rules_are_made_of_the_tags_and_words_that_there_are() -> None:
    rules = rules_of([SENTENCE, ParsedSentence(["so"], [], ["_"])])
    assert len(rules) == 2 * 5 + 2 + 1
    assert "nearest _ before" not in rules
    assert rules["nearest VERB after"](SENTENCE, 1) == 5
    many = ParsedSentence([f"w{i}" for i in range(60)] * 2 + ["rare"], [])
    assert rules_of([many])["nearest rare word after"](many, 0) == 120


def readings(*places: tuple[int, int, int]) -> pd.DataFrame:
    return pd.DataFrame(places, columns=["sentence", "query", "offset"])


def test_rules_are_right_where_they_give_the_gold_word() -> None:
    rules = {"next": lambda _, at: at + 1, "verb": nearest_tag("VERB", "after")}
    asked = readings((0, 0, 1), (1, 4, 1), (1, 1, 4), (0, 0, 5), (1, 6, -1))
    assert rule_answers(rules, [SENTENCE] * 2, asked).tolist() == [
        [True, False],
        [True, True],
        [False, True],
        [False, True],
        [False, False],
    ]
    assert rule_answers({}, [], asked).shape == (5, 0)


@pytest.mark.parametrize(
    ("rules", "error", "message"),
    [
        ({"a": 1}, TypeError, "called with a sentence and a position, but 'a' is 1"),
        ({"a": lambda *_: "dog"}, TypeError, "gives the position of a word, or None, but 'a' gave"),
        ({"a": lambda *_: True}, TypeError, "or None, but 'a' gave True"),
        ({3: most_linked}, TypeError, "The name of a rule is a text, but got 3"),
    ],
)
def test_what_is_no_rule(rules: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rule_answers(rules, [SENTENCE], readings((0, 0, 1)))


def test_a_rule_may_give_numpys_numbers() -> None:
    found = rule_answers({"a": lambda *_: np.int64(1)}, [SENTENCE], readings((0, 0, 1)))  # type: ignore[dict-item]
    assert found.all()


def test_a_sentence_without_tags_or_a_side_that_is_none() -> None:
    with pytest.raises(
        ValueError, match=r"has 1 words and 0 tags: 'dogs'\. Give each word its tag"
    ):
        nearest_tag("NOUN", "after")(ParsedSentence(["dogs"], []), 0)
    with pytest.raises(ValueError, match=r"one of \['before', 'after'\], but got 'left'"):
        nearest_rare([], "left")
