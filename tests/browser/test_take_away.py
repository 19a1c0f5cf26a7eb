"""Files and copies from within the view: what they hold is what is shown, and true."""

import re
from base64 import b64decode
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, expect

from regard.record.kinds import Head
from regard.record.trace import Trace
from regard.viewer.files import tidy
from regard.viewer.page import FRONT_END
from regard.viewer.widget import AttentionView, view
from tests.browser import test_view
from tests.browser.lab import Watch
from tests.browser.test_view import LOAD, Pictures, mount_with_kernel
from tests.viewer.test_view import random_weights, with_words

pytestmark = pytest.mark.browser
pictures = test_view.pictures

NAMES = {  # how tokens are written
    "<img src=x onerror=alert(1)>": "<img src=…alert(1)>",
    "<b>&amp;]]>": "<b>&amp;]]>",
    "＝1+1": "＝1+1",
    "日本語": "日本語",
    "مرحبا": "\u2068مرحبا\u2069",
    "👩\u200d👧": "👩\u200d👧",
    "a\ud83d": "a\\ud83d",
    "two  spaces": "two  spaces",
}
NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
HEAD = "encoder self-attention, layer 0, head 1"
FILE = "encoder-self-attention-layer-0-head-1"
SVG = "{http://www.w3.org/2000/svg}"
READ = "() => navigator.clipboard.readText()"
TYPES = "async () => (await navigator.clipboard.read()).flatMap(item => item.types)"
MARGIN, ABOVE, BELOW = 8, 28, 46  # of a file, around the picture: as in sheet.ts
PAGE, KERNEL = "page", "kernel"


def any_script() -> Trace:
    seen = Trace.from_weights(random_weights(1, 2, len(NAMES), len(NAMES)), list(NAMES))
    return replace(seen, origin={"model": "<b>a\x00\ud800</b> & more"})


def causal(tokens: int) -> Trace:
    """Give a head whose strongest weight stands out; each row reads up to three tokens ahead."""
    weights = np.tril(np.random.default_rng(0).random((tokens, tokens)) + 0.5, 3)
    weights[tokens - 2, 1] = 3 * tokens
    return Trace.from_weights(weights / weights.sum(-1, keepdims=True))


def take(pictures: Pictures, label: str, folder: Path) -> Path:
    """Press a button, and give the file that the browser saves."""
    with pictures.page.expect_download() as saved:
        pictures.page.get_by_role("button", name=label).click()
    path = folder / saved.value.suggested_filename
    saved.value.save_as(path)
    return path


def texts_of(path: Path) -> list[str]:
    root = ET.parse(path).getroot()  # noqa: S314  of this test
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def centres(
    pictures: Pictures,
    image: Image.Image,
    tokens: int,
    scale: int = 1,
    beside: tuple[int, int] = (0, 0),
) -> NDArray[Any]:
    """Give the colours in the middle of the cells: (rows, columns, 3)."""
    place = pictures.page.locator(".matrix").get_attribute("data-place") or ""
    left, top, size = map(float, place.split())
    at = (np.arange(tokens) + 0.5) * size
    pixels = np.asarray(image.convert("RGB")).astype(int)
    rows, columns = (
        (start + more + at) * scale for start, more in zip((top, left), beside, strict=True)
    )
    return pixels[np.ix_(rows.astype(int), columns.astype(int))]


def of_canvas(pictures: Pictures) -> Image.Image:
    """Give what is on the canvas, on its ground."""
    canvas = pictures.page.locator(".matrix canvas").first
    (_, coded) = canvas.evaluate("canvas => canvas.toDataURL()").split(",")
    drawn = Image.open(BytesIO(b64decode(coded))).convert("RGBA")
    ground = pictures.page.locator(".view").evaluate("view => getComputedStyle(view).background")
    channels = re.match(r"rgb\((\d+), (\d+), (\d+)\)", ground)
    assert channels
    whole = Image.new("RGBA", drawn.size, (*map(int, channels.groups()), 255))
    return Image.alpha_composite(whole, drawn)


def shown_in(where: str, pictures: Pictures, shown: AttentionView, folder: Path) -> None:
    if where == KERNEL:
        pictures.page.evaluate(LOAD, FRONT_END.read_text("utf-8"))
        mount_with_kernel(pictures, shown)
    else:
        shown.save(folder / "view.html")
        pictures.visit(folder / "view.html")


