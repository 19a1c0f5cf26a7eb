"""One call of an attention layer, and how layers are numbered: what all kinds of model share."""

import inspect
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from regard.record.layers import Layer


@dataclass(frozen=True)
class Call:
    """One call of an attention layer: B sentences, h heads, T queries."""

    kind: str
    number: int
    num_heads: int
    output: Callable[[], Tensor]  # what the heads wrote: (B, T, h, d_v)
    evenly: Callable[[], Tensor]  # what they write if a query reads all that it may alike


Edit = Callable[[Call], Tensor | None]
"""From a call to what the heads write instead, (B, T, h, d_v); None to leave it."""

Allow = Callable[[str, int, int], Tensor | None]
"""From a layer's kind, number and number of heads to who may read whom, a bool broadcastable to
(B, h, T, S); None to leave it."""

Read = Callable[[nn.Module, Mapping[str, Any], Any], Layer | None]
"""From a module, the arguments of its forward by name and what it returned, to the layer of the
batch's first sentence; None where this was no attention."""


class Attending(Protocol):
    """How one submodule attends: what a hook on it reads, and how what it does is edited.

    `arguments` are those of its forward by name, `output` is what it returned.
    """

    def place(self, arguments: Mapping[str, Any], output: Any = None) -> tuple[str, int] | None:
        """Give the kind and the number of heads; None where this is no attention."""

    def read(self, arguments: Mapping[str, Any], output: Any) -> Layer | None:
        """Give the layer of the first sentence; None where this was no attention."""

    def edited(
        self, arguments: Mapping[str, Any], output: Any, number: int, edit: "Edit"
    ) -> Any | None:
        """Give what the module returns when its heads are edited; None to leave it."""

    def narrowed(
        self, arguments: Mapping[str, Any], may: Tensor
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the arguments, by position and by name, that let read what may be read only."""


class Numbers:
    """Numbers the layers of a model as a trace does: by kind, in the order in which they attend.

    They are counted anew in each forward pass of the model, so that a layer that is used again in
    one is another. Of a module that is called outside of any, as the encoder is by `generate`, the
    number is that which it had first.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.thread = threading.get_ident()
        self.depth = 0
        self.counts: Counter[str] = Counter()
        self.first: dict[tuple[nn.Module, str], int] = {}

    @property
    def is_mine(self) -> bool:
        """Say whether this is the thread that asked."""
        return threading.get_ident() == self.thread

    @property
    def seen(self) -> Counter[str]:
        """How many layers of each kind have attended in any pass."""
        most = Counter(kind for _, kind in self.first)
        return most | self.counts

    def give(self, module: nn.Module, kind: str) -> int:
        """Give the number of the layer that attends now."""
        if not self.depth:
            return self.first.setdefault((module, kind), self.seen[kind])
        number = self.counts[kind]
        self.counts[kind] += 1
        self.first.setdefault((module, kind), number)
        return number

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count while within."""
        with (
            self.model.register_forward_pre_hook(self._begin),
            self.model.register_forward_hook(self._end, always_call=True),
        ):
            yield

    def _begin(self, *_: Any) -> None:
        if self.is_mine:
            if not self.depth:
                self.counts.clear()
            self.depth += 1

    def _end(self, *_: Any) -> None:
        if self.is_mine:
            self.depth -= 1


def check_fit(allowed: Tensor, shape: tuple[int, int, int, int]) -> None:
    """Raise where edges are of other sentences than those that the model reads."""
    fits = [a in {1, b} for a, b in zip(allowed.shape, shape, strict=True)]
    if not all(fits) or allowed.shape[2:] != shape[2:]:
        sentences, _, queries, keys = shape
        raise ValueError(
            f"The edges are for {allowed.size(0)} sentences, {allowed.size(2)} queries and "
            f"{allowed.size(3)} keys, but the layer attends in {sentences} sentences, from "
            f"{queries} queries to {keys} keys: give edges for the padded batch that the model "
            "reads, and call it directly, since `generate` lets sentences grow."
        )


def evenly(value: Tensor, allowed: Tensor, num_heads: int) -> Tensor:
    """Let every query read all keys that it may alike: (B, g, S, d_v) -> (B, h, T, d_v).

    A query that may read nothing writes zeros.
    """
    share = allowed.to(value.dtype) / allowed.sum(-1, keepdim=True).clamp(min=1)
    of_heads = value.repeat_interleave(num_heads // value.size(1), dim=1)  # (B, h, S, d_v)
    return share.to(value.dtype) @ of_heads


def arguments_of(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Mapping[str, Any]:
    """Give the arguments of a module's forward by name, those that it was not given too."""
    bound = inspect.signature(module.forward).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments
