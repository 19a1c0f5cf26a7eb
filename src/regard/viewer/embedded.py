"""A page inside a notebook's output, which stays when notebook and kernel are closed."""

import html
from dataclasses import dataclass

from regard.record.door import whole_number

LEAST_HEIGHT = 200  # pixels in which a view can be used


@dataclass(frozen=True)
class Embedded:
    """A saved view in a frame of its own.

    It may run its script, and give files and copies of its pictures; nothing else.

    Raises
    ------
    TypeError
        If the height is no whole number.
    ValueError
        If it is too small for a view.

    Examples
    --------
    >>> Embedded("<p>hi</p>", height=300)._repr_html_()[:65]
    '<iframe title="Attention" sandbox="allow-scripts allow-downloads"'
    """

    page: str
    height: int

    def __post_init__(self) -> None:
        if whole_number("height", self.height) < LEAST_HEIGHT:
            raise ValueError(
                f"A view of {self.height} pixels cannot be read: give at least {LEAST_HEIGHT}."
            )

    def _repr_html_(self) -> str:
        """Give the frame, with the page in it."""
        return (
            '<iframe title="Attention" sandbox="allow-scripts allow-downloads" '
            'allow="clipboard-write" '
            f'style="width: 100%; height: {self.height}px; border: 0" '
            f'srcdoc="{html.escape(self.page)}"></iframe>'
        )

    def __repr__(self) -> str:
        return f"Embedded: a page of {len(self.page.encode()) / 1e6:,.2f} MB"
