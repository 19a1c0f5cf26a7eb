"""The view where else notebooks run: Notebook 7, voila and marimo, if they are installed.

What a host itself asks of the web or complains about is named here; it does so of any widget.
"""

import sys
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.contrast import ENOUGH, contrasts
from tests.browser.lab import HERE, READY_MS, Watch
from tests.browser.serving import choose_theme, free_port, serving
from tests.browser.test_view import Pictures

pytestmark = pytest.mark.browser

TOKEN = "for-this-test-only"  # noqa: S105 - the server hears only this machine and ends with the test
VIEW = """import numpy as np
import regard

weights = np.full((1, 2, 4, 4), 0.25)
weights[0, 1, 1] = [0.1234567, 0.5, 0.25, 0.1265433]
shown = regard.view(weights, ["the", "dog", "saw", "it"], layer=0, head=0)
"""
APP = """# /// script
# [tool.marimo.display]
# theme = "{theme}"
# ///

import marimo

app = marimo.App()


@app.cell
def _():
    {indented}
    import marimo

    marimo.ui.anywidget(shown)
"""


@dataclass(frozen=True)
class Host:
    """A host, started in a folder with `view.ipynb` and `app.py`."""

    command: tuple[str, ...]
    page: str
    own: tuple[str, ...] = ()  # parts of what it says of any widget


HOSTS = {
    "notebook": Host(
        ("notebook", "--no-browser", "--allow-root", f"--IdentityProvider.token={TOKEN}"),
        f"notebooks/view.ipynb?token={TOKEN}",
        ("reading 'schema'",),
    ),
    "voila": Host(
        ("voila", "view.ipynb", "--no-browser"),
        "",
        ("/@fortawesome/fontawesome-free@", '"shareKey":"@jupyterlab/'),
    ),
    "marimo": Host(("marimo", "run", "app.py", "--headless", "--no-token"), ""),
}
PORT = {"notebook": "--ServerApp.port={}", "voila": "--port={}", "marimo": "--port={}"}
UP = {"notebook": "/api", "voila": "/voila/static/voila.js", "marimo": "/health"}


def write_sources(folder: Path, theme: str) -> None:
    cell = nbformat.v4.new_code_cell(f"{VIEW}shown")
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "view.ipynb")
    indented = VIEW.strip().replace("\n", "\n    ")
    (folder / "app.py").write_text(APP.format(indented=indented, theme=theme))


def run_the_cell(page: Page) -> None:
    """Run the notebook's cell, once its kernel is there."""
    expect(page.locator(".jp-Toolbar-kernelName")).to_contain_text("Python 3", timeout=READY_MS)
    indicator = page.locator(".jp-Notebook-ExecutionIndicator")
    expect(indicator).to_have_attribute("data-status", "idle", timeout=READY_MS)
    page.locator(".jp-CodeCell .cm-content").click()
    page.keyboard.press("Shift+Enter")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", HOSTS)
def test_a_person_views_weights_elsewhere(
    browser: Browser, tmp_path: Path, name: str, theme: str
) -> None:
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    host = HOSTS[name]
    write_sources(tmp_path, theme)
    choose_theme(tmp_path, theme)
    port = free_port()
    url = f"http://{HERE}:{port}"
    command = [sys.executable, "-m", *host.command, PORT[name].format(port)]
    command += [f"--theme={theme}"] if name == "voila" else []
    with (
        serving(command, url + UP[name], tmp_path / "server.log"),
        closing(browser.new_context(device_scale_factor=2)) as context,
    ):
        page = context.new_page()
        watch = Watch(page)
        page.goto(f"{url}/{host.page}")
        if name == "notebook":
            run_the_cell(page)
        view = page.locator("[data-regard]")
        expect(view).to_have_attribute("data-drawn", "encoder, layer 0, head 0", timeout=READY_MS)
        expect(view).to_have_attribute("data-theme", theme)
        measured = contrasts(page)
        Pictures(page, watch).shoot(f"{name}_{theme}")
        assert {what: ratio for what, ratio in measured.items() if ratio < ENOUGH} == {}
        page.locator(".heads canvas").focus()
        page.keyboard.press("ArrowRight")
        expect(view).to_have_attribute("data-drawn", "encoder, layer 0, head 1")
        page.locator(".matrix canvas").first.focus()
        for key in ("ArrowRight", "ArrowDown"):
            page.keyboard.press(key)
        # 0.12 before the kernel was asked
        expect(page.locator(".sentence")).to_have_text(
            "dog reads the: 0.1235, its 4th strongest of 4"
        )
    said = [*watch.errors, *watch.outside]
    assert [text for text in said if not any(part in text for part in host.own)] == []
