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


class Still(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A column of widgets, of which one is an `Image`; what a page without a kernel shows is drawn.

    There, each control is a line of its description and its value, and the image stands below.

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

    def controls(self) -> Iterator[tuple[str, str]]:
        """Give the description and the value of each control."""
        for child in self.children:
            if getattr(child, "description", "") and hasattr(child, "value"):
                yield child.description, str(child.value)

    def png(self) -> bytes:
        """Draw the controls, and below them the picture."""
        shown = [child.value for child in self.children if isinstance(child, widgets.Image)]
        pictures = [Image.open(BytesIO(png)).convert("RGB") for png in shown if png]
        drawn = _stacked([_controls_as_picture(list(self.controls())), *pictures])
        drawn.save(written := BytesIO(), format="png")
        return written.getvalue()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options) or {}
        return bundle | {
            "text/plain": ", ".join(f"{name}: {value}" for name, value in self.controls()),
            "image/png": b64encode(self.png()).decode("ascii"),
        }


def _controls_as_picture(controls: list[tuple[str, str]]) -> Image.Image:
    """Draw a row for each control: its name, and its value in a frame."""
    font = ImageFont.truetype(findfont("DejaVu Sans"), SIZE)
    indent = max((font.getlength(name) for name, _ in controls), default=0) + 2 * PADDING
    width = max((font.getlength(value) for _, value in controls), default=0) + 2 * PADDING
    row = SIZE + 3 * PADDING
    picture = Image.new("RGB", (int(indent + width + PADDING), row * len(controls) + 1), PAPER)
    pen = ImageDraw.Draw(picture)
    for number, (name, value) in enumerate(controls):
        top = number * row
        pen.text((indent - PADDING, top + PADDING), name, INK, font, anchor="ra")
        pen.rectangle((indent, top + 2, indent + width, top + row - PADDING), outline=LINE)
        pen.text((indent + PADDING, top + PADDING), value, INK, font)
    return picture


def _stacked(pictures: list[Image.Image]) -> Image.Image:
    """Put pictures below each other, left aligned."""
    width = max(picture.width for picture in pictures)
    whole = Image.new("RGB", (width, sum(picture.height + PADDING for picture in pictures)), PAPER)
    top = 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height + PADDING
    return whole
