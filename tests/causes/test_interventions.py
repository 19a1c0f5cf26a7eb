"""A blocked edge carries nothing, the others still do, and nothing stays behind."""

import re
import threading
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from regard.causes.interventions import ablate, block, edge_mask
from regard.model.masks import create_masks
from regard.model.transformer import Heads, MultiHeadAttention, Transformer
from regard.record.kinds import KINDS
from regard.tracing.implementations import attending
from regard.tracing.run import trace
from tests.output_projections import differences, output_of, output_projections, tiny, writing
from tests.tiny_models import build, families, inputs_for

SRC = torch.tensor([[5, 6, 7, 8, 2], [9, 10, 11, 2, 0]])
TGT = torch.tensor([[1, 12, 13], [1, 14, 15]])


def forbidden() -> Tensor:
    edges = torch.zeros(2, 5, 5, dtype=torch.bool)
    edges[0, 1, 3] = edges[1, 2, 0] = True
    return edges


def test_blocking_equals_a_mask_given_to_the_encoder(model: Transformer) -> None:
    model.eval()
    masks = create_masks(SRC, TGT)
    memory = model.encode(SRC, masks.source & ~forbidden()[:, None])
    expected = model.decode(TGT, memory, masks).logits
    with block(model, forbidden()):
        assert torch.equal(model(SRC, TGT), expected)
    assert not torch.allclose(model(SRC, TGT), expected)


def test_only_the_forbidden_weights_are_zero(model: Transformer) -> None:
    seen = []
    heads = next(m for m in model.modules() if isinstance(m, Heads))
    heads.register_forward_hook(lambda *args: seen.append(args[-1].weights))
    with block(model, forbidden()):
        model.eval()(SRC, TGT)
    padding = (SRC == 0)[:, None, None, :].expand(-1, 4, 5, -1)
    assert torch.equal(seen[0] == 0, forbidden()[:, None].expand(-1, 4, -1, -1) | padding)


def test_nothing_is_left_behind_even_after_an_error(model: Transformer) -> None:
    before = model.eval()(SRC, TGT)
    with pytest.raises(RuntimeError, match="halfway"), block(model, forbidden()):
        raise RuntimeError("halfway")
    assert torch.equal(model(SRC, TGT), before)


def test_it_works_where_there_was_no_mask() -> None:
    heads = Heads("cross")
    x = torch.randn(2, 5, 4)
    with block(heads, forbidden(), kind="cross"):
        weights = heads(x, x, x, 1, None).weights
    assert weights[0, 0, 1, 3] == 0
    assert weights[0, 0, 1].sum() == pytest.approx(1)


def test_errors(model: Transformer) -> None:
    with (
        pytest.raises(TypeError, match=r"bool .*torch.float32 \(2, 5, 5\)"),
        block(model, forbidden().float()),
    ):
        pass
    with (
        pytest.raises(ValueError, match="no attention of kind 'self'"),
        block(model, forbidden(), kind="self"),
    ):
        pass


def test_edges_are_marked_and_none_is_fine() -> None:
    marked = edge_mask([(1, 3), (2, 0)], length=5)
    assert torch.equal(marked, forbidden())
    assert edge_mask([], length=5).shape == (0, 5, 5)


