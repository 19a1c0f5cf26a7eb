"""Tables of numbers in a terminal: cells stand under each other, whatever their letters."""

import numpy as np
import pandas as pd
import pytest

from regard.pictures.tables import lines_of, scoreboard_lines
from regard.pictures.terminal import columns
from regard.record.trace import Trace
from tests.viewer.test_view import HOSTILE, hostile, random_weights


@pytest.mark.parametrize("top", [None, 2])
def test_any_token_stands_in_its_column(top: int | None) -> None:
    names = ["犬", "dog", "שלום", "e\u0301", "a\nb", "x" * 99]
    seen = Trace.from_weights(random_weights(6, 6), names)
    _, _, *rows = lines_of(seen, 0, 0, None, top=top, width=200)
    assert len({columns(row) for row in rows}) == 1
    assert len(rows) == 6 + (top is None)
    assert "a↵b" in "".join(rows)


def test_hostile_tokens_take_a_line_each() -> None:
    _, _, *rows = lines_of(hostile(), 0, 0, None, top=3, width=80)
    assert len("\n".join(rows).splitlines()) == len(HOSTILE)


@pytest.mark.parametrize(("width", "is_matrix"), [(24, True), (23, False)])
def test_a_matrix_is_written_where_a_line_holds_it(width: int, *, is_matrix: bool) -> None:
    seen = Trace.from_weights(np.eye(3), ["the", "dog", "saw"])
    _, axes, *rows = lines_of(seen, 0, 0, None, top=None, width=width)
    assert ("each column one that is read" in axes) == is_matrix
    assert max(map(columns, rows)) == 24 or not is_matrix


def test_a_token_that_reads_nothing_has_an_empty_line() -> None:
    seen = Trace.from_weights([[0.0, 0.0], [0.5, 0.5]], ["the", "a"])
    *_, first, second = lines_of(seen, 0, 0, None, top=2, width=80)
    assert first == "0  the"
    assert second == "1  a    0  the  0.50  1  a  0.50"


def scores() -> pd.DataFrame:
    chosen = {"chosen_share": 0.9, "finding": True, "claim": "more than x", "share": 0.875}
    other = {"chosen_share": 0.5, "finding": False, "claim": "", "share": 0.99}
    alike = {"name": "det", "kind": "encoder", "count": 40, "layer": 3, "head": 11, "offset": -1}
    alike |= {"offset_share": 0.25, "rule": "nearest NOUN after", "rule_share": 0.5, "wrong": 20}
    alike |= {"share_where_wrong": 0.4, "lead": 0.375, "lead_low": -0.011, "lead_high": 0.5}
    rows = [alike | other | {"direction": "is read"}, alike | chosen | {"direction": "reads"}]
    return pd.DataFrame(rows)


def test_a_scoreboard_shows_the_direction_that_was_chosen() -> None:
    *_, header, row, last = scoreboard_lines(scores())
    assert header.split()[:5] == ["relation", "words", "head", "right", "offset"]
    assert header.split()[5:] == ["rule", "right", "else", "lead"]
    said = "* det: dependent reads head 40 3-11 87.5% -1 25.0% nearest NOUN after 50.0% 40.0%"
    assert " ".join(row.split()) == f"{said} +37.5 (-1.1 to +50.0)"
    assert "for 1 of 1 relations, by more than chance for 1" in last
    assert last.endswith("more often than the strongest rule by more than chance for 1")


def test_a_scoreboard_says_what_stood_in_front_and_how_far_splits_differ() -> None:
    table = scores()
    table.attrs |= {"findings_by_split": [3, 1, 2, 5], "start_token": "<s>"}
    first, second, *_, last = scoreboard_lines(table)
    assert first == "the start token <s> stands in front, which the tokenizer does not add"
    assert second.endswith("the shares are of other ones, in 2 splits, each both ways")
    assert last.startswith("in both directions 1 to 5 rows would be ahead")


@pytest.mark.parametrize(
    ("claim", "finding", "mark"), [("more", True, "*"), ("more", False, "o"), ("", False, "det:")]
)
def test_a_mark_says_what_is_claimed(claim: str, finding: bool, mark: str) -> None:  # noqa: FBT001
    *_, row, _ = scoreboard_lines(scores().tail(1).assign(claim=claim, finding=finding))
    assert row.split()[0] == mark
