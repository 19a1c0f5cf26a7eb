import numpy as np

from regard.pictures.difference import plot_difference
from regard.record.trace import Trace
from tests.pictures.drawing import cells, random_weights, tick_texts

FIRST = ["it", "was", "too", "tired", "."]
SECOND = ["it", "was", "too", "wide", "."]


def test_more_in_the_second_is_blue_and_says_so() -> None:
    first = Trace.from_weights(random_weights(1, 5, 5, seed=0), FIRST)
    second = Trace.from_weights(random_weights(1, 5, 5, seed=1), SECOND)
    ax = plot_difference(first, second, 0, 0)
    expected = second.weights(0, 0) - first.weights(0, 0)
    np.testing.assert_allclose(cells(ax), expected, atol=1e-6)
    ax.figure.canvas.draw()
    colours = np.asarray(ax.collections[0].get_facecolor())
    red, _, blue, _ = colours[expected.argmax()]
    assert blue > red
    assert "tired / wide" in tick_texts(ax)[1]
    bar = ax.collections[0].colorbar
    assert bar
    assert "second" in bar.ax.get_ylabel()


def test_tokens_and_kinds_in_the_picture_are_no_formulas() -> None:
    first, second = (
        Trace.from_weights(random_weights(1, 2, 2, seed=seed), ["$x", r"\frac{$"], kind=r"$\frac{$")
        for seed in (0, 1)
    )
    plot_difference(first, second, 0, 0).figure.canvas.draw()  # raises where one is read into it
