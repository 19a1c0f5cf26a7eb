"""A box of widgets shows itself as a picture: its controls, and below them its image."""

from base64 import b64decode
from io import BytesIO
from pathlib import Path

import ipywidgets as widgets
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.font_manager import fontManager
from PIL import Image

from regard.viewer.still import INK, Still, Words
from tests.pictures.test_fonts import EAST, make_font


def png(colour: str, size: tuple[int, int] = (40, 30)) -> bytes:
    Image.new("RGB", size, colour).save(written := BytesIO(), format="png")
    return written.getvalue()


def shown(box: Still) -> Image.Image:
    bundle = box._repr_mimebundle_()
    return Image.open(BytesIO(b64decode(bundle["image/png"])))


def test_controls_stand_above_the_picture() -> None:
    sentence = widgets.Text("the dog saw it .", description="Sentence")
    head = widgets.Dropdown(options=range(4), value=3, description="Head")
    picture = widgets.Image(value=png("#0000ff"))
    box = Still([sentence, head, widgets.HTML(), picture])
    pixels = np.asarray(shown(box))
    blue = (pixels == [0, 0, 255]).all(axis=-1)
    ink = (pixels == tuple(bytes.fromhex(INK[1:]))).all(axis=-1)
    assert blue.sum() == 40 * 30
    assert np.nonzero(ink.any(axis=1))[0].max() < np.nonzero(blue.any(axis=1))[0].min()
    assert box._repr_mimebundle_()["text/plain"] == "Sentence: the dog saw it ., Head: 3"


def test_letters_are_drawn_in_a_font_that_has_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listed = list(fontManager.ttflist)
    monkeypatch.setattr(fontManager, "ttflist", listed)
    fontManager.addfont(make_font(tmp_path / "tiny.ttf", EAST, "AAA Tiny"))
    before = list(mpl.rcParams["font.family"])
    with mpl.rc_context():
        [(font, piece)] = Words(EAST).pieces
    assert piece == EAST
    assert font.getname()[0] != "DejaVu Sans"
    box = Still([widgets.Text(EAST, description="Sentence")])
    assert shown(box).width < 200  # as letters, not as numbers
    assert mpl.rcParams["font.family"] == before


def test_another_choice_is_another_picture() -> None:
    head = widgets.Dropdown(options=range(4), value=3, description="Head")
    box = Still([head, widgets.Image()])
    before = shown(box).tobytes()
    head.value = 1
    assert shown(box).tobytes() != before
