"""Attention rollout, and attention weighted by the values: what weights alone do not show."""

from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regard.record.door import described
from regard.record.kinds import plain
from regard.record.layers import Layer
from regard.record.streams import blocks, of_head
from regard.record.trace import Trace, a_trace

LIMIT_BYTES = 2 * 10**9  # what is worth holding at once without being asked
Floats32 = NDArray[np.float32]


def rollout(trace: Trace, kind: str | None = None) -> Floats32:
    """Follow attention through all layers: how much of each token gets to each place at the end.

    In every layer, half of a place stays what it is, by the residual connection, and half is what
    its heads read, on average; the layers are multiplied up.

    Parameters
    ----------
    trace
        From `regard.trace`, with all layers.
    kind
        One of the trace's kinds of self-attention; the first kind, if not given.

    Returns
    -------
    numpy.ndarray
        (N, N): row i says what place i is made of after the last layer. Rows sum to 1.

    Raises
    ------
    TypeError
        If it is no trace.
    ValueError
        If there is no such kind, it is cross-attention, layers are missing or of several sizes, or
        the text is so long that two N x N matrices would take more than 2 GB.

    Notes
    -----
    Abnar and Zuidema (2020), *Quantifying attention flow in Transformers*, section 3: the product
    of 0.5 A + 0.5 I over the layers, A the mean over the heads. Rows are divided by their sums,
    which are less than 1 where a query reads nothing, a sink or hidden tokens. What values, the
    output projection and the feed-forward part do to a token is left out.

    Examples
    --------
    >>> first, second = [[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.5, 0.5]]
    >>> rollout(Trace.from_weights([[first], [second]], tokens=["the", "dog"]))
    array([[1.   , 0.   ],
           [0.625, 0.375]], dtype=float32)
    """
    layers = _all_layers(trace, kind)
    num_tokens = layers[0].shape[1]
    _check_size((2, num_tokens, num_tokens), "trace a shorter text, or merge_words() first")
    start = layers[0].weigh(slice(1), slice(1))  # on the device where the layer was recorded
    flow = torch.eye(num_tokens, device=start.device)
    for layer in layers:
        flow = _through(layer, flow)
    return flow.cpu().numpy()


def _all_layers(trace: Trace, kind: str | None) -> list[Layer]:
    """Give the layers of a kind from first to last, or say why they cannot be rolled out."""
    kind = a_trace(trace).kind_or_first(kind)
    if plain(kind) == "cross":
        raise ValueError(
            "Cross-attention reads other tokens than it writes, so it cannot be rolled out: pass "
            'self-attention, of kind "encoder" or "decoder".'
        )
    layers, count = trace.layers[kind], trace.counts[kind]
    if len(layers) < count:
        raise ValueError(
            f"A rollout needs all {count} layers, but only {sorted(layers)} were kept: trace again "
            "without layers=. A layer that has no attention cannot be rolled out."
        )
    shapes = {layer.shape[1:] for layer in layers.values()}
    if len(shapes) > 1 or any(num_queries != num_keys for num_queries, num_keys in shapes):
        raise ValueError(
            f"A rollout needs layers of one size (N, N), but got {sorted(shapes)}: the model pools "
            "or windows its tokens, so its places are not the same tokens in all layers."
        )
    return [layers[number] for number in sorted(layers)]


def _through(layer: Layer, flow: Tensor) -> Tensor:
    """Multiply 0.5 A + 0.5 I, its rows divided by their sums, with what came before: (N, N)."""
    after = torch.empty_like(flow)
    with torch.no_grad():
        for rows, weights in blocks(layer):
            read = weights.mean(dim=0).to(flow.device)  # (Q', N)
            after[rows] = (read @ flow + flow[rows]) / (read.sum(dim=-1, keepdim=True) + 1)
            del weights  # before the next block is computed
    return after


