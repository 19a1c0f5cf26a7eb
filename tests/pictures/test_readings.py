import matplotlib as mpl
import numpy as np
import pytest

from regard.pictures import style
from regard.pictures.readings import plot_readings, plot_received
from tests.pictures.drawing import bars, drawn, points, tick_texts


def test_each_word_is_as_dark_as_it_is_read() -> None:
    weights = [[0.1, 0.7, 0.2], [0.004, 0.996]]
    sentences = [["it", "saw", "$x$"], ["they", "overwhelmed"]]
    ax = plot_readings(weights, sentences, readers=[0, 1])
    assert [text.get_text() for text in ax.texts] == [
        *("it\n.10", "saw\n.70", "\\$x\\$\n.20"),
        *("they\n", "overwhelmed\n1"),
    ]
    drawn(ax.figure)
    cells = [cell for cell in bars(ax) if cell.get_fill()]
    for cell, text, weight in zip(cells, ax.texts, np.concatenate(weights), strict=True):
        assert cell.get_facecolor() == pytest.approx(style.ATTENTION(weight))
        box, words = cell.get_window_extent(), text.get_window_extent()
        assert box.x0 < words.x0
        assert words.x1 < box.x1
        assert box.y0 < words.y0
        assert words.y1 < box.y1
    outlines = [cell for cell in bars(ax) if not cell.get_fill()]
    assert [o.get_bbox().bounds for o in outlines] == [cells[i].get_bbox().bounds for i in (0, 4)]
    assert tick_texts(ax)[1] == ["it reads", "overwhelmed reads"]


@pytest.mark.parametrize("count", [3, 20, 40])
def test_words_stay_in_their_cells(count: int) -> None:
    short, long = ["a"] * count, [f"word{'s' * (i % 6)}" for i in range(count)]
    ax = plot_readings([np.full(count, 1 / count)] * 2, [short, long], [0, 0])
    drawn(ax.figure)
    cells = [cell.get_window_extent() for cell in bars(ax) if cell.get_fill()]
    for cell, text in zip(cells, ax.texts, strict=True):
        words = text.get_window_extent()
        assert cell.x0 < words.x0
        assert words.x1 < cell.x1


def test_words_of_one_place_stand_below_each_other() -> None:
    sentences = [["a", "b", "c"], ["longer", "b", "c"]]
    ax = plot_readings([np.full(3, 1 / 3)] * 2, sentences, [0, 0])
    left = [cell.get_x() for cell in bars(ax) if cell.get_fill()]
    assert left[:3] == left[3:]


def test_readings_need_a_row_and_a_reader_for_each_sentence() -> None:
    with pytest.raises(ValueError, match="1 rows of weights, 1 sentences and 2 readers"):
        plot_readings([[1.0]], [["it"]], [0, 0])
    with pytest.raises(ValueError, match="at least one"):
        plot_readings([], [], [])
    with pytest.raises(ValueError, match=r"shape \(1, 2\) for 1 queries and 1 keys"):
        plot_readings([[0.5, 0.5]], [["it"]], [0])
    with pytest.raises(ValueError, match="reader 1 for a sentence of 1 tokens"):
        plot_readings([[1.0]], [["it"]], [1])
    with pytest.raises(ValueError, match="'it' reads 'it', is nan"):
        plot_readings([[np.nan]], [["it"]], [0])


def test_bars_are_as_high_as_the_attention_received() -> None:
    ax = plot_received([0.1, 0.6, 0.3], ["the", "the", "$x$"])
    assert [bar.get_height() for bar in bars(ax)] == [0.1, 0.6, 0.3]
    assert tick_texts(ax)[0] == ["the", "the", r"\$x\$"]
    assert [bar.get_x() + bar.get_width() / 2 for bar in bars(ax)] == pytest.approx(ax.get_xticks())
    (even,) = ax.lines
    assert [y for _, y in points(even)] == pytest.approx([1 / 3, 1 / 3])
    assert [text.get_text() for text in ax.texts] == ["even share, 1/3"]
    dark = [bar.get_facecolor() == mpl.colors.to_rgba(style.BLUE) for bar in bars(ax)]
    assert dark == [False, True, False]


def test_bars_need_a_token_each() -> None:
    with pytest.raises(ValueError, match="for 1 queries and 2 keys"):
        plot_received([0.1, 0.6, 0.3], ["the", "dog"])
    with pytest.raises(ValueError, match="average token' reads 'dog', is nan"):
        plot_received([0.1, np.nan], ["the", "dog"])
