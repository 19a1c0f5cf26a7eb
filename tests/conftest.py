"""One small model, untrained, and its tokenizer, for all tests that look at a model."""

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from regard.model.lexicon import vocabulary
from regard.model.tokenization import build_tokenizer
from regard.model.transformer import Transformer, build_transformer_model

VOCAB_SIZE = 300

torch.set_num_threads(1)  # small models: threads that wait for each other cost more than they bring


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer(vocabulary(VOCAB_SIZE))


@pytest.fixture
def model() -> Transformer:
    """Give two layers of four heads, with weights large enough that attention is uneven."""
    torch.manual_seed(1)
    model = build_transformer_model(
        VOCAB_SIZE, d_model=32, nhead=4, num_layers=2, dim_feedforward=64
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.3)
    return model
