"""A decoder stays one: whatever it is given, and whatever is padded."""

import pytest
import torch
from torch import Tensor
from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration

import regard
from tests.tiny_models import build
from tests.tracing.test_parts import IMAGE, PICTURE, TEXT, told

DECODERS = ["bloom", "mpt", "gptj", "xglm", "gemma2", "gpt_oss", "gpt2", "llama", "falcon"]
ENCODERS = ["bert", "modernbert", "mpnet", "deberta-v2"]


def kinds_of(model_type: str, auto_class: str, ids: list[int], mask: list[int]) -> dict[str, int]:
    model = build(model_type, auto_class)
    inputs: dict[str, Tensor] = {
        "input_ids": torch.tensor([ids]),
        "attention_mask": torch.tensor([mask]),
    }
    return regard.trace(inputs, model).counts


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("model_type", DECODERS)
def test_a_decoder_with_padding_on_the_left(model_type: str, length: int, padding: int) -> None:
    ids, mask = [0] * padding + [11, 12, 13, 14, 15][:length], [0] * padding + [1] * length
    assert set(kinds_of(model_type, "AutoModelForCausalLM", ids, mask)) == {"decoder"}


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("model_type", ENCODERS)
def test_an_encoder_with_padding_on_the_right(model_type: str, length: int, padding: int) -> None:
    ids, mask = [11, 12, 13, 14, 15][:length] + [0] * padding, [1] * length + [0] * padding
    assert set(kinds_of(model_type, "AutoModelForMaskedLM", ids, mask)) == {"encoder"}


def test_a_head_of_a_decoder_is_cut_whatever_is_padded() -> None:
    model = build("bloom", "AutoModelForCausalLM")
    inputs = {"input_ids": torch.tensor([[0, 0, 11]]), "attention_mask": torch.tensor([[0, 0, 1]])}
    with torch.no_grad(), regard.ablate(model, [("decoder", 0, 0)]):
        without = model(**inputs).logits
    with torch.no_grad():
        assert not torch.equal(without[0, -1], model(**inputs).logits[0, -1])


def test_what_writes_is_a_decoder_though_it_reads_its_prompt_both_ways() -> None:
    torch.manual_seed(0)
    config = PaliGemmaConfig(
        text_config={**TEXT, "model_type": "gemma2", "head_dim": 16},
        vision_config={**PICTURE, "model_type": "siglip_vision_model", "vision_use_head": False},
        image_token_index=IMAGE,
        projection_dim=32,
    )
    model = PaliGemmaForConditionalGeneration(config).eval()
    inputs = told(1, IMAGE, IMAGE, IMAGE, IMAGE, 6, 7)
    inputs["token_type_ids"] = torch.zeros_like(inputs["input_ids"])  # all of it is a prompt
    seen = regard.trace(inputs, model)
    assert seen.weights(0, 0, kind="language_model/decoder")[0, 6] > 0
