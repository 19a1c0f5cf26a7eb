"""Every attention layer of any model, while it runs: what its heads write, and may read, is edited.

Layers have the kinds and numbers that a trace gives them, and only the forward passes of the thread
that asked are edited.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from torch import nn
from transformers import PreTrainedModel

from regard.tracing.calls import Allow, Edit, Numbers
from regard.tracing.huggingface_editing import editing_pretrained, narrowing_pretrained
from regard.tracing.modules import attending_modules, editing_modules, narrowing_modules
from regard.tracing.wrapped import look_inside


@contextmanager
def editing(model: nn.Module, edit: Edit) -> Iterator[Numbers]:
    """Edit what the heads of a model write, while within.

    Parameters
    ----------
    model
        A transformers model that attends through `AttentionInterface`; or any module with
        `nn.MultiheadAttention` or the protocol of `regard.tracing.modules.AttentionModule`.
    edit
        Called for every attention layer.

    Yields
    ------
    Numbers
        What layers have attended so far.

    Raises
    ------
    ValueError
        If it is known beforehand that no attention of the model can be edited.
    """
    model = look_inside(model).model
    numbers = Numbers(model)
    with numbers.counting():
        if isinstance(model, PreTrainedModel):
            with editing_pretrained(model, numbers, edit):
                yield numbers
        else:
            with editing_modules(model, numbers, edit):
                yield numbers


@contextmanager
def narrowing(model: nn.Module, allow: Allow) -> Iterator[Numbers]:
    """Narrow what the heads of a model may read, while within; see `editing`."""
    model = look_inside(model).model
    numbers = Numbers(model)
    with numbers.counting():
        if isinstance(model, PreTrainedModel):
            with narrowing_pretrained(model, numbers, allow):
                yield numbers
        else:
            with narrowing_modules(model, numbers, allow):
                yield numbers


def kinds_of(model: nn.Module) -> set[str] | None:
    """Name the kinds of attention that a model has, where it tells before it runs."""
    model = look_inside(model).model
    if isinstance(model, PreTrainedModel):
        return None
    kinds = {getattr(module, "kind", None) for module in attending_modules(model)}
    return None if None in kinds else cast("set[str]", kinds)
