"""Training steps per second, beside torch.nn.Transformer with the same sizes, data and optimiser.

One thread, CPU time: other programs on the machine hardly count. The models take turns step by step
for step, and the ratio is the median over the rounds. `python -m benchmarks.training`, a minute.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from regard.model.lexicon import vocabulary
from regard.model.pairs import generate_synthetic_data
from regard.model.training import Batch, make_dataloader, translation_loss
from regard.model.transformer import Embedding, Transformer, build_transformer_model

VOCAB_SIZE = 300
# as in the notebook
D_MODEL = 64
NHEAD = 4
NUM_LAYERS = 2
DIM_FEEDFORWARD = 128
DROPOUT = 0.1
MAX_LENGTH = 256
ROUNDS = 15
LENGTHS = (16, 32, 64, 128, 256)  # at BATCH_SIZE_OF_LENGTHS
BATCH_SIZE_OF_LENGTHS = 16
BATCH_SIZES = (4, 16, 64, 256)  # at LENGTH_OF_BATCH_SIZES
LENGTH_OF_BATCH_SIZES = 16


class TorchTransformer(nn.Module):
    """torch.nn.Transformer between the embedding and the output that our model has."""

    def __init__(self, *, same_dropout: bool = False) -> None:
        super().__init__()
        self.embedding = Embedding(VOCAB_SIZE, D_MODEL, MAX_LENGTH, DROPOUT)
        self.transformer = nn.Transformer(
            d_model=D_MODEL,
            nhead=NHEAD,
            dim_feedforward=DIM_FEEDFORWARD,
            num_encoder_layers=NUM_LAYERS,
            num_decoder_layers=NUM_LAYERS,
            dropout=DROPOUT,
            batch_first=True,
            norm_first=True,
        )
        if same_dropout:
            drop_like_ours(self.transformer)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        """Give logits (B, T, vocab_size) from token ids (B, S) and (B, T)."""
        length = tgt.size(1)
        written: Tensor = self.transformer(
            self.embedding(src),
            self.embedding(tgt),
            tgt_mask=torch.ones(length, length, dtype=torch.bool).triu(1),  # True = blocked
            src_key_padding_mask=src == 0,
            tgt_key_padding_mask=tgt == 0,
            memory_key_padding_mask=src == 0,
        )
        return written @ self.embedding.token.weight.T


def drop_like_ours(transformer: nn.Transformer) -> None:
    """Drop what a sub-layer gives, as the paper does; not attention weights and hidden units."""
    for module in transformer.modules():
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
        elif isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
            module.dropout.p = 0.0


def build_ours() -> Transformer:
    """Build our model with the sizes of the notebook."""
    return build_transformer_model(
        VOCAB_SIZE,
        D_MODEL,
        NHEAD,
        NUM_LAYERS,
        DIM_FEEDFORWARD,
        dropout=DROPOUT,
        max_length=MAX_LENGTH,
    )


def make_stepper(model: nn.Module) -> Callable[[Batch], None]:
    """Give a function that trains the model on one batch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model.train()

    def step(batch: Batch) -> None:
        optimizer.zero_grad()
        loss = translation_loss(model, batch)  # type: ignore[arg-type]  # all it does is call it
        loss.backward()
        optimizer.step()

    return step


def seconds_per_step(models: Sequence[nn.Module], batches: Sequence[Batch]) -> list[list[float]]:
    """Time the models by turns; one list of rounds for each model."""
    steppers = [make_stepper(model) for model in models]
    for step in steppers:
        step(batches[0])  # warm up
    rounds: list[list[float]] = [[] for _ in models]
    for turn in range(ROUNDS):
        for i in range(len(models)):
            which = (turn + i) % len(models)  # each goes first as often as the others
            started = time.process_time()
            for batch in batches:
                steppers[which](batch)
            rounds[which].append((time.process_time() - started) / len(batches))
    return rounds


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Give how many steps our model makes while theirs makes one."""
    return statistics.median(their / our for our, their in zip(ours, theirs, strict=True))


def draw_batch(batch_size: int, length: int) -> Batch:
    """Draw sentences of random words, without padding."""
    shape = (3, batch_size, length)
    source, target, labels = torch.randint(4, len(vocabulary(VOCAB_SIZE)), shape)
    return Batch(source, target, labels, alignment=torch.zeros_like(labels))


def compare_on_the_notebooks_data() -> None:
    """Print steps per second on sentence pairs, in batches of 64."""
    sentences = generate_synthetic_data(512, VOCAB_SIZE, max_length=24)
    batches = list(make_dataloader(sentences, batch_size=64))
    names = ("ours", "torch.nn.Transformer", "the same, dropout where ours has it")
    models = (build_ours(), TorchTransformer(), TorchTransformer(same_dropout=True))
    if len({sum(p.numel() for p in model.parameters()) for model in models}) > 1:
        raise RuntimeError("The models differ in their number of parameters.")
    rounds = seconds_per_step(models, batches)
    print(f"{'sentence pairs, batches of 64':<38} steps per second  ours : theirs")
    for name, theirs in zip(names, rounds, strict=True):
        print(f"{name:<38} {1 / statistics.median(theirs):>16.1f}  {ratio(rounds[0], theirs):.2f}")
    reached = ratio(rounds[0], rounds[1])
    print(f"target: at least 1.00 of torch's steps; {'met' if reached >= 1 else 'MISSED'}")


def compare_costs(title: str, shapes: Sequence[tuple[int, int]]) -> None:
    """Print milliseconds per step for each (batch size, length)."""
    print(f"\n{title:<38}  ours    torch   ours : torch, steps")
    for batch_size, length in shapes:
        models = (build_ours(), TorchTransformer())
        ours, theirs = seconds_per_step(models, [draw_batch(batch_size, length)])
        label = f"{batch_size} sentences of {length} words"
        times = "".join(f"{1000 * statistics.median(rounds):>7.1f} " for rounds in (ours, theirs))
        print(f"{label:<36} {times}  {ratio(ours, theirs):.2f}")


def main() -> None:
    """Print all tables."""
    warnings.filterwarnings("ignore", "enable_nested_tensor")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(
        f"{NUM_LAYERS} + {NUM_LAYERS} layers, d_model {D_MODEL}, {NHEAD} heads, feed-forward "
        f"{DIM_FEEDFORWARD}, dropout {DROPOUT}; one thread, CPU time, {ROUNDS} rounds\n"
    )
    compare_on_the_notebooks_data()
    compare_costs(
        "ms per step against the length", [(BATCH_SIZE_OF_LENGTHS, length) for length in LENGTHS]
    )
    compare_costs(
        "ms per step against the batch size",
        [(size, LENGTH_OF_BATCH_SIZES) for size in BATCH_SIZES],
    )


if __name__ == "__main__":
    main()
