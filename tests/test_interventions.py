"""A blocked edge carries nothing, the others still do, and nothing stays behind."""

import re

import pytest
import torch
from torch import Tensor

from regard.interventions import block, edge_mask
from regard.masks import create_masks
from regard.transformer import Heads, Transformer

SRC = torch.tensor([[5, 6, 7, 8, 2], [9, 10, 11, 2, 0]])
TGT = torch.tensor([[1, 12, 13], [1, 14, 15]])


def forbidden() -> Tensor:
    edges = torch.zeros(2, 5, 5, dtype=torch.bool)
    edges[0, 1, 3] = edges[1, 2, 0] = True
    return edges


def test_blocking_equals_a_mask_given_to_the_encoder(model: Transformer) -> None:
    model.eval()
    masks = create_masks(SRC, TGT)
    memory = model.encode(SRC, masks.source & ~forbidden()[:, None])
    expected = model.decode(TGT, memory, masks).logits
    with block(model, forbidden()):
        assert torch.equal(model(SRC, TGT), expected)
    assert not torch.allclose(model(SRC, TGT), expected)


def test_only_the_forbidden_weights_are_zero(model: Transformer) -> None:
    seen = []
    heads = next(m for m in model.modules() if isinstance(m, Heads))
    heads.register_forward_hook(lambda *args: seen.append(args[-1].weights))
    with block(model, forbidden()):
        model.eval()(SRC, TGT)
    padding = (SRC == 0)[:, None, None, :].expand(-1, 4, 5, -1)
    assert torch.equal(seen[0] == 0, forbidden()[:, None].expand(-1, 4, -1, -1) | padding)


def test_nothing_is_left_behind_even_after_an_error(model: Transformer) -> None:
    before = model.eval()(SRC, TGT)
    with pytest.raises(RuntimeError, match="halfway"), block(model, forbidden()):
        raise RuntimeError("halfway")
    assert torch.equal(model(SRC, TGT), before)


def test_it_works_where_there_was_no_mask() -> None:
    heads = Heads("cross")
    x = torch.randn(2, 5, 4)
    with block(heads, forbidden(), kind="cross"):
        weights = heads(x, x, x, 1, None).weights
    assert weights[0, 0, 1, 3] == 0
    assert weights[0, 0, 1].sum() == pytest.approx(1)


def test_errors(model: Transformer) -> None:
    with (
        pytest.raises(TypeError, match=r"bool .*torch.float32 \(2, 5, 5\)"),
        block(model, forbidden().float()),
    ):
        pass
    with (
        pytest.raises(ValueError, match="no attention of kind 'self'"),
        block(model, forbidden(), kind="self"),
    ):
        pass


def test_edges_are_marked_and_none_is_fine() -> None:
    marked = edge_mask([(1, 3), (2, 0)], length=5)
    assert torch.equal(marked, forbidden())
    assert edge_mask([], length=5).shape == (0, 5, 5)


@pytest.mark.parametrize("edge", [(5, 0), (0, 5), (-1, 0), (0, -1)])
def test_edges_outside_of_the_sentence(edge: tuple[int, int]) -> None:
    message = (
        f"1 of 2 edges lie outside of sentences of 5 tokens, first {edge}: positions are 0 to 4"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        edge_mask([(1, 3), edge], length=5)
