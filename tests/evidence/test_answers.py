"""What every head answers, against plain loops over the weights."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.reactions import REACTIONS, installed_folder, shares_of_heads
from regard.evidence import answers as answers_module
from regard.evidence.answers import IS_READ, READS, collect_answers
from regard.measures.weights import Reading
from regard.record.layers import Layer, WeighedLayer
from regard.record.trace import Trace
from regard.record.words import Side

RXNMAPPER = installed_folder()


def trace_of(
    weights: torch.Tensor, kind: str = "encoder", special: frozenset[int] = frozenset()
) -> Trace:
    """Give a trace of these weights: (layers, h, Q, K)."""
    queries, keys = weights.shape[2:]
    source = Side([str(i) for i in range(keys)], [i in special for i in range(keys)])
    target = Side.of_names(map(str, range(queries))) if kind == "cross" else Side()
    layers: dict[int, Layer] = {
        number: WeighedLayer(kind, layer) for number, layer in enumerate(weights)
    }
    return Trace(source, target, [], {kind: layers}, {kind: len(layers)})


def random_weights(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).softmax(-1)


def is_right(weights: np.ndarray, query: int, key: int, special: frozenset[int]) -> bool:
    """Ask one head for one reading, one key after the other; other words only."""
    others = [k for k in range(weights.shape[1]) if k != query and k not in special]
    best = max(others, key=lambda k: weights[query, k])
    return key == best


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(3, 7), st.sampled_from([0, 2]))
def test_both_directions_equal_plain_loops(seed: int, size: int, num_special: int) -> None:
    special = frozenset([0, size - 1][:num_special])
    words = [i for i in range(size) if i not in special]
    weights = random_weights(seed, 2, 3, size, size)
    rng = np.random.default_rng(seed)
    pairs = [(int(q), int(k)) for q in words for k in words if q != k and rng.random() < 0.5]
    gold: list[Reading] = [("it", "encoder", q, k) for q, k in pairs]
    answers = collect_answers([trace_of(weights, special=special)], [gold])
    for row, (direction, at) in enumerate([(d, pair) for d in (READS, IS_READ) for pair in pairs]):
        found = answers.right(np.array([row]), "encoder")[0]
        for number, (layer, head) in enumerate(answers.heads["encoder"]):
            matrix = weights[layer, head].numpy()
            matrix = matrix if direction == READS else matrix.T
            assert answers.readings["direction"][row] == direction
            assert found[number] == is_right(matrix, *at, special)


def test_cross_attention_is_asked_in_one_direction_and_may_read_its_own_place() -> None:
    weights = torch.tensor([[[[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]]])
    gold = [("a", "cross", 0, 0), ("a", "cross", 1, 1)]
    table = collect_answers([trace_of(weights, "cross")], [gold]).per_head()
    assert table.to_numpy().tolist() == [["a", "cross", READS, 0, 0, 0.5, 2]]


def test_who_reads_nothing_is_never_right() -> None:
    causal = torch.eye(3)[None, None]  # each reads itself, no other
    gold = [("a", "encoder", 1, 0), ("a", "encoder", 2, 0)]
    assert not collect_answers([trace_of(causal)], [gold]).per_head()["share"].any()


def test_sentences_are_pooled_and_offsets_are_signed() -> None:
    weights = random_weights(0, 1, 1, 4, 4)
    gold = [[("a", "encoder", 3, 1)], [], [("a", "encoder", 0, 1), ("b", "encoder", 1, 2)]]
    answers = collect_answers([trace_of(weights)] * 3, gold)
    assert answers.num_sentences == 3
    of_a = answers.readings[answers.readings["name"] == "a"]
    assert of_a["sentence"].tolist() == [0, 0, 2, 2]
    assert of_a["offset"].tolist() == [-2, -2, 1, 1]
    assert of_a["direction"].tolist() == [READS, IS_READ] * 2


def test_long_texts_are_read_some_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = random_weights(1, 2, 2, 6, 6)
    gold = [("a", "encoder", q, k) for q in range(6) for k in range(6) if q != k]
    whole = collect_answers([trace_of(weights)], [gold])
    monkeypatch.setattr("regard.record.streams.BLOCK_BYTES", 4 * 4 * 6 * 2)  # two rows
    assert np.array_equal(collect_answers([trace_of(weights)], [gold]).bits, whole.bits)
    excluded = torch.zeros(6, 6, dtype=torch.bool)
    layers = list(trace_of(weights).layers["encoder"].values())
    found = answers_module.strongest_keys(layers, excluded, both=True)
    assert torch.equal(found[1].view(2, 2, 6), weights.argmax(dim=2))


@pytest.mark.parametrize("position", [(3, 0), (0, 3), (-1, 0)])
def test_a_gold_position_outside_of_the_matrix(position: tuple[int, int]) -> None:
    message = f"'it' is at (query, key) = {position}, outside of the encoder attention"
    with pytest.raises(ValueError, match=re.escape(message)):
        collect_answers([trace_of(random_weights(0, 1, 1, 3, 3))], [[("it", "encoder", *position)]])


def test_no_word_of_a_sentence_answers_itself() -> None:
    with pytest.raises(ValueError, match="'it' lets the word at 1 read itself, but only other"):
        collect_answers([trace_of(random_weights(0, 1, 1, 3, 3))], [[("it", "encoder", 1, 1)]])


def test_models_of_two_shapes_are_told_apart() -> None:
    traces = [trace_of(random_weights(0, 1, heads, 3, 3)) for heads in (2, 3)]
    with pytest.raises(ValueError, match="sentence 1 has other layers or heads than before"):
        collect_answers(traces, [[], []])


def test_nothing_gives_an_empty_table() -> None:
    assert collect_answers([], []).per_head().empty
    assert collect_answers([trace_of(random_weights(0, 1, 1, 3, 3))], [[]]).per_head().empty


@pytest.mark.skipif(RXNMAPPER is None, reason="rxnmapper is neither installed nor on the path")
def test_the_published_head_maps_atoms_and_no_other_does() -> None:
    """Schwaller et al. (2021) name head 5 of the last layers: here it maps every atom."""
    assert RXNMAPPER is not None
    shares = shares_of_heads(RXNMAPPER)
    best = shares.iloc[0]
    assert (best["head"], best["share"]) == (5, 1)
    assert best["count"] == sum(len(reaction.mapping) for reaction in REACTIONS)
    assert shares[shares["head"] != 5]["share"].max() < 0.8


@pytest.mark.parametrize("reading", [("det", "self", 0, 1), ("det", 0, 1), "abcd", (0, 1)])
def test_a_reading_of_no_kind_is_refused(reading: Any) -> None:
    with pytest.raises(ValueError, match=r"A gold reading is \(name, kind, query, key\)"):
        collect_answers([Trace.from_weights([[0.0, 1.0], [1.0, 0.0]])], [[reading]])
