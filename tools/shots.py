"""Pictures of saved pages: a browser without a network opens them, and does what a reader does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, sync_playwright

from tools.find_browser import ADVICE, find_browser

FIRST_LINE, LINE = 24, 19  # of the tokens between lines, in pixels, as in lines.ts


@dataclass(frozen=True)
class Shot:
    """What a reader does before the picture is taken, and on which ground."""

    switches: tuple[str, ...] = ()
    token: int | None = None  # that is locked
    scheme: Literal["light", "dark"] = "light"


@contextmanager
def opened(page: Path, scheme: Literal["light", "dark"]) -> Iterator[Page]:
    """Open a saved page in a browser without a network."""
    if find_browser() is None:
        sys.exit(ADVICE)
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=find_browser(), args=options)
        context = browser.new_context(
            offline=True, color_scheme=scheme, viewport={"width": 1280, "height": 640}
        )
        tab = context.new_page()
        tab.goto(page.as_uri())
        tab.wait_for_selector("[data-drawn]")
        yield tab
        browser.close()


def take(shot: Shot, page: Path, picture: Path) -> None:
    """Open a page, do what a reader does, and take a picture."""
    with opened(page, shot.scheme) as tab:
        for switch in shot.switches:
            tab.get_by_label(switch).check()
        if shot.token is not None:
            place = {"x": 40, "y": FIRST_LINE + LINE * (shot.token + 0.5)}
            tab.locator(".lines canvas").first.click(position=place)  # type: ignore[arg-type]
        tab.mouse.move(2, 2)
        tab.wait_for_timeout(200)
        tab.screenshot(path=picture, full_page=True)
