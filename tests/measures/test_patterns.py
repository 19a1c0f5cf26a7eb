"""Planted heads score 1, and every measure equals a plain loop and TransformerLens."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from regard.measures.patterns import MEASURES, PATTERNS, Measure, Pattern, score_patterns
from regard.record.layers import ScoredLayer, WeighedLayer
from regard.record.trace import Trace
from regard.record.words import Side

TOKENS = ["[CLS]", "a", "b", "c", "a", "b", "b", "a", "[SEP]"]
SPECIAL = {0, 8}


def reads(pattern: Pattern, query: int, key: int) -> bool:
    """Say whether a query should read a key."""
    repeated = any(TOKENS[at] == TOKENS[query] and at + 1 == key for at in range(query))
    return {
        "previous": key == query - 1,
        "next": key == query + 1,
        "same": key == query,
        "first": key == 0,
        "special": key in SPECIAL,
        "duplicate": key < query and TOKENS[key] == TOKENS[query],
        "induction": repeated,
    }[pattern]


def wanted(pattern: Pattern) -> np.ndarray:
    size = range(len(TOKENS))
    return np.array([[reads(pattern, q, k) for k in size] for q in size])


def trace_of(weights: torch.Tensor) -> Trace:
    """Give a trace of one layer of these heads: (h, N, N)."""
    side = Side(TOKENS, [at in SPECIAL for at in range(len(TOKENS))])
    layers = {"encoder": {0: WeighedLayer("encoder", weights)}}
    return Trace(side, Side(), [], layers, {"encoder": 1})  # type: ignore[arg-type]


def random_weights() -> torch.Tensor:
    scores = torch.randn(3, len(TOKENS), len(TOKENS), generator=torch.Generator().manual_seed(0))
    return (2 * scores).softmax(-1)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_planted_head_scores_one_and_no_other_does(pattern: Pattern) -> None:
    """Build queries and keys whose softmax follows the pattern, as a model would compute it."""
    target = torch.from_numpy(wanted(pattern)).float()
    target[target.sum(-1) == 0, 1] = 1  # a query without an answer reads something
    last = target.size(-1) - 1 - target.flip(-1).argmax(-1)
    query = 200 * torch.nn.functional.one_hot(last, target.size(-1)).float()
    layer = ScoredLayer("encoder", query[None], torch.eye(len(TOKENS))[None], None, 1.0)
    seen = trace_of(random_weights())
    seen.layers["encoder"][1] = layer
    table = score_patterns(seen)
    assert table[pattern].tolist()[-1] == 1
    assert (table[pattern].iloc[:-1] < 0.9).all()


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("block", [2**20, 1])  # all rows at once, or one by one
def test_every_measure_equals_plain_loops(
    measure: Measure, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regard.record.streams.BLOCK_BYTES", block)
    weights = random_weights()
    table = score_patterns(trace_of(weights), measure)
    for head, matrix in enumerate(weights.numpy().astype(float)):
        for pattern in PATTERNS:
            target = wanted(pattern)
            asked = [query for query in range(len(target)) if target[query].any()]
            expected = {
                "share": sum(matrix[q][target[q]].sum() for q in asked) / len(asked),
                "mul": (matrix * target).sum() / matrix.sum(),
                "abs": 1 - np.abs(matrix - target).mean() * len(target),
            }[measure]
            assert table.loc[head, pattern] == pytest.approx(expected, abs=1e-6)


def test_a_text_without_repetition_says_nothing_about_it() -> None:
    (row,) = score_patterns(Trace.from_weights(torch.eye(3), list("abc"))).to_dict("records")
    assert math.isnan(row["duplicate"])
    assert math.isnan(row["induction"])
    assert math.isnan(row["special"])
    assert row["same"] == 1


def test_what_has_no_patterns() -> None:
    seen = trace_of(random_weights())
    with pytest.raises(ValueError, match="no measure 'sum': choose from"):
        score_patterns(seen, "sum")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="of self-attention, but this trace has only"):
        score_patterns(Trace.from_weights(torch.eye(3), kind="cross"))
    fewer = Trace(Side.of_names("ab"), Side(), [], seen.layers, seen.counts)
    with pytest.raises(ValueError, match="attends from 9 to 9 places, but there are 2 tokens"):
        score_patterns(fewer)


@pytest.mark.parametrize("pattern", ["previous", "duplicate", "induction"])
@pytest.mark.parametrize("measure", ["mul", "abs"])
def test_scores_are_those_of_transformer_lens(pattern: Pattern, measure: Measure) -> None:
    detector = pytest.importorskip(
        "transformer_lens.head_detector", reason="TransformerLens is not installed"
    )
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(9, (1, 24), generator=generator)
    scores = 2 * torch.randn(2, 4, 24, 24, generator=generator)
    weights = scores.masked_fill(torch.ones(24, 24).triu(1).bool(), -math.inf).softmax(-1)
    shape = SimpleNamespace(n_layers=2, n_heads=4, n_ctx=32, device="cpu", dtype=torch.float32)
    theirs = detector.detect_head(
        SimpleNamespace(cfg=shape, to_tokens=lambda _: ids),
        "",
        f"{pattern}_head" if pattern == "induction" else f"{pattern}_token_head",
        cache={("pattern", layer, "attn"): weights[layer] for layer in range(2)},
        error_measure=measure,
    )
    seen = Trace.from_weights(weights, [str(i) for i in ids[0].tolist()], kind="decoder")
    ours = score_patterns(seen, measure)[pattern].to_numpy().reshape(2, 4)
    rounding = 5e-4 if measure == "abs" else 0  # theirs is rounded to three digits
    difference = np.abs(ours - theirs.numpy()).max()
    assert difference < rounding + 1e-6
    assert theirs.std() > 1e-3
