"""A transformers model: how it is traced, and how its heads are edited, at `AttentionInterface`.

While the model runs, the attention function that the interface gives to a layer also tells us what
it was called with: queries, keys, values and mask. The model keeps its own implementation's name,
since some act by it. What the weights of three queries make of the values is held against what the
function gave. Where a layer does something that we do not know, the model runs again under its own
eager function, which knows more than sdpa; and where that is not understood either, its eager
weights are taken as they are.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from regard.record.layers import Recorder, ScoredLayer
from regard.record.windows import WindowedLayer
from regard.tracing.addresses import Addressed, Addresses
from regard.tracing.agreement import NotUnderstoodError, check_output
from regard.tracing.called import (
    how_of,
    noting,
    recording_calls,
    without,
)
from regard.tracing.calls import Allow, Call, Edit, Numbers, check_fit, evenly
from regard.tracing.eager import watch_eager
from regard.tracing.functions import unwatched
from regard.tracing.implementations import attending, implementations, own_implementation
from regard.tracing.inputs import Inputs, inputs_of_pretrained, write_on
from regard.tracing.interface import Asked, GoOn, Stage, wrapping
from regard.tracing.merged import both_sides
from regard.tracing.modules import Hooked, recording_all
from regard.tracing.own_ways import has_own_ways, note_that_all_is_asked
from regard.tracing.texts import Sentence

Attended = tuple[Tensor, Tensor | None]  # what the heads wrote (B, T, h, d_v), and weights


@dataclass(frozen=True)
class Pretrained:
    """A transformers model: the kind that attends through `AttentionInterface`."""

    model: PreTrainedModel

    @property
    def can_generate(self) -> bool:
        """Whether it has a head that writes."""
        return bool(self.model.can_generate())

    @property
    def is_two_sided(self) -> bool:
        """Whether it has a decoder beside an encoder."""
        return bool(self.model.config.is_encoder_decoder)

    @property
    def kinds(self) -> None:
        """Its kinds of attention: it does not tell before it runs."""

    @property
    def embeddings(self) -> nn.Module | None:
        """What turns ids into vectors; None where there are several such."""
        try:
            return self.model.get_input_embeddings()
        except NotImplementedError:
            return None

    @property
    def hint(self) -> str:
        """What to say where nothing attended, though the model ran."""
        return (
            f" If you did: {type(self.model).__name__} attends neither through transformers' "
            "AttentionInterface nor in a way that is seen, so its heads cannot be edited there: "
            "zero a head by a forward-pre-hook on the output projection of its layer, which is "
            "given the heads side by side."
        )

    def inputs(
        self,
        sentence: Sentence,
        tokenizer: PreTrainedTokenizerBase | None,
        target: str | None,
        max_new_tokens: int | None = None,
    ) -> Inputs:
        """Prepare what the model is called with."""
        return inputs_of_pretrained(sentence, self.model, tokenizer, target, max_new_tokens)

    def write_on(
        self, inputs: Inputs, tokenizer: PreTrainedTokenizerBase | None, max_new_tokens: int
    ) -> Inputs:
        """Let a decoder continue its prompt."""
        return write_on(inputs, self.model, tokenizer, max_new_tokens)

    def watch(
        self, inputs: Inputs, new_recorder: Callable[[], Recorder]
    ) -> tuple[Recorder, Any, str]:
        """Run the model once; give its layers, its outputs, and what weights are computed from.

        Raises
        ------
        ValueError
            If the model has no attention that can be traced.
        """
        for implementation in implementations(self.model):
            recorder, missing = new_recorder(), list[str]()
            watch = watching(self.model, recorder, missing)
            try:
                with attending(self.model, implementation), watch as num_asked:
                    outputs = self.model(**inputs.named)
            except NotUnderstoodError:
                continue
            needed = {"encoder", "decoder"} if self.is_two_sided else set()
            if recorder.counts and needed <= recorder.counts.keys():
                if num_asked.total() == recorder.counts.total() and not missing:
                    note_that_all_is_asked(self.model)
                return recorder, outputs, how_of(recorder) + without(missing)
        if own := own_implementation(self.model):
            return self._watch_within(own, inputs, new_recorder())
        recorder, outputs, how = watch_eager(self.model, inputs.named, new_recorder)
        if not recorder.counts:
            raise ValueError(
                f"{type(self.model).__name__} has no attention that can be traced: it attends "
                "neither through transformers' AttentionInterface, nor does it give weights for "
                "output_attentions=True under eager."
            )
        return recorder, outputs, how

    def _watch_within(
        self, own: str, inputs: Inputs, recorder: Recorder
    ) -> tuple[Recorder, Any, str]:
        """Watch what a user's attention function calls: it does not do what it is asked alone."""
        numbers = Numbers(self.model)
        with numbers.counting(), recording_calls(self.model, numbers, recorder):
            outputs = self.model(**inputs.named)
        if recorder.counts:
            return recorder, outputs, f"{how_of(recorder)}, within {own!r}"
        raise ValueError(
            f"{type(self.model).__name__} attends by {own!r}, a function that was registered: what "
            "it writes is not what the softmax of its queries and keys, under its mask, makes of "
            "the values, and no attention that it calls was seen. Trace it under one of "
            'transformers\' own: model.set_attn_implementation("sdpa").'
        )

    @contextmanager
    def editing(self, numbers: Numbers, edit: Edit) -> Iterator[None]:
        """Edit what the heads write, while within."""
        with ExitStack() as ways:
            if self._is_asked:
                ways.enter_context(self._handling(Stage.EDIT, numbers, partial(_edited, edit=edit)))
            if has_own_ways(self.model):
                ways.enter_context(Hooked(self.model).editing(numbers, edit))
            yield

    @contextmanager
    def narrowing(self, numbers: Numbers, allow: Allow) -> Iterator[None]:
        """Narrow what the heads may read, while within."""
        with ExitStack() as ways:
            if self._is_asked:
                handling = self._handling(Stage.NARROW, numbers, partial(_narrowed, allow=allow))
                ways.enter_context(handling)
            if has_own_ways(self.model):
                ways.enter_context(Hooked(self.model).narrowing(numbers, allow))
            yield

    @property
    def _is_asked(self) -> bool:
        """Whether it attends through `AttentionInterface`."""
        return bool(self.model._can_set_attn_implementation())  # noqa: SLF001  said nowhere else

    @contextmanager
    def _handling(
        self, stage: Stage, numbers: Numbers, change: Callable[..., Attended]
    ) -> Iterator[None]:
        addresses = Addresses(self.model, numbers)

        @unwatched()
        def handle(asked: Asked, go_on: GoOn) -> Attended:
            if not addresses.has(asked.module):
                return go_on()
            return change(Addressed(asked, addresses, addresses.of(asked)), go_on)

        with addresses.counting_turns(), wrapping(stage, handle):
            yield


