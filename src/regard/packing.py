"""A trace as the view's front end takes it: names and numbers as JSON, weights as bytes."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.head_measures import MEASURES, measure_heads
from regard.plots import KINDS
from regard.recording import Layer, blocks, each_head
from regard.traces import Labels, Trace

Matrix = NDArray[np.float32]
Head = tuple[str, int, int]  # kind, layer, head

FORMAT = 1  # of what the front end reads; it refuses others
STEPS = 255  # from zero to the largest weight of a head
MOST_WEIGHTS = 64 * 10**6  # of one head: about 8,000 tokens; a browser must hold them
THUMBNAIL = 32  # pixels of a side, at most


@dataclass(frozen=True)
class PackedHead:
    """The weights of one head in bytes: a weight is its byte / 255 * `scale`.

    Examples
    --------
    >>> packed = PackedHead.of(np.array([[1.0, 0.0], [0.25, 0.75]], dtype=np.float32))
    >>> packed.shape, packed.scale, list(packed.bytes)
    ((2, 2), 1.0, [255, 0, 64, 191])
    """

    shape: tuple[int, int]
    scale: float  # the largest weight
    bytes: bytes

    @classmethod
    def of(cls, weights: Matrix) -> "PackedHead":
        """Round weights (Q, K) to 255 steps: each is off by at most `rounding(scale)`."""
        num_queries, num_keys = weights.shape
        scale = float(weights.max(initial=0.0))
        if not np.isfinite(weights).all():
            raise ValueError(
                "This head has weights that are not finite, so there is nothing to show: "
                "`regard.doctor(model, tokenizer, sentence)` says which and why."
            )
        steps = np.rint(weights / scale * STEPS) if scale else np.zeros_like(weights)
        return cls((num_queries, num_keys), scale, steps.astype(np.uint8).tobytes())

    @property
    def weights(self) -> Matrix:
        """The weights again, rounded."""
        steps = np.frombuffer(self.bytes, dtype=np.uint8).reshape(self.shape)
        return steps.astype(np.float32) * np.float32(self.scale / STEPS)


def rounding(scale: float) -> float:
    """Say by how much a packed weight may be off, where `scale` is the head's largest.

    Examples
    --------
    >>> round(rounding(1.0), 5)
    0.00196
    """
    return scale / STEPS / 2 + scale * 2**-22  # and what float32 adds


def pack_head(trace: Trace, kind: str, layer: int, head: int) -> PackedHead:
    """Compute one head's weights and put them into bytes.

    Raises
    ------
    ValueError
        If there is no such head, its weights are not finite, or there are too many of them.
    """
    trace.labels(kind, layer)  # says what is wrong with a kind or a layer
    _, num_queries, num_keys = trace.layers[kind][layer].shape
    if num_queries * num_keys > MOST_WEIGHTS:
        raise ValueError(
            f"A head of {num_queries} x {num_keys} weights is {num_queries * num_keys / 1e6:,.0f} "
            f"MB, more than the {MOST_WEIGHTS / 1e6:,.0f} MB that a view holds: trace a shorter "
            "text, or use `regard.measure_heads` and `regard.head_measures.top_keys`, which take "
            "any length."
        )
    return PackedHead.of(trace.weights(layer, head, kind=kind))


def part_of(
    trace: Trace, layers: Collection[int] | None = None, heads: Collection[int] | None = None
) -> Iterator[tuple[str, int, Layer, list[int]]]:
    """Give the layers that are asked for, with their kind, number and the heads asked for.

    Raises
    ------
    ValueError
        If there are none.
    """
    found = False
    for kind in trace.kinds:
        for number, layer in trace.layers[kind].items():
            chosen = [head for head in range(layer.shape[0]) if heads is None or head in heads]
            if chosen and (layers is None or number in layers):
                found = True
                yield kind, number, layer, chosen
    if not found:
        kept = {kind: sorted(of_kind) for kind, of_kind in trace.layers.items()}
        raise ValueError(
            f"No head is left with layers={_listed(layers)} and heads={_listed(heads)}: this trace "
            f"has the layers {kept}, and {trace.num_heads} heads in each, numbered from 0."
        )


def _listed(numbers: Collection[int] | None) -> str:
    return "all" if numbers is None else str(list(numbers))


def pack_meta(
    trace: Trace, layers: Collection[int] | None = None, heads: Collection[int] | None = None
) -> tuple[dict[str, Any], bytes]:
    """Describe a trace to the front end, and draw its thumbnails.

    Parameters
    ----------
    trace
        All its weights are streamed twice, 32 MB at a time.
    layers, heads
        Only these; all, if not given.

    Returns
    -------
    tuple
        What JSON can hold: the names of rows and columns, which are special and which make a word,
        what each layer leaves masked, its heads and their measures. And the thumbnails: of each
        head, in that order, its matrix pooled to at most 32 x 32, so that the strongest link of
        each part stays; 255 is a weight of 1.
    """
    sides, masks = _Numbered(), _Numbered()
    words = merged(trace)
    kinds: dict[str, dict[str, Any]] = {}
    thumbnails: list[bytes] = []
    for kind, number, layer, chosen in part_of(trace, layers, heads):
        of_kind = kinds.setdefault(
            kind, {"name": kind, "title": KINDS.get(kind, kind), "layers": [], "measures": {}}
        )
        pooled, spans = look_over(layer)
        rows, columns = _sides_of(trace, words, kind, number)
        of_kind["layers"].append(
            {
                "number": number,
                "heads": chosen,
                "rows": sides.number(rows),
                "columns": sides.number(columns),
                "shape": list(layer.shape[1:]),
                "spans": masks.number(spans.ravel().tolist()),
            }
        )
        steps = np.rint(np.nan_to_num(pooled, nan=0.0) * STEPS).clip(0, STEPS).astype(np.uint8)
        thumbnails += [steps[head].tobytes() for head in chosen]
    for name, of_kind in kinds.items():
        of_kind["measures"] = _measures_of(trace, name, of_kind["layers"])
    meta = {
        "format": FORMAT,
        "sides": sides.items,
        "spans": masks.items,
        "kinds": list(kinds.values()),
        "thumbnail": THUMBNAIL,
        "writes": bool(trace.written_tokens),
        "hidden": trace.whole is not None and _hides(trace),
        "origin": {"computed from": trace.how, **trace.origin},
    }
    return meta, b"".join(thumbnails)


def _hides(trace: Trace) -> bool:
    """Say whether a trace has fewer special tokens than before."""
    before = trace.whole or trace
    return any(before.source.special + before.target.special) and not any(
        trace.source.special + trace.target.special
    )


def look_over(layer: Layer) -> tuple[Matrix, NDArray[np.int64]]:
    """Stream a layer once: its thumbnails, and the part of each row that it reads at all.

    Returns
    -------
    tuple
        (h, q, k), at most 32 x 32, the largest weight of each part; and (Q, 2), for each query the
        first key that any head reads and the one after the last. What lies outside is masked.
    """
    num_heads, num_queries, num_keys = layer.shape
    rows_to, columns_to = (_pools(count) for count in (num_queries, num_keys))
    starts = np.searchsorted(columns_to, np.arange(columns_to[-1] + 1))
    pooled = np.zeros((num_heads, rows_to[-1] + 1, columns_to[-1] + 1), dtype=np.float32)
    spans = np.tile([num_keys, 0], (num_queries, 1))
    for head, one in enumerate(each_head(layer)):
        for rows, block in blocks(one):
            weights = block[0].cpu().numpy()  # (Q', K)
            by_column = np.maximum.reduceat(weights, starts, axis=1)  # (Q', k)
            np.maximum.at(pooled[head], rows_to[rows], by_column)
            reads = weights > 0
            some = reads.any(axis=1)
            first = np.where(some, reads.argmax(axis=1), num_keys)
            after = np.where(some, num_keys - reads[:, ::-1].argmax(axis=1), 0)
            spans[rows, 0] = np.minimum(spans[rows, 0], first)
            spans[rows, 1] = np.maximum(spans[rows, 1], after)
    spans[spans[:, 1] == 0] = 0  # reads nothing
    return pooled, spans


def _pools(count: int) -> NDArray[np.int64]:
    """Give each token's pixel in a thumbnail."""
    return np.arange(count) * min(count, THUMBNAIL) // count


