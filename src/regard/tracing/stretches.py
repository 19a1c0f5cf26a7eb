"""Which stretch of a text each token is."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, groupby
from operator import itemgetter

from regard.tracing.names import Span
from regard.tracing.spelling import Piece


def stretches_in(
    text: str, spans: Sequence[Span | None], pieces: Sequence[Piece | None]
) -> list[Span | None]:
    """Correct the spans that a tokenizer gives, by what its tokens mean.

    Some leave out the space that a token begins or ends with; some give a space that they put in
    the letter after it.

    Parameters
    ----------
    text, spans
        The text, and the first character and the one after the last of each token.
    pieces
        What each token means.

    Returns
    -------
    list
        Of each token its stretch; None, where it has nothing of the text.

    Examples
    --------
    >>> stretches_in("a cow", [(0, 1), (2, 5)], [Piece(b" a"), Piece(b" cow")])
    [(0, 1), (1, 5)]
    >>> stretches_in("cow", [(0, 1), (0, 3)], [Piece(b" "), Piece(b"cow")])
    [None, (0, 3)]
    """
    stretches: list[Span | None] = []
    done = 0  # up to here, all is of tokens before
    for span, piece, after in zip(spans, pieces, [*spans, None][1:], strict=True):
        if span is None or piece is None:
            stretches.append(None)
            continue
        start, end = span
        limit = after[0] if after else len(text)
        meant = piece.meant.decode("utf-8", "surrogateescape")
        if meant.isspace() and (limit < end or not text[start:end].isspace()):
            end = start  # it was put in, and has the place of what comes after it
        before = text[max(done, start - len(meant)) : start]
        beyond = text[end : min(limit, end + len(meant))]
        start -= _missing(before[::-1], meant, text[start:end])
        end += _missing(beyond, meant[::-1], text[start:end][::-1])
        stretches.append((start, end) if start < end else None)
        done = max(done, end)
    return stretches


def each_its_own(
    text: str, spans: Sequence[Span | None], pieces: Sequence[Piece | None]
) -> list[Span | None]:
    r"""Part a stretch that several tokens were given together, where their bytes are the stretch.

    Some tokenizers give each byte of what is in no piece the whole run of it.

    Examples
    --------
    >>> each_its_own("né", [(0, 2)] * 3, [Piece(b"n"), Piece(b"\xc3"), Piece(b"\xa9")])
    [(0, 1), (1, 2), (1, 2)]
    """
    own: list[Span | None] = []
    for span, group in groupby(zip(spans, pieces, strict=True), key=itemgetter(0)):
        alike = list(group)
        meant, parts = text_of([piece for _, piece in alike])
        if span is not None and meant == text[slice(*span)]:
            own += [part and (span[0] + part[0], span[0] + part[1]) for part in parts]
        else:
            own += [span] * len(alike)
    return own


def standing(pieces: Sequence[Piece | None], spans: Sequence[Span]) -> list[Piece | None]:
    """Let no space part tokens between which none stood.

    Examples
    --------
    >>> standing([Piece(b"a", apart=True), Piece(b".", apart=True)], [(0, 1), (1, 2)])[1].apart
    False
    """
    ends = [0, *(end for _, end in spans)]
    return [
        piece and piece._replace(apart=piece.apart and start > end)
        for piece, (start, _), end in zip(pieces, spans, ends, strict=False)
    ]


def _missing(beside: str, meant: str, stretch: str) -> int:
    """Count the white space beside a stretch that its token begins with, and the stretch not."""
    return max(min(_blank(beside), _blank(meant) - _blank(stretch)), 0)


def _blank(text: str) -> int:
    """Count the white space that a text begins with."""
    return len(text) - len(text.lstrip())


def text_of(
    pieces: Sequence[Piece | None], *, drops_first: bool = False
) -> tuple[str, list[Span | None]]:
    r"""Join what tokens mean to a text, and give the stretch of each.

    Bytes that are of no character are kept as Python's `surrogateescape` does. A character that
    some tokens share is of each of them.

    Parameters
    ----------
    pieces
        What each token means; None, for those that stand for no text.
    drops_first
        Is a space that begins the text none of the text's?

    Examples
    --------
    >>> text_of([Piece(b" a"), None, Piece(b"\xe7\x89"), Piece(b"\x9b")], drops_first=True)
    ('a 牛', [(0, 1), None, (2, 3), (2, 3)])
    """
    whole = bytearray()
    ranges: list[Span | None] = []
    is_first = True
    for piece in pieces:
        if piece is None:
            whole += b" "  # so that it parts what is before it from what comes after
            ranges.append(None)
            continue
        meant = piece.meant
        if is_first and drops_first and len(meant) > 1:
            meant = meant.removeprefix(b" ")
        is_first = False
        whole += b" " * piece.apart
        ranges.append((len(whole), len(whole) + len(meant)))
        whole += meant
    text = whole.decode("utf-8", "surrogateescape")
    ends = list(accumulate(len(letter.encode("utf-8", "surrogateescape")) for letter in text))
    return text, [
        (bisect_right(ends, at[0]), bisect_left(ends, at[1]) + 1) if at and at[0] < at[1] else None
        for at in ranges
    ]
