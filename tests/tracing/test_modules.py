"""What is recorded of a PyTorch model is what torch itself, or the model, says it attended to."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from regard.model.transformer import Heads, Transformer
from regard.record.layers import Layer, Recorder, ScoredLayer, WeighedLayer
from regard.tracing.modules import evaluating, recording, traceable

WORDS = Path(__file__).parents[2] / "docs" / "own-models.md"
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-6}


def recorded(model: nn.Module, *inputs: Any, **options: Any) -> dict[str, dict[int, Layer]]:
    recorder = Recorder()
    with torch.no_grad(), recording(model, recorder):
        model(*inputs, **options)
    return recorder.layers


def hooked(model: nn.Module) -> bool:
    return any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())  # noqa: SLF001


def multiplied(model: nn.Module, by: float = 2.0) -> nn.Module:
    """Make weights and biases large enough that attention is uneven."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.1).mul_(by)
    return model


# nn.MultiheadAttention, whatever its options


@st.composite
def calls(draw: st.DrawFn) -> tuple[nn.MultiheadAttention, dict[str, Any]]:
    """Draw a module and the arguments of a call."""
    torch.manual_seed(draw(st.integers(0, 2**16)))
    flag = st.booleans()
    heads, dtype = draw(st.integers(1, 4)), draw(st.sampled_from(list(TOLERANCE)))
    batch, queries = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    embed_dim, is_self = heads * draw(st.integers(1, 4)), draw(flag)
    kdim, vdim = (None, None) if is_self or draw(flag) else (5, 7)
    module = nn.MultiheadAttention(
        embed_dim,
        heads,
        bias=draw(flag),
        add_bias_kv=draw(flag),
        add_zero_attn=draw(flag),
        kdim=kdim,
        vdim=vdim,
        batch_first=draw(flag),
        dtype=dtype,
    ).train(draw(flag))
    multiplied(module)
    keys, unbatched = queries if is_self else draw(st.integers(1, 6)), draw(flag)
    batch = 1 if unbatched else batch

    def features(length: int, dim: int | None) -> Tensor:
        sizes = [batch, length] if module.batch_first else [length, batch]
        sizes = [length] if unbatched else sizes
        return torch.randn(*sizes, dim or embed_dim, dtype=dtype)

    def mask(*sizes: int) -> Tensor | None:
        forbidden = torch.rand(sizes) < 0.3
        if draw(flag):
            return None
        if draw(flag):
            return forbidden
        return torch.randn(sizes, dtype=dtype).masked_fill(forbidden, -math.inf)

    query = features(queries, None)
    key = query if is_self else features(keys, kdim)
    value = query if is_self else features(keys, vdim)
    attn = (batch * heads, queries, keys) if draw(flag) else (queries, keys)
    return module, {
        "query": query,
        "key": key,
        "value": value,
        "attn_mask": mask(*attn),
        "key_padding_mask": mask(*((keys,) if unbatched else (batch, keys))),
    }


@pytest.mark.filterwarnings("ignore:Support for mismatched")
@settings(max_examples=150, deadline=None)
@given(call=calls())
def test_the_weights_are_those_that_torch_gives(
    call: tuple[nn.MultiheadAttention, dict[str, Any]],
) -> None:
    module, inputs = call
    (layers,) = recorded(module, **inputs).values()
    with torch.no_grad():
        expected = module(**inputs, need_weights=True, average_attn_weights=False)[1]
    expected = expected[0] if expected.dim() == 4 else expected
    expected = expected.nan_to_num(0.0)  # of a query that may read nothing
    weights = layers[0].weigh()
    assert weights.shape == expected.shape == layers[0].shape
    assert (weights - expected).abs().max() < TOLERANCE[inputs["query"].dtype]


@pytest.mark.parametrize("need_weights", [True, False])
def test_arguments_come_by_position_too(*, need_weights: bool) -> None:
    module, x = (
        multiplied(nn.MultiheadAttention(8, 2, batch_first=True).eval()),
        torch.randn(1, 4, 8),
    )
    padding = torch.tensor([[False, False, True, False]])
    layer = recorded(module, x, x, x, padding, need_weights)["encoder"][0]
    expected = module(x, x, x, padding, average_attn_weights=False)[1][0]
    assert torch.allclose(layer.weigh(), expected, atol=1e-6)


def test_a_row_that_may_read_nothing_is_zero() -> None:
    module, x = nn.MultiheadAttention(8, 2), torch.randn(3, 8)
    mask = torch.zeros(3, 3).index_fill(0, torch.tensor([1]), -math.inf)
    weights = recorded(module, x, x, x, attn_mask=mask)["encoder"][0].weigh()
    assert torch.allclose(weights.sum(-1), torch.tensor([1.0, 0.0, 1.0]).expand(2, 3))