def value_weighted(
    trace: Trace,
    layer: int,
    head: int | None = None,
    *,
    kind: str | None = None,
    output: Tensor | None = None,
) -> Floats32:
    """Measure how much each key adds to the output of a head: its weight times its value's length.

    A head may well give most of its weight to a key, often [SEP], whose value is next to nothing.

    Parameters
    ----------
    trace
        From `regard.trace`, with values=True.
    layer, head
        Counted from 0. Without a head, all of them.
    kind
        One of the trace's kinds; the first, if not given.
    output
        The weight of the layer's output projection, (h * d_v, d_model), which each head's values
        go through: of an `nn.Linear`, `.weight.T`. Without it, the length is that of the value
        itself: the output projection, which may stretch one value and shrink another, is left out.

    Returns
    -------
    numpy.ndarray
        (Q, K), or (h, Q, K) without a head.

    Raises
    ------
    TypeError
        If it is no trace, a number no whole number, or `output` no tensor.
    ValueError
        If there is no such kind, layer or head, the layer or its values were not kept, `output`
        does not fit them, or the result would take more than 2 GB.

    Notes
    -----
    Kobayashi et al. (2020), *Attention is not only a weight*, equation 2: the output of a head is
    the sum of a_ij f(x_j) over the keys, with f(x) = (x W^V + b^V) W^O; this is the norm of each
    a_ij f(x_j). The bias of the output projection belongs to no key and is not in it.

    Examples
    --------
    >>> from regard.record.layers import ScoredLayer
    >>> from regard.record.words import Side
    >>> even, values = torch.zeros(1, 2, 4), torch.tensor([[[3.0, 4.0], [0.0, 0.2]]])
    >>> layers = {"encoder": {0: ScoredLayer("encoder", even, even, values, scale=0.5)}}
    >>> seen = Trace(Side.of_names(["the", "dog"]), Side(), [], layers, {"encoder": 1})
    >>> value_weighted(seen, layer=0, head=0)
    array([[2.5, 0.1],
           [2.5, 0.1]], dtype=float32)
    """
    seen = a_trace(trace).layer(layer, kind)
    asked = of_head(seen, head)
    _check_size(asked.shape, "ask for one head" if head is None else "trace a shorter text")
    lengths = _lengths(_value_of(seen, layer), seen.shape[0], output)  # (h, K)
    lengths = lengths if head is None else lengths[head : head + 1]
    result = np.empty(asked.shape, dtype=np.float32)
    with torch.no_grad():
        for rows, weights in blocks(asked):
            result[:, rows] = (weights * lengths[:, None].to(weights.device)).cpu().numpy()
            del weights  # before the next block is computed
    return result if head is None else result[0]


def _value_of(layer: Layer, number: int) -> Tensor:
    value: Tensor | None = getattr(layer, "value", None)
    if value is None:
        raise ValueError(
            f"The values of layer {number} were not kept: trace with values=True, and pass the "
            "trace as it is before words are merged or tokens hidden (its `.whole`)."
        )
    return value.detach()


def _lengths(value: Tensor, num_heads: int, output: Tensor | None) -> Tensor:
    """Measure f(x) for each head and key: (h, K). Neighbouring heads may share a value."""
    num_groups, _, size = value.shape
    if output is None:
        return value.float().norm(dim=-1).repeat_interleave(num_heads // num_groups, dim=0)
    if not isinstance(output, Tensor):
        raise TypeError(
            f"output is a tensor (h * d_v, d_model), but got {described(output)}: pass `.weight.T` "
            "of an nn.Linear."
        )
    if output.dim() != 2 or output.size(0) != num_heads * size:
        raise ValueError(
            f"The output projection of {num_heads} heads with values of size {size} is "
            f"({num_heads * size}, d_model), but got {tuple(output.shape)}: pass `.weight.T` of an "
            "nn.Linear."
        )
    parts = output.detach().to(value.device).float().unflatten(0, (num_heads, size))
    groups = [head * num_groups // num_heads for head in range(num_heads)]
    heads = zip(groups, parts, strict=True)
    return torch.stack([(value[group].float() @ part).norm(dim=-1) for group, part in heads])


def _check_size(shape: tuple[int, ...], advice: str) -> None:
    size = 4 * prod(shape)
    if size > LIMIT_BYTES:
        raise ValueError(
            f"This would take {size / 10**9:.1f} GB, of shape {shape}, and more than "
            f"{LIMIT_BYTES / 10**9:.1f} GB are not taken: {advice}."
        )
