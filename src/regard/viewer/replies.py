"""What a kernel tells the view when it is asked: exact weights, parts of a map, why a weight is."""

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, cast

import numpy as np
import torch

from regard.measures.anatomy import Anatomy as Dissected
from regard.measures.anatomy import dissect, strongest_pair
from regard.record.kinds import Head
from regard.record.spreadsheet import csv_of
from regard.record.streams import of_head
from regard.record.trace import Trace
from regard.viewer.contract import (
    Anatomy,
    AnatomyReply,
    ExactReply,
    HeadReply,
    Reply,
    StrongestReply,
    TableReply,
    TileReply,
    VariantReply,
)
from regard.viewer.files import table_of
from regard.viewer.look import checked
from regard.viewer.opening import Opening
from regard.viewer.packing import OVERVIEW, PackedHead, is_map, pack_head, pack_map
from regard.viewer.tiles import HeadMap, Part
from regard.viewer.variants import variant_of

Answer = tuple[Reply, list[bytes]]  # what JSON can hold, and bytes beside it
LONGEST_LIST = 2000  # of tokens, in order; reading.ts shows as many
MAPS_KEPT = 8  # of 64 MB at most


class Replies:
    """Answers what the front end asks about the heads of a trace.

    Examples
    --------
    >>> replies = Replies(Trace.from_weights([[1.0, 0.0], [0.25, 0.75]], tokens=["the", "dog"]))
    >>> replies.to(Head("encoder", 0, 0), {"ask": "weight", "queries": [1], "keys": [0]})
    ({'weight': 0.25, 'rank': 2}, [])
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._maps: OrderedDict[Head, HeadMap] = OrderedDict()
        self._variants: dict[tuple[bool, bool], Answer] = {}

    def to(self, head: Head, asked: Mapping[str, Any]) -> Answer:
        """Answer a question about a head.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the question is none, or about something that is not there.
        """
        replies = {
            "weight": self._weight,
            "tile": self._tile,
            "strongest": self._strongest,
            "anatomy": self._anatomy,
            "head": self._head,
            "variant": self._variant,
            "table": self._table,
        }
        return replies[asked["ask"]](head, asked)

    def pack(self, head: Head) -> PackedHead:
        """Put a head's weights into bytes; a long one's as pixels."""
        kind, layer, number = head
        if not is_map(self.trace.layers[kind][layer]):
            return pack_head(self.trace, kind, layer, number)
        return pack_map(self.map_of(head))

    def map_of(self, head: Head) -> HeadMap:
        """Give a head as a map; the last few are kept."""
        kind, layer, number = head
        if head not in self._maps:
            seen = self.trace.layers[kind][layer]
            of_head(seen, number)  # says what is wrong with a head
            self._maps[head] = HeadMap(seen, number)
            if len(self._maps) > MAPS_KEPT:
                self._maps.popitem(last=False)
        self._maps.move_to_end(head)
        return self._maps[head]

    def _head(self, head: Head, _: Mapping[str, Any]) -> Answer:
        packed = self.pack(head)
        reply = HeadReply(pixels=packed.pixels, scale=packed.scale, power=packed.power)
        return reply, [packed.bytes, packed.sums]

    def _weight(self, head: Head, asked: Mapping[str, Any]) -> Answer:
        return exact(self.trace, head, asked["queries"], asked["keys"], asked.get("among")), []

    def _tile(self, head: Head, asked: Mapping[str, Any]) -> Answer:
        whole = self.map_of(head)
        part = Part.within(whole.whole, asked["part"])
        high, wide = (min(max(int(asked[side]), 1), OVERVIEW) for side in ("high", "wide"))
        packed = PackedHead.of(whole.tile(part, high, wide), whole.largest)
        reply = TileReply(pixels=packed.pixels, scale=packed.scale, power=packed.power)
        return reply, [packed.bytes]

    def _strongest(self, head: Head, asked: Mapping[str, Any]) -> Answer:
        """List what some rows read most, or what reads some columns most, summed.

        Both are groups of tokens: a row is the mean of its queries, a column the sum of its keys.
        """
        whole, is_row = self.map_of(head), asked["role"] == "rows"
        of_group, of_other = (np.mean, np.sum) if is_row else (np.sum, np.mean)
        line = partial(whole.line, is_query=is_row)
        of_each = [of_group([line(at) for at in group], axis=0) for group in asked["ats"]]
        sums = np.asarray(np.sum(of_each, axis=0, dtype=np.float64))
        if asked.get("others"):
            sums = np.array([of_other(sums[group]) for group in asked["others"]])
        strongest = np.argsort(-sums, kind="stable")[:LONGEST_LIST]
        found = [(int(at), float(sums[at])) for at in strongest if sums[at] > 0]
        is_pixels = is_map(self.trace.layers[head.kind][head.layer])
        lines = [sums.astype("<f4").tobytes()] if is_pixels else []  # else a view has them
        return StrongestReply(found=found, sum=float(sums.sum())), lines

    def _variant(self, _: Head, asked: Mapping[str, Any]) -> Answer:
        words, hide = bool(asked["words"]), bool(asked["hide"])
        if (words, hide) not in self._variants:
            measures, small = variant_of(self.trace, words=words, hide=hide)
            self._variants[words, hide] = VariantReply(measures=measures), [small]
        return self._variants[words, hide]

    def _table(self, head: Head, asked: Mapping[str, Any]) -> Answer:
        """Write what is seen, each weight as it is."""
        opening = Opening(head, look=checked(asked["look"], self.trace))
        return TableReply(text=csv_of(table_of(self.trace, opening))), []

    def _anatomy(self, head: Head, asked: Mapping[str, Any]) -> Answer:
        kind, layer, number = head
        seen = self.trace.layers[kind][layer]
        check_tokens(self.trace, head, asked["queries"], asked["keys"])
        query, key = strongest_pair(seen, number, asked["queries"], asked["keys"])
        try:
            found = dissect(self.trace, layer, number, query, key, kind=kind)
        except ValueError as error:  # nothing is wrong, but there is no more to know
            return AnatomyReply(why_not=str(error)), []
        return AnatomyReply(anatomy=as_json(found)), []


def exact(
    trace: Trace,
    head: Head,
    queries: list[int],
    keys: list[int],
    among: list[list[int]] | None = None,
) -> ExactReply:
    """Give an exact weight: of a word, the mean of its queries and the sum of its keys.

    Its rank is among groups of keys; if not given, among the keys, each by itself.

    Raises
    ------
    ValueError
        If there is no such head, or no such query or key in it.
    """
    check_tokens(trace, head, queries, [*keys, *(key for group in among or [] for key in group)])
    kind, layer, number = head
    rows = slice(min(queries), max(queries) + 1)
    weights = of_head(trace.layers[kind][layer], number).weigh(rows=rows)[0].cpu()
    row = weights[[at - rows.start for at in queries]].mean(dim=0)  # (K,)
    weight = row[keys].sum()
    others = row if among is None else torch.stack([row[group].sum() for group in among])
    return ExactReply(weight=float(weight), rank=1 + int((others > weight).sum()))


def check_tokens(trace: Trace, head: Head, queries: list[int], keys: list[int]) -> None:
    """Raise where a head has no such query or key, or there is no such head."""
    kind, layer, _ = trace.head(head.layer, head.head, kind=head.kind)
    labels = trace.labels(layer, kind=kind)
    for asked, names, what in ((queries, labels.queries, "query"), (keys, labels.keys, "key")):
        if not asked or not all(at in range(len(names)) for at in asked):
            raise ValueError(f"There is no {what} {asked}: there are {len(names)}.")


def as_json(found: Dissected) -> Anatomy:
    """Write what JSON can hold: no minus infinity."""
    fields = asdict(found) | {"query": found.query.tolist(), "key": found.key.tolist()}
    fields["score"] = found.score if math.isfinite(found.score) else None
    return cast("Anatomy", fields)
