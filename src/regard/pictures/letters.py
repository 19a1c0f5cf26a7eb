"""What is read as one letter, and how it is written where no font can draw it."""

import unicodedata
from collections.abc import Collection
from itertools import accumulate

from regard.pictures.markup import JOINERS

JOINS_NEXT = "\u200d"  # emoji such as a family are several, joined
SKINS, FLAGS = range(0x1F3FB, 0x1F400), range(0x1F1E6, 0x1F200)
MOST_CHARACTERS = 12  # of a letter


def whole_letters(text: str) -> list[str]:
    r"""Take a text apart into what is read as one letter: marks, and what is joined, stay with it.

    Examples
    --------
    >>> [len(letter) for letter in whole_letters("ae\u0301\U0001f469\u200d\U0001f467b")]
    [1, 2, 3, 1]
    """
    letters: list[str] = []
    for character in text:
        is_more = letters and len(letters[-1]) < MOST_CHARACTERS
        if is_more and _belongs(character, letters[-1]):
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def _belongs(character: str, before: str) -> bool:
    """Say whether a character is part of the letter before it."""
    is_mark = unicodedata.category(character).startswith("M")
    is_flag = ord(character) in FLAGS and len(before) == 1 and ord(before) in FLAGS
    is_joined = before[-1] == JOINS_NEXT or character in JOINERS
    return is_mark or is_flag or is_joined or ord(character) in SKINS


def as_drawn(text: str, drawable: Collection[str]) -> list[str]:
    r"""Give the letters of a text; one of which a part cannot be drawn, as Python writes it.

    Examples
    --------
    >>> print(*as_drawn("a\u0301b\n", drawable="ab"))
    a\u0301 b \n
    >>> print(*as_drawn("\U0001f469\u200d\U0001f467", drawable="\u200d"))
    \U0001f469\u200d\U0001f467
    """
    return [_drawn(letter, drawable) for letter in whole_letters(text)]


def _drawn(letter: str, drawable: Collection[str]) -> str:
    first, rest = letter[0], letter[1:]
    if first not in drawable:  # what hangs on it would hang on its number
        return letter.encode("unicode_escape").decode()
    return first + "".join(
        c if c in drawable else c.encode("unicode_escape").decode() for c in rest
    )


def fitting(letters: list[str], room: int) -> list[str]:
    """Take letters from the start, as many as have room.

    Examples
    --------
    >>> fitting(["a", "bcd", "e"], 3)
    ['a']
    """
    ends = accumulate(map(len, letters))
    return [letter for letter, end in zip(letters, ends, strict=True) if end <= room]
