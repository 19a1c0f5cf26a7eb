"""Change what a model may read, and see what it can no longer do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from regard.modules import attention_modules


def edge_mask(edges: Sequence[tuple[int, int]], length: int) -> Tensor:
    """Mark one edge (query, key) in each of B sentences, to `block` it.

    Parameters
    ----------
    edges
        The positions of a query and a key, one pair a sentence, counted from 0.
    length
        To how many tokens the sentences are padded.

    Returns
    -------
    Tensor
        Bool (B, length, length), True at the edge of each sentence.

    Raises
    ------
    ValueError
        If an edge lies outside the sentence.

    Examples
    --------
    >>> edge_mask([(1, 0)], length=2).int()
    tensor([[[0, 0],
             [1, 0]]], dtype=torch.int32)
    """
    outside = [edge for edge in edges if not all(0 <= position < length for position in edge)]
    if outside:
        raise ValueError(
            f"{len(outside)} of {len(edges)} edges lie outside of sentences of {length} tokens, "
            f"first {outside[0]}: positions are 0 to {length - 1}. Give each edge as (query, key), "
            "and the length of the padded batch."
        )
    query, key = torch.tensor(edges, dtype=torch.long).reshape(-1, 2).T  # (B,) each
    marked = torch.zeros(len(edges), length, length, dtype=torch.bool)
    marked[torch.arange(len(edges)), query, key] = True
    return marked


@contextmanager
def block(model: nn.Module, forbidden: Tensor, *, kind: str = "encoder") -> Iterator[None]:
    """Let no head of one kind of attention read along the forbidden edges, while within.

    The softmax shares the reader's attention among the edges that are left, so it still reads as
    much as before, but elsewhere.

    Parameters
    ----------
    model
        A module whose attention follows the protocol of `regard.modules.AttentionModule`.
    forbidden
        Bool (B, Q, K), for the batch that the model is given: True where query may not read key.
    kind
        "encoder", "decoder" or "cross".

    Raises
    ------
    ValueError
        If the model has no such attention.
    TypeError
        If `forbidden` is not bool with three dimensions.

    Notes
    -----
    The attention knockout of Geva et al. (2023), *Dissecting recall of factual associations in
    auto-regressive language models*: a forbidden edge's score is -inf before the softmax.

    Examples
    --------
    >>> from regard.transformer import build_transformer_model
    >>> model = build_transformer_model(9, 8, nhead=2, num_layers=1, dim_feedforward=8).eval()
    >>> src = torch.tensor([[4, 5, 6]])
    >>> seeing = model.generate(src, max_length=3)
    >>> with block(model, torch.eye(3, dtype=torch.bool)[None]):
    ...     without_itself = model.generate(src, max_length=3)
    >>> torch.equal(model.generate(src, max_length=3), seeing)
    True
    """
    if forbidden.dtype != torch.bool or forbidden.dim() != 3:
        raise TypeError(
            "The forbidden edges are bool (sentences, queries, keys), but got "
            f"{forbidden.dtype} {tuple(forbidden.shape)}."
        )
    modules = [module for module in attention_modules(model) if module.kind == kind]
    if not modules:
        raise ValueError(f"{type(model).__name__} has no attention of kind {kind!r} to block.")
    allowed = ~forbidden[:, None]  # (B, 1, Q, K)

    def narrow(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        query, key, value, num_heads, mask = inputs
        return query, key, value, num_heads, allowed if mask is None else mask & allowed

    handles = [module.register_forward_pre_hook(narrow) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
