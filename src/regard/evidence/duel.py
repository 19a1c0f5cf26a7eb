"""Two models on the same sentences, and whose best head is right more often."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median_high, median_low
from typing import Any

import numpy as np
import pandas as pd

from regard.evidence.answers import GROUP, Answers
from regard.evidence.board import check_answers, check_chances, comes_often, ways_of
from regard.evidence.contest import Contest, Counted, contests, counted, over_splits
from regard.evidence.intervals import holm, lead_interval, lead_test
from regard.evidence.splits import Split, units_of


def compare_answers(
    answers: Answers,
    other: Answers,
    *,
    documents: Sequence[Any] | None = None,
    splits: int = 1,
    choose_on: Iterable[int] | None = None,
    level: float = 0.95,
    least: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare the best heads of two models, sentence by sentence.

    Parameters
    ----------
    answers, other
        From `collect_answers`, of two models, to the same gold readings.
    documents, splits, choose_on, level, least, seed
        As for `scoreboard`.

    Returns
    -------
    pandas.DataFrame
        A reading and direction a row, the largest leads first:

        - `name`, `kind`, `direction`; `layer` and `head` of the one model's best head, and `share`;
          `other_layer`, `other_head` and `other_share`, each chosen and counted as by `scoreboard`;
        - `lead`, `lead_low` and `lead_high`: how much more often the one is right, and the interval
          of that;
        - `count` of readings; `p_value`: how often chance alone would set them as far apart, either
          way, adjusted for the number of rows;
        - `finding`: is it below 1 - level?

    Raises
    ------
    TypeError, ValueError
        As `scoreboard`.

    Notes
    -----
    The intervals and tests are those of `regard.evidence.intervals`, of both sides.

    Examples
    --------
    >>> from regard.evidence.answers import collect_answers
    >>> from regard.record.trace import Trace
    >>> gold = [[("next", "encoder", 0, 1), ("next", "encoder", 1, 2)]] * 60
    >>> knows, guesses = np.eye(3).repeat(2, axis=0)[[2, 4, 0]], np.eye(3)[[2, 0, 0]]
    >>> pair = (collect_answers([Trace.from_weights(of)] * 60, gold) for of in (knows, guesses))
    >>> compare_answers(*pair)[["direction", "share", "other_share", "finding"]].head(1)
      direction  share  other_share  finding
    0     reads    1.0          0.0     True
    """
    check_answers(answers, {"other": other})
    check_answers(other, {})
    check_chances(level, least, seed)
    if not answers.readings.equals(other.readings):
        raise ValueError(
            "The models answered to different gold readings: collect the answers of both with the "
            "same `gold`."
        )
    units = units_of(documents, answers.num_sentences)
    ways = ways_of(units, splits=splits, choose_on=choose_on, seed=seed)
    asked = contests(answers, units, untrained=other)
    rows = [
        _compared(contest, other, ways, level=level)
        for contest in asked
        if comes_often(contest, ways, least)
    ]
    if not rows:
        raise ValueError(
            f"No reading comes {least} times in both halves of the {answers.num_sentences} "
            "sentences: take more sentences, or a smaller `least`."
        )
    table = pd.DataFrame(rows)
    table["p_value"] = holm(table["p_value"].to_numpy())
    table["finding"] = table["p_value"] < 1 - level
    return table.sort_values("lead", ascending=False, kind="stable", ignore_index=True)


def _compared(
    contest: Contest, other: Answers, splits: Sequence[Split], *, level: float
) -> dict[str, object]:
    ways = [counted(contest, split) for split in splits]
    total = sum(way.counts.sum() for way in ways)
    own, others = (
        sum(float(of.sum()) for of in each) for each in zip(*map(_hits, ways), strict=True)
    )
    at, other_at = (
        Counter(getattr(way, of) for way in ways).most_common(1)[0][0] for of in ("head", "rival")
    )
    of_lead = level if len(ways) == 1 else (1 + level) / 2  # as p-values are doubled
    ahead = [hits - by for hits, by in map(_hits, ways)]
    bounds = [
        lead_interval(lead, way.counts, level=of_lead)
        for lead, way in zip(ahead, ways, strict=True)
    ]
    p_values = [
        min(1.0, 2 * lead_test(np.stack([lead, -lead], axis=1), way.counts).min())
        for lead, way in zip(ahead, ways, strict=True)
    ]
    places, other_places = contest.places, other.heads[contest.group[1]]
    return dict(zip(GROUP, contest.group, strict=True)) | {
        "layer": places[at][0],
        "head": places[at][1],
        "share": own / total,
        "other_layer": other_places[other_at][0],
        "other_head": other_places[other_at][1],
        "other_share": others / total,
        "lead": (own - others) / total,
        "lead_low": median_low(low for low, _ in bounds),
        "lead_high": median_high(high for _, high in bounds),
        "count": round(total / (len(ways) / 2 if len(ways) > 1 else 1)),
        "p_value": over_splits(p_values),
    }


def _hits(way: Counted) -> tuple[Any, Any]:
    """Give the hits of both models in each unit."""
    return way.hits, way.by["untrained"]
