"""The kinds of attention, and the name of a head among all of a model."""

from typing import NamedTuple

KINDS = {  # and their titles
    "encoder": "encoder self-attention",
    "decoder": "decoder self-attention",
    "cross": "cross-attention",
}


def title_of(kind: str) -> str:
    """Give a kind's title; a kind of one's own is its own title.

    Examples
    --------
    >>> title_of("cross"), title_of("memory")
    ('cross-attention', 'memory')
    """
    return KINDS.get(kind, kind)


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
