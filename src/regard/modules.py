"""How a PyTorch model is watched: each submodule that keeps to the `AttentionModule` protocol."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from regard.recording import RecordedLayer

KINDS = ("encoder", "decoder", "cross")


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
    return [
        m for m in model.modules() if isinstance(getattr(m, "kind", None), str) and m.kind in KINDS
    ]


@contextmanager
def recording(model: nn.Module) -> Iterator[list[RecordedLayer]]:
    """Record the attention layers of the forward passes within, for the first sentence of each."""
    layers: list[RecordedLayer] = []

    def record(module: nn.Module, inputs: tuple[Any, ...], _: Any) -> None:
        layers.append(_recorded(module, inputs))

    handles = [m.register_forward_hook(record) for m in attention_modules(model)]
    try:
        yield layers
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout and gradients off, and each submodule back to its own mode afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def _recorded(module: nn.Module, inputs: tuple[Any, ...]) -> RecordedLayer:
    *features, num_heads, mask = inputs
    q, k, v = (_heads(x.detach(), num_heads) for x in features)

    def weigh(head: int) -> Tensor:
        """Ask the module itself about one head, so that the weights are those that it uses."""
        part = (x[head : head + 1] for x in (q, k, v))  # (1, T, d_k), (1, S, d_k), (1, S, d_k)
        with torch.no_grad():
            weights: Tensor = module(*part, 1, _mask_of(mask, head)).weights
        return weights[0, 0]

    return RecordedLayer(str(module.kind), q, k, weigh)


def _heads(x: Tensor, num_heads: int) -> Tensor:
    """Take the first sentence and part its heads: (B, T, d_model) -> (h, T, d_k)."""
    return x[0].unflatten(-1, (num_heads, -1)).transpose(0, 1)


def _mask_of(mask: Tensor | None, head: int) -> Tensor | None:
    """Take one head's mask of the first sentence, still broadcastable to (1, 1, T, S)."""
    if mask is None:
        return None
    mask = mask[:1]
    return mask if mask.size(1) == 1 else mask[:, head : head + 1]
