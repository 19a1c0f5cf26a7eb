"""The scoreboard finds planted heads and the baselines that were planted, and nothing in noise."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from regard.evidence.answers import IS_READ, READS, Answers, collect_answers
from regard.evidence.board import scoreboard
from regard.evidence.readings import Reading
from regard.record.trace import Trace

WORDS, HEADS = 8, (2, 3)


def noise(rng: np.random.Generator) -> torch.Tensor:
    """Give the weights of heads that know nothing: (layers, h, N, N)."""
    return torch.from_numpy(rng.normal(size=(*HEADS, WORDS, WORDS))).softmax(-1)


def sentence(rng: np.random.Generator, names: int = 1) -> list[Reading]:
    """Let three words read another, at any distance, for each name."""
    readings: list[Reading] = []
    for name in range(names):
        for query in rng.choice(WORDS, 3, replace=False).tolist():
            key = (query + int(rng.integers(1, WORDS))) % WORDS
            readings.append((f"relation {name}", "encoder", query, key))
    return readings


def planted(rng: np.random.Generator, gold: list[Reading], share: float) -> Trace:
    """Let head 1 of layer 1 read the gold key in a share of cases, and the rest know nothing."""
    weights = noise(rng)
    for _, _, query, key in gold:
        if rng.random() < share:
            weights[1, 1, query] = torch.eye(WORDS)[key]
    return Trace.from_weights(weights)


def collected(seed: int, share: float, sentences: int = 150) -> Answers:
    gold_rng, rng = np.random.default_rng(0), np.random.default_rng(seed)
    gold = [sentence(gold_rng) for _ in range(sentences)]
    return collect_answers((planted(rng, of_one, share) for of_one in gold), gold)


def test_a_planted_head_is_found_with_its_share() -> None:
    table = scoreboard(collected(1, share=0.6)).set_index("direction")
    row = table.loc[READS]
    assert (row["layer"], row["head"], row["finding"]) == (1, 1, True)
    assert row["share"] == pytest.approx(0.6 + 0.4 / 7, abs=0.07)
    assert row["low"] < row["share"] < row["high"]
    assert row["offset_share"] < 0.3
    assert not table.loc[IS_READ, "finding"]


def test_shares_are_of_the_half_that_did_not_choose() -> None:
    answers = collected(1, share=0.5)
    row = scoreboard(answers, seed=3).set_index("direction").loc[READS]
    chooses = np.random.default_rng(3).permutation(150) < 75
    rows = answers.readings["direction"].to_numpy() == READS
    first = chooses[answers.readings["sentence"]]
    at = answers.heads["encoder"].index((1, 1))
    for half, column in ((first, "chosen_share"), (~first, "share")):
        right = answers.right(np.flatnonzero(rows & half), "encoder")
        assert row[column] == pytest.approx(right[:, at].mean())
    assert row["count"] == (rows & ~first).sum()
    assert row["sentences"] == 75


def test_a_head_that_does_what_an_offset_does_is_no_finding() -> None:
    gold: list[list[Reading]] = [[("next", "encoder", q, q + 1) for q in (0, 2, 4)]] * 100
    reads_next = Trace.from_weights(torch.eye(WORDS).roll(1, dims=1))
    table = scoreboard(collect_answers([reads_next] * 100, gold)).set_index("direction")
    assert list(table.loc[READS, ["share", "offset", "offset_share"]]) == [1, 1, 1]
    assert table.loc[READS, "p_value"] == 1
    assert not table["finding"].any()


def test_a_head_that_an_untrained_model_has_too_is_no_finding() -> None:
    model, twin, worse = collected(1, 0.6), collected(2, 0.6), collected(3, 0.2)
    tables = [scoreboard(model, untrained=other).set_index("direction") for other in (twin, worse)]
    assert [bool(table.loc[READS, "finding"]) for table in tables] == [False, True]
    assert tables[0].loc[READS, "untrained_share"] == pytest.approx(0.66, abs=0.07)


def test_shuffled_words_are_asked_of_the_chosen_head() -> None:
    table = scoreboard(collected(1, 0.6), shuffled=collected(2, 0.3)).set_index("direction")
    assert table.loc[READS, "shuffled_share"] == pytest.approx(0.4, abs=0.07)


def test_heads_that_know_nothing_yield_findings_no_more_often_than_promised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four relations in two directions, six heads, over and over; intervals play no part in it."""
    monkeypatch.setattr("regard.evidence.contest.share_interval", lambda *_, **__: (0.0, 1.0))
    rng = np.random.default_rng(0)
    tries, found = 1000, 0
    gold = [sentence(rng, names=4) for _ in range(40)]
    answers = collect_answers((Trace.from_weights(noise(rng)) for _ in gold), gold)
    share = 1 / (WORDS - 1)  # what a head is right by chance, as the offsets are
    for seed in range(tries):
        right = rng.random((len(answers.readings), 6)) < share
        offsets = rng.integers(0, WORDS - 1, len(answers.readings))
        readings = answers.readings.assign(offset=offsets)
        random = replace(answers, readings=readings, bits=np.packbits(right, axis=1))
        found += bool(scoreboard(random, seed=seed)["finding"].any())
    assert found / tries <= 0.05


