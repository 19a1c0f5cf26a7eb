"""Attention seen where it is computed: in the calls of torch's functions, whoever makes them.

Two ways to attend are known. A call of `scaled_dot_product_attention` says all: queries, keys,
values, mask and scale. And a softmax is attention where

1. it goes over the last side of scores that are the product of two tensors, queries and keys, which
   both depend on what the model was given; scaled, biased, masked or squeezed on the way;
2. and what comes of it, perhaps dropped, gated or mixed among heads, is multiplied with a third
   such tensor, the values.

So a classifier's softmax, a router's and one that pools over time are none. The weights are those
that met the values.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from regard.tracing.products import PRODUCTS, Factors, factors_of
from regard.tracing.running import Running, tensors_in

FUSED = F.scaled_dot_product_attention
SOFTMAXES = {torch.softmax, Tensor.softmax, F.softmax, torch.special.softmax}
# after these, weights are weights: dropped in training, of another type or shape
STILL_WEIGHTS = {
    *(F.dropout, torch.dropout, Tensor.to, Tensor.type_as, Tensor.type, Tensor.float),
    *(Tensor.half, Tensor.bfloat16, Tensor.contiguous, Tensor.clone, Tensor.detach),
    *(Tensor.view, Tensor.reshape, torch.reshape, Tensor.flatten, torch.flatten),
    *(Tensor.unflatten, torch.unflatten, Tensor.squeeze, torch.squeeze, Tensor.unsqueeze),
    *(torch.unsqueeze, Tensor.expand, Tensor.masked_fill, torch.masked_fill, Tensor.nan_to_num),
    torch.nan_to_num,
}
# how the last call was computed in the end, where several modes change it, one within another
DONE: ContextVar[dict[str, Any]] = ContextVar("done")
UNWATCHED: ContextVar[bool] = ContextVar("unwatched", default=False)
FUSED_NAMES = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")


@dataclass(frozen=True)
class Scores:
    """What a softmax is taken of, and the product that it comes from."""

    query: Tensor
    key: Tensor
    shares: bool


@dataclass(frozen=True)
class Softmax:
    """What is a softmax of scores, or was one before it was gated or mixed."""

    scores: Scores
    logits: Tensor | None  # what it is the softmax of


@dataclass(frozen=True)
class Attention:
    """One call of attention: of B sentences and h heads, (B, h, T, d) each, or with fewer sides.

    The weights are there, (B, h, T, S), where the softmax was seen and not only asked for.
    """

    module: nn.Module  # that attends
    name: str  # its path in the model
    shares: bool  # do queries and keys come from one argument of the module, if not from it alone?
    batch: int  # how many sentences the model was given
    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None = None
    is_causal: bool = False
    scale: float | None = None
    weights: Tensor | None = None
    logits: Tensor | None = None  # what they are the softmax of, of as many numbers


GoOn = Callable[..., tuple[Tensor, Attention]]
"""Attends; with `mask=` or `weights=`, by another mask or with other weights. Gives what the heads
wrote, and the attention as it was computed in the end: others may have changed it, too."""

Handle = Callable[[Attention, GoOn], Tensor]


class Watching(TorchFunctionMode):
    """Calls `handle` in place of each attention of a model's forward passes in this thread."""

    def __init__(self, running: Running, handle: Handle) -> None:
        super().__init__()
        self.running = running
        self.handle = handle
        self.scores = WeakTensorKeyDictionary()
        self.weights = WeakTensorKeyDictionary()

    def __torch_function__(
        self, func: Any, _: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if not self.running.frames or UNWATCHED.get():
            return func(*args, **kwargs)
        if func is FUSED:
            result = self._fused(args, kwargs)
        elif func in PRODUCTS:
            result = self._product(func, args, kwargs)
        else:
            result = func(*args, **kwargs)
            if isinstance(result, Tensor):
                self._follow(func, args, kwargs, result)
        self.running.note(result, args, kwargs)
        return result

    def _fused(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        given = dict(zip(FUSED_NAMES, args, strict=False)) | kwargs
        query, key, is_causal = given["query"], given["key"], bool(given.get("is_causal", False))
        attention = self._attention(
            Scores(query, key, self._shares(query, key)),
            given["value"],
            mask=given.get("attn_mask"),
            is_causal=is_causal,
            scale=given.get("scale"),
        )

        def go_on(mask: Tensor | None = None) -> tuple[Tensor, Attention]:
            changed = {} if mask is None else {"attn_mask": mask, "is_causal": False}
            now = attention.mask if mask is None else mask
            DONE.set({"mask": now, "is_causal": mask is None and is_causal})
            return FUSED(**given | changed), replace(attention, **DONE.get())

        return self.handle(attention, go_on)

    def _product(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        """See a product of weights and values, or else note one of queries and keys."""
        factors = factors_of(func, args, kwargs)
        made = None if factors is None else self.weights.get(factors.left)
        if factors and made and factors.is_over_keys and self.running.depends(factors.right):
            logits = made.logits
            if logits is not None:
                logits = factors.of_left.put(logits.reshape(factors.left.shape))
            attention = self._attention(
                made.scores, factors.values, weights=factors.weights, logits=logits
            )
            output = self.handle(attention, partial(_multiplied, factors, attention))
            return factors.of_result.back(output)
        result: Tensor = func(*args, **kwargs)
        if factors and all(map(self.running.depends, (factors.left, factors.right))):
            shares = self._shares(factors.left, factors.right)
            self.scores[result] = Scores(*factors.queries_and_keys, shares)
        else:
            self._follow(func, args, kwargs, result)
        return result

    def _follow(
        self, func: Any, args: Sequence[Any], kwargs: dict[str, Any], result: Tensor
    ) -> None:
        """Note what is still scores, or weights."""
        for given in tensors_in([args, kwargs]):
            if given is result or given.dim() == 0:
                continue
            scores, weights = self.scores.get(given), self.weights.get(given)
            is_alike = given.shape[-2:] == result.shape[-2:]
            if weights is not None and func in STILL_WEIGHTS:
                self.weights[result] = weights
            elif weights is not None and is_alike:  # gated, or mixed among the heads
                self.weights[result] = replace(weights, logits=None)
            if scores is None or not is_alike:
                continue
            if func not in SOFTMAXES:
                self.scores[result] = scores
            elif _dim_of(args, kwargs) in {-1, result.dim() - 1}:
                self.weights[result] = Softmax(scores, given)

    def _shares(self, query: Tensor, key: Tensor) -> bool:
        """Say whether queries and keys were computed from one of the arguments."""
        return not self.running.origin(query).isdisjoint(self.running.origin(key))

    def _attention(self, scores: Scores, value: Tensor, **more: Any) -> Attention:
        frame, query, key = self.running.attending, scores.query, scores.key
        batch = self.running.batch
        return Attention(frame.module, frame.name, scores.shares, batch, query, key, value, **more)


def _multiplied(
    factors: Factors, attention: Attention, weights: Tensor | None = None
) -> tuple[Tensor, Attention]:
    """Multiply weights with values: those that are there, or others."""
    left = factors.left if weights is None else factors.of_left.back(weights)
    DONE.set({"weights": factors.of_left.put(left)})
    output = factors.times(left)
    return factors.of_result.put(output), replace(attention, **DONE.get())


def _dim_of(args: Sequence[Any], kwargs: dict[str, Any]) -> int | None:
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    return dim if isinstance(dim, int) else None


@contextmanager
def watching(
    model: nn.Module, handle: Handle, known: frozenset[nn.Module] = frozenset()
) -> Iterator[None]:
    """Let `handle` attend in place of each call of attention in a model, while within.

    Modules that are `known` attend in ways of their own, and are left alone.
    """
    running = Running(model, known | torchs_own(model))
    token = DONE.set({})
    try:
        with running.following(), Watching(running, handle):
            yield
    finally:
        DONE.reset(token)  # let go of the last weights


@contextmanager
def unwatched() -> Iterator[None]:
    """Let calls of attention be, while within: they are seen in another way."""
    token = UNWATCHED.set(True)
    try:
        yield
    finally:
        UNWATCHED.reset(token)


def torchs_own(model: nn.Module) -> frozenset[nn.Module]:
    """Find torch's encoders, which make nested tensors of padded batches where nobody watches."""

    def is_layer(module: nn.Module) -> bool:
        forward = nn.TransformerEncoderLayer.forward
        is_one = isinstance(module, nn.TransformerEncoderLayer)
        return is_one and type(module).forward is forward

    def is_own(module: nn.Module) -> bool:
        if not isinstance(module, nn.TransformerEncoder):
            return is_layer(module)
        return all(map(is_layer, cast("nn.ModuleList", module.layers)))

    return frozenset(filter(is_own, model.modules()))
