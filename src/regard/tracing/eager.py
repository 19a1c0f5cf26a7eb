"""What a transformers model itself gives for `output_attentions=True`, and whether that is true.

In a plain run, its calls of attention are watched. Where these are what it gives, they are kept:
queries and keys, of layers that can be edited; and where what it gives is of another run, or is no
attention over the tokens: a row for each query, a column for each key, summing to 1. Else the
weights are kept that it gives.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from regard.record.layers import Layer, Recorder, ScoredLayer, WeighedLayer
from regard.record.windows import WindowedLayer
from regard.tracing.agreement import TOLERANCES, NotUnderstoodError, gives
from regard.tracing.bands import global_tokens, unfolded
from regard.tracing.called import how_of, noting, recording_calls, without
from regard.tracing.calls import Numbers
from regard.tracing.causality import hides_the_future, says_causal
from regard.tracing.implementations import attending

GIVEN = {  # the names of what is given, and the kind where the name tells it
    "encoder_attentions": "encoder",
    "attentions": None,
    "decoder_attentions": "decoder",
    "cross_attentions": "cross",
}


def watch_eager(
    model: PreTrainedModel, inputs: Mapping[str, Any], new_recorder: Callable[[], Recorder]
) -> tuple[Recorder, Any, str]:
    """Run a model as it is and under eager; give its layers, its outputs, and how they are known.

    Raises
    ------
    ValueError
        If the weights that it gives are no attention over its tokens, or not those of a plain run.
    """
    called, given = new_recorder(), new_recorder()
    wanted, called.wanted, given.wanted = called.wanted, None, None  # all are compared
    plain, refused = watch_calls(model, inputs, called)
    with global_tokens(model) as are_global:
        outputs = eager_outputs(model, inputs)
    eager_weights(model, outputs, given, are_global)
    called.wanted = given.wanted = wanted
    layers = [layer for of_kind in called.layers.values() for layer in of_kind.values()]
    wrong = _wrong(given, layers, plain, outputs)
    sides = {"encoder", "decoder"} if model.config.is_encoder_decoder else set()

    def told(found: Recorder, how: str) -> str:
        num_seen = called.counts.total() + len(refused)
        num_missing = num_seen - found.counts.total()
        missing = (
            refused or ["of which it gives no weights"] * num_missing if num_missing > 0 else []
        )
        return how + without(missing, sides - found.counts.keys())

    is_as_many = bool(wrong) and called.counts.total() == given.counts.total()
    if agree(called, given) or is_as_many:
        return called, plain, told(called, how_of(called))
    if wrong:
        raise ValueError(
            f"What {type(model).__name__} gives for output_attentions=True is no attention over "
            f"its tokens: {wrong}. It cannot be traced."
        )
    return given, outputs, told(given, "eager weights")


def _wrong(given: Recorder, called: list[Layer], plain: Any, outputs: Any) -> str:
    """Say what is wrong with weights that were given, unless they are those of a call."""
    if given.counts and not _is_same(plain, outputs):
        return "without it, it computes something else"
    for of_kind in given.layers.values():
        for number, layer in of_kind.items():
            wrong = wrong_with(layer)
            if wrong and not any(_are_alike(other, layer) for other in called):
                return f"in {layer.kind} layer {number} there are {wrong}"
    return ""


def watch_calls(
    model: PreTrainedModel, inputs: Mapping[str, Any], recorder: Recorder
) -> tuple[Any, list[str]]:
    """Run a model as it is; record the calls of attention that are seen, and give its outputs.

    And the names of those that are no layer of one sentence: what the model gives itself may be.
    """
    numbers, refused = Numbers(model), list[str]()

    with numbers.counting(), recording_calls(model, numbers, recorder, refuse=noting(refused)):
        return model(**inputs), refused


def _is_same(plain: Any, outputs: Any) -> bool:
    """Say whether two runs computed the same: the first of what they give."""
    one, other = plain[0], outputs[0]
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)) or one.shape != other.shape:
        return True  # of which nothing can be said
    tolerance = TOLERANCES.get(one.dtype, 1e-4) * 10 * (1 + float(one.abs().max()))
    return bool(torch.allclose(one, other, rtol=0, atol=tolerance, equal_nan=True))


def eager_outputs(model: PreTrainedModel, inputs: Mapping[str, Any]) -> Any:
    """Ask the model itself for its weights; where it cannot be set to eager, as it is."""
    try:
        with attending(model, "eager"):
            return model(**inputs, output_attentions=True)
    except NotUnderstoodError:
        return model(**inputs, output_attentions=True)


def eager_weights(
    model: PreTrainedModel, outputs: Any, recorder: Recorder, are_global: Sequence[Tensor] = ()
) -> Recorder:
    """Take the weights that a model gave for output_attentions=True, those of a band unfolded."""
    numbers: Counter[str] = Counter()
    for name, kind in GIVEN.items():
        given = getattr(outputs, name, None) or ()
        is_banded = name in {"attentions", "encoder_attentions"} and len(given) == len(are_global)
        of_globals = getattr(outputs, name.replace("attentions", "global_attentions"), None)
        for at, weights in enumerate(given):
            if is_banded:
                own = None if of_globals is None else of_globals[at][0]
                weights = unfolded(weights[0], own, are_global[at][0])[None]  # noqa: PLW2901
            if isinstance(weights, Tensor) and weights.dim() == 4:
                is_decoders = hides_the_future(weights > 0) or says_causal(model, model)
                of_kind = kind or ("decoder" if is_decoders else "encoder")
                windows = [WeighedLayer(of_kind, window) for window in weights.detach()]
                layer = windows[0] if len(windows) == 1 else WindowedLayer(windows)
                recorder.add(layer, numbers[of_kind])
                numbers[of_kind] += 1
    return recorder


def agree(called: Recorder, given: Recorder) -> bool:
    """Say whether all weights that were given are, in order, those of calls that were seen.

    Some give those of a few layers only, as Swin's of the last of each stage; some give none, such
    as beside a vision tower. Of padding, the kind of calls is better known than that of weights.
    """
    return called.counts.total() >= max(given.counts.total(), 1) and all(
        any(_are_in_order(wanted, of_kind) for of_kind in called.layers.values())
        for wanted in given.layers.values()
    )


def _are_in_order(given: Mapping[int, Layer], called: Mapping[int, Layer]) -> bool:
    calls = iter(called.values())
    return all(any(_are_alike(call, layer) for call in calls) for layer in given.values())


def _are_alike(called: Layer, given: Layer) -> bool:
    """Say whether a call has the weights that were given."""
    if called.shape != given.shape:
        return False
    weights = given.weigh()
    if isinstance(called, ScoredLayer):
        return gives(called, weights)
    return bool(torch.allclose(called.weigh(), weights, atol=1e-5))


def wrong_with(layer: Layer) -> str:
    """Say what keeps weights from being attention of each token over all; empty, if nothing.

    Examples
    --------
    >>> wrong_with(WeighedLayer("encoder", torch.tensor([[[0.5, 0.5], [0.4, 0.3]]])))
    'rows that sum to 0.7 up to 1'
    """
    _, num_queries, num_keys = layer.shape
    weights = layer.weigh()
    sums, off = weights.sum(-1), 1e-2  # half precision leaves as much
    if layer.kind != "cross" and num_queries != num_keys:
        return f"{num_keys} columns for {num_queries} tokens"
    if float(weights.min()) < -off:
        return "weights below zero"
    if bool((((sums - 1).abs() < off) | (sums.abs() < off)).all()):
        return ""
    return f"rows that sum to {float(sums.min()):.2g} up to {float(sums.max()):.2g}"
