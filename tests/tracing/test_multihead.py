"""What is recorded of `nn.MultiheadAttention` is what torch itself says that it attended to."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from regard.record.layers import Recorder, ScoredLayer
from regard.tracing.modules import readers, recording
from tests.tracing.recording import recorded

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-6}


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

    assert not readers(nn.Sequential(Odd(8, 2)), {}, {})
