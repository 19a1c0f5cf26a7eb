"""`examine`: whether weights that someone has already are attention."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from regard.evidence.checks import (
    PADDING,
    Check,
    Diagnosis,
    check_batch,
    check_dropout,
    counted,
    fail,
    implementation_of,
    ok,
    runs,
)
from regard.evidence.weight_checks import Case, check_layers
from regard.record.door import a_model, described, names, text
from regard.record.layers import Layer, WeighedLayer
from regard.record.trace import Trace
from regard.record.words import Side

TRACE_INSTEAD = (
    "use regard.trace(sentence, model, tokenizer), or call "
    'model.set_attn_implementation("eager") before output_attentions=True'
)


def examine(
    weights: Any,
    tokens: Sequence[str] | None = None,
    *,
    target_tokens: Sequence[str] | None = None,
    kind: str = "encoder",
    pad_token: str | None = None,
    model: nn.Module | None = None,
) -> Diagnosis:
    """Say what is wrong with attention weights that are there already.

    Parameters
    ----------
    weights
        As for `Trace.from_weights`; but faulty ones, and those of several sentences, are looked at
        too.
    tokens
        Those that are read, and that read too in self-attention.
    target_tokens
        Those that read in cross-attention.
    kind
        "encoder", "decoder" (no token may read what comes after it) or "cross".
    pad_token
        What padding is called, if not `[PAD]` or `<pad>`.
    model
        The model that gave them, to be asked about dropout and its implementation of attention.

    Returns
    -------
    Diagnosis
        One check for each fault; `.passed` if none was found.

    Examples
    --------
    >>> weights = [[0.5, 0.25, 0.25], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]]
    >>> diagnosis = examine(weights, ["the", "dog", "[PAD]"])
    >>> for check in diagnosis.failures:
    ...     print(check)
    FAIL  padding    2 rows read it, first in encoder layer 0, head 0, row 0, by up to 0.5: \
pass attention_mask to the model, as the tokenizer gives it.
    """
    dropout = [] if model is None else [check_dropout(a_model(model))]
    kind = text("A kind of attention", kind)
    several = _tensors_by_layer(weights)
    shapes = {tuple(x.shape) for x in several.values() if not 2 <= x.dim() <= 4}
    if not any(x.numel() for x in several.values()) or shapes:
        return Diagnosis((*dropout, _no_weights(weights, shapes, model)))
    batch = max(x.size(0) if x.dim() == 4 else 1 for x in several.values())
    layers: dict[int, Layer] = {
        number: WeighedLayer(kind, (x[0] if x.dim() == 4 else x[None] if x.dim() == 2 else x))
        for number, x in several.items()
    }
    pads = PADDING if pad_token is None else (pad_token,)
    named = {"source": _named("tokens", tokens), "target": _named("target_tokens", target_tokens)}
    padding = {side: runs(of_side, pads) for side, of_side in named.items()}
    seen = Trace(
        Side.of_names(named["source"]),
        Side.of_names(named["target"]),
        [],
        {kind: layers},
        {kind: max(layers) + 1},
        how="weights",
    )
    found = ok("weights", f"of {counted(len(layers), 'layer')}")
    case = Case(seen, padding, {"decoder"}, torch.float32, knows_padding=tokens is not None)
    return Diagnosis((*dropout, found, check_batch(batch), *check_layers(case)))


def _named(what: str, tokens: Sequence[str] | None) -> list[str]:
    return [] if tokens is None else list(map(str, names(what, tokens)))


def _no_weights(weights: Any, shapes: set[tuple[int, ...]], model: nn.Module | None) -> Check:
    if shapes:
        return fail(
            "weights",
            f"they are {', '.join(map(str, sorted(shapes)))}",
            "pass (heads, queries, keys), or one such for each layer",
        )
    shown = "None" if weights is None else "empty"
    if model is None:
        why = ", as output_attentions=True gives under sdpa and flash attention"
    else:
        why = f": model.config._attn_implementation is {implementation_of(model)!r}"
        why += ", which computes none" if implementation_of(model) != "eager" else ""
    return fail("weights", f"they are {shown}{why}", TRACE_INSTEAD)


def _tensors_by_layer(weights: Any) -> dict[int, Tensor]:
    """Give one tensor for each layer that has weights, whatever is wrong with them."""
    if weights is None or (isinstance(weights, list | tuple) and not weights):
        return {}
    if isinstance(weights, list | tuple) and any(w is None or np.ndim(w) > 2 for w in weights):
        return {i: _tensor(w) for i, w in enumerate(weights) if w is not None}
    whole = _tensor(weights)
    return dict(enumerate(whole if whole.dim() == 4 else [whole]))


def _tensor(weights: Any) -> Tensor:
    if isinstance(weights, Tensor):
        return weights.detach()
    try:
        return torch.as_tensor(np.array(weights))
    except (TypeError, ValueError) as error:  # texts, say, or rows of several lengths
        raise TypeError(
            f"Attention weights are numbers, but got {described(weights)}: pass an array "
            "(heads, queries, keys), or one such for each layer. A trace has them in "
            "`.weights(layer)`."
        ) from error
