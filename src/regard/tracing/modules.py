"""How a PyTorch model is watched: hooks on the submodules that attend, gone when it has run.

A submodule attends if its class is named with a function that reads it, if it keeps to the
`AttentionModule` protocol, or if it is `nn.MultiheadAttention`. docs/own-models.md shows all three.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regard.record.kinds import KINDS
from regard.record.layers import AskedLayer, Layer, Recorder, ScoredLayer, WeighedLayer
from regard.tracing.texts import check_one_sentence

FORBIDDEN = -1e4  # a number this low in an additive mask leaves nothing after the softmax

Read = Callable[[nn.Module, Mapping[str, Any], Any], Layer | None]
"""From a module, the arguments of its forward by name and what it returned, to the layer of the
batch's first sentence; None where this was no attention."""


class AttentionModule(Protocol):
    """The protocol: a module that is nothing but attention, and says whose.

    Its `forward(query, key, value, num_heads, mask)` takes (B, T, d), (B, S, d), (B, S, d), the
    number of heads that share the features, and a mask broadcastable to (B, h, T, S) or None; what
    it returns has `.weights` (B, h, T, S). `kind` is one of `KINDS`.
    """

    kind: str

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, num_heads: int, mask: Tensor | None
    ) -> Any:
        """Attend."""


def attention_modules(model: nn.Module) -> list[nn.Module]:
    """Find the submodules that follow the protocol, in the order in which they were built."""
    return [module for module in model.modules() if _follows_protocol(module)]


def traceable(
    model: nn.Module, attention: Mapping[type[nn.Module], Read] | None = None
) -> list[nn.Module]:
    """Find the submodules that `recording` would watch.

    Parameters
    ----------
    model
        Any module.
    attention
        How classes of one's own are read.

    Returns
    -------
    list of nn.Module
        In the order in which they were built; empty where nothing is known to attend.

    Examples
    --------
    >>> traceable(nn.Sequential(nn.Linear(4, 4), nn.MultiheadAttention(4, 2)))
    [MultiheadAttention(
      (out_proj): NonDynamicallyQuantizableLinear(in_features=4, out_features=4, bias=True)
    )]
    """
    return list(readers(model, attention or {}, {}))


@contextmanager
def recording(
    model: nn.Module,
    recorder: Recorder,
    attention: Mapping[type[nn.Module], Read] | None = None,
) -> Iterator[None]:
    """Record the attention layers of the forward passes within, for the first sentence of each.

    The model computes what it computed before. torch's fused encoder layers, which call no hooks,
    give way to ordinary ones while there are any; nested tensors stay nested.

    Parameters
    ----------
    model
        Any module.
    recorder
        What the layers are added to.
    attention
        How classes of one's own are read. What is inside of such a module is not looked at.

    Raises
    ------
    TypeError
        If a function in `attention` gives something else than a layer.
    ValueError
        If the layer that it gives is of no known kind or not (heads, queries, keys).

    Examples
    --------
    >>> model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 3).eval()
    >>> recorder = Recorder()
    >>> with recording(model, recorder), torch.no_grad():
    ...     output = model(torch.randn(1, 5, 8))
    >>> {number: layer.shape for number, layer in recorder.layers["encoder"].items()}
    {0: (2, 5, 5), 1: (2, 5, 5), 2: (2, 5, 5)}
    """
    lengths: dict[nn.Module, int] = {}
    with ExitStack() as hooks:
        for stack in model.modules():
            if isinstance(stack, nn.TransformerEncoder):
                hooks.callback(_note_length(stack, lengths))
        for module, read in readers(model, attention or {}, lengths).items():
            hooks.callback(_record(module, read, recorder))
        yield


