"""`nn.MultiheadAttention`: how it is read, and how its heads are edited.

To read it, its projections are computed once more, for one sentence.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regard.record.layers import Layer, ScoredLayer
from regard.record.windows import WindowedLayer
from regard.tracing.calls import Address, Call, Edit, check_fit
from regard.tracing.protocol import heads_of, is_triangle
from regard.tracing.texts import check_one_sentence

FORBIDDEN = -1e4  # a number this low in an additive mask leaves nothing after the softmax


def is_multihead(module: nn.Module) -> bool:
    """Say whether this attends as torch does; a subclass with a forward of its own may not."""
    forward = nn.MultiheadAttention.forward
    return isinstance(module, nn.MultiheadAttention) and type(module).forward is forward


def kinds_in_decoders(model: nn.Module) -> dict[nn.Module, str]:
    """Give the kinds that their places tell, whatever they are called with."""
    layers = [m for m in model.modules() if isinstance(m, nn.TransformerDecoderLayer)]
    self_attention: dict[nn.Module, str] = {layer.self_attn: "decoder" for layer in layers}
    return self_attention | {layer.multihead_attn: "cross" for layer in layers}


def refuse_batch(module: nn.Module, arguments: Mapping[str, Any]) -> None:
    """Raise in words where it is given several sentences."""
    query = arguments["query"]
    if query.dim() == 3 and not query.is_nested:
        check_one_sentence([query if module.batch_first else query.transpose(0, 1)])


@dataclass(frozen=True)
class Multihead:
    """One `nn.MultiheadAttention` of a model."""

    module: nn.MultiheadAttention
    known: str | None  # the kind that its place tells
    lengths: Mapping[
        nn.Module, int
    ]  # how long sentences are with their padding, where torch cut it

    def place(self, arguments: Mapping[str, Any], _: Any = None) -> tuple[str, int]:
        """Give the kind and the number of heads."""
        return self.known or self._kind(arguments), self.module.num_heads

    def _kind(self, arguments: Mapping[str, Any]) -> str:
        query, key = (
            _sentence(x, batch_first=self.module.batch_first)
            for x in (arguments["query"], arguments["key"])
        )
        is_self = arguments["query"] is arguments["key"] or torch.equal(query, key)
        return _kind_of_self(_attn_mask_of(self.module, arguments)) if is_self else "cross"

    def read(self, arguments: Mapping[str, Any], _: Any) -> Layer:
        """Project the first sentence once more, and gather its masks."""
        return self.layer_of(arguments)

    @torch.no_grad()
    def layer_of(self, arguments: Mapping[str, Any]) -> ScoredLayer:
        """Give the first sentence's layer."""
        module, length = self.module, self.lengths.get(self.module, 0)
        kind, _ = self.place(arguments)
        features = [arguments[name] for name in ("query", "key", "value")]
        query, key, value = (_sentence(x, batch_first=module.batch_first) for x in features)
        allowed, bias = _allowed_and_bias(_masks_of(module, arguments, length))
        if features[0].is_nested:
            query, key, value = (_lengthened(x, length) for x in (query, key, value))
        q, k, v = _projected(module, query, key, value)
        k, v = _with_more_keys(module, k, v)
        more = (0, k.size(1) - key.size(0))  # the keys that no token has
        allowed = None if allowed is None else F.pad(allowed, more, value=True)
        is_causal = allowed is not None and is_triangle(allowed, query.size(0))
        return ScoredLayer(
            kind,
            q,
            k,
            v,
            scale=1 / math.sqrt(module.head_dim),
            allowed=None if is_causal else allowed,
            bias=None if bias is None else F.pad(bias, more),
            is_causal=is_causal,
        )

    def edited(
        self, arguments: Mapping[str, Any], output: Any, address: Address, edit: Edit
    ) -> tuple[Any, ...] | None:
        """Project what the heads write instead."""
        module = self.module
        _, num_heads = self.place(arguments)
        call = Call(
            address,
            num_heads,
            lambda: _unprojected(module, arguments),
            lambda: _unprojected(_unasking(module), _without_bias(arguments)),
            lambda: _is_read(module, arguments),
        )
        edited = edit(call)
        if edited is None:
            return None
        projected = module.out_proj(edited.flatten(-2))
        if arguments["query"].dim() == 2:
            projected = projected[0]
        elif not module.batch_first:
            projected = projected.transpose(0, 1)
        return projected, *output[1:]

    def narrowed(
        self, arguments: Mapping[str, Any], may: Tensor
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Forbid in the mask what may not be read; in torch's bool masks True forbids."""
        if not may.any(-1).all():
            raise ValueError(
                "A query of nn.MultiheadAttention must be left something to read, or it gives NaN: "
                "forbid it less than everything."
            )
        shape = _shape_of(self.module, arguments)
        check_fit(may, shape)
        may = may.to(arguments["query"].device).expand(*shape[:2], -1, -1)
        forbidden = ~may.flatten(0, 1)  # (B h, T, S)
        return (), {**arguments, "attn_mask": _joined(forbidden, arguments), "is_causal": False}


# reading


@dataclass(frozen=True)
class TiledMultihead(Multihead):
    """One in a transformers model, whose batch is one sentence: then several are tiles of it."""

    def read(self, arguments: Mapping[str, Any], _: Any) -> Layer:
        """Project each tile once more."""
        tiles = _tiles(arguments, batch_first=self.module.batch_first)
        layers = [self.layer_of(tile) for tile in tiles]
        return layers[0] if len(layers) == 1 else WindowedLayer(layers)


def _sentence(x: Tensor, *, batch_first: bool) -> Tensor:
    """Take the first sentence, (T, d), of a batch or of none."""
    if x.is_nested:
        return x.unbind()[0]
    if x.dim() == 2:
        return x
    return x[0] if batch_first else x[:, 0]


def _tiles(arguments: Mapping[str, Any], *, batch_first: bool) -> Iterator[Mapping[str, Any]]:
    """Give the arguments of each tile."""
    query = arguments["query"]
    if query.dim() != 3 or query.is_nested:
        yield arguments
        return
    axis, padding = int(not batch_first), arguments["key_padding_mask"]
    for at in range(query.size(axis)):
        parts = {name: arguments[name].narrow(axis, at, 1) for name in ("query", "key", "value")}
        own = None if padding is None else padding[at : at + 1]
        yield {**arguments, **parts, "key_padding_mask": own}


def _lengthened(x: Tensor, length: int) -> Tensor:
    """Give a sentence its padding back: (T, d) -> (length, d)."""
    return F.pad(x, (0, 0, 0, max(length - x.size(0), 0)))


def _masks_of(
    module: nn.MultiheadAttention, arguments: Mapping[str, Any], length: int
) -> Iterable[Tensor]:
    """Give the masks that are there, each broadcastable to (h, T, S)."""
    masks = (
        _attn_mask_of(module, arguments),
        _padding_of(arguments["key_padding_mask"]),
        _nested_padding(arguments["query"], length),
    )
    return (mask for mask in masks if mask is not None)


def _nested_padding(query: Tensor, length: int) -> Tensor | None:
    """Forbid a nested sentence the padding that it was rid of, and the padding to read."""
    if not query.is_nested:
        return None
    tokens = query.unbind()[0].size(0)
    is_padding = torch.arange(max(length, tokens), device=query.device) >= tokens
    return is_padding | is_padding[None, :, None]  # (1, length, length)


def _attn_mask_of(module: nn.MultiheadAttention, arguments: Mapping[str, Any]) -> Tensor | None:
    """Take the first sentence's part of (T, S) or (B h, T, S): (h or 1, T, S)."""
    mask: Tensor | None = arguments["attn_mask"]
    if mask is None:
        return None
    return mask[None] if mask.dim() == 2 else mask[: module.num_heads]


def _padding_of(mask: Tensor | None) -> Tensor | None:
    """Take the first sentence's part of (B, S), or all of (S,): (1, 1, S)."""
    if mask is None:
        return None
    return (mask if mask.dim() == 1 else mask[0])[None, None]


def _kind_of_self(attn_mask: Tensor | None) -> str:
    """Call it a decoder's where no query may read what comes after it."""
    if attn_mask is None:
        return "encoder"
    forbidden = attn_mask if attn_mask.dtype == torch.bool else attn_mask <= FORBIDDEN
    future = torch.ones_like(forbidden).triu(1)
    return "decoder" if bool((forbidden | ~future).all()) else "encoder"


def _allowed_and_bias(masks: Iterable[Tensor]) -> tuple[Tensor | None, Tensor | None]:
    """Part torch's masks in what may be read and what is added to the scores.

    In torch's bool masks True forbids; its float masks are added, and forbid where they are -inf.
    """
    allowed = torch.tensor(data=True)
    bias = torch.tensor(0.0)
    for mask in masks:
        if mask.dtype == torch.bool:
            may = ~mask
        else:
            may = mask.float() > -math.inf
            bias = bias.to(mask.device) + mask.float().masked_fill(~may, 0.0)
        allowed = allowed.to(mask.device) & may
    return None if allowed.all() else allowed, bias if bias.any() else None


def _projected(
    module: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Project what came in, and part the heads: (h, T, d_k), (h, S, d_k), (h, S, d_v)."""
    apart = (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
    weights = _thirds(module.in_proj_weight) or apart
    biases = _thirds(module.in_proj_bias) or (None, None, None)
    q, k, v = (
        heads_of(F.linear(x, weight, bias), module.num_heads)
        for x, weight, bias in zip((query, key, value), weights, biases, strict=True)
    )
    return q, k, v


def _thirds(x: Tensor | None) -> tuple[Tensor, ...]:
    return () if x is None else x.chunk(3)


def _with_more_keys(
    module: nn.MultiheadAttention, key: Tensor, value: Tensor
) -> tuple[Tensor, Tensor]:
    """Add the keys and values that belong to no token: a learned one, one of zeros."""
    if module.bias_k is not None and module.bias_v is not None:
        key = torch.cat([key, heads_of(module.bias_k[0], module.num_heads)], dim=1)
        value = torch.cat([value, heads_of(module.bias_v[0], module.num_heads)], dim=1)
    if module.add_zero_attn:
        key, value = F.pad(key, (0, 0, 0, 1)), F.pad(value, (0, 0, 0, 1))
    return key, value


# editing


def _unprojected(module: nn.MultiheadAttention, arguments: Mapping[str, Any]) -> Tensor:
    """Run a twin whose output projection changes nothing: what the heads wrote, (B, T, h, d_v)."""
    if arguments["query"].is_nested:
        raise ValueError(
            "nn.TransformerEncoder made nested tensors of the batch, whose heads cannot be edited: "
            "build it with enable_nested_tensor=False."
        )
    twin = _twin(module)
    like = module.out_proj.weight.detach()
    identity: nn.Linear = nn.utils.skip_init(
        nn.Linear, *like.shape, device=like.device, dtype=like.dtype
    )
    for parameter, x in ((identity.weight, torch.eye(len(like))), (identity.bias, torch.zeros(()))):
        parameter.requires_grad = False
        parameter.copy_(x)
    twin.out_proj = identity  # type: ignore[assignment]  # as good
    # by the class: a hook of another library may have replaced the module's own
    written, _ = nn.MultiheadAttention.forward(twin, **arguments)
    if written.dim() == 2:
        written = written[None]
    elif not module.batch_first:
        written = written.transpose(0, 1)
    return written.unflatten(-1, (module.num_heads, -1))


def _unasking(module: nn.MultiheadAttention) -> nn.MultiheadAttention:
    """Give a twin whose queries are zero, so that all keys score alike."""
    twin, size = _twin(module), module.embed_dim
    if module.in_proj_weight is None:
        twin.q_proj_weight = nn.Parameter(torch.zeros_like(module.q_proj_weight))
    else:
        twin.in_proj_weight = nn.Parameter(_zeroed(module.in_proj_weight, size))
    if module.in_proj_bias is not None:
        twin.in_proj_bias = nn.Parameter(_zeroed(module.in_proj_bias, size))
    return twin


def _twin(module: nn.MultiheadAttention) -> nn.MultiheadAttention:
    """Give a module of the same parameters, any of which can be set without the other's."""
    twin = copy(module)
    vars(twin)["_parameters"] = dict(module._parameters)  # noqa: SLF001  nn.Module has no way
    vars(twin)["_modules"] = dict(module._modules)  # noqa: SLF001  likewise
    return twin


def _zeroed(x: Tensor, size: int) -> Tensor:
    return torch.cat([torch.zeros_like(x[:size]), x[size:].detach()])


def _without_bias(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Let masks forbid, but add nothing to a score."""
    masks = {name: arguments[name] for name in ("attn_mask", "key_padding_mask")}
    forbids = {
        name: mask if mask is None or mask.dtype == torch.bool else mask == -torch.inf
        for name, mask in masks.items()
    }
    return {**arguments, **forbids}


def _shape_of(
    module: nn.MultiheadAttention, arguments: Mapping[str, Any]
) -> tuple[int, int, int, int]:
    """Give (B, h, T, S)."""
    query = arguments["query"]
    batch = 1 if query.dim() == 2 else query.size(0 if module.batch_first else 1)
    tokens = -2 if module.batch_first or query.dim() == 2 else 0
    return batch, module.num_heads, query.size(tokens), arguments["key"].size(tokens)


def _is_read(module: nn.MultiheadAttention, arguments: Mapping[str, Any]) -> Tensor:
    """Say of each key whether it is no padding: bool (B or 1, S)."""
    padding = arguments["key_padding_mask"]
    if padding is None:
        *_, num_keys = _shape_of(module, arguments)
        return torch.ones(1, num_keys, dtype=torch.bool, device=arguments["key"].device)
    may = ~padding if padding.dtype == torch.bool else padding > -math.inf
    return may if may.dim() == 2 else may[None]


def _joined(forbidden: Tensor, arguments: Mapping[str, Any]) -> Tensor:
    """Join what is forbidden with the mask that is there, (T, S) or (B h, T, S)."""
    mask, padding = arguments["attn_mask"], arguments["key_padding_mask"]
    if mask is None and padding is not None and padding.is_floating_point():
        mask = padding.new_zeros(())  # torch wants both alike
    if mask is None:
        return forbidden
    return (
        forbidden | mask if mask.dtype == torch.bool else torch.where(forbidden, -torch.inf, mask)
    )