@pytest.mark.parametrize("low", [-math.inf, -1e9, torch.finfo(torch.float32).min])
def test_kinds_of_attention_that_stands_alone(low: float) -> None:
    module, x = nn.MultiheadAttention(8, 2, batch_first=True), torch.randn(1, 4, 8)
    future = torch.ones(4, 4, dtype=torch.bool).triu(1)
    window = future | future.T.roll(-1, 0)
    additive = torch.zeros(4, 4).masked_fill(future, low)
    distance = -torch.arange(16.0).reshape(4, 4)
    for mask, kind in [
        (None, "encoder"),
        (future, "decoder"),
        (window, "decoder"),
        (additive, "decoder"),
        (future.expand(2, 4, 4), "decoder"),
        (future.T, "encoder"),
        (distance, "encoder"),
    ]:
        assert list(recorded(module, x, x, x, attn_mask=mask)) == [kind]
    assert list(recorded(module, x, x.clone(), x)) == ["encoder"]
    assert list(recorded(module, x, x + 1, x)) == ["cross"]
    assert list(recorded(module, x, x[:, :2], x[:, :2])) == ["cross"]
    hides_the_last = torch.tensor([[False, False, False, True]])
    assert list(recorded(module, x, x, x, key_padding_mask=hides_the_last)) == ["encoder"]


def test_a_causal_mask_is_not_kept() -> None:
    model = nn.TransformerEncoderLayer(8, 2, batch_first=True)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    layer = recorded(model, torch.randn(1, 5, 8), mask, is_causal=True)["decoder"][0]
    assert isinstance(layer, ScoredLayer)
    assert layer.is_causal
    assert layer.allowed is layer.bias is None


# torch's own Transformers, fused or not


def asked(layer: nn.Module, *inputs: Tensor, **masks: Tensor | None) -> Tensor:
    """Ask nn.MultiheadAttention itself."""
    weights: Tensor = layer(*inputs, **masks, need_weights=True, average_attn_weights=False)[1]
    return weights[0]


