"""The scoreboard: what the best head finds, beside what finds as much without having learnt it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from regard.evidence.answers import Answers, Place
from regard.evidence.contest import FIXED_OFFSET, Contest, Outcome, contests, outcome, over_splits
from regard.evidence.intervals import holm
from regard.evidence.rules import Rule, rule_answers
from regard.evidence.splits import Split, Units, all_of, split_by, splits_in_halves, units_of
from regard.record.door import described, whole_number


def scoreboard(
    answers: Answers,
    *,
    rules: Mapping[str, Rule] | None = None,
    sentences: Sequence[Any] | None = None,
    untrained: Answers | None = None,
    shuffled: Answers | None = None,
    documents: Sequence[Any] | None = None,
    splits: int = 1,
    choose_on: Iterable[int] | None = None,
    heads: Mapping[str, Place] | None = None,
    level: float = 0.95,
    least: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Choose the best head for each reading on one half of the sentences, and count on the other.

    Parameters
    ----------
    answers
        From `collect_answers`, of a model.
    rules
        By name, callables that take a sentence and the position of the word that is asked about,
        and give a position or None, such as `regard.evidence.rules.rules_of(sentences)`. Fixed
        offsets are always among the rules; the strongest is chosen where heads are.
    sentences
        What the rules take, for each sentence.
    untrained
        The answers of a model of the same shape with random weights, to the same gold readings.
    shuffled
        The model's own answers where the words of each sentence are in random order, and the gold
        readings moved with them.
    documents
        For each sentence, the name of its document, None where it has none: sentences of a document
        are halved, drawn and tested as one. Without, each sentence is for itself.
    splits
        How many times to halve. Of one, one half chooses; of more, each half for the other, and
        the table has the means.
    choose_on
        The numbers of the sentences that choose, such as those of another file; the rest count.
    heads
        By name of a reading, the (layer, head) in question: none is chosen, all sentences count.
    level
        Of the intervals; and 1 - level is how often there may be any finding where there is nothing
        to find.
    least
        Readings that come less often where heads are chosen, or are counted, are left out.
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
        - `rule`, `rule_share`: the rule that is right most often on the half that chooses, which
          may be the offset, and its share on the other; `wrong`, how many it has wrong there, and
          `share_where_wrong`, the head's share of these;
        - `lead`, `lead_low` and `lead_high`: how much more often the head is right than the rule,
          and its interval, of both compared sentence by sentence, or document by document;
        - `p_value`: how often chance alone would let the head be as far ahead of each of the rule,
          the offset, the untrained model and its own answers to shuffled words, adjusted for the
          number of rows;
        - `claim`: "more than " and the rule, if the p-value is below 1 - level; "more than a fixed
          offset", if it would be without the rule; else nothing. `finding`: is it the former?

        Of several splits, `layer`, `head`, `offset` and `rule` are those that were chosen most
        often, `agreed` how often that head was, `share_least` and `share_most` the least and
        largest share of any split, and `attrs["findings_by_split"]` how many findings each split
        alone would give.

    Raises
    ------
    TypeError
        If answers or rules are of another type.
    ValueError
        If no reading comes often enough; the answers of the untrained or shuffled model are not to
        the same sentences; there are rules without sentences; or there is not one document, or one
        sentence, for each sentence.

    Notes
    -----
    The table and the offset are those of Clark et al. (2019), *What does BERT look at?*, table 1,
    who choose and count on the same sentences. The intervals and tests are those of
    `regard.evidence.intervals`; the p-values are Holm's. Of several splits, a p-value is twice the
    median (Meinshausen et al. 2009), and `lead_low` and `lead_high` are the medians of intervals
    that miss half as often.

    Examples
    --------
    >>> from regard.evidence.answers import collect_answers
    >>> from regard.record.trace import Trace
    >>> seen = Trace.from_weights([[0.0, 1.0], [1.0, 0.0]])
    >>> answers = collect_answers([seen] * 60, [[("next", "encoder", 0, 1)]] * 60)
    >>> scoreboard(answers)[["direction", "share", "rule", "rule_share", "finding"]]
        direction  share            rule  rule_share  finding
    0       reads    1.0  a fixed offset         1.0    False
    1  is read by    1.0  a fixed offset         1.0    False
    """
    check_answers(answers, {"untrained": untrained, "shuffled": shuffled})
    check_chances(level, least, seed)
    units = units_of(documents, answers.num_sentences)
    ways = ways_of(units, splits=splits, choose_on=choose_on, seed=seed)
    if heads is not None:
        ways = [all_of(answers.num_sentences)]
    asked = contests(
        answers,
        units,
        rules=_by_rules({} if rules is None else rules, sentences, answers),
        rule_names=[] if rules is None else list(rules),
        untrained=untrained,
        shuffled=shuffled,
        heads=None if heads is None else _checked_heads(heads, answers),
    )
    rows = [
        outcome(contest, ways, level=level, seed=seed)
        for contest in asked
        if comes_often(contest, ways, least)
    ]
    if not rows:
        raise ValueError(
            f"No reading comes {least} times in both halves of the {answers.num_sentences} "
            "sentences: take more sentences, or a smaller `least`."
        )
    return _table(rows, level)


