"""The weights of a trace are those that the model computed, under the right words."""

import numpy as np
import pytest
import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from regard.model.transformer import Heads, Transformer
from regard.record.trace import Trace
from regard.tracing.run import trace

SOURCE = "the small cow saw the dogs ."
TARGET = "la vaca parva los canos vedava ."


@pytest.fixture
def seen(model: Transformer, tokenizer: PreTrainedTokenizerFast) -> Trace:
    return trace(SOURCE, model, tokenizer, target=TARGET)


def watched_weights(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> dict[str, list[torch.Tensor]]:
    """Take the weights that each attention returned in a forward pass, without `trace`."""
    found: dict[str, list[torch.Tensor]] = {"encoder": [], "decoder": [], "cross": []}
    handles = [
        m.register_forward_hook(lambda m, _, out: found[m.kind].append(out.weights[0]))
        for m in model.modules()
        if isinstance(m, Heads)
    ]
    src = torch.tensor([tokenizer(SOURCE).input_ids])
    tgt = torch.tensor([[1, *tokenizer(TARGET).input_ids[:-1]]])
    with torch.no_grad():
        model.eval()(src, tgt)
    for handle in handles:
        handle.remove()
    return found


def test_weights_are_the_models_own(
    seen: Trace, model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    for kind, layers in watched_weights(model, tokenizer).items():
        for layer, expected in enumerate(layers):
            assert np.allclose(seen.weights(layer, kind=kind), expected, atol=1e-6)
            for head in range(4):
                one = seen.weights(layer, head, kind=kind)
                assert np.allclose(one, expected[head], atol=1e-6)


def test_each_kind_has_its_own_words(seen: Trace) -> None:
    source = [*SOURCE.split(), "</s>"]
    read = ["<s>", *TARGET.split()]
    rows = [f"{a} → {b}" for a, b in zip(read, [*TARGET.split(), "</s>"], strict=True)]
    assert seen.labels() == seen.labels(kind="encoder") == (source, source)
    assert seen.labels(kind="decoder") == (rows, read)
    assert seen.labels(kind="cross") == (rows, source)
    for kind in seen.kinds:
        queries, keys = seen.labels(kind=kind)
        assert seen.weights(0, 0, kind=kind).shape == (len(queries), len(keys))


def test_rows_sum_to_one_and_the_decoder_sees_no_future(seen: Trace) -> None:
    for kind in seen.kinds:
        assert np.allclose(seen.weights(1, kind=kind).sum(-1), 1, atol=1e-6)
    assert (np.triu(seen.weights(0, kind="decoder"), 1) == 0).all()
    assert (np.triu(seen.weights(0, kind="encoder"), 1) > 0).any()


def test_queries_and_keys_give_the_weights_by_the_formula(seen: Trace) -> None:
    q, k = seen.queries(1, kind="cross"), seen.keys(1, kind="cross")
    assert q.shape == (4, 8, 8)
    assert k.shape == (4, 8, 8)
    scores = torch.from_numpy(q @ k.swapaxes(1, 2)) / np.sqrt(8)
    assert np.allclose(seen.weights(1, kind="cross"), scores.softmax(-1), atol=1e-5)


def test_without_a_target_the_decoder_reads_what_the_model_writes(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    seen = trace(SOURCE, model, tokenizer)
    src = torch.tensor([tokenizer(SOURCE).input_ids])
    written = tokenizer.convert_ids_to_tokens(model.eval().generate(src)[0].tolist())
    assert seen.target_tokens == written[:-1]
    assert seen.written_tokens == written[1:]


def hooked(model: nn.Module) -> bool:
    return any(m._forward_hooks for m in model.modules())  # noqa: SLF001  nothing public tells


def test_a_trace_leaves_the_model_as_it_was(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    model.train()
    model.encoder[0].eval()
    modes = [m.training for m in model.modules()]
    first = trace(SOURCE, model, tokenizer, target=TARGET).weights(0)
    assert [m.training for m in model.modules()] == modes
    assert not hooked(model)
    assert np.array_equal(first, trace(SOURCE, model, tokenizer, target=TARGET).weights(0))


def test_the_modules_own_mode_and_hooks_come_back_after_an_error(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    model.train()
    with pytest.raises(ValueError, match="too long"):
        trace("the cow " * 200, model, tokenizer, target=TARGET)
    assert model.training
    assert not hooked(model)


def test_dataframe_names_rows_and_columns(seen: Trace) -> None:
    frame = seen.to_dataframe(1, 2, kind="cross")
    assert list(frame.columns) == seen.source_tokens
    assert frame.index[0] == "<s> → la"
    assert frame.index.name == "reads"
    assert np.array_equal(frame.to_numpy(), seen.weights(1, 2, kind="cross"))


@pytest.mark.parametrize(
    ("layer", "head", "kind", "message"),
    [
        (2, 0, "encoder", "no layer 2.*has 2, numbered 0 to 1"),
        (-1, 0, "encoder", "no layer -1"),
        (0, 4, "cross", "no head 4.*has 4, numbered 0 to 3"),
        (0, 0, "self", "'self'.*choose from .*encoder.*decoder.*cross"),
    ],
)
def test_what_is_not_there_is_named(
    seen: Trace, layer: int, head: int, kind: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        seen.weights(layer, head, kind=kind)


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("", "empty: type one"),
        ("  \n", "empty: type one"),
        ("the zebra saw the dogg .", "'zebra'.*'dogg' .did you mean dog"),
        ("<script>alert(1)</script>", "does not know"),
        ("the cow " * 200, "401 tokens is too long .* takes 256"),
    ],
)
def test_bad_sentences_are_explained(
    model: Transformer, tokenizer: PreTrainedTokenizerFast, sentence: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        trace(sentence, model, tokenizer)


def test_a_sentence_is_text(model: Transformer, tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(TypeError, match="a string, but got tuple"):
        trace(("the cow", "the dog"), model, tokenizer)
    with pytest.raises(TypeError, match="but got int"):
        trace(7, model, tokenizer)
    assert trace(["the", "cow"], model, tokenizer).tokens == ["the", "cow", "</s>"]


def test_a_model_without_attention_is_refused() -> None:
    with pytest.raises(ValueError, match=r"No attention was seen in Linear.*attention="):
        trace(torch.randn(1, 3, 2), nn.Linear(2, 2))
