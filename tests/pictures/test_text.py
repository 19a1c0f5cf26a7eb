import re

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import regard
from regard.cli import app
from regard.pictures.terminal import columns, legible
from regard.pictures.text import BLOCKS, as_text
from regard.record.trace import Trace
from tests.viewer.test_view import HOSTILE, hostile, random_weights, with_words

READING = re.compile(r"(\S+)(?: \((\d+)\))? (\d\.\d\d|<\.01)")


def test_a_line_names_what_is_read_most() -> None:
    weights = random_weights(2, 3, 30, 30)
    tokens = [f"token{at}" for at in range(30)]
    title, _, *lines = as_text(Trace.from_weights(weights, tokens), 1, 2).splitlines()
    assert title == "encoder self-attention, layer 1, head 2"
    assert len(lines) == 30
    for at, line in enumerate(lines):
        place, name, *_ = line.split()
        assert (int(place), name) == (at, tokens[at])
        found = READING.findall(line.split(maxsplit=3)[3])
        order = weights[1, 2, at].argsort()[::-1][:3]
        assert [key for key, _, _ in found] == [tokens[key] for key in order]
        for (*_, said), key in zip(found, order, strict=True):
            weight = weights[1, 2, at, key]
            assert said == (f"{weight:.2f}" if weight >= 0.005 else "<.01")


@pytest.mark.parametrize("width", [48, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for seen in (hostile(), Trace.from_weights(random_weights(60, 60), ["犬" * 9] * 60)):
        lines = as_text(seen, 0, 0, width=width, rows=None).splitlines()
        assert len(lines) == 2 + len(seen.tokens)
        assert max(map(columns, lines)) <= width


def test_the_bar_is_as_long_as_the_strongest_weight() -> None:
    for weight in np.linspace(0.5, 1, 9):
        seen = Trace.from_weights([[weight, 1 - weight]] * 2, ["the", "dog"])
        last = as_text(seen, 0, 0).splitlines()[-1]
        drawn = last.split()[2]
        eighths = sum(BLOCKS.index(block) for block in drawn)
        assert eighths / 64 == pytest.approx(weight, abs=1 / 128)


def test_hostile_tokens_move_nothing() -> None:
    text = as_text(hostile(), 0, 0, width=200)
    assert len(text.splitlines()) == 2 + len(HOSTILE)
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\ud800-\udfff]", text
    )
    assert text.count("\u2068") == text.count("\u2069") > 0
    text.encode()


def test_what_is_shown_of_a_token() -> None:
    assert legible("a\u202eb", 20) == "a\\u202eb"
    assert legible("שלום", 20) == "\u2068שלום\u2069"
    assert legible(" ", 20) == '" "'
    assert columns(legible("犬" * 50, 9)) == 9
    assert len(legible("e" + "\u0301" * 10_000, 20)) < 100


def test_of_a_long_text_the_most_decided_rows_are_shown() -> None:
    weights = np.full((500, 500), 1 / 500)
    decided = (7, 8, 300)
    for at in decided:
        weights[at] = 0
        weights[at, at] = 1
    lines = as_text(Trace.from_weights(weights), 0, 0, rows=3).splitlines()
    assert lines[2] == "here are 3 of 500 tokens, whose strongest weights are largest"
    assert [line.split()[0] for line in lines[3:]] == ["…", "7", "8", "…", "300"]


def test_what_is_hidden_is_told_of() -> None:
    seen = with_words()
    assert "hidden tokens" not in as_text(seen, 1, 2)
    on_special = seen.weights(1, 2)[1:-1, [0, -1]].sum(axis=1).mean()
    said = as_text(seen.hide(), 1, 2).splitlines()[1]
    assert said == f"hidden tokens, which are not shown, get {on_special:.0%} of the attention"


def test_tokens_that_are_alike_have_their_place() -> None:
    seen = Trace.from_weights(np.eye(3), ["the", "dog", "the"])
    assert [line.split("█ ")[1] for line in as_text(seen, 0, 0).splitlines()[2:]] == [
        "the (0) 1.00",
        "dog 1.00",
        "the (2) 1.00",
    ]


def test_a_token_that_reads_nothing_says_so() -> None:
    seen = Trace.from_weights([[0.0, 0.0], [0.5, 0.5]], ["the", "dog"])
    assert as_text(seen, 0, 0).splitlines()[2] == "0 the          reads nothing"


def test_what_cannot_be_written_is_said() -> None:
    seen = Trace.from_weights(torch.eye(2))
    with pytest.raises(ValueError, match="Got width=10, but a line needs 48 columns or more"):
        as_text(seen, 0, 0, width=10)
    with pytest.raises(ValueError, match="Got rows=0: ask for 1 or more"):
        as_text(seen, 0, 0, rows=0)
    with pytest.raises(ValueError, match="no head 4"):
        as_text(seen, 0, 4)


def test_other_kinds_are_written_too() -> None:
    weights = regard.Trace.from_weights(
        random_weights(1, 2, 3, 4),
        ["a", "b", "c", "d"],
        target_tokens=["x", "y", "z"],
        kind="cross",
    )
    title, _, *lines = as_text(weights, 0, 1).splitlines()
    assert title == "cross-attention, layer 0, head 1"
    assert [line.split()[1] for line in lines] == ["x", "y", "z"]


def test_the_command_line_prints_it_where_no_file_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Trace.from_weights(random_weights(2, 3, 12, 12), [f"token{at}" for at in range(12)])
    monkeypatch.setattr("regard.cli.load", lambda _: (None, None))
    monkeypatch.setattr("regard.trace", lambda *_, **__: seen)
    monkeypatch.setenv("COLUMNS", "100")
    options = ["view", "some text", "--model=some", "--layer=1", "--head=2"]
    done = CliRunner().invoke(app, options)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{as_text(seen, 1, 2, width=100)}\n(every head, by hand: -o x.html)\n"
