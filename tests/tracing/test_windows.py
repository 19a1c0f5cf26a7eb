"""Attention in windows, beside a loop over the windows; heads must not be taken for them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import regard
from regard.record.windows import WindowedLayer
from tests.attention_styles import HEADS, SIZE, WIDTH, softmaxed

W, N = 3, 5  # windows and tokens in each
PICTURE = torch.randn(1, W * N, WIDTH, generator=torch.Generator().manual_seed(2))


class InWindows(nn.Module):
    """Attends in windows of one picture, and keeps the weights of each by an own formula."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.bias = nn.Parameter(torch.randn(HEADS, N, N))

    def forward(self, x: Tensor) -> Tensor:  # (B, W n, d)
        return self.proj(WAYS[self.way](self, self.qkv(x)))

    def used(self, x: Tensor) -> Tensor:
        """Compute the weights window by window: (h, W n, W n)."""
        with torch.no_grad():
            q, k, _ = self.qkv(x)[0].chunk(3, -1)  # (W n, d)
        bias = self.bias if self.way in BIASED else None
        windows = [
            softmaxed(
                *(y[at : at + N].unflatten(-1, (HEADS, SIZE)).transpose(0, 1) for y in (q, k)),
                is_causal=False,
                bias=bias,
            )
            for at in range(0, W * N, N)
        ]
        blocks = [torch.block_diag(*(window[head] for window in windows)) for head in range(HEADS)]
        return torch.stack(blocks)


def swin(self: InWindows, qkv: Tensor) -> Tensor:
    """Windows among the sentences, a bias for each head: (B W, h, n, d)."""
    q, k, v = qkv.reshape(-1, N, 3, HEADS, SIZE).permute(2, 0, 3, 1, 4).unbind(0)
    weights = (q * SIZE**-0.5 @ k.mT + self.bias).softmax(-1)
    return (weights @ v).transpose(1, 2).reshape(len(qkv), W * N, WIDTH)


def fused(self: InWindows, qkv: Tensor) -> Tensor:
    q, k, v = qkv.reshape(-1, N, 3, HEADS, SIZE).permute(2, 0, 3, 1, 4).unbind(0)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias[None])
    return y.transpose(1, 2).reshape(len(qkv), W * N, WIDTH)


def maxvit(self: InWindows, qkv: Tensor) -> Tensor:
    """Windows a side of their own: (B, W, h, n, d)."""
    q, k, v = (x.reshape(-1, W, N, HEADS, SIZE).permute(0, 1, 3, 2, 4) for x in qkv.chunk(3, -1))
    weights = (torch.einsum("bwhid,bwhjd->bwhij", q * SIZE**-0.5, k) + self.bias).softmax(-1)
    y = torch.einsum("bwhij,bwhjd->bwhid", weights, v)
    return y.permute(0, 1, 3, 2, 4).reshape(len(qkv), W * N, WIDTH)


def nest(_: InWindows, qkv: Tensor) -> Tensor:
    """Heads before windows: (B, h, W, n, d)."""
    q, k, v = qkv.reshape(-1, W, N, 3, HEADS, SIZE).permute(3, 0, 4, 1, 2, 5).unbind(0)
    y = F.scaled_dot_product_attention(q, k, v)
    return y.permute(0, 2, 3, 1, 4).reshape(len(qkv), W * N, WIDTH)


def local(_: InWindows, qkv: Tensor) -> Tensor:
    """Heads among the sentences, windows beside them: (B h, W, n, d)."""
    q, k, v = (x.unflatten(-1, (HEADS, SIZE)).transpose(1, 2) for x in qkv.chunk(3, -1))
    q, k, v = (x.flatten(0, 1).unflatten(1, (W, N)) for x in (q, k, v))
    y = (q @ k.mT * SIZE**-0.5).softmax(-1) @ v
    return y.flatten(1, 2).unflatten(0, (-1, HEADS)).transpose(1, 2).flatten(-2)


