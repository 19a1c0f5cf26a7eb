"""Each bug of the zoo does what its name says, and nothing is left of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

import regard
from regard.lessons.bugs import BUGS, Mystery, bug
from regard.measures.leak import leak_test
from regard.model.training import make_batch
from regard.model.transformer import Transformer

SRC = torch.tensor([[4, 5, 6, 7, 2], [8, 9, 2, 0, 0]])
TGT = torch.tensor([[1, 10, 11, 12], [1, 13, 0, 0]])
TOLERANCE = 1e-5


@pytest.fixture
def model(model: Transformer) -> Transformer:
    return model.eval()


def leaks(model: Transformer, target: Tensor) -> bool:
    moved = leak_test(lambda ids: model(SRC[:1], ids), target, replacement=20)
    return bool((np.triu(moved, 1) > TOLERANCE).any())


@pytest.mark.parametrize("name", BUGS)
def test_it_changes_what_the_model_says_and_leaves_nothing(model: Transformer, name: str) -> None:
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]  # noqa: SLF001
    with torch.no_grad():
        healthy = model(SRC, TGT)
        with bug(model, name):
            assert not torch.allclose(model(SRC, TGT), healthy, atol=1e-4)
        assert torch.equal(model(SRC, TGT), healthy)
        with pytest.raises(RuntimeError, match="stop"), bug(model, name):
            raise RuntimeError("stop")
        assert torch.equal(model(SRC, TGT), healthy)
    assert hooks == [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]  # noqa: SLF001


LEAKING = {"future visible", "transposed mask", "target off by one", "softmax over queries"}


@pytest.mark.parametrize("name", BUGS)
@pytest.mark.parametrize("length", [4, 5])  # fewer target words than source words, or as many
def test_the_leak_test_finds_those_that_show_the_future(
    model: Transformer, name: str, length: int
) -> None:
    target = torch.arange(10, 10 + length)[None]
    with bug(model, name):
        assert leaks(model, target) == (name in LEAKING)
    assert not leaks(model, target)


def seen(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> regard.Trace:
    return regard.trace("the dog saw it .", model, tokenizer, target="lo cano")


def test_without_scale_the_scores_are_larger(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    before = seen(model, tokenizer)
    with bug(model, "no scale"):
        after = seen(model, tokenizer)
        weights = after.weights(0, 0)
    d_k = before.queries(0).shape[-1]
    logs = np.log(before.weights(0, 0)) * np.sqrt(d_k)
    expected = np.exp(logs) / np.exp(logs).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(weights, expected, atol=1e-5)


@pytest.mark.parametrize("name", BUGS)
def test_a_trace_keeps_what_a_bug_did(model: Transformer, name: str) -> None:
    """Weights are computed when they are asked for, which may be after the bug has gone."""
    parts: Any = model
    modules: Any = {
        ("encoder", 0): parts.encoder[0].self_attention.heads,
        ("decoder", 1): parts.decoder[1].self_attention.heads,
        ("cross", 1): parts.decoder[1].cross_attention.heads,
    }
    given: list[np.ndarray[Any, Any]] = []
    keep: Callable[..., None] = lambda _, __, output: given.append(output.weights[0].numpy())  # noqa: E731
    with bug(model, name):
        hooks = [module.register_forward_hook(keep) for module in modules.values()]
        made = regard.trace((SRC[1:], TGT[1:]), model)  # with padding
        for hook in hooks:
            hook.remove()
    healthy = regard.trace((SRC[1:], TGT[1:]), model)
    moved = 0.0
    for (kind, layer), expected in zip(modules, given, strict=True):
        found = made.weights(layer, kind=kind)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        moved = max(moved, np.abs(found - healthy.weights(layer, kind=kind)).max())
    assert moved > 1e-3


def test_over_queries_the_columns_sum_to_one(model: Transformer) -> None:
    layer: Any = model.encoder[0]
    heads = layer.self_attention.heads
    found: list[Tensor] = []
    keep: Callable[..., None] = lambda _, __, output: found.append(output.weights)  # noqa: E731
    with bug(model, "softmax over queries"):
        handle = heads.register_forward_hook(keep)
        model(SRC, TGT)
        handle.remove()
    sums = found[0].sum(dim=-2)
    readable = SRC[:, None, :] != 0
    assert torch.allclose(sums[readable.expand_as(sums)], torch.tensor(1.0))


def test_a_trace_sees_the_columns_sum_to_one(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    with bug(model, "softmax over queries"):
        weights = seen(model, tokenizer).weights(1)
    np.testing.assert_allclose(weights.sum(axis=-2), 1, atol=1e-5)
    assert "forward" not in vars(model.encoder[1])


def test_unmasked_padding_matters(model: Transformer) -> None:
    def said(source: Tensor) -> Tensor:
        with torch.no_grad():
            return model(source, TGT[1:, :2])

    padded, alone = SRC[1:], SRC[1:, :3]
    assert torch.allclose(said(padded), said(alone), atol=1e-5)
    with bug(model, "padding unmasked"):
        assert not torch.allclose(said(padded), said(alone), atol=1e-3)


def test_off_by_one_gives_the_answer_away(model: Transformer) -> None:
    batch = make_batch([([4, 5, 6], [10, 11], [0, 1])])
    read: list[Tensor] = []
    model.embedding.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    with bug(model, "target off by one"):
        model(batch.source, batch.target)
    assert read[-1][0, :-1].tolist() == batch.labels[0, :-1].tolist()


def test_the_mystery_is_one_of_the_zoo(model: Transformer) -> None:
    for seed in range(12):
        mystery = Mystery(seed)
        said = {name: mystery.guess(name) for name in BUGS}
        (right,) = [name for name, answer in said.items() if answer.startswith("Yes")]
        with torch.no_grad(), mystery.in_(model):
            hidden = model(SRC, TGT)
        with torch.no_grad(), bug(model, right):
            assert torch.equal(model(SRC, TGT), hidden)
    with pytest.raises(ValueError, match="no bug 'x' in the zoo: choose from no scale"):
        mystery.guess("x")


def test_where_there_is_no_place_for_a_bug_it_says_so(model: Transformer) -> None:
    with pytest.raises(ValueError, match="no bug 'x' in the zoo"), bug(model, "x"):
        pass
    with (
        pytest.raises(ValueError, match="Linear has no attention that follows"),
        bug(nn.Linear(2, 2), "no scale"),
    ):
        pass
    with (
        pytest.raises(ValueError, match='no buffer "position"'),
        bug(model.encoder[0], "no positions"),
    ):
        pass


def test_what_is_no_model_and_no_name_is_said(model: Transformer) -> None:
    wrong: Any = "no scale"
    with pytest.raises(TypeError, match="A model is expected, but got 'no scale'"), bug(wrong, "x"):
        pass
    wrong = 5
    with (
        pytest.raises(TypeError, match="name of a bug is a text, but got 5"),
        bug(model, wrong),
    ):
        pass
    with pytest.raises(TypeError, match="name of a bug is a text, but got 5"):
        Mystery(0).guess(wrong)
    with pytest.raises(TypeError, match=r"seed is a whole number, but got 'x' \(str\)"):
        Mystery("x")  # type: ignore[arg-type]
