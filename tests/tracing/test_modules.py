"""What is recorded of any PyTorch module is what the module says it attended to."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.model.transformer import Transformer
from regard.record.layers import Layer, Recorder, ScoredLayer, WeighedLayer
from regard.tracing.modules import evaluating, readers, recording

WORDS = Path(__file__).parents[2] / "docs" / "own-models.md"


def hooked(model: nn.Module) -> bool:
    return any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())  # noqa: SLF001


# a stranger's class


class Stranger(nn.Module):
    """Attention as a stranger might write it: features first, and no kind."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads, self.inner = heads, nn.MultiheadAttention(dim, heads)
        self.to_query, self.to_key = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, words: Tensor, context: Tensor | None = None, *, causal: bool = False) -> Any:
        context = words if context is None else context
        self.inner(words, words, words)
        q, k = (
            f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for f, x in ((self.to_query, words), (self.to_key, context))
        )
        scores = q @ k.mT / math.sqrt(q.size(-1))
        if causal:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -math.inf)
        weights = scores.softmax(-1)
        return (weights @ k).transpose(1, 2).flatten(-2), weights


def read_weights(module: nn.Module, inputs: Mapping[str, Any], output: Any) -> Layer:
    kind = "cross" if inputs["context"] is not None else "encoder"
    return WeighedLayer("decoder" if inputs["causal"] else kind, output[1][0])


def read_scores(module: nn.Module, inputs: Mapping[str, Any], output: Any) -> Layer:
    assert isinstance(module, Stranger)
    words, context = inputs["words"][0], inputs["context"]
    context = words if context is None else context[0]
    q, k = (
        f(x).unflatten(-1, (module.heads, -1)).transpose(0, 1)
        for f, x in ((module.to_query, words), (module.to_key, context))
    )
    kind = read_weights(module, inputs, output).kind
    return ScoredLayer(kind, q, k, None, q.size(-1) ** -0.5, is_causal=inputs["causal"])


@pytest.mark.parametrize("read", [read_weights, read_scores])
def test_a_strangers_class_is_read(read: Any) -> None:
    module, x = Stranger(8, 2), torch.randn(2, 4, 8)
    recorder = Recorder()
    with recording(nn.Sequential(module), recorder, {Stranger: read}):
        expected = [module(x)[1], module(x, x[:, :2])[1], module(words=x, causal=True)[1]]
    layers = [recorder.layers[kind][0] for kind in ("encoder", "cross", "decoder")]
    assert recorder.counts.total() == 3  # what is inside of it is its own business
    for layer, weights in zip(layers, expected, strict=True):
        assert torch.allclose(layer.weigh(), weights[0], atol=1e-6)


def test_the_first_class_that_fits_is_taken() -> None:
    recorder = Recorder()
    with recording(
        nn.Sequential(module := Stranger(8, 2)),
        recorder,
        {Stranger: read_weights, nn.Module: lambda *_: None},
    ):
        module(torch.randn(1, 3, 8))
    assert recorder.counts["encoder"] == 1


def test_one_reader_serves_subclasses_and_may_pass() -> None:
    class Child(Stranger):
        pass

    model, recorder = nn.Sequential(Child(8, 2)), Recorder()
    assert list(readers(model, {Stranger: read_weights}, {})) == [model[0]]
    with recording(model, recorder, {Stranger: lambda *_: None}):
        model(torch.randn(1, 3, 8))
    assert not recorder.layers


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (torch.ones(1), TypeError, "read from Stranger is Tensor: give a ScoredLayer"),
        (WeighedLayer("self", torch.ones(2, 4, 4)), ValueError, "kind 'self': choose from"),
        (WeighedLayer("cross", torch.ones(1, 2, 4, 4)), ValueError, r"\(1, 2, 4, 4\), but must"),
    ],
)
def test_what_is_no_layer_is_refused(layer: Any, error: type[Exception], message: str) -> None:
    model = Stranger(8, 2)
    with (
        pytest.raises(error, match=message),
        recording(model, Recorder(), {Stranger: lambda *_: layer}),
    ):
        model(torch.randn(1, 3, 8))
    assert not hooked(model)


# nothing is left behind


@pytest.fixture
def models(model: Transformer) -> list[tuple[nn.Module, tuple[Tensor, ...]]]:
    ids = torch.tensor([[5, 6, 7]])
    x = torch.randn(1, 4, 16)
    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)
    return [
        (model.eval(), (ids, ids)),
        (stack.eval(), (x,)),
        (nn.Transformer(16, 4, 1, 1, 32, batch_first=True).eval(), (x, x)),
    ]


def test_hooks_are_gone_and_outputs_unchanged(
    models: list[tuple[nn.Module, tuple[Tensor, ...]]],
) -> None:
    for model, inputs in models:
        with torch.no_grad():
            before = model(*inputs)
            with recording(model, Recorder()):
                assert hooked(model)
                assert torch.allclose(model(*inputs), before, atol=1e-6)
            assert not hooked(model)
            assert torch.equal(model(*inputs), before)
        with pytest.raises(RuntimeError, match="halfway"), recording(model, Recorder()):
            raise RuntimeError("halfway")
        assert not hooked(model)


def test_recordings_nest(models: list[tuple[nn.Module, tuple[Tensor, ...]]]) -> None:
    for model, inputs in models:
        outer, inner = Recorder(), Recorder()
        with evaluating(model), recording(model, outer):
            with recording(model, inner):
                model(*inputs)
            model(*inputs)
        assert outer.counts == inner.counts  # numbers start anew in each pass
        assert inner.counts.total() == len(readers(model, {}, {}))


# docs/own-models.md


def test_the_examples_run_and_annalogs_where_it_is_installed() -> None:
    parts = WORDS.read_text("utf-8").split("```python\n")[1:]
    names: dict[str, Any] = {}
    for example in (part.split("```")[0] for part in parts):
        if "annalog" not in example:
            exec(example, names)  # noqa: S102  our own words


def test_annalog() -> None:
    pytest.importorskip("annalog", reason="annalog is not installed")
    (example,) = [
        part.split("```")[0]
        for part in WORDS.read_text("utf-8").split("```python\n")[1:]
        if "annalog" in part.split("```")[0]
    ]
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102  our own words
    model, seen = names["model"], names["seen"]
    with torch.no_grad():
        _, last = model(names["src"], names["trg"])
    assert seen.kinds == ("encoder", "decoder", "cross")
    assert torch.allclose(torch.from_numpy(seen.weights(2, kind="cross")), last[0], atol=1e-6)
