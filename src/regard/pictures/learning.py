"""What a training came to: loss, and shares of held-out sentences."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from regard.pictures.axes import PERCENT, panel_below
from regard.pictures.style import (
    BLUE,
    CATEGORICAL,
    MARKERS,
)

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
    ValueError
        If the history has no steps, or lacks a column.

    Examples
    --------
    >>> ax = plot_loss(pd.DataFrame({"step": [1, 2, 3], "loss": [5.0, 3.0, 2.5]}))
    >>> ax.get_ylabel()
    'training loss'
    """
    if history.empty or not {"step", "loss"} <= set(history.columns):
        raise ValueError(
            f"A history has columns step and loss and at least one row, but this one has "
            f"{list(history.columns)} and {len(history)} rows: pass what train_model returned."
        )
    ax = ax or plt.subplots(figsize=(7, 4.2), layout="constrained")[1]
    window = max(1, len(history) // 50)
    smooth = history["loss"].rolling(window, center=True, min_periods=1).mean()
    ax.plot(history["step"], history["loss"], color=BLUE, alpha=0.3, lw=0.7, label="each step")
    ax.plot(history["step"], smooth, color=BLUE, label=f"mean of {window} steps")
    ax.legend(loc="best")
    ax.set_ylabel("training loss")
    ax.set_ylim(bottom=0)
    measured = [name for name in HELD_OUT if name in history.columns]
    if measured:
        plot_held_out(history.set_index("step")[measured], panel_below(ax))
    else:
        ax.set_xlabel("training step")
    return ax


def plot_held_out(shares: pd.DataFrame, ax: Axes) -> None:
    """Draw a dot for each share that was measured; the index says at which step."""
    for name, colour, marker in zip(shares, CATEGORICAL[1:], MARKERS, strict=False):
        share = shares[name].dropna()
        ax.plot(share, color=colour, marker=marker, markersize=4, label=HELD_OUT[str(name)])
    ax.set_ylim(-0.04, 1.04)
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set(xlabel="training step", ylabel="held-out sentences")
    ax.legend(loc="best")
