"""The view in a real JupyterLab, as a person uses it: what they see, and what Python then says.

Screenshots go to $REGARD_SHOTS, if it is set, so that a person can look at them.
"""

import ast
import re
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, expect

from tests.browser.lab import Lab, Watch
from tests.browser.test_view import Pictures

pytestmark = pytest.mark.browser

FOLLOW_SECONDS = 20
TRACE = """import torch

import regard
from regard.model.lexicon import vocabulary
from regard.model.tokenization import build_tokenizer

torch.manual_seed(1)
model = regard.build_transformer_model(
    vocab_size=300, d_model=32, nhead=4, num_layers=2, dim_feedforward=64
)
tokenizer = build_tokenizer(vocabulary(300))
seen = regard.trace(
    "the dog did not follow it .", model, tokenizer, target="a cat saw these cows"
)
shown = regard.view(seen, layer=0)
shown"""
WHICH = "print(tuple(shown.selected))"
NAMES = "print({kind: tuple(seen.labels(kind=kind)) for kind in seen.kinds})"
CROSS = "print(seen.weights(1, 3, kind='cross').tolist())"
BACK = "shown.select(0, 1, kind='encoder')"
TAKE = "shown.save('taken.html')"
LOOK = "print(shown.look['log'])"
RESTART = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"


def write_notebook(path: Path, *sources: str) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def violations(pictures: Pictures) -> list[Any]:
    found = Axe().run(pictures.page, context="[data-regard]").response["violations"]
    return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]


def test_a_person_explores_a_trace_in_jupyterlab(
    lab: Lab, lab_folder: Path, browser: Browser
) -> None:
    path = lab_folder / "trace.ipynb"
    write_notebook(path, TRACE, WHICH, NAMES, CROSS, BACK, TAKE, LOOK)
    lab.open(path)
    lab.run_cell("torch")
    pictures = Pictures(lab.page, lab.watch)
    host = lab.page.locator("[data-regard]")
    expect(host).to_have_attribute("data-drawn", "encoder, layer 0, head 0")

    choose_a_head_by_keyboard(lab, host)
    choose_a_kind(lab, host)
    rows, columns = ast.literal_eval(lab.run_cell(NAMES))["cross"]
    weights = ast.literal_eval(lab.run_cell(CROSS))
    lab.show_cell("torch")
    read_a_cell(pictures, f"{rows[2]} reads {columns[3]}: ", weights[2][3])
    lock_and_sum(pictures, rows, columns, weights)
    zoom(pictures)

    lab.run_cell(BACK)
    lab.show_cell("torch")
    expect(host).to_have_attribute("data-drawn", "encoder, layer 0, head 1")
    expect(lab.page.get_by_role("combobox", name="Attention")).to_have_value("encoder")

    for theme in ("Dark", "Light"):
        lab.change_theme(f"JupyterLab {theme}")
        expect(host).to_have_attribute("data-theme", theme.lower())
        pictures.shoot(f"jupyterlab_{theme.lower()}")
        assert violations(pictures) == []

    lab.show_cell("torch")
    lab.page.get_by_label("log scale").check()
    lab.page.wait_for_timeout(500)  # Python is told once one rests
    assert lab.run_cell(LOOK) == "True"
    lab.run_cell(TAKE)
    check_taken_page(browser, lab_folder / "taken.html")
    assert lab.pop_ups() == []
    assert lab.watch.outside == []
    assert lab.watch.errors == []
    lab.page.evaluate(RESTART)
    lab.show_cell("torch")
    expect(lab.page.locator("[data-regard] .alert")).to_contain_text("it was restarted")
    expect(host).to_have_attribute("data-drawn", "encoder, layer 0, head 1")  # what is shown stays


def choose_a_head_by_keyboard(lab: Lab, host: Locator) -> None:
    """Walk in the grid, where JupyterLab would go to other cells; Python's selection goes along."""
    lab.page.locator(".heads canvas").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        lab.page.keyboard.press(key)
    expect(host).to_have_attribute("data-drawn", "encoder, layer 1, head 2")
    wait_until_selected(lab, ("encoder", 1, 2))


