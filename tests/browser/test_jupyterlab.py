from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Explorer, Lab

pytestmark = pytest.mark.browser

FIRST_LOOK, EXPLORER_CELL = "regard.explore(", "explorer = Still("
SENTENCE = "the dog saw the cows ."
UNKNOWN = "xylophone"


def test_a_person_runs_the_notebook_and_explores(lab: Lab, lab_folder: Path) -> None:
    lab.open(lab_folder / "self_attention.ipynb")
    lab.run_all()
    assert lab.error_outputs() == []

    expect(lab.show_cell(FIRST_LOOK).locator("[data-regard]")).to_be_visible()
    explore(Explorer(lab.show_cell(EXPLORER_CELL)))

    assert lab.pop_ups() == []
    assert lab.watch.outside == []
    assert lab.watch.errors == []


def explore(explorer: Explorer) -> None:
    """Type and choose as a person does; each time another picture comes, or says why not."""
    picture = explorer.picture()

    explorer.write(SENTENCE)
    picture = explorer.wait_for_picture_other_than(picture)
    for label in ("Layer", "Head", "Attention"):
        explorer.select(label, explorer.other(label))
        picture = explorer.wait_for_picture_other_than(picture)

    explorer.write(f"the {UNKNOWN} saw the cows .")
    expect(explorer.output).to_contain_text(UNKNOWN)
    expect(explorer.output).not_to_contain_text("Traceback")

    explorer.write(SENTENCE)
    expect(explorer.output).not_to_contain_text(UNKNOWN)
    assert explorer.picture() == picture
