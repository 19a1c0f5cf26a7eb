"""What is pointed at, locked, explained or measured stays in sight and keeps its name."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from regard.record.trace import Trace
from regard.viewer.widget import view
from tests.browser.test_look import minilm, pinned
from tests.browser.test_view import (
    Pictures,
    live,
    mount_with_kernel,
    pictures,
)
from tests.viewer.test_view import with_words

__all__ = ["live", "pictures"]  # fixtures
pytestmark = pytest.mark.browser

# how many pixels of the marks' canvas are painted in a box: [left, top, right, bottom]
PAINTED = """(canvas, [left, top, right, bottom]) => {
    const wide = right - left, high = bottom - top;
    const {data} = canvas.getContext('2d').getImageData(left, top, wide, high);
    let count = 0;
    for (let at = 3; at < data.length; at += 4) if (data[at] > 60) count++;
    return count;
}"""


def place(pictures: Pictures) -> tuple[float, float, float]:
    written = pictures.page.locator(".matrix").first.get_attribute("data-place") or ""
    left, top, size = map(float, written.split())
    return left, top, size


def painted_at(pictures: Pictures, row: int, column: int) -> int:
    """Count the marks around a cell."""
    left, top, size = place(pictures)
    x, y = left + column * size, top + row * size
    box = [round(at) for at in (x - 2, y - 2, x + size + 2, y + size + 2)]
    over = pictures.page.locator(".matrix canvas.over").first
    count: int = over.evaluate(PAINTED, box)
    return count


def test_the_explained_cell_keeps_its_name_and_a_thin_mark(
    pictures: Pictures, tmp_path: Path
) -> None:
    pictures.open(minilm(), tmp_path, layer=2, head=3)
    heading = pictures.page.locator(".inside figcaption")
    expect(heading).to_have_text("Why this weight")
    pictures.page.mouse.move(*pictures.cell(2, 5))
    said = f"Why this weight: layer 2, head 3, {minilm().tokens[2]} → {minilm().tokens[5]}"
    expect(heading).to_have_text(said)
    thick = painted_at(pictures, 2, 5)
    pictures.page.mouse.move(2, 2)
    expect(heading).to_have_text(said)
    assert pictures.drawn
    assert 0 < painted_at(pictures, 2, 5) < thick
    assert painted_at(pictures, 8, 9) == 0


def test_the_list_has_a_title_and_says_when_it_is_cut(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(minilm(), tmp_path, layer=2, head=3)
    pictures.page.locator(".texts span", has_text="seemed").click()
    title = pictures.page.locator(".ranking p")
    expect(title).to_contain_text("seemed reads")
    lines = pictures.page.locator(".ranked li")
    assert lines.count() == len(minilm().tokens)
    expect(title).to_contain_text(f"of {lines.count()}, scroll for the rest")
    pictures.page.get_by_label("Of a token, show").select_option("columns")
    expect(title).to_contain_text("seemed is read by")
    pictures.open(Trace.from_weights(np.eye(3) / 2 + 1 / 6, ["a", "b", "c"]), tmp_path)
    pictures.page.locator(".texts span", has_text="b").click()
    expect(title).to_have_text("b reads")


def test_measures_stay_and_what_was_done_is_said_only_for_a_while(
    pictures: Pictures, tmp_path: Path
) -> None:
    pictures.open(minilm(), tmp_path, layer=2, head=3)
    measured = pictures.page.locator(".heads .measured")
    expect(measured).to_contain_text("layer 2, head 3: entropy ")
    said = pictures.sentence.inner_text()
    pictures.page.mouse.click(*pictures.token("reads", 4))
    expect(measured).to_contain_text("layer 2, head 3: entropy ")
    pictures.page.keyboard.press("Escape")
    expect(pictures.sentence).to_have_text("unlocked")
    pictures.page.mouse.move(2, 2)
    expect(pictures.sentence).to_have_text(said)
    pictures.page.locator(".texts span").nth(4).click()
    pictures.page.mouse.move(2, 2)
    locked = pictures.sentence.inner_text()
    pictures.page.get_by_role("button", name="SVG of the matrix").click()
    expect(pictures.sentence).to_contain_text("Saved as")
    expect(pictures.sentence).to_have_text(locked)  # after four seconds
    pictures.page.keyboard.press("Escape")
    expect(pictures.sentence).to_have_text("unlocked")
    expect(pictures.sentence).to_have_text(said)


def test_keys_that_work_anywhere(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(minilm(), tmp_path, layer=2, head=3)
    page, search = pictures.page, pictures.page.get_by_role("searchbox")
    own = page.locator(".texts .own")
    page.keyboard.press("/")
    expect(search).to_be_focused()
    page.keyboard.type("dog/")
    expect(search).to_have_value("dog/")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    expect(own).to_have_text("dog")
    page.keyboard.press("Escape")
    expect(search).to_have_value("")
    expect(own).to_have_text("dog")
    page.keyboard.press("Escape")
    expect(own).to_have_count(0)
    page.locator(".texts span").nth(4).click()
    expect(own).to_have_count(1)
    page.mouse.move(2, 2)  # what is pointed at is marked, too
    page.get_by_label("log scale").focus()
    page.keyboard.press("Escape")
    expect(own).to_have_count(0)
    page.locator("summary", has_text="Keys and mouse").click()
    assert page.locator(".keys li").count() > 5
    expect(page.locator(".keys")).to_contain_text("/ goes to the search")


def test_keys_of_a_notebook_are_those_within_the_view(live: Pictures) -> None:
    page = live.page
    mount_with_kernel(live, view(with_words(), layer=0))
    page.evaluate("document.body.append(document.createElement('input'))")
    page.locator(".texts span").first.click()
    page.mouse.move(2, 2)
    page.locator("body > input").press("Escape")
    expect(page.locator(".texts .own")).to_have_count(1)
    page.locator(".texts p").first.click(position={"x": 1, "y": 1})  # nothing that takes keys
    page.keyboard.press("Escape")
    expect(page.locator(".texts .own")).to_have_count(0)


@pytest.mark.parametrize("where", ["page", "kernel"])
def test_what_is_locked_stays_where_its_tokens_are_shown(
    where: str, live: Pictures, tmp_path: Path
) -> None:
    page = live.page
    if where == "kernel":
        mount_with_kernel(live, view(with_words(), layer=0))
    else:
        live.open(with_words(), tmp_path)
    words, hide = page.get_by_label("words"), page.get_by_label("hide special tokens")
    tokens, whole = with_words(), with_words().merge_words()
    row, column = len(tokens.tokens) - 2, 1

    page.mouse.click(*live.cell(row, column))
    assert live.drawn
    words.check()
    expect(page.locator(".texts .own")).to_have_text(whole.tokens[-2])
    words.uncheck()
    parts = tokens.tokens[row - 2 : row + 1]  # all of the word
    expect(page.locator(".texts .own")).to_have_text(parts)
    hide.check()
    expect(page.locator(".texts .own")).to_have_text(parts)
    hide.uncheck()
    page.mouse.click(*live.cell(0, 0))
    hide.check()
    expect(page.locator(".texts .own")).to_have_count(0)


def test_the_clicked_cell_stays_explained(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(minilm(), tmp_path, layer=2, head=3)
    tokens, heading = minilm().tokens, pictures.page.locator(".inside figcaption")
    pictures.page.mouse.click(*pictures.cell(2, 5))
    said = f"Why this weight: layer 2, head 3, {tokens[2]} → {tokens[5]}"
    expect(heading).to_have_text(said)
    for label in ("words", "hide special tokens"):
        pictures.page.get_by_label(label).check()
        pictures.page.mouse.move(2, 2)
        expect(heading).to_have_text(said)
    pictures.page.wait_for_url("**cell=%5B1%2C4%5D")  # [CLS] is hidden


def test_a_difference_has_no_logarithm(pictures: Pictures, tmp_path: Path) -> None:
    shown = view(minilm(), layer=2, head=3)
    shown.look = {"pins": pinned((2, 3), (3, 1)), "together": "difference"}
    shown.save(tmp_path / "view.html")
    pictures.visit(tmp_path / "view.html")
    log = pictures.page.get_by_label("log scale")
    expect(log).to_be_disabled()
    assert "no logarithm" in str(log.get_attribute("title"))
    pictures.page.get_by_label("Pinned heads").select_option("mean")
    expect(log).to_be_enabled()


@pytest.mark.parametrize("together", ["mean", "largest", "difference"])
def test_the_hidden_share_is_that_of_each_head(
    together: str, pictures: Pictures, tmp_path: Path
) -> None:
    seen = minilm().hide()
    shown = view(seen, layer=2, head=3)
    shown.look = {"pins": pinned((2, 3), (3, 1)), "together": together}
    shown.save(tmp_path / "view.html")
    pictures.visit(tmp_path / "view.html")
    share = np.mean([seen.hidden_share(2, 3), seen.hidden_share(3, 1)])
    of = "of each of the heads, on average,"
    said = f"about {share:.0%} of the attention {of} goes to tokens hidden before"
    expect(pictures.page.locator(".foot")).to_contain_text(said.replace("%", " %"))


def test_a_name_of_the_matrix_says_its_token(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(minilm(), tmp_path, layer=2, head=3)
    (x, y), name = pictures.cell(2, 5), minilm().tokens
    left, top, _ = place(pictures)
    box = pictures.page.locator(".matrix canvas").first.bounding_box()
    assert box
    pictures.page.mouse.move(box["x"] + left - 10, y)
    expect(pictures.sentence).to_contain_text(f"{name[2]} reads most: ")
    pictures.page.mouse.move(x, box["y"] + top - 10)
    expect(pictures.sentence).to_contain_text(f"{name[5]} is read most by: ")


def test_a_name_that_stands_out_wipes_whole_names(pictures: Pictures, tmp_path: Path) -> None:
    names = [f"token{at}" for at in range(120)]
    weights = np.random.default_rng(0).dirichlet(np.ones(120), size=120)
    pictures.open(Trace.from_weights(weights, names), tmp_path)
    left, _, size = place(pictures)
    assert size < 11
    at = 12 * int(np.ceil(11 / size)) + 1  # beside a name that is written
    pictures.page.mouse.move(*pictures.cell(at, 60))
    assert pictures.drawn
    _, top, _ = place(pictures)
    written = top + (at - 0.5) * size
    over = pictures.page.locator(".matrix canvas.over").first
    box = [20, round(written - 5), round(left - 5), round(written + 5)]
    assert over.evaluate(PAINTED, box) == (box[2] - box[0]) * (box[3] - box[1])
    pictures.shoot("names")


def test_what_measures_are_opens_below_the_pins(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(minilm(), tmp_path, layer=2, head=3)
    pin = pictures.page.get_by_role("button", name="Pin this head")
    before = pin.bounding_box()
    pictures.page.get_by_role("button", name="What the measures mean").click()
    expect(pictures.page.locator(".measures")).to_be_visible()
    assert pin.bounding_box() == before


def test_thin_lines_are_seen_on_dark_ground(pictures: Pictures, tmp_path: Path) -> None:
    """Compare how far the faintest lines stand off from the ground, on dark and on light."""
    seen = Trace.from_weights(np.where(np.eye(6) > 0, 0.9, 0.02), list("abcdef"))
    off = {}
    for scheme in ("light", "dark"):
        pictures.page.emulate_media(color_scheme=scheme)
        pictures.open(seen, tmp_path)
        alphas = """canvas => {
            const {width, height} = canvas;
            const {data} = canvas.getContext('2d').getImageData(width / 2, 24, 1, height - 24);
            return [...data].filter((_, at) => at % 4 === 3 && data[at] > 0);
        }"""
        off[scheme] = min(pictures.page.locator(".lines canvas").first.evaluate(alphas))
    assert off["dark"] > 1.5 * off["light"]


def test_a_grid_in_order_names_layer_and_head(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(minilm(), tmp_path, layer=2, head=3)
    expect(pictures.page.get_by_role("combobox", name="Attention")).to_have_count(0)  # only one
    pictures.page.get_by_label("Heads by").select_option("entropy")
    expect(pictures.page.locator(".heads small").first).to_contain_text("layer, head and value")
    pictures.shoot("ordered")
