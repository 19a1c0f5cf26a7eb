"""A sample of the settings of benchmarks/families.py: each is held against the eager run."""

import pytest
import torch
from torch import nn

from tests.attention_calls import attention_calls
from tests.settings import outcomes
from tests.tiny_models import families

SAMPLE = [  # a type, its use, a setting
    ("bert", "encoder", "half"),
    ("gpt2", "decoder", "padded"),
    ("llama", "decoder", "default"),
    ("llama", "decoder", "one"),
    ("opt", "decoder", "long"),
    ("t5", "seq2seq", "written"),
    ("whisper", "speech", "written"),  # with its language, task and no timestamps
    ("camembert", "decoder", "written"),  # generate counts its positions from 0, its forward from 2
    ("roberta", "decoder", "written"),
    ("got_ocr2", "pictures", "default"),  # its tower cannot be set to eager, its language model can
    ("granite_speech", "speech", "default"),
    ("llava", "pictures", "image"),
    ("qwen2_vl", "pictures", "image"),  # its patches lie one after another
    ("qwen2_vl", "pictures", "images"),
    ("qwen2_vl", "pictures", "written"),
    ("swin", "vision", "plain"),  # it gives the last layer of each stage only
    ("qwen2_5_vl", "pictures", "images"),
    ("mistral3", "pictures", "images"),
]


@pytest.mark.parametrize(("name", "use", "setting"), SAMPLE)
def test_weights_are_those_of_the_eager_run(name: str, use: str, setting: str) -> None:
    (family,) = [f for f in families() if (f.model_type, f.use) == (name, use)]
    outcome = outcomes(family, [setting])[setting]
    assert outcome.verdict == "exact", outcome.detail


def test_two_pictures_that_are_attended_in_at_once_are_in_the_trace_or_said_to_be_missing() -> None:
    (family,) = [f for f in families() if (f.model_type, f.use) == ("mllama", "pictures")]
    outcome = outcomes(family, ["images"])["images"]
    assert outcome.verdict in {"exact", "in part"}, outcome.detail


OWN_WAYS = [("xlm", "decoder"), ("blip", "pictures"), ("blip-2", "pictures")]


@pytest.mark.parametrize(("name", "use"), OWN_WAYS)
def test_what_writes_in_a_way_of_its_own_is_refused(name: str, use: str) -> None:
    (family,) = [f for f in families() if (f.model_type, f.use) == (name, use)]
    outcome = outcomes(family, ["written"])["written"]
    assert outcome.verdict == "refused", outcome.detail
    assert "writes in a way of its own" in outcome.detail


def test_the_count_sees_attention_however_it_is_called() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x, _ = self.attend(x, x, x)
            x = nn.functional.scaled_dot_product_attention(x, x, x)
            return (x @ x.mT).softmax(-1) @ x.softmax(-2)  # the last is none over tokens

    with attention_calls() as calls:
        Reader()(torch.randn(1, 5, 8))
    assert len(calls.weights) + calls.fused == 3
