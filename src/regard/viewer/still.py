"""A box of widgets that is a picture of itself where there is no kernel."""

from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import ipywidgets as widgets
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

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


def _controls_as_picture(lines: list[list[Control]]) -> Image.Image:
    """Draw each control as its name, and its value in a frame."""
    font = ImageFont.truetype(findfont("DejaVu Sans"), SIZE)
    width = max((_width(line, font) for line in lines), default=0) + PADDING
    row = SIZE + 3 * PADDING
    picture = Image.new("RGB", (int(width), row * len(lines) + 1), PAPER)
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        left, top = 0.0, number * row
        for name, value in line:
            pen.text((left + PADDING, top + PADDING), name, INK, font)
            left += font.getlength(name) + 2 * PADDING
            right = left + font.getlength(value) + 2 * PADDING
            pen.rectangle((left, top + 2, right, top + row - PADDING), outline=LINE)
            pen.text((left + PADDING, top + PADDING), value, INK, font)
            left = right + PADDING
    return picture


def _width(line: list[Control], font: ImageFont.FreeTypeFont) -> float:
    return sum(font.getlength(name) + font.getlength(value) + 5 * PADDING for name, value in line)


def _stacked(pictures: list[Image.Image]) -> Image.Image:
    """Put pictures below each other, left aligned."""
    width = max(picture.width for picture in pictures)
    whole = Image.new("RGB", (width, sum(picture.height + PADDING for picture in pictures)), PAPER)
    top = 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height + PADDING
    return whole