@pytest.mark.parametrize("edge", [(5, 0), (0, 5), (-1, 0), (0, -1)])
def test_edges_outside_of_the_sentence(edge: tuple[int, int]) -> None:
    message = (
        f"1 of 2 edges lie outside of sentences of 5 tokens, first {edge}: positions are 0 to 4"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        edge_mask([(1, 3), edge], length=5)


# ablation


def without_hooks(module: nn.Module, *_: Any) -> None:
    raise AssertionError(f"{type(module).__name__} was run, before the mistake was seen")


def state_of(model: nn.Module) -> tuple[Any, ...]:
    """Give all that an intervention could leave behind."""
    hooks = [
        (len(m._forward_hooks), len(m._forward_pre_hooks), sorted(vars(m)))  # noqa: SLF001
        for m in model.modules()
    ]
    return AttentionInterface.get_interface, hooks, [p.data_ptr() for p in model.parameters()]


def projections(model: Any) -> dict[str, list[MultiHeadAttention]]:
    """Find the attention of each kind, from the first layer to the last."""
    return {
        "encoder": [layer.self_attention for layer in model.encoder],
        "decoder": [layer.self_attention for layer in model.decoder],
        "cross": [layer.cross_attention for layer in model.decoder],
    }


HEADS = [(kind, layer, head) for kind in KINDS for layer in range(2) for head in (0, 3)]


@pytest.mark.parametrize(("kind", "layer", "head"), HEADS)
def test_a_head_of_our_model_is_zero(model: Transformer, kind: str, layer: int, head: int) -> None:
    before = model.eval()(SRC, TGT)
    state = state_of(model)
    with ablate(model, [(kind, layer, head)]):
        found, written = model(SRC, TGT), model.generate(SRC, max_length=6)
    assert state_of(model) == state
    assert torch.equal(model(SRC, TGT), before)
    with writing(projections(model)[kind][layer].output, head, 4, torch.zeros_like):
        assert torch.equal(found, model(SRC, TGT))
        assert torch.equal(written, model.generate(SRC, max_length=6))
    assert not torch.allclose(found, before, atol=1e-4)


@pytest.mark.parametrize(("kind", "layer", "head"), HEADS)
def test_a_head_of_our_model_reads_evenly(
    model: Transformer, kind: str, layer: int, head: int
) -> None:
    """A head whose queries are all zero scores all keys alike."""
    with ablate(model.eval(), [(kind, layer, head)], "uniform"):
        found = model(SRC, TGT)
    query = projections(model)[kind][layer].query
    with torch.no_grad():
        query.weight[head * 8 : (head + 1) * 8] = query.bias[head * 8 : (head + 1) * 8] = 0
    assert torch.allclose(found, model(SRC, TGT), atol=1e-6)


def test_the_mean_is_over_all_words_of_the_reference(model: Transformer) -> None:
    attention = projections(model)["encoder"][1]
    seen = []
    handle = attention.output.register_forward_pre_hook(lambda _, x: seen.append(x[0][..., 8:16]))
    batches = [(SRC, TGT), (SRC[:1, :3], TGT[:1])]

    def reference() -> None:
        for batch in batches:
            model(*batch)

    model.eval()
    reference()
    handle.remove()
    words = [x[batch[0] != 0] for x, batch in zip(seen, batches, strict=True)]
    mean = torch.cat(words).mean(0)  # (9 + 3, d_v) -> (d_v,)
    model.train()
    with ablate(model, [("encoder", 1, 1)], "mean", reference=reference):
        assert model.training
        found = model.eval()(SRC, TGT)
    with writing(attention.output, 1, 4, mean.expand_as):
        assert torch.allclose(found, model(SRC, TGT), atol=1e-6)


@pytest.mark.parametrize("mode", ["zero", "mean", "uniform"])
@pytest.mark.parametrize("name", ["bert", "gemma2", "gpt2", "llama", "t5", "whisper"])
def test_every_head_of_every_kind_equals_the_reference(name: str, mode: str) -> None:
    found = differences(*tiny(name), mode)
    assert found.from_reference <= 1e-6
    assert found.effect > 1e-2


@pytest.mark.parametrize(
    "name", ["bart", "distilbert", "gpt_neox", "gpt_oss", "mistral", "modernbert", "opt", "vit"]
)
def test_zero_equals_the_reference_in_more_families(name: str) -> None:
    found = differences(*tiny(name), "zero")
    assert found.from_reference <= 1e-6
    assert found.effect > 1e-2


def test_a_layer_that_is_used_again_is_another() -> None:
    """ALBERT's layers are one module: of its two uses, only the second is changed."""
    torch.manual_seed(0)
    model = build("albert", "AutoModelForMaskedLM")
    inputs = inputs_for(model, "encoder")
    (projection,) = (m for name, m in model.named_modules() if name.endswith("attention.dense"))
    calls = []

    def zero_the_second(_: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        calls.append(given)
        x = given[0].clone()
        x[..., 16:32] = 0 if len(calls) == 2 else x[..., 16:32]
        return (x,)

    for _ in range(2):  # in the next pass, they are counted anew
        with ablate(model, [("encoder", 1, 1)]):
            found = output_of(model, inputs)
            assert torch.equal(found, output_of(model, inputs))
    with projection.register_forward_pre_hook(zero_the_second):
        assert torch.equal(found, output_of(model, inputs))


def test_while_a_decoder_writes_on_one_token_at_a_time() -> None:
    model, inputs = tiny("llama")
    writer: Any = model
    options = {"do_sample": False, "max_new_tokens": 6, "pad_token_id": 0, "eos_token_id": None}
    before = writer.generate(**inputs, **options)
    with ablate(model, [("decoder", 0, 2), ("decoder", 1, 0)]):
        found = writer.generate(**inputs, **options)
    layers = writer.model.layers
    with (
        writing(layers[0].self_attn.o_proj, 2, 4, torch.zeros_like),
        writing(layers[1].self_attn.o_proj, 0, 4, torch.zeros_like),
    ):
        assert torch.equal(found, writer.generate(**inputs, **options))
    assert not torch.equal(found, before)


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_while_an_encoder_decoder_writes(name: str) -> None:
    """The encoder is run once, and outside of the model's own forward."""
    model, inputs = tiny(name)
    del inputs["decoder_input_ids"]
    writer: Any = model
    options = {"do_sample": False, "num_beams": 1, "max_new_tokens": 6, "eos_token_id": None}
    options |= {"output_logits": True, "return_dict_in_generate": True, "decoder_start_token_id": 0}
    found = {}
    projections = output_projections(model, tuple(KINDS))
    for kind in KINDS:
        with ablate(model, [(kind, 1, 2)]):
            for _ in range(2):
                found[kind] = torch.stack(writer.generate(**inputs, **options).logits)
        with writing(projections[kind][1], 2, 4, torch.zeros_like):
            expected = torch.stack(writer.generate(**inputs, **options).logits)
        assert torch.equal(found[kind], expected)
    assert len({float(x.sum()) for x in found.values()}) == 3


def test_an_encoder_stays_one_whatever_it_reads_first() -> None:
    """A sentence of one token, padded, has no future that it could see."""
    model, inputs = tiny("bert")
    ids, mask = inputs["input_ids"].repeat(2, 1), torch.ones(2, 12, dtype=torch.long)
    mask[0, 1:] = 0
    before = output_of(model, {"input_ids": ids, "attention_mask": mask})
    with ablate(model, [("encoder", 1, 1)]):
        found = output_of(model, {"input_ids": ids, "attention_mask": mask})
    assert not torch.allclose(found, before)


def encoder_stack(*, batch_first: bool) -> nn.TransformerEncoder:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()


@pytest.mark.parametrize("batch_first", [True, False])
def test_heads_of_torch(*, batch_first: bool) -> None:
    """Zero are a head's columns of the output projection; even is what asks with zeros."""
    model = encoder_stack(batch_first=batch_first)
    x, padding = torch.randn(2, 5, 8), torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    x = x if batch_first else x.transpose(0, 1)
    run = partial(model, x, src_key_padding_mask=padding)
    attention: Any = model.layers[1].self_attn
    random_state = torch.get_rng_state()
    with torch.no_grad():
        before = run()
        with ablate(model, [("encoder", 1, 1)]):
            zero = run()
        with ablate(model, [("encoder", 1, 1)], "uniform"):
            uniform = run()
        assert torch.equal(run(), before)
        changed = deepcopy(model.state_dict())
        attention.out_proj.weight[:, 4:] = 0
        assert torch.allclose(zero, run(), atol=1e-6)
        model.load_state_dict(changed)
        attention.in_proj_weight[4:8] = attention.in_proj_bias[4:8] = 0
        assert torch.allclose(uniform, run(), atol=1e-6)
    assert not torch.allclose(zero, before, atol=1e-3)
    assert torch.equal(torch.get_rng_state(), random_state)


def test_masks_of_torch() -> None:
    """A bias is no part of reading evenly, what is forbidden is; a block adds to what is."""
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x, bias = torch.randn(1, 4, 8), torch.randn(4, 4)
    future = torch.ones(4, 4, dtype=torch.bool).triu(1)
    with ablate(attention, [("decoder", 0, 0), ("decoder", 0, 1)], "uniform"):
        found, _ = attention(x, x, x, attn_mask=bias.masked_fill(future, -torch.inf))
        expected, _ = attention(x, x, x, attn_mask=future)
    assert torch.equal(found, expected)
    edges = edge_mask([(3, 1)], length=4)
    with block(attention, edges, kind="decoder"):
        found, weights = attention(x, x, x, attn_mask=future)
    expected, _ = attention(x, x, x, attn_mask=future | edges[0])
    assert torch.allclose(found, expected, atol=1e-6)
    assert (weights[0][future | edges[0]] == 0).all()


def test_all_kinds_of_torch() -> None:
    model = nn.Transformer(8, 2, 1, 1, 16, batch_first=True).eval()
    src, tgt = torch.randn(2, 4, 8), torch.randn(2, 3, 8)
    before = model(src, tgt)
    for kind in KINDS:
        with ablate(model, [(kind, 0, 1)]):
            assert not torch.allclose(model(src, tgt), before, atol=1e-4)
    assert torch.equal(model(src, tgt), before)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors_are_refused() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 1).eval()
    padding = torch.tensor([[False, False, True]])
    with (
        torch.no_grad(),
        pytest.raises(ValueError, match="enable_nested_tensor=False"),
        ablate(model, [("encoder", 0, 0)]),
    ):
        model(torch.randn(1, 3, 8), src_key_padding_mask=padding)


def test_contexts_nest_and_end_after_errors() -> None:
    model, inputs = tiny("bert")
    state, before = state_of(model), output_of(model, inputs)
    with ablate(model, [("encoder", 0, 0), ("encoder", 1, 3)]):
        both = output_of(model, inputs)
    with ablate(model, [("encoder", 0, 0)]):
        first = output_of(model, inputs)
        with ablate(model, [("encoder", 1, 3)]):
            assert torch.equal(output_of(model, inputs), both)
        with pytest.raises(RuntimeError, match="halfway"), ablate(model, [("encoder", 1, 3)]):
            raise RuntimeError("halfway")
        assert torch.equal(output_of(model, inputs), first)
    assert state_of(model) == state
    assert torch.equal(output_of(model, inputs), before)


@pytest.mark.parametrize("name", ["ours", "bert"])
def test_another_thread_is_left_alone(name: str, model: Transformer) -> None:
    run: Callable[[], Tensor]
    ablated: nn.Module
    if name == "ours":
        ablated, run = model.eval(), partial(model, SRC, TGT)
    else:
        ablated, inputs = tiny(name)
        run = partial(output_of, ablated, inputs)
    state, before = state_of(ablated), run()
    found: list[Tensor] = []
    inside, done = threading.Event(), threading.Event()

    def from_elsewhere() -> None:
        inside.wait()
        found.append(run())
        with ablate(ablated, [("encoder", 0, 1)]):
            found.append(run())
            done.set()
            inside.wait()

    thread = threading.Thread(target=from_elsewhere)
    thread.start()
    with ablate(ablated, [("encoder", 1, 2)]):
        ours = run()
        inside.set()
        done.wait()
        assert torch.equal(run(), ours)
    thread.join()
    assert torch.equal(found[0], before)
    assert len({float(x.detach().double().sum()) for x in (ours, *found)}) == 3
    assert state_of(ablated) == state
    assert torch.equal(run(), before)


def test_another_model_is_left_alone() -> None:
    model, inputs = tiny("bert")
    other, _ = tiny("bert")
    before = output_of(other, inputs)
    with ablate(model, [("encoder", 0, 1)]):
        assert torch.equal(output_of(other, inputs), before)
        assert not torch.equal(output_of(model, inputs), before)


def test_masks_that_do_not_say_who_may_read_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zero needs no mask, to read evenly does."""
    model, inputs = tiny("bert")
    with ablate(model, [("encoder", 0, 1)]):
        expected = output_of(model, inputs)
    own: dict[str, Any] = {"own": ALL_ATTENTION_FUNCTIONS["sdpa"]}
    monkeypatch.setattr(ALL_ATTENTION_FUNCTIONS, "_local_mapping", own)
    monkeypatch.setattr(model.config, "_attn_implementation_internal", "own")
    with ablate(model, [("encoder", 0, 1)]):
        assert torch.allclose(output_of(model, inputs), expected, atol=1e-6)
    message = r"BertForMaskedLM attends by 'own'.*set_attn_implementation\(\"sdpa\"\)"
    with (
        pytest.raises(ValueError, match=message),
        ablate(model, [("encoder", 0, 1)], "uniform"),
    ):
        output_of(model, inputs)


def test_a_trace_within_sees_what_later_layers_read() -> None:
    model, inputs = tiny("bert")
    before = trace(inputs, model)
    with ablate(model, [("encoder", 0, 1)]):
        seen = trace(inputs, model)
    assert seen.how == "queries and keys"
    assert np.array_equal(seen.weights(0), before.weights(0))
    assert not np.allclose(seen.weights(1), before.weights(1), atol=1e-3)


def test_gradients_flow_past_an_ablated_head(model: Transformer) -> None:
    attention = projections(model)["encoder"][0]
    with ablate(model.eval(), [("encoder", 0, 1)]):
        model(SRC, TGT).sum().backward()
    gradient = attention.value.weight.grad
    assert gradient is not None
    assert (gradient.unflatten(0, (4, 8)).abs().amax((1, 2)) > 0).tolist() == [
        True,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("heads", "options", "message"),
    [
        ([], {}, "No head is named"),
        ([("self", 0, 0)], {}, r"its kind one of .* but got \('self', 0, 0\)"),
        ([("encoder", -1, 0)], {}, r"counted from 0.* got \('encoder', -1, 0\)"),
        ([("encoder", 0)], {}, r"A head is \(kind, layer, head\)"),
        ([3], {}, "but got 3"),
        ([("encoder", 0, 0)], {"mode": "none"}, r"no mode 'none': choose from \('zero', 'mean'"),
        ([("encoder", 0, 0)], {"mode": "mean"}, r"need a reference.* got mode='mean' without"),
        ([("encoder", 0, 0)], {"reference": print}, r"got mode='zero' with one"),
    ],
)
def test_what_is_no_ablation(
    heads: Any, options: dict[str, Any], message: str, model: Transformer
) -> None:
    model.register_forward_pre_hook(without_hooks)
    with pytest.raises(ValueError, match=message), ablate(model, heads, **options):
        pass


def test_heads_that_are_not_there(model: Transformer) -> None:
    model.eval()
    with (
        pytest.raises(ValueError, match="no head 4 in encoder layer 1: it has 4, numbered 0 to 3"),
        ablate(model, [("encoder", 1, 4)]),
    ):
        model(SRC, TGT)
    with (
        pytest.raises(ValueError, match=r"cross layer 2 never attended.*'encoder': 2"),
        ablate(model, [("cross", 2, 0)]),
    ):
        model(SRC, TGT)
    with pytest.raises(RuntimeError, match="run the model"), ablate(model, [("cross", 1, 0)]):
        pass
    bert, inputs = tiny("bert")
    with (
        pytest.raises(ValueError, match=r"decoder layer 0 never attended.*'encoder': 2"),
        ablate(bert, [("decoder", 0, 0)]),
    ):
        output_of(bert, inputs)
    with (
        pytest.raises(ValueError, match="never attended in the reference"),
        ablate(bert, [("encoder", 9, 0)], "mean", reference=lambda: bert(**inputs)),
    ):
        pass
    encoder = encoder_stack(batch_first=True)
    with (
        pytest.raises(ValueError, match="choose from"),
        ablate(Heads("cross"), [("encoder", 0, 0)]),
    ):
        pass
    with (
        pytest.raises(RuntimeError, match=r"never attended within.* was not called"),
        ablate(nn.Linear(1, 1), [("cross", 0, 0)]),
    ):
        pass
    wrapped = nn.Sequential(bert, encoder)
    with (
        pytest.raises(ValueError, match=r"wraps 1 .* `model.0`, and .* beside"),
        ablate(wrapped, HEADS),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "projection"),
    [
        ("bloom", "h.0.self_attention.dense"),
        ("codegen", "h.0.attn.out_proj"),
        ("gptj", "h.0.attn.out_proj"),
        ("luke", "layer.0.attention.output.dense"),
        ("mpt", "blocks.0.attn.out_proj"),
    ],
)
def test_a_model_that_attends_in_a_way_of_its_own(name: str, projection: str) -> None:
    family = next(family for family in families() if family.model_type == name)
    model = build(family.model_type, family.auto_class)
    inputs = inputs_for(model, family.use)
    (kind,) = trace(inputs, model).kinds
    (module,) = (m for path, m in model.named_modules() if path.endswith(projection))
    num_heads = trace(inputs, model).num_heads

    def cut(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        heads = args[0].unflatten(-1, (num_heads, -1)).clone()
        heads[..., 1, :] = 0
        return (heads.flatten(-2), *args[1:])

    with torch.no_grad():
        plain = output_of(model, inputs)
        with module.register_forward_pre_hook(cut):
            expected = output_of(model, inputs)
        with ablate(model, [(kind, 0, 1)]):
            ours = output_of(model, inputs)
    assert torch.equal(ours, expected)
    assert not torch.equal(ours, plain)


def test_attention_that_gives_no_named_tuple() -> None:
    class Bare(nn.Module):
        kind = "encoder"

        def forward(self, *inputs: Any) -> Any:
            return SimpleNamespace(weights=None)

    x = torch.randn(1, 2, 4)
    attention = Bare()
    with (
        pytest.raises(TypeError, match=r"returned SimpleNamespace.*named tuple"),
        ablate(attention, [("encoder", 0, 0)]),
    ):
        attention(x, x, x, 1, None)


# blocking in other models


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["bert", "llama", "mistral", "t5"])
def test_what_is_forbidden_gets_nothing(name: str, implementation: str) -> None:
    model, inputs = tiny(name)
    model.set_attn_implementation(implementation)
    seen = trace(inputs, model)
    kind, length = seen.kinds[0], len(seen.tokens)
    edges = torch.zeros(1, length, length, dtype=torch.bool)
    edges[0, 5, 2] = edges[0, 7, 7] = True
    state, before = state_of(model), output_of(model, inputs)
    with block(model, edges, kind=kind):
        found = output_of(model, inputs)
        narrowed = trace(inputs, model)
        assert narrowed.how == "queries and keys"
        with attending(model, "eager"):
            expected = output_of(model, inputs)
    assert torch.allclose(found, expected, atol=1e-6)
    for layer in narrowed.layers[kind]:
        weights = narrowed.weights(layer, kind=kind)
        assert (weights[:, edges[0]] == 0).all()
        assert np.allclose(weights.sum(-1), 1, atol=1e-5)
    untouched = [row for row in range(length) if row not in {5, 7}]
    assert np.allclose(narrowed.weights(0, kind=kind)[:, untouched], seen.weights(0)[:, untouched])
    assert not torch.allclose(found, before, atol=1e-3)
    assert state_of(model) == state
    assert torch.equal(output_of(model, inputs), before)


def test_only_some_heads_are_blocked() -> None:
    model, inputs = tiny("llama")
    before = trace(inputs, model)
    edges = edge_mask([(5, 2)], length=12)
    with block(model, edges, heads=[("decoder", 1, 3)]):
        seen = trace(inputs, model)
    assert np.array_equal(seen.weights(0), before.weights(0))
    assert np.array_equal(seen.weights(1)[:3], before.weights(1)[:3])
    assert seen.weights(1)[3, 5, 2] == 0 < before.weights(1)[3, 5, 2]


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_a_reader_with_nothing_left_writes_zeros(implementation: str) -> None:
    model, inputs = tiny("bert")
    model.set_attn_implementation(implementation)
    edges = torch.zeros(1, 12, 12, dtype=torch.bool)
    edges[0, 5] = True
    written = []
    projection = model.get_submodule("bert.encoder.layer.1.attention.output.dense")
    projection.register_forward_pre_hook(lambda _, x: written.append(x[0]))
    with block(model, edges):
        output_of(model, inputs)
    assert (written[0].abs().amax(-1)[0] == 0).nonzero().flatten().tolist() == [5]


def test_who_reads_evenly_reads_nothing_that_is_blocked() -> None:
    model, inputs = tiny("bert")
    edges = torch.zeros(1, 12, 12, dtype=torch.bool)
    edges[0, :, 4] = True
    heads = [("encoder", 1, head) for head in range(4)]
    found = []
    for outer, inner in [(0, 1), (1, 0)]:
        contexts = [block(model, edges), ablate(model, heads, "uniform")]
        with contexts[outer], contexts[inner]:
            found.append(output_of(model, inputs))
    assert torch.equal(*found)
    values = trace(inputs, model)  # of a layer whose input the blocking does not change
    with block(model, edges), ablate(model, [("encoder", 0, 1)], "uniform"):
        written = []
        projection = model.get_submodule("bert.encoder.layer.0.attention.output.dense")
        with projection.register_forward_pre_hook(lambda _, x: written.append(x[0][0, :, 16:32])):
            output_of(model, inputs)
    others = [token for token in range(12) if token != 4]
    expected = values.values(0)[1, others].mean(0)
    assert np.allclose(written[0], expected, atol=1e-6)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("given", [None, "bool", "float"])
def test_blocking_in_torch_equals_its_mask(given: str | None, *, batch_first: bool) -> None:
    model = encoder_stack(batch_first=batch_first)
    x = torch.randn(2, 5, 8)
    x = x if batch_first else x.transpose(0, 1)
    mask = None
    if given:
        mask = nn.Transformer.generate_square_subsequent_mask(5)
        mask = mask == -torch.inf if given == "bool" else mask
    is_causal = given is not None
    edges = torch.zeros(2, 5, 5, dtype=torch.bool)
    edges[:, 3, 1] = True
    future = torch.ones(5, 5, dtype=torch.bool).triu(1) & is_causal
    with torch.no_grad():
        with block(model, edges, kind="decoder" if is_causal else "encoder"):
            found = model(x, mask=mask, is_causal=is_causal)
        assert torch.allclose(found, model(x, mask=edges[0] | future), atol=1e-6)
        assert not torch.allclose(found, model(x, mask=mask), atol=1e-4)


def test_blocking_that_cannot_be() -> None:
    bert, inputs = tiny("bert")
    with (
        pytest.raises(ValueError, match=r"for 1 sentences, 5 queries and 5 keys, but .* 12 keys"),
        block(bert, torch.eye(5, dtype=torch.bool)[None]),
    ):
        output_of(bert, inputs)
    edges = torch.eye(12, dtype=torch.bool)[None]
    with pytest.raises(RuntimeError, match="never attended"), block(bert, edges):
        pass
    with (
        pytest.raises(ValueError, match="cross layer 0 never attended"),
        block(bert, edges, kind="cross"),
    ):
        output_of(bert, inputs)
    with (
        pytest.raises(ValueError, match="no head 4"),
        block(bert, edges, heads=[("encoder", 0, 4)]),
    ):
        output_of(bert, inputs)
    encoder = encoder_stack(batch_first=True)
    with (
        pytest.raises(ValueError, match="left something to read"),
        block(encoder, torch.ones(1, 5, 5, dtype=torch.bool)),
    ):
        encoder(torch.randn(1, 5, 8))
