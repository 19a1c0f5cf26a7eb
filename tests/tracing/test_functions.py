"""Attention seen in the calls of torch's functions, beside what each style says that it used."""

import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import regard
from regard.record.layers import ScoredLayer, WeighedLayer
from tests.attention_styles import (
    HEADS,
    IDS,
    SIZE,
    STYLES,
    TOKENS,
    WIDTH,
    Attend,
    Block,
    Eager,
    Flash,
    Reading,
    Translator,
    Writer,
    joined,
    model_of,
    parted,
    softmaxed,
)

KINDS = {"flash": "decoder", "eager": "decoder", "grouped": "decoder"}


def kind(style: str) -> str:
    return KINDS.get(style, "encoder")


@pytest.mark.parametrize("style", STYLES)
def test_each_style_is_exact(style: str) -> None:
    model = model_of(style)
    seen = regard.trace(IDS, model)
    assert seen.kinds == (kind(style),)
    for number, used in enumerate(model.used()):
        for head in range(HEADS):
            ours = torch.from_numpy(seen.weights(number, head))
            assert (ours - used[head]).abs().max() < 2e-6
    assert len(model.used()) == len(seen.layers[kind(style)]) == 3
    assert seen.how == "queries and keys"


@pytest.mark.parametrize("tokens", [1, 2, 64])
@pytest.mark.parametrize("style", STYLES)
def test_any_length(style: str, tokens: int) -> None:
    model = model_of(style)
    seen = regard.trace(IDS.repeat(1, 8)[:, :tokens], model)
    assert seen.kinds == (kind(style),) or tokens == 1
    (of_kind,) = seen.layers.values()
    for number, used in enumerate(model.used()):
        assert (of_kind[number].weigh() - used).abs().max() < 2e-6


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("batch", [1, 3])
def test_a_head_is_cut_as_a_hook_on_its_projection_cuts_it(style: str, batch: int) -> None:
    model, ids = model_of(style), IDS.expand(batch, -1)
    cut = slice(2 * SIZE, 3 * SIZE)

    def hook(_: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        written = args[0].clone()
        written[..., cut] = 0
        return (written,)

    with torch.no_grad():
        plain = model(ids)
        with model.attention(1).c_proj.register_forward_pre_hook(hook):
            expected = model(ids)
        with regard.ablate(model, [(kind(style), 1, 2)]):
            ours = model(ids)
        assert torch.equal(ours, expected)
        assert not torch.equal(ours, plain)
        assert torch.equal(model(ids), plain)


@pytest.mark.parametrize("style", STYLES)
def test_an_edge_is_blocked(style: str) -> None:
    model = model_of(style)
    forbidden = torch.zeros(1, 9, 9, dtype=torch.bool)
    forbidden[0, 6, 3] = True
    before = model.used() if model(IDS) is not None else []
    with torch.no_grad(), regard.block(model, forbidden, kind=kind(style)):
        seen = regard.trace(IDS, model)
        model(IDS)
    weights = torch.from_numpy(seen.weights(0, 1))
    expected = before[0][1].clone()
    expected[6, 3] = 0
    expected[6] /= expected[6].sum()
    assert (weights - expected).abs().max() < 2e-6


def test_the_same_is_blocked_in_both_ways_to_attend() -> None:
    eager, flash = model_of("eager"), model_of("flash")
    flash.load_state_dict(eager.state_dict(), strict=False)
    forbidden = torch.rand(1, 9, 9, generator=torch.Generator().manual_seed(0)) < 0.3
    forbidden[0, 4] = True  # all that it may read
    traces = []
    for model in (eager, flash):
        with regard.block(model, forbidden, kind="decoder"):
            traces.append(regard.trace(IDS, model))
    for number in range(3):
        one, other = (seen.layers["decoder"][number].weigh() for seen in traces)
        assert (one - other).abs().max() < 2e-6
        assert not one[:, forbidden[0]].any()


@pytest.mark.parametrize("style", ["flash", "eager"])
def test_reading_evenly(style: str) -> None:
    model = model_of(style, blocks=1)
    with torch.no_grad():
        x = cast("Block", model.h[0]).norm(model.wte(IDS) + model.wpe(torch.arange(9)))
        value = model.attention(0).c_attn(x).chunk(3, -1)[2]
        with (
            regard.ablate(model, [("decoder", 0, head) for head in range(HEADS)], "uniform"),
            model.attention(0).c_proj.register_forward_pre_hook(
                lambda _, args: written.append(args[0])
            ),
        ):
            written: list[Tensor] = []
            model(IDS)
    means = value.cumsum(1) / torch.arange(1, 10)[:, None]
    assert torch.allclose(written[0], means, atol=1e-5)


@pytest.mark.parametrize("lengths", [(7, 7), (7, 5)])
def test_one_class_for_both_ways_is_told_apart(lengths: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = Translator().eval()
    src, tgt = (torch.randint(TOKENS, (1, length)) for length in lengths)
    seen = regard.trace((src, tgt), model)
    assert {name: len(of) for name, of in seen.layers.items()} == {
        "encoder": 2,
        "decoder": 2,
        "cross": 2,
    }
    stacks = {"encoder": model.encoder, "decoder": model.decoder, "cross": model.crossing}
    for name, stack in stacks.items():
        for number, module in enumerate(stack):
            ours = seen.layers[name][number].weigh()
            assert (ours - cast("Reading", module).used[-1][0]).abs().max() < 2e-6


def test_a_layer_that_is_used_twice_is_two() -> None:
    class Recurrent(Writer):
        def forward(self, idx: Tensor) -> Tensor:
            x = self.wte(idx)
            return self.h[0](self.h[0](x))

    torch.manual_seed(0)
    model = Recurrent(Flash, blocks=1).eval()
    seen = regard.trace(IDS, model)
    first, second = model.attention(0).used[-2:]
    assert (seen.layers["decoder"][0].weigh() - first[0]).abs().max() < 2e-6
    assert (seen.layers["decoder"][1].weigh() - second[0]).abs().max() < 2e-6


class Alone(nn.Module):
    """Something with a softmax that is no attention."""

    def __init__(self, act: str) -> None:
        super().__init__()
        self.act, self.project = act, nn.Linear(8, 8)
        self.mixing = nn.Parameter(torch.randn(5, 5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(x)
        products: dict[str, Callable[[], Tensor]] = {
            "classifier": lambda: F.softmax(y, -1),
            "pooling": lambda: (y[..., :1].softmax(1) * x).sum(1),
            "mixing of its own": lambda: self.mixing.softmax(-1) @ x,
            "contrast": lambda: (y @ x.mT).softmax(-1),  # as CLIP's loss: nothing follows
            "over queries": lambda: (y @ x.mT).softmax(-2) @ x,
            "into a projection": lambda: (y @ x.mT).softmax(-1)[..., :5] @ self.mixing,
        }
        return products[self.act]()


@pytest.mark.parametrize(
    "act",
    ["classifier", "pooling", "mixing of its own", "contrast", "over queries", "into a projection"],
)
def test_what_is_no_attention(act: str) -> None:
    with pytest.raises(ValueError, match=r"No attention was seen in Alone: .*docs/own-models\.md"):
        regard.trace(torch.randn(1, 5, 8), Alone(act))


def test_weights_that_no_scale_explains_are_kept() -> None:
    class Sharpened(Eager):
        def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            self.used[-1] = (q @ k.mT * 2 + 0.1 * torch.arange(q.size(2))).softmax(-1)
            return (q @ k.mT * 2 + 0.1 * torch.arange(q.size(2))).softmax(-1) @ v

    model = Writer(Sharpened).eval()
    seen = regard.trace(IDS, model)
    layer = seen.layers["encoder"][1]
    assert isinstance(layer, WeighedLayer)
    assert (layer.weigh() - model.used()[1]).abs().max() < 1e-6
    assert "weights as the module gave them" in seen.how


class Changed(Eager):
    """Weights that are gated by each query, and mixed among the heads, before they meet values."""

    way = ""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.mix = nn.Linear(SIZE, 1), nn.Parameter(torch.randn(HEADS, HEADS))
        self.convolve = nn.Conv2d(HEADS, HEADS, 1)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = (q @ k.mT / SIZE**0.5).softmax(-1)
        ways: dict[str, Callable[[], Tensor]] = {
            "gated": lambda: weights * self.gate(q).sigmoid(),
            "mixed": lambda: torch.einsum("bhij,hg->bgij", weights, self.mix),
            "convolved": lambda: self.convolve(weights),
        }
        changed = ways[self.way]()
        self.used[-1] = changed
        return changed @ v


@pytest.mark.parametrize("way", ["gated", "mixed", "convolved"])
def test_weights_are_those_that_met_the_values(way: str) -> None:
    torch.manual_seed(0)
    model = Writer(type("Changed", (Changed,), {"way": way})).eval()
    seen = regard.trace(IDS, model)
    (layers,) = seen.layers.values()
    assert len(layers) == 3
    for number, used in enumerate(model.used()):
        assert (layers[number].weigh() - used).abs().max() < 1e-6
    with torch.no_grad():
        plain = model(IDS)
        with regard.ablate(model, [(seen.kinds[0], 1, 2)]):
            assert not torch.equal(model(IDS), plain)
        with (
            pytest.raises(ValueError, match="changes its weights after the softmax"),
            regard.block(model, torch.eye(9, dtype=torch.bool)[None], kind=seen.kinds[0]),
        ):
            model(IDS)


@pytest.mark.parametrize("style", ["flash", "stacked"])
def test_several_sentences_are_refused(style: str) -> None:
    with pytest.raises(ValueError, match=r"h\.0\.attn attends as .*Pass one sentence"):
        regard.trace(IDS.expand(2, -1), model_of(style))


def test_a_model_of_one_sentence_without_a_batch() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:  # (T, d)
            return (self.q(x) @ self.k(x).T / 8**0.5).softmax(-1) @ x

    torch.manual_seed(0)
    model, x = Bare(), torch.randn(5, 8)
    seen = regard.trace(x, model)
    with torch.no_grad():
        expected = (model.q(x) @ model.k(x).T / 8**0.5).softmax(-1)
    assert (torch.from_numpy(seen.weights(0, 0)) - expected).abs().max() < 1e-6


# what is left as it was


@pytest.fixture
def model() -> Iterator[Writer]:
    model = model_of("eager")
    before = deepcopy(model.state_dict())
    hooks = [dict(module._forward_hooks) for module in model.modules()]  # noqa: SLF001
    yield model
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert hooks == [dict(module._forward_hooks) for module in model.modules()]  # noqa: SLF001


def test_random_numbers_and_modes_are_left(model: Writer) -> None:
    model.train()
    state = torch.get_rng_state()
    regard.trace(IDS, model)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in model.modules())


def test_an_error_within_leaves_nothing(model: Writer) -> None:
    with pytest.raises(IndexError):
        regard.trace(IDS + TOKENS, model)
    with pytest.raises(IndexError), regard.ablate(model, [("decoder", 0, 0)]):
        model(IDS + TOKENS)
    assert torch.overrides._get_current_function_mode_stack() == []  # noqa: SLF001
    assert regard.trace(IDS, model).num_heads == HEADS


def test_another_mode_still_sees_all(model: Writer) -> None:
    class Counting(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
            self.count += func is F.softmax
            return func(*args, **(kwargs or {}))

    with torch.no_grad(), Counting() as alone:
        model(IDS)
    with Counting() as around:
        seen = regard.trace(IDS, model)
    assert around.count == alone.count > 0
    assert isinstance(seen.layers["decoder"][0], ScoredLayer)


def test_only_this_thread_is_changed(model: Writer) -> None:
    with torch.no_grad():
        plain = model(IDS)
        found: list[Tensor] = []

        def run() -> None:
            with torch.no_grad():
                found.append(model(IDS))

        with regard.ablate(model, [("decoder", 0, 0)]):
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            changed = model(IDS)
    assert torch.equal(found[0], plain)
    assert not torch.equal(changed, plain)


def test_a_trace_in_a_trace_sees_its_own_model() -> None:
    inner = model_of("flash", blocks=1)

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.attn = nn.Embedding(TOKENS, WIDTH), Reading()

        def forward(self, idx: Tensor) -> Tensor:
            self.inside = regard.trace(idx, inner)
            return self.attn(self.embed(idx))

    outer = Outer().eval()
    seen = regard.trace(IDS, outer)
    assert {name: len(of) for name, of in seen.layers.items()} == {"encoder": 1}
    assert {name: len(of) for name, of in outer.inside.layers.items()} == {"decoder": 1}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    model = model_of("flash").to(dtype)
    seen = regard.trace(IDS, model)
    used = model.attention(0).used[-1][0]
    assert (seen.layers["decoder"][0].weigh() - used).abs().max() < 1e-5


def test_under_inference_mode_and_autocast() -> None:
    model = model_of("flash")
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        seen = regard.trace(IDS, model)
    assert seen.layers["decoder"][2].weigh().sum(-1).allclose(torch.ones(HEADS, 9), atol=1e-3)


class ValuesFirst(Flash):
    """Values times transposed weights, as convolutions have it: (B, h, d, S) (B, h, S, T)."""

    is_causal = False
    way = ""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = (q @ k.mT / SIZE**0.5).softmax(-1)
        ways: dict[str, Callable[[], Tensor]] = {
            "transposed": lambda: (v.mT @ weights.transpose(-2, -1)).mT,
            "permuted": lambda: (v.mT @ weights.permute(0, 1, 3, 2).contiguous()).mT,
            "mT": lambda: torch.matmul(v.mT, weights.mT).mT,
            "einsum": lambda: torch.einsum("bhsd,bhts->bhtd", v, weights),
            "einsum, turned": lambda: torch.einsum("bhds,bhts->bhdt", v.mT, weights).mT,
            "einsum, turned twice": lambda: torch.einsum("bhst,bhsd->bhtd", weights.mT, v),
            "twice": lambda: weights.mT.mT @ v,
        }
        return ways[self.way]()


@pytest.mark.parametrize(
    "way",
    ["transposed", "permuted", "mT", "einsum", "einsum, turned", "einsum, turned twice", "twice"],
)
def test_values_may_come_first(way: str) -> None:
    torch.manual_seed(0)
    model = Writer(type("ValuesFirst", (ValuesFirst,), {"way": way})).eval()
    seen = regard.trace(IDS, model)
    assert seen.how == "queries and keys"
    for number, used in enumerate(model.used()):
        assert (seen.layers["encoder"][number].weigh() - used).abs().max() < 2e-6
    forbidden = torch.zeros(1, 9, 9, dtype=torch.bool)
    forbidden[0, 6, 3] = True
    flash = model_of("einsum")
    flash.load_state_dict(model.state_dict())
    with torch.no_grad():
        plain = model(IDS)
        for change in (
            partial(regard.ablate, heads=[("encoder", 1, 2)]),
            partial(regard.block, forbidden=forbidden),
        ):
            with change(model), change(flash):
                assert (model(IDS) - flash(IDS)).abs().max() < 1e-5
                assert not torch.equal(model(IDS), plain)


def test_weights_that_sum_over_queries_are_none() -> None:
    class OverQueries(Flash):
        def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return (q @ k.mT).softmax(-1).mT @ v

    with pytest.raises(ValueError, match="3 softmaxes of queries and keys met no values"):
        regard.trace(IDS, Writer(OverQueries))


class Scaled(nn.Module):
    """Attention apart from its projections, whose one parameter is a scale: as in PatchTST."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(SIZE**-0.5), requires_grad=False)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT * self.scale).softmax(-1) @ v


@pytest.mark.parametrize("lengths", [(9, 6), (9, 9)])
def test_a_module_of_a_scale_alone_is_not_what_attends(lengths: tuple[int, int]) -> None:
    model = Translator().eval()
    for module in filter(lambda one: isinstance(one, Reading), model.modules()):
        cast("Reading", module).attend = cast("Attend", Scaled())
    source, target = (IDS.repeat(1, 2)[:, :length] for length in lengths)
    seen = regard.trace((source, target), model)
    found = {kind.split("/")[-1]: list(of.values()) for kind, of in seen.layers.items()}
    assert {kind: len(layers) for kind, layers in found.items()} == {
        "encoder": 2, "decoder": 2, "cross": 2
    }  # fmt: skip
    used = [cast("Reading", layer).used[-1][0] for layer in model.encoder]
    for layer, truth in zip(found["encoder"], used, strict=True):
        assert (layer.weigh() - truth).abs().max() < 1e-6


def test_a_memory_that_is_still_empty() -> None:
    class Remembering(Flash):
        """Keys after those of a memory, (M, B, d), as Emformer has them."""

        is_causal = False

        def forward(self, x: Tensor) -> Tensor:
            memory = self.c_attn(x)[:, :0].transpose(0, 1)
            joint = torch.cat([memory, self.c_attn(x).transpose(0, 1)]).transpose(0, 1)
            q, k, v = (parted(part) for part in joint.split(WIDTH, dim=2))
            self.used.append(softmaxed(q, k, is_causal=False))
            return self.c_proj(joined(self.attend(q, k, v)))

    model = Writer(Remembering).eval()
    seen = regard.trace(IDS, model)
    for number, used in enumerate(model.used()):
        assert (seen.layers["encoder"][number].weigh() - used).abs().max() < 1e-6


def test_a_batch_that_a_model_takes_as_one() -> None:
    class OfBatch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model_of("flash")

        def forward(self, batch: dict[str, Tensor | None]) -> Tensor:
            assert batch["more"] is None
            out: Tensor = self.inner(batch["ids"])
            return out

    model = OfBatch().eval()
    seen = regard.trace({"batch": {"ids": IDS, "more": None}}, model)
    for number, used in enumerate(model.inner.used()):
        assert (seen.layers["decoder"][number].weigh() - used).abs().max() < 2e-6
    for batch in ({"ids": IDS, "more": "text"}, {"more": None}, {}):
        with pytest.raises(TypeError, match="tensors by name; but got"):
            regard.trace({"batch": batch}, model)