@contextmanager
def refusing_batches(model: nn.Module) -> Iterator[None]:
    """Raise in words where `nn.MultiheadAttention` within is given several sentences."""

    def refuse(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        query = arguments_of(module, args, kwargs)["query"]
        if query.dim() == 3 and not query.is_nested:
            check_one_sentence([query if module.batch_first else query.transpose(0, 1)])

    with ExitStack() as hooks:
        for module in filter(_is_multihead, model.modules()):
            handle = module.register_forward_pre_hook(refuse, with_kwargs=True)
            hooks.callback(handle.remove)
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout and gradients off, and each submodule back to its own mode afterwards."""
    training = [module for module in model.modules() if module.training]
    if training:  # else the model is left alone: to go through it takes a while
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def readers(
    model: nn.Module, attention: Mapping[type[nn.Module], Read], lengths: Mapping[nn.Module, int]
) -> dict[nn.Module, Read]:
    """Say for each submodule that attends how it is read."""
    kinds = _kinds_in_decoders(model)
    by_class = reversed(list(attention.items()))  # of a module's classes, the first wins
    named = {
        module: _checking(read)
        for of_class, read in by_class
        for module in model.modules()
        if isinstance(module, of_class)
    }
    inside = {part for module in named for part in module.modules()}
    found: dict[nn.Module, Read] = {}
    for module in model.modules():
        if module in named:
            found[module] = named[module]
        elif module in inside:
            continue
        elif _follows_protocol(module):
            found[module] = _read_protocol
        elif _is_multihead(module):
            found[module] = _multihead_reader(kinds.get(module), lengths)
    return found


def _follows_protocol(module: nn.Module) -> bool:
    kind = getattr(module, "kind", None)
    return isinstance(kind, str) and kind in KINDS


def _is_multihead(module: nn.Module) -> bool:
    """Say whether this attends as torch does; a subclass with a forward of its own may not."""
    forward = nn.MultiheadAttention.forward
    return isinstance(module, nn.MultiheadAttention) and type(module).forward is forward


def _kinds_in_decoders(model: nn.Module) -> dict[nn.Module, str]:
    """Give the kinds that their places tell, whatever they are called with."""
    layers = [m for m in model.modules() if isinstance(m, nn.TransformerDecoderLayer)]
    self_attention: dict[nn.Module, str] = {layer.self_attn: "decoder" for layer in layers}
    return self_attention | {layer.multihead_attn: "cross" for layer in layers}


def _record(module: nn.Module, read: Read, recorder: Recorder) -> Callable[[], None]:
    """Add what a module attended to whenever it is called, until what is returned is called."""

    def record(
        module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        layer = read(module, arguments_of(module, args, kwargs), output)
        if layer is not None:
            recorder.add(layer)

    return module.register_forward_hook(record, with_kwargs=True).remove


def _note_length(stack: nn.Module, lengths: dict[nn.Module, int]) -> Callable[[], None]:
    """Note how long the padded sentences are, before the stack lets go of the padding."""

    def note(stack: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        src = arguments_of(stack, args, kwargs).get("src")
        length = 0
        if isinstance(src, Tensor) and src.dim() == 3 and not src.is_nested:
            length = src.size(1)
        lengths.update(dict.fromkeys(stack.modules(), length))

    return stack.register_forward_pre_hook(note, with_kwargs=True).remove


def arguments_of(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Mapping[str, Any]:
    """Give the arguments of a module's forward by name, those that it was not given too."""
    bound = inspect.signature(module.forward).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def _checking(read: Read) -> Read:
    """Say at once, and in words, where a reader gives what is no layer."""

    def checked(module: nn.Module, arguments: Mapping[str, Any], output: Any) -> Layer | None:
        layer = read(module, arguments, output)
        if layer is not None:
            _check(layer, f"The layer that was read from {type(module).__name__}")
        return layer

    return checked


def _check(layer: Any, name: str) -> None:
    if not hasattr(layer, "weigh"):
        raise TypeError(
            f"{name} is {type(layer).__name__}: give a ScoredLayer, an AskedLayer or a "
            "WeighedLayer from regard.record.layers, or None where this was no attention."
        )
    if layer.kind not in KINDS:
        raise ValueError(f"{name} is of kind {layer.kind!r}: choose from {list(KINDS)}.")
    x = layer.weights if isinstance(layer, WeighedLayer) else getattr(layer, "query", None)
    if isinstance(x, Tensor) and x.dim() != 3:
        raise ValueError(
            f"{name} has {tuple(x.shape)}, but must have (heads, queries, ...): take the first "
            "sentence of the batch, and part the heads."
        )


# the protocol: the module itself is asked


def _read_protocol(module: nn.Module, arguments: Mapping[str, Any], output: Any) -> Layer | None:
    inputs = tuple(arguments.values())
    if len(inputs) == 1 and isinstance(inputs[0], tuple):  # forward(*inputs)
        (inputs,) = inputs
    if len(inputs) < 5 or not hasattr(output, "weights"):
        return None  # it has a kind, but is no attention
    *features, num_heads, mask = inputs[:5]
    q, k, v = (_heads(x.detach()[0], num_heads) for x in features)

    def ask(head: int) -> Tensor:
        """Ask the module about one head, so that the weights are those that it uses.

        Its forward is called past its hooks, whose doing is in the inputs already.
        """
        part = (x[None, head] for x in (q, k, v))  # (1, T, d_k), (1, S, d_k), (1, S, d_k)
        with torch.no_grad():
            weights: Tensor = module.forward(*part, 1, _mask_of(mask, head)).weights
        return weights[0, 0]

    return AskedLayer(str(module.kind), q, k, v, ask)


def _heads(x: Tensor, num_heads: int) -> Tensor:
    """Part the heads of a sentence: (T, d_model) -> (h, T, d_k)."""
    return x.unflatten(-1, (num_heads, -1)).transpose(0, 1)


def _mask_of(mask: Tensor | None, head: int) -> Tensor | None:
    """Take one head's mask of the first sentence, broadcastable to (1, 1, T, S)."""
    if mask is None:
        return None
    mask = mask[(None,) * (4 - mask.dim())][:1]  # (1, h or 1, T or 1, S or 1)
    return mask if mask.size(1) == 1 else mask[:, head : head + 1]


# nn.MultiheadAttention: its projections are computed once more, for one sentence


def _multihead_reader(kind: str | None, lengths: Mapping[nn.Module, int]) -> Read:
    def read(module: nn.Module, arguments: Mapping[str, Any], _: Any) -> Layer:
        attention = cast("nn.MultiheadAttention", module)
        with torch.no_grad():
            return _read_multihead(attention, arguments, kind, lengths.get(module, 0))

    return read


def _read_multihead(
    module: nn.MultiheadAttention, arguments: Mapping[str, Any], kind: str | None, length: int
) -> ScoredLayer:
    features = [arguments[name] for name in ("query", "key", "value")]
    query, key, value = (_sentence(x, batch_first=module.batch_first) for x in features)
    attn_mask = _attn_mask_of(module, arguments["attn_mask"])
    if kind is None:
        is_self = features[0] is features[1] or torch.equal(query, key)
        kind = _kind_of_self(attn_mask) if is_self else "cross"
    allowed, bias = _allowed_and_bias(
        mask
        for mask in (
            attn_mask,
            _padding_of(arguments["key_padding_mask"]),
            _nested_padding(features[0], length),
        )
        if mask is not None
    )
    if features[0].is_nested:
        query, key, value = (_lengthened(x, length) for x in (query, key, value))
    q, k, v = _projected(module, query, key, value)
    k, v = _with_more_keys(module, k, v)
    more = (0, k.size(1) - key.size(0))  # the keys that no token has
    allowed = None if allowed is None else F.pad(allowed, more, value=True)
    is_causal = allowed is not None and _is_causal(allowed, query.size(0))
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


def _sentence(x: Tensor, *, batch_first: bool) -> Tensor:
    """Take the first sentence, (T, d), of a batch or of none."""
    if x.is_nested:
        return x.unbind()[0]
    if x.dim() == 2:
        return x
    return x[0] if batch_first else x[:, 0]


def _lengthened(x: Tensor, length: int) -> Tensor:
    """Give a sentence its padding back: (T, d) -> (length, d)."""
    return F.pad(x, (0, 0, 0, max(length - x.size(0), 0)))


def _nested_padding(query: Tensor, length: int) -> Tensor | None:
    """Forbid a nested sentence the padding that it was rid of, and the padding to read."""
    if not query.is_nested:
        return None
    tokens = query.unbind()[0].size(0)
    is_padding = torch.arange(max(length, tokens), device=query.device) >= tokens
    return is_padding | is_padding[None, :, None]  # (1, length, length)


def _attn_mask_of(module: nn.MultiheadAttention, mask: Tensor | None) -> Tensor | None:
    """Take the first sentence's part of (T, S) or (B h, T, S): (h or 1, T, S)."""
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


def _is_causal(allowed: Tensor, num_queries: int) -> bool:
    """Say whether a query may read itself and all before it: then the mask need not be kept."""
    is_for_all_heads = allowed.shape[:2] == (1, num_queries)
    return is_for_all_heads and torch.equal(allowed, torch.ones_like(allowed).tril())


def _projected(
    module: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Project what came in, and part the heads: (h, T, d_k), (h, S, d_k), (h, S, d_v)."""
    apart = (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
    weights = _thirds(module.in_proj_weight) or apart
    biases = _thirds(module.in_proj_bias) or (None, None, None)
    q, k, v = (
        _heads(F.linear(x, weight, bias), module.num_heads)
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
        key = torch.cat([key, _heads(module.bias_k[0], module.num_heads)], dim=1)
        value = torch.cat([value, _heads(module.bias_v[0], module.num_heads)], dim=1)
    if module.add_zero_attn:
        key, value = F.pad(key, (0, 0, 0, 1)), F.pad(value, (0, 0, 0, 1))
    return key, value
