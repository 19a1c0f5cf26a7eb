"""A view as one HTML page that works anywhere and needs nothing else."""

import base64
import hashlib
import html
import json
import math
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from regard.record.door import whole_number, whole_numbers
from regard.record.kinds import Head
from regard.record.layers import Layer
from regard.record.trace import Trace
from regard.viewer.apart import about_held, queries_and_keys, room_beside
from regard.viewer.contract import Look, Meta
from regard.viewer.deflate import deflated
from regard.viewer.media import media_bytes, text_of
from regard.viewer.opening import Opening
from regard.viewer.packing import (
    OVERVIEW,
    THUMBNAIL,
    NotFiniteError,
    PackedHead,
    Steps,
    as_thumbnail,
    count_cells,
    is_map,
    merged,
    pack_head,
    pack_meta,
    part_of,
    steps_of,
    with_thumbnail,
)
from regard.viewer.tiles import edges_of, pool
from regard.viewer.variants import choices, variant_of

FRONT_END = Path(__file__).parent / "static" / "view.js"
LARGEST_PAGE = 64 * 10**6  # bytes that a browser still opens without a wait
GOLDEN = (math.sqrt(5) - 1) / 2  # steps of which meet nothing that comes in turns
FEW_HEADS, FEW_MAPS = 16, 2  # heads that are packed for an estimate
OF_HEAD = 110  # bytes of a head, besides its weights: its measures, its scale
PAGE_EXTRA = 3_000  # bytes of all else
LONGEST_TITLE = 120

PAGE_STYLE = (
    ":root{color-scheme:light dark}"
    "body{margin:0;padding:4px;background:Canvas;color:CanvasText;font-family:system-ui,sans-serif}"
    "@page{size:landscape;margin:10mm}"  # pictures side by side are wider than a page is
    "@media print{main{zoom:var(--of-print,.7)}}"
    "h1{font-size:17px;font-weight:600;margin:8px;overflow-wrap:anywhere;unicode-bidi:isolate}"
)
# Pictures are as large as their window lets them be, so paper becomes as wide as that is.
FIT_PRINT = """addEventListener("beforeprint", () =>
  document.body.style.setProperty("--of-print", Math.min(0.7, 960 / innerWidth)));
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="regard {version}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="regard-view"><h1>{title}</h1></main>
<noscript><p>This page draws attention weights with JavaScript, which is off.</p></noscript>
<script type="application/json" id="regard-data">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""


@dataclass(frozen=True)
class Choice:
    """What of a trace a page holds: some layers and heads, of long texts some pixels a side."""

    layers: Collection[int] | None = None  # all
    heads: Collection[int] | None = None  # all
    pixels: int | None = None  # as many as there are tokens, if they are not more than 4,096

    def __post_init__(self) -> None:
        for name in ("layers", "heads"):
            if (asked := getattr(self, name)) is not None:
                object.__setattr__(self, name, whole_numbers(name, asked))  # also the only one
        if self.pixels is not None and whole_number("pixels", self.pixels) < 1:
            raise ValueError(f"A matrix of {self.pixels} pixels a side shows nothing: pass more.")

    def of(self, trace: Trace) -> list[tuple[str, int, Layer, list[int]]]:
        """Give the layers, with their kind, number and heads."""
        return list(part_of(trace, self.layers, self.heads))

    def heads_of(self, trace: Trace) -> list[tuple[str, int, Layer, int]]:
        """Give the heads, each with its kind, and its layer's number and layer."""
        part = self.of(trace)
        return [(kind, number, layer, head) for kind, number, layer, all_ in part for head in all_]

    def count(self, trace: Trace) -> int:
        """Count the weights of the heads."""
        return count_cells(trace, self.layers, self.heads)

    def size_of(self, layer: Layer) -> tuple[int, int]:
        """Say how many weights or pixels a head of a layer takes: (rows, columns)."""
        _, num_queries, num_keys = layer.shape
        side = self.pixels or (OVERVIEW if is_map(layer) else max(num_queries, num_keys))
        return min(num_queries, side), min(num_keys, side)


