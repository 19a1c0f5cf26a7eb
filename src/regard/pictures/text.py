"""A head as lines of text, for a terminal: what each token reads most."""

from collections import Counter
from collections.abc import Iterator, Sequence

from regard.measures.heads import top_keys
from regard.pictures.terminal import aligned, columns, legible
from regard.record.door import whole_number
from regard.record.trace import Trace, a_trace

TOP = 3  # keys that are named in a line
MOST_ROWS = 40  # lines that are read at a glance
NARROWEST = 48  # columns
BAR = 8  # columns
BLOCKS = " ▏▎▍▌▋▊▉█"  # from none to all of a column, in eighths

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
    TypeError
        If it is no trace, or a number no whole number.
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
    check_room(width, rows)
    kind = a_trace(trace).kind_or_first(kind)
    queries, keys = trace.labels(layer, kind=kind)
    readings = strongest(trace, layer, head, kind)
    chosen = most_decided(readings, len(queries), rows)
    longest = width // 4
    starts = aligned([[str(at), legible(queries[at], longest)] for at in chosen], gap=" ")
    named = placed(keys, longest)
    lines = [
        str(trace.head(layer, head, kind=kind)),
        *of_hidden(trace, layer, head, kind),
        *explanation(len(chosen), len(queries), width),
    ]
    for before, at, start in zip([-1, *chosen], chosen, starts, strict=False):
        lines += ["…"] * (at != before + 1)
        lines.append(line(f"{start} ", readings.get(at, []), named, width))
    return "\n".join(lines)


def check_room(width: int, rows: int | None) -> None:
    """Raise where lines of such a width, or so few of them, say nothing."""
    if whole_number("width", width) < NARROWEST:
        raise ValueError(f"Got width={width}, but a line needs {NARROWEST} columns or more.")
    if rows is not None and whole_number("rows", rows) < 1:
        raise ValueError(f"Got rows={rows}: ask for 1 or more, or for all with rows=None.")


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
