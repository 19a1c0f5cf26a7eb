"""What every head answers, against plain loops over the weights."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.evidence.answers import IS_READ, READS, collect_answers
from regard.evidence.readings import Reading
from regard.evidence.strongest import most_read, strongest_keys
from regard.record.layers import Layer, WeighedLayer
from regard.record.trace import Trace
from regard.record.words import Side
from tests.reactions import REACTIONS, installed_folder, shares_of_heads

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
            given = answers.weights(np.array([row]), "encoder")[0, number]
            assert given == pytest.approx(matrix[at], rel=1e-3)


def test_cross_attention_is_asked_in_one_direction_and_may_read_its_own_place() -> None:
    weights = torch.tensor([[[[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]]])
    gold = [("a", "cross", 0, 0), ("a", "cross", 1, 1)]
    table = collect_answers([trace_of(weights, "cross")], [gold]).per_head()
    assert table.drop(columns="weight").to_numpy().tolist() == [["a", "cross", READS, 0, 0, 0.5, 2]]
    assert table["weight"].item() == pytest.approx((0.7 + 0.2) / 2, abs=1e-3)


def test_what_goes_to_itself_and_to_special_tokens_is_no_answer() -> None:
    """A head that rests on [SEP] reads the word that gets most of the rest, with little weight."""
    rests = torch.tensor([[[[0.1, 0.2, 0.7], [0.3, 0.0, 0.7], [0.0, 0.0, 1.0]]]])
    gold = [("a", "encoder", 0, 1), ("a", "encoder", 1, 0)]
    table = collect_answers([trace_of(rests, special=frozenset([2]))], [gold]).per_head()
    reads = table[table["direction"] == READS]
    assert (reads["share"].item(), reads["weight"].item()) == (1, pytest.approx(0.25, abs=1e-3))
    assert rests[0, 0].argmax(dim=-1).tolist() == [2, 2, 2]


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
    parts = collect_answers([trace_of(weights)], [gold])
    assert np.array_equal(parts.bits, whole.bits)
    assert np.array_equal(parts.gold_weights, whole.gold_weights)
    excluded = torch.zeros(6, 6, dtype=torch.bool)
    layers = list(trace_of(weights).layers["encoder"].values())
    found = strongest_keys(layers, excluded, both=True)
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


def test_a_missing_gold_list_or_trace_is_an_error() -> None:
    seen = trace_of(random_weights(0, 1, 1, 3, 3))
    with pytest.raises(ValueError, match=r"but gold ends after 0 and traces does not: pass both"):
        collect_answers([seen], [])
    with pytest.raises(ValueError, match=r"but traces ends after 1 and gold does not: pass both"):
        collect_answers(iter([seen]), [[], []])


def test_readings_of_a_kind_that_a_trace_lacks_are_left_out() -> None:
    gold = [[("a", "cross", 7, 7), ("b", "encoder", 0, 1)]]
    answers = collect_answers([trace_of(random_weights(0, 1, 1, 3, 3))], gold)
    assert set(answers.readings["name"]) == {"b"}


@pytest.mark.parametrize(
    ("gold", "error", "message"),
    [
        ([("it", "encoder", 2, 1)], ValueError, "in a list for each sentence, but got 'it'"),
        ([5], TypeError, r"gold of a sentence is a list of readings.*but got 5 \(int\)"),
        (["it"], TypeError, "gold of a sentence is a list of readings.*but got 'it'"),
        ([[("it", "encoder", "dog", 1)]], TypeError, "query of the gold reading 'it', .*'dog'"),
        ([[("it", "encoder", 2, True)]], TypeError, "key of the gold reading 'it', .*got True"),
        ([[("it", "encoder", 2, 1.0)]], TypeError, "key of the gold reading 'it', .*got 1.0"),
        ([[(7, "encoder", 2, 1)]], TypeError, r"name of a gold reading is a text, but got 7 \("),
    ],
)
def test_gold_of_a_wrong_shape(gold: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        collect_answers([trace_of(random_weights(0, 1, 1, 3, 3))], gold)


def test_one_trace_is_no_list_of_traces() -> None:
    seen: Any = trace_of(random_weights(0, 1, 1, 3, 3))
    with pytest.raises(TypeError, match=r"traces are one for each sentence, .*such as \[seen\]"):
        collect_answers(seen, [[]])


def test_integers_of_numpy_are_positions() -> None:
    gold: Any = [[("it", "encoder", np.int64(2), np.int32(1))]]
    answers = collect_answers([trace_of(random_weights(0, 1, 1, 3, 3))], gold)
    assert answers.readings["offset"].tolist() == [-1, -1]


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


def causal(size: int) -> torch.Tensor:
    """Give the weights of heads that read no later word: (layers, h, N, N)."""
    return random_weights(4, 2, 3, size, size).tril() + 1e-3 * torch.eye(size)


def test_what_a_causal_mask_forbids_is_not_asked() -> None:
    gold = [("back", "decoder", 3, 1), ("on", "decoder", 1, 3)]
    answers = collect_answers([trace_of(causal(4), "decoder")], [gold])
    rows = answers.readings[["name", "direction", "query", "offset"]].to_numpy().tolist()
    assert rows == [["back", READS, 3, -2], ["on", IS_READ, 1, 2]]
    back, on = answers.right(np.arange(2), "decoder")
    weights = causal(4).reshape(6, 4, 4)
    assert back.tolist() == [int(of[3, :3].argmax()) == 1 for of in weights]
    assert on.tolist() == [int(of[2:, 1].argmax()) == 1 for of in weights]


def test_a_decoder_that_reads_ahead_is_asked_in_both_directions() -> None:
    gold = [("back", "decoder", 3, 1), ("on", "decoder", 1, 3)]
    seen = trace_of(random_weights(0, 1, 1, 4, 4), "decoder")
    assert len(collect_answers([seen], [gold]).readings) == 4


def sink(size: int) -> Trace:
    """Let every word give most to the first, and the rest to the word before."""
    before = torch.eye(size).roll(-1, dims=1).tril()
    first = torch.zeros(size, size)
    first[:, 0] = 1
    return trace_of((0.2 * before + 0.8 * first)[None, None], "decoder")


def test_a_sink_is_told_and_can_be_left_out() -> None:
    gold = [[("next", "decoder", at, at - 1) for at in range(1, 10)]] * 3
    with pytest.warns(UserWarning, match=r"100\.0% of all answers are the word at position 0"):
        whole = collect_answers([sink(10)] * 3, gold).per_head()
    assert whole["share"].tolist() == [1 / 9]
    left = collect_answers([sink(10)] * 3, gold, leave_out_first=True)  # a warning would fail
    assert left.per_head()["share"].tolist() == [1]
    assert left.readings["query"].tolist() == list(range(2, 10)) * 3


def test_short_sentences_are_no_sinks() -> None:
    gold = [[("next", "encoder", 0, 1)]] * 3
    collect_answers([trace_of(random_weights(0, 1, 1, 2, 2))] * 3, gold)  # a warning would fail


@pytest.mark.parametrize("special", [frozenset[int](), frozenset([0, 4])])
def test_what_is_read_most_is_what_answers_count(special: frozenset[int]) -> None:
    """One definition: of other words, no special tokens."""
    seen = trace_of(random_weights(5, 2, 3, 5, 5), special=special)
    words = [at for at in range(5) if at not in special]
    gold = [("it", "encoder", q, k) for q in words for k in words if q != k]
    answers = collect_answers([seen], [gold])
    right = answers.right(np.arange(len(gold)), "encoder")
    for number, place in enumerate(answers.heads["encoder"]):
        found = most_read(seen, *place)
        assert [found[q] == k for _, _, q, k in gold] == right[:, number].tolist()
        assert all(found[at] is None for at in special)


def test_what_is_read_most_of_a_head_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="head"):
        most_read(trace_of(random_weights(0, 1, 1, 3, 3)), 0, 1)
