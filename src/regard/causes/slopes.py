"""What slopes say of each token: how what is explained changes with a weight, or with a vector."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from regard.causes.prediction import Prediction
from regard.record.trace import Trace
from regard.tracing.any_model import AnyModel
from regard.tracing.calls import Call
from regard.tracing.modules import evaluating

Floats = NDArray[np.float64]
STEPS, MOST_STEPS = 50, 800  # on the way from padding to the sentence: at first, and at most
AT_ONCE = 512  # tokens, so that memory is as for one long sentence
SHARE, LEAST = 0.01, 0.001  # of what is to be shared out, how much may be left; and how much anyway


def gradient_x_attention(prediction: Prediction, seen: Trace, layer: int) -> Floats:
    """Multiply the weights of the reading token with the slope in them: (T,).

    What a head writes is the sum of its weights times its values, so that the slope in a weight is
    that in what is written, times the value.
    """
    kind, row = seen.kinds[0], prediction.reader
    written: list[Tensor] = []

    def watch(call: Call) -> Tensor | None:
        if not call.address.is_at(kind, layer):
            return None
        written.append(call.output())
        return written[-1]

    def slope() -> Tensor:
        with AnyModel(prediction.model).editing(watch):
            explained = prediction.explained(prediction.ids, *prediction.others)
        return torch.autograd.grad(explained.sum(), written[0])[0][0, row]  # (h, d_v)

    gradient = _with_gradients(prediction.model, slope).float()
    attended = seen.layers[kind][layer]
    value: Tensor = attended.value  # type: ignore[attr-defined]  # it has one
    groups = torch.arange(len(gradient), device=value.device) * len(value) // len(gradient)
    in_weights = torch.einsum("hd,hkd->hk", gradient, value.float()[groups])
    weights = attended.weigh(rows=slice(row, row + 1))[:, 0]  # (h, K)
    return _array((weights * in_weights).sum(0))


def gradient_x_input(prediction: Prediction) -> Floats:
    """Multiply each token's embedding with the slope in it, and sum: (T,)."""
    from captum.attr import LayerGradientXActivation  # noqa: PLC0415  an optional package

    embeddings = AnyModel(prediction.model).embeddings
    method = LayerGradientXActivation(prediction.explained, embeddings)
    found = _with_gradients(
        prediction.model,
        lambda: method.attribute(prediction.ids, additional_forward_args=prediction.others),
    )
    return _array(found[0].sum(-1))


class Integrated(NamedTuple):
    """What integrated gradients share out among tokens (T,), and what is left over."""

    of_tokens: Floats
    gap: float  # what is explained, less that of a sentence of padding, less the sum over tokens
    steps: int
    is_complete: bool


def integrated_gradients(
    prediction: Prediction, *, steps: int = STEPS, most_steps: int = MOST_STEPS
) -> Integrated:
    """Add up slopes on the way from the vectors of a sentence of padding to those of this one.

    The sum over all tokens should be what is explained less what it is for the vectors of padding.
    Steps are doubled until it is, to a hundredth of that or to 0.001, or until more than
    `most_steps` would be taken; the gap that is left is given. All but the vectors stays as it is:
    masks and positions that a model makes of ids are those of this sentence.
    """
    from captum.attr import LayerIntegratedGradients  # noqa: PLC0415  an optional package

    baselines, model = padding_like(prediction), prediction.model
    embeddings: Any = AnyModel(model).embeddings
    whole, blank = (explained_from(prediction, ids) for ids in (prediction.ids, baselines))
    method = LayerIntegratedGradients(prediction.explained, embeddings)

    def share_out() -> Tensor:
        shared: Tensor = method.attribute(
            prediction.ids,
            baselines=baselines,
            additional_forward_args=prediction.others,
            n_steps=steps,
            internal_batch_size=max(1, AT_ONCE // prediction.ids.size(1)),
        )
        return shared

    while True:
        of_tokens = _array(_with_gradients(model, share_out)[0].sum(-1))
        gap = whole - blank - float(of_tokens.sum())
        is_complete = abs(gap) <= max(SHARE * abs(whole - blank), LEAST)
        if is_complete or 2 * steps > most_steps:
            return Integrated(of_tokens, gap, steps, is_complete)
        steps *= 2


def explained_from(prediction: Prediction, ids: Tensor) -> float:
    """Say what is explained where the words have the vectors of other ids (1, T)."""
    embeddings: Any = AnyModel(prediction.model).embeddings
    with evaluating(prediction.model):
        vectors = embeddings(ids)
        with embeddings.register_forward_hook(lambda *_: vectors):
            return prediction.explained(prediction.ids, *prediction.others).item()


def padding_like(prediction: Prediction) -> Tensor:
    """Give a sentence of padding as long as this one, its special tokens kept.

    Where the model knows no padding, of the first token of its vocabulary.
    """
    config = getattr(prediction.model, "config", None)
    padding = getattr(config, "pad_token_id", None) or 0
    special = torch.tensor([prediction.side.special], device=prediction.ids.device)
    return torch.where(special, prediction.ids, padding)


def _with_gradients(model: nn.Module, compute: Callable[[], Tensor]) -> Tensor:
    """Compute in eval mode; the gradients of the model's parameters are left as they were."""
    with evaluating(model), torch.enable_grad():
        return compute().detach()


def _array(x: Tensor) -> Floats:
    return x.detach().cpu().double().numpy()
