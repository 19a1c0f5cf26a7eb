"""Modules that follow the protocol: what is recorded are the weights that they give."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from regard.causes.interventions import block
from regard.model.transformer import Heads
from regard.record.layers import Recorder, ScoredLayer, WeighedLayer
from regard.tracing.modules import recording
from regard.tracing.run import trace
from tests.tracing.recording import recorded


@pytest.mark.parametrize(
    "sizes", [(5, 6), (1, 6), (6,), (1, 5, 6), (4, 5, 6), (2, 1, 1, 6), (2, 4, 5, 6)]
)
def test_a_mask_may_have_fewer_dimensions(sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    heads, mask = Heads("cross"), torch.rand(sizes) < 0.6
    query, key = torch.randn(2, 5, 8), torch.randn(2, 6, 8)
    layer = recorded(heads, query, key, key, 4, mask)["cross"][0]
    assert isinstance(layer, ScoredLayer)
    assert layer.value is not None
    expected = heads(query, key, key, 4, mask).weights[0]
    assert torch.allclose(layer.weigh(), expected, atol=1e-6)


def test_what_was_recorded_is_not_blocked() -> None:
    heads, x, recorder = Heads("encoder"), torch.randn(1, 3, 4), Recorder()
    with recording(heads, recorder):
        heads(x, x, x, num_heads=2, mask=None)
        layer = recorder.layers["encoder"][0]
        before = layer.weigh()
        assert recorder.counts["encoder"] == 1
    with block(heads, torch.eye(3, dtype=torch.bool)[None]):
        assert torch.equal(layer.weigh(), before)
        heads(x, x, x, num_heads=2, mask=None)


def attention_of(
    query: Tensor,
    key: Tensor,
    num_heads: int,
    allowed: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Compute weights by the book, (B, h, T, S), with a scale of one's own if one is given."""
    q, k = (x.unflatten(-1, (num_heads, -1)).transpose(1, 2) for x in (query, key))
    scores = q @ k.mT * (q.size(-1) ** -0.5 if scale is None else scale)
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -math.inf)
    return scores.softmax(-1)


class Attended(NamedTuple):
    weights: Tensor


class Own(nn.Module):
    """A learner's attention: what its weights are is said from outside."""

    kind = "encoder"

    def __init__(self, weigh: Callable[..., Tensor]) -> None:
        super().__init__()
        self.weigh = weigh

    def forward(self, query: Any, key: Any, value: Any, num_heads: int, mask: Any) -> Attended:
        return Attended(self.weigh(query, key, num_heads, mask))


def unscaled(query: Tensor, key: Tensor, num_heads: int, mask: Tensor | None) -> Tensor:
    return attention_of(query, key, num_heads, mask, scale=1.0)


def without_the_mask(query: Tensor, key: Tensor, num_heads: int, _: Tensor | None) -> Tensor:
    return attention_of(query, key, num_heads)


def with_a_mask_of_its_own(query: Tensor, key: Tensor, num_heads: int, _: Any) -> Tensor:
    return attention_of(query, key, num_heads, torch.ones(query.size(1), key.size(1)).tril() > 0)


def over_queries(query: Tensor, key: Tensor, num_heads: int, mask: Tensor | None) -> Tensor:
    return attention_of(key, query, num_heads).mT


def with_one_row_changed(query: Tensor, key: Tensor, num_heads: int, mask: Any) -> Tensor:
    weights = attention_of(query, key, num_heads, mask)
    weights[:, :, -1] = 1 / key.size(1)
    return weights


def scaled_a_little_otherwise(query: Tensor, key: Tensor, num_heads: int, mask: Any) -> Tensor:
    return attention_of(query, key, num_heads, mask, scale=0.51)  # where 0.5 is meant


UNDERSTOOD = [attention_of, unscaled, without_the_mask, with_a_mask_of_its_own]
OWN_WAYS = [over_queries, with_one_row_changed, scaled_a_little_otherwise]


@pytest.mark.parametrize("tokens", [5, 200])
@pytest.mark.parametrize("weigh", [*UNDERSTOOD, *OWN_WAYS])
def test_what_is_shown_is_what_the_module_gave(weigh: Callable[..., Tensor], tokens: int) -> None:
    torch.manual_seed(0)
    module, x, y = Own(weigh), torch.randn(2, tokens, 8), torch.randn(2, tokens, 8)
    mask = torch.rand(2, 1, tokens, tokens) < 0.7
    mask |= torch.eye(tokens, dtype=torch.bool)
    layer = recorded(module, x, y, y, 2, mask)["encoder"][0]
    assert torch.allclose(layer.weigh(), weigh(x, y, 2, mask)[0], atol=1e-6)
    assert isinstance(layer, ScoredLayer) == (weigh in UNDERSTOOD)


def test_weights_that_hardly_differ_are_told_apart_in_a_long_text() -> None:
    """Each is about 1/2048, whatever the scale: less than any absolute tolerance."""
    torch.manual_seed(0)
    x = torch.randn(1, 2048, 4) * 0.2
    for weigh, scale in ((attention_of, 0.5), (unscaled, 1.0)):
        layer = recorded(Own(weigh), x, x, x, 1, None)["encoder"][0]
        assert isinstance(layer, ScoredLayer)
        assert layer.scale == scale
    layer = recorded(Own(scaled_a_little_otherwise), x, x, x, 1, None)["encoder"][0]
    assert isinstance(layer, WeighedLayer)


def test_a_trace_says_which_weights_it_holds_themselves() -> None:
    x, names = torch.randn(1, 3, 8), ["the", "cow", "saw"]

    class Model(nn.Module):
        def __init__(self, *ways: Callable[..., Tensor]) -> None:
            super().__init__()
            self.layers = nn.ModuleList(Own(weigh) for weigh in ways)

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                layer(x, x, x, 2, None)
            return x

    assert trace(x, Model(attention_of), tokens=names).how == "queries and keys"
    assert trace(x, Model(over_queries), tokens=names).how.startswith("weights as the module gave")
    how = trace(x, Model(attention_of, over_queries), tokens=names).how
    assert how.startswith("queries and keys, but 1 of 2 layers: weights as")


def test_what_was_recorded_stays_when_the_module_is_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    heads, x = Heads("encoder"), torch.randn(1, 3, 4)
    before = recorded(heads, x, x, x, 2, None)["encoder"][0]
    weights = before.weigh()
    monkeypatch.setattr("regard.model.transformer.multi_head_attention", lambda *_: Edited())
    after = recorded(heads, x, x, x, 2, None)["encoder"][0]
    assert torch.equal(after.weigh(), torch.full((2, 3, 3), 7.0))
    assert torch.equal(before.weigh(), weights)


class Edited:
    weights = torch.full((1, 2, 3, 3), 7.0)


def test_a_forward_may_take_all_its_inputs_in_one() -> None:
    class Loose(Heads):
        def forward(self, *inputs: Any) -> Any:
            return super().forward(*inputs)

    heads, x = Loose("encoder"), torch.randn(1, 3, 4)
    layer = recorded(heads, x, x, x, 2, None)["encoder"][0]
    assert torch.allclose(layer.weigh(), heads(x, x, x, 2, None).weights[0], atol=1e-6)


def test_a_module_that_has_a_kind_but_does_not_attend() -> None:
    class Block(nn.Module):
        kind = "encoder"

        def forward(self, x: Tensor) -> Tensor:
            return x

    assert recorded(Block(), torch.ones(1, 2, 4)) == {}
