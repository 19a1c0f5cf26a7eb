"""Pictures and sounds in the view: what is lit is what is read, by mouse, keys or a finger."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from itertools import pairwise, product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, expect

from regard.record.places import Box, Media
from regard.record.trace import Trace
from regard.viewer.page import FRONT_END
from regard.viewer.widget import view
from tests.browser import test_view
from tests.browser.lab import Watch
from tests.browser.test_reading import PHONE
from tests.browser.test_view import (
    LOAD,
    MOUNT,
    Pictures,
    long_trace,
    mount_with_kernel,
    traits,
)
from tests.viewer.placed import (
    GREY,
    GRID,
    PATCH,
    SIDE,
    WORDS,
    photo,
    with_pictures,
    with_sound,
    with_tiles,
)

pytestmark = pytest.mark.browser
pictures = test_view.pictures
live = test_view.live

CAT = "cat"
PIXEL = """(canvas, [x, y]) => {
    const ratio = canvas.width / canvas.getBoundingClientRect().width;
    return [...canvas.getContext('2d').getImageData(x * ratio, y * ratio, 1, 1).data];
}"""


def place_of(pictures: Pictures, x: float, y: float, picture: int = 0) -> tuple[float, float]:
    """Give where a pixel of a picture lies on its canvas."""
    spreads = pictures.page.locator(".picture").get_attribute("data-spreads") or ""
    left, top, scale = map(float, spreads.split(";")[picture].split())
    return left + x * scale, top + y * scale


def colour_at(pictures: Pictures, x: float, y: float, picture: int = 0) -> NDArray[Any]:
    canvas = pictures.page.locator(".picture canvas").first
    return np.array(canvas.evaluate(PIXEL, list(place_of(pictures, x, y, picture))))[:3]


def middle_of(patch: int) -> tuple[float, float]:
    row, column = divmod(patch, GRID)
    return (column + 0.5) * PATCH, (row + 0.5) * PATCH


def colours(pictures: Pictures, picture: int = 0) -> NDArray[Any]:
    """Give the colour in the middle of each patch, (16, 3)."""
    pictures.page.wait_for_timeout(150)
    return np.array([colour_at(pictures, *middle_of(at), picture) for at in range(GRID**2)])


def at_patch(pictures: Pictures, patch: int, picture: int = 0) -> tuple[float, float]:
    """Give where a patch is in the window."""
    canvas = pictures.page.locator(".picture canvas").first
    canvas.evaluate("canvas => canvas.scrollIntoView({block: 'center'})")
    box = canvas.bounding_box()
    assert box
    x, y = place_of(pictures, *middle_of(patch), picture)
    return box["x"] + x, box["y"] + y


def at_pixel(pictures: Pictures, x: float, y: float) -> tuple[float, float]:
    """Give where a pixel of the first picture is in the window."""
    canvas = pictures.page.locator(".picture canvas").first
    canvas.evaluate("canvas => canvas.scrollIntoView({block: 'center'})")
    box = canvas.bounding_box()
    assert box
    left, top = place_of(pictures, x, y)
    return box["x"] + left, box["y"] + top


def point_at_word(pictures: Pictures, word: str = CAT) -> None:
    pictures.page.locator(".texts").get_by_text(word, exact=True).hover()


def lit_as_read(found: NDArray[Any], read: NDArray[Any], *, dark: bool = False) -> bool:
    """Say whether more is drawn where more is read: darker, or on dark ground lighter."""
    light = found.sum(axis=1)[np.argsort(read)] * (1 if dark else -1)
    return bool((np.diff(light) >= 0).all() and light[-1] - light[-2] > 100)


def read_by_cat(seen: Trace) -> NDArray[Any]:
    """Give what *cat* reads of the patches of the last picture."""
    weights = seen.weights(0, 0)[-2, : -len(WORDS)]
    return np.asarray(weights[-(GRID**2) :])


def test_a_word_lights_what_it_reads(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_pictures()
    pictures.open(seen, tmp_path)
    before = colours(pictures)
    assert (before == 128).all()  # the picture as it is
    point_at_word(pictures)
    after = colours(pictures)
    assert lit_as_read(after, read_by_cat(seen))
    assert int(after.sum(axis=1).argmin()) == 6
    pictures.page.mouse.move(2, 2)
    assert (colours(pictures) == 128).all()


@pytest.mark.parametrize("where", ["matrix", "lines"])
def test_the_other_pictures_light_it_too(pictures: Pictures, tmp_path: Path, where: str) -> None:
    seen = with_pictures()
    pictures.open(seen, tmp_path)
    row = GRID**2 + 1
    at = pictures.cell(row, 2) if where == "matrix" else pictures.token("reads", 2)  # after a fold
    pictures.page.mouse.move(*at)
    expect(pictures.sentence).to_contain_text("cat")
    assert lit_as_read(colours(pictures), read_by_cat(seen))


def test_dark_ground_has_light_weights(browser: Browser, tmp_path: Path) -> None:
    seen = with_pictures()
    view(seen).save(tmp_path / "view.html")
    with closing(browser.new_context(color_scheme="dark")) as context:
        page = context.new_page()
        dark = Pictures(page, Watch(page))
        dark.visit(tmp_path / "view.html")
        point_at_word(dark)
        assert lit_as_read(colours(dark), read_by_cat(seen), dark=True)


def test_of_several_pictures_the_right_one_is_lit(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_pictures(GREY, GREY, GREY)
    pictures.open(seen, tmp_path)
    point_at_word(pictures)
    assert lit_as_read(colours(pictures, 2), read_by_cat(seen))
    assert colours(pictures, 0).sum(axis=1).min() > colours(pictures, 2).sum(axis=1).min() + 100
    spreads = (pictures.page.locator(".picture").get_attribute("data-spreads") or "").split(";")
    corners = [tuple(map(float, one.split()[:2])) for one in spreads]
    assert len(set(corners)) == 3
    pictures.page.mouse.move(*at_patch(pictures, 3, picture=1))
    expect(pictures.sentence).to_contain_text("(picture 2, pixels 180–240 × 0–60)")


def test_what_was_cut_off_is_faded_and_of_no_token(pictures: Pictures, tmp_path: Path) -> None:
    wide = np.full((SIDE, SIDE + 100, 3), 60, np.uint8)
    pictures.open(with_pictures(wide, left=50), tmp_path)
    point_at_word(pictures)
    pictures.page.wait_for_timeout(150)
    cut, seen_of_it = colour_at(pictures, 20, 100), colour_at(pictures, 70, 20)
    assert cut.min() > seen_of_it.min() + 10
    pictures.page.mouse.move(*at_patch(pictures, 6))
    x, y = place_of(pictures, 20, 100)
    pictures.page.locator(".picture canvas").first.hover(position={"x": x, "y": y})
    expect(pictures.sentence).to_contain_text("layer 0, head 0")


def test_of_tiles_and_the_whole_one_is_drawn_at_a_time(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_tiles()
    pictures.open(seen, tmp_path)
    level = pictures.page.get_by_label("Weights of which patches")
    expect(level.locator("option")).to_have_text(["16 patches", "4 patches"])
    pictures.page.locator(".texts").get_by_text(CAT, exact=True).click()
    read = seen.weights(0, 0)[-2]
    assert lit_as_read(colours(pictures), read[4:20])
    level.select_option("1")
    found = colours(pictures)
    assert lit_as_read(found[[0, 2, 8, 10]], read[:4])
    assert (found[0] == found[5]).all()  # of one patch of the whole
    pictures.page.mouse.move(*at_patch(pictures, 12))
    expect(pictures.sentence).to_have_text("cat reads whole 2: about 0.30, its 2nd strongest of 23")
    pictures.page.wait_for_function("() => location.hash.includes('level=1')")
    pictures.page.reload()
    assert lit_as_read(colours(pictures)[[0, 2, 8, 10]], read[:4])


def test_a_patch_says_where_it_is_what_reads_it_and_what_it_reads(
    pictures: Pictures, tmp_path: Path
) -> None:
    seen = with_pictures()
    pictures.open(seen, tmp_path)
    side = pictures.page.get_by_label("Of a patch, show")
    expect(side).to_have_value("columns")  # as words read, too
    side.select_option("rows")
    pictures.page.mouse.move(*at_patch(pictures, 6))
    reader = seen.tokens[int(seen.weights(0, 0)[:, 6].argmax())]
    read = seen.tokens[int(seen.weights(0, 0)[6].argmax())]
    assert reader == CAT
    expect(pictures.sentence).to_have_text(
        re.compile(
            r"^patch 1, 2 \(pixels 120–180 × 60–120\) reads most: "
            rf"{re.escape(read)} about .*\. It is read most by: cat about 0\.6\d.*$"
        )
    )
    weights = seen.weights(0, 0)
    found = colours(pictures)
    others = [at for at in range(GRID**2) if at != 6]
    light = found.sum(axis=1)[others][np.argsort(weights[6, others])]
    assert (np.diff(light) <= 0).all()
    side.select_option("columns")
    pictures.page.mouse.move(*at_patch(pictures, 5))
    expect(pictures.sentence).to_contain_text("(pixels 60–120 × 60–120) is read most by")


def test_where_no_words_read_a_patch_shows_what_it_reads(
    pictures: Pictures, tmp_path: Path
) -> None:
    seen = with_pictures()
    special = [*[False] * GRID**2, *[True] * len(WORDS)]  # as a class token and registers are
    pictures.open(replace(seen, source=replace(seen.source, special=special)), tmp_path)
    expect(pictures.page.get_by_label("Of a patch, show")).to_have_value("rows")


def test_a_locked_word_says_how_much_of_a_patch_it_reads(
    pictures: Pictures, tmp_path: Path
) -> None:
    seen = with_pictures()
    pictures.open(seen, tmp_path)
    pictures.page.locator(".texts").get_by_text(CAT, exact=True).click()
    pictures.page.mouse.move(*at_patch(pictures, 6))
    expect(pictures.sentence).to_have_text("cat reads patch 1, 2: about 0.62, its strongest of 19")
    pictures.page.mouse.move(*at_patch(pictures, 0))
    expect(pictures.sentence).to_contain_text("cat reads patch 0, 0: about 0.00")
    assert lit_as_read(colours(pictures)[1:], read_by_cat(seen)[1:])  # one is framed
    pictures.page.keyboard.press("Escape")
    expect(pictures.sentence).not_to_contain_text("cat reads patch")


def drag(pictures: Pictures, start: int, end: int) -> None:
    pictures.page.mouse.move(*at_patch(pictures, start))
    pictures.page.mouse.down()
    pictures.page.mouse.move(*at_patch(pictures, end), steps=5)
    pictures.page.mouse.up()


def test_a_drag_sums_patches(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_pictures()
    pictures.open(seen, tmp_path)
    pictures.page.get_by_label("Of a patch, show").select_option("columns")
    drag(pictures, 5, 15)  # rows 1 to 3, columns 1 to 3
    area = [5, 6, 7, 9, 10, 11, 13, 14, 15]
    read = seen.weights(0, 0)[:, area].sum(axis=1)
    assert seen.tokens[int(read.argmax())] == CAT
    expect(pictures.sentence).to_contain_text(
        f"9 tokens of picture 1 together are read most by: cat about {read.max():.2f}"
    )
    pictures.page.wait_for_function("() => location.hash.includes('locked')")
    hash_ = urlsplit(pictures.page.url).fragment
    assert json.loads(parse_qs(hash_)["locked"][0]) == {"role": "columns", "ats": area}
    pictures.page.reload()
    expect(pictures.sentence).to_contain_text("together are read most by: cat")
    side = pictures.page.get_by_label("Of a patch, show")
    expect(side).to_have_value("columns")
    side.select_option("rows")
    expect(pictures.sentence).to_have_text(
        re.compile("^9 tokens of picture 1 together read most: ")
    )


def test_a_drag_beside_a_locked_word_says_their_sum(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_pictures()
    pictures.open(seen, tmp_path)
    pictures.page.locator(".texts").get_by_text(CAT, exact=True).click()
    drag(pictures, 15, 5)
    area = [5, 6, 7, 9, 10, 11, 13, 14, 15]
    read = seen.weights(0, 0)[-2, area].sum()
    said = re.compile(r"^cat reads 9 tokens of picture 1: about ([\d.]+)( ± [\d.]+)? in all$")
    expect(pictures.sentence).to_have_text(said)
    found = said.match(pictures.sentence.inner_text())
    assert found
    assert float(found[1]) == pytest.approx(read, abs=0.03)


def test_neighbours_that_are_locked_have_one_frame(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(with_pictures(), tmp_path)
    pictures.page.get_by_label("Of a patch, show").select_option("rows")
    drag(pictures, 5, 6)  # two patches, which are rows 5 and 6 of the matrix
    pictures.page.wait_for_function("() => location.hash.includes('locked')")
    pictures.page.mouse.move(2, 2)
    pictures.page.wait_for_timeout(150)
    left, top, cell = map(
        float, (pictures.page.locator(".matrix").get_attribute("data-place") or "").split()
    )
    over = pictures.page.locator(".matrix canvas.over")
    lines = [
        over.evaluate(PIXEL, [left + 2.5 * cell, top + y])[3] > 128
        for y in np.arange(4.5 * cell, 7.5 * cell)
    ]
    assert np.count_nonzero(np.diff(lines)) == 4  # of the first and of the last
    across = np.arange(0, SIDE, 0.5)
    red, _, blue = np.array([colour_at(pictures, x, 90) for x in across]).T
    framed = across[red > blue + 60]  # as no weight is
    assert np.abs(framed - PATCH).min() < 1
    assert np.abs(framed - 3 * PATCH).min() < 1
    assert np.abs(framed - 2 * PATCH).min() > 10


def test_keys_walk_lock_and_choose_several(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(with_pictures(), tmp_path)
    keys = pictures.page.keyboard
    pictures.page.locator(".picture canvas").first.focus()
    for key, name in [
        ("ArrowDown", "patch 0, 0 "),  # the first key goes to the first patch
        ("ArrowDown", "patch 1, 0 "),
        ("ArrowRight", "patch 1, 1 "),
        ("ArrowRight", "patch 1, 2 "),
        ("End", "patch 1, 3 "),
        ("PageDown", "patch 3, 3 "),
        ("ArrowDown", "patch 3, 3 "),
        ("ArrowUp", "patch 2, 3 "),
        ("Home", "patch 2, 0 "),
    ]:
        keys.press(key)
        expect(pictures.sentence).to_have_text(re.compile(f"^{name}"))
    keys.press("Shift+ArrowRight")
    keys.press("Shift+ArrowDown")
    expect(pictures.sentence).to_have_text(re.compile("^patch 2, 0 and patch 2, 1 and patch 3, 0"))
    keys.press("Enter")
    pictures.page.wait_for_function("() => location.hash.includes('locked')")
    assert "8%2C9%2C12%2C13" in urlsplit(pictures.page.url).fragment
    keys.press("Escape")
    pictures.page.wait_for_function("() => !location.hash.includes('locked')")


def test_keys_go_from_picture_to_picture(pictures: Pictures, tmp_path: Path) -> None:
    pictures.page.set_viewport_size({"width": 1400, "height": 600})
    pictures.open(with_pictures(GREY, GREY), tmp_path)
    pictures.page.locator(".picture canvas").first.focus()
    first, second = (place_of(pictures, 0, 0, at) for at in (0, 1))
    key = "ArrowRight" if second[0] > first[0] else "ArrowDown"
    for _ in range(1 + GRID):
        pictures.page.keyboard.press(key)
    expect(pictures.sentence).to_contain_text("(picture 2, pixels 0–60 × 0–60)")


def test_a_finger_points_and_locks_with_a_second_tap(browser: Browser, tmp_path: Path) -> None:
    view(with_pictures()).save(tmp_path / "view.html")
    options: Any = PHONE
    with closing(browser.new_context(**options)) as context:
        page = context.new_page()
        phone = Pictures(page, Watch(page))
        phone.visit(tmp_path / "view.html")
        place = at_patch(phone, 6)
        page.touchscreen.tap(*place)
        expect(phone.sentence).to_contain_text("patch 1, 2 (pixels 120–180 × 60–120) is read")
        assert "locked" not in page.url
        page.touchscreen.tap(*at_patch(phone, 6))
        page.wait_for_function("() => location.hash.includes('locked')")
        width = page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= 390


def finger_drags(pictures: Pictures, start: int, end: int, *, rests: bool) -> None:
    places = np.linspace(at_patch(pictures, start), at_patch(pictures, end), 8)
    session = pictures.page.context.new_cdp_session(pictures.page)

    def touch(kind: str, *points: NDArray[Any]) -> None:
        given = [{"x": float(x), "y": float(y)} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": given})

    touch("touchStart", places[0])
    pictures.page.wait_for_timeout(600 if rests else 30)
    for place in places:
        touch("touchMove", place)
    touch("touchEnd")
    pictures.page.wait_for_timeout(300)


@pytest.fixture
def phone(browser: Browser, tmp_path: Path) -> Iterator[Pictures]:
    view(with_pictures()).save(tmp_path / "view.html")
    options: Any = PHONE
    with closing(browser.new_context(**options)) as context:
        page = context.new_page()
        pictures = Pictures(page, Watch(page))
        pictures.visit(tmp_path / "view.html")
        yield pictures


def test_a_finger_that_rests_drags_over_several(phone: Pictures) -> None:
    before = at_patch(phone, 5)
    finger_drags(phone, 15, 5, rests=True)
    expect(phone.sentence).to_contain_text("9 tokens of picture 1 together are read most by: cat")
    phone.page.wait_for_function("() => location.hash.includes('locked')")
    assert "5%2C6%2C7%2C9%2C10%2C11%2C13%2C14%2C15" in urlsplit(phone.page.url).fragment
    box = phone.page.locator(".picture canvas").first.bounding_box()
    assert box
    left, top = place_of(phone, *middle_of(5))
    assert (box["x"] + left, box["y"] + top) == pytest.approx(before, abs=2)  # nothing scrolled
    expect(phone.page.locator(".picture small")).to_contain_text("colours up to about ")


def test_a_finger_that_does_not_rest_scrolls(phone: Pictures) -> None:
    at_patch(phone, 5)
    before = phone.page.evaluate("() => scrollY")
    finger_drags(phone, 14, 2, rests=False)
    assert phone.page.evaluate("() => scrollY") > before + 50
    assert "locked" not in phone.page.url
    expect(phone.page.locator(".picture small")).to_contain_text("hold a patch and drag")


def with_two_heads() -> Trace:
    """Give a second head in which *cat* reads patch 9, less than patch 6 in the first."""
    seen = with_pictures()
    first = seen.weights(0, 0)
    second = first.copy()
    second[-2] = np.roll(first[-2], 3) / 2 + 0.5 / len(first)
    both = Trace.from_weights(np.stack([first, second])[None], list(seen.source.tokens))
    return replace(both, source=seen.source, media=seen.media)


@pytest.mark.parametrize("where", ["page", "kernel"])
def test_a_head_that_is_pointed_at_in_the_grid_lights_the_picture(
    pictures: Pictures, tmp_path: Path, where: str
) -> None:
    seen, page = with_two_heads(), pictures.page
    if where == "kernel":
        page.evaluate(LOAD, FRONT_END.read_text("utf-8"))
        mount_with_kernel(pictures, view(seen, layer=0, head=0))
    else:
        pictures.open(seen, tmp_path, layer=0, head=0)
    page.locator(".texts").get_by_text(CAT, exact=True).click()
    page.mouse.move(2, 2)
    first, second = (seen.weights(0, head)[-2, : GRID**2] for head in (0, 1))
    assert lit_as_read(colours(pictures)[:15], first[:15])
    title = page.locator(".picture figcaption span").first
    grid = page.locator(".heads canvas")
    grid.hover(position={"x": 24 + 1.5 * 36, "y": 18 + 18})
    expect(title).to_have_text("Picture: layer 0, head 1")
    found = colours(pictures).sum(axis=1)
    assert found.argmin() == second.argmax() == 9
    assert found.min() < 300  # of its own largest weight, whatever is the other's
    assert pictures.drawn == "encoder, layer 0, head 0"  # it is not chosen
    page.mouse.move(2, 2)
    expect(title).to_have_text("Picture")
    assert colours(pictures).sum(axis=1).argmin() == 6
    grid.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('[data-drawn]').dataset.drawn.at(-1) == 1")
    assert colours(pictures).sum(axis=1).argmin() == 9  # what is locked stays


def test_a_row_of_a_map_lights_the_picture(live: Pictures) -> None:
    long, side = long_trace(), 70
    patches = [Box(0, x, y, x + 4, y + 4) for y, x in product(range(0, 4 * side, 4), repeat=2)]
    places: list[Any] = [*patches, *[None] * (5000 - side**2)]
    grey = np.full((4 * side, 4 * side, 3), 128, np.uint8)
    names = replace(long.source, places=places)
    seen = replace(long, source=names, media=Media((grey,)))
    mount_with_kernel(live, view(seen))
    expect(live.page.locator(".picture")).to_be_visible()
    live.page.mouse.move(*live.cell(4321, 700))
    live.page.wait_for_timeout(600)
    row, column = divmod(1234, side)
    read = colour_at(live, 4 * column + 2, 4 * row + 2)
    beside = colour_at(live, 4 * column + 2, 4 * row + 10)
    assert read.sum() + 200 < beside.sum()
    exact = seen.weights(0, 0)[4321]
    assert exact.argmax() == 1234
    live.page.mouse.move(*at_pixel(live, 4 * column + 2, 4 * row + 2))
    expect(live.sentence).to_contain_text("is read most by: ")


def test_a_picture_that_is_made_smaller_says_both_sizes(pictures: Pictures, tmp_path: Path) -> None:
    large = photo(0, 3000, 4000)
    pictures.open(with_pictures(large), tmp_path)
    said = pictures.page.locator(".picture small")
    expect(said).to_have_text(
        re.compile(r"drag over several patches; 4000 x 3000 pixels, here \d+ x")
    )
    described = pictures.page.locator(".picture canvas").first.get_attribute("aria-label")
    assert described
    assert described.startswith("Picture that the model saw, 4000 x 3000 pixels, with weights over")
    pictures.open(with_pictures(GREY), tmp_path)
    expect(said).to_have_text(re.compile("drag over several patches$"))


def test_a_picture_of_one_pixel_is_a_picture(pictures: Pictures, tmp_path: Path) -> None:
    seen = Trace.from_weights([[0.25, 0.75], [0.5, 0.5]], ["patch", "word"])
    placed = replace(seen.source, places=[Box(0, 0, 0, 1, 1), None])
    seen = replace(seen, source=placed, media=Media((np.full((1, 1, 3), 128, np.uint8),)))
    pictures.open(seen, tmp_path)
    assert (colour_at(pictures, 0.5, 0.5) == 128).all()
    point_at_word(pictures, "word")
    pictures.page.wait_for_timeout(150)
    assert (colour_at(pictures, 0.2, 0.2) != 128).any()
    pictures.page.mouse.move(*at_pixel(pictures, 0.5, 0.5))
    expect(pictures.sentence).to_contain_text("patch (pixels 0–1 × 0–1) is read most by")


def test_little_that_is_read_is_seen_and_said(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_pictures()
    weights = seen.weights(0, 0).copy()
    weights[0] = np.eye(len(weights))[0]  # as in each causal model
    weights[-2] = 0.05 * weights[-2] + 0.95 * np.eye(len(weights))[-1]
    little = Trace.from_weights(weights[None, None], list(seen.source.tokens))
    pictures.open(replace(little, source=seen.source, media=seen.media), tmp_path)
    point_at_word(pictures)
    assert lit_as_read(colours(pictures), weights[-2, : GRID**2])
    said = pictures.page.locator(".picture small")
    expect(said).to_have_text(
        re.compile(r"^colours up to about 0\.03\d( ± [\d.]+)?, over the picture without its own$")
    )
    assert 0.03 < weights[-2, 6] < 0.04
    pictures.page.locator(".texts").get_by_text(CAT, exact=True).click()
    with pictures.page.expect_download() as saved:
        pictures.page.get_by_role("button", name="SVG of the picture").click()
    drawn = Path(saved.value.path()).read_text("utf-8")
    assert ">.031<" in drawn or ">.032<" in drawn  # the end of its legend


def test_patches_are_one_item_until_they_are_opened(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_pictures(GREY, GREY)
    pictures.open(seen, tmp_path)
    texts = pictures.page.locator(".texts")
    folded = texts.get_by_role("button", name="16 tokens of picture 2")
    expect(texts).to_have_text("16 tokens of picture 1 16 tokens of picture 2 a cat sleeps ")
    pictures.page.locator(".lines").evaluate("one => one.scrollIntoView({block: 'center'})")
    pictures.page.mouse.move(*pictures.token("reads", 3))
    expect(pictures.sentence).to_contain_text("cat reads most: patch 1, 2")
    pictures.page.mouse.move(*pictures.token("is read", 1))
    expect(pictures.sentence).to_have_text(re.compile("^16 tokens of picture 2 together are read"))
    folded.focus()
    pictures.page.keyboard.press("Enter")
    expect(folded).to_be_hidden()
    expect(texts).to_contain_text("patch 3, 3 a cat sleeps")
    pictures.page.wait_for_function("() => location.hash.includes('unfolded')")
    pictures.page.mouse.move(*pictures.token("is read", 1 + 6))
    expect(pictures.sentence).to_have_text(re.compile(r"^patch 1, 2 \(22\) \(picture 2"))
    pictures.page.reload()
    expect(texts).to_contain_text("patch 3, 3 a cat sleeps")
    pictures.page.locator(".lines").get_by_role("button", name="fold picture 2").click()
    expect(folded).to_be_visible()


def test_a_click_opens_a_fold_of_the_lines(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(with_pictures(), tmp_path)
    pictures.page.mouse.click(*pictures.token("reads", 0))
    expect(pictures.page.locator(".lines").get_by_role("button", name="fold")).to_be_visible()
    pictures.page.mouse.move(*pictures.token("reads", GRID**2 + 1))
    expect(pictures.sentence).to_contain_text("cat reads most")


def test_a_fold_is_shaded_by_the_sum_of_what_is_read(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_pictures(GREY, GREY)
    pictures.open(seen, tmp_path)
    point_at_word(pictures)
    grounds = [
        np.array(re.findall(r"\d+", one.evaluate("one => one.style.background")), dtype=int).sum()
        for one in pictures.page.locator(".texts").get_by_role("button").all()
    ]
    sums = [seen.weights(0, 0)[-2, 16 * at : 16 * at + 16].sum() for at in (0, 1)]
    assert (grounds[0] > grounds[1]) == (sums[0] < sums[1])


@pytest.mark.parametrize("kind", ["PNG", "SVG"])
def test_the_picture_is_taken_away(pictures: Pictures, tmp_path: Path, kind: str) -> None:
    pictures.open(with_pictures(photo(1, SIDE, SIDE)), tmp_path)
    pictures.page.locator(".texts").get_by_text(CAT, exact=True).click()
    with pictures.page.expect_download() as saved:
        pictures.page.get_by_role("button", name=f"{kind} of the picture").click()
    name = saved.value.suggested_filename
    assert name == f"encoder-self-attention-layer-0-head-0-picture.{kind.lower()}"
    written = Path(saved.value.path()).read_bytes()
    if kind == "PNG":
        pixels = np.asarray(Image.open(BytesIO(written)).convert("RGB"), dtype=int)
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500
    else:
        drawn = ET.fromstring(written)  # noqa: S314 - it is our own
        tags = [one.tag.rpartition("}")[2] for one in drawn.iter()]
        assert tags.count("image") == 1
        assert tags.count("rect") > GRID**2


def test_names_are_text_and_a_picture_is_only_a_picture(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_pictures()
    names = ["<img src=x onerror=alert(1)>", *seen.source.tokens[1:]]
    pictures.open(replace(seen, source=replace(seen.source, tokens=names)), tmp_path)
    pictures.page.mouse.move(*at_patch(pictures, 0))
    expect(pictures.sentence).to_contain_text("<img src=x onerror=alert(1)>")
    page = (tmp_path / "view.html").read_text("utf-8")
    evil = "data:image/svg+xml;base64,PHN2Zy8+"
    (tmp_path / "view.html").write_text(re.sub(r"data:image/webp;base64,[\w+/=]+", evil, page))
    pictures.visit(tmp_path / "view.html")
    expect(pictures.sentence).to_contain_text("A picture or sound came damaged")


def test_a_live_view_has_the_picture_too(live: Pictures) -> None:
    seen = with_pictures()
    live.page.evaluate(MOUNT, traits(seen))
    assert "layer 0, head 0" in live.drawn
    point_at_word(live)
    assert lit_as_read(colours(live), read_by_cat(seen))


def test_without_places_there_is_neither(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_pictures()
    pictures.open(replace(seen, source=replace(seen.source, places=None)), tmp_path)
    expect(pictures.page.locator(".picture, .sound")).to_have_count(0)
    expect(pictures.page.locator(".texts")).to_contain_text("patch 3, 3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("make", [with_pictures, with_sound])
def test_axe_finds_nothing(browser: Browser, tmp_path: Path, scheme: Any, make: Any) -> None:
    with closing(browser.new_context(bypass_csp=True, color_scheme=scheme)) as context:
        page = context.new_page()
        opened = Pictures(page, Watch(page))
        opened.open(make(), tmp_path)
        page.locator(".texts").get_by_text(CAT, exact=True).click()
        found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []


# sound


@pytest.fixture
def heard(pictures: Pictures, tmp_path: Path) -> Pictures:
    pictures.open(with_sound(), tmp_path)
    return pictures


def at_second(pictures: Pictures, second: float, seconds: float = 4.0) -> tuple[float, float]:
    canvas = pictures.page.locator(".sound canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    return box["x"] + 8 + second / seconds * (box["width"] - 16), box["y"] + 100


def test_a_word_lights_what_it_hears(heard: Pictures) -> None:
    point_at_word(heard)
    heard.page.wait_for_timeout(150)
    canvas = heard.page.locator(".sound canvas").first
    box = canvas.bounding_box()
    assert box
    ground = canvas.evaluate(PIXEL, [at_second(heard, 0.5)[0] - box["x"], 100])
    lit = [canvas.evaluate(PIXEL, [at_second(heard, at)[0] - box["x"], 100]) for at in (2.05, 2.55)]
    assert all(one[3] == 255 and one[:3] != ground[:3] for one in lit)
    beside = canvas.evaluate(PIXEL, [at_second(heard, 2.75)[0] - box["x"], 100])
    assert beside == ground
    expect(heard.page.locator(".sound small")).to_have_text("read most: 2.00 to 2.60 s")


def test_a_part_of_a_sound_says_when_it_is_and_who_reads_it(heard: Pictures) -> None:
    heard.page.mouse.move(*at_second(heard, 2.25))
    expect(heard.sentence).to_have_text(
        re.compile(r"^2\.2 s \(2\.20–2\.30 s\) is read most by: cat about 0\.15")
    )
    heard.page.locator(".texts").get_by_text(CAT, exact=True).click()
    heard.page.mouse.move(*at_second(heard, 2.25))
    expect(heard.sentence).to_contain_text("cat reads 2.2 s: about 0.15")


def test_what_is_read_most_is_played_by_a_key_and_a_button(heard: Pictures) -> None:
    sound = heard.page.locator(".sound")
    button = sound.get_by_role("button", name="what it reads most")
    expect(button).to_be_disabled()
    heard.page.locator(".texts").get_by_text(CAT, exact=True).click()
    button.click()
    expect(sound).to_have_attribute("data-played", "2.00 2.60")
    heard.page.keyboard.press("Escape")
    heard.page.locator(".texts").get_by_text("sleeps", exact=True).click()
    sound.locator("canvas").first.focus()
    heard.page.keyboard.press("Enter")
    expect(sound).to_have_attribute("data-played", "0.00 0.60")


def test_keys_walk_a_sound(heard: Pictures) -> None:
    heard.page.locator(".sound canvas").first.focus()
    for key, name in pairwise(["", "ArrowRight", "0.0 s", "ArrowRight", "0.1 s"]):
        if key.startswith("Arrow"):
            heard.page.keyboard.press(key)
            expect(heard.sentence).to_contain_text(f"{name} (")
    heard.page.keyboard.press("End")
    expect(heard.sentence).to_contain_text("3.9 s (3.90–4.00 s)")
    heard.page.keyboard.press(" ")
    heard.page.wait_for_function("() => location.hash.includes('locked')")


def test_a_sound_that_is_too_long_is_only_drawn(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(with_sound(60.0), tmp_path)
    expect(pictures.page.locator(".sound")).to_be_visible()
    expect(pictures.page.get_by_role("button", name="what it reads most")).to_be_hidden()
    point_at_word(pictures)
    expect(pictures.page.locator(".sound small")).to_have_text("read most: 30.00 to 39.00 s")
