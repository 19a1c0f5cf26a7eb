"""A model that is configured to give tuples is traced as any other, and stays as it is."""

from typing import Any

import numpy as np
import pytest
import torch

import regard
from tests.tiny_models import build, target

PROMPT = {"input_ids": torch.tensor([[15, 16, 17, 18]])}


@pytest.mark.parametrize(
    ("name", "auto_class"),
    [
        ("bert", "AutoModelForMaskedLM"),
        ("gpt2", "AutoModelForCausalLM"),
        ("bart", "AutoModelForSeq2SeqLM"),
    ],
)
def test_it_is_traced_explained_and_ablated(name: str, auto_class: str) -> None:
    model: Any = build(name, auto_class)
    inputs = PROMPT | target(model)
    labels = {"labels": inputs.get("decoder_input_ids", inputs["input_ids"])}
    named = regard.trace(inputs, model), regard.importance(model, inputs | labels)
    written = None if name == "bert" else regard.trace_generation(PROMPT, model, max_new_tokens=3)
    model.config.return_dict = False
    seen = regard.trace(inputs, model)
    for kind in seen.kinds:
        np.testing.assert_array_equal(seen.weights(1, kind=kind), named[0].weights(1, kind=kind))
    assert regard.importance(model, inputs | labels).equals(named[1])
    if written is not None:
        again = regard.trace_generation(PROMPT, model, max_new_tokens=3)
        assert again.written_tokens == written.written_tokens
    if name != "bart":
        said = regard.explain(PROMPT, model, position=3)
        assert said.probability > 0
    assert model.config.return_dict is False
