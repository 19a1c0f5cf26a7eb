"""What every picture asks first: is it what can be drawn, and where?"""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes

import regard.pictures
from regard.pictures.architecture import plot_architecture
from regard.pictures.contacts import plot_contacts
from regard.pictures.difference import plot_changes, plot_difference
from regard.pictures.head import plot_attention, plot_heatmap
from regard.pictures.heads import plot_heads
from regard.pictures.leak import plot_leak
from regard.pictures.learning import plot_loss
from regard.pictures.on_image import plot_on_image, plot_rollout_on_image
from regard.pictures.readings import plot_readings, plot_received
from regard.pictures.scores import plot_knockout, plot_scoreboard
from regard.pictures.spoken import plot_alignment
from regard.record.trace import Trace
from tests.pictures.drawing import cells, drawn, words
from tests.pictures.test_learning import history
from tests.pictures.test_on_image import seen_picture
from tests.pictures.test_scores import KNOCKOUT, SCORES
from tests.pictures.test_spoken import heard

SEEN = Trace.from_weights(np.eye(3), words(3))


ON_AXES: dict[str, Callable[[Axes | None], Axes]] = {
    "architecture": lambda ax: plot_architecture(ax=ax),
    "attention": lambda ax: plot_attention(SEEN, 0, 0, ax=ax),
    "changes": lambda ax: plot_changes(np.eye(3), words(3), words(3), title="more", ax=ax),
    "contacts": lambda ax: plot_contacts(SEEN, ax=ax),
    "difference": lambda ax: plot_difference(SEEN, SEEN, 0, 0, ax=ax),
    "heatmap": lambda ax: plot_heatmap(np.eye(3), words(3), words(3), ax=ax),
    "readings": lambda ax: plot_readings([[0.5, 0.5]], [["it", "saw"]], [0], ax=ax),
    "loss": lambda ax: plot_loss(history(exact=1.0), ax=ax),
    "received": lambda ax: plot_received(np.full(3, 1 / 3), words(3), ax=ax),
    "scoreboard": lambda ax: plot_scoreboard(SCORES, ax=ax),
    "leak": lambda ax: plot_leak(np.eye(3), words(3), ax=ax),
    "knockout": lambda ax: plot_knockout(KNOCKOUT, ax=ax),
    "alignment": lambda ax: plot_alignment(heard(), [(0, 0)], ax=ax),
    "on_image": lambda ax: plot_on_image(seen_picture(), 0, 0, 0, ax=ax),
    "rollout_on_image": lambda ax: plot_rollout_on_image(seen_picture(), 0, ax=ax),
}


@pytest.mark.parametrize("plot", ON_AXES.values(), ids=ON_AXES)
def test_a_picture_is_drawn_on_the_axes_given_or_on_one_new_figure(
    plot: Callable[[Axes | None], Axes],
) -> None:
    new = plot(None)
    assert plt.get_fignums() == [1]
    drawn(new.figure)
    given = plt.subplots(figsize=(4, 3))[1]
    assert plot(given) is given
    assert plt.get_fignums() == [1, 2]
    drawn(given.figure)


def test_every_picture_is_among_them() -> None:
    modules = Path(str(regard.pictures.__file__)).parent.glob("[!_]*.py")
    found = {
        name.removeprefix("plot_")
        for path in modules
        for name in vars(importlib.import_module(f"regard.pictures.{path.stem}"))
        if name.startswith("plot_")
    }
    on_several = {"heads", "heads_on_image", "words_on_image"}
    assert found - {"held_out", *on_several} == ON_AXES.keys()


@pytest.mark.parametrize("plot", ON_AXES.values(), ids=ON_AXES)
def test_what_is_no_axes_is_said(plot: Callable[[Any], Axes]) -> None:
    figure, axes = plt.subplots(1, 2)
    for wrong in ("x", figure, axes):
        with pytest.raises(TypeError, match=r"ax is one Axes of matplotlib, but got .*: pass"):
            plot(wrong)
    assert plt.get_fignums() == [1]


