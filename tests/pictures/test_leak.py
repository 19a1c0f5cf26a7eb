import numpy as np
import pytest
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from regard.pictures.leak import plot_leak
from tests.pictures.drawing import cells, drawn, words


def test_a_sound_decoder_has_no_leak() -> None:
    ax = plot_leak(np.tri(4), words(4))
    assert ax.get_title("left") == "No output moves when a later token is changed"
    assert np.nan_to_num(cells(ax)).tolist() == np.tri(4).tolist()
    assert np.isnan(cells(ax, mesh=1)).all()
    assert ax.get_xlabel() == "the token that is changed"
    assert ax.get_ylabel() == "the output at this token"


def test_a_leak_lights_up_where_it_is() -> None:
    moved = np.tri(4)
    moved[0, 2], moved[1, 3], moved[2, 3] = 0.001, 0.5, 1e-7  # the last is rounding
    ax = plot_leak(moved, words(4))
    leaks = cells(ax, mesh=1)
    assert np.argwhere(~np.isnan(leaks)).tolist() == [[0, 2], [1, 3]]
    assert ax.get_title("left").startswith("LEAK: 2 of 6 times")
    mesh = ax.collections[1]
    drawn(ax.figure)
    shown = np.asarray(mesh.get_facecolor()).reshape(4, 4, 4)
    red, green, blue, opacity = shown[0, 2]
    assert opacity == 1
    assert red > green > blue, "orange, however little it moves"
    assert (shown[np.isnan(leaks)][:, 3] == 0).all()


def test_what_is_hatched_is_the_future() -> None:
    ax = plot_leak(np.tri(5), words(5))
    hatched, edge = (patch for patch in ax.patches if isinstance(patch, Polygon))
    assert hatched.get_hatch()
    assert not edge.get_hatch()
    for patch in (hatched, edge):
        inside = [
            [patch.get_path().contains_point((column + 0.5, row + 0.5)) for column in range(5)]
            for row in range(5)
        ]
        assert (np.array(inside) == ~np.tri(5, dtype=bool)).all()


@pytest.mark.parametrize(
    ("moved", "message"),
    [
        (np.zeros((2, 3)), r"shape \(2, 3\) for 3 tokens"),
        (np.full((3, 3), np.nan), "finite and at least 0"),
        (np.full((3, 3), np.inf), "finite and at least 0"),
        (np.full((3, 3), -1.0), "finite and at least 0"),
    ],
)
def test_what_are_no_moves_is_refused(moved: NDArray[np.float64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot_leak(moved, words(3))


def test_a_title_stands_above_the_finding() -> None:
    lines = plot_leak(np.ones((2, 2)), words(2), title="$no$ mask").get_title("left").split("\n")
    assert lines == ["$no$ mask", "LEAK: 1 of 1 times, a later token moves an output"]


def test_nothing_moves_in_one_token() -> None:
    drawn(plot_leak([[0.0]], ["<s>"]).figure)
