"""Two models are told apart where they differ, and not where they do not."""

from dataclasses import replace

import numpy as np
import pytest

from regard.evidence.answers import READS, Answers
from regard.evidence.board import scoreboard
from regard.evidence.duel import compare_answers
from tests.evidence.test_board import collected


def test_the_better_model_leads_by_what_its_head_has_more() -> None:
    better, worse = collected(1, 0.7), collected(2, 0.4)
    for first, second, sign in ((better, worse, 1), (worse, better, -1)):
        table = compare_answers(first, second, seed=5)
        row = table[table["direction"] == READS].iloc[0]
        boards = [scoreboard(of, seed=5).set_index("direction") for of in (first, second)]
        assert row["share"] == boards[0].loc[READS, "share"]
        assert row["other_share"] == boards[1].loc[READS, "share"]
        assert row["lead"] == pytest.approx(row["share"] - row["other_share"])
        assert row["lead_low"] < row["lead"] < row["lead_high"]
        assert row["finding"]
        assert np.sign(row["lead"]) == sign
        assert list(row[["layer", "head", "other_layer", "other_head"]]) == [1, 1, 1, 1]


def test_what_both_have_right_or_wrong_tells_nothing() -> None:
    """A model beside itself, but for ten sentences that each of two gets wrong."""
    model = collected(1, 0.7)
    at = model.readings["sentence"].to_numpy()
    others = [
        replace(model, bits=np.where((at // 10 == part)[:, None], 0, model.bits).astype(np.uint8))
        for part in (3, 9)
    ]
    table = compare_answers(*others, splits=4)
    assert not table["finding"].any()
    assert table["lead"].abs().max() < 0.05
    same = compare_answers(model, model)
    assert (same[["lead", "p_value"]] == [0, 1]).all(axis=None)


def test_models_that_are_alike_differ_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(0)
    model = collected(1, 0.7, sentences=60)
    found = 0
    for seed in range(300):
        pair = [random(model, rng) for _ in range(2)]
        found += bool(compare_answers(*pair, seed=seed)["finding"].any())
    assert found / 300 <= 0.05


def random(answers: Answers, rng: np.random.Generator) -> Answers:
    """Let the heads be right in half of all cases."""
    right = rng.random((len(answers.readings), 6)) < 0.5
    return replace(answers, bits=np.packbits(right, axis=1))


def test_what_cannot_be_compared() -> None:
    model = collected(1, 0.5, sentences=60)
    other = replace(model, readings=model.readings.assign(name="x"))
    with pytest.raises(ValueError, match="answered to different gold readings"):
        compare_answers(model, other)
    with pytest.raises(ValueError, match="answered to 50 sentences"):
        compare_answers(model, collected(1, 0.5, sentences=50))
    with pytest.raises(TypeError, match="other are answers of collect_answers"):
        compare_answers(model, "x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="No reading comes 500 times"):
        compare_answers(model, model, least=500)
