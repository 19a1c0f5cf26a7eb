"""What opens first in JupyterLab, and how code that a source folds looks there."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import READY_MS, Lab
from tools.build_notebook import build
from tools.notebook_sources import PACKAGES, all_sources

pytestmark = pytest.mark.browser

SOURCE = """# %% jupyter={"source_hidden": true}
print("shown")

# %%
print("beside")
"""


def test_the_index_leads_to_every_notebook(lab: Lab, lab_folder: Path) -> None:
    names = {path.with_suffix(".ipynb").name for path in all_sources()} - {"index.ipynb"}
    for name in sorted(names):
        lab.open(lab_folder / "index.ipynb")
        lab.page.locator(f'.jp-RenderedMarkdown a[href*="{name}"]').click()
        tab = lab.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel", has_text=name)
        expect(tab).to_be_visible(timeout=READY_MS)
    assert lab.watch.errors == []


def test_folded_code_is_folded_and_its_output_is_not(lab: Lab, lab_folder: Path) -> None:
    (lab_folder / "folded.py").write_text(SOURCE)
    notebook = lab_folder / "folded.ipynb"
    build(lab_folder / "folded.py", notebook, PACKAGES)
    lab.open(notebook)
    cells = lab.page.locator(".jp-CodeCell")
    expect(cells.nth(0).locator(".jp-OutputArea")).to_contain_text("shown")
    expect(cells.nth(0).locator(".cm-editor")).to_have_count(0)
    expect(cells.nth(1).locator(".cm-editor")).to_be_visible()
    notebook.unlink()
    (lab_folder / "folded.py").unlink()
