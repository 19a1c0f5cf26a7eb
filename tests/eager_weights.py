"""Regard's weights beside those of the model's own eager run: what all are held against.

What a model gives for `output_attentions` tells the kinds; where it gives none, the softmaxes that
met its values do. How many of these there were, a trace is to have layers.
"""

import inspect
import math
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from regard.record.layers import Layer, WeighedLayer
from regard.record.trace import Trace
from regard.tracing.implementations import attending
from tests.attention_calls import attention_calls
from tests.banded_truth import banded_weights

EXACT = 1e-5
GIVEN = {  # the names of what a model gives, and the kind where the name tells it
    "encoder_attentions": "encoder",
    "attentions": None,
    "decoder_attentions": "decoder",
    "cross_attentions": "cross",
}

Cut = Callable[[Any], Any]  # weights (h, Q, K) to the part of them that is compared


class Outcome(NamedTuple):
    """How a type compares with eager, and why not where it does not."""

    verdict: str  # as benchmarks/families.py explains them
    detail: str
    off: float | None = None  # the largest difference of any weight


class Wanted(NamedTuple):
    """A layer of the eager run; None where no name tells the kind."""

    kind: str | None
    weights: Any  # (h, Q, K); in W windows (W h, q, k)


class Eager(NamedTuple):
    """What a model computed under eager."""

    wanted: list[Wanted]
    calls: int  # of attention, that ran
    first: Tensor | None  # of its outputs


def by_eager(model: PreTrainedModel, inputs: Mapping[str, Any]) -> Eager:
    """Run a model under eager, and take its weights."""
    torch.manual_seed(0)  # some mask at random
    has_cache = "use_cache" in inspect.signature(model.forward).parameters
    options = {"use_cache": False} if has_cache else {}
    with attending(model, "eager"), attention_calls() as calls:
        outputs = model(**inputs, **options, output_attentions=True)
    called = list(once_each(calls.weights))
    wanted = unbanded(model, inputs, given_by(outputs))
    wanted = [one for one in wanted if is_attention(one.weights)]
    return Eager(wanted or wanted_of(called), len(called) + calls.fused, first_of(outputs))


def unbanded(
    model: PreTrainedModel, inputs: Mapping[str, Any], given: Iterable[Wanted]
) -> list[Wanted]:
    """Put weights over all keys in place of those that a model gives of a band (Longformer)."""
    ids = inputs.get("input_ids")
    bands = [] if ids is None else banded_weights(model, inputs, ids.size(1))
    others = [one for one in given if not bands or one.kind in {"decoder", "cross"}]
    return [*(Wanted("encoder", x) for x in bands), *others]


def softmaxes(model: PreTrainedModel, inputs: Mapping[str, Any]) -> Eager:
    """Run a model under eager, and take the softmaxes that met its values, of all its towers."""
    found = by_eager(model, inputs)
    with attending(model, "eager"), attention_calls() as calls:
        model(**inputs)
    return found._replace(wanted=wanted_of(once_each(calls.weights)))


def wanted_of(weights: Iterable[Tensor]) -> list[Wanted]:
    """Take the weights of calls, whose kinds nobody tells."""
    return [Wanted(None, x.reshape(-1, *x.shape[-2:])) for x in weights]


def once_each(weights: Iterable[Tensor]) -> Iterable[Tensor]:
    """Leave out what is the same again: DiffLlama's weights meet two halves of the values."""
    before = torch.empty(0)
    for x in weights:
        if x.shape != before.shape or not torch.equal(x, before):
            yield x
        before = x


def is_attention(weights: Tensor) -> bool:
    """Say whether rows are shares: linear attention has none, a sink takes some."""
    return bool((weights >= 0).all() and (weights.float().sum(-1) < 1 + 2e-2).all())


def given_by(outputs: Any) -> Iterable[Wanted]:
    """Take what a model gave for output_attentions."""
    for name, kind in GIVEN.items():
        for weights in getattr(outputs, name, None) or ():
            if isinstance(weights, Tensor) and weights.dim() == 4:
                yield Wanted(kind, weights.detach().flatten(0, 1))


def first_of(outputs: Any) -> Tensor | None:
    """Give the first of what a model computed, to be compared."""
    first = outputs[0]
    return first.detach().float() if isinstance(first, Tensor) else None


def traced(run: Callable[[], Trace]) -> Trace | Outcome:
    """Trace; or say that it was refused in words, or failed without."""
    torch.manual_seed(0)
    try:
        return run()
    except Exception as error:  # noqa: BLE001  each of hundreds of types may fail in its own way
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        in_words = isinstance(error, ValueError | TypeError) and "regard" in last
        return Outcome("refused" if in_words else "WRONG", reason(error))


