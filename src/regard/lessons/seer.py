"""A small Transformer that is asked about pictures, and its training."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regard.lessons.scenes import (
    COLOURS,
    PATCH,
    QUESTION_IDS,
    ROW,
    WORDS,
    draw_scenes,
)

SIZE = 64  # of the vector of a patch or a word
NUM_HEADS = 4
NUM_SCENES = 32  # of a step
WARM_UP = 100  # steps


class Attention(nn.Module):
    """What reads, x, attends to what is read, y."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.output = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)
        self.key, self.value = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)

    def forward(self, x: Tensor, y: Tensor, *, is_causal: bool = False) -> Tensor:
        """Give what x reads in y: (B, T, d) and (B, S, d) -> (B, T, d)."""
        parts = self.query(x), self.key(y), self.value(y)
        q, k, v = (part.unflatten(-1, (NUM_HEADS, -1)).transpose(1, 2) for part in parts)
        read = F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)  # (B, h, T, d_k)
        return self.output(read.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Attention within one sequence, to another one if there is one, and a feed-forward part."""

    def __init__(self, *, reads_another: bool) -> None:
        super().__init__()
        self.own, self.norm_own = Attention(), nn.LayerNorm(SIZE)
        self.other = Attention() if reads_another else None
        self.norm_other, self.norm = nn.LayerNorm(SIZE), nn.LayerNorm(SIZE)
        self.think = nn.Sequential(nn.Linear(SIZE, 2 * SIZE), nn.GELU(), nn.Linear(2 * SIZE, SIZE))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Add to each vector of x what it reads: patches see all of them, words those before."""
        normed = self.norm_own(x)
        x = x + self.own(normed, normed, is_causal=self.other is not None)
        if self.other is not None and y is not None:
            x = x + self.other(self.norm_other(x), y)
        return x + self.think(self.norm(x))


class Seer(nn.Module):
    """Patches read each other, then words read patches, and the last word gives a colour."""

    def __init__(self, encoder_layers: int = 2) -> None:
        super().__init__()
        self.patch = nn.Sequential(
            nn.Linear(3 * PATCH * PATCH, SIZE), nn.GELU(), nn.Linear(SIZE, SIZE)
        )
        self.row = nn.Parameter(torch.randn(ROW, 1, SIZE))
        self.column = nn.Parameter(torch.randn(1, ROW, SIZE))
        self.encoder = nn.ModuleList(Layer(reads_another=False) for _ in range(encoder_layers))
        self.norm_patches, self.norm = nn.LayerNorm(SIZE), nn.LayerNorm(SIZE)
        self.word = nn.Embedding(len(WORDS), SIZE)
        self.position = nn.Parameter(torch.randn(QUESTION_IDS.size(1), SIZE) / 10)
        self.decoder = Layer(reads_another=True)
        self.colour = nn.Linear(SIZE, len(COLOURS))

    def forward(self, pixels: Tensor, words: Tensor) -> Tensor:
        """Answer one question about each picture: scores of the colours, (B, colours)."""
        return self.answer(self.look(pixels), words)

    def look(self, pixels: Tensor) -> Tensor:
        """Give a vector for each patch: (B, 32, 32, 3) -> (B, 16, d)."""
        cut = ((pixels - 200.0) / 64).unflatten(2, (ROW, PATCH)).unflatten(1, (ROW, PATCH))
        patches = cut.transpose(2, 3).flatten(3).flatten(1, 2)  # (B, 16, 192)
        x = self.patch(patches) + (self.row + self.column).flatten(0, 1)
        for layer in self.encoder:
            x = layer(x)
        return self.norm_patches(x)

    def answer(self, patches: Tensor, words: Tensor) -> Tensor:
        """Let the words read the patches: (B, 16, d) and (B, 5) -> (B, colours)."""
        x = self.decoder(self.word(words) + self.position, patches)
        return self.colour(self.norm(x[:, -1]))


def train_seer(
    model: Seer, steps: int, *, seed: int, watch: Callable[[int], None] | None = None
) -> None:
    """Ask all questions of new scenes at each step; only their answers are told.

    `watch` is called with the number of steps before each of them.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, fused=True)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / WARM_UP, 2.5 * (1 - step / steps), 1)
    )
    for step in range(steps):
        if watch:
            watch(step)
        scenes = draw_scenes(NUM_SCENES, generator)
        patches = model.look(scenes.pixels).repeat_interleave(len(QUESTION_IDS), dim=0)
        scores = model.answer(patches, QUESTION_IDS.repeat(NUM_SCENES, 1))
        loss = F.cross_entropy(scores, scenes.answers.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
