"""Which words a text has, and of which each token is."""

from collections.abc import Sequence

import regex

from regard.record.words import Word
from regard.tracing.names import Span, shown

KANA = r"\p{Hiragana}\p{Katakana}ーｰﾞﾟ"
JOINED = r"\p{M}\u200c\u200d"  # accents, vowel signs, and what joins or parts letters within a word
LETTER = rf"(?![\p{{Han}}々〆〇{KANA}])[\w{JOINED}]"
WORD = regex.compile(
    rf"[\p{{Han}}々〆〇][{JOINED}]*"  # one ideograph
    rf"|\p{{Hiragana}}[\p{{Hiragana}}ーｰ{JOINED}]*"
    rf"|[\p{{Katakana}}ーｰﾞﾟ][\p{{Katakana}}ーｰﾞﾟ{JOINED}]*"
    rf"|(?:{LETTER})+(?:['’](?:{LETTER})+)*"  # with an apostrophe between
    r"|[\udc80-\udcff]+"  # bytes of no character, as `surrogateescape` keeps them
    r"|(?!\s)\X"  # one sign, or emoji
)


def words_at(text: str, spans: Sequence[Span | None], first: int = 0) -> list[Word | None]:
    """Say of which word each token is; a token of white space alone is of none.

    A word is what can be told without a dictionary: a run of letters, digits and what belongs to
    them, between spaces or signs (so of Korean, and of Thai, Lao, Khmer and Burmese, all that
    stands between two spaces); in Chinese and Japanese one ideograph, a run of hiragana, a run of
    katakana; and each sign or emoji by itself. Where one token has something of several words, as
    `==`, `喜欢` or `://` can be, they are one.

    Parameters
    ----------
    text, spans
        The text, and the stretch of it that each token is.
    first
        What words are numbered from; the next one's number is larger by the characters between.

    Examples
    --------
    >>> words = words_at("the cows don't", [(0, 3), (3, 7), (7, 8), (8, 12), (12, 14)])
    >>> [word.text for word in words]
    ['the', 'cows', 'cows', "don't", "don't"]
    """
    places = _joined([match.span() for match in WORD.finditer(text)], spans)
    at = {
        i: Word(first + start, name)
        for start, end in places
        for name in [shown(text[start:end])]
        for i in range(start, end)
    }
    return [next((at[i] for i in range(*(span or (0, 0))) if i in at), None) for span in spans]


def _joined(places: Sequence[Span], spans: Sequence[Span | None]) -> list[Span]:
    """Join the places of words where one token has something of both."""
    at = {i: number for number, (start, end) in enumerate(places) for i in range(start, end)}
    with_next: set[int] = set()
    for start, end in filter(None, spans):
        numbers = {at[i] for i in range(start, end) if i in at}
        with_next |= numbers - {max(numbers, default=0)}
    joined: list[Span] = []
    for number, (start, end) in enumerate(places):
        if number - 1 in with_next:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