EYE: Any = np.eye(2)
DOG: Any = ["the", "dog"]
TEXT: Any = "dog"
MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "a layer in words": (
        lambda: plot_attention(SEEN, TEXT, 0),
        "layer, counted from 0, is a",
    ),
    "a head in words": (
        lambda: plot_attention(SEEN, 0, TEXT),
        r"head, .* got 'dog' \(str\)",
    ),
    "a flag": (lambda: plot_attention(SEEN, 0, head=True), r"whole number, but got True \(bool\)"),
    "a fraction": (lambda: plot_attention(SEEN, 0.0, 0), r"but got 0.0 \(float\)"),  # type: ignore[arg-type]
    "a kind": (
        lambda: plot_attention(SEEN, 0, 0, kind=EYE),
        "kind of attention is a text, but",
    ),
    "a text": (lambda: plot_attention(TEXT, 0, 0), "A trace is expected.*'dog'.*regard.trace"),
    "no trace first": (lambda: plot_difference(TEXT, SEEN, 0, 0), "A trace is expected, but got"),
    "no trace second": (lambda: plot_difference(SEEN, EYE, 0, 0), "A trace is expected, but got"),
    "strings": (lambda: plot_heatmap([DOG, DOG], DOG, DOG), "weights are numbers.*got"),
    "numerals": (lambda: plot_heatmap([["0.5"]], ["a"], ["b"]), r"numbers.*\[\['0.5'\]\]"),
    "ragged": (lambda: plot_heatmap([[0.5], [0.5, 0.5]], DOG, DOG), "in rows of one length, but"),
    "a trace": (lambda: plot_heatmap(SEEN, DOG, DOG), "draw a head of it by plot_attention"),  # type: ignore[arg-type]
    "queries": (
        lambda: plot_heatmap(np.eye(3), TEXT, words(3)),
        r"queries is a list.*: pass",
    ),
    "keys": (
        lambda: plot_heatmap(np.eye(3), words(3), TEXT),
        "keys is a list with a name for each",
    ),
    "no list": (lambda: plot_heatmap(EYE, DOG, 2), r"keys is a list.* got 2 \(int\)"),  # type: ignore[arg-type]
    "keys of heads": (lambda: plot_heads(np.ones((1, 3, 3)) / 3, words(3), TEXT), "keys is a list"),
    "titles": (lambda: plot_heads(EYE[None], DOG, DOG, titles=TEXT), "titles is a list"),
    "a figure": (lambda: plot_heads(EYE[None], DOG, DOG, axes=TEXT), "ax is one Axes"),
    "a row of strings": (lambda: plot_readings([DOG], [DOG], [0]), "weights are numbers"),
    "a sentence": (lambda: plot_readings([[0.5] * 3], [TEXT], [0]), "A sentence is a list with a"),
    "sentences": (lambda: plot_readings([[1.0]] * 3, TEXT, [0] * 3), "sentences is a list"),
    "a reader": (
        lambda: plot_readings([[0.5, 0.5]], [DOG], [TEXT]),
        "position of a token, is a",
    ),
    "received": (lambda: plot_received([TEXT, TEXT], DOG), "weights are numbers"),
    "received by": (lambda: plot_received([0.3, 0.3, 0.3], TEXT), "keys is a list"),
    "losses": (lambda: plot_loss([3.0, 2.0]), "A history is a pandas.DataFrame, but got"),  # type: ignore[arg-type]
    "a loss": (
        lambda: plot_loss(pd.DataFrame({"step": [1], "loss": ["x"]})),
        "columns of a hist",
    ),
    "a column": (lambda: plot_scoreboard(SCORES["trained"]), "shares is a pandas.DataFrame"),  # type: ignore[arg-type]
    "shares": (lambda: plot_knockout(KNOCKOUT.astype(str)), "Shares are numbers"),
    "chance": (lambda: plot_knockout(KNOCKOUT, chance=TEXT), "chance is a number, but got 'dog'"),
    "moves": (lambda: plot_leak([DOG, DOG], DOG), "Moves are numbers"),
    "moved tokens": (lambda: plot_leak(np.eye(3), TEXT), "tokens is a list with a name for each"),
    "tolerance": (lambda: plot_leak(EYE, DOG, tolerance=TEXT), "tolerance is a number, but got"),
}


@pytest.mark.parametrize(("draw", "message"), MISTAKES.values(), ids=MISTAKES)
def test_what_cannot_be_drawn_is_said_at_the_door(draw: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        draw()
    assert not plt.get_fignums(), "nothing is opened for it"


@pytest.mark.parametrize("one", [1, np.int64(1), np.uint8(1), torch.tensor(1)])
def test_whole_numbers_of_every_library_are_taken(one: int) -> None:
    weights = np.stack([np.full((2, 2), 0.5), np.eye(2)])
    ax = plot_attention(Trace.from_weights(weights, DOG), 0, one)
    assert (cells(ax) == np.eye(2)).all()
    plot_readings([[0.5, 0.5]], [DOG], [one])


@pytest.mark.parametrize(
    "weights",
    [
        torch.full((2, 2), 0.5, requires_grad=True),
        torch.full((2, 2), 0.5, dtype=torch.bfloat16),
        pd.DataFrame([[0.5, 0.5]] * 2),
        [[0.5, 0.5]] * 2,
    ],
)
@pytest.mark.parametrize("tokens", [tuple(DOG), np.array(DOG), pd.Index(DOG)])
def test_numbers_and_names_of_every_library_are_taken(weights: Any, tokens: Sequence[str]) -> None:
    assert (cells(plot_heatmap(weights, tokens, tokens)) == 0.5).all()
