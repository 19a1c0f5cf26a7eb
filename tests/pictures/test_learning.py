import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from regard.pictures.learning import plot_loss
from tests.pictures.drawing import drawn, points, tick_texts


def history(steps: int = 200, **measured: float) -> pd.DataFrame:
    step = np.arange(1, steps + 1)
    table = pd.DataFrame({"step": step, "epoch": 1, "loss": 5.0 - step / steps})
    for name, value in measured.items():
        table.loc[[steps // 2 - 1, steps - 1], name] = [value / 2, value]
    return table


def test_the_loss_is_drawn_raw_and_smooth() -> None:
    run = history()
    ax = plot_loss(run)
    raw, smooth = ax.lines
    assert points(raw) == run[["step", "loss"]].to_numpy().tolist()
    assert np.asarray(smooth.get_ydata())[100] == pytest.approx(
        run["loss"][99:103].mean(), abs=0.01
    )
    assert ax.get_xlabel() == "training step"
    assert isinstance(ax.figure, Figure)
    assert ax.figure.axes == [ax]


def test_held_out_shares_are_dots_where_they_were_measured() -> None:
    ax = plot_loss(history(exact=0.9, pronoun=0.6))
    assert isinstance(ax.figure, Figure)
    _, below = ax.figure.axes
    assert [line.get_label() for line in below.lines] == ["whole sentence right", "pronoun right"]
    assert [points(line) for line in below.lines] == [
        [[100, 0.45], [200, 0.9]],
        [[100, 0.3], [200, 0.6]],
    ]
    drawn(ax.figure)
    assert ax.get_position().y0 > below.get_position().y1, "below, and not over it"
    assert ax.get_xlim() == below.get_xlim()
    assert "100 %" in tick_texts(below)[1]


def test_one_step_is_a_history() -> None:
    drawn(plot_loss(history(steps=2)[:1]).figure)


def test_the_loss_stays_in_its_place_in_a_grid() -> None:
    figure, (left, right) = plt.subplots(1, 2)
    assert plot_loss(history(exact=1.0), ax=left) is left
    drawn(figure)
    below = figure.axes[2]
    assert below.get_position().x1 < right.get_position().x0


def test_what_is_no_history_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\['steps'\] and 1 rows: pass what train_model returned"):
        plot_loss(pd.DataFrame({"steps": [1]}))
    with pytest.raises(ValueError, match="0 rows"):
        plot_loss(history()[:0])
    with pytest.raises(ValueError, match=r"make it with plt\.subplots"):
        plot_loss(history(exact=1.0), ax=plt.figure().add_axes((0, 0, 1, 1)))
