"""Nothing that a picture says is cut off by its edge: titles, the names of axes, of tokens."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text

from regard.pictures.difference import plot_difference
from regard.pictures.head import plot_attention, plot_heatmap
from regard.pictures.heads import plot_heads
from regard.pictures.leak import plot_leak
from regard.record.trace import Trace
from tests.pictures.drawing import drawn, random_weights

SIZES = [(1, 1), (1, 60), (5, 5), (30, 3)]
WORDS = ["t", "antidisestablishmentarianism"]


def cut_off(ax: Axes) -> list[str]:
    """Give the texts that leave the picture that an Axes is in."""
    figure = drawn(ax.get_figure(root=True))
    paper = figure.bbox.padded(1)
    boxes = {
        text.get_text(): text.get_window_extent()
        for text in cast("list[Text]", figure.findobj(Text))
        if text.get_text() and text.get_visible()
    }
    return [
        text for text, box in boxes.items() if not all(paper.contains(*at) for at in box.corners())
    ]


def names(word: str, count: int) -> list[str]:
    return [f"{word}{at}" for at in range(count)]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(("high", "wide"), SIZES)
@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_nothing_of_a_head_is_cut_off(kind: str, high: int, wide: int, word: str) -> None:
    rows, columns = names(word, high), names(word, wide)
    if kind == "cross":
        weights = random_weights(1, high, wide)
        seen = Trace.from_weights(weights, columns, target_tokens=rows, kind=kind)
    else:
        seen = Trace.from_weights(random_weights(1, high, high), rows, kind=kind)
    if kind != "encoder":
        seen = replace(seen, written_tokens=rows)
    assert cut_off(plot_attention(seen, 0, 0)) == []


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("count", [1, 5, 20])
def test_nothing_of_other_matrices_is_cut_off(count: int, word: str) -> None:
    tokens = names(word, count)
    weights = random_weights(4, count, count)
    first, second = (Trace.from_weights(one[None], tokens) for one in weights[:2])
    assert cut_off(plot_difference(first, second, 0, 0)) == []
    assert cut_off(plot_leak(np.eye(count), tokens, title="A decoder without a mask")) == []
    assert cut_off(plot_heads(weights, tokens, tokens)[0]) == []


def test_a_long_title_is_broken() -> None:
    ax = plot_heatmap([[1.0]], ["it"], ["dog"], title="A title " * 20)
    assert cut_off(ax) == []
