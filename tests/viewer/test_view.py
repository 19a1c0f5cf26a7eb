import base64
import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
import traitlets
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerBase

import regard
from regard.model.transformer import Transformer
from regard.record.kinds import Head
from regard.record.trace import Trace
from regard.record.words import Word
from regard.viewer.packing import FEW, PackedHead, look_over, pack_head, pack_meta, rounding
from regard.viewer.page import FRONT_END
from regard.viewer.replies import exact
from regard.viewer.widget import AttentionView, view

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "\"'`",
    "a\nb\r\tc",
    "\u202egnp.exe \u05e9\u05dc\u05d5\u05dd",
    "😀👩\u200d👩\u200d👧",
    "e\u0301\u0301\u0301",
    "x" * 10_000,
    "",
    '=HYPERLINK("http://x")',
    "\x00\ud800",
]


def random_weights(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    scores = np.random.default_rng(seed).normal(size=shape) * 3
    weights = np.exp(scores)
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)


def with_words() -> Trace:
    """Give a trace of which two words have several tokens and two tokens are special."""
    tokens = ["[CLS]", "the", "cow", "·s", "un", "·like", "·ly", "[SEP]"]
    seen = Trace.from_weights(random_weights(2, 3, 8, 8), tokens)
    words = [None, *(Word(*word) for word in ((0, "the"), (1, "cows"), (1, "cows")))]
    words += [*(Word(2, "unlikely") for _ in range(3)), None]
    special = [True, *([False] * 6), True]
    return replace(seen, source=replace(seen.source, words=words, special=special))


def hostile() -> Trace:
    return Trace.from_weights(random_weights(2, len(HOSTILE), len(HOSTILE)), HOSTILE)


