"""Heads that stand beside each other: each is named, pointed at, explained and taken away."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from regard.measures.anatomy import dissect
from regard.viewer import apart
from regard.viewer.page import FRONT_END
from regard.viewer.widget import view
from tests.browser.said import is_true
from tests.browser.test_apart import falsehoods
from tests.browser.test_look import minilm, pinned
from tests.browser.test_view import (
    LOAD,
    PIXEL,
    Pictures,
    live,
    mount_with_kernel,
    pictures,
)
from tests.viewer.test_view import with_words

__all__ = ["live", "pictures"]  # fixtures
pytestmark = pytest.mark.browser


def test_the_order_can_be_turned_once_heads_are_sorted(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(with_words(), tmp_path)
    turn = pictures.page.get_by_role("button", name="highest first")
    expect(turn).to_be_hidden()
    pictures.page.get_by_label("Heads by").select_option("entropy")
    expect(turn).to_be_visible()
    turn.click()
    expect(pictures.page.get_by_role("button", name="lowest first")).to_be_visible()


CHOSEN, OTHER = (2, 3), (3, 1)
NUMBER = r"((?:about |less than )?[\d.e-]+(?: ± [\d.e-]+)?)"


def opened(where: str, pictures: Pictures, folder: Path, *heads: tuple[int, int]) -> None:
    """Open the chosen head, and some that are pinned."""
    shown = view(minilm(), layer=CHOSEN[0], head=CHOSEN[1])
    shown.look = {"pins": pinned(*heads)}
    pictures.page.set_viewport_size({"width": 1400, "height": 1300})  # for all rows
    if where == "kernel":
        pictures.page.evaluate(LOAD, FRONT_END.read_text("utf-8"))
        mount_with_kernel(pictures, shown)
    else:
        shown.save(folder / "view.html")
        pictures.visit(folder / "view.html")
    for head in heads:
        expect(matrix_of(pictures, *head)).to_be_visible()
    pictures.page.wait_for_timeout(300)  # until all have their places


def matrix_of(pictures: Pictures, layer: int, head: int) -> Locator:
    return pictures.page.locator("figure.matrix", has_text=f"layer {layer}, head {head}")


def cell_of(matrix: Locator, row: int, column: int) -> tuple[float, float]:
    left, top, size = map(float, (matrix.get_attribute("data-place") or "").split())
    box = matrix.locator("canvas").first.bounding_box()
    assert box
    return box["x"] + left + (column + 0.5) * size, box["y"] + top + (row + 0.5) * size


@pytest.mark.parametrize("where", ["page", "kernel"])
@pytest.mark.parametrize("pointed", [CHOSEN, OTHER])
def test_the_pointed_head_is_said_first_and_each_by_name(
    where: str, pointed: tuple[int, int], pictures: Pictures, tmp_path: Path
) -> None:
    opened(where, pictures, tmp_path, OTHER)
    heads = [pointed, OTHER if pointed == CHOSEN else CHOSEN]
    matrix, other = (f"layer {layer}, head {head}" for layer, head in heads)
    rng = np.random.default_rng(0)
    for row, column in rng.integers(1, 20, size=(6, 2)).tolist():
        pictures.page.mouse.move(*cell_of(matrix_of(pictures, *pointed), row, column))
        pictures.page.wait_for_timeout(250)
        said = pictures.sentence.inner_text()
        found = re.search(f" reads .*: {matrix}: {NUMBER}, .* of \\d+; {other}: {NUMBER}$", said)
        assert found, said
        for number, head in zip(found.groups(), heads, strict=True):
            assert is_true(number, float(minilm().weights(*head)[row, column])), said


@pytest.mark.parametrize("where", ["page", "kernel"])
def test_the_pointed_head_is_explained_and_named(
    where: str, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ("WHY_BYTES", "SMALL_PAGE"):  # for all heads
        monkeypatch.setattr(apart, room, 10**8)
    opened(where, pictures, tmp_path, OTHER)
    tokens, inside = minilm().tokens, pictures.page.locator(".inside")
    for head, (row, column) in ((OTHER, (2, 5)), (CHOSEN, (2, 5)), (OTHER, (3, 4))):
        pictures.page.mouse.click(*cell_of(matrix_of(pictures, *head), row, column))
        name = f"layer {head[0]}, head {head[1]}, {tokens[row]} → {tokens[column]}"
        said = f"layer {head[0]}, head {head[1]}: {tokens[row]} reads most: "
        expect(pictures.sentence).to_contain_text(said)
        expect(inside).to_contain_text(f"Why this weight: {name}")
        steps = [step.replace("−", "-") for step in inside.locator("li").all_inner_texts()]
        assert list(falsehoods(steps, dissect(minilm(), *head, row, column))) == []
    pictures.page.mouse.move(2, 2)
    expect(inside).to_contain_text(f"Why this weight: {name}")
    for figure in (".lines", ".reading"):
        expect(pictures.page.locator(figure)).to_contain_text("layer 2, head 3")


def test_two_heads_can_be_one_once_both_are_on_screen(pictures: Pictures, tmp_path: Path) -> None:
    opened("page", pictures, tmp_path)
    page, ways = pictures.page, pictures.page.get_by_label("Pinned heads")
    page.get_by_role("button", name="Pin this head").click()
    expect(pictures.sentence).to_contain_text("pinned: choose another head to compare it with")
    expect(ways).to_be_hidden()
    page.get_by_role("combobox", name="Head", exact=True).select_option("7")
    expect(page.locator("[data-drawn='encoder, layer 2, head 7']")).to_be_attached()
    expect(matrix_of(pictures, *CHOSEN)).to_be_visible()
    ways.select_option("difference")
    title = page.locator(".matrix figcaption").first
    expect(title).to_contain_text("layer 2, head 3 less layer 2, head 7")
    page.mouse.move(*pictures.cell(2, 5))
    one, other = (float(minilm().weights(2, head)[2, 5]) for head in (3, 7))
    said = pictures.sentence.inner_text()
    found = re.search(
        f": layer 2, head 3 {NUMBER} (more|less) than layer 2, head 7 \\({NUMBER} and {NUMBER}\\)$",
        said,
    )
    assert found, said
    size, way, *each = found.groups()
    assert (way == "more") == (one > other)
    assert is_true(size, abs(one - other))
    assert is_true(each[0], one)
    assert is_true(each[1], other)


def test_pinned_heads_are_outlined_in_the_grid(pictures: Pictures, tmp_path: Path) -> None:
    opened("page", pictures, tmp_path, OTHER)
    grid = pictures.page.locator(".heads canvas")
    box = grid.bounding_box()
    assert box
    for (layer, head), is_pinned in ((OTHER, True), ((4, 5), False)):
        place = [box["x"] + 24 + 36 * head + 2.5, box["y"] + 18 + 36 * layer + 18]
        link = [31, 95, 139, 255]
        assert (grid.evaluate(PIXEL, place) == link) == is_pinned


def test_each_matrix_is_taken_away(pictures: Pictures, tmp_path: Path) -> None:
    opened("page", pictures, tmp_path, OTHER)
    with pictures.page.expect_download() as saved:
        pictures.page.get_by_role("button", name="SVG of layer 3, head 1").click()
    assert saved.value.suggested_filename == "encoder-self-attention-layer-3-head-1.svg"
    saved.value.save_as(tmp_path / "x.svg")
    title = ET.parse(tmp_path / "x.svg").getroot()[0]  # noqa: S314  of this test
    assert title.text == "encoder self-attention, layer 3, head 1"
    expect(pictures.page.get_by_role("button", name="PNG of layer 3, head 1")).to_be_visible()
