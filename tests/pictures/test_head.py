import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh
from numpy.typing import NDArray

from regard.pictures import style
from regard.pictures.head import plot_attention, plot_heatmap
from regard.record.layers import Layer, WeighedLayer
from regard.record.trace import Trace
from regard.record.words import Side
from tests.pictures.drawing import HOSTILE, cells, drawn, random_weights, tick_texts, words


def test_a_heatmap_has_each_weight_where_its_words_meet() -> None:
    weights = random_weights(3, 5)
    ax = plot_heatmap(weights, ["it", "was", "weak"], words(5), title="a title")
    assert (cells(ax) == weights).all()
    assert tick_texts(ax) == (words(5), ["it", "was", "weak"])
    assert ax.get_xlabel() == "the token that is read (key)"
    assert ax.get_ylabel() == "the token that reads (query)"
    assert ax.get_title("left") == "a title"
    top, bottom = ax.get_ylim()[::-1]
    assert top < bottom, "the first query is the top row"


@pytest.mark.parametrize("largest", [1.0, 0.2])
def test_colours_always_span_0_to_1(largest: float) -> None:
    ax = plot_heatmap(np.full((2, 2), largest), words(2), words(2))
    mesh = ax.collections[0]
    assert isinstance(mesh, QuadMesh)
    assert mesh.get_clim() == (0, 1)


def test_few_cells_have_their_values_written_in() -> None:
    weights = np.array([[1.0, 0.254, 0.004], [0.0, 0.999, 0.05]])
    ax = plot_heatmap(weights, words(2), words(3))
    assert [text.get_text() for text in ax.texts] == ["1", ".25", "", "", "1", ".05"]
    assert [text.get_position() for text in ax.texts[:4]] == [
        *((0.5, 0.5), (1.5, 0.5), (2.5, 0.5)),
        (0.5, 1.5),
    ]
    assert not plot_heatmap(random_weights(17, 17), words(17), words(17)).texts


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.9])
def test_a_value_is_written_in_the_ink_for_its_colour(weight: float) -> None:
    ax = plot_heatmap([[weight]], ["a"], ["b"])
    assert ax.texts[0].get_color() == style.ink_on(weight)


def test_bools_and_tensors_are_weights_too() -> None:
    mask = torch.ones(3, 3, dtype=torch.bool).tril()
    assert (cells(plot_heatmap(mask, words(3), words(3))) == np.tri(3)).all()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros((4, 2, 3)), r"shape \(4, 2, 3\).*choose one, as weights\[head\]"),
        (np.zeros(3), r"shape \(3,\)"),
        (np.zeros((3, 2)), r"shape \(3, 2\) for 2 queries and 3 keys: pass one query"),
        (np.array([[0.5, 0.5, 0], [0, np.nan, 0]]), "1 of 6 do not.*'word1' reads 'key1', is nan"),
        (np.array([[np.inf, 0, 0], [0, 0, 0]]), "is inf"),
        (np.array([[1, 0, 0], [-0.5, 0, 0]]), "'word1' reads 'key0', is -0.5.*softmax"),
        (np.array([[3.0, 0, 0], [0, 0, 0]]), "between 0 and 1.*is 3"),
    ],
)
def test_what_is_no_attention_of_these_words_is_refused(
    weights: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plot_heatmap(weights, words(2), ["key0", "key1", "key2"])
    assert not plt.get_fignums(), "nothing is opened for it"


def test_no_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        plot_heatmap(np.zeros((0, 2)), [], words(2))


def test_hostile_tokens_and_titles_are_text() -> None:
    count = len(HOSTILE)
    title = r"$\frac{broken$ $x$"
    ax = plot_heatmap(random_weights(count, count), HOSTILE, HOSTILE, title=title)
    drawn(ax.figure)
    assert tick_texts(ax)[1] == [style.literal(token) for token in HOSTILE]
    assert ax.get_title("left") == title


def test_a_head_of_a_trace_tells_what_is_hidden() -> None:
    side = Side(["[CLS]", "dog", "cow"], [True, False, False])
    weights = torch.tensor([[[1, 0, 0], [0.5, 0.2, 0.3], [0.25, 0.5, 0.25]]])
    layers: dict[str, dict[int, Layer]] = {"encoder": {0: WeighedLayer("encoder", weights)}}
    seen = Trace(side, Side(), [], layers, {"encoder": 1})
    ax = plot_attention(seen.hide(), layer=0, head=0)
    title, hidden = (ax.get_title(loc="left") or ax.get_title()).split("\n")
    assert title == "Encoder self-attention, layer 0, head 0"
    assert hidden == "38% of the attention goes to hidden tokens"  # (0.5 + 0.25) / 2
    assert [label.get_text() for label in ax.get_xticklabels()] == ["dog", "cow"]
    assert "\n" not in plot_attention(seen, layer=0, head=0).get_title()
