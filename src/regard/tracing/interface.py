"""Where transformers hands out its attention functions: what this thread puts around them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Any

from torch import Tensor
from transformers import AttentionInterface

Attend = Callable[..., tuple[Tensor, Tensor | None]]  # an attention function of transformers
Wrap = Callable[[str, Attend], Attend]
"""From an implementation's name and its attention function, to the one that is called instead."""


class Stage(IntEnum):
    """What is put around an attention function, the innermost first.

    So a trace sees the masks that were narrowed, and what the heads wrote before that was edited.
    Of several that watch, only the last does: a trace within a trace is none of the outer one's.
    """

    WATCH = 0
    EDIT = 1
    NARROW = 2


_AROUND: ContextVar[tuple[tuple[Stage, Wrap], ...]] = ContextVar("around", default=())


@contextmanager
def wrapping(stage: Stage, wrap: Wrap) -> Iterator[None]:
    """Put something around the attention functions of this thread's forward passes, while within.

    Parameters
    ----------
    stage
        Where among others it is put.
    wrap
        Gives the function to call, from the implementation's name and its own function.
    """
    others = tuple(one for one in _AROUND.get() if one[0] is not Stage.WATCH or stage is not one[0])
    token = _AROUND.set((*others, (stage, wrap)))
    _PATCH.enter()
    try:
        yield
    finally:
        _PATCH.leave()
        _AROUND.reset(token)


class _Patch:
    """`AttentionInterface.get_interface`, ours while any thread needs it, then what it was."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.own: Callable[..., Attend] = AttentionInterface.get_interface

    def enter(self) -> None:
        with self.lock:
            if self.users == 0:
                self.own = AttentionInterface.get_interface
                AttentionInterface.get_interface = _get_interface  # type: ignore[method-assign,assignment]  # put back below
            self.users += 1

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                AttentionInterface.get_interface = self.own  # type: ignore[method-assign]


_PATCH = _Patch()


def _get_interface(self: AttentionInterface, name: str, default: Any) -> Attend:
    """Give the attention function that transformers gives, and what this thread puts around it."""
    attend = _PATCH.own(self, name, default)
    for _, wrap in sorted(_AROUND.get(), key=lambda one: one[0]):
        attend = wrap(name, attend)
    return attend
