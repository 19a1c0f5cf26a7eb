"""A head as lines of text, for a terminal: what each token reads most."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from regard.measures.heads import top_keys
from regard.record.trace import Trace

TOP = 3  # keys that are named in a line
MOST_ROWS = 40  # lines that are read at a glance
NARROWEST = 48  # columns
BAR = 8  # columns
BLOCKS = " ▏▎▍▌▋▊▉█"  # from none to all of a column, in eighths
ISOLATE, END_ISOLATE = "\u2068", "\u2069"  # what is between them does not turn what is around
DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
UNPRINTABLE = frozenset(("Cc", "Cs", "Zl", "Zp"))
RIGHT_TO_LEFT = frozenset(("R", "AL"))
NO_WIDTH = frozenset(("Mn", "Me", "Cf"))

Readings = dict[int, list[tuple[int, float]]]  # of a query, the keys that it reads most


def as_text(
    trace: Trace,
    layer: int,
    head: int,
    kind: str | None = None,
    *,
    width: int = 80,
    rows: int | None = MOST_ROWS,
) -> str:
    """Write what each token reads most, a line each.

    Parameters
    ----------
    trace
        From `regard.trace`, of a text of any length: all weights are never held.
    layer, head
        Counted from 0.
    kind
        One of the trace's kinds; the first, if not given.
    width
        Columns of the terminal: no line is wider.
    rows
        Lines at most: of more tokens, those whose strongest weight is largest. All, if None.

    Returns
    -------
    str
        For each token its place, a bar as long as its strongest weight, and the three keys that it
        reads most. A key that stands in several places has its place, too.

    Raises
    ------
    ValueError
        If the width or the rows are too few, or there is no such kind, layer or head.

    Examples
    --------
    >>> weights = [[1.0, 0.0], [0.25, 0.75]]
    >>> print(as_text(Trace.from_weights(weights, tokens=["the", "dog"]), layer=0, head=0))
    encoder self-attention, layer 0, head 0
    each line is a token, how much its strongest weight is, and what it reads most
    0 the ████████ the 1.00
    1 dog ██████   dog 0.75  the 0.25
    """
    if width < NARROWEST:
        raise ValueError(f"Got width={width}, but a line needs {NARROWEST} columns or more.")
    if rows is not None and rows < 1:
        raise ValueError(f"Got rows={rows}: ask for 1 or more, or for all with rows=None.")
    kind = kind or trace.kinds[0]
    labels = trace.labels(layer, kind=kind)
    readings = strongest(trace, layer, head, kind)
    chosen = most_decided(readings, len(labels.queries), rows)
    longest = width // 4
    lines = [
        str(trace.head(layer, head, kind=kind)),
        *of_hidden(trace, layer, head, kind),
        *explanation(len(chosen), len(labels.queries), width),
    ]
    names = [legible(labels.queries[at], longest) for at in chosen]
    wide = max(map(columns, names))
    keys = placed(labels.keys, longest)
    before = -1
    for at, name in zip(chosen, names, strict=True):
        if at != before + 1:
            lines.append("…")
        before = at
        start = f"{at:>{len(str(chosen[-1]))}} {name}{' ' * (wide - columns(name))} "
        lines.append(line(start, readings.get(at, []), keys, width))
    return "\n".join(lines)


def of_hidden(trace: Trace, layer: int, head: int, kind: str) -> list[str]:
    """Say how much of the attention is not shown, if any."""
    share = trace.hidden_share(layer, head, kind=kind)
    return [f"hidden tokens, which are not shown, get {share:.0%} of the attention"] * (share > 0)


def strongest(trace: Trace, layer: int, head: int, kind: str) -> Readings:
    """Give the keys that each query reads most; none, for one that reads nothing."""
    readings: Readings = {}
    found = top_keys(trace, layer, head, k=TOP, kind=kind)
    for query, key, weight in found[["query", "key", "weight"]].itertuples(index=False):
        readings.setdefault(int(query), []).append((int(key), float(weight)))
    return readings


def most_decided(readings: Readings, count: int, rows: int | None) -> list[int]:
    """Choose the queries that read one key most, in the order of the text."""
    if rows is None or rows >= count:
        return list(range(count))
    ranked = sorted(range(count), key=lambda at: -readings.get(at, [(0, 0.0)])[0][1])
    return sorted(ranked[:rows])


def explanation(shown: int, count: int, width: int) -> Iterator[str]:
    """Say what a line is, as far as there is room, and which are left out."""
    long = "each line is a token, how much its strongest weight is, and what it reads most"
    yield long if columns(long) <= width else "each line is a token and what it reads most"
    if shown < count:
        yield f"here are {shown} of {count:,} tokens, whose strongest weights are largest"


def placed(names: Sequence[str], longest: int) -> list[str]:
    """Make names legible, and say where those stand that are there several times."""
    counts = Counter(names)
    places = [f" ({at})" if counts[name] > 1 else "" for at, name in enumerate(names)]
    return [
        legible(name, longest - len(place)) + place
        for name, place in zip(names, places, strict=True)
    ]


def line(start: str, read: list[tuple[int, float]], keys: Sequence[str], width: int) -> str:
    """Add a bar and as many keys as there is room for."""
    if not read:
        return f"{start}{' ' * BAR} reads nothing"
    text = f"{start}{bar(read[0][1])} "
    for place, (key, weight) in enumerate(read):
        more = f"{'  ' if place else ''}{keys[key]} {written(weight)}"
        if columns(text + more) > width:
            break
        text += more
    return text


def bar(weight: float) -> str:
    """Draw a weight from 0 to 1 in eighths of a column.

    Examples
    --------
    >>> bar(1.0), bar(0.5), bar(0.02)
    ('████████', '████    ', '▏       ')
    """
    eighths = min(round(weight * 8 * BAR), 8 * BAR)
    whole, rest = divmod(eighths, 8)
    return (BLOCKS[8] * whole + BLOCKS[rest] * (rest > 0)).ljust(BAR)


def written(weight: float) -> str:
    """Write a weight; one that is not 0 does not become 0."""
    return f"{weight:.2f}" if weight >= 0.005 else "<.01"


def legible(token: str, longest: int) -> str:
    r"""Write a token on one line in so many columns, so that all that is shown is of the token.

    Line breaks, control characters and marks of direction become signs; text that is written from
    right to left does not turn what is around it.

    Examples
    --------
    >>> legible("a\nb", 20), legible("\x1b[2J", 20), legible("unbelievably", 8), legible("", 20)
    ('a↵b', '\\u001b[2J', 'unbelie…', '(empty)')
    """
    if not token.strip():
        return json.dumps(token) if token else "(empty)"
    text = "".join(map(sign, token[: 4 * longest]))  # a token may have 10,000 characters
    if len(token) > 4 * longest or columns(text) > longest:
        text = cut(text, longest - 1) + "…"
    turns = any(unicodedata.bidirectional(letter) in RIGHT_TO_LEFT for letter in text)
    return f"{ISOLATE}{text}{END_ISOLATE}" if turns else text


def sign(letter: str) -> str:
    """Write a letter that would not show, or would move others, as a sign."""
    if letter == "\n":
        return "↵"
    if letter in DIRECTIONS or unicodedata.category(letter) in UNPRINTABLE:
        return f"\\u{ord(letter):04x}"
    return letter


def cut(text: str, longest: int) -> str:
    """Keep the first so many columns."""
    kept = 0
    for at, letter in enumerate(text):
        kept += columns(letter)
        if kept > longest:
            return text[:at]
    return text


def columns(text: str) -> int:
    """Count the columns that a text takes in a terminal.

    Examples
    --------
    >>> columns("dog"), columns("犬"), columns("e\u0301")
    (3, 2, 1)
    """
    return sum(
        0
        if unicodedata.category(letter) in NO_WIDTH
        else 1 + (unicodedata.east_asian_width(letter) in {"W", "F"})
        for letter in text
    )
