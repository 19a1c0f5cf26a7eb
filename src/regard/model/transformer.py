"""The encoder-decoder of the paper, written to be read from the equation to the whole.

Vaswani et al. (2017), section 3, with the layer norm before each sub-layer instead of after it
("pre-norm", Xiong et al. 2020, *On layer normalization in the Transformer architecture*).
B sentences, S source tokens, T target tokens, h heads, d_k = d_model / h.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from regard.model.attention import Attention, multi_head_attention
from regard.model.door import check_types
from regard.model.lexicon import END, PAD, START
from regard.model.masks import Masks, create_masks


class Heads(nn.Module):
    """`multi_head_attention` as a module, so that a forward hook can watch what the heads see.

    `kind` says whose attention it is: "encoder", "decoder" or "cross".
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, num_heads: int, mask: Tensor | None = None
    ) -> Attention:
        """Attend: (B, T, d_model) from (B, S, d_model), with the weights (B, h, T, S)."""
        return multi_head_attention(query, key, value, num_heads, mask)


class MultiHeadAttention(nn.Module):
    """MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W^O (section 3.2.2)."""

    def __init__(self, d_model: int, nhead: int, kind: str) -> None:
        super().__init__()
        self.nhead = nhead
        self.query = nn.Linear(d_model, d_model)  # W_1^Q ... W_h^Q side by side
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.output = nn.Linear(d_model, d_model)  # W^O
        self.heads = Heads(kind)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> Attention:
        """Project, attend, project: (B, T, d_model) from (B, S, d_model), with the weights."""
        q, k, v = self.query(query), self.key(key), self.value(value)  # (B, T or S, d_model)
        concatenated, weights = self.heads(q, k, v, self.nhead, mask)
        return Attention(self.output(concatenated), weights)


class FeedForward(nn.Sequential):
    """FFN(x) = max(0, x W_1 + b_1) W_2 + b_2, at each position alike (section 3.3)."""

    def __init__(self, d_model: int, dim_feedforward: int) -> None:
        super().__init__(
            nn.Linear(d_model, dim_feedforward), nn.ReLU(), nn.Linear(dim_feedforward, d_model)
        )