def test_what_cannot_be_compared() -> None:
    answers = collected(1, 0.5, sentences=60)
    with pytest.raises(ValueError, match="untrained model answered to 50 sentences, but the model"):
        scoreboard(answers, untrained=collected(1, 0.5, sentences=50))
    other = replace(answers, readings=answers.readings.assign(name="x"))
    with pytest.raises(ValueError, match="answered to other gold readings than the model"):
        scoreboard(answers, untrained=other)
    with pytest.raises(ValueError, match="No reading comes 500 times in both halves of the 60"):
        scoreboard(answers, least=500)
    with pytest.raises(ValueError, match="There are 1 rules, but no sentences"):
        scoreboard(answers, rules={"next": follow})
    with pytest.raises(ValueError, match="answered to 60 sentences, but sentences= has 2"):
        scoreboard(answers, rules={"next": follow}, sentences=[0, 0])
    with pytest.raises(TypeError, match="Rules are a dict of names and functions"):
        scoreboard(answers, rules=[follow], sentences=[0] * 60)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="names the document of each of 60 sentences"):
        scoreboard(answers, documents=["a"])
    with pytest.raises(ValueError, match="halved at least once, but got splits=0"):
        scoreboard(answers, splits=0)
    with pytest.raises(ValueError, match="numbers of sentences from 0 to 59"):
        scoreboard(answers, choose_on=[60])
    with pytest.raises(ValueError, match="none is left that could count"):
        scoreboard(answers, choose_on=range(60))
    with pytest.raises(ValueError, match="There is no gold reading 'det'"):
        scoreboard(answers, heads={"det": (0, 0)})
    with pytest.raises(ValueError, match=r"\(layer, head\) = \(2, 0\) for 'relation 0'"):
        scoreboard(answers, heads={"relation 0": (2, 0)})
    with pytest.raises(TypeError, match="heads names the head in question"):
        scoreboard(answers, heads=[(0, 0)])  # type: ignore[arg-type]


def follow(_: object, at: int) -> int:
    """Read the next word."""
    return at + 1


def reads(answers: Answers, **asked: Any) -> pd.Series:
    """Give the row of the planted direction."""
    table = scoreboard(answers, **asked)
    return table[table["direction"] == READS].iloc[0]


def gold_of(answers: Answers) -> dict[tuple[int, int], int]:
    """Give the gold word of each word that reads; of several, the last."""
    columns = answers.readings[["sentence", "query", "offset"]].to_numpy().tolist()
    return {(sentence, query): query + offset for sentence, query, offset in columns}


@pytest.mark.parametrize(
    ("known", "claim"),
    [(1.0, "more than a fixed offset"), (0.3, "more than half of it")],
)
def test_a_finding_is_more_than_the_strongest_rule(known: float, claim: str) -> None:
    """The head is right in 66 %; the rule knows the gold word in some sentences."""
    answers = collected(1, 0.6)
    gold = gold_of(answers)

    def rule(sentence: int, at: int) -> int | None:
        return gold[sentence, at] if sentence % 10 < 10 * known else None

    rules = {"half of it": rule, "never": lambda *_: None}
    row = reads(answers, rules=rules, sentences=range(150))
    assert (row["claim"], row["finding"]) == (claim, claim == "more than half of it")
    assert row["rule"] == "half of it"
    assert row["rule_share"] == pytest.approx(known, abs=0.06)
    assert row["lead"] == pytest.approx(row["share"] - row["rule_share"])
    assert row["lead_low"] < row["lead"] < row["lead_high"]
    assert row["wrong"] == round(row["count"] * (1 - row["rule_share"]))
    assert np.isnan(row["share_where_wrong"]) or row["share_where_wrong"] > 0.5


def test_where_the_rule_is_wrong_only_such_readings_are_counted() -> None:
    answers = collected(1, 0.6)
    row = reads(answers, rules={"next": follow}, sentences=range(150), seed=3)
    at = np.flatnonzero(answers.readings["direction"] == READS)
    counts = np.random.default_rng(3).permutation(150)[answers.readings["sentence"][at]] >= 75
    right = answers.right(at, "encoder")[:, answers.heads["encoder"].index((1, 1))]
    offset = 1 if row["rule"] == "next" else row["offset"]
    wrong = (answers.readings["offset"][at] != offset).to_numpy()
    assert row["wrong"] == (wrong & counts).sum()
    assert row["share_where_wrong"] == pytest.approx(right[wrong & counts].mean())


