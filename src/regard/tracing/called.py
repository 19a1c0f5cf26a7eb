"""Calls of attention functions: the layers that they are, and how their heads are edited."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from regard.record.layers import Layer, Recorder, ScoredLayer, WeighedLayer
from regard.record.windows import WindowedLayer
from regard.tracing.addresses import parted
from regard.tracing.calls import (
    Allow,
    Call,
    Edit,
    Numbers,
    anyone_reads,
    check_fit,
    evenly,
)
from regard.tracing.functions import Attention, GoOn, watching
from regard.tracing.whose import Whose
from regard.tracing.windows import check_rows, layer_of, leading_of

RECORDING: ContextVar[object] = ContextVar("recording", default=None)  # the innermost trace


# reading

Refuse = Callable[[Attention, ValueError], None]
"""What to do about a call that is no layer of one sentence, and why it is none."""


def raising(_: Attention, error: ValueError) -> None:
    """Raise what is wrong with a call."""
    raise error


def noting(missing: list[str]) -> Refuse:
    """Note the name of a call that is no layer among what is missing.

    From or to tokens that it picked, what a model gives itself is none either, and is refused.
    """

    def note(attention: Attention, error: ValueError) -> None:
        if attention.is_picked:
            raise error
        missing.append(attention.name)

    return note


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
        with watching(model, tell, known) as seeing:
            yield
            recorder.unmet += seeing.unmet.count
    finally:
        RECORDING.reset(token)


def how_of(recorder: Recorder) -> str:
    """Say what the weights are computed from, and which are held themselves."""
    layers = [layer for of_kind in recorder.layers.values() for layer in of_kind.values()]
    weighed = [layer for layer in layers if _is_weighed(layer)]
    how = own = "weights as the module gave them, heads x queries x keys numbers a layer"
    if not weighed:
        how = "queries and keys"
    elif len(weighed) < len(layers):
        how = f"queries and keys, but {len(weighed)} of {len(layers)} layers: {own}"
    if any(isinstance(x, ScoredLayer) and x.is_shared for x in layers):
        how += "; a softmax is over what a decoder and its cross-attention read, together 1"
    return f"{how}{unmet_in(recorder)}"


def without(missing: Collection[str], sides: Collection[str] = ()) -> str:
    """Say what attended and is not shown: calls, or all of an encoder or decoder."""
    unknown = [f"the {side}, which attends in a way that is not seen" for side in sorted(sides)]
    if missing and not unknown:
        paths = ", ".join(dict.fromkeys(missing))
        unknown = [f"{len(missing)} layers that attend in windows or blocks: {paths}"]
    return f", without {' and '.join(unknown)}" if unknown else ""


def unmet_in(recorder: Recorder) -> str:
    """Say how many softmaxes are no layers, though they are of queries and keys; or nothing."""
    count = recorder.unmet
    plural = "es" if count > 1 else ""
    is_missing = f"; {count} softmax{plural} of queries and keys met no values"
    return f"{is_missing}, and {'are' if count > 1 else 'is'} not shown" if count else ""


def _is_weighed(layer: Layer) -> bool:
    one = layer.windows[0] if isinstance(layer, WindowedLayer) else layer
    return isinstance(one, WeighedLayer)


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
    call = Call(
        address,
        num_heads,
        lambda: written.transpose(1, 2),
        read_evenly,
        lambda: anyone_reads(_may_read(done)),
    )
    edited = edit(call)
    if edited is None:
        return output
    return leading_of(attention).together(edited.transpose(1, 2), output.shape)


def _narrowed(
    numbers: Numbers, allow: Allow, whose: Whose, attention: Attention, go_on: GoOn
) -> Tensor:
    kind = whose.kind_of(attention)
    query, key = (_apart(x, attention) for x in (attention.query, attention.key))
    batch, num_heads, num_queries, _ = query.shape
    may = allow(numbers.give(attention.module, kind), num_heads)
    if may is None:
        return go_on()[0]
    check_rows(attention)
    _check_windows(attention, batch)
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
    return leading_of(attention).together(written, output.shape)


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
    return leading_of(attention).together(renewed.to(weights.dtype), weights.shape)


def _joined(mask: Tensor | None, after: Tensor, attention: Attention) -> Tensor:
    """Join who may read with what a mask adds to the scores."""
    leading, lead = leading_of(attention), attention.query.shape[:-2]
    sentences, num_heads, _, _ = leading.apart(attention.query).shape
    may = after.expand(sentences, num_heads, *after.shape[-2:])
    may = leading.together(may, (*lead, *after.shape[-2:]))
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
    return may if allowed is None else may & leading_of(attention).of_mask(allowed)


def _apart(x: Tensor, attention: Attention) -> Tensor:
    """Give (N, h, T, d), of N sentences or windows."""
    return leading_of(attention).apart(x)


def _check_windows(attention: Attention, count: int) -> None:
    """Raise where edges among all tokens are meant for what attends in windows."""
    if count > attention.batch and count % attention.batch == 0:
        raise ValueError(
            f"{attention.name or 'The model'} attends in {count // attention.batch} windows, so "
            "that edges among all tokens cannot be blocked in it: block other layers, by heads=, "
            "or cut whole heads by `regard.ablate`, which cuts them in all windows."
        )
