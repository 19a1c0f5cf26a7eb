"""Calls of attention functions: the layers that they are, and how their heads are edited."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from regard.record.layers import Layer, Recorder, ScoredLayer, WeighedLayer
from regard.tracing.agreement import gives
from regard.tracing.calls import Allow, Call, Edit, Numbers, check_fit, evenly
from regard.tracing.functions import Attention, GoOn, watching
from regard.tracing.places import parted
from regard.tracing.whose import Whose

RECORDING: ContextVar[object] = ContextVar("recording", default=None)  # the innermost trace


# reading

Refuse = Callable[[Attention, ValueError], None]
"""What to do about a call that is no layer of one sentence, and why it is none."""


def raising(_: Attention, error: ValueError) -> None:
    """Raise what is wrong with a call."""
    raise error


@contextmanager
def recording_calls(
    model: nn.Module,
    numbers: Numbers,
    recorder: Recorder,
    known: frozenset[nn.Module] = frozenset(),
    refuse: Refuse = raising,
) -> Iterator[None]:
    """Record each call of attention in a model, for its one sentence, while within.

    What attends in several sentences at once is refused: by raising a ValueError, if not otherwise.
    """
    whose, me = Whose(model), object()

    def tell(attention: Attention, go_on: GoOn) -> Tensor:
        output, done = go_on()
        if RECORDING.get() is not me:  # a trace within this one: of another model, or its own
            return output
        try:
            layer = layer_of(done, whose.kind_of(attention))
        except ValueError as error:
            refuse(attention, error)
            return output
        address = numbers.give(attention.module, layer.kind)
        recorder.add(layer, address.number, address.path)
        return output

    token = RECORDING.set(me)
    try:
        with watching(model, tell, known):
            yield
    finally:
        RECORDING.reset(token)


def layer_of(attention: Attention, kind: str) -> Layer:
    """Give a call as a layer: queries and keys, where the softmax of them is what met the values.

    Raises
    ------
    ValueError
        If it attends in several sentences or windows at once.
    """
    query, key, value = (
        _one(x.detach(), attention) for x in (attention.query, attention.key, attention.value)
    )
    if attention.weights is not None:
        weights = _one(attention.weights.detach(), attention)
        for layer in _guesses(kind, query, key, value):
            if layer.shape == weights.shape and gives(layer, weights):
                return layer
        return WeighedLayer(kind, weights)
    allowed, bias = _mask_of(attention)
    scale = attention.scale
    return ScoredLayer(
        kind,
        query,
        key,
        value,
        query.size(-1) ** -0.5 if scale is None else scale,
        allowed=allowed,
        bias=bias,
        is_causal=attention.is_causal,
    )


def _guesses(kind: str, query: Tensor, key: Tensor, value: Tensor) -> Iterator[ScoredLayer]:
    """Guess how scores came from queries and keys: by a scale, or by none, as they were scaled."""
    for is_causal in (True, False):
        for scale in (query.size(-1) ** -0.5, 1.0):
            yield ScoredLayer(kind, query, key, value, scale, is_causal=is_causal)


def _one(x: Tensor, attention: Attention) -> Tensor:
    """Take the one sentence, (h, T, d): of (B, h, T, d), (h, T, d), (T, d), or with more sides."""
    sides = [side for side in x.shape[:-2] if side > 1]
    is_batch = x.dim() >= 4 and x.size(0) > 1
    if len(sides) > 1 or is_batch or attention.batch > 1:
        raise ValueError(
            f"{attention.name or 'The model'} attends as {tuple(x.shape)}: in several sentences or "
            "windows at once, so that a head has no one matrix of weights. Pass one sentence; what "
            "attends in windows cannot be traced."
        )
    return x.reshape(sides[0] if sides else 1, *x.shape[-2:])


def _mask_of(attention: Attention) -> tuple[Tensor | None, Tensor | None]:
    """Part a mask into who may attend and a bias, each broadcastable to (h, T, S)."""
    if attention.mask is None:
        return None, None
    mask = attention.mask.detach()
    return parted(mask.reshape(-1, *mask.shape[-2:]) if mask.dim() > 1 else mask[None, None])


def how_of(recorder: Recorder) -> str:
    """Say what the weights are computed from, and which are held themselves."""
    layers = [layer for of_kind in recorder.layers.values() for layer in of_kind.values()]
    weighed = [layer for layer in layers if isinstance(layer, WeighedLayer)]
    if not weighed:
        return "queries and keys"
    own = "weights as the module gave them, heads x queries x keys numbers a layer"
    if len(weighed) == len(layers):
        return own
    return f"queries and keys, but {len(weighed)} of {len(layers)} layers: {own}"


# editing


@contextmanager
def editing_calls(
    model: nn.Module, numbers: Numbers, edit: Edit, known: frozenset[nn.Module]
) -> Iterator[None]:
    """Edit what the heads of each call write, while within."""
    with watching(model, partial(_edited, numbers, edit, Whose(model)), known):
        yield


@contextmanager
def narrowing_calls(
    model: nn.Module, numbers: Numbers, allow: Allow, known: frozenset[nn.Module]
) -> Iterator[None]:
    """Narrow what the heads of each call may read, while within."""
    with watching(model, partial(_narrowed, numbers, allow, Whose(model)), known):
        yield


def _edited(
    numbers: Numbers, edit: Edit, whose: Whose, attention: Attention, go_on: GoOn
) -> Tensor:
    output, done = go_on()
    written = _apart(output, attention)  # (B, h, T, d_v)
    kind, num_heads = whose.kind_of(attention), written.size(1)

    def read_evenly() -> Tensor:
        value = _apart(attention.value, attention)
        return evenly(value, _may_read(done), num_heads).transpose(1, 2)

    address = numbers.give(attention.module, kind)
    call = Call(address, num_heads, lambda: written.transpose(1, 2), read_evenly)
    edited = edit(call)
    return output if edited is None else edited.transpose(1, 2).reshape(output.shape)


def _narrowed(
    numbers: Numbers, allow: Allow, whose: Whose, attention: Attention, go_on: GoOn
) -> Tensor:
    kind = whose.kind_of(attention)
    query, key = (_apart(x, attention) for x in (attention.query, attention.key))
    batch, num_heads, num_queries, _ = query.shape
    may = allow(numbers.give(attention.module, kind), num_heads)
    if may is None:
        return go_on()[0]
    check_fit(may, (batch, num_heads, num_queries, key.size(2)))
    may = may.to(query.device)
    if attention.weights is not None:
        return go_on(weights=_renewed(attention, may))[0]
    before = _may_read(attention)
    after = before & may
    output, _ = go_on(mask=_joined(attention.mask, after, attention))
    silenced = (before.any(-1) & ~after.any(-1)).expand(batch, num_heads, num_queries)
    if not silenced.any():
        return output
    written = _apart(output, attention).masked_fill(silenced[..., None], 0.0)
    return written.reshape(output.shape)


def _renewed(attention: Attention, may: Tensor) -> Tensor:
    """Take the softmax anew, among what may be read; of nothing, it is zeros."""
    weights = cast("Tensor", attention.weights)
    if attention.logits is None:
        raise ValueError(
            f"{attention.name or 'The model'} changes its weights after the softmax, so what its "
            "heads may read cannot be narrowed: block it in another way, such as in its mask."
        )
    logits = _apart(attention.logits, attention)
    renewed = logits.masked_fill(~may, float("-inf")).softmax(-1).nan_to_num()
    return renewed.to(weights.dtype).reshape(weights.shape)


def _joined(mask: Tensor | None, after: Tensor, attention: Attention) -> Tensor:
    """Join who may read with what a mask adds to the scores."""
    shape = (*attention.query.shape[:-2], *after.shape[-2:])
    may = after.expand(*_lead(attention.query, attention), *after.shape[-2:]).reshape(shape)
    if mask is None or mask.dtype == torch.bool:
        return may
    return mask.masked_fill(~may, float("-inf"))


def _may_read(attention: Attention) -> Tensor:
    """Say who may read whom: bool, broadcastable to (B, h, T, S)."""
    if attention.weights is not None:
        return _apart(attention.weights, attention) > 0
    query, key = attention.query, attention.key
    may = query.new_ones(1, 1, query.size(-2), key.size(-2), dtype=torch.bool)
    if attention.is_causal:
        return may.tril()
    allowed = None if attention.mask is None else parted(attention.mask)[0]
    if allowed is None:
        return may
    return may & (allowed if allowed.dim() == 4 else allowed.reshape(-1, *allowed.shape[-2:]))


def _apart(x: Tensor, attention: Attention) -> Tensor:
    """Give (B, h, T, d): of that, of (B h, T, d), or of (B, T, d)."""
    return x.reshape(*_lead(x, attention), *x.shape[-2:])


def _lead(x: Tensor, attention: Attention) -> tuple[int, int]:
    """Say how many sentences and heads there are."""
    lead, batch = x.shape[:-2], attention.batch
    if len(lead) == 2:
        return lead[0], lead[1]
    count = lead.numel()
    if len(lead) > 2 or count % batch:
        raise ValueError(
            f"{attention.name or 'The model'} attends as {tuple(x.shape)}, in {batch} sentences: "
            "its heads cannot be told apart."
        )
    return batch, count // batch
