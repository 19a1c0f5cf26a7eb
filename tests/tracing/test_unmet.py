"""Softmaxes of queries and keys that are no layers are counted, and others are not."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import regard
from tests.attention_styles import HEADS, IDS, STYLES, WIDTH, Eager, Flash, Writer, model_of
from tests.attention_styles import parted as heads_of

T = 9
STATES = torch.randn(1, T, WIDTH, generator=torch.Generator().manual_seed(7))
LABELS = torch.arange(T)


class Attending(nn.Module):
    """One layer of attention that is seen, and something else with a softmax of scores."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.attn, self.q, self.k, self.v = Flash(), *(nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.table = nn.Parameter(torch.randn(T, WIDTH))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = self.attn(x)
        q, k, v = (heads_of(project(x)) for project in (self.q, self.k, self.v))
        weights = (q @ k.mT).softmax(-1)  # (B, h, T, T)
        return (LOST | OTHER)[self.way](self, weights, x, v)


def _competing(q: Tensor, v: Tensor) -> Tensor:
    """Queries compete for what they read, as slots do: a softmax over them, and then a mean."""
    shares = (q @ v.mT).softmax(-2)
    return (shares / shares.sum(-1, keepdim=True)) @ v


Way = Callable[[Attending, Tensor, Tensor, Tensor], Tensor | tuple[Tensor, Tensor]]
LOST: dict[str, Way] = {
    "summed by hand": lambda _, w, __, v: (w[..., None] * v[:, :, None]).sum(-2),
    "pooled": lambda _, w, x, __: w.mean((1, 2))[:, None] @ x,
    "the best alone": lambda _, w, x, __: x[0, w.argmax(-1)],
    "competing for keys": lambda self, _, x, v: _competing(heads_of(self.q(x)), v),
    "a pointer": lambda _, w, x, __: (w[:, 0, -1, :, None] * x).sum(1),
}
OTHER: dict[str, Way] = {
    "returned": lambda _, w, x, __: (x, w),
    "a contrastive loss": lambda _, w, x, __: F.nll_loss(w[0, 0].log(), LABELS) + x.mean(),
    "an entropy": lambda _, w, x, __: x.mean() - (w * w.log()).sum(),
    "of a table": lambda self, w, __, ___: w @ self.table,
    "attention": lambda _, w, __, v: w @ v,
    "in parts": lambda _, w, __, v: torch.cat(
        [one @ other for one, other in zip(w.chunk(2, 1), v.chunk(2, 1), strict=True)], 1
    ),
    "gated and then attention": lambda _, w, __, v: (w * v.mean(-1)[..., None]) @ v,
    "read and then attention": lambda _, w, x, v: (w @ v, w.amax(-1)[..., None] * x[:, None])[0],
}


@pytest.mark.parametrize("way", LOST)
def test_what_is_lost_is_counted(way: str) -> None:
    seen = regard.trace(STATES, Attending(way))
    assert seen.how == (
        "queries and keys; 1 softmax of queries and keys met no values, and is not shown"
    )
    assert seen.counts == {"decoder": 1}


@pytest.mark.parametrize("way", OTHER)
def test_what_is_not_lost_is_not(way: str) -> None:
    assert "met no values" not in regard.trace(STATES, Attending(way)).how


def test_parts_of_weights_are_layers() -> None:
    model = Attending("in parts")
    seen = regard.trace(STATES, model)
    first, second = seen.layers["encoder"].values()
    with torch.no_grad():
        x = model.attn(STATES)
        expected = (heads_of(model.q(x)) @ heads_of(model.k(x)).mT).softmax(-1)[0]
    assert (torch.cat([first.weigh(), second.weigh()]) - expected).abs().max() < 1e-6


def test_each_is_counted_and_an_error_says_so() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q = nn.Linear(WIDTH, WIDTH)

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(2):
                x = x + ((self.q(x) @ x.mT).softmax(-1)[..., None] * x[:, None]).sum(-2)
            return x

    with pytest.raises(ValueError, match="2 softmaxes of queries and keys met no values, and are"):
        regard.trace(STATES, Twice())


@pytest.mark.parametrize("style", STYLES)
def test_no_style_loses_one(style: str) -> None:
    assert "met no values" not in regard.trace(IDS, model_of(style)).how


def test_some_of_many_blocks() -> None:
    class ByHand(Eager):
        def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return ((q @ k.mT).softmax(-1)[..., None] * v[:, :, None]).sum(-2)

    makes = iter([Eager(), ByHand(), Eager()])
    seen = regard.trace(IDS, Writer(lambda: next(makes)))
    assert seen.num_heads == HEADS
    assert "1 softmax of queries and keys met no values" in seen.how
