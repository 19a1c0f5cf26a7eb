"""A trace as the view's front end takes it: names and numbers as JSON, weights as bytes."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regard.measures.heads import MEASURES, measure_heads
from regard.record.kinds import Head, title_of
from regard.record.layers import Layer
from regard.record.regrouping import sides_of
from regard.record.streams import blocks, of_head, spans
from regard.record.trace import Trace
from regard.record.windows import WindowedLayer
from regard.viewer.contract import Kind, Meta, Raw, Words
from regard.viewer.contract import Side as SideOfView
from regard.viewer.media import pictures_of, places_of, sound_of
from regard.viewer.tiles import HeadMap, edges_of, pool

Matrix = NDArray[np.float32]

FORMAT = 4  # of what the front end reads; it refuses others
STEPS = 255  # from zero to the largest weight of a head, at most
MOST_FINE = 5 * 10**5  # weights of a page in fine steps, which take about twice the bytes,
MOST_COARSE = 4 * 10**6  # and in coarse ones
MOST_WEIGHTS = 4096**2  # of one head that a browser is given whole; longer ones become maps
MOST_AT_ONCE = 3 * 10**8  # weights of all heads that are looked at before any is asked for: seconds
OVERVIEW = 1024  # pixels of a side of a map, at most
THUMBNAIL = 32  # pixels of a side, at most


class Steps(NamedTuple):
    """How weights are rounded: the power of a step, how many there are, and their least size."""

    power: int
    most: int = STEPS
    least: float = 0.0


FINE = Steps(power=2)  # tell small weights apart,
COARSE = Steps(power=1)  # pack smaller,
FEW = Steps(power=1, most=127, least=0.001)  # and smallest: no finer than small weights are written


class NotFiniteError(ValueError):
    """A head has weights that are NaN or infinite."""


@dataclass(frozen=True)
class PackedHead:
    """The weights of one head in bytes: a weight is (its byte / 255) ** `power` * `scale`.

    Where it has fewer pixels than weights, a pixel has the largest of its weights. With all its
    weights come their sums, exact: of each row, then of each column, as float32.

    Examples
    --------
    >>> packed = PackedHead.of(np.array([[1.0, 0.0], [0.25, 0.75]], dtype=np.float32))
    >>> packed.pixels, packed.scale, list(packed.bytes)
    ((2, 2), 1.0, [255, 0, 128, 221])
    """

    pixels: tuple[int, int]
    scale: float  # of the byte 255: the largest weight, or more
    bytes: Raw
    power: int = FINE.power
    sums: Raw = b""

    @classmethod
    def of(
        cls, weights: Matrix, scale: float | None = None, steps: Steps = FINE, *, sums: bool = False
    ) -> "PackedHead":
        """Round weights, (Q, K) or pixels, to 255 steps: off by at most `rounding(scale)`."""
        num_queries, num_keys = weights.shape
        if scale is None:
            largest = float(weights.max(initial=0.0))
            scale = STEPS * max(largest / steps.most, steps.least)
        if not np.isfinite(weights).all():
            raise NotFiniteError(
                "This head has weights that are not finite, so there is nothing to show: "
                "`regard.doctor(model, tokenizer, sentence)` says which and why."
            )
        shares = weights / scale if scale else np.zeros_like(weights)
        rounded = np.rint(shares ** (1 / steps.power) * STEPS).clip(0, STEPS).astype(np.uint8)
        summed = sums_of(weights) if sums else b""
        return cls((num_queries, num_keys), scale, rounded.tobytes(), steps.power, summed)

    @property
    def weights(self) -> Matrix:
        """The weights again, rounded."""
        steps = np.frombuffer(self.bytes, dtype=np.uint8).reshape(self.pixels)
        shares = (steps.astype(np.float32) / np.float32(STEPS)) ** self.power
        return (shares * np.float32(self.scale)).astype(np.float32)


def sums_of(weights: Matrix) -> bytes:
    """Sum what each row reads, and then what each column gets, as float32.

    They are rounded to 2^-17, less than a hundred-thousandth: their last byte is mostly 0 then, so
    that they pack well.
    """
    sums = [weights.sum(axis=axis, dtype=np.float64) for axis in (1, 0)]
    return np.ldexp(np.rint(np.ldexp(np.concatenate(sums), 17)), -17).astype("<f4").tobytes()


def rounding(scale: float, steps: Steps = FINE) -> float:
    """Say by how much a packed weight may be off, where `scale` is that of the byte 255.

    Examples
    --------
    >>> round(rounding(1.0), 5), round(rounding(1.0, COARSE), 5)
    (0.00392, 0.00196)
    """
    largest_step = 1 - (1 - 0.5 / STEPS) ** steps.power
    return scale * largest_step + scale * 2**-22  # and what float32 adds


def is_map(layer: Layer) -> bool:
    """Say whether a head of this layer has too many weights to be held by a browser."""
    _, num_queries, num_keys = layer.shape
    return num_queries * num_keys > MOST_WEIGHTS


def pack_head(
    trace: Trace,
    kind: str,
    layer: int,
    head: int,
    *,
    pixels: int | None = None,
    steps: Steps = FINE,
) -> PackedHead:
    """Compute one head's weights and put them into bytes.

    Parameters
    ----------
    trace, kind, layer, head
        Which head.
    pixels
        A side, at most: of longer texts, the largest weight of each pixel. If not given, all
        weights, but of more than 4,096 tokens, 1,024 pixels.
    steps
        `FINE`, `COARSE` or `FEW`.

    Raises
    ------
    ValueError
        If there is no such head, or its weights are not finite.
    """
    seen = trace.layer(layer, kind)
    if pixels is None and not is_map(seen):
        return PackedHead.of(trace.weights(layer, head, kind=kind), steps=steps, sums=True)
    of_head(seen, head)  # says what is wrong with a head
    return pack_map(HeadMap(seen, head), pixels, steps)


def pack_map(whole: HeadMap, pixels: int | None = None, steps: Steps = FINE) -> PackedHead:
    """Put all of a map into bytes, in so many pixels a side at most; if not given, 1,024."""
    pixels = pixels or OVERVIEW
    return PackedHead.of(whole.tile(whole.whole, pixels, pixels), steps=steps)


def part_of(
    trace: Trace, layers: Collection[int] | None = None, heads: Collection[int] | None = None
) -> Iterator[tuple[str, int, Layer, list[int]]]:
    """Give the layers that are asked for, with their kind, number and the heads asked for.

    Raises
    ------
    ValueError
        If there are none, or some of those that are asked for are not there.
    """
    found: set[int] = set()
    found_heads: set[int] = set()
    for kind in trace.kinds:
        for number, layer in trace.layers[kind].items():
            chosen = [head for head in range(layer.shape[0]) if heads is None or head in heads]
            if chosen and (layers is None or number in layers):
                found.add(number)
                found_heads.update(chosen)
                yield kind, number, layer, chosen
    if not found or not set(layers or ()) <= found or not set(heads or ()) <= found_heads:
        kept = {kind: sorted(of_kind) for kind, of_kind in trace.layers.items()}
        raise ValueError(
            f"Not all is there of layers={_listed(layers)} and heads={_listed(heads)}: this trace "
            f"has the layers {kept}, and {trace.num_heads} heads in each, numbered from 0."
        )


def _listed(numbers: Collection[int] | None) -> str:
    return "all" if numbers is None else str(list(numbers))


def pack_meta(
    trace: Trace, layers: Collection[int] | None = None, heads: Collection[int] | None = None
) -> tuple[Meta, bytes]:
    """Describe a trace to the front end, and draw its thumbnails.

    Parameters
    ----------
    trace
        All its weights are streamed twice, but not more than 300 million of them: beyond, heads
        have neither thumbnails nor measures until they are opened.
    layers, heads
        Only these; all, if not given.

    Returns
    -------
    tuple
        What JSON can hold: the names of rows and columns, which are special and which make a word,
        what each layer leaves masked, its heads and their measures. And the thumbnails: of each
        head, in that order, its matrix pooled to at most 32 x 32, so that the strongest link of
        each part stays; 255 is a weight of 1, and all 0 stands for one that was not looked at.
    """
    sides, masks = _Numbered(), _Numbered()
    looks = count_cells(trace, layers, heads) <= MOST_AT_ONCE
    words = None if any(is_map(layer) for _, _, layer, _ in part_of(trace)) else merged(trace)
    kinds: dict[str, Kind] = {}
    thumbnails: list[bytes] = []
    for kind, number, layer, chosen in part_of(trace, layers, heads):
        of_kind = kinds.setdefault(
            kind, {"name": kind, "title": title_of(kind), "layers": [], "measures": {}}
        )
        rows, columns = _sides_of(trace, words, kind, number)
        of_kind["layers"].append(
            {
                "number": number,
                "path": trace.paths.get(kind, {}).get(number, ""),
                "heads": chosen,
                "rows": sides.number(rows),
                "columns": sides.number(columns),
                "shape": layer.shape[1:],
                "spans": masks.number(spans(layer).ravel().tolist()),
            }
        )
        pooled = look_over(layer, chosen) if looks else np.zeros((len(chosen), *_small(layer)))
        thumbnails.append(as_thumbnail(pooled))
    for name, of_kind in kinds.items():
        chosen_heads = {layer["number"]: layer["heads"] for layer in of_kind["layers"]}
        of_kind["measures"] = measures_of(trace, name, chosen_heads) if looks else {}
    meta: Meta = {
        "format": FORMAT,
        "sides": sides.items,
        "spans": masks.items,
        "kinds": list(kinds.values()),
        "thumbnail": THUMBNAIL,
        "looked": looks,
        "writes": bool(trace.written_tokens),
        "hidden": trace.whole is not None and _hides(trace),
        "opened": "",
        "origin": {"computed from": trace.how, **trace.origin},
        "pictures": pictures_of(trace),
        "sound": sound_of(trace),
    }
    return meta, b"".join(thumbnails)


def _hides(trace: Trace) -> bool:
    """Say whether a trace has fewer special tokens than before."""
    before = trace.whole or trace
    return any(before.source.special + before.target.special) and not any(
        trace.source.special + trace.target.special
    )


def look_over(layer: Layer, heads: list[int]) -> Matrix:
    """Stream some heads once, for their thumbnails: (h, q, k), at most 32 x 32 each."""
    high, wide = _small(layer)
    _, num_queries, num_keys = layer.shape
    pixel_of = np.arange(num_queries) * high // num_queries
    starts = [first for first, _ in edges_of(num_keys, wide)]
    pooled = np.zeros((len(heads), high, wide), dtype=np.float32)
    for place, head in enumerate(heads):
        for rows, (weights,) in blocks(of_head(layer, head)):
            by_column = np.maximum.reduceat(weights.cpu().numpy(), starts, axis=1)  # (Q', k)
            np.maximum.at(pooled[place], pixel_of[rows], by_column)
    return pooled


def as_thumbnail(pooled: NDArray[np.floating[Any]]) -> bytes:
    """Round to bytes: 255 is a weight of 1."""
    return np.rint(np.nan_to_num(pooled, nan=0.0) * STEPS).clip(0, STEPS).astype(np.uint8).tobytes()


def with_thumbnail(meta: Meta, thumbnails: bytes, head: Head, packed: PackedHead) -> bytes:
    """Put a head that was opened among the thumbnails."""
    pixels = [edges_of(count, min(count, THUMBNAIL)) for count in packed.pixels]
    small = as_thumbnail(pool(packed.weights, *pixels))
    start = 0
    for kind in meta["kinds"]:
        for layer in kind["layers"]:
            for number in layer["heads"]:
                if (kind["name"], layer["number"], number) == head:
                    return thumbnails[:start] + small + thumbnails[start + len(small) :]
                start += math.prod(min(count, THUMBNAIL) for count in layer["shape"])
    return thumbnails


def _small(layer: Layer) -> tuple[int, int]:
    _, num_queries, num_keys = layer.shape
    return min(num_queries, THUMBNAIL), min(num_keys, THUMBNAIL)


def measures_of(
    trace: Trace, kind: str, heads: Mapping[int, list[int]]
) -> dict[str, list[float | None]]:
    """Give each measure that has a meaning for some heads of each layer, in their order."""
    kept = {number: trace.layers[kind][number] for number in heads}
    table = measure_heads(replace(trace, layers={kind: kept}))
    chosen = {(number, head) for number, of_layer in heads.items() for head in of_layer}
    places = zip(table["layer"], table["head"], strict=True)
    table = table[[place in chosen for place in places]]
    return {
        name: [None if math.isnan(value) else round(value, 4) for value in table[name]]
        for name in MEASURES
        if table[name].notna().any()
    }


def merged(trace: Trace) -> Trace | None:
    """Merge words, where the tokenizer says which there are and a token is not already one."""
    try:
        return trace.merge_words()
    except ValueError:
        return None


def _sides_of(
    trace: Trace, words_too: Trace | None, kind: str, number: int
) -> tuple[SideOfView, SideOfView]:
    """Describe the rows and the columns of a layer."""
    names = trace.labels(number, kind=kind)
    special = trace.special(kind)
    merges: list[Words | None] = [None, None]
    if words_too is not None:
        layer: Any = words_too.layers[kind][number]  # a GroupedLayer
        groups = (layer.query_groups, layer.key_groups)
        in_words = words_too.labels(number, kind=kind)
        merges = [_words(*side) for side in zip(in_words, groups, names, strict=True)]
    isnt_of_tokens = isinstance(trace.layers[kind][number], WindowedLayer)
    places = [None if isnt_of_tokens else places_of(side) for side in sides_of(trace, kind)]
    rows, columns = (
        SideOfView(
            names=of_side,
            special=_fitting(marks, of_side) or [],
            words=merge,
            places=_fitting(place, of_side),
        )
        for of_side, marks, merge, place in zip(names, special, merges, places, strict=True)
    )
    return rows, columns


def _fitting(given: list[Any] | None, names: list[str]) -> list[Any] | None:
    """Take what is known of each token, where the rows or columns are the tokens."""
    return given if given is not None and len(given) == len(names) else None


def _words(names: list[str], groups: list[list[int]], tokens: list[str]) -> Words | None:
    """Name the words, where they are not the tokens."""
    return {"names": names, "groups": groups} if names != tokens else None


class _Numbered:
    """Things that are alike share a number."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def number(self, item: Any) -> int:
        if item not in self.items:
            self.items.append(item)
        return self.items.index(item)


def count_cells(
    trace: Trace, layers: Collection[int] | None = None, heads: Collection[int] | None = None
) -> int:
    """Count the weights of the heads that are asked for, before any is computed."""
    return sum(
        len(chosen) * layer.shape[1] * layer.shape[2]
        for _, _, layer, chosen in part_of(trace, layers, heads)
    )


def steps_of(num_weights: int) -> Steps:
    """Say how fine the steps of a page's weights are: the more there are, the coarser."""
    if num_weights <= MOST_FINE:
        return FINE
    return COARSE if num_weights <= MOST_COARSE else FEW