def test_what_shuffled_words_find_as_well_is_no_finding() -> None:
    answers = collected(1, 0.6)
    assert reads(answers, shuffled=collected(2, 0.2))["finding"]
    row = reads(answers, shuffled=collected(2, 0.6))
    assert (row["finding"], row["claim"]) == (False, "")


def test_documents_are_halved_and_drawn_as_one() -> None:
    answers = collected(1, 0.6)
    documents = [at // 15 if at < 135 else None for at in range(150)]  # 9 of 15, and 15 of one
    rows = [reads(answers, documents=of, seed=4) for of in (documents, None)]
    assert rows[0]["sentences"] in {at + 15 * k for at in range(16) for k in range(10)}
    chooses = np.random.default_rng(4).permutation(24) < 12
    of_sentence = chooses[[at // 15 if at < 135 else at - 135 + 9 for at in range(150)]]
    assert rows[0]["sentences"] == (~of_sentence).sum()
    wide, narrow = (row["lead_high"] - row["lead_low"] for row in rows)
    assert wide != narrow


def test_alike_sentences_of_a_document_make_a_lead_less_sure() -> None:
    """Copies of a sentence say nothing new, if they are said to be of one document."""
    once = collected(1, 0.6, sentences=60)
    rows = np.tile(np.arange(len(once.readings)), 4)
    copies = np.repeat(np.arange(4), len(once.readings))
    readings = once.readings.iloc[rows].reset_index(drop=True)
    readings["sentence"] += 60 * copies
    many = replace(
        once,
        readings=readings,
        num_sentences=240,
        bits=once.bits[rows],
        gold_weights=once.gold_weights[rows],
    )
    alike = reads(many, documents=[at % 60 for at in range(240)], heads={"relation 0": (1, 1)})
    apart, single = (reads(of, heads={"relation 0": (1, 1)}) for of in (many, once))
    wide, narrow, plain = (r["lead_high"] - r["lead_low"] for r in (alike, apart, single))
    assert wide == pytest.approx(plain)
    assert narrow == pytest.approx(plain / 2, rel=0.1)


def test_over_splits_every_sentence_is_counted_and_the_spread_is_told() -> None:
    answers = collected(1, 0.6)
    table = scoreboard(answers, splits=6)
    row = table.set_index("direction").loc[READS]
    right = answers.right(np.flatnonzero(answers.readings["direction"] == READS), "encoder")
    at = answers.heads["encoder"].index((1, 1))
    assert (row["layer"], row["head"], row["agreed"]) == (1, 1, 1)
    assert row["share"] == pytest.approx(right[:, at].mean())
    assert row["share_least"] < row["share"] < row["share_most"]
    assert (row["count"], row["sentences"]) == (len(right), 150)
    assert row["finding"]
    assert len(table.attrs["findings_by_split"]) == 12
    assert min(table.attrs["findings_by_split"]) >= 1


def test_some_sentences_choose_and_the_rest_count() -> None:
    """In the first hundred another head is the best one: it is asked about in the last fifty."""
    answers = collected(1, 0.6)
    of_first = answers.readings["sentence"].to_numpy() < 100
    right = np.unpackbits(answers.bits, axis=1, count=6).astype(bool)
    right[of_first, 0] = True
    row = reads(replace(answers, bits=np.packbits(right, axis=1)), choose_on=range(100))
    assert (row["layer"], row["head"], row["chosen_share"]) == (0, 0, 1)
    assert row["count"] == 150
    assert row["share"] < 0.4


def test_a_head_that_is_named_is_not_chosen() -> None:
    answers = collected(1, 0.6)
    row = reads(answers, heads={"relation 0": (0, 2)})
    assert (row["layer"], row["head"], row["count"]) == (0, 2, 450)
    assert row["share"] < 0.3
    assert reads(answers, heads={"relation 0": (1, 1)})["finding"]


def test_with_many_rows_a_perfect_head_is_still_found() -> None:
    """Drawn signs had a floor of 1 in 10,000: of 600 rows, none could be a finding."""
    answers = collected(1, 1.0, sentences=80)
    names = [f"relation {at}" for at in range(300)]
    rows = np.tile(np.arange(len(answers.readings)), 300)
    readings = answers.readings.iloc[rows].reset_index(drop=True)
    readings["name"] = np.repeat(names, len(answers.readings))
    many = replace(
        answers, readings=readings, bits=answers.bits[rows], gold_weights=answers.gold_weights[rows]
    )
    table = scoreboard(many, level=0.999)
    assert table.loc[table["direction"] == READS, "finding"].all()
    assert not table.loc[table["direction"] == IS_READ, "finding"].any()
