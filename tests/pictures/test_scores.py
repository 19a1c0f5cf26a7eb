from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from regard.pictures.scores import plot_knockout, plot_scoreboard
from tests.pictures.drawing import bars, drawn, points, tick_texts

SCORES = pd.DataFrame(
    {"trained": [1.0, 0.98], "untrained": [0.3, 0.12], "best fixed offset": [np.nan, 0.23]},
    index=["determiner-noun", "pronoun-antecedent"],
)


def test_each_score_stands_in_the_row_of_its_relation() -> None:
    ax = plot_scoreboard(SCORES)
    assert tick_texts(ax)[1] == list(SCORES.index)
    for line, name in zip(ax.lines, SCORES, strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal([x for x, _ in points(line)], SCORES[name])
        assert [round(y) for _, y in points(line)] == [0, 1]
    assert len({line.get_marker() for line in ax.lines}) == 3
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first relation is on top"
    assert tick_texts(ax)[0][-1] == "100 %"
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(SCORES.columns)


def test_no_mark_hides_another() -> None:
    ax = plot_scoreboard(pd.DataFrame({"a": [1.0], "b": [1.0], "c": [1.0]}, index=["relation"]))
    drawn(ax.figure)
    heights = [line.get_transform().transform(points(line))[0, 1] for line in ax.lines]
    assert (-np.diff(heights) * 72 / 110 > 6).all(), "points"


KNOCKOUT = pd.DataFrame(
    {"guided": [1.0, 0.57, 1.0], "unguided": [1.0, 0.78, 0.996]},
    index=["nothing", "its antecedent", "the other noun"],
)


def test_bars_stand_in_groups_of_what_may_not_be_read() -> None:
    ax = plot_knockout(KNOCKOUT, chance=0.4)
    groups = np.reshape(np.array(bars(ax), dtype=object), (2, 3))
    heights = [[bar.get_height() for bar in model] for model in groups]
    assert heights == KNOCKOUT.T.to_numpy().tolist()
    for model in groups:
        assert [round(bar.get_x() + bar.get_width() / 2) for bar in model] == [0, 1, 2]
    assert tick_texts(ax)[0] == list(KNOCKOUT.index)
    assert [y for _, y in points(ax.lines[0])] == [0.4, 0.4]
    said = [text.get_text() for text in ax.texts]
    assert said == ["100 %", "57 %", "100 %", "100 %", "78 %", "99.6 %", "chance, 40 %"]


@pytest.mark.parametrize("plot", [plot_scoreboard, plot_knockout])
def test_what_are_no_shares_is_refused(plot: Callable[[pd.DataFrame], Axes]) -> None:
    with pytest.raises(ValueError, match=r"got 97: divide per cents by 100"):
        plot(pd.DataFrame({"a": [0.5, 97]}))
    with pytest.raises(ValueError, match="0 rows and 1 columns"):
        plot(pd.DataFrame({"a": []}))