def _measures_of(
    trace: Trace, kind: str, layers: list[dict[str, Any]]
) -> dict[str, list[float | None]]:
    """Give each measure that has a meaning for the heads, in their order."""
    kept = {layer["number"]: trace.layers[kind][layer["number"]] for layer in layers}
    table = measure_heads(replace(trace, layers={kind: kept}))
    chosen = {(layer["number"], head) for layer in layers for head in layer["heads"]}
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
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Describe the rows and the columns of a layer."""
    names = trace.labels(kind, number)
    special = trace.special(kind)
    merges: list[dict[str, Any] | None] = [None, None]
    if words_too is not None:
        layer: Any = words_too.layers[kind][number]  # a GroupedLayer
        groups = (layer.query_groups, layer.key_groups)
        in_words = words_too.labels(kind, number)
        merges = [_words(*side) for side in zip(in_words, groups, names, strict=True)]
    rows, columns = (
        {"names": of_side, "special": marks if len(marks) == len(of_side) else [], "words": merge}
        for of_side, marks, merge in zip(names, special, merges, strict=True)
    )
    return rows, columns


def _words(names: list[str], groups: list[list[int]], tokens: list[str]) -> dict[str, Any] | None:
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


def exact(trace: Trace, head: Head, queries: list[int], keys: list[int]) -> float:
    """Give an exact weight: of a word, the mean of its queries and the sum of its keys.

    Raises
    ------
    ValueError
        If there is no such head, or no such query or key in it.
    """
    kind, layer, number = head
    labels: Labels = trace.labels(kind, layer)
    for asked, names, what in ((queries, labels.queries, "query"), (keys, labels.keys, "key")):
        if not asked or not all(at in range(len(names)) for at in asked):
            raise ValueError(f"There is no {what} {asked}: there are {len(names)}.")
    seen = trace.layers[kind][layer]
    if number not in range(seen.shape[0]):
        raise ValueError(f"There is no head {number}: this layer has {seen.shape[0]}.")
    rows = slice(min(queries), max(queries) + 1)
    weights = seen.weigh(slice(number, number + 1), rows)[0].cpu()
    return float(weights[[at - rows.start for at in queries]][:, keys].sum(dim=1).mean())
