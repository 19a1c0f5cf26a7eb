"""How a PyTorch model is watched and edited: hooks on what attends, gone when it has run.

A submodule attends if its class is named with a function that reads it, if it keeps to the
`AttentionModule` protocol, or if it is `nn.MultiheadAttention`. docs/own-models.md shows all three.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from regard.record.kinds import KINDS
from regard.record.layers import Layer, Recorder, WeighedLayer
from regard.tracing.calls import Allow, Call, Edit, Numbers, Read, arguments_of
from regard.tracing.multihead import (
    edit_multihead,
    is_multihead,
    kinds_in_decoders,
    multihead_reader,
    narrow_multihead,
    note_length,
)
from regard.tracing.protocol import (
    edit_protocol,
    follows_protocol,
    inputs_of_protocol,
    narrow_protocol,
    read_protocol,
)


def traceable(
    model: nn.Module, attention: Mapping[type[nn.Module], Read] | None = None
) -> list[nn.Module]:
    """Find the submodules that `recording` would watch.

    Parameters
    ----------
    model
        Any module.
    attention
        How classes of one's own are read.

    Returns
    -------
    list of nn.Module
        In the order in which they were built; empty where nothing is known to attend.

    Examples
    --------
    >>> traceable(nn.Sequential(nn.Linear(4, 4), nn.MultiheadAttention(4, 2)))
    [MultiheadAttention(
      (out_proj): NonDynamicallyQuantizableLinear(in_features=4, out_features=4, bias=True)
    )]
    """
    return list(readers(model, attention or {}, {}))


@contextmanager
def recording(
    model: nn.Module,
    recorder: Recorder,
    attention: Mapping[type[nn.Module], Read] | None = None,
) -> Iterator[None]:
    """Record the attention layers of the forward passes within, for the first sentence of each.

    The model computes what it computed before. torch's fused encoder layers, which call no hooks,
    give way to ordinary ones while there are any; nested tensors stay nested.

    Parameters
    ----------
    model
        Any module.
    recorder
        What the layers are added to.
    attention
        How classes of one's own are read. What is inside of such a module is not looked at.

    Raises
    ------
    TypeError
        If a function in `attention` gives something else than a layer.
    ValueError
        If the layer that it gives is of no known kind or not (heads, queries, keys).

    Examples
    --------
    >>> model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 3).eval()
    >>> recorder = Recorder()
    >>> with recording(model, recorder), torch.no_grad():
    ...     output = model(torch.randn(1, 5, 8))
    >>> {number: layer.shape for number, layer in recorder.layers["encoder"].items()}
    {0: (2, 5, 5), 1: (2, 5, 5), 2: (2, 5, 5)}
    """
    lengths: dict[nn.Module, int] = {}
    with ExitStack() as hooks:
        for stack in model.modules():
            if isinstance(stack, nn.TransformerEncoder):
                hooks.callback(note_length(stack, lengths))
        for module, read in readers(model, attention or {}, lengths).items():
            hooks.callback(_record(module, read, recorder))
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout and gradients off, and each submodule back to its own mode afterwards."""
    training = [module for module in model.modules() if module.training]
    if training:  # else the model is left alone: to go through it takes a while
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def readers(
    model: nn.Module, attention: Mapping[type[nn.Module], Read], lengths: Mapping[nn.Module, int]
) -> dict[nn.Module, Read]:
    """Say for each submodule that attends how it is read."""
    kinds = kinds_in_decoders(model)
    by_class = reversed(list(attention.items()))  # of a module's classes, the first wins
    named = {
        module: _checking(read)
        for of_class, read in by_class
        for module in model.modules()
        if isinstance(module, of_class)
    }
    inside = {part for module in named for part in module.modules()}
    found: dict[nn.Module, Read] = {}
    for module in model.modules():
        if module in named:
            found[module] = named[module]
        elif module in inside:
            continue
        elif follows_protocol(module):
            found[module] = read_protocol
        elif is_multihead(module):
            found[module] = multihead_reader(kinds.get(module), lengths)
    return found


