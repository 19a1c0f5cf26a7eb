"""One call of an attention layer, and how layers are numbered: what all kinds of model share."""

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from regard.record.kinds import part_of, plain
from regard.record.layers import Layer


@dataclass(frozen=True)
class Address:
    """Which of the calls of attention in a forward pass one is."""

    kind: str  # plain: of which part it is is not known before all have attended
    path: str  # of the module that attends
    before: tuple[str, ...]  # the paths of those of its kind that attended before it

    @property
    def number(self) -> int:
        """Its number among all of its kind."""
        return len(self.before)

    def is_of(self, kind: str) -> bool:
        """Say whether it is of a kind, or of a kind of a part."""
        return plain(kind) == self.kind and is_within(self.path, part_of(kind))

    def is_at(self, kind: str, number: int) -> bool:
        """Say whether it is what a trace calls so: a layer of a kind, or of a kind of a part.

        Examples
        --------
        >>> second = Address("encoder", "model.vision.layers.1", ("model.vision.layers.0",))
        >>> second.is_at("encoder", 1), second.is_at("vision/encoder", 1)
        (True, True)
        >>> second.is_at("language/encoder", 1), second.is_at("decoder", 1)
        (False, False)
        """
        part = part_of(kind)
        return self.is_of(kind) and number == sum(is_within(path, part) for path in self.before)


def is_within(path: str, part: str) -> bool:
    """Say whether a module is in a part, whose name is a piece of its path.

    Examples
    --------
    >>> is_within("model.vision.layers.1", "vision"), is_within("model.revision.0", "vision")
    (True, False)
    """
    return not part or f".{part}." in f".{path}."


@dataclass(frozen=True)
class Call:
    """One call of an attention layer: B sentences, h heads, T queries."""

    address: Address
    num_heads: int
    output: Callable[[], Tensor]  # what the heads wrote: (B, T, h, d_v)
    evenly: Callable[[], Tensor]  # what they write if a query reads all that it may alike
    is_read: Callable[[], Tensor]  # bool (B or 1, S): may any query read a key? none may padding


Edit = Callable[[Call], Tensor | None]
"""From a call to what the heads write instead, (B, T, h, d_v); None to leave it."""

Allow = Callable[[Address, int], Tensor | None]
"""From a layer and its number of heads to who may read whom, a bool broadcastable to (B, h, T, S);
None to leave it."""

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
        self, arguments: Mapping[str, Any], output: Any, address: Address, edit: "Edit"
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
        self.names = {module: name for name, module in model.named_modules()}
        self.given: dict[str, list[str]] = {}  # in this pass: paths by kind
        self.first: dict[tuple[nn.Module, str], Address] = {}

    @property
    def is_mine(self) -> bool:
        """Say whether this is the thread that asked."""
        return threading.get_ident() == self.thread

    @property
    def seen(self) -> dict[str, list[str]]:
        """The paths of what attended in any pass, by kind."""
        firsts: dict[str, list[str]] = {}
        for address in self.first.values():
            firsts.setdefault(address.kind, []).append(address.path)
        return {kind: max(firsts[kind], self.given.get(kind, []), key=len) for kind in firsts}

    def give(self, module: nn.Module, kind: str) -> Address:
        """Say which layer it is that attends now."""
        if not self.depth and (module, kind) in self.first:
            return self.first[module, kind]
        given = self.given if self.depth else self.seen
        before = given.setdefault(kind, [])
        address = Address(kind, self.names.get(module, ""), tuple(before))
        before.append(address.path)
        self.first.setdefault((module, kind), address)
        return address

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
                self.given.clear()
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


def anyone_reads(allowed: Tensor) -> Tensor:
    """Say of each key whether any query may read it: (B or 1, h or 1, T, S) -> (B or 1, S)."""
    return allowed.any(dim=1).any(dim=1)


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
