"""How the heads of a transformers model are edited: at its own `AttentionInterface`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from regard.record.layers import Recorder
from regard.tracing.calls import Allow, Call, Edit, Numbers, check_fit, evenly
from regard.tracing.huggingface import Watch, attends_causally, layer_of, parted
from regard.tracing.interface import Attend, Stage, wrapping

PLAIN = ("sdpa", "eager")  # implementations whose masks say in full who may read whom


@contextmanager
def editing_pretrained(model: PreTrainedModel, numbers: Numbers, edit: Edit) -> Iterator[None]:
    """Edit what the heads of a transformers model write, while within."""
    _check_interface(model)
    with wrapping(Stage.EDIT, partial(_editing, Places(model, numbers), edit)):
        yield


@contextmanager
def narrowing_pretrained(model: PreTrainedModel, numbers: Numbers, allow: Allow) -> Iterator[None]:
    """Narrow what the heads of a transformers model may read, while within."""
    _check_interface(model)
    with wrapping(Stage.NARROW, partial(_narrowing, Places(model, numbers), allow)):
        yield


def _check_interface(model: PreTrainedModel) -> None:
    if not model._can_set_attn_implementation():  # noqa: SLF001  transformers says it nowhere else
        raise ValueError(not_through_interface(model))


def not_through_interface(model: nn.Module) -> str:
    """Say that a model's heads cannot be edited, and what can be done."""
    return (
        f"{type(model).__name__} does not attend through transformers' AttentionInterface, so its "
        "heads cannot be edited there: zero a head by a forward-pre-hook on the output projection "
        "of its layer, which is given the heads side by side."
    )


class Places:
    """Says of which kind and number the attention of a transformers model is that is called."""

    def __init__(self, model: PreTrainedModel, numbers: Numbers) -> None:
        self.model = type(model).__name__
        self.numbers = numbers
        self.watch = Watch(model, Recorder())
        self.kinds: dict[nn.Module, str] = {}
        self.query: Tensor | None = None
        self.place = ("", 0)

    def has(self, module: nn.Module) -> bool:
        """Say whether a module is the model's own."""
        return id(module) in self.watch.names

    def of(self, module: nn.Module, asked: "Asked") -> tuple[str, int]:
        """Give kind and number; the same again for the same queries (DiffLlama), as in a trace."""
        if asked.query is not self.query:
            self.query = asked.query
            # what a module is does not change when it is given one token at a time
            if module not in self.kinds:
                self.kinds[module] = self._kind_of(module, asked)
            kind = self.kinds[module]
            self.place = (kind, self.numbers.give(module, kind))
        return self.place

    def _kind_of(self, module: nn.Module, asked: "Asked") -> str:
        mask = asked.mask
        if mask is not None:  # is a reader in any sentence let see the future?
            mask = mask.any(0) if mask.dtype == torch.bool else mask.amax(0)
        states = tuple(x[:1] for x in (asked.query, asked.key, asked.value))
        allowed, _ = (None, None) if mask is None else parted(mask)
        return self.watch.kind_of(module, layer_of(states, allowed, None, is_causal=asked.causal))


