"""The film of training in a real JupyterLab: its slider and its play button."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Explorer, Lab
from tests.browser.test_view_in_jupyterlab import write_notebook

pytestmark = pytest.mark.browser

FILM = """import numpy as np
import regard
from regard.lessons.film_player import play_film
from regard.lessons.film import Film

film = Film(lambda x: regard.Trace.from_weights([[1 - x, x], [x, 1 - x]]), num_steps=9)
for step in range(5):
    film.take(step / 4, step, loss=1 / (1 + step))
player = play_film(film, layer=0, head=0)
player"""
WHERE = "print(player.slider.value)"


def test_a_person_plays_the_film(lab: Lab, lab_folder: Path) -> None:
    path = lab_folder / "film.ipynb"
    write_notebook(path, FILM, WHERE)
    lab.open(path)
    lab.run_cell("film")
    shown = Explorer(lab.show_cell("film"))
    picture = shown.picture()
    expect(shown.output).to_contain_text("step 4, loss 0.20")

    handle = shown.output.locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowLeft")
    picture = shown.wait_for_picture_other_than(picture)
    expect(shown.output).to_contain_text("step 3, loss 0.25")
    assert lab.run_cell(WHERE).strip() == "3"

    lab.show_cell("film")
    handle.press("Home")
    picture = shown.wait_for_picture_other_than(picture)
    shown.output.locator("button").first.click()  # play
    expect(shown.output).to_contain_text("step 4, loss 0.20", timeout=10_000)
    assert lab.watch.outside == []
    assert lab.watch.errors == []
