"""Where each number of `pixel_values` comes from in the picture: the processor is asked.

It is shown pictures whose colours are coordinates, red from left to right and green from top to
bottom. So a crop, a resize, tiles, a thumbnail and padding, of whatever processor, are read from
what comes out, and need not be known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from regard.record.places import Box, Pixels

See = Callable[[list[Image.Image]], Tensor]
"""From pictures to `pixel_values`: planes (..., C, H, W), or a patch a row, (..., N, features)."""

EDGE = 2  # pixels at a border, where a resize has only one side to look at
VISIBLE = 1e-3  # a pixel that changes less with its colour is padding


@dataclass(frozen=True)
class Plane:
    """A plane of pixels that a model sees: a picture, or a tile of one.

    Its pixel x is `left + per_x * x` from the left of the picture; y likewise from the top.
    """

    picture: int
    size: tuple[int, int]  # of the picture: width, height
    height: int
    width: int
    left: float
    top: float
    per_x: float
    per_y: float

    def box(self, left: float, top: float, right: float, bottom: float) -> Box | None:
        """Give the part of the picture that a part of the plane shows; None if that is padding.

        Examples
        --------
        >>> plane = Plane(0, (100, 50), 10, 10, 0.0, 0.0, 10.0, 10.0)
        >>> plane.box(0, 0, 2, 1), plane.box(0, 5, 2, 6)
        (Box(picture=0, left=0.0, top=0.0, right=20.0, bottom=10.0), None)
        """
        x = np.clip(self.left + self.per_x * np.array([left, right]), 0, self.size[0])
        y = np.clip(self.top + self.per_y * np.array([top, bottom]), 0, self.size[1])
        if x[1] - x[0] < 1e-6 or y[1] - y[0] < 1e-6:
            return None
        return Box(self.picture, *(float(round(n, 3)) for n in (x[0], y[0], x[1], y[1])))


@dataclass(frozen=True)
class Sights:
    """What a model sees of pictures: planes of pixels; or patches, one after another."""

    planes: tuple[Plane | None, ...] = ()  # None is a plane of padding
    patches: tuple[Box | None, ...] = ()

    @property
    def count(self) -> int:
        """How many planes or patches there are."""
        return len(self.planes) or len(self.patches)


def sights_of(pictures: Sequence[Pixels], see: See) -> Sights:
    """Ask a processor what it shows of some pictures.

    Parameters
    ----------
    pictures
        As they were given: (H, W, 3) each.
    see
        The processor.
    """
    sizes = [(pixels.shape[1], pixels.shape[0]) for pixels in pictures]
    black, *lights = (
        see([Image.new("RGB", size, colour) for size in sizes]).float()
        for colour in ("black", "#f00", "#0f0", "#00f")
    )
    count = len(pictures)
    drawn = see([_coordinates(size, (n + 1) / count) for n, size in enumerate(sizes)]).float()
    gains = [light - black for light in lights]
    shares = [
        torch.where(gain.abs() > VISIBLE, (drawn - black) / gain, torch.nan) for gain in gains
    ]
    if drawn.dim() > 3:
        parted = [share.flatten(0, -4) for share in shares]  # (planes, C, H, W) each
        return Sights(planes=tuple(_plane(sizes, *plane) for plane in zip(*parted, strict=True)))
    rows = [share.flatten(0, -2) for share in shares]  # (patches, features) each
    return Sights(patches=_patches(sizes, *rows))


def _coordinates(size: tuple[int, int], blue: float) -> Image.Image:
    """Draw a picture whose colours say where, red and green, and which it is, blue."""
    width, height = size
    x, y = ((np.arange(n) + 0.5) / n * 255 for n in (width, height))
    colours = np.broadcast_arrays(x[None], y[:, None], np.float64(blue * 255))
    return Image.fromarray(np.rint(np.stack(colours, axis=-1)).astype(np.uint8))


def _number(blue: Tensor, count: int) -> int:
    """Say which picture it is."""
    return max(round(float(blue.nanmean()) * count) - 1, 0)


def _plane(sizes: list[tuple[int, int]], red: Tensor, green: Tensor, blue: Tensor) -> Plane | None:
    """Fit the straight lines on which the coordinates of a plane, (C, H, W), lie."""
    if red.isnan().all() or green.isnan().all():
        return None
    height, width = red.shape[-2:]
    number = _number(blue, len(sizes))
    across = _line(red.nanmean(dim=(0, 1)).numpy(), sizes[number][0])
    down = _line(green.nanmean(dim=(0, 2)).numpy(), sizes[number][1])
    return Plane(number, sizes[number], height, width, across[0], down[0], across[1], down[1])


def _line(shares: NDArray[np.float32], length: int) -> tuple[float, float]:
    """Give where a side of the plane begins in the picture, and how far a pixel goes."""
    seen = np.flatnonzero(np.isfinite(shares))
    inner = seen[EDGE:-EDGE] if len(seen) > 3 * EDGE else seen
    if length == 1 or len(inner) < 2:
        return 0.0, length / max(len(seen), 1)
    per, start = np.polyfit(inner + 0.5, shares[inner].astype(np.float64) * length, 1)
    if len(seen) == len(shares):  # no padding: what is off by less than half a pixel is rounding
        end = start + per * len(shares)
        start = 0.0 if abs(start) < per / 2 else start
        end = length if abs(end - length) < per / 2 else end
        per = (end - start) / len(shares)
    return float(start), float(per)


def _patches(
    sizes: list[tuple[int, int]], red: Tensor, green: Tensor, blue: Tensor
) -> tuple[Box | None, ...]:
    """Find the patches, (N, features), on a grid in each picture."""
    x, y = red.nanmean(1), green.nanmean(1)  # (N,), of their middles
    numbers = [_number(row, len(sizes)) if not row.isnan().all() else -1 for row in blue]
    boxes: list[Box | None] = [None] * len(numbers)
    for number, (width, height) in enumerate(sizes):
        own = [at for at, one in enumerate(numbers) if one == number]
        columns, rows = _places_on(x[own]), _places_on(y[own])
        for at in own:
            column, row = int(x[at] * columns), int(y[at] * rows)
            sides = (column * width / columns, row * height / rows)
            ends = ((column + 1) * width / columns, (row + 1) * height / rows)
            boxes[at] = Box(number, *sides, *ends)
    return tuple(boxes)


def _places_on(middles: Tensor) -> int:
    """Count the columns, or the rows, in which patches stand."""
    steps = middles.sort().values.diff()
    widest = steps.max() if len(steps) else torch.tensor(0.0)
    return int((steps > widest / 2).sum()) + 1 if widest > VISIBLE else 1