@dataclass(frozen=True)
class Asked:
    """What an attention function of transformers is called with."""

    name: str  # of the implementation
    query: Tensor  # (B, h, T, d_k)
    key: Tensor  # (B, g, S, d_k)
    value: Tensor  # (B, g, S, d_v)
    mask: Tensor | None  # bool, or float to be added; broadcastable to (B, h, T, S)
    causal: bool  # of itself, without a mask

    @classmethod
    def of(
        cls, name: str, module: nn.Module, tensors: tuple[Any, ...], options: Mapping[str, Any]
    ) -> "Asked":
        """Put together what a function was called with."""
        query, key, value, mask = tensors
        if not isinstance(mask, Tensor) or mask.dim() != 4:
            mask = None  # of an implementation that is not plain
        causal = attends_causally(name, module, mask, options)
        causal = causal and (query.size(2) > 1 or key.size(2) == 1)
        mask = None if mask is None else mask[..., : key.size(2)]  # it may be for a longer cache
        return cls(name, query, key, value, mask, causal)

    def allowed(self, model: str) -> Tensor:
        """Say who may read whom: bool, broadcastable to (B, h, T, S)."""
        if self.name not in PLAIN:
            raise ValueError(
                f"{model} attends by {self.name!r}, which does not say in a mask who may read "
                'whom: call model.set_attn_implementation("sdpa") first.'
            )
        num_queries, num_keys = self.query.size(2), self.key.size(2)
        allowed = self.query.new_ones(1, 1, num_queries, num_keys, dtype=torch.bool)
        allowed = allowed.tril() if self.causal else allowed
        may = None if self.mask is None else parted(self.mask)[0]
        return allowed if may is None else allowed & may


def _asking(
    handle: Callable[..., tuple[Tensor, Tensor | None]], places: Places, name: str, attend: Attend
) -> Attend:
    """Give an attention function that hands what it is asked to a function of ours."""

    @wraps(attend)
    def asked(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None = None,
        **options: Any,
    ) -> tuple[Tensor, Tensor | None]:
        def go_on(mask: Tensor | None = attention_mask) -> tuple[Tensor, Tensor | None]:
            return attend(module, query, key, value, mask, **options)

        if not places.has(module):  # another model's
            return go_on()
        what = Asked.of(name, module, (query, key, value, attention_mask), options)
        return handle(places.of(module, what), what, go_on)

    return asked


def _editing(places: Places, edit: Edit, name: str, attend: Attend) -> Attend:
    def handle(place: tuple[str, int], asked: Asked, go_on: Attend) -> tuple[Tensor, Tensor | None]:
        output, weights = go_on()
        batch, num_heads, num_queries, _ = asked.query.shape
        if output.shape[:3] != (batch, num_queries, num_heads):
            raise ValueError(
                f"{places.model} gives what its heads write as {tuple(output.shape)}, not as "
                "(sentences, queries, heads, features): its heads cannot be told apart."
            )
        call = Call(
            *place,
            num_heads,
            lambda: output,
            lambda: evenly(asked.value, asked.allowed(places.model), num_heads).transpose(1, 2),
        )
        edited = edit(call)
        return (output if edited is None else edited), weights

    return _asking(handle, places, name, attend)


def _narrowing(places: Places, allow: Allow, name: str, attend: Attend) -> Attend:
    def handle(place: tuple[str, int], asked: Asked, go_on: Attend) -> tuple[Tensor, Tensor | None]:
        batch, num_heads, num_queries, _ = asked.query.shape
        may = allow(*place, num_heads)
        if may is None:
            return go_on()
        check_fit(may, (batch, num_heads, num_queries, asked.key.size(2)))
        may = may.to(asked.query.device)
        before = asked.allowed(places.model)
        after = before & may
        output, weights = go_on(_narrowed(asked, after))
        # a reader with nothing left writes nothing, where some functions read all of it alike
        silenced = before.any(-1) & ~after.any(-1)  # (B or 1, h or 1, T)
        if silenced.any():
            output = output.masked_fill(silenced.transpose(1, 2)[..., None], 0.0)
        return output, weights

    return _asking(handle, places, name, attend)


def _narrowed(asked: Asked, after: Tensor) -> Tensor:
    """Give the mask that lets read what is left; eager takes a float, to be added."""
    if asked.mask is None or asked.mask.dtype == torch.bool:
        if asked.name != "eager":
            return after.expand(asked.query.size(0), -1, -1, -1)
        bias = torch.zeros((), dtype=asked.query.dtype, device=asked.query.device)
    else:
        bias = asked.mask
    return torch.where(after, bias, torch.finfo(bias.dtype).min)
