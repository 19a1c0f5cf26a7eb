"""Whether a processor shows the user's pictures as it shows those that it was asked by.

It may look at what is in a picture, crop its margins, or throw dice. So it sees the pictures once
more, and once with corners of what it is said to show painted over: what changes has to be there.
"""

from collections.abc import Iterator, Sequence
from math import ceil, floor

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from regard.record.places import Box, Pixels
from regard.tracing.sights import Plane, See, Sights, UnseenError

CORNER = 8  # a corner has this part of each side
CLEAR = 0.25  # of the greatest change: less is of a resize, or a new mean
REACH = 2  # pixels, of the picture and of the plane, that a resize mixes


def hold(pictures: Sequence[Pixels], sights: Sights, see: See, pixels: Tensor) -> None:
    """Hold what a processor is said to show against what it shows.

    Parameters
    ----------
    pictures
        As they were given: (H, W, 3) each.
    sights
        What it is said to show.
    see
        The processor.
    pixels
        What it made of them.

    Raises
    ------
    UnseenError
        If it shows something else.
    """
    before = see([Image.fromarray(one) for one in pictures]).float()
    given = pixels.float().reshape(-1)
    if before.numel() != len(given) or not torch.allclose(before.reshape(-1), given, atol=1e-3):
        raise UnseenError("it gives other pixels each time")
    corners = [box for n in range(len(pictures)) for box in _corners(sights, n)]
    after = see([_painted(one, n, corners) for n, one in enumerate(pictures)]).float()
    if after.shape != before.shape:
        raise UnseenError("what it shows hangs on what is in the picture")
    change = (after - before).abs()
    sides = (-4, 1) if sights.planes else (-2, 1)
    change = change.flatten(0, sides[0]).amax(sides[1])  # (planes, H, W), or (patches,)
    is_clear = change > max(CLEAR * float(change.max()), 1e-6)
    within = torch.zeros_like(is_clear)
    for corner in corners:
        parts = list(_parts(sights, corner, reach=0))
        if not any(bool(is_clear[part].any()) for part in parts):
            raise UnseenError("what it shows is not where it shows other pictures")
        for part in _parts(sights, corner, reach=REACH):
            within[part] = True
    if bool((is_clear & ~within).any()):
        raise UnseenError("what it shows hangs on what is in the picture")


def _corners(sights: Sights, number: int) -> list[Box]:
    """Give the first and the last corner of what is shown of a picture."""
    if sights.patches:
        own = [box for box in sights.patches if box and box.picture == number]
        return [own[0], own[-1]] if own else []
    views = [
        view
        for plane in sights.planes
        if plane and plane.picture == number and (view := _view(plane))
    ]
    if not views:
        return []
    _, left, top, right, bottom = max(views, key=lambda box: (box[3] - box[1]) * (box[4] - box[2]))
    width, height = (right - left) / CORNER, (bottom - top) / CORNER
    first = Box(number, left, top, left + width, top + height)
    return [first, Box(number, right - width, bottom - height, right, bottom)]


def _view(plane: Plane) -> Box | None:
    return plane.box(0, 0, plane.width, plane.height)


def _painted(pixels: Pixels, number: int, corners: Sequence[Box]) -> Image.Image:
    """Paint corners of a picture black, where it is light, or white."""
    painted = pixels.copy()
    for picture, left, top, right, bottom in corners:
        if picture == number:
            part = painted[floor(top) : ceil(bottom), floor(left) : ceil(right)]
            part[:] = 0 if np.mean(part) > 127 else 255
    return Image.fromarray(painted)


def _parts(sights: Sights, corner: Box, reach: int) -> Iterator[tuple[int | slice, ...]]:
    """Give what shows a corner, and what lies within reach of it: parts of the pixels."""
    picture, left, top, right, bottom = corner
    for at, box in enumerate(sights.patches):
        if box and box.picture == picture:
            apart = max(box.left - right, left - box.right, box.top - bottom, top - box.bottom)
            if apart < reach:
                yield (at,)
    for at, plane in enumerate(sights.planes):
        if plane and plane.picture == picture:
            x = _stretch(left - plane.left, right - plane.left, plane.per_x, reach)
            y = _stretch(top - plane.top, bottom - plane.top, plane.per_y, reach)
            yield (at, y, x)


def _stretch(start: float, end: float, per: float, reach: int) -> slice:
    """Give the pixels of a plane from one place to another, and those within reach."""
    more = reach + reach / per
    return slice(max(floor(start / per - more), 0), max(ceil(end / per + more), 0))
