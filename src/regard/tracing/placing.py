"""Which part of a picture, or of a sound, each token is of.

What a vision tower reads is laid on the grid of its patches, after a class token and registers;
image tokens of a text are the tower's, in order, perhaps several merged to one. Where the numbers
of tokens do not tell, none has a place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from math import ceil, isqrt, prod
from typing import Any, cast

from torch import Tensor, nn

from regard.record.layers import Layer
from regard.record.places import Box, Place, Stretch
from regard.record.windows import WindowedLayer
from regard.record.words import Side
from regard.tracing.processed import Processed
from regard.tracing.sights import Plane
from regard.tracing.tokens import Layers, Tokens

Places = list[Place | None]
MOST_EXTRAS = 16  # a class token, registers
STRIDES = (32, 16, 14, 8, 4)  # of convolutions that come before the tokens


class Placing:
    """Lays tokens of a model on what it saw or heard.

    Parameters
    ----------
    model
        The model.
    held
        What it saw and heard.
    """

    def __init__(self, model: nn.Module, held: Processed) -> None:
        self.model = model
        self.config = getattr(model, "config", None)
        self.sights = held.sights
        self.held = held
        self.patch = _patch_size(model)

    def placed(self, tokens: Tokens, layers: Layers) -> Tokens:
        """Give each token its place, but for those in windows, which stand in another order."""
        moved = [kind for kind, found in layers.items() if any(map(self._moves, found.values()))]
        if moved and not tokens.sides:
            return tokens
        renewed = {id(side): side for kind in moved for side in tokens.sides[kind]}

        def of(side: Side) -> Side:
            if id(side) not in renewed:
                renewed[id(side)] = self._placed(side)
            return renewed[id(side)]

        sides = {kind: (of(rows), of(columns)) for kind, (rows, columns) in tokens.sides.items()}
        return Tokens(of(tokens.source), of(tokens.target), sides)

    def _moves(self, layer: Layer) -> bool:
        """Say whether a layer reads windows of a picture, as Swin's do, and not its tiles."""
        if not isinstance(layer, WindowedLayer) or not self.sights.planes:
            return False
        return len(layer.windows) != len(self.sights.planes)

    def _placed(self, side: Side) -> Side:
        if not side.tokens:
            return side
        places = self._among_text(side) if side.ids else self._of(len(side.tokens))
        return replace(side, places=places) if any(places or ()) else side

    def _of(self, count: int) -> Places | None:
        """Place so many tokens that a tower reads; None, if that cannot be told."""
        if self.held.seconds:
            return self._frames(count)
        if patches := self.sights.patches:
            return self._in_windows(patches) if count == len(patches) else None
        if not self.sights.planes or count % len(self.sights.planes):
            return None
        each = count // len(self.sights.planes)
        found = [self._in_plane(plane, each) for plane in self.sights.planes]
        known = [places for places in found if places is not None]
        return list(chain.from_iterable(known)) if len(known) == len(found) else None

    def _in_plane(self, plane: Plane | None, count: int) -> Places | None:
        if plane is None:
            return [None] * count
        later = int(getattr(self.config, "num_detection_tokens", 0))  # YOLOS puts them last
        grids = [_grid(plane, self.patch), *(_grid(plane, (s, s)) for s in STRIDES)]
        for rows, columns in grids:
            extras = count - rows * columns - later
            if 0 <= extras <= MOST_EXTRAS and rows * columns > 1:
                return [*[None] * extras, *plane.cells(rows, columns), *[None] * later]
        return None

    def _among_text(self, side: Side) -> Places | None:
        """Place the tokens of a text that stand for pictures."""
        image_id = _image_id(self.config)
        at = [n for n, one in enumerate(side.ids or ()) if one == image_id]
        boxes = next((found for found in self._merged(len(at)) if len(found) == len(at)), [])
        places: Places = [None] * len(side.tokens)
        for n, box in zip(at, boxes, strict=False):
            places[n] = box
        return places if boxes else None

    def _merged(self, count: int) -> Iterator[list[Box | None]]:
        """Give, in the ways that there are, the boxes that a text's image tokens may be of."""
        if not count:
            return
        if patches := self.sights.patches:
            each = len(patches) // count
            if each and len(patches) % count == 0:
                yield [_around(patches[at : at + each]) for at in range(0, len(patches), each)]
            return
        grids = [_grid(plane, self.patch) for plane in self.sights.planes if plane]
        num_cells = sum(rows * columns for rows, columns in grids)
        side = isqrt(num_cells // count)
        if (
            side
            and num_cells == count * side**2
            and all(n % side == 0 for one in grids for n in one)
        ):
            planes = [plane for plane in self.sights.planes if plane]
            yield [
                box
                for plane, (rows, columns) in zip(planes, grids, strict=True)
                for box in plane.cells(rows // side, columns // side)
            ]
        yield list(_with_newlines(self.sights.planes, grids))

    def _in_windows(self, patches: Sequence[Box | None]) -> Places:
        """Order patches as a tower does that reads them window by window, as Qwen2.5-VL's."""
        grid = self.held.sentence.get("image_grid_thw")
        for tower in self.model.modules():
            if hasattr(tower, "permute_input_for_window_attn") and grid is not None:
                return list(chain.from_iterable(_by_window(patches, tower, grid)))
        return list(patches)

    def _frames(self, count: int) -> Places | None:
        """Place frames of a sound one after another; not those of a grid of time and pitch."""
        if hasattr(self.config, "frequency_stride"):
            return None
        seconds, strides = self.held.seconds, getattr(self.config, "conv_stride", None)
        step = seconds / count
        if strides and self.held.rate:
            step = prod(strides) / self.held.rate
        return [Stretch(at * step, min((at + 1) * step, seconds)) for at in range(count)]


def _by_window(
    patches: Sequence[Box | None], tower: Any, grid: Tensor
) -> Iterator[Sequence[Box | None]]:
    """Give the patches, as many at a time as become one, window by window."""
    from transformers.vision_utils import get_vision_window_index  # noqa: PLC0415  not in all of 5

    merged = tower.spatial_merge_size
    order, _ = get_vision_window_index(grid, merged, tower.window_size, tower.patch_size)
    for at in order.tolist():
        yield patches[at * merged**2 : (at + 1) * merged**2]


def _patch_size(model: nn.Module) -> tuple[int, int]:
    """Give height and width of a patch: of the first convolution that does not overlap."""
    for module in model.modules():
        is_of_pixels = isinstance(module, nn.Conv2d) and module.in_channels == 3
        if is_of_pixels and module.kernel_size == module.stride:
            height, width = cast("tuple[int, int]", module.kernel_size)
            return height, width
    return 0, 0


def _grid(plane: Plane | None, patch: tuple[int, int]) -> tuple[int, int]:
    """Count the rows and columns of patches in a plane."""
    height, width = patch
    if plane is None or not height or not width:
        return 0, 0
    return ceil(plane.height / height), ceil(plane.width / width)


def _image_id(config: Any) -> int | None:
    """Give the id of the token that stands for a part of a picture."""
    names = ("image_token_id", "image_token_index")
    found = (getattr(config, name, None) for name in names)
    return next((one for one in found if isinstance(one, int)), None)


def _around(boxes: Sequence[Box | None]) -> Box | None:
    """Give the box around several of one picture."""
    seen = [box for box in boxes if box is not None]
    if not seen:
        return None
    lows = (min(box[side] for box in seen) for side in (1, 2))
    highs = (max(box[side] for box in seen) for side in (3, 4))
    return Box(seen[0].picture, *lows, *highs)


def _with_newlines(
    planes: Sequence[Plane | None], grids: Sequence[tuple[int, int]]
) -> Iterator[Box | None]:
    """Give the boxes of a picture as a whole, and then of its tiles row by row across them.

    Rows end with a token of their own, and what is padding is left out, as LLaVA-NeXT does.
    """
    seen = [plane for plane in planes if plane]
    if len(seen) < 2:
        return
    whole, *tiles = seen
    rows, columns = grids[0]
    yield from whole.cells(rows, columns)
    lines: dict[float, list[Plane]] = {}
    for tile in sorted(tiles, key=lambda tile: (round(tile.top), round(tile.left))):
        lines.setdefault(round(tile.top), []).append(tile)
    across = max(map(len, lines.values()))
    boxes = [
        [box for cells in zip(*_rows_of(line, rows, columns), strict=True) for box in chain(*cells)]
        for line in lines.values()
    ]
    every = list(chain.from_iterable(boxes))
    wide, high = across * columns, len(lines) * rows
    width, height = whole.size
    if width * high > height * wide:  # wider than the grid
        left, top = 0, (high - int(round(height * wide / width, 7))) // 2
    else:
        left, top = (wide - int(round(width * high / height, 7))) // 2, 0
    for row in range(top, high - top):
        yield from every[row * wide + left : (row + 1) * wide - left]
        yield None


def _rows_of(tiles: Sequence[Plane], rows: int, columns: int) -> Iterator[list[list[Box | None]]]:
    """Give the rows of cells of each tile."""
    for tile in tiles:
        cells = tile.cells(rows, columns)
        yield [cells[row * columns : (row + 1) * columns] for row in range(rows)]
