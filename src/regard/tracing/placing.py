"""Which part of a picture, or of a sound, each token is of.

What a vision tower reads is laid on the grid of its patches, after a class token and registers;
image tokens of a text are the tower's, in order, perhaps several merged to one. That is a guess
from the numbers of tokens: the model is asked, by marks, whether each token sees its place. Where
it does not, none has a place, and why is logged by `logging.getLogger("regard.tracing.placing")`.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from math import ceil, floor, isqrt, prod
from typing import Any, cast

from torch import nn

from regard.record.kinds import plain
from regard.record.layers import Layer
from regard.record.places import Stretch
from regard.record.windows import WindowedLayer
from regard.record.words import Side
from regard.tracing.any_model import AnyModel
from regard.tracing.inputs import Inputs
from regard.tracing.marks import LEAST, Marks, Order, Spot, UnplacedError, holds, order_of
from regard.tracing.processed import Processed
from regard.tracing.spots import by_window, cells_of, grid_of, joined, with_newlines
from regard.tracing.tokens import Layers, Tokens

Paths = dict[str, dict[int, str]]
MOST_EXTRAS = 16  # a class token, registers
STRIDES = (32, 16, 14, 8, 4)  # of convolutions that come before the tokens
PICTURES = ("pixel_values",)
SOUNDS = ("input_features", "input_values")
LOG = logging.getLogger(__name__)


class Placing:
    """Lays tokens of a model on what it saw or heard.

    Parameters
    ----------
    found
        The model.
    held
        What it saw and heard.
    inputs
        What it was called with.
    paths
        The module of each layer that attended.
    """

    def __init__(self, found: AnyModel, held: Processed, inputs: Inputs, paths: Paths) -> None:
        self.model = found.model
        self.config = getattr(found.model, "config", None)
        self.sights, self.held, self.paths = held.sights, held, paths
        self.patch = _patch_size(found.model)
        self.marks = self._marks(found, inputs)
        self.shape = self.marks.shape if self.marks else ()

    def _marks(self, found: AnyModel, inputs: Inputs) -> Marks | None:
        """Be ready to mark what it was given."""
        is_seen = self.sights.count > 0
        if not is_seen and not self.held.seconds:
            return None
        names = [name for name in (PICTURES if is_seen else SOUNDS) if name in inputs.named]
        if not names and not inputs.positional:
            return None
        name: str | int = names[0] if names else 0
        x = inputs.named[names[0]] if names else inputs.positional[0]
        apart = -4 if self.sights.planes else -2  # planes (C, H, W), or patches (features)
        return Marks(found, inputs, name, x.flatten(0, apart).shape if is_seen else x.shape)

    def placed(self, tokens: Tokens, layers: Layers) -> Tokens:
        """Give each token its place, where the model sees it there."""
        if self.marks is None:
            if self.held.media.pictures or self.held.media.rate:
                LOG.info("what the processor gives cannot be followed to where it comes from")
            return tokens
        renewed: dict[int, Side] = {}
        usual = sorted(_sides(tokens, layers).items(), key=lambda item: plain(item[0]) == "cross")
        for kind, both in usual:
            for side in both:
                if id(side) not in renewed and side.tokens:
                    renewed[id(side)] = self._placed(side, kind, layers[kind], self.marks)

        def of(side: Side) -> Side:
            return renewed.get(id(side), side)

        sides = {kind: (of(rows), of(columns)) for kind, (rows, columns) in tokens.sides.items()}
        return Tokens(of(tokens.source), of(tokens.target), sides)

    def _placed(self, side: Side, kind: str, layers: Mapping[int, Layer], marks: Marks) -> Side:
        try:
            order = self._order(side, kind, layers, marks)
        except UnplacedError as error:
            LOG.info("%s: %s", kind, error)
            return side
        places = [None if spot is None else spot.place for spot in order]
        return replace(side, places=places)

    def _order(self, side: Side, kind: str, layers: Mapping[int, Layer], marks: Marks) -> Order:
        """Give the part that each token of a side sees.

        Raises
        ------
        UnplacedError
            If that cannot be told.
        """
        count, guess = len(side.tokens), None
        if any(count not in layer.shape[1:] for layer in layers.values()):
            raise UnplacedError("its layers read different numbers of tokens")
        ask = partial(marks.moved, self.paths[kind][min(self.paths[kind])], count)
        guesses = self._among_text(side) if side.ids else self._of(count)
        # between the attention of a text, convolutions may mix its tokens: no peaks there
        best, least = None, 0.99 if side.ids else LEAST
        for guess in guesses:
            order, sureness = order_of(guess, ask)
            if sureness > least:
                best, least = order, sureness
            if sureness == 1:
                break
        if best is None:
            how = "are no grid of patches" if guess is None else "see no one part of a grid each"
            raise UnplacedError(f"its {count} tokens {how}")
        for at in (at for at, layer in layers.items() if self._moves(layer)):
            if not holds(best, partial(marks.moved, self.paths[kind][at], count)):
                raise UnplacedError("its layers read windows in several orders")
        return best

    def _moves(self, layer: Layer) -> bool:
        """Say whether a layer reads windows of a picture, as Swin's do, and not its tiles."""
        if not isinstance(layer, WindowedLayer) or not self.sights.planes:
            return False
        return len(layer.windows) != len(self.sights.planes)

    def _of(self, count: int) -> Iterator[Order]:
        """Guess which parts so many tokens of a tower see."""
        if self.held.seconds:
            yield from self._frames(count)
            return
        if patches := self.sights.patches:
            spots = [Spot(box, ([at],)) for at, box in enumerate(patches)]
            if count == len(spots):
                yield list(by_window(spots, self.model, self.held.sentence.get("image_grid_thw")))
            return
        num_planes = len(self.sights.planes)
        if num_planes and count % num_planes == 0:
            yield from self._in_planes(count // num_planes)

    def _in_planes(self, each: int) -> Iterator[Order]:
        """Guess the parts of tokens, so many a plane, by the patches that there may be."""
        later = int(getattr(self.config, "num_detection_tokens", 0))  # YOLOS puts them last
        tried = set()
        patches = (self.patch, *((side, side) for side in STRIDES))
        for patch, rounded, early in product(patches, (ceil, floor), (False, True)):
            grids = [grid_of(plane, patch, rounded) for plane in self.sights.planes]
            if (key := (patch, early, *grids)) in tried:
                continue
            tried.add(key)
            order: list[Spot | None] = []
            for at, (plane, grid) in enumerate(zip(self.sights.planes, grids, strict=True)):
                extras = each - prod(grid) - later
                if plane is None:
                    order += [None] * each
                elif 0 <= extras <= MOST_EXTRAS and prod(grid) > 1:
                    cells = cells_of(at, plane, grid, patch, early=early)
                    order += [*[None] * extras, *cells, *[None] * later]
            if len(order) == each * len(grids):
                yield order

    def _among_text(self, side: Side) -> Iterator[Order]:
        """Guess which parts the tokens of a text see that stand for pictures."""
        image_id = _image_id(self.config)
        at = [n for n, one in enumerate(side.ids or ()) if one == image_id]
        for spots in self._merged(len(at)):
            if len(spots) == len(at):
                order: list[Spot | None] = [None] * len(side.tokens)
                for n, spot in zip(at, spots, strict=True):
                    order[n] = spot
                yield order

    def _merged(self, count: int) -> Iterator[list[Spot | None]]:
        """Give, in the ways that there are, the parts that a text's image tokens may be of."""
        if not count:
            return
        if patches := self.sights.patches:
            each = len(patches) // count
            if each and len(patches) % count == 0:
                spots = [Spot(box, ([at],)) for at, box in enumerate(patches)]
                yield [joined(spots[at : at + each]) for at in range(0, len(spots), each)]
            return
        seen = [(at, plane) for at, plane in enumerate(self.sights.planes) if plane]
        for rounded in (ceil, floor):
            grids = [grid_of(plane, self.patch, rounded) for _, plane in seen]
            num_cells = sum(map(prod, grids))
            side = isqrt(num_cells // count)
            is_even = all(n % side == 0 for one in grids for n in one) if side else False
            if is_even and num_cells == count * side**2:
                merged = self.patch[0] * side, self.patch[1] * side
                yield [
                    spot
                    for (at, plane), (rows, columns) in zip(seen, grids, strict=True)
                    for spot in cells_of(at, plane, (rows // side, columns // side), merged)
                ]
            if grids:
                yield list(with_newlines(seen, grids[0], self.patch))

    def _frames(self, count: int) -> Iterator[Order]:
        """Guess the seconds that frames of a sound hear, one after another."""
        seconds, strides = self.held.seconds, getattr(self.config, "conv_stride", None)
        length = self.shape[self.held.axis]
        if hasattr(self.config, "frequency_stride"):
            yield self._of_pitches(count, seconds / length)
            return
        step = seconds / count
        if strides and self.held.rate:
            step = prod(strides) / self.held.rate
        yield [
            self._stretch(at * step, min((at + 1) * step, seconds), length / seconds)
            for at in range(count)
        ]

    def _stretch(self, start: float, end: float, per_second: float, pitch: Any = None) -> Spot:
        """Give a stretch of a sound, in seconds, of all its pitches or of some."""
        time = slice(round(start * per_second), max(round(end * per_second), 1))
        where = [pitch or slice(None)] * len(self.shape)
        where[0], where[self.held.axis] = slice(None), time
        return Spot(Stretch(start, end), tuple(where))

    def _of_pitches(self, count: int, frame: float) -> Order:
        """Guess the stretches of patches of a spectrogram, a row for each band of pitches."""
        config: Any = self.config
        num_frames, num_bands = config.max_length, config.num_mel_bins
        across = (num_frames - config.patch_size) // config.time_stride + 1
        down = (num_bands - config.patch_size) // config.frequency_stride + 1
        spots = [
            self._stretch(
                frame * column * config.time_stride,
                frame * (column * config.time_stride + config.patch_size),
                1 / frame,
                slice(
                    row * config.frequency_stride, row * config.frequency_stride + config.patch_size
                ),
            )
            for row in range(down)
            for column in range(across)
        ]
        extras = count - len(spots)
        return [*[None] * extras, *spots] if extras >= 0 else [None] * count


def _sides(tokens: Tokens, layers: Layers) -> dict[str, tuple[Side, Side]]:
    """Give the sides of each kind: where there are no parts, as they are by custom."""
    if tokens.sides:
        return {kind: tokens.sides[kind] for kind in layers}
    reading = tokens.target if tokens.target.tokens else tokens.source
    usual = {
        "encoder": (tokens.source, tokens.source),
        "decoder": (reading, reading),
        "cross": (reading, tokens.source),
    }
    return {kind: usual[kind] for kind in layers}


def _patch_size(model: nn.Module) -> tuple[int, int]:
    """Give height and width of a patch: of the first convolution that does not overlap."""
    for module in model.modules():
        is_of_pixels = isinstance(module, nn.Conv2d) and module.in_channels == 3
        if is_of_pixels and module.kernel_size == module.stride:
            height, width = cast("tuple[int, int]", module.kernel_size)
            return height, width
    return 0, 0


def _image_id(config: Any) -> int | None:
    """Give the id of the token that stands for a part of a picture."""
    names = ("image_token_id", "image_token_index")
    found = (getattr(config, name, None) for name in names)
    return next((one for one in found if isinstance(one, int)), None)