class EncoderLayer(nn.Module):
    """Every source token reads the source, then thinks: x + Sublayer(norm(x)), twice."""

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int, dropout: float) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, nhead, "encoder")
        self.feed_forward = FeedForward(d_model, dim_feedforward)
        self.self_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Give the new x (B, S, d_model)."""
        y = self.self_attention_norm(x)
        x = x + self.dropout(self.self_attention(y, y, y, mask).output)
        thought: Tensor = self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return x + thought


class DecoderLayer(nn.Module):
    """Every target token reads the target so far, then the source, then thinks."""

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int, dropout: float) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, nhead, "decoder")
        self.cross_attention = MultiHeadAttention(d_model, nhead, "cross")
        self.feed_forward = FeedForward(d_model, dim_feedforward)
        self.self_attention_norm = nn.LayerNorm(d_model)
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, memory: Tensor, target_mask: Tensor, source_mask: Tensor
    ) -> Attention:
        """Give the new x (B, T, d_model) and the cross-attention weights (B, h, T, S)."""
        y = self.self_attention_norm(x)
        x = x + self.dropout(self.self_attention(y, y, y, target_mask).output)
        y = self.cross_attention_norm(x)
        read, weights = self.cross_attention(y, memory, memory, source_mask)
        x = x + self.dropout(read)
        x = x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return Attention(x, weights)


def positional_encoding(length: int, d_model: int) -> Tensor:
    """Sines and cosines of wavelengths 2 pi to 10000 * 2 pi: (length, d_model) (section 3.5)."""
    position = torch.arange(length)[:, None]
    frequency = 10000 ** (-torch.arange(0, d_model, 2) / d_model)
    encoding = torch.zeros(length, d_model)
    encoding[:, 0::2] = torch.sin(position * frequency)
    encoding[:, 1::2] = torch.cos(position * frequency[: d_model // 2])
    return encoding


class Embedding(nn.Module):
    """Token ids (B, T) -> vectors (B, T, d_model): what a token is plus where it stands."""

    def __init__(self, vocab_size: int, d_model: int, max_length: int, dropout: float) -> None:
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position: Tensor
        self.register_buffer("position", positional_encoding(max_length, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor) -> Tensor:
        """Check and embed token ids."""
        check_ids(ids, self.token.num_embeddings, max_length=self.position.size(0))
        vectors = self.token(ids) * math.sqrt(self.token.embedding_dim)  # section 3.4
        embedded: Tensor = self.dropout(vectors + self.position[: ids.size(1)])
        return embedded


def check_ids(ids: Tensor, vocab_size: int, max_length: int) -> None:
    """Raise where token ids are no batch, too long, or not in the vocabulary."""
    if ids.dim() != 2 or ids.size(1) == 0:
        raise ValueError(
            f"A batch of token ids is (sentences, tokens), but got {tuple(ids.shape)}."
        )
    if ids.size(1) > max_length:
        raise ValueError(
            f"A sentence of {ids.size(1)} tokens is too long for this model, which takes "
            f"{max_length}: shorten it, or build the model with a larger max_length."
        )
    smallest, largest = (int(bound) for bound in ids.aminmax())
    if smallest < 0 or largest >= vocab_size:
        raise ValueError(
            f"Token ids must lie in 0 to {vocab_size - 1}, but got {smallest} to {largest}: "
            "use the tokenizer, and the vocab_size, that the model was built with."
        )


class Translation(NamedTuple):
    """What the decoder would say next at each target position, and where it looked for it."""

    logits: Tensor  # (B, T, vocab_size)
    cross_weights: Tensor  # (num_layers, B, h, T, S)


class Transformer(nn.Module):
    """The encoder-decoder: `model(src, tgt)` gives logits (B, T, vocab_size).

    Source, target and output share one embedding (section 3.4). `masks(src, tgt)` decides who may
    read whom. See `build_transformer_model` for the sizes.
    """

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        nhead: int,
        num_layers: int,
        dim_feedforward: int,
        *,
        dropout: float,
        max_length: int,
        masks: Callable[[Tensor, Tensor], Masks],
    ) -> None:
        super().__init__()
        sizes = (d_model, nhead, dim_feedforward, dropout)
        self.embedding = Embedding(vocab_size, d_model, max_length, dropout)
        self.encoder = nn.ModuleList(EncoderLayer(*sizes) for _ in range(num_layers))
        self.decoder = nn.ModuleList(DecoderLayer(*sizes) for _ in range(num_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder_norm = nn.LayerNorm(d_model)
        self.masks = masks
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        nn.init.normal_(self.embedding.token.weight, std=d_model**-0.5)

    def encode(self, src: Tensor, source_mask: Tensor) -> Tensor:
        """Read the source: ids (B, S), mask broadcastable to (B, h, S, S) -> (B, S, d_model)."""
        x: Tensor = self.embedding(src)
        for layer in self.encoder:
            x = layer(x, source_mask)
        memory: Tensor = self.encoder_norm(x)
        return memory

    def decode(self, tgt: Tensor, memory: Tensor, masks: Masks) -> Translation:
        """Write the target, given the source that was read (`memory`, (B, S, d_model))."""
        x = self.embedding(tgt)
        cross_weights = []
        for layer in self.decoder:
            x, weights = layer(x, memory, masks.target, masks.source)
            cross_weights.append(weights)
        logits = self.decoder_norm(x) @ self.embedding.token.weight.T
        return Translation(logits, torch.stack(cross_weights))

    def translate(self, src: Tensor, tgt: Tensor) -> Translation:
        """Give the logits and the cross-attention weights of a batch, teacher-forced."""
        masks = self.masks(src, tgt)
        return self.decode(tgt, self.encode(src, masks.source), masks)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        """Give the logits (B, T, vocab_size) of a batch, teacher-forced."""
        return self.translate(src, tgt).logits

    @torch.no_grad()
    def generate(self, src: Tensor, *, max_length: int | None = None) -> Tensor:
        """Write each target greedily, word by word: ids (B, S) -> ids (B, T), <s> first.

        A finished sentence is padded. One that does not finish is cut at `max_length` tokens; where
        none is given, at ten more than twice as many as the source has, or what the model takes.
        """
        lengths = (src != PAD).sum(dim=1, keepdim=True)  # (B, 1), so that padding changes nothing
        limit = 2 * lengths + 10 if max_length is None else torch.full_like(lengths, max_length)
        limit = limit.clamp(max=self.embedding.position.size(0))
        tgt = torch.full((src.size(0), 1), START, device=src.device)
        finished = limit <= 1
        memory = self.encode(src, self.masks(src, tgt).source)
        while not finished.all():
            logits = self.decode(tgt, memory, self.masks(src, tgt)).logits
            word = logits[:, -1:].argmax(-1).masked_fill(finished, PAD)
            tgt = torch.cat([tgt, word], dim=1)
            finished = finished | (word == END) | (tgt.size(1) >= limit)
        return tgt


def build_transformer_model(
    vocab_size: int,
    d_model: int,
    nhead: int,
    num_layers: int,
    dim_feedforward: int,
    *,
    dropout: float = 0.1,
    max_length: int = 256,
    masks: Callable[[Tensor, Tensor], Masks] = create_masks,
) -> Transformer:
    """Build the paper's encoder-decoder Transformer, freshly initialised.

    Parameters
    ----------
    vocab_size
        Words of the joint vocabulary of both languages, special tokens included.
    d_model
        Features of each token's vector; `nhead` divides it.
    nhead
        h, the heads of each attention.
    num_layers
        Layers of the encoder, and as many of the decoder.
    dim_feedforward
        Features inside the feed-forward networks, d_ff in the paper.
    dropout
        The share of each sub-layer's output that is dropped in training (section 5.4).
    max_length
        The longest sentence in tokens.
    masks
        Gives the masks of a batch `(src, tgt)`.

    Returns
    -------
    Transformer
        An `nn.Module`, called as `model(src, tgt)` with token ids (B, S) and (B, T), giving logits
        (B, T, vocab_size).

    Raises
    ------
    ValueError
        If a size is not positive, or `nhead` does not divide `d_model`.

    Notes
    -----
    Vaswani et al. (2017), section 3; the base model there has d_model 512, 8 heads, 6 layers and
    d_ff 2048.

    Examples
    --------
    >>> model = build_transformer_model(
    ...     vocab_size=50, d_model=16, nhead=2, num_layers=1, dim_feedforward=32
    ... )
    >>> src, tgt = torch.tensor([[4, 5, 6, 2]]), torch.tensor([[1, 7, 8]])
    >>> model(src, tgt).shape
    torch.Size([1, 3, 50])
    """
    check_types(build_transformer_model, locals())
    sizes = {
        "vocab_size": vocab_size,
        "d_model": d_model,
        "nhead": nhead,
        "num_layers": num_layers,
        "dim_feedforward": dim_feedforward,
        "max_length": max_length,
    }
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, but is {size}.")
    if d_model % nhead:
        divisors = [h for h in range(1, d_model + 1) if d_model % h == 0]
        raise ValueError(
            f"nhead must divide d_model, but {d_model} / {nhead} is not whole: "
            f"choose nhead from {divisors}."
        )
    return Transformer(
        vocab_size,
        d_model,
        nhead,
        num_layers,
        dim_feedforward,
        dropout=dropout,
        max_length=max_length,
        masks=masks,
    )
