"""Gradient checkpointing: layers that backward computes again, where their heads may be unchanged.

The gradients would then be of another function than the one that was computed within. While within
and in the thread of the change they are right; anywhere else backward is refused. On a GPU, torch
computes backward in threads of its own.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from regard.tracing.calls import Numbers
from regard.tracing.running import tensors_in

OFF = (
    "switch checkpointing off, for transformers by `model.gradient_checkpointing_disable()`, or "
    "compute no gradients, under `torch.no_grad()`"
)


class Recomputed:
    """Whether heads were changed in a layer that backward computes again.

    Parameters
    ----------
    model
        In which they are changed.
    name
        Of the function that changes them, for messages.
    """

    def __init__(self, model: nn.Module, name: str) -> None:
        self._model = model
        self._name = name
        self._is_so = False
        self._is_found = True  # is it known again, by a module that attends?
        self._is_within = False

    def note(self) -> None:
        """Note that a head is changed now."""
        modules = _checkpointed()
        if modules is not None:
            self._is_so = True
            self._is_found &= any(True for module in modules for _ in module.parameters())

    @contextmanager
    def refused_outside(self, numbers: Numbers) -> Iterator[None]:
        """Let what the model gives be differentiated while within, if it needs the change again.

        Numbers of layers are those of the change.
        """
        self._is_within, self._numbers = True, numbers
        try:
            with ExitStack() as hooks:
                for module in self._model.modules():
                    if not isinstance(module, torch.jit.ScriptModule):
                        hooks.callback(module.register_forward_hook(self._guard).remove)
                yield
        finally:
            self._is_within = False

    def _guard(self, _: nn.Module, __: Any, output: Any) -> None:
        """Look at the gradients of an output before they come to what is computed again."""
        if self._is_so and _checkpointed() is None:
            for x in tensors_in(output):
                if x.requires_grad:
                    x.register_hook(self._check)

    def _check(self, _: Tensor) -> None:
        again = f"{type(self._model).__name__} computes layers again in backward (checkpointing)"
        is_shared = sum(map(len, self._numbers.seen.values())) > len(self._numbers.first)
        if is_shared or not self._is_found:
            raise RuntimeError(
                f"{again}, where it is not known which they are: one module attends several times, "
                f"or attention is computed again without its module. To differentiate, {OFF}."
            )
        if not (self._is_within and self._numbers.is_mine):
            raise RuntimeError(
                f"{again}, where `regard.{self._name}` changes them no more: the gradients would "
                "be of another model. Call backward() inside of `with`, in the same thread, which "
                f"on a GPU it never is; or {OFF}."
            )


def _checkpointed() -> list[nn.Module] | None:
    """Give the modules that run now, up to torch's checkpoint, if that has called them."""
    modules: list[nn.Module] = []
    frame = sys._getframe()  # noqa: SLF001  torch does not say it
    while frame := frame.f_back:  # type: ignore[assignment]  # None ends it
        where = frame.f_globals.get("__name__")
        if where == "torch.utils.checkpoint":
            return modules
        if where == nn.Module.__module__ and frame.f_code.co_name == "_call_impl":
            modules.append(frame.f_locals["self"])
    return None
