"""Pictures of any writing: drawn where the machine has letters for it, else told by numbers."""

import logging

import matplotlib as mpl
import pytest

from regard.pictures import style
from regard.tracing.names import CIRCLE, DOT, MARKS


def test_the_marks_of_names_are_in_every_font_of_matplotlibs_own() -> None:
    with mpl.rc_context({"font.family": ["DejaVu Sans"]}):
        written = "".join([*MARKS.values(), DOT, CIRCLE, "→", "…"])
        assert style.literal(written) == written


def test_other_fonts_come_after_those_that_are_set(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(style, "FALLBACKS", ("No Such Font", "STIXGeneral"))
    with mpl.rc_context({"font.family": ["DejaVu Sans"]}), caplog.at_level(logging.WARNING):
        style.use_style()
        assert mpl.rcParams["font.family"] == ["DejaVu Sans", "STIXGeneral"]
    assert not caplog.records


def test_without_such_a_font_letters_are_told_by_their_numbers() -> None:
    with mpl.rc_context({"font.family": ["DejaVu Sans"]}):
        assert style.literal("牛 1/3") == "\\u725b 1/3"
        assert style.literal("می\u200cخواهم") == "می\u200cخواهم"
