"""A change that is used without `with` says so."""

from typing import Any

import pytest
import torch

import regard
from regard.model.transformer import Transformer

HEADS = [("encoder", 0, 1)]
INPUTS = (torch.tensor([[4, 5, 6]]), torch.tensor([[1, 7]]))


@pytest.mark.parametrize("name", ["ablate", "block"])
def test_without_with_it_says_what_to_do(name: str, model: Transformer) -> None:
    changes = {
        "ablate": lambda: regard.ablate(model, HEADS),
        "block": lambda: regard.block(model, torch.zeros(1, 3, 3, dtype=torch.bool)),
    }
    change: Any = changes[name]()
    said = rf"{name}\(\.\.\.\) gives no model.* `with regard.{name}\(model, \.\.\.\):`"
    with pytest.raises(TypeError, match=said):
        change(*INPUTS)
    with pytest.raises(TypeError, match=said):
        list(change)
    with pytest.raises(AttributeError, match=said):
        change.generate(INPUTS[0])
    assert not hasattr(change, "_repr_html_")


def test_with_with_it_is_there_and_gone(model: Transformer) -> None:
    before = model.eval()(*INPUTS)
    change = regard.ablate(model, HEADS)
    assert torch.equal(model(*INPUTS), before)
    with change:
        assert not torch.equal(model(*INPUTS), before)
    assert torch.equal(model(*INPUTS), before)


@pytest.mark.parametrize("wrong", ["encoder", 3])
def test_what_is_no_list_of_heads_is_refused(wrong: Any, model: Transformer) -> None:
    with pytest.raises(TypeError, match="Heads are a list"), regard.ablate(model, wrong):
        pass


def test_what_are_no_edges_is_refused(model: Transformer) -> None:
    wrong: Any = [(0, 1)]
    with (
        pytest.raises(TypeError, match="forbidden edges are a bool tensor"),
        regard.block(model, wrong),
    ):
        pass
