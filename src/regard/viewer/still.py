"""A box of widgets that is a picture of itself where there is no kernel."""

from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import ipywidgets as widgets
import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

from regard.pictures.fonts import in_fonts, warn_of_missing

INK, LINE, PAPER = "#222222", "#9a9a9a", "#ffffff"
SIZE, PADDING = 15, 6  # pixels, as JupyterLab's own controls
Control = tuple[str, str]  # description and value


class Still(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A column of widgets, of which one is an `Image`; what a page without a kernel shows is drawn.

    There, each control is its description and its value, those of an `HBox` in one line, and the
    image stands below.

    Parameters
    ----------
    children
        The widgets, from top to bottom.

    Examples
    --------
    >>> layer = widgets.Dropdown(options=range(6), value=3, description="Layer")
    >>> Still([layer, widgets.Image()])._repr_mimebundle_()["text/plain"]
    'Layer: 3'
    """

    def controls(self) -> list[list[Control]]:
        """Give the description and the value of each control, line by line."""
        lines = [list(_controls_of(child)) for child in self.children]
        return [line for line in lines if line]

    def png(self) -> bytes:
        """Draw the controls, and below them the picture."""
        shown = [child.value for child in self.children if isinstance(child, widgets.Image)]
        pictures = [Image.open(BytesIO(png)).convert("RGB") for png in shown if png]
        drawn = _stacked([_controls_as_picture(self.controls()), *pictures])
        drawn.save(written := BytesIO(), format="png")
        return written.getvalue()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options) or {}
        return bundle | {
            "text/plain": ", ".join(
                f"{name}: {value}" for line in self.controls() for name, value in line
            ),
            "image/png": b64encode(self.png()).decode("ascii"),
        }


def _controls_of(child: Any) -> Iterator[Control]:
    if isinstance(child, widgets.HBox):
        for inner in child.children:
            yield from _controls_of(inner)
    elif getattr(child, "description", "") and hasattr(child, "value"):
        yield child.description, str(child.value)


class Words:
    """A text in the fonts of this machine that have its letters."""

    def __init__(self, text: str) -> None:
        self.pieces = [(ImageFont.truetype(file, SIZE), piece) for file, piece in in_fonts(text)]
        self.length = sum(font.getlength(piece) for font, piece in self.pieces)

    def write(self, pen: ImageDraw.ImageDraw, left: float, top: float) -> None:
        """Write it on one line, whatever the fonts."""
        for font, piece in self.pieces:
            pen.text((left, top + SIZE - 1), piece, INK, font, anchor="ls")
            left += font.getlength(piece)


def _controls_as_picture(lines: list[list[Control]]) -> Image.Image:
    """Draw each control as its name, and its value in a frame."""
    with mpl.rc_context({"font.family": ["DejaVu Sans"]}):  # and what has other letters
        warn_of_missing(text for line in lines for control in line for text in control)
        written = [[(Words(name), Words(value)) for name, value in line] for line in lines]
    width = max(map(_width, written), default=0) + PADDING
    row = SIZE + 3 * PADDING
    picture = Image.new("RGB", (int(width), row * len(lines) + 1), PAPER)
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(written):
        left, top = 0.0, number * row
        for name, value in line:
            name.write(pen, left + PADDING, top + PADDING)
            left += name.length + 2 * PADDING
            right = left + value.length + 2 * PADDING
            pen.rectangle((left, top + 2, right, top + row - PADDING), outline=LINE)
            value.write(pen, left + PADDING, top + PADDING)
            left = right + PADDING
    return picture


def _width(line: list[tuple[Words, Words]]) -> float:
    return sum(name.length + value.length + 5 * PADDING for name, value in line)


def _stacked(pictures: list[Image.Image]) -> Image.Image:
    """Put pictures below each other, left aligned."""
    width = max(picture.width for picture in pictures)
    whole = Image.new("RGB", (width, sum(picture.height + PADDING for picture in pictures)), PAPER)
    top = 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height + PADDING
    return whole
