"""Heads that stand beside each other: each is named, pointed at, explained and taken away."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.test_view import Pictures, live, pictures
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
