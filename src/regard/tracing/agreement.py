"""What a layer's weights make of its values, and the weights themselves, held against the model's.

Of a long text some rows are compared, of a short one all.
"""

from typing import Any

import torch
from torch import Tensor

from regard.record.layers import ScoredLayer
from regard.tracing.inputs import Inputs

# how far a recomputed output may be off, by the precision of the model, per size of the values
TOLERANCES = {torch.float64: 1e-5, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
# how far a probability may be off that was computed token by token, from a cache
PROBABLY = {torch.float32: 1e-3, torch.bfloat16: 0.2, torch.float16: 0.05}
SHORT = 64  # queries
SEVERAL = 16  # of the queries of a long text


class NotUnderstoodError(Exception):
    """A layer's weights are not the softmax of what it gave us."""


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


def gives(layer: ScoredLayer, weights: Tensor) -> bool:
    """Say whether these are a layer's weights, (h, Q, K): all of a short text, some rows of a long.

    Each is held against the largest of its row, since those of a long text are all small.
    """
    if layer.shape != weights.shape:
        return False
    tolerance = TOLERANCES.get(weights.dtype, 0.0)
    for rows in _some_rows(layer.shape[1]):
        theirs = weights[:, rows].float()  # (h, Q', K)
        largest = theirs.abs().amax(dim=-1, keepdim=True)
        if not ((layer.weigh(rows=rows) - theirs).abs() <= tolerance * largest).all():
            return False
    return True


def _some_rows(num_queries: int) -> list[slice]:
    if num_queries <= SHORT:
        return [slice(0, num_queries)]
    rows = torch.linspace(0, num_queries - 1, SEVERAL).long().tolist()
    return [slice(row, row + 1) for row in rows]


def check_reading(inputs: Inputs, outputs: Any, model: str) -> None:
    """Hold what a model computes when it reads what it wrote against what it computed then.

    Raises
    ------
    ValueError
        If probabilities differ: then weights would be of another pass than that which wrote.
    """
    logits = getattr(outputs, "logits", None)
    if inputs.logits is None or not isinstance(logits, Tensor):
        return
    then, now = inputs.logits.softmax(-1), logits[0].float().softmax(-1)
    now = now[len(now) - len(then) :].to(then.device)  # what was written last
    off = float((now - then).abs().max()) if now.shape == then.shape else 1.0
    if off > PROBABLY.get(logits.dtype, 1e-3):
        raise ValueError(
            f"{model} computes other probabilities when it reads what it wrote than when it wrote "
            f"it, by up to {off:.2g}: generate gives it more than was given here, so weights would "
            "be those of another pass. Trace it with all that the decoder is given, as tensors by "
            "name, by `regard.trace`."
        )