def test_an_svg_is_text_and_nothing_else(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(any_script(), tmp_path, head=1)
    matrix = take(pictures, "SVG of the matrix", tmp_path)
    assert matrix.name == f"{FILE}.svg"
    names = list(NAMES.values())
    drawn = [*names, *names, "is read →", "← reads"]
    assert texts_of(matrix)[:-3] == [HEAD, *drawn]
    largest = float(any_script().weights(0, 1).max())
    ticks = [float(text) for text in texts_of(matrix)[-3:]]
    assert ticks == pytest.approx([0, largest / 2, largest], rel=0.1)
    lines = take(pictures, "SVG of the lines", tmp_path)
    assert lines.name == f"{FILE}-lines.svg"
    assert texts_of(lines)[:-3] == [HEAD, "reads", "is read", *names, *names]
    root = ET.parse(matrix).getroot()  # noqa: S314  of this test
    assert root.findtext(f"{SVG}title") == HEAD
    assert (
        root.findtext(f"{SVG}desc")
        == "computed from: weights; model: <b>a\\u0000\\ud800</b> & more"
    )
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "title", "desc", "rect", "g", "text", "path", "clipPath")
    }
    expect(pictures.sentence).to_contain_text(f"Saved as {FILE}-lines.svg")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tokens", [8, 60])  # cells one by one, and a bitmap
def test_files_look_as_the_canvas_on_light_ground(
    tokens: int, scheme: Any, pictures: Pictures, tmp_path: Path
) -> None:
    seen = causal(tokens)
    pictures.open(seen, tmp_path)
    pictures.page.mouse.move(2, 2)
    canvas = of_canvas(pictures)
    colours = centres(pictures, canvas, tokens)
    weights = seen.weights(0, 0)
    strength = -colours.sum(-1)
    is_open = np.tri(tokens, k=3) > 0  # elsewhere it is hatched
    allowed = np.where(is_open, strength, strength.min() - 1)
    assert np.unravel_index(allowed.argmax(), weights.shape) == (tokens - 2, 1)
    pictures.page.emulate_media(color_scheme=scheme)
    expect(pictures.page.locator("[data-regard]")).to_have_attribute("data-theme", scheme)
    png = Image.open(take(pictures, "PNG of the matrix", tmp_path))
    whole = (2 * (canvas.width + 2 * MARGIN), 2 * (canvas.height + ABOVE + BELOW))
    assert png.size == pytest.approx(whole, abs=1)
    assert png.convert("RGBA").getchannel("A").getextrema() == (255, 255)
    assert png.getpixel((3, 3)) == (255, 255, 255, 255)
    of_png = centres(pictures, png, tokens, 2, beside=(ABOVE, MARGIN))
    assert np.abs(of_png - colours)[is_open].max() <= 2
    svg = take(pictures, "SVG of the matrix", tmp_path)
    drawn = pictures.page.context.new_page()
    drawn.goto(svg.as_uri())
    drawn.screenshot(path=tmp_path / "svg.png")
    place = (MARGIN, ABOVE, MARGIN + canvas.width, ABOVE + canvas.height)
    again = Image.open(tmp_path / "svg.png").crop(place)
    assert np.abs(centres(pictures, again, tokens) - colours)[is_open].max() <= 2
    apart = np.abs(np.asarray(again.convert("L")) - np.asarray(canvas.convert("L")).astype(int))
    assert apart.mean() < 2.5  # edges of letters, of which each row has some, and lines


