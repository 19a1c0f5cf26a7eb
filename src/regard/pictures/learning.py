"""How a model learned: its training loss and what was measured on held-out sentences."""

import pandas as pd
from matplotlib.axes import Axes

from regard.pictures.axes import PERCENT, new_axes
from regard.pictures.given import given_axes, numbers, table_of
from regard.pictures.style import BLUE, CATEGORICAL, MARKERS

HELD_OUT = {"exact": "whole sentence right", "pronoun": "pronoun right"}


def plot_loss(history: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how the training loss fell and, below, what was measured on held-out sentences.

    Parameters
    ----------
    history
        What `regard.train_model` returns: columns `step` and `loss`, and any of `exact` and
        `pronoun`, shares of held-out sentences, where they were measured.
    ax
        Where to draw; a new figure, if not given. Its lower part becomes a panel of its own if
        something was measured.

    Returns
    -------
    matplotlib.axes.Axes
        The panel of the loss.

    Raises
    ------
    TypeError
        If the history is no table of numbers, or `ax` no Axes.
    ValueError
        If the history has no steps, or lacks a column.

    Examples
    --------
    >>> ax = plot_loss(pd.DataFrame({"step": [1, 2, 3], "loss": [5.0, 3.0, 2.5]}))
    >>> ax.get_ylabel()
    'training loss'
    """
    measured = check_history(history)
    ax = given_axes(ax) or new_axes(7, 4.2)
    window = max(1, len(history) // 50)
    smooth = history["loss"].rolling(window, center=True, min_periods=1).mean()
    ax.plot(history["step"], history["loss"], color=BLUE, alpha=0.3, lw=0.7, label="each step")
    ax.plot(history["step"], smooth, color=BLUE, label=f"mean of {window} steps")
    ax.legend(loc="best")
    ax.set_ylabel("training loss")
    ax.set_ylim(bottom=0)
    if measured:
        plot_held_out(history.set_index("step")[measured], panel_below(ax))
    else:
        ax.set_xlabel("training step")
    return ax


def check_history(history: pd.DataFrame) -> list[str]:
    """Say what was measured on held-out sentences, or raise where this is no history."""
    table = table_of("A history", history)
    if table.empty or not {"step", "loss"} <= set(table.columns):
        raise ValueError(
            f"A history has columns step and loss and at least one row, but this one has "
            f"{list(table.columns)} and {len(table)} rows: pass what train_model returned."
        )
    measured = [name for name in HELD_OUT if name in table.columns]
    numbers("The columns of a history", table[["step", "loss", *measured]])
    return measured


def panel_below(ax: Axes) -> Axes:
    """Cut a panel that shares the x-axis off the lower part of an Axes."""
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError("ax stands in no grid: make it with plt.subplots, or leave it out.")
    parts = place.subgridspec(2, 1, height_ratios=(3, 2))
    ax.set_subplotspec(parts[0])
    ax.tick_params(labelbottom=False)
    return ax.figure.add_subplot(parts[1], sharex=ax)


def plot_held_out(shares: pd.DataFrame, ax: Axes) -> None:
    """Draw a dot for each share that was measured; the index says at which step."""
    for name, colour, marker in zip(shares, CATEGORICAL[1:], MARKERS, strict=False):
        share = shares[name].dropna()
        ax.plot(share, color=colour, marker=marker, markersize=4, label=HELD_OUT[str(name)])
    ax.set_ylim(-0.04, 1.04)
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set(xlabel="training step", ylabel="held-out sentences")
    ax.legend(loc="best")
