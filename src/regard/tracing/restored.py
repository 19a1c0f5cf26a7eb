"""A model as it was before it ran on what nobody gave it: buffers, memory, random numbers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def restored(model: nn.Module) -> Iterator[None]:
    """Put back what a run changes: buffers, plain attributes, lists in them, and seeds."""
    undo = [change for module in model.modules() for change in _undoing(module)]
    devices = {x.device for x in model.parameters() if x.device.type == "cuda"}
    with torch.random.fork_rng([device.index for device in devices]):
        try:
            yield
        finally:
            for change in undo:
                change()


def _undoing(module: nn.Module) -> Iterator[Callable[[], None]]:
    """Remember one module: `training` and hooks are left to who sets them."""
    own = {name: x for name, x in vars(module).items() if _is_plain(name)}

    def put_back() -> None:
        for name in [name for name in vars(module) if _is_plain(name) and name not in own]:
            delattr(module, name)
        for name, x in own.items():
            if vars(module).get(name) is not x:
                setattr(module, name, x)

    yield put_back
    for x in own.values():
        if isinstance(x, list | dict | set):
            yield _refilling(x)
    for name, buffer in module.named_buffers(recurse=False):
        if buffer.device.type != "meta":
            yield _rewriting(module, name, buffer, buffer.detach().clone())


def _is_plain(name: str) -> bool:
    return not name.startswith("_") and name != "training"


def _refilling(x: Any) -> Callable[[], None]:
    held = x.copy()

    def refill() -> None:
        if x != held:
            x.clear()
            (x.extend if isinstance(x, list) else x.update)(held)

    return refill


def _rewriting(
    module: nn.Module, name: str, buffer: torch.Tensor, held: torch.Tensor
) -> Callable[[], None]:
    def rewrite() -> None:
        with torch.no_grad():
            buffer.copy_(held)
        module._buffers[name] = buffer  # noqa: SLF001  in place of one that was made anew

    return rewrite
