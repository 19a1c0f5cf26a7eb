"""How the heads of any other module are edited: by hooks on the submodules that attend."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import copy
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from regard.record.layers import Layer
from regard.tracing.calls import Allow, Call, Edit, Numbers, check_fit, evenly
from regard.tracing.modules import Read, arguments_of, readers


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
    inside = next((n for n, m in model.named_modules() if isinstance(m, PreTrainedModel)), None)
    if inside is not None:
        raise ValueError(
            f"{type(model).__name__} wraps a transformers model: pass that one, `model.{inside}`."
        )
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
        if not numbers.is_mine:
            return None
        arguments = arguments_of(module, args, kwargs)
        layer = read(module, arguments, output)
        if layer is None:
            return None
        call = partial(Call, layer.kind, numbers.give(module, layer.kind), layer.shape[0])
        if isinstance(module, nn.MultiheadAttention):
            return _edit_multihead(module, arguments, output, call, edit)
        return _edit_protocol(arguments, output, call, edit)

    return hook


def _edit_protocol(
    arguments: Mapping[str, Any],
    output: Any,
    call: Callable[..., Call],
    edit: Edit,
) -> Any:
    query, key, value, num_heads, mask = inputs_of_protocol(arguments)
    if not hasattr(output, "_replace") or not hasattr(output, "output"):
        raise TypeError(
            f"An attention module returned {type(output).__name__}: to be edited, it must return a "
            "named tuple of `output` (B, T, features) and `weights`."
        )

    def read_evenly() -> Tensor:
        allowed = torch.ones((), dtype=torch.bool, device=query.device) if mask is None else mask
        shape = (query.size(0), num_heads, query.size(1), key.size(1))
        values = value.unflatten(-1, (num_heads, -1)).transpose(1, 2)  # (B, h, S, d_v)
        return evenly(values, allowed.expand(shape), num_heads).transpose(1, 2)

    edited = edit(call(lambda: output.output.unflatten(-1, (num_heads, -1)), read_evenly))
    return None if edited is None else output._replace(output=edited.flatten(-2))


def inputs_of_protocol(arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    """Give query, key, value, num_heads and mask, of whatever names, or as forward(*inputs)."""
    inputs = tuple(arguments.values())
    return inputs[0] if len(inputs) == 1 and isinstance(inputs[0], tuple) else inputs[:5]


def _edit_multihead(
    module: nn.MultiheadAttention,
    arguments: Mapping[str, Any],
    output: Any,
    call: Callable[..., Call],
    edit: Edit,
) -> Any:
    edited = edit(
        call(
            lambda: _unprojected(module, arguments),
            lambda: _unprojected(_unasking(module), _without_bias(arguments)),
        )
    )
    if edited is None:
        return None
    projected = module.out_proj(edited.flatten(-2))
    if arguments["query"].dim() == 2:
        projected = projected[0]
    elif not module.batch_first:
        projected = projected.transpose(0, 1)
    return projected, *output[1:]


def _unprojected(module: nn.MultiheadAttention, arguments: Mapping[str, Any]) -> Tensor:
    """Run a twin whose output projection changes nothing: what the heads wrote, (B, T, h, d_v)."""
    if arguments["query"].is_nested:
        raise ValueError(
            "nn.TransformerEncoder made nested tensors of the batch, whose heads cannot be edited: "
            "build it with enable_nested_tensor=False."
        )
    twin = _twin(module)
    like = module.out_proj.weight.detach()
    identity: nn.Linear = nn.utils.skip_init(
        nn.Linear, *like.shape, device=like.device, dtype=like.dtype
    )
    for parameter, x in ((identity.weight, torch.eye(len(like))), (identity.bias, torch.zeros(()))):
        parameter.requires_grad = False
        parameter.copy_(x)
    twin.out_proj = identity  # type: ignore[assignment]  # as good
    written, _ = twin.forward(**arguments)
    if written.dim() == 2:
        written = written[None]
    elif not module.batch_first:
        written = written.transpose(0, 1)
    return written.unflatten(-1, (module.num_heads, -1))


def _unasking(module: nn.MultiheadAttention) -> nn.MultiheadAttention:
    """Give a twin whose queries are zero, so that all keys score alike."""
    twin, size = _twin(module), module.embed_dim
    if module.in_proj_weight is None:
        twin.q_proj_weight = nn.Parameter(torch.zeros_like(module.q_proj_weight))
    else:
        twin.in_proj_weight = nn.Parameter(_zeroed(module.in_proj_weight, size))
    if module.in_proj_bias is not None:
        twin.in_proj_bias = nn.Parameter(_zeroed(module.in_proj_bias, size))
    return twin


def _twin(module: nn.MultiheadAttention) -> nn.MultiheadAttention:
    """Give a module of the same parameters, any of which can be set without the other's."""
    twin = copy(module)
    vars(twin)["_parameters"] = dict(module._parameters)  # noqa: SLF001  nn.Module has no way
    vars(twin)["_modules"] = dict(module._modules)  # noqa: SLF001  likewise
    return twin


