"""A trace answers from queries and keys as from weights; merging and saving lose nothing."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close
from transformers import PreTrainedTokenizerFast
from transformers.modeling_outputs import Seq2SeqModelOutput

from regard.model.transformer import Transformer
from regard.record import streams as streams_module
from regard.record.layers import EVERYTHING, GroupedLayer, ScoredLayer, WeighedLayer
from regard.record.streams import blocks
from regard.record.trace import Trace
from regard.record.words import Side, Word, side_from
from regard.tracing.run import trace


def random_weights(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).softmax(-1)


@st.composite
def scored_layers(draw: st.DrawFn) -> ScoredLayer:
    """Draw sizes, grouped heads, masks and biases."""
    groups, shared = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    num_queries, num_keys, d_k = (draw(st.integers(1, 6)) for _ in range(3))
    random = torch.Generator().manual_seed(draw(st.integers(0, 999)))

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    heads = groups * shared
    sides = draw(st.sampled_from([(1, 1), (heads, 1), (1, num_queries), (heads, num_queries)]))
    return ScoredLayer(
        "encoder",
        drawn(heads, num_queries, d_k),
        drawn(groups, num_keys, d_k),
        drawn(groups, num_keys, d_k),
        scale=d_k**-0.5,
        allowed=draw(st.sampled_from([None, drawn(*sides, num_keys) > -0.5])),
        bias=draw(st.sampled_from([None, drawn(*sides, num_keys)])),
        is_causal=draw(st.booleans()),
    )


@given(scored_layers())
def test_weights_are_those_of_torch(layer: ScoredLayer) -> None:
    heads, num_queries, num_keys = layer.shape
    allowed = torch.ones(heads, num_queries, num_keys, dtype=torch.bool)
    allowed = allowed.tril() if layer.is_causal else allowed
    allowed = allowed if layer.allowed is None else allowed & layer.allowed
    mask = torch.zeros(heads, num_queries, num_keys, dtype=torch.float64)
    mask = mask if layer.bias is None else mask + layer.bias
    mask = mask.masked_fill(~allowed, -torch.inf)
    key = layer.key.repeat_interleave(heads // layer.key.size(0), dim=0)
    identity = torch.eye(num_keys, dtype=torch.float64).expand(heads, -1, -1)
    expected = F.scaled_dot_product_attention(layer.query, key, identity, attn_mask=mask)
    expected = expected.nan_to_num(0.0) * allowed.any(-1, keepdim=True)
    assert_close(layer.weigh().double(), expected, atol=1e-5, rtol=0)
    assert_close(layer.weigh(slice(1, 2), slice(1, 3)), layer.weigh()[1:2, 1:3])


def test_blocks_give_all_rows_once(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = WeighedLayer("encoder", random_weights(2, 7, 3))
    monkeypatch.setattr(streams_module, "BLOCK_BYTES", 2 * 3 * 4 * 3)  # three queries
    parts = list(blocks(layer))
    assert [(rows.start, rows.stop) for rows, _ in parts] == [(0, 3), (3, 6), (6, 7)]
    assert torch.equal(torch.cat([weights for _, weights in parts], dim=1), layer.weights)


def test_groups_sum_keys_and_average_queries() -> None:
    weights = random_weights(2, 4, 5)
    layer = GroupedLayer(WeighedLayer("cross", weights), [[1], [2, 3]], [[0, 1], [4], [2]])
    rows = torch.stack([weights[:, 1], weights[:, 2:4].mean(1)], dim=1)
    expected = torch.stack([rows[..., :2].sum(-1), rows[..., 4], rows[..., 2]], dim=-1)
    assert_close(layer.weigh(), expected)
    assert_close(layer.weigh(slice(1, 2), slice(1, 2)), expected[1:, 1:])
    assert layer.shape == (2, 2, 3)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_rows_of_words_still_sum_to_one(numbers: list[int]) -> None:
    side = Side(
        [f"##{i}" for i in range(len(numbers))],
        [False] * len(numbers),
        [Word(number, f"w{number}") for number in numbers],
    )
    layer = WeighedLayer("encoder", random_weights(3, len(numbers), len(numbers)))
    seen = Trace(side, Side(), [], {"encoder": {0: layer}}, {"encoder": 1})
    merged = seen.merge_words()
    assert np.allclose(merged.weights(0).sum(-1), 1, atol=1e-5)
    changes = sum(a != b for a, b in pairwise(numbers))
    assert len(merged.tokens) == 1 + changes
    assert merged.whole is seen


def test_what_is_hidden_is_told() -> None:
    side = Side(["[CLS]", "dog", "[SEP]"], [True, False, True])
    layer = WeighedLayer("encoder", torch.tensor([[[1, 0, 0], [0.5, 0.2, 0.3], [0, 0, 1.0]]]))
    seen = Trace(side, Side(), [], {"encoder": {0: layer}}, {"encoder": 1})
    shown = seen.hide()
    assert shown.tokens == ["dog"]
    assert shown.hidden_share(0, 0) == pytest.approx(0.8)
    assert seen.hidden_share(0, 0) == 0
    assert seen.hide(special=False) is seen


def test_tokens_of_unknown_words_are_not_merged() -> None:
    with pytest.raises(ValueError, match="not known which tokens are of one word"):
        Trace.from_weights([[1.0]], ["dog"]).merge_words()


@pytest.mark.parametrize(
    "weights",
    [
        random_weights(4, 4).numpy(),
        random_weights(2, 4, 4),
        random_weights(3, 2, 4, 4).numpy(),
        tuple(random_weights(1, 2, 4, 4, seed=i) for i in range(3)),
        [None, random_weights(2, 4, 4)],
    ],
    ids=["matrix", "heads", "layers", "attentions", "a layer without"],
)
def test_weights_that_are_there_already(weights: Any) -> None:
    seen = Trace.from_weights(weights, tokens=list("abcd"))
    last = seen.num_layers - 1
    expected = weights[last] if isinstance(weights, list | tuple) else weights
    expected = np.asarray(expected).reshape(-1, seen.num_heads, 4, 4)[-1]
    assert np.allclose(seen.weights(last), expected)
    assert seen.labels() == (list("abcd"), list("abcd"))


def test_cross_attention_has_two_sides() -> None:
    weights = random_weights(2, 3, 4)
    seen = Trace.from_weights(weights, list("abcd"), target_tokens=list("xyz"), kind="cross")
    assert seen.labels() == (list("xyz"), list("abcd"))
    assert Trace.from_weights(weights, kind="cross").labels() == (list("012"), list("0123"))


@pytest.mark.parametrize(
    ("weights", "tokens", "message"),
    [
        (None, None, "no attention weights. .*under sdpa.*regard.trace"),
        ((), None, "no attention weights"),
        (random_weights(2, 2, 3, 3), ["a", "b"], "tokens has 2 tokens, but the weights have 3"),
        ([random_weights(2, 2, 3, 3)], None, "layer 0 are of 2 sentences: pass those of one"),
        ([[1.0, np.nan]] * 2, None, "layer 0 are not all finite"),
        ([[-1.0, 2.0]] * 2, None, "not all finite and at least 0"),
        ([[3.0, 1.0]] * 2, None, "rows of layer 0 sum to 4 to 4, not to 1"),
        (random_weights(2, 3, 4), None, '3 rows and 4 columns: pass kind="cross"'),
        (torch.ones(1), None, re.escape("layer 0 are (1,), but must be (h, Q, K)")),
    ],
)
def test_bad_weights_are_explained(weights: Any, tokens: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Trace.from_weights(weights, tokens)


@pytest.mark.parametrize(
    ("weights", "tokens", "message"),
    [
        ("a text", None, r"in rows of one length, .* but got 'a text' \(str\): pass a tensor"),
        ({"a": 1}, None, "Attention weights are numbers .* but got {'a': 1} "),
        ([[1.0], [0.5, 0.5]], None, "Attention weights are numbers in rows of one length"),
        ([[[1.0], [0.5, 0.5]]], None, "Attention weights are numbers in rows of one length"),
        (
            Seq2SeqModelOutput(torch.ones(1, 2, 3)),
            None,
            "all that a model returned: pass its `.cross_attentions` or its `.decoder_attentions`",
        ),
        (np.eye(2), "ab", r"tokens is a list .* but got 'ab' \(str\): pass such as"),
        (np.eye(2), 2, r"tokens is a list with a name for each token, but got 2 \(int\)"),
    ],
)
def test_what_is_no_weights_and_no_names_is_said(weights: Any, tokens: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Trace.from_weights(weights, tokens)
    with pytest.raises(TypeError, match=r"A kind of attention is a text, but got 5 \(int\)"):
        Trace.from_weights(np.eye(2), kind=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", ["a", 0.0, True, None, np.array([0, 1])])
def test_a_layer_and_a_head_are_whole_numbers(asked: Any, seen: Trace) -> None:
    with pytest.raises(TypeError, match="layer, counted from 0, is a whole number, but got"):
        seen.weights(asked, 0)
    if asked is not None:  # which means all
        with pytest.raises(TypeError, match="head, counted from 0, is a whole number, but got"):
            seen.weights(0, asked)


def test_whole_numbers_of_numpy_and_torch_are_some(seen: Trace) -> None:
    numbers: list[Any] = [(np.int64(1), np.uint8(2)), (torch.tensor(1), torch.tensor(2))]
    for layer, head in numbers:
        assert np.array_equal(seen.weights(layer, head), seen.weights(1, 2))


@pytest.fixture
def seen(model: Transformer, tokenizer: PreTrainedTokenizerFast) -> Trace:
    return trace("the cow saw it .", model, tokenizer, target="la vaca elo vedava .")


def test_a_saved_trace_is_read_back_without_a_model(seen: Trace, tmp_path: Path) -> None:
    path = tmp_path / "trace.safetensors"
    seen.save(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    back = Trace.load(path)
    assert back.kinds == seen.kinds
    for kind in seen.kinds:
        assert back.labels(kind=kind) == seen.labels(kind=kind)
        for layer in range(2):
            assert np.array_equal(back.weights(layer, kind=kind), seen.weights(layer, kind=kind))
    assert back.origin == seen.origin
    assert back.origin["code"].startswith("regard.trace('the cow saw it .', model, tokenizer, tar")
    assert back.merge_words().tokens == seen.merge_words().tokens


def test_queries_and_keys_are_saved_not_weights(tmp_path: Path) -> None:
    query, key = torch.randn(2, 300, 4), torch.randn(1, 300, 4)
    layers = {i: ScoredLayer("decoder", query, key, None, 0.5, is_causal=True) for i in range(5)}
    side = Side.of_names([str(i) for i in range(300)])
    seen = Trace(side, Side(), [], {"decoder": dict(layers)}, {"decoder": 5})
    seen.save(tmp_path / "x")
    assert (tmp_path / "x").stat().st_size < 100_000  # the weights would take 3.6 MB
    assert np.array_equal(Trace.load(tmp_path / "x").weights(4), seen.weights(4))


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no trace")
    with pytest.raises(ValueError, match=r"text cannot be read as a trace .* no file that `seen"):
        Trace.load(tmp_path / "text")
    with pytest.raises(ValueError, match=r"is a folder: name a file that `seen\.save"):
        Trace.load(tmp_path)
    with pytest.raises(ValueError, match=r"none is not there: name a file that `seen\.save"):
        Trace.load(str(tmp_path / "none"))
    with pytest.raises(TypeError, match=r"is the path of a file, but got 5 \(int\)"):
        Trace.load(5)  # type: ignore[arg-type]
    save_file({"x": torch.ones(1)}, tmp_path / "other", {"format": json.dumps("pt")})
    with pytest.raises(ValueError, match="no trace that this version reads: its format is"):
        Trace.load(tmp_path / "other")


def test_a_trace_is_saved_to_a_file(tmp_path: Path) -> None:
    seen = Trace.from_weights([[1.0]])
    with pytest.raises(ValueError, match="is a folder: name a file in it, such as"):
        seen.save(tmp_path)
    with pytest.raises(TypeError, match=r"is the path of a file, but got a Trace"):
        seen.save(seen)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_to_xarray_names_every_dimension(seen: Trace) -> None:
    pytest.importorskip("xarray")
    array = seen.to_xarray("cross")
    assert array.dims == ("kind", "layer", "head", "query", "key")
    assert array.sel(layer=1, head=2).shape == (1, 6, 6)
    assert np.array_equal(
        array.sel(kind="cross", layer=1, head=2), seen.weights(1, 2, kind="cross")
    )
    assert list(array.coords["key_token"].to_numpy()) == seen.source_tokens
    assert str(array.coords["kind"].item()) == "cross"


def test_words_are_merged_alike_before_and_after_tokens_are_hidden() -> None:
    weights = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0)).softmax(-1)
    words = [None, Word(0, "cows"), Word(0, "cows"), Word(1, "saw"), None]
    side = Side(["<s>", "cow", "·s", "saw", "</s>"], [True, False, False, False, True], words)
    seen = replace(Trace.from_weights(weights), source=side)
    first, last = seen.merge_words().hide(), seen.hide().merge_words()
    assert first.tokens == last.tokens == ["cows", "saw"]
    assert np.allclose(first.weights(0), last.weights(0), atol=1e-6)
    by_hand = weights[:, 1:3, 3].mean(dim=1)
    assert np.allclose(first.weights(0)[:, 0, 1], by_hand, atol=1e-6)


def test_sides_that_were_saved_without_ids_are_read() -> None:
    old = side_from({"tokens": ["Ġa", "b"], "special": [False, False], "words": None})
    assert (old.tokens, old.ids) == (["Ġa", "b"], None)
    assert old.told_apart == ["Ġa", "b"]


def test_sides_are_parted_and_put_together() -> None:
    side = Side(["a", "b"], [True, False], [None, Word(0, "b")], [5, 6])
    assert side.part(slice(1)).followed_by(side.part(slice(1, None))) == side
    assert side.followed_by(Side(["c"], [False])) == Side(["a", "b", "c"], [True, False, False])


def test_a_long_head_is_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No block is larger than it may be, and all together they are the matrix."""
    torch.manual_seed(0)
    query, key = torch.randn(2, 50, 8), torch.randn(2, 50, 8)
    blocks: list[int] = []

    class Noted(ScoredLayer):
        def weigh(self, heads: slice = EVERYTHING, rows: slice = EVERYTHING) -> Tensor:
            weights = super().weigh(heads, rows)
            blocks.append(weights.numel() * weights.element_size())
            return weights

    layer = Noted("decoder", query, key, None, 8**-0.5, is_causal=True)
    seen = Trace.from_weights(torch.eye(50)[None, None])
    seen = replace(seen, layers={"decoder": {0: layer}}, counts={"decoder": 1})
    monkeypatch.setattr(streams_module, "BLOCK_BYTES", 4 * 50 * 7)
    scores = (query @ key.mT).double() * 8**-0.5
    true = scores.masked_fill(torch.ones(50, 50).triu(1).bool(), -torch.inf).softmax(-1)
    np.testing.assert_allclose(seen.weights(0, 1), true[1], atol=1e-6)
    assert len(blocks) == 8
    assert max(blocks) <= 4 * 50 * 7
    np.testing.assert_allclose(seen.weights(0), true, atol=1e-6)


def test_weights_that_were_turned_round_are_taken() -> None:
    """What NumPy looks at backwards, torch refuses to take."""
    weights = np.array([[1.0, 0.0], [0.25, 0.75]], dtype=np.float32)
    turned = Trace.from_weights(weights[::-1, ::-1])
    assert turned.weights(0, 0).tolist() == [[0.75, 0.25], [0.0, 1.0]]


def test_where_all_is_hidden_nothing_is_left() -> None:
    seen = Trace.from_weights(np.eye(2)[None, None], tokens=["a", "b"])
    special = replace(seen.source, special=[True, True])
    hidden = replace(seen, source=special, target=Side()).hide()
    assert hidden.weights(0, 0).shape == (0, 0)
