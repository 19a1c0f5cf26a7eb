"""How a transformers model is traced: at its own `AttentionInterface`.

While the model runs, the attention function that the interface gives to a layer also tells us what
it was called with: queries, keys, values and mask. The model keeps its own implementation's name,
since some act by it. What the weights of three queries make of the values is held against what the
function gave. Where a layer does something that we do not know, the model runs again under its own
eager function, which knows more than sdpa; and where that is not understood either, its eager
weights are taken as they are.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from regard.record.layers import Recorder, ScoredLayer, WeighedLayer
from regard.tracing.interface import Attend, Stage, wrapping

CROSS = re.compile(r"cross|enc(oder)?_?dec(oder)?_?att|encoder_attn|enc_attn", re.IGNORECASE)
TRACING = threading.RLock()  # an implementation is a setting of the model: one trace at a time
# how far a recomputed output may be off, by the precision of the model, per size of the values
TOLERANCES = {torch.float64: 1e-5, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
SHORT = 64  # queries


class NotUnderstoodError(Exception):
    """A layer's weights are not the softmax of what it gave us."""


class Watch:
    """What one traced forward pass has seen so far."""

    def __init__(self, model: PreTrainedModel, recorder: Recorder) -> None:
        self.recorder = recorder
        self.names = {id(module): name for name, module in model.named_modules()}
        self.is_two_sided = bool(getattr(model.config, "is_encoder_decoder", False))
        self.masks: dict[int, tuple[Tensor, Tensor | None, Tensor | None]] = {}
        self.query: Tensor | None = None  # of the call before

    @property
    def is_complete(self) -> bool:
        """Say whether all sides of the model have attended through the interface."""
        needed = {"encoder", "decoder"} if self.is_two_sided else set()
        return bool(self.recorder.counts) and needed <= self.recorder.counts.keys()

    def kind_of(self, module: nn.Module, layer: ScoredLayer) -> str:
        """Say whose attention a module is, by its name, or by whether it may see the future."""
        name = self.names.get(id(module), "")
        if getattr(module, "is_cross_attention", False) or CROSS.search(name):
            return "cross"
        if self.is_two_sided and re.search(r"(^|\.)(de|en)coder\.", name):
            return "decoder" if re.search(r"(^|\.)decoder\.", name) else "encoder"
        return "encoder" if may_see_the_future(layer) else "decoder"

    def parted(self, mask: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Part a mask of the first sentence into who may attend (bool) and a bias, each once."""
        if mask is None:
            return None, None
        if id(mask) not in self.masks:
            self.masks[id(mask)] = (mask, *parted(mask[0].detach()))
        return self.masks[id(mask)][1:]


@contextmanager
def watching(model: PreTrainedModel, recorder: Recorder) -> Iterator[Watch]:
    """Let the attention functions of this thread's forward passes tell what they are given."""
    watch = Watch(model, recorder)
    with wrapping(Stage.WATCH, lambda name, attend: _telling(watch, name, attend)):
        yield watch


def _telling(watch: Watch, name: str, attend: Attend) -> Attend:
    """Give an attention function that tells the watch what it is called with."""

    @wraps(attend)
    def tell(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None = None,
        **options: Any,
    ) -> tuple[Tensor, Tensor | None]:
        given = {option for option, setting in options.items() if setting is not None}
        if name == "sdpa" and given & {"softcap", "s_aux"}:
            raise NotUnderstoodError  # by sdpa: the model's eager function knows them
        output, weights = attend(module, query, key, value, attention_mask, **options)
        is_causal = attends_causally(name, module, attention_mask, options)
        options.pop("is_causal", None)
        masks = watch.parted(attention_mask)
        layer = layer_of((query, key, value), *masks, is_causal=is_causal, **options)
        check_output(layer, output)
        if query is not watch.query:  # else the same once more, to other values (DiffLlama)
            watch.query = query
            _keep(watch, module, layer)
        return output, weights

    return tell


def attends_causally(
    name: str, module: nn.Module, mask: Tensor | None, options: Mapping[str, Any]
) -> bool:
    """Say whether an implementation keeps its queries from the future without a mask."""
    causal = options.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    return bool(causal) and mask is None and name != "eager"  # eager obeys its mask only


def layer_of(
    states: tuple[Tensor, ...],
    allowed: Tensor | None,
    bias: Tensor | None,
    *,
    is_causal: bool,
    scaling: float | None = None,
    position_bias: Tensor | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_: Any,
) -> ScoredLayer:
    """Put together what an attention function was called with."""
    query, key, value = (x.detach() for x in states)  # (1, heads, tokens, features)
    if query.size(0) != 1 or key.size(0) != 1:
        raise NotUnderstoodError  # windows of one picture, as several sentences
    if position_bias is not None:
        bias = position_bias[0].detach() if bias is None else position_bias[0].detach() + bias
    num_keys = key.size(2)  # masks for a cache may be longer
    return ScoredLayer(
        "",
        query[0],
        key[0],
        value[0],
        float(query.size(-1) ** -0.5 if scaling is None else scaling),
        allowed=None if allowed is None else allowed[..., :num_keys],
        bias=None if bias is None else bias[..., :num_keys],
        is_causal=is_causal and (query.size(2) > 1 or num_keys == 1),
        softcap=softcap,
        sinks=None if s_aux is None else s_aux.detach().flatten(),
    )


def _keep(watch: Watch, module: nn.Module, layer: ScoredLayer) -> None:
    kind = watch.kind_of(module, layer)
    _, num_queries, num_keys = layer.shape
    if kind != "cross" and num_queries != num_keys:
        raise NotUnderstoodError  # both sides in one softmax (T5Gemma 2)
    watch.recorder.add(replace(layer, kind=kind))


def parted(mask: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Part a mask (h or 1, Q or 1, K): bool, or float to be added, very low where it forbids."""
    if mask.dtype == torch.bool:
        return mask, None
    if not mask.is_floating_point():
        raise NotUnderstoodError
    allowed = mask > torch.finfo(mask.dtype).min / 2
    bias = mask.masked_fill(~allowed, 0.0)
    return (None if allowed.all() else allowed), (bias if bias.any() else None)


def check_output(layer: ScoredLayer, output: Tensor) -> None:
    """Hold what the weights of the first, middle and last query make of the values against output.

    Raises
    ------
    NotUnderstoodError
        If they differ: then the layer does something that a `ScoredLayer` does not say.
    """
    num_heads, num_queries, _ = layer.shape
    value = layer.value
    if value is None or output.dim() != 4 or output.shape[1:3] != (num_queries, num_heads):
        raise NotUnderstoodError
    with torch.autocast(output.device.type, enabled=False):
        value = layer.of_heads(value, slice(None)).float()
        if not _agrees_at_once(layer, value, output):
            _check_rows(layer, value, output)


def _agrees_at_once(layer: ScoredLayer, value: Tensor, output: Tensor) -> bool:
    """Compare all queries of a short text, which takes less time than three of them one by one."""
    if layer.shape[1] > SHORT:
        return False
    ours = (layer.weigh() @ value).transpose(0, 1)  # (Q, h, d_v)
    return bool((ours - output[0].float()).abs().max() <= TOLERANCES[output.dtype])


def _check_rows(layer: ScoredLayer, value: Tensor, output: Tensor) -> None:
    _, num_queries, _ = layer.shape
    tolerance = TOLERANCES[output.dtype] * (1 + float(value.nan_to_num().abs().max()))
    for row in {0, num_queries // 2, num_queries - 1}:
        weights = layer.weigh(rows=slice(row, row + 1))  # (h, 1, K)
        if not weights.any():
            continue  # may read nothing: what it writes is undefined
        ours, theirs = (weights @ value)[:, 0], output[0, row].float()  # (h, d_v)
        if not torch.allclose(ours, theirs, rtol=0, atol=tolerance, equal_nan=True):
            raise NotUnderstoodError


def may_see_the_future(layer: ScoredLayer) -> bool:
    """Say whether some query may read the key after it."""
    if layer.is_causal:
        return False
    if layer.allowed is None:
        return True
    _, num_queries, num_keys = layer.shape
    allowed = layer.allowed.expand(-1, num_queries, num_keys)
    return bool(allowed.diagonal(1, -2, -1).any()) or min(num_queries, num_keys) == 1


@contextmanager
def attending(model: PreTrainedModel, implementation: str) -> Iterator[None]:
    """Let the model attend by another implementation, and by its own again afterwards."""
    with TRACING:
        configs = {id(config): config for config in _configs(model)}.values()
        before = [(config, vars(config).get("_attn_implementation_internal")) for config in configs]
        try:
            _set_implementation(model, implementation)
            yield
        finally:
            for config, name in before:
                config._attn_implementation_internal = name  # noqa: SLF001  the setter would set its parts too


def _set_implementation(model: PreTrainedModel, implementation: str) -> None:
    if not model._can_set_attn_implementation():  # noqa: SLF001  else it warns and does nothing
        return
    try:
        model.set_attn_implementation(implementation)
    except ValueError as error:  # a part of the model, such as its backbone, cannot
        raise NotUnderstoodError from error


def _configs(model: PreTrainedModel) -> Iterator[Any]:
    """Give every configuration in use, those inside others too."""
    waiting = [m.config for m in model.modules() if isinstance(m, PreTrainedModel)]
    while waiting:
        config = waiting.pop()
        yield config
        parts = (getattr(config, name, None) for name in getattr(config, "sub_configs", ()))
        waiting += [part for part in parts if part is not None]


def record(
    model: PreTrainedModel, inputs: Mapping[str, Any], new_recorder: Callable[[], Recorder]
) -> tuple[Recorder, Any, str]:
    """Run the model once; give its layers, its outputs, and what the weights are computed from.

    Raises
    ------
    ValueError
        If the model has no attention that can be traced.
    """
    for implementation in _implementations(model):
        recorder = new_recorder()
        try:
            with attending(model, implementation), watching(model, recorder) as watch:
                outputs = model(**inputs)
        except NotUnderstoodError:
            continue
        if watch.is_complete:
            return recorder, outputs, "queries and keys"
    outputs = eager_outputs(model, inputs)
    recorder = eager_weights(outputs, new_recorder())
    if not recorder.counts:
        raise ValueError(
            f"{type(model).__name__} has no attention that can be traced: it attends neither "
            "through transformers' AttentionInterface, nor does it give weights for "
            "output_attentions=True under eager."
        )
    return recorder, outputs, "eager weights"


def eager_outputs(model: PreTrainedModel, inputs: Mapping[str, Any]) -> Any:
    """Ask the model itself for its weights; where it cannot be set to eager, as it is."""
    try:
        with attending(model, "eager"):
            return model(**inputs, output_attentions=True)
    except NotUnderstoodError:
        return model(**inputs, output_attentions=True)


def _implementations(model: PreTrainedModel) -> tuple[str, ...]:
    """Give the implementations under which the model can be watched, the leaner first."""
    if not model._can_set_attn_implementation():  # noqa: SLF001  transformers says it nowhere else
        return ()
    return ("sdpa", "eager") if model._supports_sdpa else ("eager",)  # noqa: SLF001  likewise


def eager_weights(outputs: Any, recorder: Recorder) -> Recorder:
    """Take the weights that a model gave for output_attentions=True."""
    kinds = {
        "encoder_attentions": "encoder",
        "attentions": None,
        "decoder_attentions": "decoder",
        "cross_attentions": "cross",
    }
    for name, kind in kinds.items():
        for weights in getattr(outputs, name, None) or ():
            if isinstance(weights, Tensor) and weights.dim() == 4:
                if weights.size(0) > 1:
                    raise ValueError(
                        f"The model attends within {weights.size(0)} windows or blocks at once, so "
                        "that a head has no one matrix of weights: it cannot be traced."
                    )
                sees_the_future = bool(weights.triu(1).any())
                of_kind = kind or ("encoder" if sees_the_future else "decoder")
                recorder.add(WeighedLayer(of_kind, weights[0].detach()))
    return recorder
