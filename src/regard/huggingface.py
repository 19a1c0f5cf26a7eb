"""How a transformers model is traced: through its own `AttentionInterface`.

The model runs under an attention function of ours, which hands over to sdpa and keeps the queries
and keys. What the weights of three queries make of the values is held against what sdpa gave; where
a layer does something that we do not know, the model runs again, under its own eager function, and
where that is not understood either, its eager weights are taken as they are.
"""

import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import (
    AttentionMaskInterface,
    eager_mask,
    sdpa_mask,
)

from regard.recording import Recorder, ScoredLayer, WeighedLayer

SDPA = "regard"  # what our attention functions are registered as
EAGER = "regard_own"
CROSS = re.compile(r"cross|enc(oder)?_?dec(oder)?_?att|encoder_attn|enc_attn", re.IGNORECASE)
TRACING = threading.RLock()  # an implementation is a setting of the model: one trace at a time
# how far a recomputed output may be off, by the precision of the model, per size of the values
TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}


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
        """Say whether all sides of the model have attended through us."""
        needed = {"encoder", "decoder"} if self.is_two_sided else set()
        return bool(self.recorder.counts) and needed <= self.recorder.counts.keys()

    def kind_of(self, module: nn.Module, layer: ScoredLayer) -> str:
        """Say whose attention a module is, by its name, or by whether it sees the future."""
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
            self.masks[id(mask)] = (mask, *_parted(mask[0]))
        return self.masks[id(mask)][1:]


_WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


