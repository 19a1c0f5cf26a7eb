"""A person at JupyterLab: what the browser tests do, in a person's words."""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Error, Locator, Page, expect

READY_MS = 120_000
RUN_ALL_MS = 600_000
REDRAW_SECONDS = 60

HERE = "127.0.0.1"
LOCAL_SCHEMES = {"blob", "data", "about"}

# Cells out of sight are not in the page, so these ask JupyterLab's model.
NOTEBOOK = "window.jupyterapp.shell.currentWidget.content"
CODE_CELLS = f"{NOTEBOOK}.model.sharedModel.cells.filter(cell => cell.cell_type === 'code')"
ALL_HAVE_RUN = f"() => {CODE_CELLS}.every(cell => cell.execution_count !== null)"
ERRORS = f"""() => {CODE_CELLS}.flatMap(cell => cell.outputs)
    .filter(output => output.output_type === 'error')
    .map(output => `${{output.ename}}: ${{output.evalue}}`)"""
SHOW_CELL = f"""async text => {{
    const index = {NOTEBOOK}.model.sharedModel.cells.findIndex(
        cell => cell.cell_type === 'code' && cell.source.includes(text));
    {NOTEBOOK}.activeCellIndex = index;
    await {NOTEBOOK}.scrollToItem(index, 'start');
    return index; }}"""
RUN_ACTIVE_CELL = "() => window.jupyterapp.commands.execute('notebook:run-cell')"
PRINTED = f"""index => {NOTEBOOK}.model.sharedModel.cells[index].outputs
    .filter(output => output.output_type === 'stream').map(output => output.text).join('')"""
CHANGE_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
PICTURE = """async image => {
    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return `${bytes.length}:${hash.join()}`; }"""


class Watch:
    """What went wrong in a page, and what it asked of other hosts."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.outside: list[str] = []
        page.on("console", self.hear)
        page.on("pageerror", self.catch)
        page.on("request", lambda request: self.see(request.url))
        page.on("websocket", lambda socket: self.see(socket.url))

    def hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location['url']})")

    def catch(self, error: Error) -> None:
        self.errors.append(str(error))

    def see(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in LOCAL_SCHEMES and parts.hostname != HERE:
            self.outside.append(url)


@dataclass
class Lab:
    """A JupyterLab in a page."""

    page: Page
    watch: Watch
    url: str
    token: str

    def open(self, notebook: Path) -> None:
        """Open a notebook and wait until its kernel is there and idle."""
        self.page.goto(f"{self.url}/lab/tree/{notebook.name}?token={self.token}&reset")
        # The indicator says idle while there is no kernel: first its name, then idle.
        name = self.page.locator(".jp-NotebookPanel .jp-Toolbar-kernelName")
        expect(name).to_contain_text("Python 3", timeout=READY_MS)
        self.wait_until_idle(READY_MS)

    def wait_until_idle(self, timeout: float) -> None:
        indicator = self.page.locator(".jp-Notebook-ExecutionIndicator")
        expect(indicator).to_have_attribute("data-status", "idle", timeout=timeout)

    def run_all(self) -> None:
        """Clear what the notebook came with, run all cells and wait for the end."""
        self.choose("Edit", "Clear Outputs of All Cells")
        self.choose("Run", "Run All Cells")
        self.page.wait_for_function(
            f"() => ({ERRORS})().length || ({ALL_HAVE_RUN})()", timeout=RUN_ALL_MS, polling=1000
        )
        self.wait_until_idle(RUN_ALL_MS)

    def choose(self, menu: str, item: str) -> None:
        bar = self.page.locator("#jp-MainMenu")
        bar.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(".lm-Menu").get_by_role("menuitem", name=re.compile(f"^{item}")).click()

    def error_outputs(self) -> list[str]:
        errors: list[str] = self.page.evaluate(ERRORS)
        return errors

    def pop_ups(self) -> list[str]:
        """Give the texts of dialogs and of notifications, such as an offer of news."""
        return self.page.locator(".jp-Dialog, .Toastify__toast").all_text_contents()

    def show_cell(self, text: str) -> Locator:
        """Scroll to the first code cell whose source has this text."""
        self._go_to(text)
        return self.page.locator(".jp-Notebook-cell.jp-mod-active")

    def run_cell(self, text: str) -> str:
        """Run the first code cell whose source has this text, and give what it prints."""
        index = self._go_to(text)
        self.page.evaluate(RUN_ACTIVE_CELL)
        assert self.error_outputs() == []
        printed: list[str] | str = self.page.evaluate(PRINTED, index)
        return "".join(printed).strip()

    def change_theme(self, name: str) -> None:
        """Choose "JupyterLab Light" or "JupyterLab Dark"."""
        self.page.evaluate(CHANGE_THEME, name)
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)  # it covers all

    def _go_to(self, text: str) -> int:
        index: int = self.page.evaluate(SHOW_CELL, text)
        assert index >= 0, f"no code cell has {text!r}"
        return index


class Explorer:
    """The controls of `regard.explore` in a cell's output: all its selectors are here."""

    def __init__(self, cell: Locator) -> None:
        self.output = cell.locator(".jp-Cell-outputWrapper")
        self.image = self.output.locator(".widget-output img, img.widget-image").first

    def picture(self) -> str:
        """Give a fingerprint of the picture's bytes."""
        self.image.wait_for(timeout=READY_MS)
        fingerprint: str = self.image.evaluate(PICTURE)
        return fingerprint

    def write(self, sentence: str) -> None:
        field = self.output.get_by_label("Sentence")
        field.fill(sentence)
        field.press("Enter")

    def choices(self, label: str) -> list[str]:
        return self.output.get_by_label(label).locator("option").all_text_contents()

    def other(self, label: str) -> str:
        """Give the last choice that is not made."""
        chosen = self.output.get_by_label(label).locator("option:checked").text_content()
        return [choice for choice in self.choices(label) if choice != chosen][-1]

    def select(self, label: str, choice: str) -> None:
        self.output.get_by_label(label).select_option(choice)

    def wait_for_picture_other_than(self, before: str) -> str:
        """Wait until another picture is drawn and give its fingerprint."""
        deadline = time.monotonic() + REDRAW_SECONDS
        while (now := self.picture()) == before:
            assert time.monotonic() < deadline, "the picture did not change"
            self.output.page.wait_for_timeout(100)
        return now
