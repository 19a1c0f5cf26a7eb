"""`flex_attention`, beside a hand computation of what its functions make of scores."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

import regard
from regard.record.layers import ScoredLayer, WeighedLayer

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")

T, H, D = 7, 4, 8
STATES = torch.randn(1, T, H * D, generator=torch.Generator().manual_seed(4))
DOCUMENTS = torch.tensor([0, 0, 0, 1, 1, 2, 2])
SLOPES = torch.arange(1, H + 1) / H
TABLE = torch.randn(H, T, T, generator=torch.Generator().manual_seed(5))
AT = torch.arange(T)
PAST = AT[:, None] >= AT


def causal(_: Tensor, __: Tensor, q: Tensor, k: Tensor) -> Tensor:
    return q >= k


def of_documents(_: Tensor, __: Tensor, q: Tensor, k: Tensor) -> Tensor:
    return DOCUMENTS[q] == DOCUMENTS[k]


def of_heads(_: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
    return (q - k <= h) & (q >= k)


def slope(score: Tensor, _: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
    return score + SLOPES[h] * (k - q)


def table(score: Tensor, _: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
    return score + TABLE[h, q, k]


def capped(score: Tensor, *_: Tensor) -> Tensor:
    return 2 * torch.tanh(score / 2)


Scores = Callable[[Tensor], Tensor]
MASKS: dict[Any, Tensor] = {  # and who may read whom, written out
    None: torch.ones(1, T, T, dtype=torch.bool),
    causal: PAST[None],
    of_documents: (DOCUMENTS[:, None] == DOCUMENTS)[None],
    of_heads: torch.stack([PAST & (AT[:, None] - AT <= head) for head in range(H)]),
}
CHANGES: dict[Any, Scores] = {
    None: lambda scores: scores,
    slope: lambda scores: scores + SLOPES[:, None, None] * (AT - AT[:, None]),
    table: lambda scores: scores + TABLE,
    capped: lambda scores: 2 * torch.tanh(scores / 2),
}


class Flexible(nn.Module):
    """One layer of flex_attention, with grouped queries."""

    def __init__(self, score_mod: Any, mask_mod: Any, groups: int = 2) -> None:
        super().__init__()
        self.q, self.kv = nn.Linear(H * D, H * D), nn.Linear(H * D, 2 * groups * D)
        self.c_proj = nn.Linear(H * D, H * D)
        self.score_mod = score_mod
        self.mask = None if mask_mod is None else create_block_mask(mask_mod, None, H, T, T, "cpu")

    def parted(self, x: Tensor) -> list[Tensor]:
        parts = (self.q(x), *self.kv(x).chunk(2, -1))
        return [part.unflatten(-1, (-1, D)).transpose(1, 2) for part in parts]

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.parted(x)
        y: Any = flex_attention(q, k, v, self.score_mod, self.mask, enable_gqa=True)
        return self.c_proj(y.transpose(1, 2).flatten(-2))

    def used(self, x: Tensor, allowed: Tensor) -> Tensor:
        """Compute the weights in double precision: (h, T, T)."""
        with torch.no_grad():
            query, key, _ = (part[0].double() for part in self.parted(x))
        key = key.repeat_interleave(H // len(key), 0)
        scores = CHANGES[self.score_mod](query @ key.mT / math.sqrt(D))
        return scores.masked_fill(~allowed, -math.inf).softmax(-1).nan_to_num(0.0)


PAIRS = [(change, mask) for change in CHANGES for mask in MASKS]


def model_of(change: Any, mask: Any) -> Flexible:
    torch.manual_seed(0)
    return Flexible(change, mask).eval()


@pytest.mark.parametrize(("change", "mask"), PAIRS)
def test_weights_are_those_of_the_functions(change: Any, mask: Any) -> None:
    model = model_of(change, mask)
    seen = regard.trace(STATES, model)
    kind = "decoder" if mask in {causal, of_heads} else "encoder"
    assert seen.kinds == (kind,)
    (layer,) = seen.layers[kind].values()
    assert (layer.weigh() - model.used(STATES, MASKS[mask])).abs().max() < 1e-6
    if isinstance(layer, ScoredLayer):
        assert (layer.allowed is None) == (mask in {None, causal})
    assert isinstance(layer, ScoredLayer if change is None else WeighedLayer)


@pytest.mark.parametrize(("change", "mask"), PAIRS)
def test_a_head_is_cut(change: Any, mask: Any) -> None:
    model = model_of(change, mask)
    kind = "decoder" if mask in {causal, of_heads} else "encoder"

    def hook(_: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        written = args[0].clone()
        written[..., D : 2 * D] = 0
        return (written,)

    with torch.no_grad():
        with model.c_proj.register_forward_pre_hook(hook):
            expected = model(STATES)
        with regard.ablate(model, [(kind, 0, 1)]):
            ours = model(STATES)
            within = regard.trace(STATES, model).layers[kind][0]
    assert (ours - expected).abs().max() < 1e-6
    assert (within.weigh() - model.used(STATES, MASKS[mask])).abs().max() < 1e-6


@pytest.mark.parametrize(("change", "mask"), PAIRS)
def test_edges_are_blocked(change: Any, mask: Any) -> None:
    model = model_of(change, mask)
    kind = "decoder" if mask in {causal, of_heads} else "encoder"
    forbidden = torch.rand(1, T, T, generator=torch.Generator().manual_seed(6)) < 0.3
    forbidden[0, 2] = True
    found: list[Tensor] = []
    expected = model.used(STATES, MASKS[mask] & ~forbidden)
    with torch.no_grad():
        value = model.parted(STATES)[2][0].repeat_interleave(2, 0).double()
        written = (expected @ value).transpose(0, 1).flatten(-2)
        handle = model.c_proj.register_forward_pre_hook(lambda _, args: found.append(args[0][0]))
        with handle, regard.block(model, forbidden, kind=kind):
            model(STATES)
            within = regard.trace(STATES, model).layers[kind][0]
    assert (found[0] - written).abs().max() < 1e-6
    assert (within.weigh() - expected).abs().max() < 1e-6


def test_compiled_it_is_seen_too() -> None:
    class Compiled(Flexible):
        def forward(self, x: Tensor) -> Tensor:
            compiled = torch.compile(flex_attention, backend="eager")
            q, k, v = self.parted(x)
            y: Any = compiled(q, k, v, block_mask=self.mask, enable_gqa=True)
            return self.c_proj(y.transpose(1, 2).flatten(-2))

    model = Compiled(None, causal).eval()
    layer = regard.trace(STATES, model).layers["decoder"][0]
    assert (layer.weigh() - model.used(STATES, MASKS[causal])).abs().max() < 1e-6


def test_functions_that_do_not_broadcast_are_refused() -> None:
    def odd(score: Tensor, _: Tensor, __: Tensor, q: Tensor, ___: Tensor) -> Tensor:
        return score + (1.0 if q.dim() == 0 else 3.0) * q.remainder(2) * score

    with pytest.raises(ValueError, match="what broadcasts"):
        regard.trace(STATES, Flexible(odd, None))
