"""Regard's weights beside eager's, on a tiny random model of a type: what all are held against.

For text (encoders, decoders, sequence to sequence), images and speech, every layer and head of
`regard.trace` is compared with the model's own `output_attentions` under eager.
"""

import gc
import inspect
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from regard.record.layers import Layer, Recorder
from regard.record.trace import Trace
from regard.tracing.eager import eager_outputs, eager_weights
from regard.tracing.run import trace
from tests.tiny_models import Family, build, inputs_for

EXACT = 1e-5


class Outcome(NamedTuple):
    """How a type compares with eager, and why not where it does not."""

    verdict: str  # as benchmarks/families.py explains them, or "WRONG"
    detail: str


def compare(family: Family) -> Outcome:
    """Compare a type; where rounding adds up from layer to layer, once more in double precision."""
    outcome = compare_in(family, torch.float32)
    if outcome.verdict == "WRONG":
        outcome = compare_in(family, torch.float64)
        outcome = outcome._replace(detail=f"{outcome.detail}, in float64")
    return outcome


def compare_in(family: Family, dtype: torch.dtype) -> Outcome:
    """Build a type, and hold what trace gives against eager."""
    try:
        model: Any = build(family.model_type, family.auto_class)
        model.to(dtype)
        inputs = {
            name: x.to(dtype) if x.is_floating_point() else x
            for name, x in inputs_for(model, family.use).items()
        }
        torch.manual_seed(0)  # some mask at random
        expected = by_eager(model, inputs).layers
    except Exception as error:  # noqa: BLE001  each of hundreds of types may fail in its own way
        return Outcome("not built", reason(error))
    finally:
        gc.collect()
    try:
        torch.manual_seed(0)
        seen = trace(inputs, model)
    except Exception as error:  # noqa: BLE001  likewise
        has_none = "no attention that can be traced" in str(error) and not expected
        verdict = "no attention" if has_none else "WRONG"
        is_said = "windows or blocks" in str(error) or "no attention over its tokens" in " ".join(
            str(error).split()
        )
        verdict = "other" if is_said else verdict
        return Outcome(verdict, "" if has_none else reason(error))
    if seen.how.startswith("eager weights"):
        return Outcome("eager weights", layers_of(seen.counts))
    if not expected:
        return Outcome("other", f"{layers_of(seen.counts)}; eager gives no weights to compare")
    return held_against(expected, seen)


def held_against(expected: Mapping[str, Mapping[int, Layer]], seen: Trace) -> Outcome:
    """Find each layer that eager gives among ours, in order; some models give not all of theirs."""
    worst = 0.0
    for kind, layers in expected.items():
        ours = iter(seen.layers.get(kind, {}).values())
        for number, wanted in layers.items():
            differences = (difference(layer, wanted) for layer in ours)
            found = next((each for each in differences if each <= EXACT), None)
            if found is None:
                counts = f"{layers_of(seen.counts)}; {len(layers)} {kind} by eager"
                return Outcome("WRONG", f"{counts}, of which {number} is not ours")
            worst = max(worst, found)
    left_out = {k: n - len(expected[k]) for k, n in seen.counts.items() if k in expected}
    note = "".join(f"; eager leaves out {n} {kind}" for kind, n in left_out.items() if n)
    return Outcome("exact", f"{layers_of(seen.counts)}; {worst:.0e}{note}")


def difference(ours: Layer, theirs: Layer) -> float:
    """Give the largest difference of any weight; infinite where the shapes differ."""
    found, wanted = ours.weigh().numpy(), theirs.weigh().numpy()
    if ours.shape[0] == theirs.shape[0] and ours.shape > theirs.shape:
        _, queries, keys = theirs.shape  # CPM-Ant gives nothing of the tokens that it puts before
        found = found[:, -queries:, -keys:]
    if found.shape != wanted.shape:
        return math.inf
    if getattr(ours, "sinks", None) is not None and is_before_sink(wanted):
        found = found / found.sum(-1, keepdims=True)
    return float(np.abs(found - wanted).max())


def is_before_sink(weights: Any) -> bool:
    """Say whether a sink has yet to take its share: some give weights so (Granite SWA)."""
    return bool(np.allclose(weights.sum(-1), 1, atol=1e-3))


def by_eager(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Recorder:
    """Ask the model itself for its weights; linear attention has none."""
    has_cache = "use_cache" in inspect.signature(model.forward).parameters
    options = {"use_cache": False} if has_cache else {}
    with torch.no_grad():
        outputs = eager_outputs(model, inputs | options)
    recorder = Recorder()
    try:
        found = eager_weights(model, outputs, Recorder()).layers
    except ValueError:  # in windows
        return recorder
    for of_kind in found.values():
        for layer in of_kind.values():
            weights = layer.weigh()
            if (weights >= 0).all() and (weights.sum(-1) < 1 + 1e-3).all():
                recorder.add(layer, recorder.counts[layer.kind])
    return recorder


def layers_of(counts: dict[str, int]) -> str:
    """Say how many layers of each kind there are."""
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def reason(error: Exception) -> str:
    """Give the start of an error's message, fit for a cell."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}".replace("|", "/")