def sam(self: InWindows, qkv: Tensor) -> Tensor:
    """Heads and windows in one side: (B W h, n, d)."""
    parts = qkv.reshape(-1, N, 3, HEADS, SIZE).permute(2, 0, 3, 1, 4)
    q, k, v = parts.reshape(3, -1, N, SIZE).unbind(0)
    bias = self.bias.repeat(q.size(0) // HEADS, 1, 1)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    return y.unflatten(0, (-1, HEADS)).transpose(1, 2).reshape(len(qkv), W * N, WIDTH)


def turned(_: InWindows, qkv: Tensor) -> Tensor:
    """Queries that are put together anew, as rotary positions do; values tell the sides."""
    q, k, v = qkv.reshape(-1, N, 3, HEADS, SIZE).permute(2, 0, 3, 1, 4).unbind(0)
    q, k = (torch.cat([-x[..., SIZE // 2 :], x[..., : SIZE // 2]], -1) for x in (q, k))
    y = F.scaled_dot_product_attention(q.contiguous(), k.contiguous(), v)
    return y.transpose(1, 2).reshape(len(qkv), W * N, WIDTH)


def folded(self: InWindows, qkv: Tensor) -> Tensor:
    """Scores in other sides meanwhile, as positions of rows and columns are added."""
    q, k, v = qkv.reshape(-1, N, 3, HEADS, SIZE).permute(2, 0, 3, 1, 4).unbind(0)
    scores = (q @ k.mT * SIZE**-0.5).view(-1, HEADS, N, N, 1) + self.bias[..., None]
    y = scores.view(-1, HEADS, N, N).softmax(-1) @ v
    return y.transpose(1, 2).reshape(len(qkv), W * N, WIDTH)


def convolved(_: InWindows, qkv: Tensor) -> Tensor:
    """Channels before tokens, as a convolution writes them; heads and windows in one side."""
    qkv = F.conv1d(qkv.reshape(-1, N, 3 * WIDTH).mT, torch.eye(3 * WIDTH)[..., None])
    q, k, v = (
        F.conv1d(x, torch.eye(WIDTH)[..., None]).reshape(-1, SIZE, N).mT for x in qkv.chunk(3, 1)
    )
    y = (q @ k.mT * SIZE**-0.5).softmax(-1) @ v
    return y.unflatten(0, (-1, HEADS)).transpose(1, 2).reshape(-1, W * N, WIDTH)


WAYS: dict[str, Callable[[InWindows, Tensor], Tensor]] = {
    function.__name__: function
    for function in (swin, fused, maxvit, nest, local, sam, turned, folded, convolved)
}
BIASED = {"swin", "fused", "maxvit", "sam", "folded"}


def model_of(way: str) -> InWindows:
    torch.manual_seed(0)
    return InWindows(way).eval()


@pytest.mark.parametrize("way", WAYS)
def test_each_window_is_a_block(way: str) -> None:
    model = model_of(way)
    seen = regard.trace(PICTURE, model)
    (layer,) = seen.layers["encoder"].values()
    assert isinstance(layer, WindowedLayer)
    assert layer.shape == (HEADS, W * N, W * N)
    assert (layer.weigh() - model.used(PICTURE)).abs().max() < 1e-6
    is_weighed = way in {"swin", "maxvit", "folded"}
    assert seen.how.startswith("weights as the module gave" if is_weighed else "queries and keys")


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_a_head_is_cut_in_all_windows(way: str, batch: int) -> None:
    model = model_of(way)
    pictures = torch.cat([PICTURE, PICTURE.flip(1)])[:batch]

    def hook(_: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        written = args[0].clone()
        written[..., 2 * SIZE : 3 * SIZE] = 0
        return (written,)

    if (way, batch) == ("local", 2):  # heads and sentences in one side, cut anew
        with (
            pytest.raises(ValueError, match="its heads cannot be told apart"),
            regard.ablate(model, [("encoder", 0, 2)]),
        ):
            model(pictures)
        return
    with torch.no_grad():
        plain = model(pictures)
        with model.proj.register_forward_pre_hook(hook):
            expected = model(pictures)
        with regard.ablate(model, [("encoder", 0, 2)]):
            ours = model(pictures)
    assert torch.equal(ours, expected)
    assert not torch.equal(ours, plain)


@pytest.mark.parametrize("way", WAYS)
def test_a_head_reads_evenly_in_its_window(way: str) -> None:
    model = model_of(way)
    found: list[Tensor] = []
    with torch.no_grad():
        value = model.qkv(PICTURE)[0, :, 2 * WIDTH :].unflatten(0, (W, N))
        mean = value.mean(1, keepdim=True).expand(-1, N, -1).flatten(0, 1)  # (W n, d)
        handle = model.proj.register_forward_pre_hook(lambda _, args: found.append(args[0]))
        with handle, regard.ablate(model, [("encoder", 0, 1)], "uniform"):
            model(PICTURE)
    assert (found[0][0] - mean)[:, SIZE : 2 * SIZE].abs().max() < 1e-6


@pytest.mark.parametrize("way", WAYS)
def test_edges_among_all_tokens_are_refused(way: str) -> None:
    edges = torch.zeros(1, W * N, W * N, dtype=torch.bool)
    model = model_of(way)
    with (
        pytest.raises(ValueError, match="attends in 3 windows"),
        regard.block(model, edges),
    ):
        model(PICTURE)


@pytest.mark.parametrize("way", WAYS)
def test_several_pictures_are_refused(way: str) -> None:
    with pytest.raises(ValueError, match="in several sentences at once"):
        regard.trace(PICTURE.expand(2, -1, -1), model_of(way))


def test_sentences_behind_another_argument_are_no_windows() -> None:
    class Towers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.attn = nn.Embedding(9, WIDTH), model_of("swin")

        def forward(self, picture: Tensor, ids: Tensor) -> Tensor:
            return picture.sum() + self.attn(self.embed(ids).flatten(0, 1)[None])

    with pytest.raises(ValueError, match="several sentences at once"):
        regard.trace((PICTURE, torch.zeros(W, N, dtype=torch.long)), Towers())


class Stirred(nn.Module):
    """Heads that are made of no projection, in windows: nothing tells them apart."""

    def __init__(self, lead: tuple[int, ...]) -> None:
        super().__init__()
        self.lead, self.scale = lead, nn.Parameter(torch.ones(SIZE))

    def forward(self, x: Tensor) -> Tensor:
        y = x.reshape(*self.lead, -1, SIZE) * self.scale
        return F.scaled_dot_product_attention(y, y, y)


@pytest.mark.parametrize("lead", [(4, 3), (1, 4, 3)])
def test_what_cannot_be_told_apart_is_refused(lead: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="its heads cannot be told apart"):
        regard.trace(PICTURE, Stirred(lead))


def test_windows_that_the_module_is_given_are_told() -> None:
    class Given(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn = Stirring()

        def forward(self, x: Tensor) -> Any:
            return self.attn(x.unflatten(1, (W, N)).flatten(0, 1))

    class Stirring(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(SIZE))

        def forward(self, x: Tensor) -> Tensor:  # (W, n, d)
            y = x.unflatten(-1, (HEADS, SIZE)).transpose(1, 2) * self.scale
            return F.scaled_dot_product_attention(y, y, y)

    layer = regard.trace(PICTURE, Given()).layers["encoder"][0]
    assert layer.shape == (HEADS, W * N, W * N)


def test_grouped_queries_with_a_side_of_their_own_are_heads() -> None:
    class Grouped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.kv = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

        def forward(self, x: Tensor) -> Tensor:
            q = self.q(x).unflatten(-1, (2, 2, SIZE)).permute(0, 2, 3, 1, 4)  # (B, g, r, T, d)
            k, v = (y.unflatten(-1, (2, 1, SIZE)).permute(0, 2, 3, 1, 4)
                    for y in self.kv(x).chunk(2, -1))  # fmt: skip
            return (q @ k.mT).div(SIZE**0.5).softmax(-1) @ v

    model = Grouped()
    layer = regard.trace(PICTURE, model).layers["encoder"][0]
    with torch.no_grad():
        q = model.q(PICTURE)[0].unflatten(-1, (4, SIZE)).transpose(0, 1)
        k = model.kv(PICTURE)[0, :, : WIDTH // 2].unflatten(-1, (2, SIZE)).transpose(0, 1)
    expected = softmaxed(q, k.repeat_interleave(2, 0), is_causal=False)
    assert (layer.weigh() - expected).abs().max() < 1e-6


class Nested(nn.Module):
    """Attends in nested tensors, of sentences of these lengths."""

    def __init__(self, lengths: list[int], layout: torch.layout) -> None:
        super().__init__()
        self.lengths, self.layout = lengths, layout
        self.projections = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        parts = list(x[0].split(self.lengths))
        states = torch.nested.as_nested_tensor(parts, layout=self.layout)
        q, k, v = (
            project(states).view(len(parts), -1, HEADS, SIZE).transpose(1, 2).contiguous()
            if self.layout == torch.strided
            else project(states).unflatten(-1, (HEADS, SIZE)).transpose(1, 2)
            for project in self.projections
        )
        return F.scaled_dot_product_attention(q, k, v)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
def test_nested_tensors(layout: torch.layout) -> None:
    model = Nested([W * N], layout)
    seen = regard.trace(PICTURE, model)
    with torch.no_grad():
        query, key = (
            model.projections[at](PICTURE)[0].unflatten(-1, (HEADS, SIZE)).transpose(0, 1)
            for at in range(2)
        )
    layer = seen.layers["encoder"][0]
    assert (layer.weigh() - softmaxed(query, key, is_causal=False)).abs().max() < 1e-6
    with pytest.raises(ValueError, match="in 2 sentences at once, as nested tensors"):
        regard.trace(PICTURE, Nested([5, 10], layout))
    with (
        pytest.raises(ValueError, match="heads cannot be changed"),
        regard.ablate(model, [("encoder", 0, 1)]),
    ):
        model(PICTURE)
