"""Regions of pictures and sounds: how much of each token's place lies in one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.record.door import described, whole_number
from regard.record.places import Box, Media, Place, Stretch

Floats = NDArray[np.float64]
SOUND = -1  # stands for the number of the picture, where a region is one of a sound


@dataclass(frozen=True)
class Region:
    """A part of one picture, or of a sound: cells between lines across and down.

    A mask has a cell a pixel; of boxes, lines run along their edges, so that what lies in several
    counts once. A sound is one row of cells, from 0 to 1.
    """

    picture: int
    x: Floats  # (columns + 1,), pixels, or seconds of a sound
    y: Floats  # (rows + 1,)
    cells: NDArray[np.bool_]  # (rows, columns)

    def area(self, boxes: Floats) -> Floats:
        """Measure how much of each box is in the region: (boxes, 4) -> (boxes,).

        A box is left, top, right and bottom. The integral over what lies above and left of a point
        is linear within a cell both ways, so it is exact between lines, too.
        """
        parts = self.cells * np.diff(self.y)[:, None] * np.diff(self.x)
        sums = np.pad(parts.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        left, top, right, bottom = boxes.T
        corners = [(right, bottom, 1), (left, bottom, -1), (right, top, -1), (left, top, 1)]
        return np.sum([sign * self._at(sums, x, y) for x, y, sign in corners], axis=0)

    def holds(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Say which points are in the region; its left and upper edges are, the others are not."""
        column, row = (
            np.searchsorted(lines, points, "right") - 1
            for lines, points in ((self.x, x), (self.y, y))
        )
        rows, columns = self.cells.shape
        there = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        return there & self.cells[row.clip(0, rows - 1), column.clip(0, columns - 1)]

    def scaled(self, across: float, down: float) -> "Region":
        """Lay the region on a picture, or a sound, of another size."""
        return replace(self, x=self.x * across, y=self.y * down)

    def _at(self, sums: Floats, x: Floats, y: Floats) -> Floats:
        """Look sums up at points between the lines."""
        column, across = _between(self.x, x)
        row, down = _between(self.y, y)
        upper = sums[row, column] * (1 - across) + sums[row, column + 1] * across
        lower = sums[row + 1, column] * (1 - across) + sums[row + 1, column + 1] * across
        return upper * (1 - down) + lower * down


def _between(lines: Floats, points: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Give the line before each point, and how far the point is from there to the next one."""
    points = points.clip(lines[0], lines[-1])
    before = (np.searchsorted(lines, points, "right") - 1).clip(0, len(lines) - 2)
    return before, (points - lines[before]) / (lines[before + 1] - lines[before])


def region_of(gold: Any, media: Media) -> Region:
    """Take a region as someone gives it: boxes, stretches of seconds, or a mask.

    Parameters
    ----------
    gold
        A Box or a Stretch, or a list of such; or bool (height, width), True where the region is, of
        the picture; of several pictures, {number: mask}.
    media
        What the model saw and heard.

    Raises
    ------
    TypeError
        If it is something else.
    ValueError
        If it is empty, of several pictures, of none that is there, or a mask of another size.

    Examples
    --------
    >>> pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    >>> region = region_of([Box(0, 0, 0, 2, 2), Box(0, 1, 0, 3, 2)], Media((pixels,)))
    >>> region.area(np.array([[0.0, 0.0, 4.0, 4.0]])).tolist()
    [6.0]
    """
    if isinstance(gold, Mapping) or getattr(gold, "ndim", 0) == 2:
        return _of_mask(gold, media)
    places = [gold] if isinstance(gold, Box | Stretch) else gold
    if not isinstance(places, Sequence) or not all(isinstance(p, Box | Stretch) for p in places):
        raise TypeError(
            "A region is a Box or a Stretch, a list of such, or a mask, bool (height, width), but "
            f"got {described(gold)}."
        )
    numbers = {place.picture if isinstance(place, Box) else SOUND for place in places}
    if len(numbers) != 1:
        said = "several pictures, or in a sound too" if places else "nothing"
        raise ValueError(f"A region lies in one picture, or in a sound, but {gold} lies in {said}.")
    (number,) = numbers
    boxes = boxes_of(places)
    is_counted = number >= 0 or not any(isinstance(place, Box) for place in places)
    if not is_counted or not np.isfinite(boxes).all():
        raise ValueError(f"A region is of a picture from 0 and has an end, but got {gold}.")
    x, y = (np.unique(boxes[:, sides]) for sides in ((0, 2), (1, 3)))
    cells = np.zeros((max(len(y) - 1, 0), max(len(x) - 1, 0)), dtype=bool)
    for left, top, right, bottom in boxes:
        cells[np.ix_((top <= y[:-1]) & (y[1:] <= bottom), (left <= x[:-1]) & (x[1:] <= right))] = 1
    wide, high = size_of(number, media)
    is_there = cells.any() and x[0] < wide and y[0] < high and x[-1] > 0 and y[-1] > 0
    if not is_there:
        raise ValueError(
            f"The region {gold} has no part in what the model saw or heard, {wide:g} x {high:g}: "
            "boxes are in pixels of the picture, stretches in seconds of the sound."
        )
    return Region(number, x, y, cells)


def _of_mask(gold: Any, media: Media) -> Region:
    if isinstance(gold, Mapping) and len(gold) != 1:
        raise ValueError(f"A region lies in one picture, but masks of {list(gold)} are given.")
    if not isinstance(gold, Mapping) and len(media.pictures) != 1:
        raise ValueError(
            f"A mask is of one picture, but there are {len(media.pictures)}: say which by "
            "{number: mask}, or pass boxes."
        )
    number, mask = next(iter(gold.items())) if isinstance(gold, Mapping) else (0, gold)
    if whole_number("The number of a picture", number) < 0:
        raise ValueError(f"Pictures are numbered from 0, but a mask of {number} is given.")
    cells = np.asarray(mask)
    if cells.dtype != bool:
        raise TypeError(f"A mask is bool, True where the region is, but got {cells.dtype}.")
    wide, high = size_of(number, media)
    if cells.shape != (high, wide) or not cells.any():
        raise ValueError(
            f"A mask of picture {number} is ({high:g}, {wide:g}) with any True, but got "
            f"{cells.shape}, {cells.sum()} of them True."
        )
    x, y = (np.arange(count + 1.0) for count in (wide, high))
    return Region(int(number), x, y, cells)


def size_of(number: int, media: Media) -> tuple[float, float]:
    """Give width and height of a picture, or the seconds of a sound and 1.

    Raises
    ------
    ValueError
        If it is not there.
    """
    if number == SOUND and media.sound is not None:
        return len(media.sound) / media.rate, 1.0
    if 0 <= number < len(media.pictures):
        height, width, _ = media.pictures[number].shape
        return float(width), float(height)
    what = "a sound" if number == SOUND else f"picture {number}"
    raise ValueError(
        f"The region lies in {what}, but the trace has {len(media.pictures)} pictures and "
        f"{'a' if media.sound is not None else 'no'} sound: trace with the model's processor, or "
        "give it by regard.place(seen, places, images=...)."
    )


def boxes_of(places: Iterable[Place]) -> Floats:
    """Give left, top, right and bottom of each place; a stretch is 1 high: (places, 4)."""
    sides = [
        (place.start, 0.0, place.end, 1.0) if isinstance(place, Stretch) else place[1:]
        for place in places
    ]
    return np.array(sides, dtype=np.float64).reshape(-1, 4)