def held_against(
    eager: Eager, seen: Trace, tolerance: float = EXACT, cut: Cut = lambda x: x
) -> Outcome:
    """Find each layer of eager among ours, in order; some models give not all of theirs."""
    left = [(plain_kind(kind), x) for kind, found in seen.layers.items() for x in found.values()]
    by_window = [(kind, x) for kind, layer in left for x in getattr(layer, "windows", [layer])]
    if len(eager.wanted) == len(by_window):  # some ask for one window after another (Qwen2.5-VL)
        left = by_window
    if all(one.kind is None for one in eager.wanted):  # softmaxes, as they ran
        left = list(as_they_ran(left))
    num_ours, missing, worst = len(left), list[str](), 0.0
    for number, (kind, weights) in enumerate(eager.wanted):
        of_kind = [at for at, (ours, _) in enumerate(left) if kind in {None, ours}]
        offs = [difference(left[at][1], weights, cut) for at in of_kind]
        near = min(offs, default=math.inf)
        if near <= tolerance:
            left.pop(of_kind[offs.index(near)])
            worst = max(worst, near)
            continue
        shape = "x".join(map(str, weights.shape))
        missing.append(f"{f'{kind} ' if kind else ''}{number} ({shape}; nearest {near:.0e})")
    detail = f"{layers_of(seen)}; {worst:.0e}"
    more = f"of {len(eager.wanted)} by eager not ours: {', '.join(missing[:3])}"
    if missing and left and (" without " not in seen.how or len(left) == num_ours):
        return Outcome("WRONG", f"{detail}; {len(missing)} {more}", worst)
    if " without " in seen.how:
        return Outcome("in part", f"{detail}; {seen.how}".replace("|", "/"), worst)
    if missing:
        return Outcome("incomplete", f"{detail}; {len(missing)} {more}", worst)
    if num_ours < eager.calls:
        num_missing = eager.calls - num_ours
        detail += f"; {num_missing} of {eager.calls} calls are not in the trace"
        return Outcome("incomplete", detail, worst)
    return Outcome("eager weights" if "eager weights" in seen.how else "exact", detail, worst)


def as_they_ran(layers: list[tuple[str, Layer]]) -> Iterable[tuple[str, Layer]]:
    """Put two layers that share a softmax together (T5Gemma 2): their own keys, then the others."""
    shared = [(kind, x) for kind, x in layers if getattr(x, "is_shared", False)]
    others = iter([x for kind, x in shared if kind == "cross"])
    for kind, layer in layers:
        if not any(layer is x for _, x in shared):
            yield kind, layer
        elif kind != "cross":
            yield kind, WeighedLayer(kind, torch.cat([layer.weigh(), next(others).weigh()], -1))


def plain_kind(kind: str) -> str:
    """Give a kind without the part of the model that it is in front of."""
    return kind.rsplit("/", 1)[-1]


def difference(ours: Layer, weights: Any, cut: Cut = lambda x: x) -> float:
    """Give the largest difference of any weight; infinite where the shapes differ."""
    if 2 * math.prod(ours.shape) < weights.numel():  # which need not be computed
        return math.inf
    found, wanted = cut(ours.weigh().float().numpy()), weights.float().numpy()
    num_heads = found.shape[0]
    if wanted.shape[0] > num_heads and wanted.shape[0] % num_heads == 0:
        blocks = (in_blocks(x) for x in apart(wanted, num_heads))
        return min(largest(found, x) for x in blocks)
    if found.shape[0] == wanted.shape[0] and found.shape > wanted.shape:
        _, queries, keys = wanted.shape  # CPM-Ant gives nothing of the tokens that it puts before
        found = found[:, -queries:, -keys:]
    if wanted.shape[-1] == found.shape[-1] + 1 and getattr(ours, "sinks", None) is not None:
        wanted = wanted[..., :-1]  # the sink's share
    off = largest(found, wanted)
    if getattr(ours, "sinks", None) is None:
        return off
    if math.isinf(off):
        return off
    before = found / found.sum(-1, keepdims=True)  # some give so, before a sink takes its share
    return min(off, float(np.abs(before - wanted).max()))


def largest(found: Any, wanted: Any) -> float:
    """Give the largest difference; infinite where the shapes differ."""
    return float(np.abs(found - wanted).max()) if found.shape == wanted.shape else math.inf


def apart(weights: Any, num_heads: int) -> tuple[Any, Any]:
    """Tell windows from heads, (W, h, q, k): either may come first in (W h, q, k)."""
    lead, queries, keys = weights.shape
    windows_first = weights.reshape(-1, num_heads, queries, keys)
    heads_first = weights.reshape(num_heads, lead // num_heads, queries, keys)
    return windows_first, heads_first.swapaxes(0, 1)


def in_blocks(windows: Any) -> Any:
    """Put windows, (W, h, q, k), side by side as blocks, (h, W q, W k)."""
    num_windows, num_heads, queries, keys = windows.shape
    whole = np.zeros((num_heads, num_windows * queries, num_windows * keys), windows.dtype)
    for at, window in enumerate(windows):
        rows, columns = (slice(at * n, (at + 1) * n) for n in (queries, keys))
        whole[:, rows, columns] = window
    return whole


def layers_of(seen: Trace) -> str:
    """Say how many layers of each kind there are."""
    return ", ".join(f"{count} {kind}" for kind, count in seen.counts.items())


def reason(error: Exception) -> str:
    """Give the start of an error's message, fit for a cell."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}".replace("|", "/")