def _record(module: nn.Module, read: Read, recorder: Recorder) -> Callable[[], None]:
    """Add what a module attended to whenever it is called, until what is returned is called."""

    def record(
        module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        layer = read(module, arguments_of(module, args, kwargs), output)
        if layer is not None:
            recorder.add(layer)

    return module.register_forward_hook(record, with_kwargs=True).remove


def _checking(read: Read) -> Read:
    """Say at once, and in words, where a reader gives what is no layer."""

    def checked(module: nn.Module, arguments: Mapping[str, Any], output: Any) -> Layer | None:
        layer = read(module, arguments, output)
        if layer is not None:
            _check(layer, f"The layer that was read from {type(module).__name__}")
        return layer

    return checked


def _check(layer: Any, name: str) -> None:
    if not hasattr(layer, "weigh"):
        raise TypeError(
            f"{name} is {type(layer).__name__}: give a ScoredLayer or a WeighedLayer "
            "from regard.record.layers, or None where this was no attention."
        )
    if layer.kind not in KINDS:
        raise ValueError(f"{name} is of kind {layer.kind!r}: choose from {list(KINDS)}.")
    x = layer.weights if isinstance(layer, WeighedLayer) else getattr(layer, "query", None)
    if isinstance(x, Tensor) and x.dim() != 3:
        raise ValueError(
            f"{name} has {tuple(x.shape)}, but must have (heads, queries, ...): take the first "
            "sentence of the batch, and part the heads."
        )


@contextmanager
def editing_modules(model: nn.Module, numbers: Numbers, edit: Edit) -> Iterator[None]:
    """Edit what the heads of a module write, while within."""
    with ExitStack() as hooks:
        for module, read in attending_modules(model).items():
            hook = _edit_hook(numbers, read, edit)
            hooks.callback(module.register_forward_hook(hook, with_kwargs=True).remove)
        yield


@contextmanager
def narrowing_modules(model: nn.Module, numbers: Numbers, allow: Allow) -> Iterator[None]:
    """Narrow what the heads of a module may read, while within."""
    with ExitStack() as hooks:
        for module, read in attending_modules(model).items():
            hook = _narrow_hook(numbers, read, allow)
            hooks.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)
        yield


def attending_modules(model: nn.Module) -> Mapping[nn.Module, Read]:
    """Find the submodules that attend, or say why there are none."""
    found = readers(model, {}, {})
    if not found:
        raise ValueError(
            f"No attention that can be edited was found in {type(model).__name__}: it must be "
            "nn.MultiheadAttention or follow the protocol of "
            "regard.tracing.modules.AttentionModule."
        )
    return found


def _edit_hook(numbers: Numbers, read: Read, edit: Edit) -> Callable[..., Any]:
    """Give a forward hook that edits what the heads of a module write."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        arguments = arguments_of(module, args, kwargs)
        found = _kind_and_heads(module, arguments, read)
        if not numbers.is_mine or found is None:
            return None
        kind, num_heads = found
        if isinstance(module, nn.MultiheadAttention):
            call = partial(Call, kind, numbers.give(module, kind), num_heads)
            return edit_multihead(module, arguments, output, call, edit)
        if not hasattr(output, "weights"):
            return None  # it has a kind, but is no attention
        call = partial(Call, kind, numbers.give(module, kind), num_heads)
        return edit_protocol(arguments, output, call, edit)

    return hook


def _narrow_hook(numbers: Numbers, read: Read, allow: Allow) -> Callable[..., Any]:
    """Give a forward-pre-hook that narrows what the heads of a module may read."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        arguments = arguments_of(module, args, kwargs)
        found = _kind_and_heads(module, arguments, read)
        if not numbers.is_mine or found is None:
            return None
        kind, num_heads = found
        may = allow(kind, numbers.give(module, kind), num_heads)
        if may is None:
            return None
        if isinstance(module, nn.MultiheadAttention):
            return (), narrow_multihead(module, arguments, may)
        return narrow_protocol(inputs_of_protocol(arguments), may), {}

    return hook


def _kind_and_heads(
    module: nn.Module, arguments: Mapping[str, Any], read: Read
) -> tuple[str, int] | None:
    """Say whose attention a call is, and of how many heads; None where it is no attention."""
    if isinstance(module, nn.MultiheadAttention):
        return cast("Layer", read(module, arguments, None)).kind, module.num_heads
    inputs = inputs_of_protocol(arguments)
    return (str(module.kind), inputs[3]) if len(inputs) >= 5 else None