# reading


@contextmanager
def watching(
    model: PreTrainedModel, recorder: Recorder, missing: list[str]
) -> Iterator[Counter[str]]:
    """Let the attention functions of this thread's forward passes tell what they are given.

    What attends in a way of its own that is no layer is noted among what is missing. Gives how many
    layers of each kind were asked for.
    """
    num_asked: Counter[str] = Counter()
    windows: list[ScoredLayer] = []  # of the layer that attends
    numbers = Numbers(model)
    addresses = Addresses(model, numbers)

    @unwatched()
    def tell(asked: Asked, go_on: GoOn) -> Attended:
        if not addresses.has(asked.module):
            return go_on()
        given = {name for name, setting in asked.options.items() if setting is not None}
        if asked.name == "sdpa" and given & {"softcap", "s_aux"}:
            raise NotUnderstoodError  # by sdpa: the model's eager function knows them
        output, weights = go_on()
        is_more = addresses.goes_on(asked)
        address = addresses.of(asked)
        tiles = [replace(tile, kind=address.kind) for tile in _layers_of(asked, addresses)]
        for tile, of_tile in zip(tiles, output, strict=True):
            check_output(tile, of_tile[None])
        if addresses.other:
            own, cross = both_sides(tiles[0])
            recorder.add(own, address.number, address.path)
            recorder.add(cross, addresses.other.number, address.path)
            num_asked.update([address.kind, cross.kind])
            return output, weights
        _, num_queries, num_keys = tiles[0].shape
        if address.kind != "cross" and num_queries != num_keys:
            raise NotUnderstoodError
        windows[:] = [*windows, *tiles] if is_more else tiles
        layer = tiles[0] if len(windows) == 1 else WindowedLayer(tuple(windows))
        if is_more:
            recorder.replace(layer, address.number)
        else:
            recorder.add(layer, address.number, address.path)
            num_asked[address.kind] += 1
        return output, weights

    with ExitStack() as ways:
        ways.enter_context(numbers.counting())
        if has_own_ways(model):
            refuse = noting(missing)
            ways.enter_context(recording_all(model, numbers, recorder, refuse=refuse))
        ways.enter_context(addresses.counting_turns())
        ways.enter_context(wrapping(Stage.WATCH, tell))
        yield num_asked


