"""Parts of the pixels that tokens may be of: patches of a plane, in the orders that there are."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from torch import Tensor, nn

from regard.record.places import Box
from regard.tracing.marks import Spot
from regard.tracing.sights import Plane

Numbered = tuple[int, Plane]  # which of the planes it is
Size = tuple[int, int]  # height and width; or rows and columns
Rounded = Callable[[float], int]


def grid_of(plane: Plane | None, patch: Size, rounded: Rounded) -> Size:
    """Count the rows and columns of patches in a plane: at its end one is left out, or padded."""
    height, width = patch
    if plane is None or not height or not width:
        return 0, 0
    return rounded(plane.height / height), rounded(plane.width / width)


def cells_of(
    number: int, plane: Plane, grid: Size, patch: Size, *, early: bool = False
) -> list[Spot]:
    """Give the patches of a plane, row by row.

    Parameters
    ----------
    number, plane
        The plane.
    grid
        The rows and columns of patches.
    patch
        The height and width of one.
    early
        Patches begin half a patch early, as they do where convolutions of odd sizes are padded.

    Examples
    --------
    >>> plane = Plane(0, (100, 50), 5, 10, 0.0, 0.0, 10.0, 10.0)
    >>> cells_of(0, plane, (1, 2), (5, 5))[1].place
    Box(picture=0, left=50.0, top=0.0, right=100.0, bottom=50.0)
    """
    ys, xs = (
        [
            (max(at * side - early * side // 2, 0), min((at + 1) * side - early * side // 2, whole))
            for at in range(count)
        ]
        for count, side, whole in zip(grid, patch, (plane.height, plane.width), strict=True)
    )
    return [
        Spot(
            plane.box(left, top, right, bottom),
            (number, slice(None), slice(top, bottom), slice(left, right)),
        )
        for top, bottom in ys
        for left, right in xs
    ]


def joined(patches: Sequence[Spot]) -> Spot:
    """Give patches, each a row of numbers, that became one token: the box around them."""
    rows = [row for patch in patches for row in patch.where[0]]
    boxes = [patch.place for patch in patches if isinstance(patch.place, Box)]
    if not boxes:
        return Spot(None, (rows,))
    lows = (min(box[side] for box in boxes) for side in (1, 2))
    highs = (max(box[side] for box in boxes) for side in (3, 4))
    return Spot(Box(boxes[0].picture, *lows, *highs), (rows,))


def by_window(patches: Sequence[Spot], model: nn.Module, grid: Tensor | None) -> Iterator[Spot]:
    """Order patches as a tower does that reads them window by window, as Qwen2.5-VL's."""
    for tower in model.modules():
        if hasattr(tower, "permute_input_for_window_attn") and grid is not None:
            yield from _in_windows(patches, tower, grid)
            return
    yield from patches


def _in_windows(patches: Sequence[Spot], tower: Any, grid: Tensor) -> Iterator[Spot]:
    from transformers.vision_utils import get_vision_window_index  # noqa: PLC0415  not in all of 5

    merged = tower.spatial_merge_size
    order, _ = get_vision_window_index(grid, merged, tower.window_size, tower.patch_size)
    for at in order.tolist():  # as many at a time as become one
        yield from patches[at * merged**2 : (at + 1) * merged**2]


def with_newlines(seen: Sequence[Numbered], grid: Size, patch: Size) -> Iterator[Spot | None]:
    """Give the parts of a picture as a whole, and then of its tiles row by row across them.

    Rows end with a token of their own, and what is padding is left out, as LLaVA-NeXT does.
    """
    if len(seen) < 2:
        return
    (number, whole), *tiles = seen
    rows, columns = grid
    yield from cells_of(number, whole, grid, patch)
    lines: dict[float, list[Numbered]] = {}
    for number, tile in sorted(tiles, key=lambda one: (round(one[1].top), round(one[1].left))):
        lines.setdefault(round(tile.top), []).append((number, tile))
    across = max(map(len, lines.values()))
    spots = [
        [
            spot
            for cells in zip(*(_rows_of(tile, grid, patch) for tile in line), strict=True)
            for spot in chain(*cells)
        ]
        for line in lines.values()
    ]
    every = list(chain.from_iterable(spots))
    wide, high = across * columns, len(lines) * rows
    width, height = whole.size
    if width * high > height * wide:  # wider than the grid
        left, top = 0, (high - int(round(height * wide / width, 7))) // 2
    else:
        left, top = (wide - int(round(width * high / height, 7))) // 2, 0
    for row in range(top, high - top):
        yield from every[row * wide + left : (row + 1) * wide - left]
        yield None


def _rows_of(tile: Numbered, grid: Size, patch: Size) -> list[list[Spot]]:
    """Give the rows of patches of a tile."""
    cells = cells_of(*tile, grid, patch)
    return [cells[start : start + grid[1]] for start in range(0, len(cells), grid[1])]
