"""Where each number of `pixel_values` comes from in the picture: the processor is asked.

It is shown pictures whose greys are coordinates, from left to right and from top to bottom. So a
crop, a resize, tiles, a thumbnail and padding, of whatever processor, are read from what comes
out, and need not be known.
"""

from collections.abc import Callable, Iterable, Sequence
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
VISIBLE = 1e-3  # what changes less from black to white is padding,
MOSTLY = 0.5  # or less than this share of what changes most
LEVELS = 255  # that a coordinate is drawn in
MERGED = (1, 2, 3, 4)  # patches stand in squares of so many a side, which a model may merge


class UnseenError(Exception):
    """What a processor shows of a picture cannot be told, and why."""


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


def sights_of(
    pictures: Sequence[Pixels], see: See, grids: Sequence[tuple[int, int]] = ()
) -> Sights:
    """Ask a processor what it shows of some pictures.

    Parameters
    ----------
    pictures
        As they were given: (H, W, 3) each.
    see
        The processor.
    grids
        The rows and columns of patches of each picture, where the processor says so.

    Raises
    ------
    UnseenError
        If what it shows is no upright rectangle, or its patches cannot be told apart.
    """
    sizes = [(pixels.shape[1], pixels.shape[0]) for pixels in pictures]
    count = len(pictures)

    def shown(greys: Iterable[NDArray[np.float64]]) -> Tensor:
        drawn = [_drawn(size, grey) for size, grey in zip(sizes, greys, strict=True)]
        return see(drawn).float()

    black, white = (shown([np.full((1, 1), level)] * count) for level in (0.0, 1.0))
    gain = (white - black).abs()
    is_seen = gain > max(VISIBLE, MOSTLY * float(gain.max()))

    def share(greys: Iterable[NDArray[np.float64]]) -> Tensor:
        return torch.where(is_seen, (shown(greys) - black) / (white - black), torch.nan)

    x = share(_middles(width)[None] for width, _ in sizes)
    y = share(_middles(height)[:, None] for _, height in sizes)
    one = torch.where(is_seen, 1.0, torch.nan)
    number = one if count == 1 else share(np.full((1, 1), (n + 1) / count) for n in range(count))
    if not bool(is_seen.any()):
        raise UnseenError("its pixels do not change from a black picture to a white one")
    if x.dim() > 3:
        parted = [asked.flatten(0, -4) for asked in (x, y, number)]  # (planes, C, H, W) each
        return Sights(planes=tuple(_plane(sizes, *plane) for plane in zip(*parted, strict=True)))
    rows = [asked.flatten(0, -2) for asked in (x, y, number)]  # (patches, features) each
    return Sights(patches=_patches(sizes, grids, *rows))


def _middles(length: int) -> NDArray[np.float64]:
    """Give the middles of pixels, as shares of a side."""
    middles: NDArray[np.float64] = (np.arange(length) + 0.5) / length
    return middles


def _drawn(size: tuple[int, int], grey: NDArray[np.float64]) -> Image.Image:
    """Draw a grey picture, of shares from black to white."""
    levels = np.broadcast_to(np.rint(grey * LEVELS).astype(np.uint8), size[::-1])
    return Image.fromarray(np.repeat(levels[..., None], 3, axis=-1))


def _number(shares: Tensor, count: int) -> int:
    """Say which picture it is."""
    return min(max(round(float(shares.nanmean()) * count) - 1, 0), count - 1)


def _plane(sizes: list[tuple[int, int]], x: Tensor, y: Tensor, which: Tensor) -> Plane | None:
    """Fit the straight lines on which the coordinates of a plane, (C, H, W), lie."""
    if which.isnan().all():
        return None
    height, width = which.shape[-2:]
    number = _number(which, len(sizes))
    left, per_x = _line(x, sizes[number][0])
    top, per_y = _line(y.mT, sizes[number][1])
    return Plane(number, sizes[number], height, width, left, top, per_x, per_y)


