"""A box of widgets shows itself as a picture: its controls, and below them its image."""

from base64 import b64decode
from io import BytesIO

import ipywidgets as widgets
import numpy as np
from PIL import Image

from regard.viewer.still import INK, Still


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


def test_another_choice_is_another_picture() -> None:
    head = widgets.Dropdown(options=range(4), value=3, description="Head")
    box = Still([head, widgets.Image()])
    before = shown(box).tobytes()
    head.value = 1
    assert shown(box).tobytes() != before