@pytest.fixture
def seen(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> Trace:
    target = "a cat saw these cows"
    return regard.trace("the dog did not follow it .", model, tokenizer, target=target)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Catch what a view sends to its front end."""
    messages: list[Any] = []
    monkeypatch.setattr(AttentionView, "send", lambda _, *message: messages.append(message[0]))
    return messages


def ask(shown: AttentionView, what: str, question: dict[str, Any]) -> None:
    """Ask a view, as its front end would."""
    shown._answer(shown, {"ask": what, **shown.selection, **question}, [])  # noqa: SLF001


# the widget


def test_the_front_end_has_the_traits_of_the_class() -> None:
    contract = FRONT_END.parents[1] / "frontend" / "src" / "contract.ts"
    traits = contract.read_text("utf-8").split("interface Traits {")[1].split("}")[0]
    named = set(re.findall(r"^  (\w+): ", traits, re.MULTILINE))
    own = {name for name in AttentionView.class_own_traits(sync=True) if not name.startswith("_")}
    assert named == own


def test_every_head_arrives_within_the_rounding_that_is_said(seen: Trace) -> None:
    shown = view(seen)
    for kind in seen.kinds:
        for layer in seen.layers[kind]:
            for head in range(seen.num_heads):
                shown.select(layer, head, kind=kind)
                sent, truth = shown.weights, seen.weights(layer, head, kind=kind)
                assert {name: sent[name] for name in shown.selection} == shown.selection
                assert tuple(sent["pixels"]) == truth.shape
                packed = PackedHead(truth.shape, sent["scale"], sent["bytes"])
                assert np.abs(packed.weights - truth).max() <= rounding(sent["scale"])


@given(arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32)))
def test_no_weight_is_off_by_more_than_the_rounding(weights: Any) -> None:
    packed = PackedHead.of(weights)
    assert np.abs(packed.weights - weights).max() <= rounding(packed.scale) <= 1 / 254


@given(arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32)))
def test_of_few_steps_none_is_finer_than_small_weights_are_written(weights: Any) -> None:
    packed = PackedHead.of(weights, steps=FEW)
    assert np.abs(packed.weights - weights).max() <= rounding(packed.scale, FEW) <= 1 / 253
    assert rounding(packed.scale, FEW) >= 0.0005


def test_a_head_that_is_not_there_is_refused_in_words(seen: Trace) -> None:
    shown = view(seen)
    before = dict(shown.selection)
    for wrong in ({"head": 9}, {"layer": 9}, {"kind": "sideways"}):
        with pytest.raises(traitlets.TraitError, match=r"There is no|no head of this view"):
            shown.selection = before | wrong
        assert shown.selection == before
    for wrong in ({}, before | {"layer": []}, before | {"kind": {}}):
        with pytest.raises(traitlets.TraitError, match="no head of this view"):
            shown.selection = wrong
    for options in ({"head": 9}, {"layer": 9}, {"kind": "sideways"}):
        with pytest.raises((ValueError, traitlets.TraitError), match="There is no"):
            view(seen, **options)


def test_weights_are_viewed_as_a_trace_is() -> None:
    shown = view(random_weights(2, 3, 4, 4), ["a", "b", "c", "d"], layer=1, head=2)
    assert repr(shown) == "AttentionView: encoder self-attention, layer 1, head 2"
    crossed = view(np.eye(2)[None], ["a", "b"], target_tokens=["c", "d"], kind="cross")
    assert crossed.meta["sides"][0]["names"] == ["c", "d"]
    with pytest.raises(ValueError, match="its own tokens"):
        view(shown.trace, ["a", "b", "c", "d"])


def test_a_head_is_packed_once_when_it_is_shown(
    seen: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = []

    def noting(*head: Any) -> PackedHead:
        packed.append(head[1:])
        return pack_head(*head)

    monkeypatch.setattr("regard.viewer.replies.pack_head", noting)
    shown = AttentionView(seen, Head("cross", 1, 2))
    assert packed == [("cross", 1, 2)]
    shown.select(0, 1, kind="encoder")
    assert packed[1:] == [("encoder", 0, 1)]


def a_bert() -> BertModel:
    config = BertConfig(
        vocab_size=9,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
    )
    return BertModel._from_config(config, attn_implementation="eager").eval()  # noqa: SLF001


def test_what_is_neither_a_trace_nor_weights_is_said() -> None:
    model = a_bert()
    wrong: Any
    for wrong in (model, nn.Sequential(model), "the dog", ["the dog"], {"a": 1}):
        with pytest.raises(TypeError, match=r"weights are .*but got .*: pass .*"):
            view(wrong)
    with pytest.raises(TypeError, match=r"make a trace by `regard.trace\(sentence, model, tok"):
        view(model)


def test_of_what_a_model_returned_its_attentions_are_viewed() -> None:
    returned = a_bert()(torch.tensor([[1, 2, 3]]), output_attentions=True)
    with pytest.raises(TypeError, match=r"got a BaseModel.*: pass its `.attentions`"):
        view(returned)
    assert view(returned.attentions).trace.num_heads == 2


WRONG: Any = "x"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": WRONG}, r"layer, counted from 0, is a whole number, but got 'x' \(str\)"),
        ({"head": WRONG}, r"head, counted from 0, is a whole number, but got 'x' \(str\)"),
        ({"layer": True}, r"layer, counted from 0, is a whole number, but got True \(bool\)"),
        ({"head": 0.0}, r"head, counted from 0, is a whole number, but got 0.0 \(float\)"),
        ({"kind": 1}, r"kind of attention is a text, but got 1 \(int\)"),
    ],
)
def test_a_head_of_a_wrong_type_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        view(with_words(), **options)
    shown = view(with_words())
    before = dict(shown.selection)
    with pytest.raises(TypeError, match=message):
        shown.select(**{"layer": 0, "head": 0} | options)
    with pytest.raises(traitlets.TraitError, match=f"no head of this view.*{message}"):
        shown.selection = before | options
    assert shown.selection == before


def test_a_head_may_be_numbered_by_numpy() -> None:
    one: Any = np.int64(1)
    shown = view(with_words(), layer=one, head=one)
    shown.select(one - 1, one)
    assert json.dumps(shown.selection) == '{"kind": "encoder", "layer": 0, "head": 1}'
    shown.selection = {"kind": "encoder", "layer": np.int64(1), "head": np.int64(0)}
    assert json.dumps(shown.selection) == '{"kind": "encoder", "layer": 1, "head": 0}'


def test_tokens_are_a_list() -> None:
    for names in ({"tokens": "ab"}, {"tokens": 5}):
        with pytest.raises(TypeError, match="tokens is a list with a name for each token, but got"):
            view(np.eye(2), **names)
    with pytest.raises(TypeError, match=r"target_tokens is a list .* got 'ab' \(str\): pass such"):
        view(np.eye(2), ["a", "b"], target_tokens="ab", kind="cross")


def test_it_answers_with_the_exact_weight(sent: list[Any]) -> None:
    shown = view(with_words(), layer=1, head=2)
    asked = {"ask": "weight", **shown.selection, "queries": [4, 5, 6], "keys": [2, 3]}
    shown._answer(shown, asked, [])  # noqa: SLF001  as the front end would
    (answer,) = sent
    assert {name: answer[name] for name in asked} == asked
    merged = shown.trace.merge_words().weights(1, 2)  # rows: [CLS] the cows unlikely [SEP]
    assert answer["weight"] == pytest.approx(merged[3, 2], abs=1e-6)


def test_it_takes_a_weight_apart(seen: Trace, sent: list[Any]) -> None:
    shown = view(seen)
    ask(shown, "anatomy", {"queries": [2], "keys": [3]})
    (answer,) = sent
    found = answer["anatomy"]
    json.dumps(found, allow_nan=False)
    assert np.dot(found["query"], found["key"]) == pytest.approx(found["dot"], rel=1e-5)
    assert found["weight"] == pytest.approx(seen.weights(0, 0)[2, 3], abs=1e-6)
    ask(shown, "anatomy", {"kind": "decoder", "queries": [1], "keys": [2]})
    assert (sent[1]["anatomy"]["score"], sent[1]["anatomy"]["weight"]) == (None, 0)


@pytest.mark.parametrize(("words", "hide"), [(False, False), (True, True)])
def test_it_answers_with_a_table_of_what_is_shown(
    sent: list[Any], *, words: bool, hide: bool
) -> None:
    seen = with_words()
    ask(view(seen, layer=1, head=2), "table", {"look": {"words": words, "hide": hide}})
    table = pd.read_csv(StringIO(sent[0]["text"]))
    shown = seen.merge_words().hide() if words else seen
    exact = shown.weights(1, 2)
    assert table["weight"].to_numpy().reshape(exact.shape) == pytest.approx(exact, abs=1e-7)
    assert table["key"].tolist() == shown.tokens * len(shown.tokens)


def test_where_weights_are_all_there_is_it_says_why_not(sent: list[Any]) -> None:
    shown = view(with_words())
    ask(shown, "anatomy", {"queries": [0], "keys": [1]})
    assert "no queries and keys" in sent[0]["why_not"]


@pytest.mark.parametrize(
    "wrong",
    [{"layer": 7}, {"head": 7}, {"kind": "x"}, {"queries": []}, {"keys": [99]}, {"keys": None}],
)
def test_a_question_without_an_answer_becomes_a_message(
    wrong: dict[str, Any], sent: list[Any]
) -> None:
    shown = view(with_words())
    asked = {"ask": "weight", **shown.selection, "queries": [0], "keys": [0]}
    shown._answer(shown, asked | wrong, [])  # noqa: SLF001
    shown._answer(shown, {}, [])  # noqa: SLF001
    assert [message["answer"] for message in sent] == ["problem", "problem"]


def test_a_head_that_is_not_finite_is_a_message(sent: list[Any]) -> None:
    seen = with_words()
    seen.layers["encoder"][1].weights[2, 3, 4] = np.nan  # type: ignore[attr-defined]
    shown = view(seen)
    json.dumps(shown.meta, allow_nan=False)
    before = shown.weights
    shown.select(1, 2)
    assert shown.weights == before
    assert "not finite" in sent[0]["text"]
    with pytest.raises(ValueError, match="not finite"):
        view(seen, layer=1, head=2)


@pytest.fixture
def as_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take eight tokens for a long text."""
    monkeypatch.setattr("regard.viewer.packing.MOST_WEIGHTS", 63)
    monkeypatch.setattr("regard.viewer.packing.OVERVIEW", 4)
    monkeypatch.setattr("regard.viewer.replies.OVERVIEW", 4)
    monkeypatch.setattr("regard.viewer.page.OVERVIEW", 4)


@pytest.mark.usefixtures("as_map")
def test_a_head_that_no_browser_could_hold_is_a_map(sent: list[Any]) -> None:
    seen = with_words()
    shown = view(seen, layer=1, head=2)
    truth = seen.weights(1, 2)
    pooled = truth.reshape(4, 2, 4, 2).max(axis=(1, 3))
    assert shown.weights["pixels"] == (4, 4)
    packed = PackedHead((4, 4), shown.weights["scale"], shown.weights["bytes"])
    assert np.abs(packed.weights - pooled).max() <= rounding(packed.scale)
    assert shown.meta["sides"][0]["words"] is None
    ask(shown, "tile", {"part": [2, 5, 1, 5], "high": 3, "wide": 4})
    ask(shown, "strongest", {"role": "columns", "ats": [[1], [6]]})
    ask(shown, "weight", {"queries": [3], "keys": [4]})
    tile, strongest, weight = sent
    assert tile["pixels"] == (3, 4)
    sums = truth[:, 1] + truth[:, 6]
    assert strongest["sum"] == pytest.approx(sums.sum(), rel=1e-5)
    assert [at for at, _ in strongest["found"]] == np.argsort(-sums).tolist()
    assert weight["rank"] == 1 + (truth[3] > truth[3, 4]).sum()


@pytest.mark.usefixtures("as_map")
@pytest.mark.parametrize(
    "wrong", [{"part": [2, 2, 0, 1]}, {"part": [0, 9, 0, 1]}, {"part": None}, {"high": "x"}]
)
def test_a_tile_that_is_not_there_becomes_a_message(wrong: Any, sent: list[Any]) -> None:
    shown = view(with_words())
    asked = {"ask": "tile", **shown.selection, "part": [0, 8, 0, 8], "high": 4, "wide": 4}
    shown._answer(shown, asked | wrong, [])  # noqa: SLF001
    assert [message["answer"] for message in sent] == ["problem"]


def test_of_many_weights_only_the_heads_that_are_opened_are_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("regard.viewer.packing.MOST_AT_ONCE", 383)
    seen = with_words()
    shown = view(seen)
    assert not shown.meta["looked"]
    assert shown.meta["kinds"][0]["measures"] == {}
    shown.select(1, 2)
    tiles = np.frombuffer(shown.thumbnails, dtype=np.uint8).reshape(6, 8, 8)
    assert [bool(tile.any()) for tile in tiles] == [True, False, False, False, False, True]
    assert np.abs(tiles[5] / 255 - seen.weights(1, 2)).max() <= 0.5 / 255 + rounding(1)


def test_without_a_kernel_there_is_a_picture() -> None:
    bundle, _ = view(with_words())._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"].startswith("AttentionView: ")
    assert not plt.get_fignums()


def test_it_is_lines_of_text_in_a_terminal(tmp_path: Path) -> None:
    shown = view(with_words(), layer=1, head=2)
    text = str(shown)
    assert text.splitlines()[0] == "encoder self-attention, layer 1, head 2"
    strongest = shown.trace.tokens[int(shown.trace.weights(1, 2)[2].argmax())]
    assert strongest in next(line for line in text.splitlines() if line.startswith("2 "))
    shown.save(tmp_path / "x.txt")
    assert (tmp_path / "x.txt").read_text("utf-8") == text + "\n"


# what the front end is told


def test_a_lone_strong_link_stays_in_the_thumbnail() -> None:
    weights = np.full((1, 200, 100), 0.001, dtype=np.float32)
    weights[0, 131, 67] = 0.9
    seen = Trace.from_weights(weights / weights.sum(-1, keepdims=True), kind="cross")
    layer = seen.layers["cross"][0]
    pooled = look_over(layer, [0])
    assert pooled.shape == (1, 32, 32)
    row, column = np.unravel_index(pooled[0].argmax(), (32, 32))
    assert (row, column) == (131 * 32 // 200, 67 * 32 // 100)
    assert pooled.max() == pytest.approx(seen.weights(0, 0).max())
    meta, thumbnails = pack_meta(seen)
    assert len(thumbnails) == 32 * 32
    json.dumps(meta, allow_nan=False)


def test_what_is_streamed_in_blocks_is_pooled_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Trace.from_weights(random_weights(2, 50, 50)).layers["encoder"][0]
    whole = look_over(layer, [0, 1])
    monkeypatch.setattr("regard.record.streams.BLOCK_BYTES", 4 * 2 * 50 * 7)
    np.testing.assert_array_equal(look_over(layer, [0, 1]), whole)


def test_the_future_is_masked_and_nothing_else(seen: Trace) -> None:
    meta, _ = pack_meta(seen)
    spans = {
        kind["name"]: np.reshape(meta["spans"][kind["layers"][0]["spans"]], (-1, 2))
        for kind in meta["kinds"]
    }
    count = len(spans["decoder"])
    assert spans["decoder"].tolist() == [[0, at + 1] for at in range(count)]
    assert set(map(tuple, spans["cross"].tolist())) == {(0, len(seen.source_tokens))}


def test_words_special_tokens_and_measures_are_told() -> None:
    meta, _ = pack_meta(with_words())
    (side,) = meta["sides"]
    assert side["words"]
    assert side["words"]["names"] == ["[CLS]", "the", "cows", "unlikely", "[SEP]"]
    assert side["words"]["groups"] == [[0], [1], [2, 3], [4, 5, 6], [7]]
    assert side["special"] == with_words().source.special
    (kind,) = meta["kinds"]
    table = regard.measure_heads(with_words())
    assert kind["measures"]["entropy"] == pytest.approx(table["entropy"].tolist(), abs=1e-4)


def test_a_trace_without_its_special_tokens_says_so() -> None:
    assert not pack_meta(with_words())[0]["hidden"]
    assert pack_meta(with_words().hide())[0]["hidden"]
    assert not pack_meta(with_words().merge_words())[0]["hidden"]
    assert pack_meta(with_words().merge_words().hide())[0]["sides"][0]["words"] is None


def test_the_measures_are_those_of_the_heads_that_are_kept() -> None:
    meta, thumbnails = pack_meta(with_words(), layers=[1], heads=[0, 2])
    (kind,) = meta["kinds"]
    assert [(layer["number"], layer["heads"]) for layer in kind["layers"]] == [(1, [0, 2])]
    table = regard.measure_heads(with_words())
    wanted = table[(table["layer"] == 1) & table["head"].isin([0, 2])]["distance"]
    assert kind["measures"]["distance"] == pytest.approx(wanted.tolist(), abs=1e-4)
    assert len(thumbnails) == 2 * 8 * 8
    with pytest.raises(ValueError, match=r"Not all is there of layers=\[7\]"):
        pack_meta(with_words(), layers=[7])


def test_numbers_are_names_of_tokens_too() -> None:
    shown = view([[1.0, 0.0], [0.25, 0.75]], [1, 2])  # type: ignore[list-item]
    assert "2" in str(shown)


def test_an_exact_weight_is_that_of_the_trace() -> None:
    seen = with_words()
    row = seen.weights(1, 1)[3]
    found = exact(seen, Head("encoder", 1, 1), [3], [5])
    assert found["weight"] == pytest.approx(row[5])
    assert found["rank"] == 1 + sum(row > row[5])
