"""Pictures of any writing: drawn where the machine has letters for it, else told by numbers."""

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager

from regard.pictures import fonts, style
from regard.pictures.axes import name_ticks
from regard.pictures.head import plot_heatmap
from regard.pictures.readings import plot_readings
from regard.tracing.names import CIRCLE, DOT, MARKS
from regard.viewer.widget import view
from tests.pictures.drawing import drawn, tick_texts

EAST = "東京"
TINY = "Regard Tiny"


@pytest.fixture(autouse=True)
def _only_dejavu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine have matplotlib's own fonts; nothing was warned of."""
    own = [entry for entry in fontManager.ttflist if "mpl-data" in entry.fname]
    monkeypatch.setattr(fontManager, "ttflist", own)
    monkeypatch.setattr(fonts, "look_for_new", lambda: None)
    monkeypatch.setattr(fonts, "warned_of", set())
    with mpl.rc_context({"font.family": ["DejaVu Sans"]}):
        yield


def make_font(path: Path, letters: str, name: str = TINY) -> Path:
    """Write a font in which each letter is a box."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 700), (900, 700), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    box, names = pen.glyph(), [f"box{at}" for at in range(len(letters))]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", *names])
    font.setupCharacterMap(dict(zip(map(ord, letters), names, strict=True)))
    font.setupGlyf(dict.fromkeys([".notdef", *names], box))
    font.setupHorizontalMetrics(dict.fromkeys([".notdef", *names], (1000, 100)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": name, "styleName": "Regular", "psName": "RegardTiny"})
    font.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    font.setupPost()
    font.save(path)
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> None:
    """Let the machine have a font with the letters of Tokyo, too."""
    fontManager.addfont(make_font(tmp_path / "tiny.ttf", EAST))


def test_the_marks_of_names_are_in_every_font_of_matplotlibs_own() -> None:
    written = "".join([*MARKS.values(), DOT, CIRCLE, "→", "…"])
    assert style.literal(written) == written


def test_other_fonts_come_after_those_that_are_set(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fonts, "FALLBACKS", ("No Such Font", "STIXGeneral"))
    with caplog.at_level(logging.WARNING):
        style.use_style()
    assert mpl.rcParams["font.family"] == ["DejaVu Sans", "STIXGeneral"]
    assert not caplog.records


def test_without_such_a_font_letters_are_told_by_their_numbers() -> None:
    assert style.literal("牛 1/3") == "\\u725b 1/3"
    assert style.literal("می\u200cخواهم") == "می\u200cخواهم"
    assert mpl.rcParams["font.family"] == ["DejaVu Sans"]


def test_what_is_joined_is_written_whole_or_by_all_its_numbers() -> None:
    assert style.literal("👩\u200d👧é") == "\\U0001f469\\u200d\\U0001f467é"
    assert style.literal("牛" * 9, 15) == "\\u725b…\\u725b"  # no number is cut


@pytest.mark.usefixtures("tiny")
def test_a_text_is_given_in_the_fonts_that_have_its_letters() -> None:
    pieces = fonts.in_fonts("the 東京 dog 牛")
    assert [piece for _, piece in pieces] == ["the ", "東京", " dog \\u725b"]
    assert [Path(file).stem for file, _ in pieces] == ["DejaVuSans", "tiny", "DejaVuSans"]


@pytest.mark.usefixtures("tiny")
def test_a_font_that_has_the_letters_is_found_whatever_its_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ax = plt.figure().add_subplot()
    ax.set_xlim(0, 2)
    ax.xaxis.get_major_ticks()  # made before the font is found
    assert style.literal("a東京牛") == "a東京\\u725b"
    assert mpl.rcParams["font.family"] == ["DejaVu Sans", TINY]
    name_ticks(ax.xaxis, ["東", "京"])
    assert [label.get_fontfamily() for label in ax.get_xticklabels()] == [["DejaVu Sans", TINY]] * 2
    assert not caplog.records


@pytest.mark.usefixtures("tiny")
def test_what_a_font_has_is_drawn_in_it() -> None:
    ax = plot_heatmap(np.eye(2), ["東", "dog"], ["京", "dog"])
    assert tick_texts(ax) == (["京", "dog"], ["東", "dog"])
    drawn(ax.figure)  # matplotlib warns of letters that it does not find
    with mpl.rc_context({"font.family": ["DejaVu Sans"]}):
        ax = plt.figure().add_subplot()
        ax.yaxis.get_major_ticks()  # made before the font is found
        plot_readings([[0.5, 0.5]], [["東", "京"]], readers=[0], ax=ax)
    assert tick_texts(ax)[1] == ["東 reads"]
    drawn(ax.figure)


def test_a_font_that_was_installed_meanwhile_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    broken, new = tmp_path / "broken.ttf", make_font(tmp_path / "new.ttf", EAST, "Regard New")
    broken.write_bytes(b"no font")
    own = [entry for entry in fontManager.ttflist if "mpl-data" in entry.fname]
    monkeypatch.setattr(fontManager, "ttflist", own)
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: [str(broken), str(new)])
    fonts.look_for_new.cache_clear()
    with mpl.rc_context({"font.family": ["DejaVu Sans"]}):
        assert style.literal(EAST) == EAST
        assert mpl.rcParams["font.family"] == ["DejaVu Sans", "Regard New"]
    fonts.look_for_new.cache_clear()


def test_missing_letters_are_said_once_with_what_to_install() -> None:
    expected = r"No font here has 京 \(U\+4EAC\), 東 \(U\+6771\).* Install Noto Sans CJK \("
    with pytest.warns(UserWarning, match=expected) as said:
        plot_heatmap(np.eye(2), ["東", "dog"], ["東京", "dog"])  # both axes have it
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fonts.warn_of_missing([EAST])
    with pytest.warns(UserWarning, match=r" and 12 more"):
        fonts.warn_of_missing(chr(0x5000 + at) for at in range(20))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_a_saved_picture_has_the_letters(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        view(np.eye(2), ["東京", "dog"]).save(path)
    assert mpl.rcParams["font.family"] == ["DejaVu Sans"]  # a file leaves the style as it was
    if suffix != ".png":
        assert (b"RegardTiny" if suffix == ".pdf" else TINY.encode()) in path.read_bytes()


def test_an_svg_keeps_letters_that_no_font_here_has(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        view(np.eye(2), ["東京", "\U0001fae0 a\ud83d"]).save(tmp_path / "x.svg")
    svg = (tmp_path / "x.svg").read_text("utf-8")
    assert ">東京</text>" in svg
    assert ">\U0001fae0 a\\ud83d</text>" in svg
    assert "font-family: 'DejaVu Sans'" in svg
