import matplotlib.pyplot as plt
import pytest

from regard.pictures.heads import plot_heads
from tests.pictures.drawing import cells, drawn, random_weights, words


def test_every_head_has_its_panel() -> None:
    weights = random_weights(4, 3, 5)
    panels = plot_heads(weights, words(3), words(5))
    assert [ax.get_title("left") for ax in panels] == ["head 0", "head 1", "head 2", "head 3"]
    for ax, head in zip(panels, weights, strict=True):
        assert (cells(ax) == head).all()
        assert ax.collections[0].get_clim() == (0, 1)
        assert ax.get_ylim() == (3, 0), "the first query is the top row"
    figure = drawn(panels[0].figure)
    assert len(figure.axes) == 4 + 1, "one colour bar for all"
    assert figure.get_supxlabel() == "the token that is read (key)"
    assert figure.get_supylabel() == "the token that reads (query)"


@pytest.mark.parametrize(
    ("count", "named_below", "named_beside"),
    [(1, {0}, {0}), (2, {0, 1}, {0}), (3, {1, 2}, {0, 2}), (4, {2, 3}, {0, 2})],
)
def test_words_stand_once_beside_each_row_and_below_each_column(
    count: int, named_below: set[int], named_beside: set[int]
) -> None:
    panels = plot_heads(random_weights(count, 3, 3), words(3), words(3))
    assert len(drawn(panels[0].figure).axes) == count + 1, "the panels and the colour bar"
    below = [any(t.label1.get_visible() for t in ax.xaxis.get_major_ticks()) for ax in panels]
    beside = [any(t.label1.get_visible() for t in ax.yaxis.get_major_ticks()) for ax in panels]
    assert {i for i, named in enumerate(below) if named} == named_below
    assert {i for i, named in enumerate(beside) if named} == named_beside


def test_heads_are_drawn_on_given_axes_under_given_titles() -> None:
    axes = plt.subplots(1, 2)[1]
    titles = ["layer 0", r"$\frac{broken$"]
    panels = plot_heads(random_weights(2, 3, 3), words(3), words(3), titles=titles, axes=axes)
    assert list(panels) == list(axes)
    assert [ax.get_title("left") for ax in panels] == titles
    drawn(panels[0].figure)


def test_heads_titles_and_axes_must_be_as_many() -> None:
    weights = random_weights(2, 3, 3)
    with pytest.raises(ValueError, match="2 heads, 1 titles"):
        plot_heads(weights, words(3), words(3), titles=["one"])
    with pytest.raises(ValueError, match="2 heads, 2 titles and 1 axes"):
        plot_heads(weights, words(3), words(3), axes=plt.subplots()[1])
    with pytest.raises(ValueError, match=r"shape \(3, 3\).*for one head use plot_heatmap"):
        plot_heads(weights[0], words(3), words(3))
