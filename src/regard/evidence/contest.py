"""Who is right more often about one gold reading in one direction: the best head, or a rule."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median_high, median_low
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regard.evidence.answers import GROUP, Answers, Place
from regard.evidence.intervals import lead_interval, lead_test, share_interval
from regard.evidence.splits import Split, Units, Which

Rows = NDArray[np.intp]
Group = tuple[str, str, str]  # name, kind and direction
Right = NDArray[np.bool_]  # (readings, candidates)
Floats = NDArray[np.float64]
FIXED_OFFSET = "a fixed offset"
NO_ROWS: Rows = np.array([], dtype=np.intp)


@dataclass(frozen=True)
class Shuffled:
    """What the heads find where words are in random order."""

    sentences: Rows  # (readings,)
    right: Right  # (readings, heads)


@dataclass(frozen=True)
class Contest:
    """All answers to one gold reading in one direction, and all that they are held against."""

    group: Group
    places: list[Place]
    units: Units
    sentences: Rows  # (readings,)
    offsets: NDArray[np.int64]  # (readings,)
    right: Right  # (readings, heads)
    given: NDArray[np.float32]  # (readings, heads)
    rules: Right  # (readings, rules)
    rule_names: Sequence[str]
    untrained: Right | None  # (readings, its heads)
    shuffled: Shuffled | None
    named: Place | None = None  # the head in question, where it need not be chosen

    def of(self, which: Which) -> Which:
        """Say which readings are of some sentences: (readings,)."""
        return which[self.sentences]


def contests(
    answers: Answers,
    units: Units,
    *,
    rules: Right | None = None,
    rule_names: Sequence[str] = (),
    untrained: Answers | None = None,
    shuffled: Answers | None = None,
    heads: dict[str, Place] | None = None,
) -> Iterator[Contest]:
    """Part the answers by reading and direction; with named heads, keep only what they are for."""
    of_shuffled = {} if shuffled is None else shuffled.groups()
    sentences = answers.readings["sentence"].to_numpy()
    offsets = answers.readings["offset"].to_numpy()
    rules = np.zeros((len(offsets), 0), dtype=np.bool_) if rules is None else rules
    for group, at in answers.groups().items():
        name, kind, _ = group
        if heads is not None and name not in heads:
            continue
        there = None
        if shuffled is not None:
            rows = of_shuffled.get(group, NO_ROWS)
            of_row = shuffled.readings["sentence"].to_numpy()[rows]
            there = Shuffled(of_row, shuffled.right(rows, kind))
        yield Contest(
            group=group,
            places=answers.heads[kind],
            units=units,
            sentences=sentences[at],
            offsets=offsets[at],
            right=answers.right(at, kind),
            given=answers.weights(at, kind),
            rules=rules[at],
            rule_names=rule_names,
            untrained=None if untrained is None else untrained.right(at, kind),
            shuffled=there,
            named=None if heads is None else heads[name],
        )


class Counted(NamedTuple):
    """What came of one split; sums are over the readings that count, in each unit."""

    head: int
    rival: int | None  # the untrained model's head
    offset: int
    rule: str
    chosen_share: float
    given: float  # the sum of the weights
    counts: Floats  # (units,)
    hits: Floats  # (units,)
    by: dict[str, Floats]  # hits of each baseline: (units,)
    where_wrong: tuple[int, int]  # the head's hits where the rule is wrong, and how many are there


def counted(contest: Contest, split: Split) -> Counted:
    """Choose the head, the rule and what else is to be chosen, and count them elsewhere."""
    first, second = contest.of(split.chooses), contest.of(split.counts)
    units = contest.units[contest.sentences[second]]
    num_units = int(contest.units.max()) + 1

    def in_units(values: NDArray[Any]) -> Floats:
        return np.bincount(units, values, minlength=num_units).astype(np.float64)

    shares = contest.right[first].mean(axis=0)
    head = int(shares.argmax()) if contest.named is None else contest.places.index(contest.named)
    hits = contest.right[second, head]
    counts = in_units(np.ones(len(hits)))
    values, times = np.unique(contest.offsets[first], return_counts=True)
    offset = int(values[times.argmax()])
    by_offset = contest.offsets[second] == offset
    rule, by_rule = _strongest_rule(contest, first, second, by_offset, times.max() / first.sum())
    by = {"offset": in_units(by_offset), "rule": in_units(by_rule)}
    rival = None
    if contest.untrained is not None:
        rival = int(contest.untrained[first].mean(axis=0).argmax())
        by["untrained"] = in_units(contest.untrained[second, rival])
    if contest.shuffled is not None:
        by["shuffled"] = counts * _shuffled_shares(contest, contest.shuffled, split, head)
    return Counted(
        head=head,
        rival=rival,
        offset=offset,
        rule=rule,
        chosen_share=float(shares[head]),
        given=float(contest.given[second, head].sum()),
        counts=counts,
        hits=in_units(hits),
        by=by,
        where_wrong=(int(hits[~by_rule].sum()), int((~by_rule).sum())),
    )


def _strongest_rule(
    contest: Contest, first: Which, second: Which, by_offset: Which, offset_share: float
) -> tuple[str, Which]:
    """Choose a rule, the offset among them, and say where it is right on the half that counts."""
    shares = contest.rules[first].mean(axis=0)
    if not len(shares) or shares.max() <= offset_share:
        return FIXED_OFFSET, by_offset
    best = int(shares.argmax())
    return contest.rule_names[best], contest.rules[second, best]


def _shuffled_shares(contest: Contest, shuffled: Shuffled, split: Split, head: int) -> Floats:
    """Give the head's share in each unit with shuffled words; where there is none, that of all."""
    second = split.counts[shuffled.sentences]
    right = shuffled.right[second, head].astype(np.float64)
    units = contest.units[shuffled.sentences[second]]
    num_units = int(contest.units.max()) + 1
    hits, asked = (
        np.bincount(units, of, minlength=num_units) for of in (right, np.ones(len(right)))
    )
    of_all = np.full(num_units, right.mean() if len(right) else 0.0)
    return np.divide(hits, asked, where=asked > 0, out=of_all)


