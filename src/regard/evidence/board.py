"""The scoreboard: what the best head finds, beside what finds as much without having learnt it."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regard.evidence.answers import GROUP, Answers
from regard.evidence.intervals import holm, share_interval, sign_flip_test
from regard.record.door import described, whole_number

Rows = NDArray[np.intp]
Group = tuple[str, str, str]  # name, kind and direction


def scoreboard(
    answers: Answers,
    *,
    untrained: Answers | None = None,
    shuffled: Answers | None = None,
    level: float = 0.95,
    least: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Choose the best head for each reading on one half of the sentences, and count on the other.

    Parameters
    ----------
    answers
        From `collect_answers`, of a model.
    untrained
        The answers of a model of the same shape with random weights, to the same gold readings.
    shuffled
        The model's own answers where the words of each sentence are in random order, and the gold
        readings moved with them.
    level
        Of the intervals; and 1 - level is how often there may be any finding where there is nothing
        to find.
    least
        Readings of which either half has fewer are left out.
    seed
        Of the halves, and of what is drawn.

    Returns
    -------
    pandas.DataFrame
        A reading and direction a row, the surest first:

        - `name`, `kind`, `direction`; `layer` and `head` of the head that is right most often on
          the half that chooses, and `chosen_share`, its share there;
        - on the half that counts, `share`, `low` and `high`, its interval, `weight`, what the
          reading word gives the word that is read, on average, `count` of readings and `sentences`
          that have any;
        - `offset` and `offset_share`: the fixed offset that is right most often on the half that
          chooses, and its share on the other;
        - `untrained_share`: the same for the untrained model's own best head;
        - `shuffled_share`: of the chosen head, with shuffled words;
        - `p_value`: how often chance alone would let the head be as far ahead of the offset, and of
          the untrained model, whichever is better, adjusted for the number of rows;
        - `finding`: is the p-value below 1 - level?

    Raises
    ------
    ValueError
        If no reading comes often enough, or the answers of the untrained or shuffled model are not
        to the same sentences.

    Notes
    -----
    The table and the offset are those of Clark et al. (2019), *What does BERT look at?*, table 1,
    who choose and count on the same sentences. The interval resamples sentences
    (`regard.evidence.intervals.share_interval`); the p-values are Holm's, of sign-flip tests.

    Examples
    --------
    >>> from regard.evidence.answers import collect_answers
    >>> from regard.record.trace import Trace
    >>> seen = Trace.from_weights([[0.0, 1.0], [1.0, 0.0]])
    >>> answers = collect_answers([seen] * 60, [[("next", "encoder", 0, 1)]] * 60)
    >>> scoreboard(answers)[["direction", "share", "offset", "offset_share", "finding"]]
        direction  share  offset  offset_share  finding
    0       reads    1.0       1           1.0    False
    1  is read by    1.0       1           1.0    False
    """
    _check_asked(answers, {"untrained": untrained, "shuffled": shuffled}, level, least, seed)
    chooses = choosing_half(answers.num_sentences, seed)
    rows = []
    for group, at in answers.groups().items():
        halves = _halves(answers, at, chooses)
        if min(map(len, halves)) >= least:
            rows.append(_row(group, halves, answers, untrained, level=level, seed=seed))
    if not rows:
        raise ValueError(
            f"No reading comes {least} times in both halves of the {answers.num_sentences} "
            "sentences: take more sentences, or a smaller `least`."
        )
    table = pd.DataFrame({column: [row.cells[column] for row in rows] for column in rows[0].cells})
    if shuffled is not None:
        table["shuffled_share"] = _shuffled_shares(table, shuffled, chooses)
    table["p_value"] = holm(_p_values(rows, seed))
    table["finding"] = table["p_value"] < 1 - level
    return table.sort_values(
        ["finding", "share"], ascending=False, kind="stable", ignore_index=True
    )


def _check_asked(answers: Any, others: dict[str, Any], level: Any, least: Any, seed: Any) -> None:
    if not isinstance(answers, Answers):
        raise TypeError(
            f"The answers of collect_answers(traces, gold) are expected, but got "
            f"{described(answers)}."
        )
    check_chances(level, least, seed)
    for name, other in others.items():
        if not isinstance(other, Answers | None):
            raise TypeError(
                f"{name} are answers of collect_answers(traces, gold), but got {described(other)}."
            )
        if other is not None and other.num_sentences != answers.num_sentences:
            raise ValueError(
                f"The {name} model answered to {other.num_sentences} sentences, but the model to "
                f"{answers.num_sentences}: collect both on the same sentences, in one order."
            )


