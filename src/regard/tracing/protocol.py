"""Modules that say themselves whose attention they are: how they are read, and edited.

The softmax of queries and keys is held against the weights that the module gave. Where they agree,
queries and keys are kept; where the module has a way of its own, its weights are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from regard.record.kinds import KINDS
from regard.record.layers import Layer, ScoredLayer, WeighedLayer
from regard.tracing.agreement import gives
from regard.tracing.calls import Address, Call, Edit, anyone_reads, check_fit, evenly


class AttentionModule(Protocol):
    """The protocol: a module that is nothing but attention, and says whose.

    Its `forward(query, key, value, num_heads, mask)` takes (B, T, d), (B, S, d), (B, S, d), the
    number of heads that share the features, and a mask broadcastable to (B, h, T, S) or None; what
    it returns has `.weights` (B, h, T, S). `kind` is one of `KINDS`.
    """

    kind: str

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, num_heads: int, mask: Tensor | None
    ) -> Any:
        """Attend."""


def attention_modules(model: nn.Module) -> list[nn.Module]:
    """Find the submodules that follow the protocol, in the order in which they were built."""
    return [module for module in model.modules() if follows_protocol(module)]


def follows_protocol(module: nn.Module) -> bool:
    """Say whether a module tells its kind."""
    kind = getattr(module, "kind", None)
    return isinstance(kind, str) and kind in KINDS


@dataclass(frozen=True)
class Following:
    """One module that follows the protocol."""

    module: nn.Module

    def place(self, arguments: Mapping[str, Any], output: Any = None) -> tuple[str, int] | None:
        """Give the kind and the number of heads; None where it has a kind, but is no attention."""
        inputs = inputs_of(arguments)
        if len(inputs) < 5 or (output is not None and not hasattr(output, "weights")):
            return None
        return str(self.module.kind), inputs[3]

    def read(self, arguments: Mapping[str, Any], output: Any) -> Layer | None:
        """Give queries and keys, if they make the weights that the module gave; else these."""
        place = self.place(arguments, output)
        if place is None:
            return None
        *features, num_heads, mask = inputs_of(arguments)
        states = [heads_of(x.detach()[0], num_heads) for x in features]  # (h, T or S, d_k)
        weights = _weights_of(
            self.module, output.weights, [num_heads, *(x.size(1) for x in states[:2])]
        )
        for layer in _guesses(place[0], states, mask):
            if gives(layer, weights):
                return layer
        return WeighedLayer(place[0], weights)

    def edited(
        self, arguments: Mapping[str, Any], output: Any, address: Address, edit: Edit
    ) -> Any | None:
        """Give what the module returned with another `output`."""
        query, key, value, num_heads, mask = inputs_of(arguments)
        if not hasattr(output, "_replace") or not hasattr(output, "output"):
            raise TypeError(
                f"An attention module returned {type(output).__name__}: to be edited, it must "
                "return a named tuple of `output` (B, T, features) and `weights`."
            )

        def allowed() -> Tensor:
            everyone = torch.ones((), dtype=torch.bool, device=query.device)
            shape = (query.size(0), num_heads, query.size(1), key.size(1))
            return (everyone if mask is None else mask).expand(shape)

        def read_evenly() -> Tensor:
            values = value.unflatten(-1, (num_heads, -1)).transpose(1, 2)  # (B, h, S, d_v)
            return evenly(values, allowed(), num_heads).transpose(1, 2)

        written = output.output
        call = Call(
            address,
            num_heads,
            lambda: written.unflatten(-1, (num_heads, -1)),
            read_evenly,
            lambda: anyone_reads(allowed()),
        )
        edited = edit(call)
        return None if edited is None else output._replace(output=edited.flatten(-2))

    def narrowed(
        self, arguments: Mapping[str, Any], may: Tensor
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Let the mask forbid more."""
        query, key, value, num_heads, mask = inputs_of(arguments)
        check_fit(may, (query.size(0), num_heads, query.size(1), key.size(1)))
        may = may.to(query.device)
        return (query, key, value, num_heads, may if mask is None else mask & may), {}


def inputs_of(arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    """Give query, key, value, num_heads and mask, of whatever names, or as forward(*inputs)."""
    inputs = tuple(arguments.values())
    return inputs[0] if len(inputs) == 1 and isinstance(inputs[0], tuple) else inputs[:5]


def heads_of(x: Tensor, num_heads: int) -> Tensor:
    """Part the heads of a sentence: (T, d_model) -> (h, T, d_k)."""
    return x.unflatten(-1, (num_heads, -1)).transpose(0, 1)


def is_triangle(allowed: Tensor, num_queries: int) -> bool:
    """Say whether a query may read itself and all before it: then the mask need not be kept."""
    is_for_all_heads = allowed.shape[:2] == (1, num_queries)
    return is_for_all_heads and torch.equal(allowed, torch.ones_like(allowed).tril())


def _weights_of(module: nn.Module, weights: Any, shape: list[int]) -> Tensor:
    """Take the first sentence's weights, (h, T, S), or say what is no such thing."""
    if isinstance(weights, Tensor) and list(weights.shape[1:]) == shape:
        return weights[0].detach()
    got = tuple(weights.shape) if isinstance(weights, Tensor) else type(weights).__name__
    raise ValueError(
        f"{type(module).__name__} returned weights {got}, but must return (B, h, T, S), here "
        f"(B, {', '.join(map(str, shape))}): see regard.tracing.protocol.AttentionModule."
    )


def _guesses(kind: str, states: list[Tensor], mask: Any) -> Iterator[ScoredLayer]:
    """Guess what a module does: with its mask, with one of its own, or with none; with a scale."""
    query, key, value = states
    masks: list[dict[str, Any]] = [{}, {"is_causal": True}]
    if isinstance(mask, Tensor) and mask.dtype == torch.bool:
        allowed = mask[(None,) * (4 - mask.dim())][0]  # broadcasts to (h, T, S)
        if is_triangle(allowed.expand(-1, -1, key.size(1)), query.size(1)):
            masks.reverse()
        else:
            masks.insert(0, {"allowed": allowed})
    for masked in masks:
        for scale in (query.size(-1) ** -0.5, 1.0):  # 1 where someone left it out
            yield ScoredLayer(kind, query, key, value, scale, **masked)
