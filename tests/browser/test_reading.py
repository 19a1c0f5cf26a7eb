"""A long text is read: found by typing, by mouse, keys or a finger; what is said is in sight."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from regard.record.trace import Trace
from regard.viewer.widget import view
from tests.browser.lab import Watch
from tests.browser.test_view import Pictures

TOKENS = 400
PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def long() -> Trace:
    """Give a text of 400 tokens in which *it*, at 250, reads *dog*, at 100."""
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(TOKENS, 0.05), size=TOKENS)
    weights[250] = 0.3 / (TOKENS - 1)
    weights[250, 100] = 0.7
    names = [f"word{at}" for at in range(TOKENS)]
    names[100], names[250] = "dog", "it"
    return Trace.from_weights(weights, names)


@pytest.fixture
def page_of_long(long: Trace, tmp_path: Path) -> Path:
    view(long).save(tmp_path / "view.html")
    return tmp_path / "view.html"


@pytest.fixture
def opened(browser: Browser, page_of_long: Path) -> Iterator[Pictures]:
    with closing(browser.new_context(viewport={"width": 1280, "height": 800})) as context:
        page = context.new_page()
        pictures = Pictures(page, Watch(page))
        pictures.visit(page_of_long)
        yield pictures


@pytest.fixture
def phone(browser: Browser, page_of_long: Path) -> Iterator[Pictures]:
    options: Any = PHONE
    with closing(browser.new_context(**options)) as context:
        page = context.new_page()
        pictures = Pictures(page, Watch(page))
        pictures.visit(page_of_long)
        yield pictures


FOUND = re.compile(r"^it reads most: dog about 0\.70")


def test_three_actions_of_a_mouse_find_what_it_reads(opened: Pictures) -> None:
    search = opened.page.get_by_role("searchbox")
    search.click()
    opened.page.keyboard.type("it")
    opened.page.keyboard.press("Enter")
    expect(opened.sentence).to_have_text(FOUND)
    expect(opened.sentence).to_be_in_viewport()
    expect(opened.page.locator(".ranked li").first).to_have_text("dog (100): about 0.70")
    expect(opened.page.locator(".texts .own")).to_have_text("it")
    expect(opened.page.locator(".texts .own")).to_be_in_viewport()


def test_keys_alone_find_what_it_reads(opened: Pictures) -> None:
    active = "document.querySelector('[data-regard]').shadowRoot.activeElement?.type"
    while opened.page.evaluate(active) != "search":
        opened.page.keyboard.press("Tab")
    opened.page.keyboard.type("it")
    opened.page.keyboard.press("Enter")
    expect(opened.sentence).to_have_text(FOUND)


def test_a_finger_finds_what_it_reads(phone: Pictures) -> None:
    phone.page.get_by_role("searchbox").tap()
    phone.page.keyboard.type("it")
    phone.page.keyboard.press("Enter")
    expect(phone.sentence).to_have_text(FOUND)
    expect(phone.sentence).to_be_in_viewport()


def test_a_second_enter_goes_to_the_next_match(opened: Pictures) -> None:
    opened.page.get_by_role("searchbox").fill("word39")
    said = opened.page.locator(".reading small").first
    expect(said).to_have_text("1 of 11")  # word39 itself, and word390 to word399
    for _ in range(2):
        opened.page.keyboard.press("Enter")
    expect(said).to_have_text("2 of 11")
    expect(opened.sentence).to_contain_text("word390 reads most: ")
    opened.page.get_by_role("searchbox").fill("<b>cat</b>")
    expect(said).to_have_text("not there")


def test_all_that_is_read_is_listed_in_order(opened: Pictures, long: Trace) -> None:
    opened.page.get_by_role("searchbox").fill("it")
    opened.page.keyboard.press("Enter")
    opened.page.get_by_label("Of a token, show").select_option("columns")
    expect(opened.sentence).to_contain_text("it is read most by: ")
    strongest = int(np.argmax(long.weights(0, 0)[:, 250]))
    expect(opened.page.locator(".ranked li").first).to_contain_text(f"({strongest})")
    items = opened.page.locator(".ranked li").all_inner_texts()
    places = [int(re.findall(r"\((\d+)\)", item)[0]) for item in items]
    column = long.weights(0, 0)[:, 250][places]
    assert len(places) > 50
    assert (np.diff(column) <= 0.004).all()  # as far as bytes tell


def test_the_tip_says_it_at_the_pointer(opened: Pictures) -> None:
    x, y = opened.middle(".matrix")
    opened.page.mouse.move(x, y)
    tip = opened.page.locator(".tip")
    expect(tip).to_be_visible()
    assert tip.inner_text() == opened.sentence.inner_text()
    box = tip.bounding_box()
    assert box
    assert 0 < box["x"] - x < 60
    assert 0 < box["y"] - y < 60
    assert box["x"] + box["width"] <= 1280
    opened.page.mouse.move(2, 2)
    expect(tip).to_be_hidden()


def test_the_sentence_stays_in_sight_in_a_small_window(opened: Pictures) -> None:
    opened.page.set_viewport_size({"width": 800, "height": 600})
    opened.page.locator(".reading").scroll_into_view_if_needed()
    opened.page.mouse.wheel(0, 2000)
    opened.page.wait_for_timeout(100)
    expect(opened.sentence).to_be_in_viewport()


def test_a_tap_shows_a_cell_and_a_second_one_locks_its_row(phone: Pictures) -> None:
    phone.page.locator(".matrix canvas").first.scroll_into_view_if_needed()
    place = phone.middle(".matrix")
    before = phone.sentence.bounding_box()
    phone.page.touchscreen.tap(*place)
    expect(phone.sentence).to_contain_text(re.compile(r" reads word\d+: "))
    assert phone.sentence.bounding_box()["height"] < before["height"]
    assert phone.middle(".matrix") == pytest.approx(place, abs=1)  # nothing moves under the finger
    said = phone.sentence.inner_text()
    expect(phone.page.locator(".tip")).to_have_text(said)
    phone.page.touchscreen.tap(*place)
    expect(phone.page.locator(".texts .own")).to_have_count(1)


def test_two_fingers_zoom(phone: Pictures) -> None:
    phone.page.locator(".matrix canvas").first.scroll_into_view_if_needed()
    x, y = phone.middle(".matrix")

    def size() -> float:
        place = phone.page.locator(".matrix").get_attribute("data-place") or ""
        return float(place.split()[2])

    before = size()
    touch = phone.page.context.new_cdp_session(phone.page)
    for kind, apart in (("touchStart", 30), ("touchMove", 60), ("touchMove", 90)):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    phone.page.wait_for_timeout(100)
    assert size() > 2 * before


def test_targets_are_large_enough_for_a_finger(phone: Pictures) -> None:
    for target in phone.page.locator("button, select, input[type=search], summary").all():
        if target.is_visible():
            box = target.bounding_box()
            assert box
            assert box["height"] >= 44
    tile = phone.page.locator(".kinds canvas").bounding_box()
    assert tile
    assert min(tile["width"] - 24, tile["height"] - 18) >= 44
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_drag_locks_nothing_and_escape_unlocks(opened: Pictures) -> None:
    mouse, (x, y) = opened.page.mouse, opened.middle(".matrix")
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 60, y + 40, steps=4)
    mouse.up()
    expect(opened.page.locator(".texts .own")).to_have_count(1)  # the row that is pointed at
    mouse.move(2, 2)
    expect(opened.page.locator(".texts .own")).to_have_count(0)
    mouse.click(x, y)
    mouse.move(2, 2)
    expect(opened.page.locator(".texts .own")).to_have_count(1)
    opened.page.keyboard.press("Escape")
    expect(opened.page.locator(".texts .own")).to_have_count(0)


def test_what_is_embedded_in_a_notebook_needs_no_kernel(browser: Browser, long: Trace) -> None:
    shown = view(long).embed(height=700)
    with closing(browser.new_context(offline=True)) as context:
        page = context.new_page()
        page.set_content(f"<h1>a notebook's page</h1>{shown._repr_html_()}")
        frame = page.frame_locator("iframe")
        frame.get_by_role("searchbox").fill("it")
        frame.get_by_role("searchbox").press("Enter")
        expect(frame.locator(".sentence")).to_have_text(FOUND)
    with pytest.raises(ValueError, match="20 pixels cannot be read"):
        view(long).embed(height=20)


def test_keys_go_to_the_ends(opened: Pictures) -> None:
    opened.page.locator(".matrix canvas").first.focus()
    for key, said in {
        "ArrowDown": "word0 reads word0: ",
        "End": "word0 reads word399: ",
        "PageDown": "word10 reads word399: ",
        "Home": "word10 reads word0: ",
        "PageUp": "word0 reads word0: ",
    }.items():
        opened.page.keyboard.press(key)
        expect(opened.sentence).to_contain_text(said)
