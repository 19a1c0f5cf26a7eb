import base64
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import traitlets
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.colors import to_rgb
from transformers import PreTrainedTokenizerBase
from typer.testing import CliRunner

import regard
from regard.cli import app
from regard.model.transformer import Transformer
from regard.pictures import style
from regard.record.kinds import Head
from regard.record.trace import Trace
from regard.record.words import Word
from regard.viewer.packing import PackedHead, look_over, pack_meta, rounding
from regard.viewer.page import FRONT_END, Choice, fingerprint, page_of, page_size
from regard.viewer.replies import exact
from regard.viewer.widget import AttentionView, view

SCRIPT = FRONT_END.read_text("utf-8")
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
    tokens = ["[CLS]", "the", "cow", "##s", "un", "##like", "##ly", "[SEP]"]
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


def saved_data(page: str) -> dict[str, Any]:
    found = re.search(r'id="regard-data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


# the widget


def test_the_front_end_has_the_traits_of_the_class() -> None:
    typedef = SCRIPT.split("@typedef {object} Traits")[1].split("*/")[0]
    named = set(re.findall(r"@property {.*?} (\w+)", typedef))
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
    assert np.abs(packed.weights - weights).max() <= rounding(packed.scale) <= 1 / 509


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
    ask(shown, "strongest", {"role": "columns", "ats": [1, 6]})
    ask(shown, "weight", {"queries": [3], "keys": [4]})
    tile, strongest, weight = sent
    assert tile["pixels"] == (3, 4)
    sums = truth[:, 1] + truth[:, 6]
    assert strongest["sum"] == pytest.approx(sums.sum(), rel=1e-5)
    assert [at for at, _ in strongest["found"]] == np.argsort(-sums)[:3].tolist()
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


def test_a_page_may_hold_fewer_pixels_than_weights(tmp_path: Path) -> None:
    shown = view(with_words(), layer=1)
    assert shown.page_size(pixels=4).startswith("6 heads of at most 8 x 8 weights as 4 x 4 pixels")
    shown.save(tmp_path / "x.html", pixels=4)
    scale, text, pixels = saved_data((tmp_path / "x.html").read_text("utf-8"))["heads"]["encoder"][
        "1"]["2"]  # fmt: skip
    packed = PackedHead(tuple(pixels), scale, zlib.decompress(base64.b64decode(text)))
    pooled = shown.trace.weights(1, 2).reshape(4, 2, 4, 2).max(axis=(1, 3))
    assert np.abs(packed.weights - pooled).max() <= rounding(scale)
    with pytest.raises(ValueError, match="0 pixels a side shows nothing"):
        Choice(pixels=0)


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


@pytest.mark.parametrize("options", [{"layers": [0, 9]}, {"heads": [1, 9]}])
def test_heads_that_are_there_in_part_are_refused(options: Any) -> None:
    with pytest.raises(ValueError, match="Not all is there"):
        view(with_words()).page_size(**options)


@pytest.mark.parametrize("name", ["x.png", "x.csv", "x.txt"])
def test_what_is_chosen_of_a_page_is_refused_elsewhere(name: str, tmp_path: Path) -> None:
    for options in ({"layers": [1]}, {"heads": [1]}, {"pixels": 4}):
        with pytest.raises(ValueError, match="are of a page"):
            view(with_words()).save(tmp_path / name, **options)
    view(with_words()).save(tmp_path / "new folder" / name)
    assert (tmp_path / "new folder" / name).is_file()


def test_numbers_are_names_of_tokens_too() -> None:
    shown = view([[1.0, 0.0], [0.25, 0.75]], [1, 2])  # type: ignore[list-item]
    assert "2" in str(shown)


def test_an_exact_weight_is_that_of_the_trace() -> None:
    seen = with_words()
    row = seen.weights(1, 1)[3]
    found = exact(seen, Head("encoder", 1, 1), [3], [5])
    assert found.weight == pytest.approx(row[5])
    assert found.rank == 1 + sum(row > row[5])


# the page


def test_a_page_is_of_one_piece_and_runs_only_its_own_script() -> None:
    page = page_of(hostile(), Head("encoder", 0, 1))
    assert page == page_of(hostile(), Head("encoder", 0, 1))
    assert page.count("</script>") == 2
    assert "<img" not in page
    assert "<!--" not in page
    assert not re.search(
        r"<[^>]*\b(src|href)=", re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    )
    script = page.split('<script type="module">')[1].split("</script>")[0]
    assert fingerprint(script) in page.split("</head>")[0]
    data = saved_data(page)
    assert data["meta"]["sides"][0]["names"] == HOSTILE
    assert data["selection"] == {"kind": "encoder", "layer": 0, "head": 1}


def test_a_page_says_where_it_comes_from(seen: Trace) -> None:
    data = saved_data(page_of(seen, Head("cross", 0, 0)))
    assert data["meta"]["origin"] == {"computed from": seen.how, **seen.origin}


@pytest.mark.parametrize("make", [with_words, hostile])
def test_the_size_that_is_said_is_not_exceeded(make: Callable[[], Trace]) -> None:
    page = page_of(make(), Head("encoder", 0, 0)).encode()
    most = float(page_size(make()).split()[-2])
    assert len(page) / 1e6 <= most + 0.05


def test_a_page_that_is_too_large_is_refused_before_it_is_made(tmp_path: Path) -> None:
    shown = view(with_words())
    path = tmp_path / "x.html"
    with pytest.raises(ValueError, match=r"6 heads of at most 8 x 8 .* layers=\[...\]"):
        shown.save(path, largest=1000)
    assert not path.exists()
    shown.save(path, layers=[1], heads=[2])
    data = saved_data(path.read_text("utf-8"))
    assert {layer: list(heads) for layer, heads in data["heads"]["encoder"].items()} == {"1": ["2"]}
    assert data["selection"] == {"kind": "encoder", "layer": 1, "head": 2}
    assert shown.page_size(layers=[1], heads=[2]).startswith("1 head of at most 8 x 8 weights")


# pictures and tables


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png", ".csv", ".html"])
def test_a_file_has_the_same_bytes_on_each_run(suffix: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        view(with_words(), layer=1).save(tmp_path / f"{name}{suffix}")
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert first == second
    assert not plt.get_fignums()


def test_the_picture_of_thirty_tokens_is_ready_for_a_paper(tmp_path: Path) -> None:
    tokens = [f"word{at}" for at in range(30)]
    shown = view(random_weights(30, 30), tokens)
    for suffix in (".svg", ".pdf"):
        shown.save(tmp_path / f"x{suffix}")
        assert (tmp_path / f"x{suffix}").stat().st_size <= 200_000
    svg = (tmp_path / "x.svg").read_text("utf-8")
    assert ">word29</text>" in svg
    assert "date" not in svg.lower()
    assert b"FontFile2" in (tmp_path / "x.pdf").read_bytes()


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_hostile_tokens_are_text_in_a_picture(suffix: str, tmp_path: Path) -> None:
    view(hostile()).save(tmp_path / f"x{suffix}")
    assert b"<img" not in (tmp_path / f"x{suffix}").read_bytes()


def test_no_token_is_a_formula_in_a_table(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    tokens = ["=1+1", "+1", "-1", "@x", "\t=1", " =1", 'a"b\nc', "dog"]
    view(random_weights(8, 8), tokens).save(path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    keys = [row["key"] for row in rows[:8]]
    assert keys == ["'=1+1", "'+1", "'-1", "'@x", "'\t=1", "' =1", 'a"b\nc', "dog"]
    table = pd.read_csv(path)
    np.testing.assert_allclose(
        table["weight"].to_numpy().reshape(8, 8), random_weights(8, 8), rtol=1e-6
    )


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'x.gif', but a view is saved as one of .html, .svg"):
        view(with_words()).save(tmp_path / "x.gif")


# the front end


def test_its_colours_are_those_of_the_other_pictures() -> None:
    (stops,) = re.findall(r"const STOPS = \[(.*?)\]", SCRIPT)
    colours = re.findall(r"#\w{6}", stops)
    for at, colour in enumerate(colours):
        other = style.ATTENTION(at / (len(colours) - 1))
        assert to_rgb(colour) == pytest.approx(other[:3], abs=2 / 255)


def test_it_takes_nothing_from_elsewhere_and_writes_no_markup() -> None:
    assert not re.search(r"\bimport\b[^.]*['\"]|https?:|innerHTML|insertAdjacentHTML", SCRIPT)
    assert "</script" not in SCRIPT
    assert "<!--" not in SCRIPT


TSC = shutil.which("tsc", path=f"{Path(sys.prefix) / 'node_modules' / '.bin'}:{os.environ['PATH']}")


@pytest.mark.skipif(TSC is None, reason="TypeScript's tsc is neither in .venv nor on the path")
def test_its_types_hold() -> None:
    options = "--noEmit --checkJs --allowJs --strict --target es2022 --module esnext"
    command = [str(TSC), *options.split(), "--lib", "es2022,dom,dom.iterable", str(FRONT_END)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


# the command line


def test_a_page_is_made_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regard.cli.load", lambda _: (None, None))
    monkeypatch.setattr("regard.trace", lambda *_, **__: with_words(), raising=False)
    path = tmp_path / "x.html"
    words = ["view", "the cows", "--model", "some", "-o", str(path), "--words", "--no-special"]
    done = CliRunner().invoke(app, [*words, "--head", "1"])
    assert done.exit_code == 0, done.output
    assert "6 heads of at most 3 x 3 weights" in done.output
    assert saved_data(path.read_text("utf-8"))["selection"]["head"] == 1
    wrong = CliRunner().invoke(app, [*words[:4], "-o", str(tmp_path / "x.gif")])
    assert wrong.exit_code == 2
    assert "x.gif" in wrong.output
