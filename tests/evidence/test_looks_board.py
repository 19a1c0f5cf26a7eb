"""The scoreboard of looks finds planted heads, and nothing in noise, fixed places and twins."""

from collections.abc import Iterator

import numpy as np
import pytest

import regard
from regard.evidence.looks import Glance
from regard.evidence.looks_board import score_places
from regard.record.places import Box
from regard.record.trace import Trace
from tests.evidence.test_looks import HEADS, PATCHES, PIXELS, ROW, noise

COUNT = 160


def gold_of(rng: np.random.Generator, count: int = COUNT) -> list[list[Glance]]:
    """Let the class token look at one patch, drawn by lot."""
    return [[("it", 0, PATCHES[at])] for at in rng.integers(0, ROW**2, count)]


def patch_of(gold: list[Glance]) -> int:
    return PATCHES.index(gold[0][2])


def traces_of(
    rng: np.random.Generator, looked: list[int], share: float, count: int = COUNT
) -> Iterator[Trace]:
    """Let head 2 of layer 1 look at given patches in a share of cases; the rest know nothing."""
    for at in looked[:count]:
        weights = noise(rng)
        if rng.random() < share:
            weights[1, 2, 0] = 0.1 * weights[1, 2, 0] + 0.9 * np.eye(ROW**2 + 1)[at + 1]
        seen = Trace.from_weights(weights)
        yield regard.place(seen, [None, *PATCHES], images=PIXELS)


def by_measure(table: object) -> dict[str, dict[str, object]]:
    return {row["measure"]: row for row in table.to_dict("records")}  # type: ignore[attr-defined]


def planted(seed: int, share: float) -> tuple[Iterator[Trace], list[list[Glance]]]:
    gold = gold_of(np.random.default_rng(0))
    return traces_of(np.random.default_rng(seed), [patch_of(g) for g in gold], share), gold


def test_a_planted_head_is_found_with_its_share() -> None:
    rows = by_measure(score_places(*planted(1, share=0.6)))
    expected = {"pointing": 0.6 + 0.4 / 9, "mass": 0.6 * 0.93 + 0.4 / 9}
    for measure, row in rows.items():
        assert (row["layer"], row["head"], row["finding"]) == (1, 2, True)
        assert row["share"] == pytest.approx(expected[measure], abs=0.1)
        assert row["low"] < row["share"] < row["high"]  # type: ignore[operator]
        for baseline in ("even", "centre", "fixed", "shuffled"):
            assert row[f"{baseline}_share"] == pytest.approx(1 / 9, abs=0.1)


def test_heads_that_know_nothing_are_no_finding() -> None:
    for seed in range(1, 4):
        for row in by_measure(score_places(*planted(seed, share=0))).values():
            assert not row["finding"]
            assert row["low"] < row["even_share"] < row["high"]  # type: ignore[operator]


def test_a_head_that_looks_at_one_place_whatever_the_picture_is_no_finding() -> None:
    rng = np.random.default_rng(0)
    centres = [[("it", 0, PATCHES[4 if rng.random() < 0.7 else 0])] for _ in range(COUNT)]
    looked = traces_of(rng, [4] * COUNT, share=1)
    for row in by_measure(score_places(looked, centres)).values():
        assert not row["finding"]
        assert row["fixed_share"] == pytest.approx(0.7, abs=0.1)
        assert row["shuffled_share"] == pytest.approx(row["share"], abs=0.1)
        assert row["share"] > row["even_share"] + 0.4  # type: ignore[operator]


def test_a_head_that_an_untrained_model_has_too_is_no_finding() -> None:
    traces, gold = planted(1, 0.6)
    same = by_measure(score_places(traces, gold, untrained=planted(2, 0.6)[0]))
    traces, gold = planted(1, 0.6)
    worse = by_measure(score_places(traces, gold, untrained=planted(2, 0.1)[0]))
    for measure in ("pointing", "mass"):
        assert (same[measure]["finding"], worse[measure]["finding"]) == (False, True)
        assert same[measure]["untrained_share"] == pytest.approx(0.6, abs=0.1)


def test_shares_are_of_the_half_that_did_not_choose() -> None:
    traces, gold = planted(1, share=0.5)
    row = by_measure(score_places(traces, gold, seed=3))["mass"]
    chooses = np.random.default_rng(3).permutation(COUNT) < COUNT // 2
    masses = np.array(
        [
            seen.weights(1, 2)[0, patch_of(look) + 1] / seen.weights(1, 2)[0, 1:].sum()
            for seen, look in zip(planted(1, share=0.5)[0], gold, strict=True)
        ]
    )
    assert row["chosen_share"] == pytest.approx(masses[chooses].mean())
    assert row["share"] == pytest.approx(masses[~chooses].mean())
    assert (row["count"], row["traces"]) == (COUNT // 2, COUNT // 2)


def test_where_a_patch_is_gold_pointing_is_what_the_scoreboard_counts() -> None:
    rng = np.random.default_rng(5)
    gold = rng.choice(ROW**2, COUNT, p=rng.dirichlet(np.ones(ROW**2)))
    traces = []
    for at in gold:
        weights = rng.dirichlet(np.full(ROW**2, 0.5), (1, HEADS[1], 2))
        weights[0, 1, 1, at] += rng.random()
        weights /= weights.sum(axis=-1, keepdims=True)
        traces.append(Trace.from_weights(weights, kind="cross"))
    board = regard.scoreboard(
        regard.collect_answers(traces, [[("it", "cross", 1, int(at))] for at in gold])
    ).iloc[0]
    placed = [regard.place(seen, PATCHES, images=PIXELS) for seen in traces]
    row = by_measure(score_places(placed, [[("it", 1, PATCHES[at])] for at in gold]))["pointing"]
    for name in ("layer", "head", "chosen_share", "share", "low", "high", "count"):
        assert row[name] == pytest.approx(board[name]), name
    assert row["fixed_share"] == pytest.approx(board["offset_share"])


def test_heads_that_know_nothing_yield_findings_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(0)
    tries = 60
    found = 0
    for seed in range(tries):
        gold = gold_of(rng, 40)
        traces = traces_of(rng, [0] * 40, share=0)
        found += bool(score_places(traces, gold, least=10, seed=seed)["finding"].any())
    assert found / tries <= 0.05


def test_what_cannot_be_scored_is_said() -> None:
    traces, gold = planted(1, 0.5)
    with pytest.raises(ValueError, match="No name comes 500 times in both halves of the 160"):
        score_places(traces, gold, least=500)
    traces, gold = planted(1, 0.5)
    with pytest.raises(ValueError, match="after 10 there are no more untrained"):
        score_places(traces, gold, untrained=traces_of(np.random.default_rng(0), [0] * 10, 0))
    with pytest.raises(ValueError, match="A level lies between 0 and 1"):
        score_places(traces, gold, level=95)
    with pytest.raises(TypeError, match="untrained are one for each sentence"):
        score_places(traces, gold, untrained=next(planted(1, 0.5)[0]))  # type: ignore[arg-type]


def test_names_are_chosen_for_apart() -> None:
    rng = np.random.default_rng(0)
    gold = [[*look, ("left", 0, Box(0, 0, 0, 4, 12))] for look in gold_of(rng)]
    table = score_places(traces_of(rng, [0] * COUNT, share=0.2), gold)
    assert sorted(table["name"]) == ["it", "it", "left", "left"]
    assert table["p_value"].between(0, 1).all()
