"""With gradient checkpointing, gradients are those of the model without heads, or are refused."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

import regard

pytestmark = [
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated"),
    pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad"),  # in a trace
]

IDS = torch.tensor([[5, 9, 7, 3, 5, 8]])
LENGTH = IDS.size(1)
OUTSIDE = r"computes layers again in backward .*Call backward\(\) inside of `with`, in the same"
UNKNOWN = "computes layers again in backward .*not known which they are"

Change = Callable[[nn.Module, str], AbstractContextManager[None]]


def blocked(model: nn.Module, kind: str) -> AbstractContextManager[None]:
    forbidden = torch.zeros(1, LENGTH, LENGTH, dtype=torch.bool)
    forbidden[0, 3, 1] = True
    return regard.block(model, forbidden, kind=kind)


CHANGES: dict[str, Change] = {
    "ablate": lambda model, kind: regard.ablate(model, [(kind, 1, 2)]),
    "ablate evenly": lambda model, kind: regard.ablate(model, [(kind, 1, 2)], "uniform"),
    "block": blocked,
}


class Attending(nn.Module):
    """Attends in one of several ways, of which one is a module without parameters."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))
        self.way, self.core = way, Core()

    def forward(self, x: Tensor) -> Tensor:
        heads = [f(x).unflatten(-1, (4, 4)).transpose(1, 2) for f in self.projections]
        query, key, value, _ = heads
        if self.way == "core":
            output = checkpoint(self.core, query, key, value, use_reentrant=False)
        elif self.way == "function":
            output = checkpoint(self.core.forward, query, key, value, use_reentrant=False)
        elif self.way == "fused":
            output = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        else:
            output = self.core(query, key, value)
        result: Tensor = self.projections[3](output.transpose(1, 2).flatten(2))
        return result


class Core(nn.Module):
    """A softmax between two products."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return (query @ key.transpose(-2, -1) / 2).softmax(-1) @ value


class Torchs(nn.Module):
    """Attends by torch's own module."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.attend(x, x, x, need_weights=False)[0]
        return output


class Stack(nn.Module):
    """Three layers, each of which backward computes again, if it is asked to."""

    def __init__(self, way: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(10, 16)
        self.layers = nn.ModuleList(
            Torchs() if way == "torch's" else Attending(way) for _ in range(3)
        )
        self.options: Any = None

    def gradient_checkpointing_enable(self, options: dict[str, bool]) -> None:
        self.options = options

    def forward(self, input_ids: Tensor) -> tuple[Tensor]:
        x = self.embed(input_ids)
        for layer in self.layers:
            added = layer(x) if self.options is None else checkpoint(layer, x, **self.options)
            x = x + torch.tanh(added)
        return (x,)


def pretrained(kind: type[PreTrainedModel], config: Any, **options: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    ids = {"vocab_size": 10, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    return kind(config(**ids, **options))


SIZES: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4}
SIZES |= {"intermediate_size": 32}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
GPT2_SIZES: dict[str, Any] = {"n_embd": 16, "n_layer": 3, "n_head": 4, "resid_pdrop": 0.0}
GPT2_SIZES |= {"embd_pdrop": 0.0, "attn_pdrop": 0.0}

MODELS: dict[str, Callable[[], nn.Module]] = {
    "GPT-2": lambda: pretrained(GPT2LMHeadModel, GPT2Config, **GPT2_SIZES),
    "Llama": lambda: pretrained(LlamaForCausalLM, LlamaConfig, **SIZES, num_key_value_heads=2),
    "BERT": lambda: pretrained(BertModel, BertConfig, **SIZES, **NO_DROPOUT),
    "by scaled_dot_product_attention": lambda: Stack("fused"),
    "by a softmax between products": lambda: Stack("products"),
    "by nn.MultiheadAttention": lambda: Stack("torch's"),
}


def gradients(model: nn.Module, change: Change, *, inside: bool, passes: int = 1) -> Tensor:
    """Differentiate a loss, added over some passes, of a model whose heads are changed."""
    kind = regard.trace(IDS, model).kinds[0]
    model.train()
    with change(model, kind):
        for number in range(passes):
            loss = model(input_ids=IDS)[0].pow(3).sum()
            if inside or number < passes - 1:
                loss.backward()
    if not inside:
        loss.backward()
    return torch.cat([x.grad.flatten() for x in model.parameters() if x.grad is not None])


def checkpointing(name: str, *, reentrant: bool) -> Any:
    model: Any = MODELS[name]()
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    return model


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_backward_within_is_right(change: Change, name: str, *, reentrant: bool) -> None:
    for passes in (1, 2):
        right = gradients(MODELS[name](), change, inside=False, passes=passes)
        model = checkpointing(name, reentrant=reentrant)
        found = gradients(model, change, inside=True, passes=passes)
        assert torch.allclose(found, right, rtol=1e-4, atol=1e-6 * float(right.abs().max()))
    others = gradients(MODELS[name](), lambda *_: torch.enable_grad(), inside=False)
    assert not torch.allclose(others, right / 2, rtol=1e-3)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_backward_afterwards_is_refused(change: Change, name: str, *, reentrant: bool) -> None:
    with pytest.raises(RuntimeError, match=OUTSIDE):
        gradients(checkpointing(name, reentrant=reentrant), change, inside=False)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_not_computed_again_may_be_differentiated_afterwards(name: str) -> None:
    model = checkpointing(name, reentrant=False)
    gradients(model, lambda *_: torch.enable_grad(), inside=False)
    with torch.no_grad(), CHANGES["ablate"](model, regard.trace(IDS, model).kinds[0]):
        model(input_ids=IDS)
    model.zero_grad()
    found = gradients(model, lambda *_: torch.enable_grad(), inside=False)
    right = gradients(MODELS[name](), lambda *_: torch.enable_grad(), inside=False)
    assert torch.allclose(found, right, rtol=1e-4, atol=1e-6 * float(right.abs().max()))


@pytest.mark.parametrize("way", ["core", "function"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_attention_that_is_computed_again_without_its_module(change: Change, way: str) -> None:
    for inside in (True, False):
        with pytest.raises(RuntimeError, match=UNKNOWN):
            gradients(Stack(way), change, inside=inside)


@pytest.mark.parametrize("inside", [True, False])
def test_layers_of_one_module(*, inside: bool) -> None:
    model = Stack("products")
    model.layers = nn.ModuleList([model.layers[0]] * 3)
    gradients(model, CHANGES["ablate"], inside=False)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    with pytest.raises(RuntimeError, match=UNKNOWN):
        gradients(model, CHANGES["ablate"], inside=inside)


def test_a_whole_model_in_one_checkpoint() -> None:
    for name in ("by scaled_dot_product_attention", "BERT"):
        inner = MODELS[name]()

        class Whole(nn.Module):
            def __init__(self, inner: nn.Module) -> None:
                super().__init__()
                self.inner = inner

            def forward(self, input_ids: Tensor) -> tuple[Tensor]:
                return (checkpoint(lambda: self.inner(input_ids)[0], use_reentrant=False),)

        right = gradients(MODELS[name](), CHANGES["ablate"], inside=False)
        assert torch.allclose(gradients(Whole(inner), CHANGES["ablate"], inside=True), right)
        with pytest.raises(RuntimeError, match=OUTSIDE):
            gradients(Whole(inner), CHANGES["ablate"], inside=False)
