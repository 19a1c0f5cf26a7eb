"""The measures of a notebook, on one that is small enough to count by hand."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
import pytest
from matplotlib.image import imsave
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser, Page

from tools import measure_notebook
from tools.measure_notebook import Measures, lines_of, measure, report
from tools.notebook_page import page_of

FOLDED = {"jupyter": {"source_hidden": True}}


def picture(height: int, **metadata: Any) -> NotebookNode:
    """Give an output that shows a black picture of this height."""
    stream = BytesIO()
    imsave(stream, [[[0.0] * 3] * 10] * height, format="png")
    data = {"image/png": b64encode(stream.getvalue()).decode("ascii")}
    return new_output("display_data", data, metadata={"image/png": metadata})


def cells() -> list[NotebookNode]:
    """Give three visible lines, ninety folded ones, and two pictures of 1,500 pixels."""
    return [
        new_markdown_cell("# Farm\n\n![attention](none.png) $x$"),
        new_code_cell("a = 1\n\n# three lines", outputs=[picture(1500, alt="Already a dog.")]),
        new_code_cell(
            "b = 1\n" * 90, metadata=FOLDED, outputs=[picture(1500, alt="It reads dog.")]
        ),
    ]


def write(folder: Path, cells: list[NotebookNode]) -> Path:
    path = folder / "farm.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"regard": {"total_seconds": 7.5}}), path)
    return path


@pytest.fixture
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport=measure_notebook.SCREEN)
    page.route("http*://**", lambda route: route.abort())
    return page


def test_lines_seconds_and_bytes_need_no_browser(tmp_path: Path) -> None:
    path = write(tmp_path, cells())
    expected = Measures(lines=3, seconds=7.5, size=path.stat().st_size)
    assert measure(path, None) == expected


def test_a_page_is_as_long_as_what_is_not_folded(tmp_path: Path, page: Page) -> None:
    found = measure(write(tmp_path, cells()), page)
    assert found.screens is not None
    assert 3.0 < found.screens < 3.5  # ninety lines of code would be another 1.5
    assert found.attention == 2
    unfolded = cells()
    del unfolded[2].metadata["jupyter"]
    longer = measure(write(tmp_path, unfolded), page)
    assert longer.screens is not None
    assert longer.screens > found.screens + 1
    assert longer.attention == 4


def test_a_widgets_picture_is_one_of_attention(tmp_path: Path, page: Page) -> None:
    some = cells()
    some[1].outputs[0].metadata["image/png"]["widget"] = True
    assert measure(write(tmp_path, some), page).attention == 1


def test_a_reader_unfolds_code_without_a_kernel(tmp_path: Path, page: Page) -> None:
    drawn = tmp_path / "page.html"
    drawn.write_text(page_of(write(tmp_path, cells())), "utf-8")
    page.goto(drawn.as_uri())
    code = page.locator("pre", has_text="b = 1")
    assert not code.is_visible()
    page.get_by_text("code", exact=True).click()
    assert code.is_visible()


def test_a_page_has_the_alternative_text_that_was_given(tmp_path: Path) -> None:
    shown = picture(1, alt='A "map" of <b> & it')
    html = page_of(write(tmp_path, [new_code_cell("x", outputs=[shown])]))
    assert """alt='A "map" of &lt;b&gt; &amp; it'""" in html
    assert "No description" not in html


def test_what_is_above_its_limit_or_unknown_is_said() -> None:
    found = Measures(lines=901, screens=30.0, size=5)
    lines = lines_of(found, Measures(lines=900, screens=30, attention=4))
    assert lines == [
        ("  visible lines of code: 901, at most 900: NOT KEPT", False),
        ("  screens: 30.0, at most 30", True),
        ("  the screen of the first attention picture: not known, at most 4: NOT KEPT", False),
        ("  seconds to run all: not known", True),
        ("  bytes: 5", True),
    ]


@pytest.mark.parametrize(
    ("limits", "kept"),
    [(Measures(lines=3), True), (Measures(lines=2), False), (Measures(screens=1), True)],
)
def test_limits_hold_where_they_can_be_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: Measures, *, kept: bool
) -> None:
    monkeypatch.setitem(measure_notebook.LIMITS, "farm", limits)
    assert report([write(tmp_path, cells())], None) is kept


def test_without_a_browser_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure_notebook, "find_browser", lambda: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(SystemExit) as ended:
        measure_notebook.main([write(tmp_path, cells())])
    assert not ended.value.code
    assert "screens are not measured" in capsys.readouterr().out
    monkeypatch.setenv("CI", "1")
    with pytest.raises(SystemExit) as ended:
        measure_notebook.main([write(tmp_path, cells())])
    assert ended.value.code
