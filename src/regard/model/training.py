"""From sentence pairs to a trained model: batches, losses, the loop, translations."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Sampler
from tqdm import tqdm

from regard.model.checkpoint import load_checkpoint, save_checkpoint
from regard.model.door import check_types
from regard.model.lexicon import END, PAD, START
from regard.model.transformer import Transformer

NO_WORD = -1  # the alignment of padding


class Batch(NamedTuple):
    """Sentence pairs padded to one length, ready for the model."""

    source: Tensor  # (B, S): the source words, then </s>
    target: Tensor  # (B, T): <s>, then the target words: what the decoder reads
    labels: Tensor  # (B, T): the target words, then </s>: what it should say next
    alignment: Tensor  # (B, T): the position in source that each label translates


def make_batch(pairs: Sequence[tuple[list[int], list[int], list[int]]]) -> Batch:
    """Pad (source ids, target ids, alignment) triples to one batch; </s> translates </s>."""
    sources, targets, alignments = zip(*pairs, strict=True)
    return Batch(
        source=_pad([[*source, END] for source in sources], PAD),
        target=_pad([[START, *target] for target in targets], PAD),
        labels=_pad([[*target, END] for target in targets], PAD),
        alignment=_pad(
            [[*a, len(source)] for a, source in zip(alignments, sources, strict=True)], NO_WORD
        ),
    )


def _pad(rows: list[list[int]], value: int) -> Tensor:
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)


def make_dataloader(
    sentences: pd.DataFrame, batch_size: int = 64, *, shuffle: bool = True
) -> DataLoader[Batch]:
    """Serve the sentence pairs of `generate_synthetic_data` in batches, in a new order each epoch.

    Examples
    --------
    >>> from regard.model.pairs import generate_synthetic_data
    >>> sentences = generate_synthetic_data(num_sentences=10, vocab_size=300, max_length=20)
    >>> [len(batch.source) for batch in make_dataloader(sentences, batch_size=4, shuffle=False)]
    [4, 4, 2]
    """
    check_types(make_dataloader, locals())
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, but is {batch_size}.")
    columns = (sentences[name] for name in ("source_ids", "target_ids", "alignment"))
    pairs = list(zip(*columns, strict=True))
    if shuffle:
        sampler = SimilarLengths([len(source) for source, _, _ in pairs], batch_size)
        return DataLoader(pairs, batch_sampler=sampler, collate_fn=make_batch)  # type: ignore[arg-type]  # a list is a fine dataset
    return DataLoader(pairs, int(batch_size), collate_fn=make_batch)  # type: ignore[arg-type]  # likewise


class SimilarLengths(Sampler[list[int]]):
    """Random batches of sentences of about one length, so that little padding is computed.

    "Sentence pairs were batched together by approximate sequence length" (section 5.1).
    """

    def __init__(self, lengths: Sequence[int], batch_size: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(len(self.lengths)).tolist()
        pool = 16 * self.batch_size  # sort within pools: batches stay random
        batches = [
            batch
            for start in range(0, len(order), pool)
            for batch in _split(
                sorted(order[start : start + pool], key=self.lengths.__getitem__), self.batch_size
            )
        ]
        for i in torch.randperm(len(batches)).tolist():
            yield batches[i]


def _split(items: list[int], size: int) -> list[list[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


Loss = Callable[[Any, Batch], Tensor]  # (model, batch) -> the number to make small


def translation_loss(model: Transformer, batch: Batch) -> Tensor:
    """Cross-entropy of the next word, smoothed by 0.1 (section 5.4 of the paper)."""
    return _next_word_loss(model(batch.source, batch.target), batch)


def guided_alignment_loss(model: Transformer, batch: Batch) -> Tensor:
    """Add half the cross-entropy of the gold alignment to the translation loss.

    Each cross-attention head is asked to read the source word that the next target word
    translates; the self-attention of encoder and decoder is left alone. Chen et al. (2016),
    *Guided alignment training for topic-aware neural machine translation*; Garg et al. (2019),
    *Jointly learning to align and translate with Transformer models*.
    """
    logits, cross_weights = model.translate(batch.source, batch.target)
    aligned = batch.alignment != NO_WORD  # (B, T)
    gold = batch.alignment.clamp(min=0)[None, :, None, :, None]  # (1, B, 1, T, 1)
    gold = gold.expand(*cross_weights.shape[:-1], 1)  # (L, B, h, T, 1)
    mass = cross_weights.gather(-1, gold).squeeze(-1)  # (L, B, h, T): on the gold word
    surprise = -mass.clamp(min=1e-9).log().mean(dim=(0, 2))  # (B, T)
    return _next_word_loss(logits, batch) + 0.5 * surprise[aligned].mean()


def _next_word_loss(logits: Tensor, batch: Batch) -> Tensor:
    return F.cross_entropy(
        logits.flatten(0, 1), batch.labels.flatten(), ignore_index=PAD, label_smoothing=0.1
    )


HISTORY = ("step", "epoch", "loss", "learning_rate", "seconds")


def train_model(
    model: nn.Module,
    dataloader: DataLoader[Batch],
    optimizer: torch.optim.Optimizer,
    num_epochs: int,
    *,
    loss: Loss = translation_loss,
    warmup_steps: int = 200,
    evaluate: Callable[[Any], Mapping[str, float]] | None = None,
    checkpoint: str | Path | None = None,
) -> pd.DataFrame:
    """Train the model in place, with a progress bar, and return the history.

    The learning rate climbs for `warmup_steps` to the optimizer's own, then falls to zero, both
    linearly. Ctrl-C stops early and keeps what was trained.

    Parameters
    ----------
    model, dataloader, optimizer
        The model, its batches and what updates its parameters.
    num_epochs
        How often to see all the data, counted from the start also when resuming.
    loss
        Gives the loss of a batch: `translation_loss` or `guided_alignment_loss`.
    warmup_steps
        The steps until the learning rate is at its highest.
    evaluate
        Called with the model after each epoch; what it measures joins the bar and the history.
    checkpoint
        A safetensors file, written after each epoch. Where it exists already, training goes on from
        it and ends as if it had never stopped.

    Returns
    -------
    pandas.DataFrame
        One step a row: `step`, `epoch`, `loss`, `learning_rate`, `seconds` since the start, and
        what `evaluate` measured, in the last row of each epoch.

    Raises
    ------
    ValueError
        If there is nothing to train on, or the checkpoint is damaged or another model's; the model
        and the file are then as before.
    FloatingPointError
        If the loss is no longer finite; the weights are then as the step before left them.

    Notes
    -----
    Vaswani et al. (2017), section 5, with AdamW and a linear schedule in place of theirs.

    Examples
    --------
    >>> import contextlib, io
    >>> from regard.model.pairs import generate_synthetic_data
    >>> from regard.model.transformer import build_transformer_model
    >>> data = make_dataloader(generate_synthetic_data(64, vocab_size=300, max_length=20))
    >>> model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    >>> optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    >>> with contextlib.redirect_stdout(io.StringIO()):  # where the progress bar goes
    ...     history = train_model(model, data, optimizer, num_epochs=2)
    >>> history["epoch"].tolist()
    [1, 2]
    """
    check_types(train_model, locals())
    if num_epochs < 1 or len(dataloader) == 0:
        raise ValueError(
            f"There is nothing to train: num_epochs is {num_epochs} and the data has "
            f"{len(dataloader)} batches, but both must be at least 1."
        )
    rows: list[dict[str, float]] = []
    if checkpoint is not None and Path(checkpoint).exists():
        rows = load_checkpoint(checkpoint, model, optimizer, steps_per_epoch=len(dataloader))
    total = len(dataloader) * num_epochs
    schedule = _schedule(optimizer, total, warmup_steps, done=len(rows))
    started = time.perf_counter() - (rows[-1]["seconds"] if rows else 0.0)
    bar = tqdm(
        desc="Training",
        total=total,
        initial=len(rows),
        unit="step",
        file=sys.stdout,
        mininterval=0.5,
    )
    try:
        for epoch in range(len(rows) // len(dataloader) + 1, num_epochs + 1):
            for value, rate in steps(model, dataloader, optimizer, schedule, loss):
                row = (len(rows) + 1, epoch, value, rate, time.perf_counter() - started)
                rows.append(dict(zip(HISTORY, row, strict=True)))
                bar.update()
            if evaluate is not None:
                rows[-1].update(_evaluated(model, evaluate))
            bar.set_postfix(
                {k: f"{v:.3f}" for k, v in rows[-1].items() if k == "loss" or k not in HISTORY}
            )
            if checkpoint is not None:
                save_checkpoint(checkpoint, model, optimizer, rows)
    except KeyboardInterrupt:
        tqdm.write(f"Stopped at step {len(rows)}; what was trained is kept.", file=sys.stdout)
    finally:
        bar.close()
        model.eval()
    return pd.DataFrame(rows, columns=None if rows else HISTORY).astype({"step": int, "epoch": int})


def steps(
    model: nn.Module,
    dataloader: DataLoader[Batch],
    optimizer: torch.optim.Optimizer,
    schedule: LambdaLR,
    loss: Loss,
) -> Iterator[tuple[float, float]]:
    """See all the data once, a step a batch; give the loss and the learning rate of each."""
    model.train()
    for batch in dataloader:
        rate = float(schedule.get_last_lr()[0])
        value = _step(model, _to_device(batch, model), optimizer, loss)
        schedule.step()
        yield value, rate


def _schedule(
    optimizer: torch.optim.Optimizer, steps: int, warmup_steps: int, *, done: int
) -> LambdaLR:
    """Linear warm-up, then linear decay; `done` steps lie behind us."""
    warmup = min(warmup_steps, steps // 2)

    def share_of_rate(step: int) -> float:
        return min((step + 1) / (warmup + 1), (steps - step) / (steps - warmup))

    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    return LambdaLR(optimizer, share_of_rate, last_epoch=done - 1)


def _step(model: nn.Module, batch: Batch, optimizer: torch.optim.Optimizer, loss: Loss) -> float:
    optimizer.zero_grad()
    value = loss(model, batch)
    if not value.isfinite():
        raise FloatingPointError(
            f"The loss is {value.item()}, but must be finite; the weights are as the step before "
            f"left them. Lower the learning rate ({optimizer.param_groups[0]['lr']:.2g} now), and "
            "look for NaN among the weights that you started with."
        )
    value.backward()
    optimizer.step()
    return value.item()


def _to_device(batch: Batch, model: nn.Module) -> Batch:
    device = next(model.parameters()).device
    return Batch(*(x.to(device) for x in batch))


def _evaluated(
    model: nn.Module, evaluate: Callable[[Any], Mapping[str, float]]
) -> Mapping[str, float]:
    """Measure without leaving a trace: dropout off, and the random numbers as they were."""
    model.eval()
    with torch.random.fork_rng():
        return evaluate(model)