def _zeroed(x: Tensor, size: int) -> Tensor:
    return torch.cat([torch.zeros_like(x[:size]), x[size:].detach()])


def _without_bias(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Let masks forbid, but add nothing to a score."""
    masks = {name: arguments[name] for name in ("attn_mask", "key_padding_mask")}
    forbids = {
        name: mask if mask is None or mask.dtype == torch.bool else mask == -torch.inf
        for name, mask in masks.items()
    }
    return {**arguments, **forbids}


def _narrow_hook(numbers: Numbers, read: Read, allow: Allow) -> Callable[..., Any]:
    """Give a forward-pre-hook that narrows what the heads of a module may read."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not numbers.is_mine:
            return None
        arguments = arguments_of(module, args, kwargs)
        if isinstance(module, nn.MultiheadAttention):
            kind = cast("Layer", read(module, arguments, None)).kind
            may = allow(kind, numbers.give(module, kind), module.num_heads)
            return None if may is None else ((), _narrow_multihead(module, arguments, may))
        inputs = inputs_of_protocol(arguments)
        if len(inputs) < 5:
            return None  # it has a kind, but is no attention
        kind = str(module.kind)
        may = allow(kind, numbers.give(module, kind), inputs[3])
        return None if may is None else (_narrow_protocol(inputs, may), {})

    return hook


def _narrow_protocol(inputs: tuple[Any, ...], may: Tensor) -> tuple[Any, ...]:
    query, key, value, num_heads, mask = inputs
    check_fit(may, (query.size(0), num_heads, query.size(1), key.size(1)))
    may = may.to(query.device)
    return query, key, value, num_heads, may if mask is None else mask & may


def _narrow_multihead(
    module: nn.MultiheadAttention, arguments: Mapping[str, Any], may: Tensor
) -> dict[str, Any]:
    """Forbid in the mask what may not be read; in torch's bool masks True forbids."""
    if not may.any(-1).all():
        raise ValueError(
            "A query of nn.MultiheadAttention must be left something to read, or it gives NaN: "
            "forbid it less than everything."
        )
    query, mask, padding = (arguments[n] for n in ("query", "attn_mask", "key_padding_mask"))
    if mask is None and padding is not None and padding.is_floating_point():
        mask = padding.new_zeros(())  # torch wants both alike
    batch = 1 if query.dim() == 2 else query.size(0 if module.batch_first else 1)
    tokens = -2 if module.batch_first or query.dim() == 2 else 0
    sizes = (query.size(tokens), arguments["key"].size(tokens))
    check_fit(may, (batch, module.num_heads, *sizes))
    shape = (batch, module.num_heads, *may.shape[2:])
    forbidden = ~may.to(query.device).expand(shape).flatten(0, 1)  # (B h, T, S)
    if mask is not None and mask.dtype != torch.bool:
        forbidden = torch.where(forbidden, -torch.inf, mask)
    elif mask is not None:
        forbidden = forbidden | mask
    return {**arguments, "attn_mask": forbidden, "is_causal": False}
