"""Where transformers hands out its attention functions: what this thread puts around them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from functools import wraps
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface

Attend = Callable[..., tuple[Tensor, Tensor | None]]  # an attention function of transformers
Wrap = Callable[[str, Attend], Attend]
"""From an implementation's name and its attention function, to the one that is called instead."""

GoOn = Callable[..., tuple[Tensor, Tensor | None]]
"""Calls the attention function as it was called, or with another mask."""


@dataclass(frozen=True)
class Asked:
    """What an attention function of transformers is called with."""

    name: str  # of the implementation
    module: nn.Module  # whose attention it is
    query: Tensor  # (B, h, T, d_k)
    key: Tensor  # (B, g, S, d_k)
    value: Tensor  # (B, g, S, d_v)
    mask: Any  # bool, or float to be added, broadcastable to (B, h, T, S); or of another kind
    options: Mapping[str, Any]

    @property
    def is_causal(self) -> bool:
        """Whether the implementation keeps its queries from the future without a mask."""
        causal = self.options.get("is_causal")
        causal = getattr(self.module, "is_causal", True) if causal is None else causal
        by_itself = bool(causal) and self.mask is None and self.name != "eager"
        return by_itself and (self.query.size(2) > 1 or self.key.size(2) == 1)

    @property
    def plain_mask(self) -> Tensor | None:
        """The mask, if it says for each query and key; it may be for a cache that is longer."""
        return self.mask if isinstance(self.mask, Tensor) and self.mask.dim() == 4 else None


Handle = Callable[[Asked, GoOn], tuple[Tensor, Tensor | None]]
"""From what an attention function is asked, and how to go on, to what it gives."""


def around(handle: Handle) -> Wrap:
    """Put a function of ours around every attention function."""

    def wrap(name: str, attend: Attend) -> Attend:
        @wraps(attend)
        def asked(
            module: nn.Module,
            query: Tensor,
            key: Tensor,
            value: Tensor,
            attention_mask: Any = None,
            **options: Any,
        ) -> tuple[Tensor, Tensor | None]:
            def go_on(mask: Any = attention_mask) -> tuple[Tensor, Tensor | None]:
                return attend(module, query, key, value, mask, **options)

            return handle(Asked(name, module, query, key, value, attention_mask, options), go_on)

        return asked

    return wrap


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
def wrapping(stage: Stage, handle: Handle) -> Iterator[None]:
    """Put something around the attention functions of this thread's forward passes, while within.

    Parameters
    ----------
    stage
        Where among others it is put.
    handle
        What is called instead.
    """
    others = tuple(one for one in _AROUND.get() if one[0] is not Stage.WATCH or stage is not one[0])
    token = _AROUND.set((*others, (stage, around(handle))))
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
