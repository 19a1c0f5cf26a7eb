"""Attention from or to tokens that are picked by rank has no matrix of weights, and is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import InformerConfig, InformerModel

import regard
from tests.attention_styles import IDS, SIZE, Flash, Writer

Way = Callable[[Tensor, Tensor, Tensor], Tensor]


def attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.mT / SIZE**0.5).softmax(-1) @ v


def sharpest(q: Tensor, k: Tensor, count: int) -> Tensor:
    """Rank queries as Informer does, by how much more than the mean they read their best key."""
    scores = q @ k.mT
    return (scores.amax(-1) - scores.mean(-1)).topk(count, sorted=False)[1]  # (B, h, count)


def informers(count: int) -> Way:
    """The best queries attend, and others read evenly."""

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        sentence, head = torch.arange(q.size(0))[:, None, None], torch.arange(q.size(1))[:, None]
        best = sharpest(q, k, count)
        written = v.mean(-2, keepdim=True).expand_as(v).clone()
        written[sentence, head, best] = attended(q[sentence, head, best, :], k, v)
        return written

    return attend


def sorted_by_norm(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    order = q.norm(dim=-1).argsort(-1)[..., None].expand_as(q)
    written = attended(q.gather(-2, order).contiguous().view(q.shape), k, v)
    return torch.zeros_like(q).scatter(-2, order, written)


def best_keys(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    order = k.norm(dim=-1).topk(4).indices[..., None].expand(*k.shape[:2], 4, SIZE)
    return attended(q, torch.gather(k, -2, order), torch.gather(v, -2, order))


def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    order = q.norm(dim=-1).sort(-1).indices[..., None].expand_as(q)
    ranked = torch.take_along_dim(q, order, -2)
    return torch.nn.functional.scaled_dot_product_attention(ranked, k, v)


PICKED: dict[str, Way] = {
    "some": informers(4),
    "all, in no order": informers(IDS.size(1)),
    "sorted": sorted_by_norm,
    "keys": best_keys,
    "fused": fused,
}


def model_that(way: Way) -> Writer:
    class Picking(Flash):
        is_causal = False

        def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return way(q, k, v)

    torch.manual_seed(0)
    return Writer(Picking).eval()


@pytest.mark.parametrize("way", PICKED)
def test_what_is_picked_is_refused(way: str) -> None:
    with pytest.raises(ValueError, match=r"h\.0\.attn attends from or to tokens that it picks"):
        regard.trace(IDS, model_that(PICKED[way]))


def test_no_edge_is_blocked_among_what_is_picked() -> None:
    forbidden = torch.zeros(1, 9, 9, dtype=torch.bool)
    model = model_that(PICKED["all, in no order"])
    with pytest.raises(ValueError, match="picks by rank"), regard.block(model, forbidden):
        model(IDS)


def test_what_transformers_gives_of_it_is_refused_too() -> None:
    steps: dict[str, Any] = {"prediction_length": 4, "context_length": 12, "lags_sequence": [1]}
    config = InformerConfig(**steps, d_model=32, encoder_layers=2, num_time_features=1)
    past, future = torch.randn(1, 13), torch.randn(1, 4)
    given = {
        "past_values": past,
        "past_time_features": past[..., None],
        "past_observed_mask": torch.ones_like(past),
        "future_values": future,
        "future_time_features": future[..., None],
    }
    with pytest.raises(ValueError, match=r"encoder\.layers\.0\.self_attn .* that it picks by rank"):
        regard.trace(given, InformerModel(config).eval())


def test_ranks_beside_attention_are_fine() -> None:
    def masked(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        rank = q.norm(dim=-1).argsort(-1).argsort(-1)
        scores = (q * (1 + rank[..., None])) @ k.mT
        least = scores.topk(3).values[..., -1:]
        return scores.masked_fill(scores < least, -torch.inf).softmax(-1) @ v

    seen = regard.trace(IDS, model_that(masked))
    layers = [layer for of_kind in seen.layers.values() for layer in of_kind.values()]
    assert len(layers) == 3
    assert all(((layer.weigh() > 0).sum(-1) == 3).all() for layer in layers)
