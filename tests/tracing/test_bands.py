"""Longformer and LED give a band of weights: unfolded, they are those of all keys."""

from typing import Any

import numpy as np
import pytest
import torch

import regard
from tests.banded_truth import banded_weights
from tests.tiny_models import build, inputs_for

CASES = [("longformer", "AutoModelForMaskedLM"), ("led", "AutoModelForSeq2SeqLM")]


@pytest.mark.parametrize("global_at", [[], [0], [0, 4, 11]])
@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize(("model_type", "auto_class"), CASES)
def test_a_band_is_unfolded(
    model_type: str, auto_class: str, padding: int, global_at: list[int]
) -> None:
    model: Any = build(model_type, auto_class)
    inputs = inputs_for(model, "seq2seq" if model_type == "led" else "encoder")
    is_global = torch.zeros_like(inputs["input_ids"])
    is_global[0, global_at] = 1
    mask = torch.ones_like(is_global)
    mask[0, len(mask[0]) - padding :] = 0
    inputs |= {"global_attention_mask": is_global * mask, "attention_mask": mask}
    seen = regard.trace(inputs, model)
    wanted = banded_weights(model, inputs, mask.size(1))
    assert seen.counts["encoder"] == len(wanted) == 2
    for number, weights in enumerate(wanted):
        found = seen.weights(number, kind="encoder")
        np.testing.assert_allclose(found, weights, atol=1e-6)
        read = mask[0] > 0
        np.testing.assert_allclose(found[:, read].sum(-1), 1, atol=1e-6)
    far = seen.weights(0, kind="encoder")[:, 1, 8]  # beyond the band, no global token
    assert far.max() == 0
