"""How often the scoreboard finds what is not there, and what is; and how often its interval holds.

`python -m benchmarks.evidence [FILE.conllu] [--tries 200] [--wide-tries 20]`, a few minutes. Heads
are made up, on the trees of the file, or on made ones: sentences are drawn from it with
replacement, so that what a rule finds of the file is what it finds of endless sentences. Of 24
heads each, four kinds know no more than a rule:

- *random*: each reads any other word;
- *level*: each is right as often as the strongest rule is about that relation, but elsewhere;
- *positions*: each reads one of two offsets, at random;
- *rules*: each follows one of the rules, always or nine times of ten.

A scoreboard in which any row is a finding is a false one: that may come once in twenty, at a level
of 0.95. *knows*: one head is right wherever the rule is, but for one in twenty, and in half of the
readings that the rule has wrong. Of it, the share of rows that are findings is the power.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, NamedTuple
from unittest import mock

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from benchmarks.scoreboard import made
from regard.evidence.answers import IS_READ, READS, Answers
from regard.evidence.board import scoreboard
from regard.evidence.conllu import ParsedSentence, read_conllu
from regard.evidence.intervals import lead_interval, lead_test
from regard.evidence.rules import Rule, rule_answers, rules_of

HEADS = 24
COMMON_TAGS = 4
SIZES = (50, 200, 1000)
SHARES = ((0.02, 0.02), (0.1, 0.02), (0.5, 0.5), (0.9, 0.6), (0.98, 0.9), (0.98, 0.98))
Right = NDArray[np.bool_]


class World(NamedTuple):
    """All readings of a treebank, and what rules say of them: sentences are drawn from it."""

    readings: pd.DataFrame  # sentence, name, query, offset; and last, the number of words
    by_rule: Right  # (readings, rules)
    names: list[str]
    documents: list[str | None]
    level: NDArray[np.float64]  # (readings,): the share of the strongest rule of that relation
    strongest: Right  # (readings,): is that rule right?


def world_of(parsed: Sequence[ParsedSentence]) -> World:
    """Ask the rules about a treebank, once."""
    rows = [
        (number, name, at, head - at, len(sentence.words))
        for number, sentence in enumerate(parsed)
        for name, at, head in sentence.dependencies
    ]
    readings = pd.DataFrame(rows, columns=["sentence", "name", "query", "offset", "words"])
    rules = common_rules(parsed)
    by_rule = rule_answers(rules, parsed, readings)
    level = np.zeros(len(readings))
    strongest = np.zeros(len(readings), dtype=np.bool_)
    for _, of_name in readings.groupby("name"):
        at, (offset, times) = of_name.index.to_numpy(), commonest(of_name["offset"])
        shares = by_rule[at].mean(axis=0)
        best = int(shares.argmax())
        is_offset = times / len(at) >= shares[best]
        right = (of_name["offset"] == offset).to_numpy() if is_offset else by_rule[at, best]
        level[at], strongest[at] = right.mean(), right
    documents = [sentence.document for sentence in parsed]
    return World(readings, by_rule, list(rules), documents, level, strongest)


def common_rules(parsed: Sequence[ParsedSentence]) -> dict[str, Rule]:
    """Keep the rules of rare and linked words, and of the commonest parts of speech."""
    tags = pd.Series([tag for sentence in parsed for tag in sentence.tags], dtype=str)
    common = set(tags.value_counts().index[:COMMON_TAGS])
    rules = rules_of(parsed)
    of_tag = {f"nearest {tag} {side}" for tag in set(tags) - common for side in ("before", "after")}
    return {name: rule for name, rule in rules.items() if name not in of_tag}


def commonest(values: pd.Series) -> tuple[int, int]:
    """Give the commonest value, and how often it comes."""
    counts = values.value_counts()
    return int(counts.index[0]), int(counts.iloc[0])


Heads = Callable[[World, NDArray[np.intp], np.random.Generator], Right]


def random(world: World, at: NDArray[np.intp], rng: np.random.Generator) -> Right:
    """Read any other word."""
    words = world.readings["words"].to_numpy()[at]
    return rng.random((len(at), HEADS)) < 1 / (words - 1)[:, None]


def level(world: World, at: NDArray[np.intp], rng: np.random.Generator) -> Right:
    """Be right as often as the strongest rule."""
    return rng.random((len(at), HEADS)) < world.level[at][:, None]


def positions(world: World, at: NDArray[np.intp], rng: np.random.Generator) -> Right:
    """Read one of two offsets."""
    offsets = rng.choice([-3, -2, -1, 1, 2, 3], (HEADS, 2))
    first = rng.random((len(at), HEADS)) < rng.random(HEADS)
    read = np.where(first, offsets[:, 0], offsets[:, 1])
    return read == world.readings["offset"].to_numpy()[at][:, None]


def follow(world: World, at: NDArray[np.intp], rng: np.random.Generator) -> Right:
    """Follow one of the rules."""
    which = rng.integers(0, len(world.names), HEADS)
    return world.by_rule[at][:, which] & (
        rng.random((len(at), HEADS)) < rng.choice([0.9, 1.0], HEADS)
    )


def knows(world: World, at: NDArray[np.intp], rng: np.random.Generator) -> Right:
    """Let one head know what the strongest rule knows, and half of what it does not."""
    right = random(world, at, rng)
    luck = rng.random(len(at))
    right[:, 0] = np.where(world.strongest[at], luck < 0.95, luck < 0.5)
    return right


NULLS: dict[str, Heads] = {
    "random": random,
    "level": level,
    "positions": positions,
    "rules": follow,
}


def board_of(
    world: World, heads: Heads, sentences: int, seed: int, *, parts: int = 1, by_document: bool
) -> pd.DataFrame:
    """Draw sentences, let made-up heads answer, and make the scoreboard.

    With several parts, each relation is parted at random into so many: that makes more rows.
    """
    rng = np.random.default_rng(seed)
    drawn = drawn_sentences(world, sentences, rng, by_document=by_document)
    starts = np.searchsorted(world.readings["sentence"], np.arange(len(world.documents) + 1))
    rows = [np.arange(starts[one], starts[one + 1]) for one in drawn]
    once, lengths = np.concatenate(rows), list(map(len, rows))
    at = np.concatenate([once, once])  # in both directions
    number = np.tile(np.repeat(np.arange(len(drawn)), lengths), 2)
    part = np.tile(rng.integers(0, parts, len(once)), 2).astype(str)
    readings = pd.DataFrame(
        {
            "sentence": number,
            "name": np.char.add(world.readings["name"].to_numpy(str)[at], part),
            "kind": "encoder",
            "direction": np.repeat([READS, IS_READ], len(once)),
            "query": np.tile(np.arange(len(once)), 2),  # a reading's own number: see `looked_up`
            "offset": world.readings["offset"].to_numpy()[at],
        }
    )
    right = heads(world, at, rng)
    answers = Answers(
        readings,
        {"encoder": [(0, head) for head in range(HEADS)]},
        len(drawn),
        np.packbits(right, axis=1),
        np.zeros((len(at), HEADS), np.float16),
    )
    gold = readings["offset"].to_numpy()[: len(once)]
    documents = copies_of(world, drawn) if by_document else None
    return scoreboard(  # with few readings a row, there are more rows
        answers,
        rules=looked_up(world, once, gold),
        sentences=range(len(drawn)),
        documents=documents,
        seed=seed,
        least=10 if parts == 1 else 4,
    )


def copies_of(world: World, drawn: NDArray[np.intp]) -> list[str]:
    """Name the documents of sentences; one that is drawn twice is two."""
    names: list[str] = []
    copy = 0
    for before, one in zip([-1, *drawn[:-1].tolist()], drawn.tolist(), strict=True):
        copy += one != before + 1 or world.documents[one] != world.documents[before]
        names.append(f"{world.documents[one]} {copy}")
    return names


def looked_up(world: World, once: NDArray[np.intp], gold: NDArray[np.int64]) -> dict[str, Rule]:
    """Make rules that know what was asked of them before."""

    def rule(right: list[bool]) -> Rule:
        return lambda _, number: number + int(gold[number]) if right[number] else None

    return {
        name: rule(world.by_rule[once, which].tolist()) for which, name in enumerate(world.names)
    }


def drawn_sentences(
    world: World, sentences: int, rng: np.random.Generator, *, by_document: bool
) -> NDArray[np.intp]:
    """Draw sentences, or whole documents until there are as many."""
    if not by_document:
        return rng.integers(0, len(world.documents), sentences)
    _, of_document = np.unique(np.array(world.documents, dtype=str), return_inverse=True)
    drawn: list[int] = []
    while len(drawn) < sentences:
        document = int(rng.integers(of_document.max() + 1))
        drawn += np.flatnonzero(of_document == document).tolist()
    return np.array(drawn, dtype=np.intp)


def print_false_findings(world: World, tries: int, wide_tries: int) -> None:
    """Say how many scoreboards have any finding, at three levels, where there is nothing."""
    has_documents = None not in world.documents
    cases = [(size, 1, tries, False) for size in SIZES[:2]]
    cases += [(2000, 60, wide_tries, False)]
    cases += [(200, 1, tries, True)] if has_documents else []
    print("scoreboards with a finding, of heads that know no more than a rule, at .80, .95, .99")
    for name, heads in NULLS.items():
        for size, parts, count, by_document in cases:
            least, num_rows = [], 0
            for seed in range(count):
                table = board_of(world, heads, size, seed, parts=parts, by_document=by_document)
                least.append(table["p_value"].min())
                num_rows = max(num_rows, len(table))
            false = [np.mean(np.array(least) < 1 - at) for at in (0.8, 0.95, 0.99)]
            said = " ".join(f"{share:6.1%}" for share in false)
            of = "in documents" if by_document else ""
            print(f"{name:10} {size:5} sentences, up to {num_rows:4} rows: {said} {of}", flush=True)


def print_power(world: World, tries: int) -> None:
    """Say which share of rows is found where one head knows more than the rule."""
    print("rows that are found, of heads that know half of what the rule does not")
    for size in SIZES:
        tables = [board_of(world, knows, size, seed, by_document=False) for seed in range(tries)]
        table = pd.concat(tables)
        by_wrong = table.groupby(table["wrong"] >= 30)["finding"]
        said = {bool(many): f"{of.mean():.0%} of {len(of)}" for many, of in by_wrong}
        print(
            f"{size:5} sentences: {table['finding'].mean():.0%} of {len(table)}; where the rule is "
            f"wrong 30 times or more {said.get(True, 'none')}, less {said.get(False, 'none')}",
            flush=True,
        )


def leads(
    rng: np.random.Generator, shares: tuple[float, float], units: int, size: float, likeness: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw leads and counts of units, sentences or documents, of about some size.

    Of the variance of what makes an answer right, the likeness is the unit's own, and half of the
    rest is shared by head and rule. Sizes are geometric: some units are many times as large.
    """
    counts = rng.geometric(1 / size, units)
    at = np.repeat(np.arange(units), counts)
    unit = rng.normal(size=(2, units))[:, at] * np.sqrt(likeness)
    shared = rng.normal(size=len(at)) * np.sqrt((1 - likeness) / 2)
    own = rng.normal(size=(2, len(at))) * np.sqrt((1 - likeness) / 2)
    bounds = np.array([NormalDist().inv_cdf(share) for share in shares])
    head, rule = (unit + shared + own < bounds[:, None]).astype(float)
    ahead = np.bincount(at, head - rule, minlength=units).astype(float)
    return ahead, counts.astype(float)