@pytest.fixture(params=[True, False], ids=["batch_first", "length_first"])
def batch_first(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:The PyTorch API of nested")
@pytest.mark.parametrize("is_float", [True, False])
def test_all_three_kinds_of_a_transformer(*, batch_first: bool, is_float: bool) -> None:
    torch.manual_seed(0)
    model = nn.Transformer(16, 4, 2, 2, 32, batch_first=batch_first).eval()
    multiplied(model, 1.3)
    src, tgt = torch.randn(1, 6, 16), torch.randn(1, 5, 16)
    src, tgt = (x if batch_first else x.transpose(0, 1) for x in (src, tgt))
    causal = nn.Transformer.generate_square_subsequent_mask(5)
    causal = causal if is_float else causal == -math.inf
    seen: dict[str, list[Tensor]] = {"encoder": [], "decoder": [], "cross": []}

    def spy(kind: str) -> Any:
        def note(module: nn.Module, args: Any, kwargs: Any, _: Any) -> None:
            kwargs = {k: v for k, v in kwargs.items() if k.endswith("mask")}
            seen[kind].append(asked_past_hooks(module, *args, **kwargs))

        return note

    handles = [
        module.register_forward_hook(spy(kind), with_kwargs=True)
        for name, module in model.named_modules()
        for kind in [kind_by_name(name)]
        if kind is not None
    ]
    with torch.no_grad():
        model(src, tgt, tgt_mask=causal)
    for handle in handles:
        handle.remove()

    layers = recorded(model, src, tgt, tgt_mask=causal)
    assert {kind: len(of_kind) for kind, of_kind in layers.items()} == dict.fromkeys(seen, 2)
    for kind, expected in seen.items():
        for number, weights in enumerate(expected):
            assert torch.allclose(layers[kind][number].weigh(), weights, atol=1e-5)


def asked_past_hooks(module: nn.Module, *args: Tensor, **masks: Tensor | None) -> Tensor:
    weights: Tensor = module.forward(*args, **masks, need_weights=True, average_attn_weights=False)[
        1
    ]
    return weights[0]


def kind_by_name(name: str) -> str | None:
    if name.endswith("multihead_attn"):
        return "cross"
    return name.split(".", maxsplit=1)[0] if name.endswith("self_attn") else None


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("tokens", [3, 5, None])
def test_an_encoder_stack_with_and_without_padding(*, training: bool, tokens: int | None) -> None:
    """In eval, torch turns padded sentences into nested tensors, and back."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
    model = multiplied(nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(16)), 1.3)
    model.train(training)
    x = torch.randn(2, 7, 16)
    padding = None if tokens is None else torch.arange(7).expand(2, 7) >= tokens
    with torch.no_grad():
        before = model(x, src_key_padding_mask=padding)
    recorder = Recorder()
    with torch.no_grad(), recording(model, recorder):
        during = model(x, src_key_padding_mask=padding)
    assert torch.allclose(before, during, atol=1e-6)
    assert torch.backends.mha.get_fastpath_enabled()

    is_nested = padding is not None and not training
    read = slice(tokens) if is_nested else slice(None)  # nested padding reads nothing
    for number, layer in enumerate(layers_of(model)):
        weights = recorder.layers["encoder"][number].weigh()
        expected = asked(layer.self_attn, x, x, x, key_padding_mask=padding)
        assert weights.shape == (4, 7, 7)
        assert torch.allclose(weights[:, read], expected[:, read], atol=1e-5)
        if is_nested:
            assert not weights[:, tokens:].any()
        with torch.no_grad():
            x = layer(x, src_key_padding_mask=padding)  # the next one reads it


def layers_of(model: nn.Module) -> list[nn.TransformerEncoderLayer]:
    return [layer for layer in model.modules() if isinstance(layer, nn.TransformerEncoderLayer)]


def test_a_nested_tensor_of_ones_own() -> None:
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 1).eval()
    sentences = [torch.randn(5, 16), torch.randn(3, 16)]
    layer = recorded(model, torch.nested.nested_tensor(sentences))["encoder"][0]
    x = sentences[0][None]
    assert torch.allclose(layer.weigh(), asked(layers_of(model)[0].self_attn, x, x, x), atol=1e-6)


def test_a_module_inside_of_someones_own() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(8)
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            x = self.norm(x)
            return x + self.attend(x, x, x, need_weights=False)[0]

    readers, x = [Reader(), Reader()], torch.randn(1, 4, 8)
    layers = recorded(nn.Sequential(*readers).eval(), x)["encoder"]
    for number, part in enumerate(readers):
        normed = part.norm(x)
        expected = asked(part.attend, normed, normed, normed)
        assert torch.allclose(layers[number].weigh(), expected, atol=1e-6)
        x = part(x)


def test_an_attention_that_overrides_forward_is_left_to_its_owner() -> None:
    class Odd(nn.MultiheadAttention):
        def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
            return x

    assert traceable(nn.Sequential(Odd(8, 2))) == []


# the protocol


@pytest.mark.parametrize(
    "sizes", [(5, 6), (1, 6), (6,), (1, 5, 6), (4, 5, 6), (2, 1, 1, 6), (2, 4, 5, 6)]
)
def test_a_mask_may_have_fewer_dimensions(sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    heads, mask = Heads("cross"), torch.rand(sizes) < 0.6
    query, key = torch.randn(2, 5, 8), torch.randn(2, 6, 8)
    layer = recorded(heads, query, key, key, 4, mask)["cross"][0]
    assert isinstance(layer, ScoredLayer)
    assert layer.value is not None
    expected = heads(query, key, key, 4, mask).weights[0]
    assert torch.allclose(layer.weigh(), expected, atol=1e-6)


class OfItsOwn(Heads):
    """Attends evenly, whatever it is asked, in what it says of its weights."""

    def forward(self, *args: Any) -> Any:
        output: Any = super().forward(*args)
        return output._replace(weights=torch.full_like(output.weights, 1 / 3))


class Unscaled(Heads):
    """Leaves the scale out."""

    def forward(self, *args: Any) -> Any:
        query, *others, num_heads, mask = args
        d_k = query.size(-1) / num_heads
        return super().forward(query * d_k**0.5, *others, num_heads, mask)  # type: ignore[call-arg]  # five


class Unmasked(Heads):
    """Does not look at its mask."""

    def forward(self, *args: Any) -> Any:
        return super().forward(*args[:4], None)  # type: ignore[call-arg]  # five


@pytest.mark.parametrize("num_tokens", [3, 100])
@pytest.mark.parametrize("own", [Unscaled, Unmasked, OfItsOwn])
def test_a_module_shows_the_weights_that_it_uses(own: type[Heads], num_tokens: int) -> None:
    """Queries and keys are kept where they explain the weights, however it was edited."""
    torch.manual_seed(0)
    heads, x = own("encoder"), torch.randn(1, num_tokens, 4)
    mask = torch.ones(num_tokens, num_tokens, dtype=torch.bool).tril()
    layer = recorded(heads, x, x, x, 2, mask)["encoder"][0]
    assert torch.allclose(layer.weigh(), heads(x, x, x, 2, mask).weights[0], atol=1e-6)
    assert isinstance(layer, WeighedLayer if own is OfItsOwn else ScoredLayer)


def test_a_forward_may_take_all_its_inputs_in_one() -> None:
    class Loose(Heads):
        def forward(self, *inputs: Any) -> Any:
            return super().forward(*inputs)

    heads, x = Loose("encoder"), torch.randn(1, 3, 4)
    layer = recorded(heads, x, x, x, 2, None)["encoder"][0]
    assert torch.allclose(layer.weigh(), heads(x, x, x, 2, None).weights[0], atol=1e-6)


def test_a_module_that_has_a_kind_but_does_not_attend() -> None:
    class Block(nn.Module):
        kind = "encoder"

        def forward(self, x: Tensor) -> Tensor:
            return x

    assert recorded(Block(), torch.ones(1, 2, 4)) == {}


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
    assert traceable(model, {Stranger: read_weights}) == [model[0]]
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
        assert outer.counts.total() == 2 * inner.counts.total() == 2 * len(traceable(model))


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
