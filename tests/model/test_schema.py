"""Each way to break a row is found and named; sound rows are given back as they are."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regard.model.grammar import Relation
from regard.model.lexicon import vocabulary
from regard.model.pairs import generate_synthetic_data
from regard.model.schema import validate_sentences

WORDS = vocabulary(300)


@pytest.fixture
def pairs() -> pd.DataFrame:
    """Give 12 sound sentence pairs with the keys 100 to 111 and labels that repeat."""
    pairs = generate_synthetic_data(num_sentences=12, vocab_size=300, max_length=24)
    return pairs.assign(key=range(100, 112)).set_index(pd.Index([0, 1] * 6))


def broken(pairs: pd.DataFrame, changes: dict[int, dict[str, Any]]) -> pd.DataFrame:
    """Put other values into some places of a copy; a callable makes one from the row."""
    columns = {name: pairs[name].tolist() for name in pairs}
    for place, values in changes.items():
        row = pairs.iloc[place]
        for name, value in values.items():
            columns[str(name)][place] = value(row) if callable(value) else value
    return pd.DataFrame(columns)


def complaint(pairs: pd.DataFrame, words: list[str] | None = None) -> str:
    with pytest.raises(ValueError, match=r"wrong|broken") as caught:
        validate_sentences(pairs, words or WORDS)
    assert caught.value.__suppress_context__, "pandera's own long message is not shown"
    return str(caught.value)


@pytest.mark.parametrize(("num_sentences", "vocab_size"), [(1, 300), (300, 300), (300, 150)])
def test_generated_rows_are_sound(num_sentences: int, vocab_size: int) -> None:
    pairs = generate_synthetic_data(num_sentences, vocab_size, max_length=20)
    before = pairs.copy(deep=True)
    assert validate_sentences(pairs, vocabulary(vocab_size)) is pairs
    pd.testing.assert_frame_equal(pairs, before)


def test_a_choice_of_rows_is_sound(pairs: pd.DataFrame) -> None:
    assert len(validate_sentences(pairs.iloc[3:8], WORDS)) == 5


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("source", None, "source is missing"),
        ("relations", None, "relations is missing"),
        ("difficulty", float("nan"), "difficulty is missing"),
        ("difficulty", 0.0, "difficulty must be positive, but is 0.0"),
        ("difficulty", -2.5, "difficulty must be positive, but is -2.5"),
        ("category", "question", "category must be one of statement, reason after, reason before"),
        ("length", 1, "length must count source_ids, but is 1"),
        ("source", "the dog", "source must be the words of source_ids, but is 'the dog'"),
        ("target", lambda row: row["target"] + " .", "target must be the words of target_ids"),
        ("source_ids", [2, 5], "source_ids must be a list of ids of words, 4 to"),
        ("source_ids", [len(WORDS)], f"4 to {len(WORDS) - 1}, but is [{len(WORDS)}]"),
        ("target_ids", [-1], "target_ids must be a list of ids of words"),
        ("target_ids", [4.0], "target_ids must be a list of ids of words"),
        ("target_ids", "4 5", "target_ids must be a list of ids of words"),
        ("target_ids", (4, 5), "target_ids must be a list of ids of words"),
        ("alignment", lambda row: row["alignment"][1:], "alignment must give each of target_ids"),
        ("alignment", lambda row: [*row["alignment"][1:], row["length"]], "alignment must give"),
        ("alignment", lambda row: [*row["alignment"][1:], -1], ", -1]"),
        ("alignment", 3, "alignment must give each of target_ids a position in the source, but"),
        ("relations", [Relation("noun-noun", 0, 1)], "relations must be (name, reader, read), nam"),
        ("relations", [("verb-object", 0)], "relations must be (name, reader, read), names of"),
        ("relations", 7, "relations must be (name, reader, read), names of"),
        ("relations", lambda row: [("verb-object", 0, row["length"])], "relations must lie in the"),
        ("relations", [("verb-object", -1, 0)], "relations must lie in the source, but is [('verb"),
    ],
)
def test_a_broken_row_is_named(
    pairs: pd.DataFrame, column: str, value: object, reason: str
) -> None:
    said = complaint(broken(pairs, {4: {column: value}})).splitlines()
    assert said[0] == "1 of 12 sentence pairs is broken:"
    assert said[1].startswith("  row 4 (key 104): ")
    assert reason in said[1]
    assert said[2].startswith("Mend or drop it, or draw the sentence pairs again")
    assert len(said) == 3


def test_ids_that_say_another_sentence(pairs: pd.DataFrame) -> None:
    """Both of the rules that this breaks are told, and nothing of other columns."""
    said = complaint(broken(pairs, {2: {"source_ids": lambda row: [4, *row["source_ids"]]}}))
    rules = re.findall(r"(\w+) must", said)
    assert set(rules) == {"source", "length"}


@pytest.mark.parametrize("column", ["key", "source"])
def test_values_that_occur_twice(pairs: pd.DataFrame, column: str) -> None:
    row = pairs.iloc[7]
    same = {str(name): row[str(name)] for name in pairs if name not in {"key", "time"}}
    changes = {3: same if column == "source" else {"key": 107}}
    said = complaint(broken(pairs, changes)).splitlines()
    assert said[0] == "2 of 12 sentence pairs are broken:"
    assert f"row 3 (key 10{3 if column == 'source' else 7}): {column} must occur once" in said[1]
    assert f"row 7 (key 107): {column} must occur once" in said[2]


def test_time_that_stands_still_or_runs_back(pairs: pd.DataFrame) -> None:
    said = complaint(
        broken(pairs, {5: {"time": pairs["time"].iloc[4]}, 9: {"time": pd.Timestamp("2016-01-01")}})
    )
    assert re.findall(r"row (\d+) \(key \d+\): time must be later", said) == ["5", "9"]


def test_only_the_first_rows_are_named(pairs: pd.DataFrame) -> None:
    said = complaint(broken(pairs, {i: {"difficulty": -1.0} for i in range(2, 11)})).splitlines()
    assert said[0] == "9 of 12 sentence pairs are broken:"
    assert [line.split(":")[0] for line in said[1:6]] == [
        f"  row {i} (key {i + 100})" for i in range(2, 7)
    ]
    assert said[6] == "  and 4 more"


def test_another_vocabulary(pairs: pd.DataFrame) -> None:
    swapped = [*WORDS[:4], *reversed(WORDS[4:])]
    assert complaint(pairs, swapped).startswith("12 of 12 sentence pairs are broken:")
    assert "4 to 9, but is [" in complaint(pairs, WORDS[:10])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda pairs: pairs.drop(columns="target_ids"), "target_ids is missing"),
        (lambda pairs: pairs.assign(score=1.0), "score is unknown"),
        (lambda pairs: pairs.assign(key=pairs["key"] / 2), "key must be int64, but is float64"),
        (lambda pairs: pairs.assign(length="long"), "length must be int64, but is str"),
        (lambda pairs: pairs.assign(time=np.arange(12)), "time must be datetime64"),
        (
            lambda pairs: pairs.assign(time=pairs["time"].dt.tz_localize("UTC")),
            "but is datetime64[us, UTC]",
        ),
        (lambda pairs: pairs.assign(source=1).drop(columns="key"), "key is missing; source must"),
    ],
)
def test_columns_that_are_wrong(
    pairs: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], reason: str
) -> None:
    said = complaint(change(pairs))
    assert said.startswith("The columns are wrong: ")
    assert reason in said
    assert "row" not in said
    assert "Select or convert them" in said
