import os
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab

pytestmark = pytest.mark.browser

CODE = """import numpy as np
import regard

weights = np.full((2, 3, 4, 4), 0.25)
weights[1, 2, 1] = [0.1234567, 0.5, 0.25, 0.1265433]
shown = regard.view(weights, ["the", "dog", "saw", "it"])
shown"""
CHANGE = "shown.select(1, 2)\nprint('selected', shown.selection)"
THEME = (
    "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
)


def test_a_person_views_a_trace_in_jupyterlab(lab: Lab, lab_folder: Path) -> None:
    path = lab_folder / "view.ipynb"
    cells = [nbformat.v4.new_code_cell(source) for source in (CODE, CHANGE)]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, path)
    lab.open(path)
    lab.run_all()
    assert lab.error_outputs() == []

    host = lab.page.locator("[data-regard]")
    expect(host).to_have_attribute("data-drawn", "encoder, layer 1, head 2")  # set from Python
    lab.page.locator(".heads canvas").focus()
    lab.page.keyboard.press("ArrowUp")  # JupyterLab would go to another cell
    expect(host).to_have_attribute("data-drawn", "encoder, layer 0, head 2")
    lab.page.keyboard.press("ArrowDown")
    expect(host).to_have_attribute("data-drawn", "encoder, layer 1, head 2")

    lab.page.locator(".matrix canvas").first.focus()
    for key in ("ArrowRight", "ArrowDown"):
        lab.page.keyboard.press(key)
    expect(lab.page.locator(".sentence")).to_have_text(
        "dog reads the: 0.1235, its 4th strongest of 4"  # 0.12 before the kernel was asked
    )
    for key in "00":  # which would ask to restart the kernel
        lab.page.keyboard.press(key)
    assert lab.pop_ups() == []

    assert host.get_attribute("data-theme") == "light"
    lab.page.evaluate(THEME)
    expect(host).to_have_attribute("data-theme", "dark")
    if folder := os.environ.get("REGARD_SHOTS"):
        lab.page.screenshot(path=Path(folder) / "jupyterlab.png")
    assert lab.watch.outside == []
    assert lab.watch.errors == []
