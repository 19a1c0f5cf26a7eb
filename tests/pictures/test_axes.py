"""Ticks of all pictures: each names the cell that it stands below, and none overlaps another."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from regard.pictures.head import plot_heatmap
from tests.pictures.drawing import drawn, random_weights, tick_texts, words


def test_ticks_stand_in_the_middle_of_their_cells() -> None:
    ax = plot_heatmap(random_weights(2, 3), words(2), words(3))
    assert list(ax.get_xticks()) == [0.5, 1.5, 2.5]
    assert list(ax.get_yticks()) == [0.5, 1.5]


@pytest.mark.parametrize("count", [2, 16, 20, 60, 200])
@pytest.mark.parametrize("given", [True, False])
def test_labels_never_overlap_nor_leave_the_picture(count: int, given: bool) -> None:  # noqa: FBT001 - a case
    ax = plt.subplots(figsize=(5, 4))[1] if given else None
    tokens = [f"a-rather-long-token-{i}" for i in range(count)]
    ax = plot_heatmap(random_weights(count, count), tokens, tokens, ax=ax)
    figure = drawn(ax.figure)
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        named = [label for label in labels if label.get_text()]
        assert named
        for label in named:
            corners = label.get_window_extent().corners().tolist()
            assert all(figure.bbox.padded(1).contains(x, y) for x, y in corners)
        assert all(not overlap(*pair) for pair in pairwise(named))


def overlap(a: Text, b: Text) -> bool:
    """Say whether two labels of one angle stand nearer than their type is high, in points."""
    (ax, ay), (bx, by) = (label.get_transform().transform(label.get_position()) for label in (a, b))
    apart = np.hypot(ax - bx, ay - by) * 72 / 110
    across = np.sin(np.radians(a.get_rotation())) if a.get_rotation() else 1
    return bool(apart * across < a.get_fontsize())


def test_more_labels_are_shown_where_there_is_more_room() -> None:
    ax = plt.subplots(figsize=(4, 4))[1]
    plot_heatmap(random_weights(60, 60), words(60), words(60), ax=ax)
    drawn(ax.figure)
    few = len(ax.get_yticks())
    assert 4 < few < 60
    assert isinstance(ax.figure, Figure)
    ax.figure.set_size_inches(12, 12)
    drawn(ax.figure)
    assert len(ax.get_yticks()) > few
    assert tick_texts(ax)[1][1] == words(60)[int(ax.get_yticks()[1])]