def test_what_is_locked_is_taken_along(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(with_words(), tmp_path)
    plain = take(pictures, "SVG of the matrix", tmp_path).read_text("utf-8")
    pictures.page.locator(".matrix canvas").first.focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        pictures.page.keyboard.press(key)
    marked = take(pictures, "SVG of the matrix", tmp_path).read_text("utf-8")
    assert plain.count("bold") == 1  # the caption
    assert 'font-weight="bold">the</text>' in marked


@pytest.mark.parametrize("where", [PAGE, KERNEL])
@pytest.mark.parametrize(("words", "hide"), [(False, False), (True, False), (True, True)])
def test_a_table_has_the_weights_that_are_shown(
    where: str, pictures: Pictures, tmp_path: Path, *, words: bool, hide: bool
) -> None:
    seen = with_words()
    shown_in(where, pictures, view(seen, layer=0, head=1), tmp_path)
    for label, on in (("words", words), ("hide special tokens", hide)):
        pictures.page.get_by_label(label).set_checked(on)
    table = pd.read_csv(take(pictures, "CSV of the matrix", tmp_path))
    merged = seen.merge_words() if words else seen
    truth = tidy(merged.hide() if hide else merged, Head("encoder", 0, 1))
    assert [*table.columns] == [*truth.columns, *(["error"] if where == PAGE else [])]
    others = [name for name in truth.columns if name != "weight"]
    pd.testing.assert_frame_equal(table[others], truth[others], check_dtype=False)
    off = (table["weight"] - truth["weight"]).abs()
    assert (off <= (table["error"] if where == PAGE else 1e-7)).all()
    if where == PAGE:
        assert table["error"].max() < 0.02  # it says something


@pytest.mark.parametrize("where", [PAGE, KERNEL])
def test_a_table_runs_nothing(where: str, pictures: Pictures, tmp_path: Path) -> None:
    shown = view(any_script(), layer=0, head=1)
    shown_in(where, pictures, shown, tmp_path)
    path = take(pictures, "CSV of the matrix", tmp_path)
    assert path.name == f"{FILE}.csv"
    shown.save(tmp_path / "python.csv")
    tables = [pd.read_csv(one) for one in (path, tmp_path / "python.csv")]
    names = ["query_position", "query", "key_position", "key"]
    pd.testing.assert_frame_equal(tables[0][names], tables[1][names])
    assert set(tables[0]["key"]) >= {"'＝1+1", "a\\ud83d", "مرحبا"}


def test_a_table_that_no_spreadsheet_opens_is_not_written(
    pictures: Pictures, tmp_path: Path
) -> None:
    pictures.open(Trace.from_weights(np.eye(1025)), tmp_path)
    pictures.page.get_by_role("button", name="CSV of the matrix").click()
    expect(pictures.sentence).to_contain_text("1050625 weights are more than a spreadsheet opens")


def test_a_copy_has_the_picture_and_what_is_said(pictures: Pictures, tmp_path: Path) -> None:
    pictures.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    pictures.open(with_words(), tmp_path, head=1)
    pictures.page.locator(".lines canvas").first.focus()
    pictures.page.keyboard.press("Enter")
    said = pictures.sentence.inner_text()
    for _ in range(2):  # what it says then is nothing to copy
        pictures.page.get_by_role("button", name="copy the picture").focus()
        pictures.page.keyboard.press("Enter")
        expect(pictures.sentence).to_contain_text("Copied: the picture")
        assert pictures.page.evaluate(READ) == f"{HEAD}: {said}"
        assert set(pictures.page.evaluate(TYPES)) == {"image/png", "text/plain"}


def test_a_copy_is_text_where_no_picture_is_taken(pictures: Pictures, tmp_path: Path) -> None:
    pictures.page.add_init_script(NO_CLIPBOARD)
    pictures.open(with_words(), tmp_path, head=1)
    said = pictures.sentence.inner_text()
    pictures.page.get_by_role("button", name="copy the picture").click()
    expect(pictures.sentence).to_contain_text("Copied, but only what was said")
    search = pictures.page.get_by_role("searchbox")
    search.press("Control+v")
    expect(search).to_have_value(said)
    pictures.page.evaluate("document.execCommand = () => false")
    pictures.page.get_by_role("button", name="copy the picture").click()
    expect(pictures.sentence).to_contain_text("Nothing can be copied here: press PNG")


def test_a_frame_in_a_notebook_gives_files_and_copies(browser: Browser, tmp_path: Path) -> None:
    shown = view(with_words(), layer=0, head=1).embed()
    with closing(browser.new_context(offline=True)) as context:
        page = context.new_page()
        watch = Watch(page)
        page.set_content(f"<h1>a notebook's page</h1>{shown._repr_html_()}<input>")
        frame = page.frame_locator("iframe")
        for label, ending in (("SVG", ".svg"), ("PNG", ".png"), ("CSV", ".csv")):
            with page.expect_download() as saved:
                frame.get_by_role("button", name=label, exact=False).first.click()
            assert saved.value.suggested_filename == f"{FILE}{ending}"
            saved.value.save_as(tmp_path / f"x{ending}")
        assert "cow" in texts_of(tmp_path / "x.svg")
        frame.get_by_role("button", name="copy the picture").click()
        expect(frame.locator(".sentence")).to_contain_text("Copied")
        page.locator("input").press("Control+v")
        expect(page.locator("input")).to_have_value(re.compile(f"^{HEAD}: entropy"))
        assert watch.errors == []


def test_the_buttons_are_not_printed(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(with_words(), tmp_path)
    buttons = pictures.page.locator(".take button")
    expect(buttons).to_have_count(6)
    pictures.page.emulate_media(media="print")
    assert not any(button.is_visible() for button in buttons.all())
