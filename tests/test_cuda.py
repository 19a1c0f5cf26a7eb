"""On a GPU everything says what it says on the CPU. Skipped where there is none."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast

import regard
from regard.model.glossing import GlossingEncoder
from regard.model.transformer import Transformer
from tests.tiny_models import Family, build, inputs_for

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")

TYPES = [
    Family("encoder", "bert", "AutoModel"),
    Family("decoder", "gpt2", "AutoModelForCausalLM"),
    Family("decoder", "llama", "AutoModelForCausalLM"),
    Family("seq2seq", "t5", "AutoModelForSeq2SeqLM"),
    Family("vision", "vit", "AutoModel"),
]
IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 2]])
TEXT = "the cow saw the dogs ."


def both(of: Callable[[Any, Callable[[Any], Any]], Any], model: nn.Module) -> tuple[Any, Any]:
    """Do the same on the CPU and on the GPU: `of` gets the model, and what moves inputs to it."""
    there = copy.deepcopy(model).to("cuda")
    return of(model, lambda x: x), of(there, moved)


def moved(x: Any) -> Any:
    if isinstance(x, Mapping):
        return {name: moved(value) for name, value in x.items()}
    return x.to("cuda")


def assert_same(here: regard.Trace, there: regard.Trace) -> None:
    assert here.kinds == there.kinds
    for kind in here.kinds:
        for layer in here.layers[kind]:
            ours, theirs = (x.weights(layer, kind=kind) for x in (here, there))
            np.testing.assert_allclose(ours, theirs, atol=1e-4)  # two layers, rounded otherwise


@pytest.mark.parametrize("family", TYPES, ids=lambda family: family.model_type)
def test_types_of_transformers(family: Family) -> None:
    model = build(family.model_type, family.auto_class)
    inputs = inputs_for(model, family.use)
    assert_same(*both(lambda it, to: regard.trace(to(inputs), it), model))


class Reads(nn.Module):
    """Attends by torch's function, by a softmax between two products, or by einsum."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self.style = style
        self.embedding, self.attention = nn.Embedding(20, 32), nn.Linear(32, 96)
        self.out = nn.Linear(32, 32)

    def forward(self, ids: Tensor) -> Tensor:
        parts = self.attention(self.embedding(ids)).split(32, dim=-1)
        q, k, v = (x.unflatten(-1, (4, 8)).transpose(1, 2) for x in parts)
        if self.style == "fused":
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        elif self.style == "softmax":
            y = (q @ k.mT / 8**0.5).softmax(-1) @ v
        else:
            y = torch.einsum("bhts,bhsd->bhtd", (q @ k.mT).softmax(-1), v)
        written: Tensor = self.out(y.transpose(1, 2).flatten(-2))
        return written


@pytest.mark.parametrize("style", ["fused", "softmax", "einsum"])
def test_own_code(style: str) -> None:
    torch.manual_seed(0)
    assert_same(*both(lambda it, to: regard.trace(to(IDS), it), Reads(style).eval()))


@pytest.mark.parametrize("family", [TYPES[1], TYPES[3]], ids=lambda family: family.model_type)
def test_generation(family: Family) -> None:
    model = build(family.model_type, family.auto_class)
    model.generation_config.decoder_start_token_id = 0
    inputs = {"input_ids": IDS}
    here, there = both(
        lambda it, to: regard.trace_generation(to(inputs), it, max_new_tokens=4), model
    )
    assert here.written_tokens == there.written_tokens
    assert_same(here, there)
    np.testing.assert_allclose(here.probabilities, there.probabilities, atol=1e-5)


def test_cuts(model: Transformer) -> None:
    src, tgt = torch.tensor([[5, 6, 7, 2]]), torch.tensor([[1, 12, 13]])

    def without(it: Any, to: Callable[[Any], Any]) -> list[Tensor]:
        with regard.ablate(it, [("encoder", 1, 2)]), torch.no_grad():
            cut = it(to(src), to(tgt)).cpu()
        forbidden = torch.zeros(1, 3, 4, dtype=torch.bool)
        forbidden[0, 1, 2] = True
        with regard.block(it, to(forbidden), kind="cross"), torch.no_grad():
            return [cut, it(to(src), to(tgt)).cpu()]

    for ours, theirs in zip(*both(without, model.eval()), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_importance(model: Transformer) -> None:
    batch = (torch.tensor([[5, 6, 7, 2]]), torch.tensor([[1, 12, 13]]))

    def table(it: Any, to: Callable[[Any], Any]) -> Any:
        given = tuple(to(x) for x in batch)
        return regard.importance(it, given, lambda m, x: m(*x).abs().double().mean().item())

    here, there = both(table, model.eval())
    np.testing.assert_allclose(here["score"], there["score"], atol=1e-5)


def test_explanations(tokenizer: PreTrainedTokenizerFast) -> None:
    torch.manual_seed(0)
    model = GlossingEncoder(300, d_model=32, heads=(4, 4)).eval()
    here, there = both(
        lambda it, _: regard.explain("the dog saw it .", it, tokenizer, position=3).table, model
    )
    assert list(here) == list(there)
    columns = [name for name in here if name != "word"]
    np.testing.assert_allclose(here[columns], there[columns], atol=1e-4)


def test_lessons(model: Transformer, tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    """A model is trained, kept, goes on, translates, is looked at and drawn, all on the GPU."""
    model.to("cuda")
    pairs = regard.generate_synthetic_data(num_sentences=64, vocab_size=300, max_length=20)
    loader = regard.make_dataloader(pairs, batch_size=16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    kept = tmp_path / "there.safetensors"
    first = regard.train_model(model, loader, optimizer, num_epochs=1, checkpoint=kept)
    both_epochs = regard.train_model(model, loader, optimizer, num_epochs=2, checkpoint=kept)
    assert both_epochs["loss"].iloc[: len(first)].tolist() == first["loss"].tolist()
    assert len(regard.greedy_translate([TEXT], model, tokenizer)) == 1
    page = tmp_path / "view.html"
    regard.view(regard.trace(TEXT, model, tokenizer)).save(page)
    assert page.stat().st_size > 10_000
    assert regard.visualize_attention_weights(TEXT, model, tokenizer, layer=1, head=3).get_title()
    assert len(regard.doctor(model, tokenizer, TEXT))
