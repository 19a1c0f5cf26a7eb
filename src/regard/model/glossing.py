"""An encoder alone, which says under each source word what it means here: its gloss."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regard.model.lexicon import PAD
from regard.model.pairs import pronoun_edges
from regard.model.training import Batch, make_dataloader
from regard.model.transformer import Embedding, EncoderLayer
from regard.model.translation import Accuracy


class GlossingEncoder(nn.Module):
    """`model(src)`, ids (B, S), gives logits (B, S, vocab_size) of each word's gloss.

    `heads` gives the number of heads of each layer, from the first to the last. With a single head
    in the last layer, whatever a word still has to read of others there, that head must read.
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        d_model: int = 64,
        heads: Sequence[int] = (4, 4, 1),
        dim_feedforward: int = 128,
        dropout: float = 0.1,
        max_length: int = 256,
    ) -> None:
        super().__init__()
        self.embedding = Embedding(vocab_size, d_model, max_length, dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(d_model, nhead, dim_feedforward, dropout) for nhead in heads
        )
        self.norm = nn.LayerNorm(d_model)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        nn.init.normal_(self.embedding.token.weight, std=d_model**-0.5)

    def forward(self, src: Tensor) -> Tensor:
        """Gloss a batch: ids (B, S) -> logits (B, S, vocab_size)."""
        x = self.embedding(src)
        for layer in self.layers:
            x = layer(x, (src != PAD)[:, None, None, :])
        return self.norm(x) @ self.embedding.token.weight.T


def gloss_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of the gloss under each source word; attention is not supervised."""
    logits = model(batch.source)
    return F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), ignore_index=PAD)


@torch.no_grad()
def gloss(model: nn.Module, src: Tensor) -> Tensor:
    """Give the likeliest gloss of each word: ids (B, S) -> ids (B, S)."""
    glosses: Tensor = model.eval()(src).argmax(dim=-1)
    return glosses


def gloss_accuracy(model: nn.Module, sentences: pd.DataFrame) -> Accuracy:
    """Gloss sentences of `generate_meaning_data`, and count those that are right.

    Returns
    -------
    Accuracy
        `exact`, the share of sentences without an error, and `pronoun`, of those whose *it* is
        glossed by the class of its noun.

    Examples
    --------
    >>> from regard.model.meaning import generate_meaning_data, meaning_vocabulary
    >>> model = GlossingEncoder(len(meaning_vocabulary()), d_model=8, heads=(1,))
    >>> gloss_accuracy(model, generate_meaning_data(3)).exact
    0.0
    """
    (batch,) = make_dataloader(sentences, len(sentences), shuffle=False)
    device = next(model.parameters()).device
    right = gloss(model, batch.source.to(device)).cpu() == batch.labels
    edges = [pronoun_edges(relations)["its antecedent"] for relations in sentences["relations"]]
    pronoun = [right[i, it].item() for i, (it, _antecedent) in enumerate(edges)]
    exact = (right | (batch.labels == PAD)).all(dim=1)
    return Accuracy(exact.double().mean().item(), sum(pronoun) / len(pronoun))