def choose_a_kind(lab: Lab, host: Locator) -> None:
    """Choose another kind, and another head, from the menus; Python's selection goes along."""
    lab.show_cell("torch")
    lab.page.get_by_role("combobox", name="Attention").select_option("cross")
    expect(host).to_have_attribute("data-drawn", "cross, layer 1, head 2")
    lab.page.get_by_role("combobox", name="Head", exact=True).select_option("3")
    expect(host).to_have_attribute("data-drawn", "cross, layer 1, head 3")
    wait_until_selected(lab, ("cross", 1, 3))


def wait_until_selected(lab: Lab, head: tuple[str, int, int]) -> None:
    """Ask Python which head is shown, until it is this: while it is busy, changes wait."""
    deadline = time.monotonic() + FOLLOW_SECONDS
    while (selected := ast.literal_eval(lab.run_cell(WHICH))) != head:
        assert time.monotonic() < deadline, f"Python still has {selected}, not {head}"


def read_a_cell(pictures: Pictures, said: str, weight: float) -> None:
    """Point at the cell in row 2 and column 3: what it says is the kernel's own number."""
    pictures.page.mouse.move(*pictures.cell(2, 3))
    expect(pictures.sentence).to_contain_text(f"{said}{weight:.4g}, its ")


def lock_and_sum(
    pictures: Pictures, rows: list[str], columns: list[str], weights: list[list[float]]
) -> None:
    """Lock a row by a click, add the next by shift and a click, unlock; lock one by keyboard."""
    mouse, keys, sentence = pictures.page.mouse, pictures.page.keyboard, pictures.sentence
    mouse.click(*pictures.cell(1, 0))
    mouse.move(5, 5)
    expect(sentence).to_have_text(strongest(f"{rows[1]} reads most: ", columns, weights[1]))
    keys.down("Shift")
    mouse.click(*pictures.cell(2, 0))
    keys.up("Shift")
    mouse.move(5, 5)
    summed = [one + other for one, other in zip(weights[1], weights[2], strict=True)]
    both = f"{rows[1]} and {rows[2]} together read most: "
    expect(sentence).to_have_text(strongest(both, columns, summed))
    pictures.page.locator(".lines canvas").first.focus()
    keys.press("Escape")
    expect(sentence).to_have_text("unlocked")
    pictures.page.locator(".matrix canvas").first.focus()
    for key in ("ArrowDown", "Enter"):
        keys.press(key)
    expect(sentence).to_have_text(strongest(f"{rows[0]} reads most: ", columns, weights[0]))
    keys.press("Enter")
    expect(sentence).to_have_text("unlocked")


def strongest(start: str, columns: list[str], weights: list[float]) -> re.Pattern[str]:
    """Say what comes first; its weight up to one in the last place, as it travels in a byte."""
    weight, name = max(zip(weights, columns, strict=True))
    near = "|".join(f"{weight + off:.2f}" for off in (-0.01, 0, 0.01))
    return re.compile(f"^{re.escape(start + name)} ({near}), ")


def zoom(pictures: Pictures) -> None:
    """Zoom in by keyboard until a cell is larger, and back."""
    matrix = pictures.page.locator(".matrix")
    before = matrix.get_attribute("data-place") or ""
    pictures.page.locator(".matrix canvas").first.focus()
    pictures.page.keyboard.press("+")
    expect(matrix).not_to_have_attribute("data-place", before)
    assert float((matrix.get_attribute("data-place") or "").split()[2]) > float(before.split()[2])
    for key in "00":  # which would ask to restart the kernel
        pictures.page.keyboard.press(key)
    expect(matrix).to_have_attribute("data-place", before)


def check_taken_page(browser: Browser, path: Path) -> None:
    """Open the saved page with the network off and no kernel: it shows the head that was shown."""
    with closing(browser.new_context(offline=True)) as context:
        page = context.new_page()
        watch = Watch(page)
        Pictures(page, watch).visit(path)
        host = page.locator("[data-regard]")
        expect(host).to_have_attribute("data-drawn", "encoder, layer 0, head 1")
        page.get_by_role("combobox", name="Attention").select_option("decoder")
        expect(host).to_have_attribute("data-drawn", "decoder, layer 0, head 1")
        assert watch.errors == []
        assert [url for url in watch.outside if url != path.as_uri()] == []
