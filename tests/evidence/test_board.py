"""The scoreboard finds planted heads and the baselines that were planted, and nothing in noise."""

from dataclasses import replace

import numpy as np
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
    monkeypatch.setattr("regard.evidence.board.share_interval", lambda *_, **__: (0.0, 1.0))
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