class Outcome(NamedTuple):
    """A row of the table, and its p-values in each split."""

    cells: dict[str, object]
    simple: list[float]  # more than a fixed offset, an untrained model and shuffled words?
    beyond: list[float]  # and more than the strongest rule?


def outcome(contest: Contest, splits: Sequence[Split], *, level: float, seed: int) -> Outcome:
    """Put together what came of all splits."""
    ways = [counted(contest, split) for split in splits]
    hits, counts = (sum(getattr(way, of) for way in ways) for of in ("hits", "counts"))
    low, high = share_interval(hits, counts, level=level, seed=seed)
    by = {name: sum(float(way.by[name].sum()) for way in ways) for name in ways[0].by}
    total = float(counts.sum())
    times = len(ways) / 2 if len(ways) > 1 else 1  # how often each reading was counted
    right, wrong = map(sum, zip(*(way.where_wrong for way in ways), strict=True))
    head, agreed = Counter(way.head for way in ways).most_common(1)[0]
    shares = [way.hits.sum() / way.counts.sum() for way in ways]
    of_lead = level if len(ways) == 1 else (1 + level) / 2  # as p-values are doubled
    bounds = [lead_interval(way.hits - way.by["rule"], way.counts, level=of_lead) for way in ways]
    p_values = [_p_values(way) for way in ways]
    spread = {
        "agreed": agreed / len(ways),
        "share_least": min(shares),
        "share_most": max(shares),
    }
    cells = dict(zip(GROUP, contest.group, strict=True)) | {
        "layer": contest.places[head][0],
        "head": contest.places[head][1],
        "chosen_share": float(np.mean([way.chosen_share for way in ways])),
        "share": float(hits.sum()) / total,
        "low": low,
        "high": high,
        **(spread if len(ways) > 1 else {}),
        "weight": sum(way.given for way in ways) / total,
        "count": round(total / times),
        "sentences": _num_sentences(contest, splits),
        "offset": Counter(way.offset for way in ways).most_common(1)[0][0],
        "offset_share": by["offset"] / total,
        **{f"{name}_share": by[name] / total for name in ("untrained", "shuffled") if name in by},
        "rule": Counter(way.rule for way in ways).most_common(1)[0][0],
        "rule_share": by["rule"] / total,
        "wrong": round(wrong / times),
        "share_where_wrong": right / wrong if wrong else np.nan,
        "lead": (float(hits.sum()) - by["rule"]) / total,
        "lead_low": median_low(low for low, _ in bounds),
        "lead_high": median_high(high for _, high in bounds),
    }
    return Outcome(cells, [simple for simple, _ in p_values], [beyond for _, beyond in p_values])


def _p_values(way: Counted) -> tuple[float, float]:
    """Test the head against all baselines but the rule, and against all: the largest counts."""
    ahead = np.stack([way.hits - by for by in way.by.values()], axis=1)
    tested = dict(zip(way.by, lead_test(ahead, way.counts).tolist(), strict=True))
    return max(p for name, p in tested.items() if name != "rule"), max(tested.values())


def _num_sentences(contest: Contest, splits: Sequence[Split]) -> int:
    count_somewhere = np.any([split.counts for split in splits], axis=0)
    return len(np.unique(contest.sentences[contest.of(count_somewhere)]))


def over_splits(p_values: Sequence[float]) -> float:
    """Give one p-value of those of several splits, which are not independent.

    Twice their median: Meinshausen, Meier and Buehlmann (2009), *p-values for high-dimensional
    regression*.

    Examples
    --------
    >>> over_splits([0.04]), over_splits([0.01, 0.02, 0.3])
    (0.04, 0.04)
    """
    return p_values[0] if len(p_values) == 1 else min(1.0, 2 * median_high(p_values))