def _attend_sdpa(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attend as sdpa does, and keep what a trace needs."""
    if options.get("softcap") is not None or options.get("s_aux") is not None:
        raise NotUnderstoodError  # of sdpa: the model's eager function knows them
    functions = getattr(sys.modules[type(module).__module__], "ALL_ATTENTION_FUNCTIONS", {})
    attend = functions.get("sdpa", sdpa_attention_forward)
    output, _ = attend(module, query, key, value, attention_mask, **options)
    causal = options.pop("is_causal", None)
    causal = getattr(module, "is_causal", True) if causal is None else causal
    is_causal = bool(causal) and attention_mask is None and query.size(2) > 1
    _keep(module, (query, key, value), attention_mask, output, is_causal=is_causal, **options)
    return output, None


def _attend_eager(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, Tensor]:
    """Attend as the model's own eager function does, and keep what a trace needs."""
    attend = getattr(sys.modules[type(module).__module__], "eager_attention_forward", None)
    if attend is None:
        raise NotUnderstoodError
    output, weights = attend(module, query, key, value, attention_mask, **options)
    options.pop("is_causal", None)  # the mask says it
    _keep(module, (query, key, value), attention_mask, output, is_causal=False, **options)
    return output, weights


AttentionInterface.register(SDPA, _attend_sdpa)
AttentionInterface.register(EAGER, _attend_eager)
AttentionMaskInterface.register(SDPA, sdpa_mask)
AttentionMaskInterface.register(EAGER, eager_mask)


def _keep(
    module: nn.Module,
    states: tuple[Tensor, Tensor, Tensor],
    mask: Tensor | None,
    output: Tensor,
    *,
    is_causal: bool,
    scaling: float | None = None,
    position_bias: Tensor | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_: Any,
) -> None:
    watch = _WATCH.get()
    if watch is None:  # another thread's forward pass on a model that is being traced
        return
    query, key, value = (x.detach() for x in states)  # (1, heads, tokens, features)
    if query.size(0) != 1 or key.size(0) != 1:
        raise NotUnderstoodError  # windows of one picture, as several sentences
    allowed, bias = watch.parted(mask)
    if position_bias is not None:
        bias = position_bias[0] if bias is None else position_bias[0] + bias
    layer = ScoredLayer(
        "",
        query[0],
        key[0],
        value[0],
        float(query.size(-1) ** -0.5 if scaling is None else scaling),
        allowed=_cut(allowed, key.size(2)),
        bias=_cut(bias, key.size(2)),
        is_causal=is_causal,
        softcap=softcap,
        sinks=None if s_aux is None else s_aux.detach(),
    )
    check_output(layer, output)
    if states[0] is watch.query:  # the same attention once more, to other values (DiffLlama)
        return
    watch.query = states[0]
    kind = watch.kind_of(module, layer)
    if kind != "cross" and key.size(2) != query.size(2):
        raise NotUnderstoodError  # both sides in one softmax (T5Gemma 2)
    watch.recorder.add(replace(layer, kind=kind))


def _cut(x: Tensor | None, num_keys: int) -> Tensor | None:
    """Masks for a cache may be longer than the keys."""
    return None if x is None else x.detach()[..., :num_keys]


def _parted(mask: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Part a mask (h or 1, Q or 1, K): bool, or float to be added, very low where it forbids."""
    if mask.dtype == torch.bool:
        return mask, None
    if not mask.is_floating_point():
        raise NotUnderstoodError
    allowed = mask > torch.finfo(mask.dtype).min / 2
    bias = mask.masked_fill(~allowed, 0.0)
    return (None if allowed.all() else allowed), (bias if bias.any() else None)


def check_output(layer: ScoredLayer, output: Tensor) -> None:
    """Hold what the weights of the first, middle and last query make of the values against sdpa's.

    Raises
    ------
    NotUnderstoodError
        If they differ: then the layer does something that a `ScoredLayer` does not say.
    """
    num_heads, num_queries, _ = layer.shape
    value = layer.value
    if value is None or output.dim() != 4 or output.shape[1:3] != (num_queries, num_heads):
        raise NotUnderstoodError
    value = layer.of_heads(value, slice(None)).float()
    tolerance = TOLERANCES[output.dtype] * (1 + float(value.abs().max()))
    for row in {0, num_queries // 2, num_queries - 1}:
        weights = layer.weigh(rows=slice(row, row + 1))  # (h, 1, K)
        if not weights.any():
            continue  # may read nothing: what it writes is undefined
        off = (weights @ value)[:, 0] - output[0, row].float()
        if not float(off.abs().max()) <= tolerance:  # NaN too
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
            if model._can_set_attn_implementation():  # noqa: SLF001  else it warns and does nothing
                model.set_attn_implementation(implementation)
            yield
        finally:
            for config, name in before:
                config._attn_implementation_internal = name  # noqa: SLF001  the setter would set its parts too


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
        with attending(model, implementation), watching(model, recorder) as watch:
            try:
                outputs = model(**inputs)
            except NotUnderstoodError:
                continue
        if watch.is_complete:
            return recorder, outputs, "queries and keys"
    with attending(model, "eager"):
        outputs = model(**inputs, output_attentions=True)
    recorder = eager_weights(outputs, new_recorder())
    if not recorder.counts:
        raise ValueError(
            f"{type(model).__name__} has no attention that can be traced: it attends neither "
            "through transformers' AttentionInterface, nor does it give weights for "
            "output_attentions=True under eager."
        )
    return recorder, outputs, "eager weights"


def _implementations(model: PreTrainedModel) -> tuple[str, ...]:
    """Give our attention functions that the model can run under, the leaner first."""
    if not model._can_set_attn_implementation():  # noqa: SLF001  transformers says it nowhere else
        return ()
    return (SDPA, EAGER) if model._supports_sdpa else (EAGER,)  # noqa: SLF001  likewise


@contextmanager
def watching(model: PreTrainedModel, recorder: Recorder) -> Iterator[Watch]:
    """Let our attention functions, in this thread, record what they are given."""
    watch = Watch(model, recorder)
    token = _WATCH.set(watch)
    try:
        yield watch
    finally:
        _WATCH.reset(token)


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
            if isinstance(weights, Tensor) and weights.dim() == 4 and weights.size(0) == 1:
                sees_the_future = bool(weights.triu(1).any())
                of_kind = kind or ("encoder" if sees_the_future else "decoder")
                recorder.add(WeighedLayer(of_kind, weights[0].detach()))
    return recorder