ALL = Choice()


def page_size(trace: Trace, choice: Choice = ALL) -> str:
    """Say about how large the page will become; a few heads are packed for that.

    Examples
    --------
    >>> page_size(Trace.from_weights([[1.0, 0.0], [0.25, 0.75]], tokens=["the", "dog"]))
    '1 head of at most 2 x 2 weights: a page of about 0.2 MB'
    """
    return f"{held_by(trace, choice)}: a page of about {megabytes(about_bytes(trace, choice))}"


def held_by(trace: Trace, choice: Choice) -> str:
    """Say how many heads a page holds, and how large they are."""
    part = choice.of(trace)
    num_heads = sum(len(heads) for *_, heads in part)
    rows, columns = (max(layer.shape[side] for _, _, layer, _ in part) for side in (1, 2))
    pixels = {choice.size_of(layer) for _, _, layer, _ in part if is_coarse(layer, choice)}
    shown = f" as {' or '.join(f'{high} x {wide}' for high, wide in sorted(pixels))} pixels"
    return (
        f"{num_heads} {'head' if num_heads == 1 else 'heads'} of at most {rows} x {columns} "
        f"weights{shown if pixels else ''}"
    )


def megabytes(size: float) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> megabytes(64_000_000), megabytes(1_000)
    ('64.0 MB', '0.001 MB')
    """
    return f"{size / 1e6:,.1f} MB" if size >= 50_000 else f"{size / 1e6:.3f} MB"


def is_coarse(layer: Layer, choice: Choice) -> bool:
    """Say whether a head of a layer is saved with fewer pixels than weights."""
    return choice.size_of(layer) != layer.shape[1:]


def about_bytes(trace: Trace, choice: Choice = ALL) -> int:
    """Estimate the size of a page."""
    return estimates(trace, choice)[1]


def estimates(trace: Trace, choice: Choice) -> tuple[int, int]:
    """Estimate the size of a page from some of its heads: how small a head packs is its own.

    Once as if all heads packed as well as the one of these that packs best, and once as they do.
    """
    every = choice.heads_of(trace)
    most = FEW_MAPS if any(is_map(layer) for _, _, layer, _ in every) else FEW_HEADS
    some = [every[at] for at in spread(len(every), most)]
    steps, grids = steps_of(choice.count(trace)), 1 + num_variants(trace, choice)
    tried = [
        sized(trace, choice, layer, Head(kind, number, head), steps)
        for kind, number, layer, head in some
    ]
    all_pixels = sum(math.prod(choice.size_of(layer)) for _, _, layer, _ in every)

    def size(of_pixel: float, of_sums: float, of_tile: float) -> int:
        of_heads = of_pixel * all_pixels + (of_sums + of_tile * grids + OF_HEAD) * len(every)
        return round(of_heads) + of_all_else(trace)

    best = min(weights / max(1, pixels) for pixels, weights, *_ in tried)
    pixels, weights, sums, tiles = (sum(sizes) for sizes in zip(*tried, strict=True))
    about = size(weights / max(1, pixels), sums / len(tried), tiles / len(tried))
    return (
        size(best, min(one[2] for one in tried), min(one[3] for one in tried)),
        about + about_held(every, room_beside(about)),
    )


def spread(count: int, most: int) -> list[int]:
    """Choose some places of so many, evenly, but in no step: layers have as many heads each.

    Examples
    --------
    >>> spread(3, 8), [at % 12 for at in spread(144, 8)]
    ([0, 1, 2], [11, 10, 3, 2, 1, 6, 5, 10])
    """
    if count <= most:
        return list(range(count))
    return sorted({int((at + (at + 1) * GOLDEN % 1) * count / most) for at in range(most)})


def sized(
    trace: Trace, choice: Choice, layer: Layer, head: Head, steps: Steps
) -> tuple[int, int, int, int]:
    """Pack a head: how many pixels it has, and the bytes of them, its sums and its tile."""
    try:
        seen = packed_head(trace, choice, layer, head, steps)
    except NotFiniteError:  # it takes a line of text
        return 0, 0, 0, 0
    sides = [edges_of(count, min(count, THUMBNAIL)) for count in seen.pixels]
    tile = as_thumbnail(pool(seen.weights, *sides))
    weights, sums, of_tile = (len(deflated(part)) for part in (seen.bytes, seen.sums, tile))
    return len(seen.bytes), weights, sums, of_tile


def num_variants(trace: Trace, choice: Choice) -> int:
    """Count in how many more ways the grid is saved: of words, without special tokens, both."""
    if any(is_coarse(layer, choice) for _, _, layer, _ in choice.of(trace)):
        return 0
    has_special = any(trace.source.special + trace.target.special)
    return (1 + (merged(trace) is not None)) * (1 + has_special) - 1


def of_all_else(trace: Trace) -> int:
    """Estimate the bytes of a page besides its heads: the front end, and what tokens are called."""
    names = [*trace.source.tokens, *trace.target.tokens, *trace.written_tokens]
    words = 2 if merged(trace) else 1
    named = words * len(json.dumps([names, trace.origin]))
    return FRONT_END.stat().st_size + named + media_bytes(trace) + PAGE_EXTRA


def check_size(trace: Trace, choice: Choice, largest: int) -> None:
    """Raise where a page would become much too large, before its weights are computed.

    What only may become too large is made, and measured.
    """
    at_least, about = estimates(trace, choice)
    if at_least > largest:
        raise too_large(trace, choice, about, largest)


def too_large(trace: Trace, choice: Choice, size: float, largest: int) -> ValueError:
    """Say how large a page would become, what is allowed, and what to do."""
    return ValueError(
        f"{held_by(trace, choice)}: a page of about {megabytes(size)}, more than the "
        f"{megabytes(largest)} that are allowed: save fewer, with layers=[...] or heads=[...]; "
        "coarser, with pixels=256; trace a shorter text; or allow more, with largest=... bytes."
    )


def packed_head(trace: Trace, choice: Choice, layer: Layer, head: Head, steps: Steps) -> PackedHead:
    """Pack one head of a page, in as many pixels as are chosen."""
    pixels = max(choice.size_of(layer)) if is_coarse(layer, choice) else None
    return pack_head(trace, *head, pixels=pixels, steps=steps)


def as_json(seen: PackedHead) -> dict[str, Any]:
    """Write a packed head as JSON can hold it."""
    return vars(seen) | {"bytes": deflated(seen.bytes), "sums": deflated(seen.sums)}


def page_of(
    trace: Trace, opening: Opening, choice: Choice = ALL, *, largest: int | None = None
) -> str:
    """Make the page; of the same trace, always the same.

    Raises
    ------
    ValueError
        If it has more than `largest` bytes; what remains is then not computed.
    """
    meta, thumbnails = pack_meta(trace, choice.layers, choice.heads)
    meta["opened"] = opening.why
    packed: dict[str, dict[int, dict[int, dict[str, Any]]]] = {}
    every, steps = choice.heads_of(trace), steps_of(choice.count(trace))
    size = 0
    for done, (kind, number, layer, head) in enumerate(every, start=1):
        of_layer = packed.setdefault(kind, {}).setdefault(number, {})
        try:
            seen = packed_head(trace, choice, layer, Head(kind, number, head), steps)
        except NotFiniteError as error:  # the others are shown
            if Head(kind, number, head) == opening.head:
                raise
            of_layer[head] = {"problem": str(error)}
            continue
        of_layer[head] = as_json(seen)
        size += len(of_layer[head]["bytes"])
        if largest is not None and size > largest:
            raise too_large(trace, choice, size * len(every) / done, largest)
        if not meta["looked"]:
            thumbnails = with_thumbnail(meta, thumbnails, Head(kind, number, head), seen)
    kind, layer_number, head = opening.head
    if head not in packed.get(kind, {}).get(layer_number, {}):  # it is not among those saved
        kind, layer_number, _, head = every[0]
    data = {
        "meta": meta,
        "selection": {"kind": kind, "layer": layer_number, "head": head},
        "look": kept_look(opening.look, packed),
        "thumbnails": deflated(thumbnails),
        "heads": packed,
        "variants": list(_variants(trace, meta, choice)),
    }
    room = room_beside(len(write_html(data, title_of(trace)).encode()), largest)
    if why := queries_and_keys(every, Head(kind, layer_number, head), room):
        data["why"] = why
    page = write_html(data, title_of(trace))
    if largest is not None and len(page.encode()) > largest:
        raise too_large(trace, choice, len(page.encode()), largest)
    return page


def kept_look(look: Look, packed: Mapping[str, Mapping[int, Container[int]]]) -> Look:
    """Give how it was looked at; of the pinned heads, those that the page has."""
    pins = [
        pin
        for pin in look["pins"]
        if pin["head"] in packed.get(pin["kind"], {}).get(pin["layer"], ())
    ]
    return {**look, "pins": pins}


def _variants(trace: Trace, meta: Meta, choice: Choice) -> Iterator[dict[str, Any]]:
    """Pack what the grid shows of words, or without special tokens; not where heads are pixels."""
    if any(is_coarse(layer, choice) for _, _, layer, _ in choice.of(trace)):
        return
    for words, hide in choices(meta):
        measures, small = variant_of(
            trace, words=words, hide=hide, layers=choice.layers, heads=choice.heads
        )
        packed = {"measures": measures, "thumbnails": deflated(small)}
        yield {"words": words, "hide": hide} | packed


def title_of(trace: Trace) -> str:
    """Name a page by the text that was read, and the model that read it.

    Examples
    --------
    >>> title_of(Trace.from_weights([[1.0, 0.0], [0.25, 0.75]], tokens=["the", "dog"]))
    'the dog · attention'
    """
    side = text_of(merged(trace) or trace)
    places = side.words or [None] * len(side.tokens)
    text, end = "", None
    for name, word, special in zip(side.tokens, places, side.special, strict=True):
        if not special and len(text) < LONGEST_TITLE:
            is_close = word is not None and word.number == end  # nothing stands between
            text += name if not text or is_close else f" {name}"
            end = None if word is None else word.number + len(word.text)
    text = text if len(text) < LONGEST_TITLE else f"{text[: LONGEST_TITLE - 1]}…"
    model = trace.origin.get("model", "")
    name = model.rstrip("/").rpartition("/")[2] if model.startswith(("/", ".", "~")) else model
    return f"{text} · attention" + (f" of {name}" if name else "")


def write_html(data: dict[str, Any], title: str) -> str:
    """Put data and front end into one page, which may load and run nothing else."""
    script = f"{FRONT_END.read_text('utf-8')}\n{FIT_PRINT}await openSaved(document);\n"
    policy = (
        f"default-src 'none'; script-src '{fingerprint(script)}'; "
        f"style-src '{fingerprint(PAGE_STYLE)}'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return PAGE.format(
        policy=policy,
        version=version("regard"),
        title=html.escape(one_line(title)),
        style=PAGE_STYLE,
        data=as_data(data),
        script=script,
    )


def as_data(data: dict[str, Any]) -> str:
    r"""Write JSON that no HTML parser takes for a tag.

    Examples
    --------
    >>> print(as_data({"token": "</script>"}))
    {"token":"\u003c/script>"}
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c")


def one_line(text: str) -> str:
    """Leave out what is no letter of a title."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def fingerprint(source: str) -> str:
    """Give the hash by which a Content-Security-Policy allows a script or a style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
