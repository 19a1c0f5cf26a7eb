"""Measure the notebooks as a reader meets them: `python -m tools.measure_notebook [NOTEBOOK...]`.

Each is held against its limits. The screens are of the HTML page, drawn by Chromium without a
network, so that formulas stand as their source; where there is no Chromium, the rest is measured.
"""

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import nbformat
import typer
from nbformat import NotebookNode
from playwright.sync_api import Page, ViewportSize, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools.find_browser import ADVICE, find_browser
from tools.notebook_page import page_of
from tools.notebook_sources import NOTEBOOKS

SCREEN = ViewportSize(width=1280, height=1000)  # pixels
UNITS = {
    "lines": "visible lines of code",
    "screens": "screens",
    "attention": "the screen of the first attention picture",
    "seconds": "seconds to run all",
    "size": "bytes",
}
# Where the first picture stands that is of attention: its alternative text says so, or it stands
# for a widget. The introduction's picture is prose.
FIRST_ATTENTION = r"""
() => [...document.querySelectorAll('.jp-OutputArea-output img')]
    .filter(img => 'widget' in img.dataset || /\b(attention|reads)\b/i.test(img.alt))
    .map(img => img.getBoundingClientRect().top + window.scrollY)[0] ?? null
"""


@dataclass(frozen=True)
class Measures:
    """What a notebook has, or may have at most; None is not known, or not limited."""

    lines: int | None = None
    screens: float | None = None
    attention: int | None = None
    seconds: float | None = None
    size: int | None = None


LIMITS = {
    "self_attention": Measures(lines=900, screens=30, attention=4, seconds=150, size=2_000_000),
    "how_sure": Measures(seconds=150, size=2_000_000),
    "seeing": Measures(lines=450, screens=14, attention=6, seconds=150, size=2_000_000),
}


def measure(path: Path, page: Page | None) -> Measures:
    """Measure one notebook; without a browser's page, not its screens."""
    notebook = nbformat.read(path, as_version=4)
    screens, attention = screens_of(path, page) if page else (None, None)
    return Measures(
        visible_lines(notebook),
        screens,
        attention,
        notebook.metadata.get("regard", {}).get("total_seconds"),
        path.stat().st_size,
    )


def visible_lines(notebook: NotebookNode) -> int:
    """Count the lines of code that are not folded."""
    return sum(
        len(cell.source.splitlines())
        for cell in notebook.cells
        if cell.cell_type == "code" and not cell.metadata.get("jupyter", {}).get("source_hidden")
    )


def screens_of(path: Path, page: Page) -> tuple[float, int | None]:
    """Give the page's height in screens, and the screen of its first attention picture."""
    with TemporaryDirectory() as folder:
        drawn = Path(folder, "page.html")
        drawn.write_text(page_of(path), "utf-8")
        page.goto(drawn.as_uri())
        page.evaluate("() => document.fonts.ready.then(() => null)")
        height = page.evaluate("() => document.documentElement.scrollHeight")
        top = page.evaluate(FIRST_ATTENTION)
    screen = SCREEN["height"]
    return round(height / screen, 1), None if top is None else int(top // screen) + 1


def lines_of(measures: Measures, limits: Measures) -> list[tuple[str, bool]]:
    """Say each measure beside its limit, and whether it is kept; what is unknown is not."""
    allowed = asdict(limits)
    said = []
    for name, found in asdict(measures).items():
        most = allowed[name]
        kept = most is None or (found is not None and found <= most)
        number = "not known" if found is None else f"{found:,}"
        limit = "" if most is None else f", at most {most:,}{'' if kept else ': NOT KEPT'}"
        said.append((f"  {UNITS[name]}: {number}{limit}", kept))
    return said


def unseen(limits: Measures) -> Measures:
    """Drop the limits that only a browser can check."""
    return Measures(lines=limits.lines, seconds=limits.seconds, size=limits.size)


def report(paths: list[Path], page: Page | None) -> bool:
    """Print every notebook's measures and tell whether all limits are kept."""
    all_kept = True
    for path in paths:
        limits = LIMITS.get(path.stem, Measures())
        print(path.name)
        for line, kept in lines_of(measure(path, page), limits if page else unseen(limits)):
            print(line)
            all_kept &= kept
    return all_kept


def main(
    notebooks: Annotated[list[Path] | None, typer.Argument(help="Else all.")] = None,
) -> None:
    """Print what each notebook has, and fail where that is more than its limit."""
    paths = notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    browser_path = find_browser()
    if browser_path is None:
        print(f"{ADVICE}; screens are not measured")
        sys.exit(not report(paths, None) or "CI" in os.environ)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport=SCREEN)
        page.route("http*://**", lambda route: route.abort())
        kept = report(paths, page)
        browser.close()
    sys.exit(not kept)


if __name__ == "__main__":
    typer.run(main)
