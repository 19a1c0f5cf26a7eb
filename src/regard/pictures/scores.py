"""Tables of shares: how often attention finds a word, and what it is worth that it may."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from regard.pictures.axes import PERCENT, legend_above, mark_level, new_axes, per_cent
from regard.pictures.given import check_shares, given_axes
from regard.pictures.style import CATEGORICAL, FAINT, MARKERS, PAPER, literal
from regard.record.door import number, text


def plot_scoreboard(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how often attention finds the gold word: a row a relation, a mark for each column.

    Parameters
    ----------
    table
        Shares from 0 to 1; the index names the relations, the columns what is compared, the one in
        question first and its baselines after it. NaN where there is none.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If it is no table of numbers, or `ax` no Axes.
    ValueError
        If the table is empty or has values that are no shares.

    Examples
    --------
    >>> shares = {"trained, best head": [0.98, 1.0], "best fixed offset": [0.23, 0.7]}
    >>> ax = plot_scoreboard(pd.DataFrame(shares, index=["pronoun-antecedent", "verb-subject"]))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['pronoun-antecedent', 'verb-subject']
    """
    check_shares(table)
    rows = np.arange(len(table))
    ax = given_axes(ax) or new_axes(7, 0.6 * len(table) + 1.1)
    ax.hlines(rows, 0, 1, color=FAINT, linewidth=1, zorder=0)
    for i, name in enumerate(table):
        ax.plot(
            table[name],
            rows + 0.18 * (i - (table.shape[1] - 1) / 2),  # so that no mark hides another
            linestyle="none",
            marker=MARKERS[i % len(MARKERS)],
            markersize=8 if i == 0 else 6,
            color=CATEGORICAL[i % len(CATEGORICAL)],
            label=literal(str(name)),
            clip_on=False,
            zorder=3,
        )
    ax.set_yticks(rows, [literal(str(name)) for name in table.index])
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PERCENT)
    ax.set_xlabel("readings whose gold word is read more than any other")
    legend_above(ax)
    return ax


def plot_knockout(
    table: pd.DataFrame,
    *,
    chance: float = 0.5,
    known: str = "chance",
    ax: Axes | None = None,
) -> Axes:
    """Draw how often the pronoun is right when it may not read a word: groups of bars.

    Parameters
    ----------
    table
        Shares from 0 to 1; the index says what may not be read, the columns name the models.
    chance, known
        What guessing gives, and what is known who guesses so; it is marked.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If it is no table of numbers, `chance` no number, or `ax` no Axes.
    ValueError
        If the table is empty or has values that are no shares.

    Examples
    --------
    >>> table = pd.DataFrame({"guided": [1.0, 0.56]}, index=["nothing", "its antecedent"])
    >>> [text.get_text() for text in plot_knockout(table).texts]
    ['100 %', '56 %', 'chance, 50 %']
    """
    check_shares(table)
    chance = number("chance", chance)
    ax = given_axes(ax) or new_axes(7, 3.4)
    groups = np.arange(len(table))
    width = 0.8 / table.shape[1]
    for i, name in enumerate(table):
        place = groups + (i - (table.shape[1] - 1) / 2) * width
        colour = CATEGORICAL[i % len(CATEGORICAL)]
        bars = ax.bar(place, table[name], 0.92 * width, color=colour, label=literal(str(name)))
        ground = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5}  # over the line
        ax.bar_label(bars, [per_cent(share) for share in table[name]], padding=2, bbox=ground)
    mark_level(ax, chance, f"{text('known', known)}, {per_cent(chance)}")
    ax.set_xticks(groups, [literal(str(name)) for name in table.index])
    ax.set_ylim(0, 1.1)
    ax.set_yticks(np.linspace(0, 1, 5))
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set(xlabel="what the pronoun may not read", ylabel="pronouns right")
    legend_above(ax)
    return ax