def print_coverage(tries: int) -> None:
    """Say how often an interval of 95 % holds the true lead."""
    print("intervals of 95 % that hold the true lead (shares of head and rule)")
    print(f"{'units of':>20}", *(f"{a:5.2f}/{b:.2f}" for a, b in SHARES))
    rng = np.random.default_rng(0)
    for what, size, likeness in (
        ("1 answer", 1, 0.0),
        ("3, alike", 3, 0.3),
        ("10, alike", 10, 0.3),
    ):
        for units in (5, 10, 20, 50, 100, 200, 500):
            said = []
            for shares in SHARES:
                drawn = [leads(rng, shares, units, size, likeness) for _ in range(tries)]
                bounds = [lead_interval(*one) for one in drawn]
                holds = np.mean([low <= shares[0] - shares[1] <= high for low, high in bounds])
                said.append(f"{holds:10.1%}")
            print(f"{units:6} of {what:>10}", *said, flush=True)


def print_lopsided(tries: int) -> None:
    """Say how often a test at 5 % finds a lead where few sentences lose what many win."""
    print("tests at 5 % that find a lead where there is none: few sentences lose what many win")
    rng = np.random.default_rng(0)
    for share, size in ((0.2, 4), (0.1, 9), (0.05, 19), (0.02, 49)):
        said = []
        for sentences in (20, 50, 100, 200, 500, 1000):
            loses = rng.random((tries, sentences)) < share
            p_values = [
                lead_test(np.where(one, -size, 1), np.where(one, size, 1)).item() for one in loses
            ]
            said.append(f"{sentences}: {np.mean(np.array(p_values) < 0.05):.1%}")
        print(f"{share:.0%} lose {size:2} each; of sentences", ", ".join(said), flush=True)


def main(
    treebank: Annotated[Path | None, typer.Argument(help="A CoNLL-U file.")] = None,
    tries: Annotated[int, typer.Option(help="Of scoreboards of up to 50 rows.")] = 200,
    wide_tries: Annotated[int, typer.Option(help="Of scoreboards of over 1,000 rows.")] = 20,
) -> None:
    """Print false findings, power, coverage and lopsided sentences."""
    if treebank is None:
        rng = np.random.default_rng(0)
        parsed = [made(rng) for _ in range(1000)]
    else:
        parsed = list(read_conllu(treebank))
    world = world_of(parsed)
    print_coverage(tries)
    print_lopsided(tries)
    with mock.patch("regard.evidence.contest.share_interval", return_value=(0.0, 1.0)):
        print_power(world, max(1, wide_tries // 5))  # intervals of shares play no part in these
        print_false_findings(world, tries, wide_tries)


if __name__ == "__main__":
    typer.run(main)
