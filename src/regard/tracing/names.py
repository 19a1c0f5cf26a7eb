"""What tokens are called: each by its stretch of the text, as a person reads it."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby

import regex

Span = tuple[int, int]  # of characters: the first, and the one after the last

MARKS = {" ": "␣", "\n": "↵", "\t": "⇥"}  # quiet, and in every font that pictures are drawn in
DOT = "·"  # quiet, as dictionaries part a word: un·like·ly
CIRCLE = "◌"  # what an accent without a letter is written on
UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp", "Zs"))
CHARACTER = regex.compile(r"\s|\X")  # as people count: with its accents; a family is one emoji


def names_at(text: str, spans: Sequence[Span | None]) -> list[str]:
    r"""Name tokens by their stretches of a text; those without a stretch, by nothing.

    White space that belongs to a token is marked: ␣ is a space, ↵ a line break, ⇥ a tab. A
    character that is split over several tokens, as byte-level tokenizers do, is named in each of
    them, with the part that it is: 牛 1/3. A character is what a person takes for one: a letter
    with its accents and vowel signs, an emoji with all that is joined to it.

    Examples
    --------
    >>> names_at("a cow\n", [(0, 1), (1, 5), (5, 6)])
    ['a', '␣cow', '↵']
    >>> names_at("牛は", [(0, 1), (0, 1), (1, 2), None])
    ['牛 1/2', '牛 2/2', 'は', '']
    """
    places = [match.span() for match in CHARACTER.finditer(text)]
    at = [number for number, (start, end) in enumerate(places) for _ in range(start, end)]
    owners: dict[int, list[int]] = defaultdict(list)  # the tokens that have some of a character
    of_token = [range(at[s[0]], at[s[1] - 1] + 1) if s and s[0] < s[1] else range(0) for s in spans]
    for token, characters in enumerate(of_token):
        for character in characters:
            owners[character].append(token)
    names = []
    for token, characters in enumerate(of_token):
        parts = []
        for sharing, several in groupby(characters, owners.__getitem__):
            numbers = list(several)
            stretch = shown(text[places[numbers[0]][0] : places[numbers[-1]][1]])
            part = f" {sharing.index(token) + 1}/{len(sharing)}" if len(sharing) > 1 else ""
            parts.append((stretch, part))
        names.append("".join(_spaced(parts)))
    return names


def _spaced(parts: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Set a split character apart from what else its token has, but for marks of white space."""
    for number, (stretch, part) in enumerate(parts):
        before = parts[number - 1] if number else ("", "")
        is_apart = before[1] or (part and not set(before[0]) <= set(MARKS.values()))
        yield f"{' ' * bool(is_apart)}{stretch}{part}"


def shown(text: str) -> str:
    r"""Write a text so that all of it shows, on one line, and nothing around it moves.

    White space becomes quiet marks. What does not show, or would turn what is around it, is written
    as Python writes it, and a byte that is of no character in hexadecimal. What joins the parts of
    an emoji or the letters of a word stays.

    Examples
    --------
    >>> shown("a b\n"), shown("\u202eabc\x1b"), shown(b"\xe7\x89".decode(errors="surrogateescape"))
    ('a␣b↵', '\\u202eabc\\x1b', '<0xE7><0x89>')
    """
    if text.isascii() and text.isprintable():  # as most are
        return text.replace(" ", MARKS[" "])
    return "".join(map(_sign, CHARACTER.findall(text)))


def _sign(character: str) -> str:
    first = character[0]
    if unicodedata.category(first).startswith("M"):
        return CIRCLE + character
    is_seen = unicodedata.category(first) not in UNSEEN or first == " "
    return "".join(
        letter if is_seen and at else _letter(letter) for at, letter in enumerate(character)
    )


def _letter(letter: str) -> str:
    if letter in MARKS:
        return MARKS[letter]
    if "\udc80" <= letter <= "\udcff":  # a byte, as `surrogateescape` keeps it
        return f"<0x{ord(letter) - 0xDC00:02X}>"
    if unicodedata.category(letter) in UNSEEN:
        return letter.encode("unicode_escape").decode()
    return letter


def going_on(name: str) -> str:
    """Mark a token that goes on with the word before it, where no token has a space of its own.

    Else the last two of WordPiece's `un`, `##like`, `##ly` would look like words. Where tokens have
    their spaces, as byte-level ones do, that a token has none says it already.

    Examples
    --------
    >>> going_on("ly")
    '·ly'
    """
    return DOT + name
