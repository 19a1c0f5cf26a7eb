"""The kinds of attention, the parts of a model that has several, and the name of a head among all.

Where a model has several parts, such as a vision tower beside a language model, a kind is named
with its part, as a path is: `vision_tower/encoder`.
"""

from collections.abc import Iterable
from typing import NamedTuple

KINDS = {  # and their titles
    "encoder": "encoder self-attention",
    "decoder": "decoder self-attention",
    "cross": "cross-attention",
}


def in_part(part: str, kind: str) -> str:
    """Name a kind of a part; of a model that has no parts, "", it is the kind.

    Examples
    --------
    >>> in_part("vision_tower", "encoder"), in_part("", "encoder")
    ('vision_tower/encoder', 'encoder')
    """
    return f"{part}/{kind}" if part else kind


def part_of(kind: str) -> str:
    """Give the part that a kind is of; "" where there are no parts.

    Examples
    --------
    >>> part_of("vision_tower/encoder"), part_of("cross")
    ('vision_tower', '')
    """
    return kind.rpartition("/")[0]


def plain(kind: str) -> str:
    """Give a kind without its part.

    Examples
    --------
    >>> plain("vision_tower/encoder"), plain("cross")
    ('encoder', 'cross')
    """
    return kind.rpartition("/")[2]


def title_of(kind: str) -> str:
    """Give a kind's title; a kind of one's own is its own title.

    Examples
    --------
    >>> title_of("cross"), title_of("memory"), title_of("vision_tower/encoder")
    ('cross-attention', 'memory', 'encoder self-attention of vision_tower')
    """
    part, title = part_of(kind), KINDS.get(plain(kind), plain(kind))
    return f"{title} of {part}" if part else title


def kind_among(kinds: Iterable[str], asked: str) -> str:
    """Find the kind that is meant: by its name, or by its part or its plain kind if that is enough.

    Raises
    ------
    ValueError
        If there is none, or there are several.

    Examples
    --------
    >>> kinds = ["vision/encoder", "language/decoder"]
    >>> kind_among(kinds, "vision"), kind_among(kinds, "decoder")
    ('vision/encoder', 'language/decoder')
    """
    kinds = tuple(kinds)
    if asked in kinds:
        return asked
    meant = [kind for kind in kinds if asked in {part_of(kind), plain(kind)}]
    if len(meant) == 1:
        return meant[0]
    problem = (
        f"Several kinds are {asked!r}" if meant else f"There is no attention of kind {asked!r}"
    )
    raise ValueError(f"{problem} in this trace: choose from {kinds}.")


class Head(NamedTuple):
    """One head of a model, counted as a trace counts; its `str` is its title.

    Examples
    --------
    >>> str(Head("encoder", 3, 1))
    'encoder self-attention, layer 3, head 1'
    """

    kind: str
    layer: int
    head: int

    def __str__(self) -> str:
        return f"{title_of(self.kind)}, layer {self.layer}, head {self.head}"
