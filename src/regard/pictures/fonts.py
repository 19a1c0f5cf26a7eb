"""Letters of any writing: which of the machine's fonts has them, and what to do where none has."""

import sys
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache, lru_cache, partial
from itertools import groupby
from operator import itemgetter

import matplotlib as mpl
import numpy as np
from matplotlib.font_manager import (
    FontProperties,
    findfont,
    findSystemFonts,
    fontManager,
    get_font,
)
from matplotlib.ft2font import FaceFlags
from numpy.typing import NDArray

from regard.pictures.letters import as_drawn
from regard.pictures.markup import JOINERS

# Other writings, where a machine has one of these. Colour fonts are none that matplotlib draws.
FALLBACKS = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Source Han Sans"),
    *("Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Yu Gothic", "Microsoft YaHei"),
    *("MS Gothic", "Malgun Gothic", "WenQuanYi Zen Hei", "IPAexGothic", "Droid Sans Fallback"),
    *("Noto Sans Thai", "Leelawadee UI", "Thonburi", "Loma"),
    *("Noto Sans Devanagari", "Kohinoor Devanagari", "Nirmala UI", "Lohit Devanagari"),
    *("Noto Sans Arabic", "Noto Sans Hebrew", "Noto Emoji", "Segoe UI Symbol", "Segoe UI Emoji"),
    *("Noto Sans Symbols2", "Symbola", "Arial Unicode MS", "Unifont"),
)
NO_LETTERS = ("Last Resort", "cmb10", "cmex10", "cmmi10", "cmr10", "cmss10", "cmsy10", "cmtt10")
REGULAR = (400, "normal", "regular", "book")  # weights; of any other, matplotlib complains
EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "FULLWIDTH", "IDEOGRAPHIC")
NAMED = 8  # missing letters that a warning names

_all_stay: ContextVar[bool] = ContextVar("all letters stay", default=False)
warned_of: set[str] = set()


def families() -> list[str]:
    """Give the fonts to draw in: those that are set, and what else this machine has."""
    there, chosen = set(fontManager.get_font_names()), list(mpl.rcParams["font.family"])
    return [*chosen, *(name for name in FALLBACKS if name in there and name not in chosen)]


@contextmanager
def letters_stay() -> Iterator[None]:
    """Keep every letter, whether or not a font here has it: who reads the file may have one.

    Examples
    --------
    >>> with letters_stay():
    ...     "𐎀" in drawable("𐎀")
    True
    """
    token = _all_stay.set(True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            yield
    finally:
        _all_stay.reset(token)


def drawable(text: str) -> frozenset[str]:
    r"""Give those letters of a text that are drawn as they are.

    Where the fonts that are set lack some, all others of this machine are looked through, and those
    that have them join `font.family`: what is drawn from then on finds them.

    Examples
    --------
    >>> sorted(drawable("a\n\ud83d"))
    ['a']
    """
    shown = frozenset(c for c in text if c.isprintable() or c in JOINERS)
    there = _letters_of(tuple(mpl.rcParams["font.family"]))
    if lacking := [c for c in shown if ord(c) not in there]:
        _join(lacking)
        there = _letters_of(tuple(mpl.rcParams["font.family"]))
    return shown if _all_stay.get() else frozenset(c for c in shown if ord(c) in there)


def warn_of_missing(texts: Iterable[str]) -> None:
    """Say once of each letter that no font here has it, and what to install."""
    text = "".join(texts)
    printable = {c for c in text if c.isprintable()}
    missing = sorted(printable - drawable(text) - warned_of)
    if not missing:
        return
    warned_of.update(missing)
    named = ", ".join(f"{letter} (U+{ord(letter):04X})" for letter in missing[:NAMED])
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    fonts = " or ".join(dict.fromkeys(map(font_for, missing)))
    warnings.warn(
        f"No font here has {named}{more}: a picture of pixels and a PDF write them by their "
        f"numbers. Install {fonts} (https://fonts.google.com/noto) and start Python anew; or save "
        "a view as .svg or .html, whose letters stay letters.",
        stacklevel=2,
    )


def in_fonts(text: str) -> list[tuple[str, str]]:
    """Give a text in pieces, each with the file of a font that has its letters.

    As in `drawable`, all fonts of this machine are looked through; what none has is written by its
    numbers.

    Examples
    --------
    >>> [piece for _, piece in in_fonts("the dog")]
    ['the dog']
    """
    letters = as_drawn(text, drawable(text))
    names = list(mpl.rcParams["font.family"])
    homes = [next(filter(partial(_has, letter), names), names[0]) for letter in letters]
    pieces = groupby(zip(homes, letters, strict=True), key=itemgetter(0))
    return [(_file_of(name), "".join(letter for _, letter in piece)) for name, piece in pieces]


def _has(letter: str, name: str) -> bool:
    return {ord(c) for c in letter if c not in JOINERS} <= _letters_of((name,))


def font_for(letter: str) -> str:
    """Name a font that has a letter.

    Examples
    --------
    >>> font_for("東"), font_for("🫠"), font_for("ქ")
    ('Noto Sans CJK', 'Noto Emoji', 'Noto Sans Georgian')
    """
    script = unicodedata.name(letter, "").partition(" ")[0]
    if script.startswith(EAST_ASIAN):
        return "Noto Sans CJK"
    if unicodedata.category(letter).startswith("S"):
        return "Noto Emoji"
    return f"Noto Sans {script.title()}" if script else "a font of them"


def _join(letters: Iterable[str]) -> None:
    """Let the fonts that have these letters join those that are set."""
    look_for_new()
    there = set(fontManager.get_font_names())
    upright = {x.name for x in fontManager.ttflist if x.weight in REGULAR and x.style == "normal"}
    others = sorted(name for name in upright if not name.startswith(NO_LETTERS))
    names = tuple(dict.fromkeys([*(name for name in FALLBACKS if name in there), *others]))
    homes = _homes(names)
    found = dict.fromkeys(names[homes[ord(c)]] for c in sorted(letters) if homes[ord(c)] >= 0)
    chosen = list(mpl.rcParams["font.family"])
    joining = [name for name in found if name not in chosen]
    if joining:
        mpl.rcParams["font.family"] = [*chosen, *joining]


@cache
def look_for_new() -> None:
    """Add what was installed after matplotlib listed the fonts, which it does once for ever."""
    listed = {entry.fname for entry in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in listed:
            with suppress(Exception):  # it lists none that it cannot read, whatever it raises
                fontManager.addfont(path)


@lru_cache(maxsize=1)
def _homes(names: tuple[str, ...]) -> NDArray[np.int16]:
    """Give for every character the first of these fonts that has it; -1 where none has."""
    homes = np.full(sys.maxunicode + 1, -1, np.int16)
    for at, name in reversed(list(enumerate(names))):
        with suppress(RuntimeError, OSError, ValueError):  # a broken font has no letters
            font = get_font(_file_of(name))
            is_outlined = FaceFlags.SCALABLE in font.face_flags
            if is_outlined and (FaceFlags.COLOR not in font.face_flags or name in FALLBACKS):
                homes[list(font.get_charmap())] = at
    return homes


@cache
def _letters_of(names: tuple[str, ...]) -> frozenset[int]:
    """Give the characters that these fonts have."""
    return frozenset().union(*(get_font(_file_of(name)).get_charmap() for name in names))


def _file_of(name: str) -> str:
    return str(findfont(FontProperties(family=[name])))