def _line(coordinates: Tensor, length: int) -> tuple[float, float]:
    """Give where a side of the plane begins in the picture, and how far a pixel goes.

    The coordinates along that side, shares of its length, are (C, across, along).
    """
    shares = coordinates.nanmean(dim=(0, 1)).double().numpy()
    seen = np.flatnonzero(np.isfinite(shares))
    inner = seen[EDGE:-EDGE] if len(seen) > 3 * EDGE else seen
    if length == 1 or len(inner) < 2:
        return 0.0, length / max(len(seen), 1)
    per, start = np.polyfit(inner + 0.5, shares[inner] * length, 1)
    off = coordinates[..., inner].double().numpy() * length - (start + per * (inner + 0.5))
    # of a pixel of the plane, or of the picture, and as the coordinates are rounded
    if np.nanmax(np.abs(off)) > abs(per) + 1 + length / LEVELS:
        raise UnseenError("it turns or bends pictures, or changes their greys unevenly")
    if per <= 0:
        raise UnseenError("it mirrors pictures")
    if len(seen) == len(shares):  # no padding: what is off by less than half a pixel is rounding
        end = start + per * len(shares)
        start = 0.0 if abs(start) < per / 2 else start
        end = length if abs(end - length) < per / 2 else end
        per = (end - start) / len(shares)
    return float(start), float(per)


def _patches(
    sizes: list[tuple[int, int]],
    grids: Sequence[tuple[int, int]],
    *asked: Tensor,
) -> tuple[Box | None, ...]:
    """Find the patches, (N, features), on a grid in each picture."""
    x, y = (shares.nanmean(1).double() for shares in asked[:2])  # (N,), of their middles
    is_whole = ~asked[2].isnan().any(1)
    numbers = [_number(row, len(sizes)) if not row.isnan().all() else -1 for row in asked[2]]
    if sum(rows * columns for rows, columns in grids) == len(numbers):  # padding, too, has cells
        numbers = [n for n, (rows, columns) in enumerate(grids) for _ in range(rows * columns)]
    boxes: list[Box | None] = [None] * len(numbers)
    for number, size in enumerate(sizes):
        own = torch.tensor([at for at, one in enumerate(numbers) if one == number]).long()
        along, down, whole = x[own], y[own], is_whole[own]
        rows, columns = grids[number] if grids else (_places_on(down), _places_on(along))
        wide, high = _extent(along, whole, columns), _extent(down, whole, rows)
        width, height = size[0] * wide, size[1] * high
        plane = Plane(number, size, rows, columns, 0.0, 0.0, width / columns, height / rows)
        cells = _cells(along / wide, down / high, rows, columns)
        for at, (row, column) in zip(own.tolist(), cells, strict=True):
            boxes[at] = plane.box(column, row, column + 1, row + 1)
    found = [box for box in boxes if box]
    if len(set(found)) < len(found):
        raise UnseenError("its patches are too narrow to be told apart")
    return tuple(boxes)


def _extent(middles: Tensor, is_whole: Tensor, count: int) -> float:
    """Give the share of a side that so many patches span: more than 1 where the last are padded."""
    seen = middles[is_whole]
    steps = _places_on(seen) - 1
    if bool(is_whole.all()) or not len(seen):
        return 1.0
    per = (seen.max() - seen.min()) / steps if steps else 2 * seen.min()
    return float(per) * count


def _cells(x: Tensor, y: Tensor, rows: int, columns: int) -> list[tuple[int, int]]:
    """Give the row and column of each patch, by its middle, (N,).

    Greys tell some 200 columns apart. So the orders that there are, row by row, in squares or not,
    are held against the middles first, which needs no more than that.
    """
    numbers = torch.arange(rows * columns)
    for side in MERGED if len(x) == len(numbers) else ():
        if rows % side == 0 and columns % side == 0:
            squares = numbers.view(rows // side, side, columns // side, side)
            order = squares.transpose(1, 2).flatten()
            row, column = order // columns, order % columns
            off_x, off_y = x - (column + 0.5) / columns, y - (row + 0.5) / rows
            is_near = (off_x.abs() < _near(columns)) & (off_y.abs() < _near(rows))
            if bool((is_near | x.isnan()).all()):
                return list(zip(row.tolist(), column.tolist(), strict=True))
    if bool(x.isnan().any()):
        raise UnseenError("its patches stand in no order that is known")
    return [
        (min(int(down * rows), rows - 1), min(int(along * columns), columns - 1))
        for along, down in zip(x.tolist(), y.tolist(), strict=True)
    ]


def _near(count: int) -> float:
    """Give how far off the middle may be of a patch, of so many in a line: half, and rounding."""
    return 0.5 / count + 1 / LEVELS


def _places_on(middles: Tensor) -> int:
    """Count the columns, or the rows, in which patches stand."""
    steps = middles.sort().values.diff()
    widest = steps.max() if len(steps) else torch.tensor(0.0)
    return int((steps > widest / 2).sum()) + 1 if widest > VISIBLE else 1
