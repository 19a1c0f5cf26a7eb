"""A zoo of bugs: switch one on in a model that follows the protocol, and see what it does.

Each is a mistake that real implementations of attention have had. A model is left as it was.
"""

import math
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from regard.record.door import a_model, text, whole_number
from regard.tracing.protocol import attention_modules

Inputs = tuple[Tensor, Tensor, Tensor, int, Tensor | None]  # query, key, value, num_heads, mask
Change = Callable[[str, Inputs], Inputs]  # kind and inputs of an attention module -> inputs


def _without_scale(_: str, inputs: Inputs) -> Inputs:
    """Take 1/sqrt(d_k) back: scores grow with the size of a head."""
    query, key, value, num_heads, mask = inputs
    return query * math.sqrt(query.size(-1) / num_heads), key, value, num_heads, mask


def _transposed_mask(kind: str, inputs: Inputs) -> Inputs:
    """Let a query read what may read it: the future in place of the past."""
    *rest, mask = inputs
    if mask is None or kind == "cross" or mask.size(-1) != mask.size(-2):
        return inputs
    return (*rest, mask.mT)  # type: ignore[return-value]


def _future_visible(kind: str, inputs: Inputs) -> Inputs:
    """Let each target word read those after it, as long as any word may read them."""
    *rest, mask = inputs
    if mask is None or kind != "decoder":
        return inputs
    return (*rest, mask.any(dim=-2, keepdim=True).expand_as(mask))  # type: ignore[return-value]


def _padding_unmasked(kind: str, inputs: Inputs) -> Inputs:
    """Let everyone read the padding; the future stays masked."""
    query, key, value, num_heads, mask = inputs
    if kind == "decoder":
        mask = torch.ones(query.size(-2), key.size(-2), dtype=torch.bool, device=query.device)
        return query, key, value, num_heads, mask.tril()
    return query, key, value, num_heads, None


def _swapped(kind: str, inputs: Inputs) -> Inputs:
    """Ask with the key and answer with the query, where they are of one sentence."""
    query, key, value, num_heads, mask = inputs
    if kind == "cross":
        return inputs
    return key, query, value, num_heads, mask


def _heads_mixed(_: str, inputs: Inputs) -> Inputs:
    """Cut queries into heads wrongly: every head gets features of all others."""
    query, *rest = inputs
    num_heads = inputs[3]
    mixed = query.unflatten(-1, (num_heads, -1)).transpose(-1, -2).flatten(-2)
    return (mixed, *rest)


INPUT_BUGS: dict[str, Change] = {
    "no scale": _without_scale,
    "transposed mask": _transposed_mask,
    "future visible": _future_visible,
    "padding unmasked": _padding_unmasked,
    "query and key swapped": _swapped,
    "heads mixed": _heads_mixed,
}
BUGS = (*INPUT_BUGS, "softmax over queries", "no positions", "target off by one")


@contextmanager
def bug(model: nn.Module, name: str) -> Iterator[None]:
    """Switch one bug on in a model, while within.

    Parameters
    ----------
    model
        A module whose attention follows the protocol of `regard.tracing.protocol.AttentionModule`.
        For "no positions" it must have a buffer `position` that is added to its embeddings; for
        "target off by one" it is called as `model(src, tgt)`.
    name
        One of `BUGS`:

        - "no scale": scores are not divided by sqrt(d_k);
        - "softmax over queries": the columns sum to 1, not the rows;
        - "transposed mask": a query reads what may read it;
        - "padding unmasked": the padding is read;
        - "future visible": a target word reads those after it;
        - "no positions": words are a bag;
        - "target off by one": the decoder is given the word that it is to write;
        - "query and key swapped", "heads mixed": as they say.

    Raises
    ------
    TypeError
        If the model is none, or the name no text.
    ValueError
        If there is no such bug, or the model has no place for it.

    Examples
    --------
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(9, 8, nhead=2, num_layers=1, dim_feedforward=8).eval()
    >>> src, tgt = torch.tensor([[4, 5, 6]]), torch.tensor([[1, 7]])
    >>> healthy = model(src, tgt)
    >>> with bug(model, "no positions"):
    ...     print(torch.equal(model(src, tgt), healthy))
    False
    >>> torch.equal(model(src, tgt), healthy)
    True
    """
    modules = attention_modules(a_model(model))
    name = _in_the_zoo(name)
    if not modules:
        raise ValueError(
            f"{type(model).__name__} has no attention that follows the protocol of "
            "regard.tracing.protocol.AttentionModule, so there is no place for a bug."
        )
    with ExitStack() as undo:
        if name == "no positions":
            undo.enter_context(_without_positions(model))
        elif name == "target off by one":
            undo.callback(model.register_forward_pre_hook(_shift_target).remove)
        elif name == "softmax over queries":
            for module in modules:
                undo.enter_context(_over_queries(module))
        else:
            for module in modules:
                hook = _changing(str(module.kind), INPUT_BUGS[name])
                undo.callback(module.register_forward_pre_hook(hook).remove)
        yield


