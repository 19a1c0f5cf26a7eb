"""What a page holds to take weights apart, as `dissect` does: queries and keys of some heads.

Their numbers are rounded to steps; all else is exact: the scale, the bias, the softcap, the sink,
what is masked, and the logarithm of each softmax's sum. By how much any q k^T of a head is off for
it is measured, over all of them, so that the page says no digit that does not hold.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from regard.record.kinds import Head
from regard.record.layers import GroupedLayer, Layer, ScoredLayer
from regard.viewer.deflate import deflated

STEPS = 8191  # from zero to the largest number of a head's queries: 14 bits, with the sign
WHY_BYTES = 150_000  # of a page, at most
SMALL_PAGE = 700_000  # bytes that a page does not exceed because of this,
SHARE = 1 / 20  # but by so much of it: for the head that it opens with
OF_HEAD = 250  # bytes of a head, besides its parts
FEW = 4  # heads that are packed for an estimate
ROWS = 512  # queries whose error is measured at once
NO_QUERIES = "This page knows this layer's weights, but no queries and keys to take one apart."
NOT_FINITE = "This layer has queries or keys that are not finite."
SHARED = "This layer reads two sides in one softmax: a page does not hold the other one's scores."
PUT_TOGETHER = (
    "Tokens were put together or left out before this page was saved, so it holds no queries and "
    "keys of them: save the trace as it was, and choose words here."
)

Place = tuple[str, int, Layer, int]  # a head: its kind, its layer's number, its layer, its number


@dataclass
class Parts:
    """Bytes as text, in so much room; what several heads share, such as keys, is there once.

    Examples
    --------
    >>> parts = Parts(room=300)
    >>> parts.add([bytes(9), bytes(9)]), [len(text) for text in parts.texts], parts.room
    ([0, 0], [14], 36)
    >>> parts.add([bytes(9)]) is None  # there is no room for another head
    True
    """

    room: int
    texts: list[str] = field(default_factory=list)

    def add(self, raw: Sequence[bytes]) -> list[int] | None:
        """Pack what a head needs, and say where each part is; None, where there is no room."""
        packed = [deflated(part) for part in raw]
        new = [text for text in dict.fromkeys(packed) if text not in self.texts]
        size = OF_HEAD + sum(len(text) for text in new)
        if size > self.room:
            return None
        self.room -= size
        self.texts += new
        return [self.texts.index(text) for text in packed]


def queries_and_keys(places: Sequence[Place], selected: Head, room: int) -> dict[str, Any] | None:
    """Pack what takes weights apart: first of the selected head, then of the others in their order.

    Parameters
    ----------
    places
        The heads of a page.
    selected
        The one that comes first.
    room
        Bytes; of the first head for which they do not suffice, and those after, nothing is packed.

    Returns
    -------
    dict
        What JSON can hold: `parts`, bytes as text; and of each kind and layer the `heads` by their
        number, or why there are none. None, where weights are all that is known of any.

    Examples
    --------
    >>> import torch
    >>> q, k = torch.tensor([[[2.0, 0.0]]]), torch.tensor([[[1.0, 5.0], [0.0, 1.0]]])
    >>> layer = ScoredLayer("cross", q, k, None, scale=0.5)
    >>> found = queries_and_keys([("cross", 0, layer, 0)], Head("cross", 0, 0), room=9000)
    >>> len(found["parts"]), found["heads"]["cross"][0][0]["scale"]
    (4, 0.5)
    """
    heads: dict[str, dict[int, Any]] = {kind: {} for kind, *_ in places}
    for kind, number, layer, _ in places:
        if number not in heads[kind]:
            heads[kind][number] = why_not(layer) or {}
    if all(layer == NO_QUERIES for layers in heads.values() for layer in layers.values()):
        return None
    parts = Parts(room - len(json.dumps({"why": {"parts": [], "heads": heads}})))
    for kind, number, layer, head in sorted(places, key=lambda one: not is_at(one, selected)):
        of_layer = heads[kind][number]
        if isinstance(layer, ScoredLayer) and not isinstance(of_layer, str):
            held = held_of(layer, head, parts)
            if held is None:
                break
            of_layer[head] = held
    return {"parts": parts.texts, "heads": heads}


def why_not(layer: Layer) -> str:
    """Say why a page has no queries and keys of a layer; empty, where it may have."""
    if isinstance(layer, GroupedLayer):
        return PUT_TOGETHER if isinstance(layer.layer, ScoredLayer) else NO_QUERIES
    if not isinstance(layer, ScoredLayer):
        return NO_QUERIES
    if layer.is_shared:
        return SHARED
    return "" if all(bool(x.isfinite().all()) for x in (layer.query, layer.key)) else NOT_FINITE


def is_at(place: Place, selected: Head) -> bool:
    """Say whether a head is the selected one."""
    kind, number, _, head = place
    return Head(kind, number, head) == selected


def held_of(layer: ScoredLayer, head: int, parts: Parts) -> dict[str, Any] | None:
    """Pack one head: what JSON can hold; None, where there is no room for it."""
    query, key = layer.query[head], layer.of_heads(layer.key, slice(head, head + 1))[0]
    if query.numel() + key.numel() > parts.room:  # each number takes more than a letter
        return None
    (queries, query_step), (keys, key_step) = in_steps(query), in_steps(key)
    exact, bias_shape = exact_parts(layer, head)
    places = parts.add([in_planes(queries), in_planes(keys), *exact])
    if places is None:
        return None
    return {
        **dict(zip(("query", "key", "sums", "mask", "bias"), [*places, None], strict=False)),
        "bias_shape": bias_shape,
        "steps": [query_step, key_step],
        "off": furthest(query, key, queries * query_step, keys * key_step),
        "dimensions": query.size(1),
        "scale": layer.scale,
        "softcap": layer.softcap,
        "sink": None if layer.sinks is None else float(layer.sinks[head]),
    }


def exact_parts(layer: ScoredLayer, head: int) -> tuple[list[bytes], list[int] | None]:
    """Write the log of each query's sum, a bit for each key that it may read, and any bias.

    A bias keeps its shape: one row may stand for all, or one column.
    """
    heads, (_, num_queries, num_keys) = slice(head, head + 1), layer.shape
    may_read = layer.may_read(heads).expand(1, num_queries, num_keys)[0].cpu().numpy()
    sums = layer.log_sums(layer.score(heads), heads)[0]
    exact = [in_floats(sums), np.packbits(may_read, axis=1, bitorder="little").tobytes()]
    if layer.bias is None:
        return exact, None
    bias = layer.bias[head if layer.bias.size(0) > 1 else 0]
    return [*exact, in_floats(bias)], list(bias.shape)


def in_floats(x: Tensor) -> bytes:
    """Write numbers of four bytes."""
    return x.detach().float().cpu().numpy().astype("<f4").tobytes()


def in_steps(x: Tensor) -> tuple[Tensor, float]:
    """Round numbers to steps of their largest: how many steps each is, and how large one is."""
    x = x.detach().double().cpu()
    step = float(x.abs().max()) / STEPS or 1.0
    return (x / step).round(), step


def furthest(query: Tensor, key: Tensor, rounded_query: Tensor, rounded_key: Tensor) -> float:
    """Measure by how much any q k^T is off where both are rounded: (Q, d), (K, d)."""
    query, key = (x.detach().double().cpu() for x in (query, key))
    pairs = zip(query.split(ROWS), rounded_query.split(ROWS), strict=True)
    errors = (exact @ key.mT - rounded @ rounded_key.mT for exact, rounded in pairs)
    return max(float(error.abs().max()) for error in errors)


def in_planes(steps: Tensor) -> bytes:
    """Write numbers of two bytes, first all their high bytes, then all low ones: so they pack.

    Examples
    --------
    >>> import torch
    >>> list(in_planes(torch.tensor([1.0, -1.0, 256.0])))
    [0, 255, 1, 1, 255, 0]
    """
    both = steps.numpy().astype(">i2").ravel().view(np.uint8)
    return both.reshape(-1, 2).T.tobytes()


def room_beside(size: int, largest: int | None = None) -> int:
    """Say how many bytes queries and keys may take, beside all else that a page has.

    Examples
    --------
    >>> [room_beside(size) for size in (200_000, 600_000, 700_000, 4_000_000)]
    [150000, 100000, 35000, 150000]
    >>> room_beside(200_000, largest=250_000)
    50000
    """
    room = min(WHY_BYTES, max(SMALL_PAGE - size, round(SHARE * size)))
    return room if largest is None else max(0, min(room, largest - size))


def about_held(places: Sequence[Place], room: int) -> int:
    """Estimate how many bytes queries and keys take; a few heads are packed for that."""
    scored = [(layer, head) for _, _, layer, head in places if isinstance(layer, ScoredLayer)]
    parts = Parts(room)
    held = [held_of(layer, head, parts) for layer, head in scored[:FEW]]
    num_held = sum(one is not None for one in held)
    if not num_held:
        return 0
    each = (room - parts.room) / num_held
    return round(min(len(scored), room // each) * each)
