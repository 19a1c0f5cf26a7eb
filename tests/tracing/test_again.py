"""Modules that attend again and again in one pass: each time is a layer, in order."""

from typing import cast

import pytest
import torch
from torch import Tensor, nn

import regard
from tests.attention_styles import HEADS, IDS, SIZE, TOKENS, WIDTH, Block, Eager, Flash, Writer

STATES = torch.randn(1, 9, WIDTH, generator=torch.Generator().manual_seed(3))


class Recurrent(nn.Module):
    """Depth by one block, applied four times."""

    def __init__(self, style: type[Flash]) -> None:
        super().__init__()
        self.embed, self.block = nn.Embedding(TOKENS, WIDTH), Block(style)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        for _ in range(4):
            x = self.block(x)
        return x

    def used(self) -> list[Tensor]:
        return [weights[0] for weights in cast("Flash", self.block.attn).used[-4:]]


class Denoising(nn.Module):
    """Three steps of a model of two blocks, each of what the last one left."""

    def __init__(self, style: type[Flash]) -> None:
        super().__init__()
        self.model = nn.Sequential(Block(style), Block(style))

    def forward(self, x: Tensor) -> Tensor:
        for step in range(3):
            x = x - self.model(x) / (step + 2)
        return x

    def used(self) -> list[Tensor]:
        of_blocks = [cast("Flash", cast("Block", block).attn).used[-3:] for block in self.model]
        return [weights[0] for of_step in zip(*of_blocks, strict=True) for weights in of_step]


MODELS = [
    (make, inputs, style)
    for make, inputs in ((Recurrent, IDS), (Denoising, STATES))
    for style in (Flash, Eager)
]


@pytest.mark.parametrize(("make", "inputs", "style"), MODELS)
def test_each_time_is_a_layer(
    make: type[Recurrent | Denoising], inputs: Tensor, style: type[Flash]
) -> None:
    torch.manual_seed(0)
    model = make(style).eval()
    seen = regard.trace(inputs, model)
    used, layers = model.used(), seen.layers["decoder"]
    assert list(layers) == list(range(len(used)))
    for number, weights in enumerate(used):
        assert (layers[number].weigh() - weights).abs().max() < 1e-6
    apart = [layer.weigh() for layer in layers.values()]
    assert not any(torch.equal(apart[0], other) for other in apart[1:])
    again = regard.trace(inputs, model)
    assert list(again.layers["decoder"]) == list(layers)


@pytest.mark.parametrize(("make", "inputs", "style"), MODELS)
def test_a_head_is_cut_at_one_time(
    make: type[Recurrent | Denoising], inputs: Tensor, style: type[Flash]
) -> None:
    torch.manual_seed(0)
    model = make(style).eval()
    times: list[int] = []

    def hook(_: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        times.append(0)
        written = args[0].clone()
        if len(times) == 3:  # the third layer that attends
            written[..., SIZE : 2 * SIZE] = 0
        return (written,)

    projections = [module for name, module in model.named_modules() if name.endswith("c_proj")]
    with torch.no_grad():
        plain = model(inputs)
        handles = [module.register_forward_pre_hook(hook) for module in projections]
        expected = model(inputs)
        for handle in handles:
            handle.remove()
        with regard.ablate(model, [("decoder", 2, 1)]):
            ours = model(inputs)
    assert torch.equal(ours, expected)
    assert not torch.equal(ours, plain)


def test_of_a_model_that_is_called_again_in_a_loop_the_first_pass_counts() -> None:
    """Outside of a module that loops, each call of the model is a pass, with its own layers."""
    torch.manual_seed(0)
    model = Writer(Flash).eval()
    with torch.no_grad(), regard.ablate(model, [("decoder", 1, 0)]):
        first, second = model(IDS), model(IDS)
    assert torch.equal(first, second)
    assert regard.trace(IDS, model).num_heads == HEADS