def _in_the_zoo(name: str) -> str:
    """Take the name of a bug, or say which there are."""
    if text("The name of a bug", name) not in BUGS:
        raise ValueError(f"There is no bug {name!r} in the zoo: choose from {', '.join(BUGS)}.")
    return name


def _changing(kind: str, change: Change) -> Callable[[nn.Module, Any], Inputs]:
    return lambda _, inputs: change(kind, inputs)


def _shift_target(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Give the decoder the next word at each place: what it is asked to write."""
    if len(inputs) < 2:
        raise ValueError('"target off by one" needs a model that is called as model(src, tgt).')
    src, tgt, *rest = inputs
    return src, torch.cat([tgt[:, 1:], tgt[:, -1:]], dim=1), *rest


@contextmanager
def _over_queries(module: nn.Module) -> Iterator[None]:
    """Take the softmax over the wrong axis: in `forward` itself, since a trace asks that."""
    healthy = module.forward

    def forward(*inputs: Any) -> Any:
        return type(healthy(*inputs))(*_attend_over_queries(*inputs))

    module.forward = forward
    try:
        yield
    finally:
        del module.forward


def _attend_over_queries(
    query: Tensor, key: Tensor, value: Tensor, num_heads: int, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    q, k, v = (x.unflatten(-1, (num_heads, -1)).transpose(-2, -3) for x in (query, key, value))
    scores = q @ k.mT / math.sqrt(q.size(-1))  # (B, h, T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-2).nan_to_num(0.0)
    return (weights @ v).transpose(-2, -3).flatten(-2), weights


@contextmanager
def _without_positions(model: nn.Module) -> Iterator[None]:
    buffers = [m for m in model.modules() if isinstance(getattr(m, "position", None), Tensor)]
    if not buffers:
        raise ValueError(
            f'{type(model).__name__} has no buffer "position" that is added to its embeddings.'
        )
    before = [module.position for module in buffers]
    for module in buffers:
        module.position = torch.zeros_like(module.position)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for module, position in zip(buffers, before, strict=True):
            module.position = position


class Mystery:
    """A bug that nobody names: look at maps, loss and leak test, then say which it is.

    Examples
    --------
    >>> mystery = Mystery(seed=3)
    >>> mystery.guess("no scale")
    'Not "no scale". Look again: at the maps, at what the rows sum to, at the leak test.'
    """

    def __init__(self, seed: int | None = None) -> None:
        seed = None if seed is None else whole_number("seed", seed)
        self._name = random.Random(seed).choice(BUGS)

    def in_(self, model: nn.Module) -> Any:
        """Switch the bug on in a model, while within."""
        return bug(model, self._name)

    def guess(self, name: str) -> str:
        """Say whether this is the bug.

        Raises
        ------
        TypeError
            If it is no text.
        ValueError
            If there is no such bug.
        """
        if _in_the_zoo(name) == self._name:
            return f'Yes: "{name}".'
        return f'Not "{name}". Look again: at the maps, at what the rows sum to, at the leak test.'
