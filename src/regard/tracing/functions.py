"""Attention seen where it is computed: in the calls of torch's functions, whoever makes them.

Two ways to attend are known. A call of `scaled_dot_product_attention` says all: queries, keys,
values, mask and scale. And a softmax is attention where

1. it goes over the last side of scores that are the product of two tensors, queries and keys, which
   both depend on what the model was given; scaled, biased, masked or squeezed on the way;
2. and what comes of it, perhaps dropped, gated or mixed among heads, is multiplied with a third
   such tensor, the values; or the values with it, transposed.

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

from regard.tracing.flex import FLEX, Flex
from regard.tracing.leading import RESHAPES, Leading, Leads, is_alias, one_of
from regard.tracing.picked import Picked
from regard.tracing.products import PRODUCTS, Factors, factors_of
from regard.tracing.running import Running, tensors_in
from regard.tracing.unmet import Unmet

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
PARTS = {torch.chunk, Tensor.chunk, torch.split, Tensor.split, torch.unbind, Tensor.unbind}
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
    leading: Leading | None  # which sides of queries are heads, where that is known
    is_picked: bool  # are queries or keys some of all, in the order of a rank?
    sides: tuple[int, ...] = ()  # the last two, (T, S)


@dataclass(frozen=True)
class Softmax:
    """What is a softmax of scores, or was one before it was gated or mixed."""

    scores: Scores
    logits: Tensor | None  # what it is the softmax of
    is_turned: bool = False  # do its last two sides stand the other way round, keys before queries?

    @property
    def turned(self) -> "Softmax":
        """The other way round."""
        logits = None if self.logits is None else self.logits.mT
        return replace(self, logits=logits, is_turned=not self.is_turned)


@dataclass(frozen=True)
class Attention:
    """One call of attention: of B sentences and h heads, (B, h, T, d) each, or with other sides.

    The weights are there, (B, h, T, S), where the softmax was seen and not only asked for.
    """

    module: nn.Module  # that attends
    name: str  # its path in the model
    shares: bool  # do queries and keys come from one argument of the module, if not from it alone?
    is_picked: bool  # are queries or keys some of all, in the order of a rank?
    batch: int  # how many sentences the model was given
    sentences: frozenset[int]  # and how many any of its arguments may have
    given: Sequence[torch.Size]  # the shapes of what the module was given
    query: Tensor
    key: Tensor
    value: Tensor
    leading: Leading | None = None  # which sides before (T, d) are heads, where that is known
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
        self.leads, self.unmet, self.picked = Leads(), Unmet(), Picked()
        self.scores = WeakTensorKeyDictionary()
        self.weights = WeakTensorKeyDictionary()

    def __torch_function__(
        self, func: Any, _: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if UNWATCHED.get():
            return func(*args, **kwargs)
        result: Any
        if func is FUSED:
            result = self._fused(args, kwargs)
        elif func is FLEX:
            result = self._flex(args, kwargs)
        elif func in PRODUCTS:
            result = self._product(func, args, kwargs)
        else:
            result = func(*args, **kwargs)
            for one in [result] if isinstance(result, Tensor) else result if func in PARTS else ():
                self._follow(func, args, kwargs, one)
        self.running.note(result, args, kwargs)
        self.leads.note(func, [args, kwargs], result)
        self.picked.note(func, [args, kwargs], result)
        return result

    def _fused(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        given = dict(zip(FUSED_NAMES, args, strict=False)) | kwargs
        query, key, is_causal = given["query"], given["key"], bool(given.get("is_causal", False))
        attention = self._attention(
            self._scores(query, key),
            given["value"],
            self.leads.of(given["value"]),
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

    def _flex(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Tensor, ...]:
        """See a call of `flex_attention`: under a mask, or by weights that its functions make."""
        flex = Flex.of(*args, **kwargs)
        with torch._C.DisableTorchFunction():  # noqa: SLF001  it has no public name
            plain = FLEX(*args, **kwargs)
            flex.check(plain[0], self.running.attending.name)
            told = flex.as_called
        scores = self._scores(flex.query, flex.key)
        attention = self._attention(scores, flex.value, self.leads.of(flex.value), **told)

        def go_on(**changed: Tensor) -> tuple[Tensor, Attention]:
            DONE.set({name: x for name, x in told.items() if name != "scale"} | changed)
            if "mask" in changed:
                DONE.set(DONE.get() | {"is_causal": False})
            output = flex.written(**changed) if changed else FLEX(*args, **kwargs)[0]
            return output, replace(attention, **DONE.get())

        return self.handle(attention, go_on), *plain[1:]

    def _product(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        """See a product of weights and values, or else note one of queries and keys."""
        factors, made = self._weights_among(factors_of(func, args, kwargs))
        if factors and made and factors.is_over_keys and self.running.depends(factors.right):
            logits = made.logits
            if logits is not None:
                logits = factors.of_left.put(logits.reshape(factors.left.shape))
            leading = self.leads.of(factors.right, factors.values)
            attention = self._attention(
                made.scores, factors.values, leading, weights=factors.weights, logits=logits
            )
            self.unmet.meet(factors.left)
            output = self.handle(attention, partial(_multiplied, factors, attention))
            return factors.of_result.back(output)
        result: Tensor = func(*args, **kwargs)
        is_both = factors and all(map(self.running.depends, (factors.left, factors.right)))
        if factors and is_both and not result.is_nested:
            query, key = factors.queries_and_keys
            scores = self._scores(factors.left, factors.right, query)
            sides = tuple(result.shape[-2:])
            self.scores[result] = replace(scores, query=query, key=key, sides=sides)
            self._note_use(args, kwargs, result)
        else:
            self._follow(func, args, kwargs, result)
        return result

    def _weights_among(self, factors: Factors | None) -> tuple[Factors | None, Softmax | None]:
        """Find weights in a product W V, or V W^T, and give it as the former."""
        if factors is None:
            return None, None
        for product in (factors, factors.turned):
            made: Softmax | None = self.weights.get(product.left)
            if made and product.of_left.keeps_last(product.left) != made.is_turned:
                return product, made
        return factors, None

    def _follow(
        self, func: Any, args: Sequence[Any], kwargs: dict[str, Any], result: Tensor
    ) -> None:
        """Note what is still scores, or weights."""
        for given in tensors_in([args, kwargs]):
            if given is result:
                continue
            scores, weights = self.scores.get(given), self.weights.get(given)
            if weights is not None:
                self._follow_weights(weights, func, given, result)
            if scores is not None and func in SOFTMAXES:
                self._begin_weights(scores, _dim_of(args, kwargs), given, result)
            elif scores is not None and (func in RESHAPES or _is_alike(given, result)):
                self.scores[result] = scores  # in other sides meanwhile, as (T, rows, columns)
        self._note_use(args, kwargs, result)

    def _follow_weights(self, weights: Softmax, func: Any, given: Tensor, result: Tensor) -> None:
        if func in STILL_WEIGHTS:
            self.weights[result] = weights
        elif _is_turned(given, result):
            self.weights[result] = weights.turned
        elif _is_alike(given, result):  # gated, or mixed among the heads
            self.weights[result] = replace(weights, logits=None)

    def _begin_weights(
        self, scores: Scores, dim: int | None, given: Tensor, result: Tensor
    ) -> None:
        """Note a softmax of scores as weights, where it is over all keys."""
        if dim in {-1, result.dim() - 1} and given.shape[-2:] == scores.sides:
            self.weights[result] = Softmax(scores, given)
            self.unmet.begin(result)
        elif dim in {-2, result.dim() - 2} and given.shape[-2:] == scores.sides:
            self.unmet.begin(result)  # over queries, as slots compete for what they read
        else:
            self.unmet.leave(result)

    def _note_use(self, args: Sequence[Any], kwargs: dict[str, Any], result: Tensor) -> None:
        """Note where a softmax of scores may meet values in a way that is not seen."""

        def may_be_values(x: Tensor) -> bool:
            return not x.is_nested and self.running.depends(x) and x not in self.scores

        sources, is_weights = list(tensors_in([args, kwargs])), result in self.weights
        self.unmet.note(sources, result, may_be_values, is_weights=is_weights)

    def _scores(self, query: Tensor, key: Tensor, view: Tensor | None = None) -> Scores:
        """Note queries and keys; by a view of them, in which the sides of queries are in order."""
        shares, leading = self._shares(query, key), self.leads.of(query, view)
        return Scores(query, key, shares, leading, self.picked.holds(query, key))

    def _shares(self, query: Tensor, key: Tensor) -> bool:
        """Say whether queries and keys were computed from one of the arguments."""
        return not self.running.origin(query).isdisjoint(self.running.origin(key))

    def _attention(
        self, scores: Scores, value: Tensor, of_value: Leading | None, **more: Any
    ) -> Attention:
        running, frame = self.running, self.running.attending
        query, key, value = (one_of(x, frame.name) for x in (scores.query, scores.key, value))
        return Attention(
            frame.module,
            frame.name,
            scores.shares,
            scores.is_picked,
            running.batch,
            running.sentences,
            [argument.shape for argument in frame.arguments],
            query,
            key,
            value,
            scores.leading or of_value,
            **more,
        )


def _is_alike(given: Tensor, result: Tensor) -> bool:
    return given.shape[-2:] == result.shape[-2:]


def _is_turned(given: Tensor, result: Tensor) -> bool:
    """Say whether this is a view with the last two sides the other way round."""
    (*lead, high, wide), (*steps, down, right) = given.shape, given.stride()
    is_view = result.stride() == (*steps, right, down) and result.shape == (*lead, wide, high)
    return is_view and is_alias(given, result)


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
) -> Iterator[Watching]:
    """Let `handle` attend in place of each call of attention in a model, while within.

    Modules that are `known` attend in ways of their own, and are left alone.
    """
    running = Running(model, known | torchs_own(model))
    token = DONE.set({})
    try:
        # flex_attention compiles itself, and what is compiled is not seen
        eager, mode = torch.compiler.set_stance("force_eager"), Watching(running, handle)
        with eager, running.following(mode):
            yield mode
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