def _layers_of(asked: Asked, addresses: Addresses) -> list[ScoredLayer]:
    """Put together what an attention function was called with: of one sentence, or of each tile."""
    if asked.query.size(0) == 1 == asked.key.size(0):
        return [_layer_of(asked, 0, *addresses.parted(asked))]
    is_shared = asked.plain_mask is None or asked.plain_mask.size(0) == 1
    if not is_shared or asked.options.get("position_bias") is not None:
        raise NotUnderstoodError  # each tile has a mask of its own
    masks = addresses.parted(asked)
    return [_layer_of(asked, tile, *masks) for tile in range(asked.query.size(0))]


def _layer_of(asked: Asked, tile: int, allowed: Tensor | None, bias: Tensor | None) -> ScoredLayer:
    options = asked.options
    query, key, value = (x.detach()[tile] for x in (asked.query, asked.key, asked.value))
    position, scaling = options.get("position_bias"), options.get("scaling")
    if position is not None:
        bias = position[0].detach() if bias is None else position[0].detach() + bias
    num_keys, sinks = key.size(1), options.get("s_aux")  # masks for a cache may be longer
    return ScoredLayer(
        "",
        query,
        key,
        value,
        float(query.size(-1) ** -0.5 if scaling is None else scaling),
        allowed=None if allowed is None else allowed[..., :num_keys],
        bias=None if bias is None else bias[..., :num_keys],
        is_causal=asked.is_causal,
        softcap=options.get("softcap"),
        sinks=None if sinks is None else sinks.detach().flatten(),
    )


# editing


def _edited(place: Addressed, go_on: GoOn, *, edit: Edit) -> Attended:
    output, weights = go_on()
    batch, num_heads, num_queries, _ = place.asked.query.shape
    if output.shape[:3] != (batch, num_queries, num_heads):
        raise ValueError(
            f"{place.addresses.model} gives what its heads write as {tuple(output.shape)}, not as "
            "(sentences, queries, heads, features): its heads cannot be told apart."
        )
    for address in place.all:
        call = Call(
            address,
            num_heads,
            partial(_as_it_is, output),
            lambda: evenly(place.asked.value, place.allowed(), num_heads).transpose(1, 2),
            place.is_read,
        )
        edited = edit(call)
        output = output if edited is None else edited
    return output, weights


def _as_it_is(output: Tensor) -> Tensor:
    return output


def _narrowed(place: Addressed, go_on: GoOn, *, allow: Allow) -> Attended:
    query = place.asked.query
    may = _may_read(place, allow)
    if may is None:
        return go_on()
    before = place.allowed()
    after = before & may.to(query.device)
    output, weights = go_on(_mask_of(place, after))
    # a reader with nothing left writes nothing, where some functions read all of it alike
    silenced = before.any(-1) & ~after.any(-1)  # (B or 1, h or 1, T)
    if silenced.any():
        output = output.masked_fill(silenced.transpose(1, 2)[..., None], 0.0)
    return output, weights


def _may_read(place: Addressed, allow: Allow) -> Tensor | None:
    """Ask who may read whom, on each side: bool (B or 1, h or 1, T, S); None to leave it."""
    batch, num_heads, num_queries, _ = place.asked.query.shape
    asked = [allow(address, num_heads) for address in place.all]
    if all(one is None for one in asked):
        return None
    num_keys = place.asked.key.size(2)
    sides = [num_keys] if len(asked) == 1 else [num_queries, num_keys - num_queries]
    may = []
    for one, of_side in zip(asked, sides, strict=True):
        shape = (batch, num_heads, num_queries, of_side)
        if one is not None:
            check_fit(one, shape)
        may.append(torch.ones(1, 1, *shape[2:], dtype=torch.bool) if one is None else one)
    lead = torch.broadcast_shapes(*(one.shape[:2] for one in may))
    return torch.cat([one.cpu().expand(*lead, -1, -1) for one in may], dim=-1)


def _mask_of(place: Addressed, after: Tensor) -> Tensor:
    """Give the mask that lets read what is left; eager takes a float, to be added."""
    query = place.asked.query
    if place.mask is None or place.mask.dtype == torch.bool:
        if place.asked.name != "eager":
            return after.expand(query.size(0), -1, -1, -1)
        bias = torch.zeros((), dtype=query.dtype, device=query.device)
    else:
        bias = place.mask
    return torch.where(after, bias, torch.finfo(bias.dtype).min)
