"""Attention as people write it: small modules, none of which says what it is.

Each attention keeps the weights that it used, by an own formula, for the tests to look at.
"""

import math
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS, TOKENS = 32, 4, 50
SIZE = WIDTH // HEADS


def parted(x: Tensor) -> Tensor:
    """Part the heads: (B, T, d) -> (B, h, T, d_k)."""
    return x.unflatten(-1, (-1, SIZE)).transpose(1, 2)


def joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(-2)


def softmaxed(query: Tensor, key: Tensor, *, is_causal: bool, bias: Tensor | None = None) -> Tensor:
    """Compute the weights in double precision: the truth of the tests."""
    scores = query.double() @ key.double().mT / math.sqrt(query.size(-1))
    scores = scores if bias is None else scores + bias.double()
    if is_causal:
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, -math.inf)
    return scores.softmax(-1)


class Flash(nn.Module):
    """nanoGPT's way where torch is new: one projection, `scaled_dot_product_attention`."""

    is_causal = True

    def __init__(self) -> None:
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.used: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = map(parted, self.c_attn(x).split(WIDTH, dim=2))
        self.used.append(softmaxed(q, k, is_causal=self.is_causal))
        return self.c_proj(joined(self.attend(q, k, v)))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=self.is_causal)


class Eager(Flash):
    """nanoGPT's way where torch is old: a softmax between two products, dropout on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bias", torch.ones(64, 64).tril()[None, None])
        self.attn_dropout = nn.Dropout(0.1)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        length = q.size(2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        hidden = cast("Tensor", self.bias)[:, :, :length, :length] == 0
        att = att.masked_fill(hidden, -math.inf)
        att = self.attn_dropout(F.softmax(att, dim=-1))
        return att @ v


class Einsum(Flash):
    """Products by einsum, the softmax a module."""

    is_causal = False

    def __init__(self) -> None:
        super().__init__()
        self.attend_softmax = nn.Softmax(dim=-1)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = torch.einsum("b h i d, b h j d -> b h i j", q * SIZE**-0.5, k)
        weights = self.attend_softmax(scores)
        return torch.einsum("bhij,bhjd->bihd", weights, v).transpose(1, 2)


class Stacked(Flash):
    """Heads among the sentences, as fairseq has them: (B h, T, d_k), torch.bmm and baddbmm."""

    is_causal = False

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        batch = q.size(0)
        q, k, v = (x.flatten(0, 1) for x in (q, k, v))
        empty = q.new_empty(q.size(0), q.size(1), k.size(1))
        scores = torch.baddbmm(empty, q, k.transpose(1, 2), beta=0, alpha=SIZE**-0.5)
        return torch.bmm(scores.softmax(dim=-1).to(v.dtype), v).unflatten(0, (batch, -1))


class Biased(Flash):
    """A slope for each head added to the scores, by a float mask."""

    is_causal = False

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = map(parted, self.c_attn(x).split(WIDTH, dim=2))
        at = torch.arange(x.size(1))
        bias = -(at[:, None] - at).abs() * torch.arange(1, HEADS + 1)[:, None, None] / HEADS
        self.used.append(softmaxed(q, k, is_causal=False, bias=bias))
        bias = bias.expand(x.size(0), -1, -1, -1).to(x)
        return self.c_proj(joined(F.scaled_dot_product_attention(q, k, v, attn_mask=bias)))


class Grouped(nn.Module):
    """Two key heads for four query heads."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.kv = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.c_proj = nn.Linear(WIDTH, WIDTH)
        self.used: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        q = parted(self.q(x))
        k, v = map(parted, self.kv(x).chunk(2, dim=-1))
        self.used.append(softmaxed(q, k.repeat_interleave(2, 1), is_causal=True))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.c_proj(joined(y))


class Attend(nn.Module):
    """Attention without parameters, apart from its projections, as x-transformers has it."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = torch.matmul(q, k.mT).div(SIZE**0.5)
        weights: Tensor = torch.softmax(scores, -1)
        return weights.matmul(v)


class Reading(nn.Module):
    """From one sequence to another, or to itself, the same class."""

    def __init__(self) -> None:
        super().__init__()
        self.to_q, self.to_kv = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2 * WIDTH)
        self.c_proj, self.attend = nn.Linear(WIDTH, WIDTH), Attend()
        self.used: list[Tensor] = []

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        q = parted(self.to_q(x))
        k, v = map(parted, self.to_kv(x if context is None else context).chunk(2, dim=-1))
        self.used.append(softmaxed(q, k, is_causal=False))
        return self.c_proj(joined(self.attend(q, k, v)))


class Block(nn.Module):
    """Attention, then a mixture of two experts, whose router has a softmax that is none."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.norm, self.attn = nn.LayerNorm(WIDTH), make()
        self.router = nn.Linear(WIDTH, 2)
        self.experts = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm(x))
        shares = F.softmax(self.router(x), dim=-1)  # (B, T, 2)
        made = torch.stack([expert(x) for expert in self.experts], dim=-2)  # (B, T, 2, d)
        return x + (shares[..., None, :] @ made)[..., 0, :]


class Writer(nn.Module):
    """A stack of blocks with a classifier on top, whose softmax is none; and pooling over time."""

    def __init__(self, make: Callable[[], nn.Module], blocks: int = 3) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(TOKENS, WIDTH), nn.Embedding(64, WIDTH)
        self.h = nn.ModuleList(Block(make) for _ in range(blocks))
        self.pool, self.lm_head = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, TOKENS)

    def forward(self, idx: Tensor) -> Tensor:
        x = self.wte(idx) + self.wpe(torch.arange(idx.size(1)))
        for block in self.h:
            x = block(x)
        pooled = (self.pool(x).softmax(dim=1).mT @ x).sum(1, keepdim=True)
        return F.softmax(self.lm_head(x + pooled), dim=-1)

    def used(self) -> list[Tensor]:
        """Give what its layers used in the last pass: (h, T, S) each."""
        return [self.attention(number).used[-1][0] for number in range(len(self.h))]

    def attention(self, number: int) -> Any:
        """Give the attention of a block, of whichever class."""
        return cast("Block", self.h[number]).attn


class Translator(nn.Module):
    """An encoder and a decoder of own modules; both sides may be as long."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(TOKENS, WIDTH)
        self.encoder = nn.ModuleList(Reading() for _ in range(2))
        self.decoder = nn.ModuleList(Eager() for _ in range(2))
        self.crossing = nn.ModuleList(Reading() for _ in range(2))

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        memory, x = self.embed(src), self.embed(tgt)
        for layer in self.encoder:
            memory = memory + layer(memory)
        for own, other in zip(self.decoder, self.crossing, strict=True):
            x = x + own(x)
            x = x + other(x, context=memory)
        return x


STYLES: dict[str, Callable[[], nn.Module]] = {
    "flash": Flash,
    "eager": Eager,
    "einsum": Einsum,
    "stacked": Stacked,
    "biased": Biased,
    "grouped": Grouped,
    "apart": Reading,
}


def model_of(style: str, **options: Any) -> Writer:
    torch.manual_seed(0)
    model = Writer(STYLES[style], **options).eval()
    with torch.no_grad():  # so that heads read sharply
        for parameter in model.parameters():
            parameter.mul_(3 if parameter.dim() > 1 else 1)
    return model


IDS = torch.randint(TOKENS, (1, 9), generator=torch.Generator().manual_seed(1))
