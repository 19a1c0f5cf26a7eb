"""Any text in the columns of a terminal: how wide it is, what shows of it, and cells aligned."""

import json
import unicodedata
from collections.abc import Sequence

ISOLATE, END_ISOLATE = "\u2068", "\u2069"  # what is between them does not turn what is around
DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
UNPRINTABLE = frozenset(("Cc", "Cs", "Zl", "Zp"))
RIGHT_TO_LEFT = frozenset(("R", "AL"))
NO_WIDTH = frozenset(("Mn", "Me", "Cf"))


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


def aligned(rows: Sequence[Sequence[str]], *, gap: str = "  ") -> list[str]:
    """Put cells under each other: numbers to the right, the names of the second column to the left.

    Examples
    --------
    >>> for line in aligned([["0", "the", ".50"], ["10", "it", "1"]]):
    ...     print(line)
     0  the  .50
    10  it     1
    """
    longest = max(map(len, rows))
    widths = [max(columns(row[at]) for row in rows if at < len(row)) for at in range(longest)]
    lines = []
    for row in rows:
        room = [" " * (width - columns(cell)) for width, cell in zip(widths, row, strict=False)]
        cells = [space + cell for space, cell in zip(room, row, strict=True)]
        cells[1] = row[1] + room[1]
        lines.append(gap.join(cells))
    return lines
