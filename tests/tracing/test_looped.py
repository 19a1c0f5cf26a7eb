"""A model that is run several times inside of a wrapper is traced in each of its calls."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedModel

import regard
from regard.tracing.looped import is_looped
from tests.tiny_models import build, redraw, tiny_config

IDS = torch.tensor([[15, 16, 17, 18, 19]])


class Looped(nn.Module):
    """A module of one's own that runs its model on what it gave, as a looped Transformer does."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, input_ids: Tensor) -> Tensor:
        inner: Any = self.inner
        states: Tensor = inner.get_input_embeddings()(input_ids)
        for _ in range(3):
            states = self.inner(inputs_embeds=states).last_hidden_state
        return states


class Twice(Looped):
    def forward(me, input_ids: Tensor) -> Tensor:  # noqa: N805  a name of one's own
        first: Tensor = me.inner(input_ids=input_ids).last_hidden_state
        return first + me.inner(input_ids=input_ids.flip(1)).last_hidden_state


class Either(Looped):
    """Which of the two it is, it is one."""

    def forward(self, input_ids: Tensor) -> Tensor:
        if input_ids.size(1) > 3:
            outputs = self.inner(input_ids=input_ids)
        else:
            outputs = self.inner(input_ids=input_ids.flip(1))
        states: Tensor = outputs.last_hidden_state
        return states


def tiny(name: str) -> PreTrainedModel:
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModel.from_config(tiny_config(name)).eval()
    redraw(model, 1.5)
    return model


@pytest.mark.parametrize(("name", "kind"), [("bert", "encoder"), ("gpt2", "decoder")])
def test_each_call_has_layers_of_its_own(name: str, kind: str) -> None:
    model: Any = tiny(name)
    looped = Looped(model)
    seen = regard.trace(IDS, looped)
    model.set_attn_implementation("eager")
    states, expected = model.get_input_embeddings()(IDS), list[Tensor]()
    with torch.no_grad():
        for _ in range(3):
            outputs = model(inputs_embeds=states, output_attentions=True)
            states, expected = outputs.last_hidden_state, [*expected, *outputs.attentions]
    assert seen.counts == {kind: len(expected)} == {kind: 6}
    for number, weights in enumerate(expected):
        np.testing.assert_allclose(seen.weights(number), weights[0], atol=1e-5)
    with torch.no_grad():
        whole = looped(IDS)
        with regard.ablate(looped, [(kind, 5, 1)]):
            assert not torch.allclose(looped(IDS), whole)


def test_what_is_called_twice_is_looped_too() -> None:
    model = tiny("bert")
    assert regard.trace(IDS, Twice(model)).counts == {"encoder": 4}
    assert is_looped(Twice(model), model)


def test_one_call_is_looked_through() -> None:
    model = tiny("bert")
    assert not is_looped(Either(model), model)
    seen = regard.trace(IDS, Either(model))
    assert seen.counts == {"encoder": 2}
    assert seen.how.endswith("inside Either")


def test_a_class_without_source_is_taken_to_call_it_once() -> None:
    model = build("bert", "AutoModel")
    made: Any = {}
    exec(  # noqa: S102  a class whose source is nowhere
        "from torch import nn\nclass Made(nn.Module):\n    def forward(self, input_ids):\n"
        "        return [self.inner(input_ids) for _ in range(2)][0]",
        made,
    )
    wrapper = made["Made"]()
    wrapper.inner = model
    assert not is_looped(wrapper, model)
