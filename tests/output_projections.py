"""What `regard.ablate` is held against: hooks on the output projections, on tiny random models.

Every head of every layer and kind is ablated in each mode. The reference knows nothing of attention
functions: a forward-pre-hook on the layer's output projection writes into the head's slice zeros,
the slice's own mean, or the mean of the values that the head may read. In double precision, since
what comes after a changed slice makes much of its rounding (but for two types).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from regard.causes.interventions import ablate
from regard.record.trace import Trace
from regard.tracing.run import trace
from tests.tiny_models import Family, build, families, inputs_for

TYPES = {  # each in the use that is ablated
    "bart": "seq2seq",
    "bert": "encoder",
    "deepseek_v3": "decoder",
    "distilbert": "encoder",
    "gemma2": "decoder",
    "gpt2": "decoder",
    "gpt_neox": "decoder",
    "gpt_oss": "decoder",
    "llama": "decoder",
    "mistral": "decoder",
    "modernbert": "encoder",
    "opt": "decoder",
    "qwen2": "decoder",
    "t5": "seq2seq",
    "vit": "vision",
    "wav2vec2": "speech",
    "whisper": "speech",
}
SINGLE = {"deepseek_v3", "gpt_oss"}  # torch mixes experts in single precision only
OUTPUT = re.compile(
    r"(attention\.(output\.)?dense|out_lin|attn\.c_proj|o_proj|(attn|attention)\.out_proj|"
    r"Attention\.o|attn\.Wo)$"
)
SIDE = re.compile(r"(en|de)coder(?=\.)")
CROSS = re.compile("encoder_attn|EncDecAttention")


class Differences(NamedTuple):
    """How far `ablate` is from the reference, and both from the model as it is."""

    from_reference: float  # the largest of any output and head
    effect: float  # the smallest effect of any head: the largest change of any output


def tiny(name: str) -> tuple[PreTrainedModel, dict[str, Tensor]]:
    """Build a model of a type, and something for it to read."""
    family = family_of(name)
    model = build(family.model_type, family.auto_class)
    model.set_attn_implementation("sdpa" if model._supports_sdpa else "eager")  # noqa: SLF001  as it comes
    inputs = inputs_for(model, family.use)
    if name in SINGLE:
        return model, inputs
    model.double()
    return model, {n: x.double() if x.is_floating_point() else x for n, x in inputs.items()}


def family_of(name: str) -> Family:
    """Find a type in the use that is ablated; Whisper's decoder comes before the whole."""
    found = [x for x in families() if (x.model_type, x.use) == (name, TYPES[name])]
    return found[-1]


def differences(model: PreTrainedModel, inputs: Mapping[str, Tensor], mode: str) -> Differences:
    """Ablate every head, one after the other, beside the reference."""
    seen = trace(inputs, model)
    projections = output_projections(model, seen.kinds)
    plain = output_of(model, inputs)
    reference = (lambda: model(**inputs)) if mode == "mean" else None
    worst, effects = 0.0, []
    for kind, layer, head, num_heads in every_head(seen):
        with ablate(model, [(kind, layer, head)], mode, reference=reference):
            ours = output_of(model, inputs)
        write = WRITERS[mode](seen, kind, layer, head)
        with writing(projections[kind][layer], head, num_heads, write):
            theirs = output_of(model, inputs)
        worst = max(worst, float((ours - theirs).abs().max()))
        effects.append(float((ours - plain).abs().max()))
    return Differences(worst, min(effects))


def every_head(seen: Trace) -> Iterator[tuple[str, int, int, int]]:
    """Give kind, layer, head and the number of heads."""
    for kind, layers in seen.layers.items():
        for layer, of_layer in layers.items():
            for head in range(of_layer.shape[0]):
                yield kind, layer, head, of_layer.shape[0]


def output_projections(model: nn.Module, kinds: tuple[str, ...]) -> dict[str, list[nn.Module]]:
    """Find by name what each layer's heads are projected by, in the order in which they are."""
    found: dict[str, list[nn.Module]] = {kind: [] for kind in kinds}
    for name, module in model.named_modules():
        if OUTPUT.search(name):
            side = SIDE.search(name)
            kind = side[0] if side and len(kinds) > 1 else kinds[0]
            found["cross" if CROSS.search(name) else kind].append(module)
    return found


@contextmanager
def writing(
    projection: nn.Module, head: int, num_heads: int, write: Callable[[Tensor], Tensor]
) -> Iterator[None]:
    """Write into a head's slice before the output projection, while within."""

    def change(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        features = inputs[0].clone()
        size = features.size(-1) // num_heads
        part = features[..., head * size : (head + 1) * size]
        part[:] = write(part)
        return (features, *inputs[1:])

    handle = projection.register_forward_pre_hook(change)
    try:
        yield
    finally:
        handle.remove()


def values_evenly(seen: Trace, kind: str, layer: int, head: int) -> Callable[[Tensor], Tensor]:
    """Average the values that a head gives any weight to."""
    attended: Any = seen.layers[kind][layer]
    value = attended.value[head * len(attended.value) // attended.shape[0]]  # (K, d_v)
    reads = torch.from_numpy(seen.weights(layer, head, kind=kind) > 0).to(value)  # (Q, K)
    even = reads / reads.sum(-1, keepdim=True).clamp(min=1) @ value  # (Q, d_v)
    return even.expand_as


WRITERS: dict[str, Callable[[Trace, str, int, int], Callable[[Tensor], Tensor]]] = {
    "zero": lambda *_: torch.zeros_like,
    "mean": lambda *_: lambda part: part.mean(dim=-2, keepdim=True).expand_as(part),
    "uniform": values_evenly,
}


@torch.no_grad()
def output_of(model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    """Give the main output of a model."""
    outputs = model(**inputs)
    found: Tensor = outputs.logits
    return found
