"""Thumbnails and measures of words, or without special tokens: as the view shows the heads then."""

from collections.abc import Collection, Iterator

from regard.record.trace import Trace
from regard.viewer.contract import Meta
from regard.viewer.packing import as_thumbnail, look_over, measures_of, part_of
from regard.viewer.seen import looked_at

Measures = dict[str, dict[str, list[float | None]]]  # of each kind


def variant_of(
    trace: Trace,
    *,
    words: bool,
    hide: bool,
    layers: Collection[int] | None = None,
    heads: Collection[int] | None = None,
) -> tuple[Measures, bytes]:
    """Look at all heads again, tokens merged to words or special ones left out, or both."""
    shown = looked_at(trace, words=words, hide=hide)
    thumbnails: list[bytes] = []
    heads_of: dict[str, dict[int, list[int]]] = {}
    for kind, number, layer, chosen in part_of(shown, layers, heads):
        heads_of.setdefault(kind, {})[number] = chosen
        thumbnails.append(as_thumbnail(look_over(layer, chosen)) if 0 not in layer.shape else b"")
    measures = {kind: measures_of(shown, kind, of_kind) for kind, of_kind in heads_of.items()}
    return measures, b"".join(thumbnails)


def choices(meta: Meta) -> Iterator[tuple[bool, bool]]:
    """Give what may be chosen besides all tokens: whether words, whether without special tokens."""
    has_words = any(side["words"] for side in meta["sides"])
    has_special = any(True in side["special"] for side in meta["sides"])
    for words, hide in ((True, False), (False, True), (True, True)):
        if meta["looked"] and words <= has_words and hide <= has_special:
            yield words, hide
