"""Which layer of a transformers model a call of an attention function is, and who reads whom."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from regard.tracing.agreement import NotUnderstoodError
from regard.tracing.calls import Address, Numbers, anyone_reads
from regard.tracing.causality import hides_the_future, says_causal, side_of
from regard.tracing.interface import Asked
from regard.tracing.merged import is_merged

CROSS = re.compile(r"cross|enc(oder)?_?dec(oder)?_?att|encoder_attn|enc_attn", re.IGNORECASE)
PLAIN = ("sdpa", "eager")  # implementations whose masks say in full who may read whom


class Addresses:
    """Says which layer of a transformers model each call of an attention function is."""

    def __init__(self, model: PreTrainedModel, numbers: Numbers) -> None:
        self.model = type(model).__name__
        self.numbers = numbers
        self.kinds: dict[nn.Module, str] = {}
        self.masks: dict[int, tuple[Tensor, Tensor | None, Tensor | None]] = {}
        self.query: Tensor | None = None  # of the call before
        self.address = Address("", "", ())
        self.other: Address | None = None  # of the other side that the same softmax is over
        self.turns: Counter[nn.Module] = Counter()  # how often each module has begun
        self.turn: tuple[nn.Module, int] | None = None  # of the call before

    def has(self, module: nn.Module) -> bool:
        """Say whether a module is the model's own."""
        return module in self.numbers.names

    @contextmanager
    def counting_turns(self) -> Iterator[None]:
        """Count, while within, how often modules that may attend begin."""
        with ExitStack() as hooks:
            for module in self.numbers.names:
                if "att" in type(module).__name__.lower():
                    hooks.callback(module.register_forward_pre_hook(self._begin).remove)
            yield

    def _begin(self, module: nn.Module, _: Any) -> None:
        if self.numbers.is_mine:
            self.turns[module] += 1

    def goes_on(self, asked: Asked) -> bool:
        """Say whether the module asks for more in one turn: for another window (Qwen2.5-VL)."""
        turn = (asked.module, self.turns[asked.module])
        return turn == self.turn and turn[1] > 0 and asked.query is not self.query

    def of(self, asked: Asked) -> Address:
        """Say which layer it is; the same again for the same queries (DiffLlama: other values)."""
        if self.goes_on(asked):
            self.query = asked.query
        if asked.query is not self.query:
            self.query, self.turn = asked.query, (asked.module, self.turns[asked.module])
            # what a module is does not change when it is given one token at a time
            if asked.module not in self.kinds:
                self.kinds[asked.module] = self._kind_of(asked)
            self.address = self.numbers.give(asked.module, self.kinds[asked.module])
            is_both = is_merged(asked.module)
            self.other = self.numbers.give(asked.module, "cross") if is_both else None
        return self.address

    def _kind_of(self, asked: Asked) -> str:
        """Say whose attention a module is, by its name, or by whether it may see the future."""
        name = self.numbers.names[asked.module]
        if getattr(asked.module, "is_cross_attention", False) or CROSS.search(name):
            return "cross"
        is_pooling = "pool" in type(asked.module).__name__.lower()
        if is_pooling and asked.query.size(2) < asked.key.size(2):
            return "cross"  # a query that was learned reads them all (VideoPrism)
        if side := side_of(name, self.numbers.model):
            return side
        return "decoder" if self._is_decoders(asked) else "encoder"

    def _is_decoders(self, asked: Asked) -> bool:
        """Ask the call, the mask where it is of more than one query, the module and its model."""
        if asked.is_causal or asked.options.get("is_causal"):
            return True
        allowed, _ = self.parted(asked)
        num_queries, num_keys = asked.query.size(2), asked.key.size(2)
        if allowed is not None and hides_the_future(
            allowed[..., :num_keys].expand(-1, num_queries, num_keys)
        ):
            return True
        return bool(says_causal(asked.module, self.numbers.model))

    def parted(self, asked: Asked) -> tuple[Tensor | None, Tensor | None]:
        """Part a mask into who may attend in any sentence (bool) and a bias, each mask once."""
        mask = asked.plain_mask
        if mask is None:
            return None, None
        if id(mask) not in self.masks:
            of_any = mask[0] if mask.size(0) == 1 else _of_any(mask)
            self.masks[id(mask)] = (mask, *parted(of_any.detach()))
        return self.masks[id(mask)][1:]


def _of_any(mask: Tensor) -> Tensor:
    return mask.any(0) if mask.dtype == torch.bool else mask.amax(0)


def parted(mask: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Part a mask (h or 1, Q or 1, K): bool, or float to be added, very low where it forbids."""
    if mask.dtype == torch.bool:
        return mask, None
    if not mask.is_floating_point():
        raise NotUnderstoodError
    allowed = mask > torch.finfo(mask.dtype).min / 2
    bias = mask.masked_fill(~allowed, 0.0)
    return (None if allowed.all() else allowed), (bias if bias.any() else None)


@dataclass(frozen=True)
class Addressed:
    """A call of an attention function, and the layer that it is."""

    asked: Asked
    addresses: Addresses
    address: Address

    @property
    def all(self) -> list[Address]:
        """Its address, and that of the other side, where one softmax is over both."""
        other = self.addresses.other
        return [self.address] if other is None else [self.address, other]

    @property
    def mask(self) -> Tensor | None:
        """The mask of the keys that are there."""
        mask = self.asked.plain_mask
        return None if mask is None else mask[..., : self.asked.key.size(2)]

    def is_read(self) -> Tensor:
        """Say of each key whether any query may read it: bool (B or 1, S)."""
        if self.asked.name not in PLAIN and self.mask is None:  # a kernel that knows no padding
            return self.asked.key.new_ones(1, self.asked.key.size(2), dtype=torch.bool)
        read = anyone_reads(self.allowed())
        return read if self.addresses.other is None else read[:, : self.asked.query.size(2)]

    def allowed(self) -> Tensor:
        """Say who may read whom: bool, broadcastable to (B, h, T, S)."""
        asked = self.asked
        if asked.name not in PLAIN:
            raise ValueError(
                f"{self.addresses.model} attends by {asked.name!r}, which does not say in a mask "
                'who may read whom: call model.set_attn_implementation("sdpa") first.'
            )
        num_queries, num_keys = asked.query.size(2), asked.key.size(2)
        allowed = asked.query.new_ones(1, 1, num_queries, num_keys, dtype=torch.bool)
        allowed = allowed.tril() if asked.is_causal else allowed
        may = None if self.mask is None else parted(self.mask)[0]
        return allowed if may is None else allowed & may
