"""What tokens are called, and which of them are one word."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from regard.record.door import within
from regard.record.places import Place, place_from

Groups = list[list[int]]


class Word(NamedTuple):
    """A word of the text; two tokens are of one word if their words are equal."""

    number: int
    text: str


@dataclass(frozen=True)
class Side:
    """The tokens of the source, or of the target."""

    tokens: list[str] = field(default_factory=list)
    special: list[bool] = field(default_factory=list)  # is it [CLS], </s>, padding, ...?
    words: list[Word | None] | None = None  # of each token; None where the tokenizer cannot tell
    ids: list[int] | None = None  # in the vocabulary, if there is one: what the model told apart
    places: list[Place | None] | None = None  # in a picture or a sound, where it is known

    @classmethod
    def of_names(cls, names: Iterable[str]) -> "Side":
        """Take names that someone gave: none is special."""
        tokens = [str(name) for name in names]  # numbers are names too
        return cls(tokens, [False] * len(tokens))

    @property
    def told_apart(self) -> list[str] | list[int]:
        """Give what is equal for tokens that are one to the model, whatever their names show."""
        return self.tokens if self.ids is None else self.ids

    def part(self, tokens: slice) -> "Side":
        """Take some of the tokens."""
        words, ids, places = self.words, self.ids, self.places
        return Side(
            self.tokens[tokens],
            self.special[tokens],
            None if words is None else words[tokens],
            None if ids is None else ids[tokens],
            None if places is None else places[tokens],
        )

    def followed_by(self, others: "Side") -> "Side":
        """Put the tokens of another side after these."""
        known = self.words is not None and others.words is not None
        numbered = self.ids is not None and others.ids is not None
        return Side(
            self.tokens + others.tokens,
            self.special + others.special,
            [*(self.words or ()), *(others.words or ())] if known else None,
            [*(self.ids or ()), *(others.ids or ())] if numbered else None,
            self._places_before(others),
        )

    def _places_before(self, others: "Side") -> "list[Place | None] | None":
        if self.places is None and others.places is None:
            return None
        both = ((side.places or [None] * len(side.tokens)) for side in (self, others))
        return [place for places in both for place in places]


class Labels(NamedTuple):
    """The words beside an attention matrix: a query for each row, a key for each column."""

    queries: list[str]
    keys: list[str]


def side_from(plain: Mapping[str, Any]) -> Side:
    """Make a side of what a file holds of it."""
    words = plain["words"]
    if words is not None:
        words = [None if word is None else Word(*word) for word in words]
    places = plain.get("places")
    if places is not None:
        places = [place_from(place) for place in places]
    return Side(plain["tokens"], plain["special"], words, plain.get("ids"), places)


def token_at(side: Side, query: int | str) -> int:
    """Find a token that reads, by its place or, where one token bears it, by its name.

    Raises
    ------
    TypeError
        If it is neither a whole number nor a text.
    ValueError
        If there is no such token, or there are several.

    Examples
    --------
    >>> token_at(Side.of_names(["the", "dog"]), "dog")
    1
    """
    if not isinstance(query, str):
        return within("query", query, len(side.tokens), owner="this side")
    found = [at for at, token in enumerate(side.tokens) if query in {token, token.strip("␣·")}]
    if len(found) != 1:
        many = f"{len(found)} tokens are {query!r}, at {found[:9]}" if found else "no token is so"
        raise ValueError(f"The token that reads is {query!r}, but {many}: give its place.")
    return found[0]


def word_groups(side: Side) -> Groups:
    """Put neighbours of one word together; what is of no word stands for itself."""
    groups: Groups = []
    words = side.words or [None] * len(side.tokens)
    for at, word in enumerate(words):
        if word is not None and groups and words[groups[-1][-1]] == word:
            groups[-1].append(at)
        else:
            groups.append([at])
    return groups


def ordinary_tokens(side: Side) -> Groups:
    """Leave special tokens out; each other one stands for itself."""
    return [[at] for at, special in enumerate(side.special) if not special]


def word_name(side: Side, group: list[int]) -> str:
    """Name tokens that stand together by their word, or by the first of them."""
    word = side.words[group[0]] if side.words else None
    return token_name(side, group) if word is None else word.text


def token_name(side: Side, group: list[int]) -> str:
    """Name tokens that stand together by the first of them."""
    return side.tokens[group[0]]


def joined(side: Side, groups: Groups, name: Callable[[Side, list[int]], str]) -> Side:
    """Make a side whose tokens are groups of those of another; a group of several has no id."""
    firsts = [group[0] for group in groups]
    is_single = all(len(group) == 1 for group in groups)
    return Side(
        [name(side, group) for group in groups],
        [side.special[at] for at in firsts],
        None if side.words is None else [side.words[at] for at in firsts],
        None if side.ids is None or not is_single else [side.ids[at] for at in firsts],
        None if side.places is None else [side.places[at] for at in firsts],
    )


def kept(written: list[Any], groups: Groups) -> list[Any]:
    """Keep what single tokens wrote; a word of several tokens writes no one token."""
    if not written or any(len(group) > 1 for group in groups):
        return []
    return [written[group[0]] for group in groups]


def fitting(names: list[str], others: list[str]) -> list[str]:
    """Give the names if there are as many as others; else these."""
    return names if len(names) == len(others) else others


def numbers(count: int) -> list[str]:
    """Name things by numbers, from 0 on."""
    return [str(i) for i in range(count)]