def check_chances(level: Any, least: Any, seed: Any) -> None:
    """Raise where a level is no share, a half has no least number, or a seed is none."""
    if not isinstance(level, int | float) or not 0 < level < 1:
        raise ValueError(f"A level lies between 0 and 1, such as 0.95, but got {described(level)}.")
    whole_number("seed", seed)
    if whole_number("least", least) < 1:
        raise ValueError(f"A reading comes at least once in a half, but got least={least}.")


class _Row(NamedTuple):
    """A row of the table, and in each sentence how far the head is ahead of each baseline."""

    cells: dict[str, object]
    ahead: NDArray[np.float64]  # (sentences, baselines)


def choosing_half(num_sentences: int, seed: int) -> NDArray[np.bool_]:
    """Say for each sentence whether it is of the half that chooses."""
    return np.random.default_rng(seed).permutation(num_sentences) < num_sentences // 2


def _halves(answers: Answers, at: Rows, chooses: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Part rows into those that choose, and those that count."""
    of_first = chooses[answers.readings["sentence"].to_numpy()[at]]
    return at[of_first], at[~of_first]


def _row(
    group: Group,
    halves: tuple[Rows, Rows],
    answers: Answers,
    untrained: Answers | None,
    *,
    level: float,
    seed: int,
) -> _Row:
    best, chosen_share, right = _best_head(answers, group[1], halves)
    layer, head = answers.heads[group[1]][best]
    sentences = answers.readings["sentence"].to_numpy()[halves[1]]
    hits, counts = (np.bincount(sentences, weights) for weights in (right, np.ones(len(right))))
    low, high = share_interval(hits, counts, level=level, seed=seed)
    offset, by_offset = _best_offset(answers, halves)
    cells = dict(zip(GROUP, group, strict=True)) | {
        "layer": layer,
        "head": head,
        "chosen_share": chosen_share,
        "share": right.mean(),
        "low": low,
        "high": high,
        "weight": answers.weights(halves[1], group[1])[:, best].mean(),
        "count": len(right),
        "sentences": int((counts > 0).sum()),
        "offset": offset,
        "offset_share": by_offset.mean(),
    }
    baselines = [by_offset]
    if untrained is not None:
        _check_same(answers, untrained)
        _, _, by_twin = _best_head(untrained, group[1], halves)
        cells["untrained_share"] = by_twin.mean()
        baselines.append(by_twin)
    differences = [right.astype(float) - baseline for baseline in baselines]
    width = answers.num_sentences
    ahead = [np.bincount(sentences, difference, minlength=width) for difference in differences]
    return _Row(cells, np.stack(ahead, axis=1))


def _best_head(
    answers: Answers, kind: str, halves: tuple[Rows, Rows]
) -> tuple[int, float, NDArray[np.bool_]]:
    """Choose a head, and give its share where it was chosen and its answers on the other half."""
    shares = answers.right(halves[0], kind).mean(axis=0)
    best = int(shares.argmax())
    return best, float(shares[best]), answers.right(halves[1], kind)[:, best]


def _best_offset(answers: Answers, halves: tuple[Rows, Rows]) -> tuple[int, NDArray[np.bool_]]:
    offsets = answers.readings["offset"].to_numpy()
    values, counts = np.unique(offsets[halves[0]], return_counts=True)
    best = int(values[counts.argmax()])
    return best, offsets[halves[1]] == best


def _check_same(answers: Answers, untrained: Answers) -> None:
    if not answers.readings.equals(untrained.readings):
        raise ValueError(
            "The untrained model answered to other gold readings than the model: collect both with "
            "the same `gold`."
        )


def _shuffled_shares(
    table: pd.DataFrame, shuffled: Answers, chooses: NDArray[np.bool_]
) -> list[float]:
    """Give the share of each chosen head with shuffled words, on the half that counts."""
    groups = shuffled.groups()
    shares = []
    for name, kind, direction, layer, head in table[[*GROUP, "layer", "head"]].to_numpy():
        at = groups.get((name, kind, direction), np.array([], dtype=np.intp))
        _, counted = _halves(shuffled, at, chooses)
        right = shuffled.right(counted, kind)[:, shuffled.heads[kind].index((layer, head))]
        shares.append(float(right.mean()) if len(counted) else np.nan)
    return shares


def _p_values(rows: list[_Row], seed: int) -> NDArray[np.float64]:
    """Test each head against every baseline; of its p-values, the largest counts."""
    ahead = np.stack([row.ahead for row in rows], axis=1)  # (sentences, rows, baselines)
    tested = sign_flip_test(ahead.reshape(len(ahead), -1), seed=seed)
    return tested.reshape(ahead.shape[1:]).max(axis=-1)
