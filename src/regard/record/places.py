"""Where a token lies: in a picture, or in a sound; and the pictures and sounds themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (height, width, 3), red, green and blue
Samples = NDArray[np.float32]  # (T,), from -1 to 1


class Box(NamedTuple):
    """A part of a picture, in its pixels: from the left and from the top.

    Examples
    --------
    >>> Box(0, 16, 0, 32, 16).center
    (24.0, 8.0)
    """

    picture: int  # which, of several, counted from 0
    left: float
    top: float
    right: float
    bottom: float

    @property
    def center(self) -> tuple[float, float]:
        """The point in the middle: from the left, from the top."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


class Stretch(NamedTuple):
    """A part of a sound, in seconds."""

    start: float
    end: float


Place = Box | Stretch


@dataclass(frozen=True)
class Media:
    """What a model saw and heard beside text, as it was given."""

    pictures: tuple[Pixels, ...] = ()
    sound: Samples | None = None
    rate: int = 0  # samples a second


def place_from(plain: Sequence[float] | None) -> Place | None:
    """Make a place of the numbers that a file holds of it: five of a box, two of a stretch.

    Examples
    --------
    >>> place_from([0.5, 0.52]), place_from(None)
    (Stretch(start=0.5, end=0.52), None)
    """
    if plain is None:
        return None
    if len(plain) == 2:
        return Stretch(*plain)
    picture, left, top, right, bottom = plain
    return Box(int(picture), left, top, right, bottom)
