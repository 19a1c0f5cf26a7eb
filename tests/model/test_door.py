"""Whoever calls with something else is told what was got, what is taken, and how to call."""

import re
from collections.abc import Callable
from functools import partial as typed_partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from regard.model.attention import calculate_attention_weights, multi_head_attention
from regard.model.door import check_types
from regard.model.lexicon import vocabulary
from regard.model.masks import create_masks, mask_future_tokens
from regard.model.meaning import generate_meaning_data
from regard.model.pairs import generate_synthetic_data
from regard.model.tokenization import build_tokenizer
from regard.model.training import make_dataloader, train_model
from regard.model.transformer import build_transformer_model
from regard.model.translation import greedy_translate

partial: Any = typed_partial  # what is given is of the wrong type
X = torch.randn(1, 3, 4)
IDS = torch.tensor([[4, 5, 6]])
SENTENCES = generate_synthetic_data(8, 300, 20)
GENERATE = "call generate_synthetic_data(num_sentences, vocab_size, max_length)."
BUILD = "call build_transformer_model(vocab_size, d_model, nhead, num_layers, dim_feedforward)."
ATTEND = "call calculate_attention_weights(query, key, value, mask)."
MODEL = build_transformer_model(300, 8, nhead=2, num_layers=1, dim_feedforward=8)
TOKENIZER = build_tokenizer(vocabulary(300))
HEADS = "call multi_head_attention(query, key, value, num_heads, mask)."
TRANSLATE = "call greedy_translate(sentences, model, tokenizer)."
OPTIMIZER = torch.optim.AdamW(MODEL.parameters())
DATA = make_dataloader(SENTENCES)
TRAIN = "call train_model(model, dataloader, optimizer, num_epochs)."


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (generate_synthetic_data, ("9", 300, 20), f"is '9' (str): {GENERATE}"),
        (
            generate_synthetic_data,
            (9, 300.0, 20),
            f"vocab_size must be a whole number, but is 300.0 (float): {GENERATE}",
        ),
        (
            generate_synthetic_data,
            (9, 300, True),
            f"max_length must be a whole number, but is True (bool): {GENERATE}",
        ),
        (partial(generate_synthetic_data, seed="0"), (9, 300, 20), "seed must be a whole number"),
        (generate_meaning_data, ("9",), "num_sentences must be a whole number"),
        (vocabulary, ("300",), "'300' (str): call vocabulary(vocab_size)."),
        (build_tokenizer, (300,), "words must be a list of texts, but is 300 (int)"),
        (build_tokenizer, ("the",), "words must be a list of texts, but is 'the' (str)"),
        (build_tokenizer, (["<pad>", 3],), "list of texts, but is ['<pad>', 3] (list)"),
        (
            build_transformer_model,
            (300, 16, 2, None, 32),
            f"num_layers must be a whole number, but is None (NoneType): {BUILD}",
        ),
        (
            partial(build_transformer_model, dropout="0.1"),
            (300, 16, 2, 1, 32),
            f"dropout must be a number, but is '0.1' (str): {BUILD}",
        ),
        (
            calculate_attention_weights,
            ([1.0], X, X),
            f"query must be Tensor, but is [1.0] (list): {ATTEND}",
        ),
        (
            calculate_attention_weights,
            (X, X, X, "causal"),
            f"mask must be Tensor or None, but is 'causal' (str): {ATTEND}",
        ),
        (multi_head_attention, (X, X, 2, X), f"value must be Tensor, but is 2 (int): {HEADS}"),
        (multi_head_attention, (X, X, X, True), "num_heads must be a whole number"),
        (create_masks, ([[1]], IDS), "src must be Tensor, but is [[1]] (list)"),
        (partial(create_masks, pad_id=False), (IDS, IDS), "pad_id must be a whole number"),
        (mask_future_tokens, (3,), "batch must be Tensor, but is 3 (int)"),
        (
            make_dataloader,
            (SENTENCES["source"],),
            "DataFrame, but is of type Series: call make_dataloader(sentences, batch_size).",
        ),
        (make_dataloader, (SENTENCES, "64"), "batch_size must be a whole number"),
        (
            train_model,
            (MODEL, OPTIMIZER, DATA, 1),
            f"dataloader must be DataLoader, but is of type AdamW: {TRAIN}",
        ),
        (
            train_model,
            (DATA, MODEL, OPTIMIZER, 1),
            f"model must be Module, but is of type DataLoader: {TRAIN}",
        ),
        (
            train_model,
            (MODEL, DATA, OPTIMIZER, "1"),
            f"num_epochs must be a whole number, but is '1' (str): {TRAIN}",
        ),
        (
            partial(train_model, checkpoint=7),
            (MODEL, DATA, OPTIMIZER, 1),
            f"checkpoint must be str or Path or None, but is 7 (int): {TRAIN}",
        ),
        (
            greedy_translate,
            (MODEL, ["the dog ."], TOKENIZER),
            f"sentences must be a list of texts, but is of type Transformer: {TRANSLATE}",
        ),
        (
            greedy_translate,
            ("the dog saw it .", MODEL, TOKENIZER),
            f"a list of texts, but is 'the dog saw it .' (str): {TRANSLATE}",
        ),
        (
            greedy_translate,
            (["the dog", 7], MODEL, TOKENIZER),
            f"a list of texts, but is ['the dog', 7] (list): {TRANSLATE}",
        ),
        (
            greedy_translate,
            (["the dog ."], TOKENIZER, MODEL),
            f"model must be Module, but is of type {type(TOKENIZER).__name__}: {TRANSLATE}",
        ),
    ],
)
def test_what_is_no_argument_is_named(
    function: Callable[..., Any], arguments: tuple[object, ...], message: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        function(*arguments)


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    eight: Any = np.int64(8)
    drawn = generate_synthetic_data(eight, 300, 20, seed=eight)
    pd.testing.assert_frame_equal(drawn, generate_synthetic_data(8, 300, 20, seed=8))
    largest: Any = np.int16(300)
    assert vocabulary(largest) == vocabulary(300)
    model = build_transformer_model(largest, eight, nhead=eight, num_layers=1, dim_feedforward=8)
    assert model(IDS, IDS).shape == (1, 3, 300)
    four, one = eight // 2, eight // 8
    for shuffle in (True, False):
        data = make_dataloader(SENTENCES, four, shuffle=shuffle)
        assert [len(batch.source) for batch in data] == [4, 4]
    assert multi_head_attention(X, X, X, four).weights.shape == (1, 4, 3, 3)
    assert len(train_model(MODEL, DATA, OPTIMIZER, one)) == 1


def test_numbers_that_are_no_fractions_are_numbers() -> None:
    assert build_transformer_model(300, 16, 2, 1, 32, dropout=0).embedding.dropout.p == 0


def test_what_a_learner_leaves_without_a_type_may_be_anything() -> None:
    def scale(x: Tensor, by) -> Tensor:  # type: ignore[no-untyped-def]  # noqa: ANN001
        check_types(scale, locals())
        return x * by

    assert scale(X, True).shape == X.shape  # noqa: FBT003
    with pytest.raises(TypeError, match=re.escape("call scale(x, by).")):
        scale(3, 3)  # type: ignore[arg-type]  # the error is the point


@pytest.mark.parametrize("size", [0, -3])
def test_a_batch_has_at_least_one_sentence(size: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, but is {size}"):
        make_dataloader(SENTENCES, size)
