"""Does a model compute the same under eager as under sdpa? Then its weights are those of both."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from regard.evidence.checks import Check, fail, implementation_of, ok, skip
from regard.tracing.agreement import NotUnderstoodError
from regard.tracing.any_model import AnyModel
from regard.tracing.implementations import attending, own_implementation
from regard.tracing.inputs import Inputs
from regard.tracing.modules import evaluating

NAME = "agreement"
BOTH = ("sdpa", "eager")
MOST_TOKENS = 1024  # eager holds a layer's weights all at once
TOLERANCES = {torch.float64: 1e-8, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}


def check_agreement(found: AnyModel, inputs: Inputs) -> Check:
    """Run a transformers model under sdpa and under eager, and compare what it gives.

    Parameters
    ----------
    found
        The model.
    inputs
        What it is called with.
    """
    model = found.pretrained
    if model is None:
        return skip(NAME, "it has one way to attend")
    mine = implementation_of(model)
    if own_implementation(model) or not model._can_set_attn_implementation():  # noqa: SLF001
        return skip(NAME, f"it attends in a way of its own, {mine!r}, and in no other")
    count = max((x.size(1) for x in inputs.named.values() if _is_ids(x)), default=0)
    if count > MOST_TOKENS:
        return skip(NAME, f"{count} tokens are more than the {MOST_TOKENS} that eager is asked for")
    try:
        given = [_outputs(found, model, inputs, implementation) for implementation in BOTH]
    except (NotUnderstoodError, ValueError, ImportError, RuntimeError, NotImplementedError):
        return skip(NAME, "it does not run under both sdpa and eager")
    off = max((_off(*pair) for pair in zip(*given, strict=False)), default=0.0)
    tolerance = TOLERANCES.get(next(model.parameters()).dtype, 5e-2)
    if off <= tolerance:
        return ok(NAME, f"sdpa and eager give the same, within {max(off, 1e-9):.0e}")
    return fail(
        NAME,
        f"sdpa and eager give other outputs, by {off:.0e} of the largest number; regard shows the "
        f"one in use, {mine!r}",
        "pass all that the model's processor gives (token_type_ids, masks), or choose by "
        'model.set_attn_implementation("eager")',
    )


def _is_ids(x: object) -> bool:
    return isinstance(x, Tensor) and x.dim() == 2 and not x.is_floating_point()


def _outputs(
    found: AnyModel, model: PreTrainedModel, inputs: Inputs, implementation: str
) -> list[Tensor]:
    """Give what the model puts out under an implementation, but for what is padding."""
    with evaluating(found.whole), attending(model, implementation):
        outputs = model(**inputs.named)
    given = outputs.values() if isinstance(outputs, Mapping) else (outputs,)
    return list(_unpadded(given, inputs.named.get("attention_mask")))


def _unpadded(given: Iterable[Any], mask: Tensor | None) -> Iterator[Tensor]:
    """Leave out the rows of padding, in which implementations may write what they like."""
    for x in given:
        if not isinstance(x, Tensor) or not x.is_floating_point():
            continue
        is_by_token = mask is not None and mask.dim() == 2 and x.shape[:2] == mask.shape
        yield (x[mask.bool()] if is_by_token and mask is not None else x).float()


def _off(one: Tensor, other: Tensor) -> float:
    """Give the largest difference, as a share of the largest number."""
    if one.shape != other.shape:
        return float("inf")
    if not one.numel():
        return 0.0
    largest = float(other.nan_to_num().abs().max())
    return float((one - other).nan_to_num().abs().max()) / (largest or 1.0)