def _table(rows: Sequence[Outcome], level: float) -> pd.DataFrame:
    """Adjust the p-values for the number of rows, and say what may be claimed."""
    table = pd.DataFrame([row.cells for row in rows])
    simple, beyond = (
        holm([over_splits(p_values) for p_values in of])
        for of in ([row.simple for row in rows], [row.beyond for row in rows])
    )
    table["p_value"] = beyond
    is_simple, is_beyond = simple < 1 - level, beyond < 1 - level
    claim = np.where(is_simple, f"more than {FIXED_OFFSET}", "")
    table["claim"] = np.where(is_beyond, "more than " + table["rule"], claim)
    table["finding"] = is_beyond
    table = table.sort_values(
        ["finding", "share"], ascending=False, kind="stable", ignore_index=True
    )
    by_split = [holm(of_split) for of_split in zip(*(row.beyond for row in rows), strict=True)]
    table.attrs["findings_by_split"] = [int((p < 1 - level).sum()) for p in by_split]
    return table


def ways_of(units: Units, *, splits: Any, choose_on: Any, seed: int) -> list[Split]:
    """Split as asked for: by the numbers of sentences, else in halves."""
    if whole_number("splits, how often to halve,", splits) < 1:
        raise ValueError(f"Sentences are halved at least once, but got splits={splits}.")
    if choose_on is not None:
        return [split_by(choose_on, len(units))]
    return splits_in_halves(units, splits=splits, seed=seed)


def comes_often(contest: Contest, splits: Sequence[Split], least: int) -> bool:
    """Say whether there are so many readings in each part of each split."""
    return all(contest.of(which).sum() >= least for split in splits for which in split)


def _by_rules(
    rules: Mapping[str, Rule], sentences: Sequence[Any] | None, answers: Answers
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if not isinstance(rules, Mapping):
        raise TypeError(
            "Rules are a dict of names and functions of a sentence and a position, such as "
            f"regard.evidence.rules.rules_of(sentences), but got {described(rules)}."
        )
    if rules and sentences is None:
        raise ValueError(
            f"There are {len(rules)} rules, but no sentences that they could be asked about: pass "
            "sentences=, one for each trace."
        )
    if sentences is not None and not isinstance(sentences, Sequence):
        raise TypeError(
            "sentences is a list of what the rules are asked about, such as "
            f"list(read_conllu(path)), but got {described(sentences)}."
        )
    if sentences is not None and len(sentences) != answers.num_sentences:
        raise ValueError(
            f"The model answered to {answers.num_sentences} sentences, but sentences= has "
            f"{len(sentences)}: pass one for each trace, in one order."
        )
    return rule_answers(rules, [] if sentences is None else sentences, answers.readings)


def _checked_heads(heads: Any, answers: Answers) -> dict[str, Place]:
    if not isinstance(heads, Mapping):
        raise TypeError(
            "heads names the head in question for each reading, such as {'det': (2, 8)}, but got "
            f"{described(heads)}."
        )
    names = dict(answers.readings[["name", "kind"]].drop_duplicates().to_numpy())
    for name, place in heads.items():
        if name not in names:
            raise ValueError(
                f"There is no gold reading {name!r}, for which heads names one: there are "
                f"{sorted(names)}."
            )
        if tuple(place) not in answers.heads[names[name]]:
            raise ValueError(
                f"heads names (layer, head) = {place} for {name!r}, but the {names[name]} "
                f"attention has {answers.heads[names[name]][-1]} as its last."
            )
    return {name: tuple(place) for name, place in heads.items()}


def check_answers(answers: Any, others: dict[str, Any]) -> None:
    """Raise where answers are none, or not to the same sentences."""
    if not isinstance(answers, Answers):
        raise TypeError(
            f"The answers of collect_answers(traces, gold) are expected, but got "
            f"{described(answers)}."
        )
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
    untrained = others.get("untrained")
    if untrained is not None and not answers.readings.equals(untrained.readings):
        raise ValueError(
            "The untrained model answered to other gold readings than the model: collect both with "
            "the same `gold`."
        )


def check_chances(level: Any, least: Any, seed: Any) -> None:
    """Raise where a level is no share, a half has no least number, or a seed is none."""
    if not isinstance(level, int | float) or not 0 < level < 1:
        raise ValueError(f"A level lies between 0 and 1, such as 0.95, but got {described(level)}.")
    whole_number("seed", seed)
    if whole_number("least", least) < 1:
        raise ValueError(f"A reading comes at least once in a half, but got least={least}.")
