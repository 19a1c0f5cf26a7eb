"""Batches, losses and the loop: what is learned, what is kept, and what is measured on the way."""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerFast

from regard.model.lexicon import vocabulary
from regard.model.pairs import generate_synthetic_data
from regard.model.training import (
    Batch,
    Loss,
    SimilarLengths,
    guided_alignment_loss,
    make_batch,
    make_dataloader,
    train_model,
    translation_loss,
)
from regard.model.transformer import Transformer, build_transformer_model
from regard.model.translation import greedy_translate, translation_accuracy

PAD, START, END = 0, 1, 2
VOCAB_SIZE = 300


def build(d_model: int = 16) -> Transformer:
    torch.manual_seed(0)
    return build_transformer_model(VOCAB_SIZE, d_model, 2, num_layers=1, dim_feedforward=32)


def adamw(model: Transformer, rate: float = 1e-2) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=rate)


def draw_data(num_sentences: int = 64, batch_size: int = 16) -> DataLoader[Batch]:
    sentences = generate_synthetic_data(num_sentences, VOCAB_SIZE, max_length=14)
    return make_dataloader(sentences, batch_size)


def weights_of(model: Transformer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same_weights(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    """Compare bit by bit."""
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def interrupt_at(step: int, error: BaseException, loss: Loss = translation_loss) -> Loss:
    """Give a loss that raises at a step, counted from 1."""
    steps = iter(range(1, 10_000))

    def interrupted(model: Transformer, batch: Batch) -> Tensor:
        if next(steps) == step:
            raise error
        return loss(model, batch)

    return interrupted


# --- batches


def test_a_batch_by_hand() -> None:
    batch = make_batch([([5, 6, 7], [8, 9], [1, 0]), ([5], [8, 9, 4], [0, 0, 0])])
    assert batch.source.tolist() == [[5, 6, 7, END], [5, END, PAD, PAD]]
    assert batch.target.tolist() == [[START, 8, 9, PAD], [START, 8, 9, 4]]
    assert batch.labels.tolist() == [[8, 9, END, PAD], [8, 9, 4, END]]
    assert batch.alignment.tolist() == [[1, 0, 3, -1], [0, 0, 0, 1]]  # </s> translates </s>


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_dataloader_serves_every_pair_once(*, shuffle: bool) -> None:
    sentences = generate_synthetic_data(50, VOCAB_SIZE, max_length=20)
    batches = list(make_dataloader(sentences, batch_size=8, shuffle=shuffle))
    served = [
        tuple(i for i in row.tolist() if i != PAD) for batch in batches for row in batch.source
    ]
    given = [(*ids, END) for ids in sentences["source_ids"]]
    assert len(batches) == 7
    assert (served == given) == (not shuffle)
    assert sorted(served) == sorted(given)


@pytest.mark.parametrize(("number", "size"), [(1, 4), (8, 4), (331, 4), (64, 1), (3, 64)])
def test_every_index_comes_once(number: int, size: int) -> None:
    sampler = SimilarLengths([(7 * i) % 13 for i in range(number)], size)
    batches = list(sampler)
    assert sorted(i for batch in batches for i in batch) == list(range(number))
    assert len(batches) == len(sampler) == math.ceil(number / size)
    assert sorted(len(batch) for batch in batches)[1:] == [size] * (len(batches) - 1)


def test_batches_are_of_similar_lengths_and_in_a_new_order() -> None:
    lengths = [(7 * i) % 8 for i in range(128)]  # 16 of each
    sampler = SimilarLengths(lengths, 8)  # all are sorted at a time
    first, second = list(sampler), list(sampler)
    spread = [max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in first]
    assert spread == [0] * 16  # of random ones, about 6
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}
    shortest = [min(lengths[i] for i in batch) for batch in first]
    assert any(a > b for a, b in pairwise(shortest)), "short sentences do not all come first"


# --- losses


def smoothed_surprise(logits: Tensor, labels: Tensor) -> float:
    """Loop over words: 0.9 of the label's surprise and 0.1 of the mean over all words."""
    losses = []
    for row, row_labels in zip(logits.tolist(), labels.tolist(), strict=True):
        for scores, label in zip(row, row_labels, strict=True):
            if label == PAD:
                continue
            total = math.log(sum(math.exp(score) for score in scores))
            surprise = [total - score for score in scores]
            losses.append(0.9 * surprise[label] + 0.1 * sum(surprise) / len(surprise))
    return sum(losses) / len(losses)


def alignment_surprise(cross_weights: Tensor, alignment: Tensor) -> float:
    """Loop over target words: the surprise of each head of each layer at the gold position."""
    losses = []
    for b, positions in enumerate(alignment.tolist()):
        for t, position in enumerate(positions):
            if position >= 0:
                masses = cross_weights[:, b, :, t, position].flatten().tolist()
                losses += [-math.log(mass) for mass in masses]
    return sum(losses) / len(losses)


def test_losses_equal_plain_loops() -> None:
    torch.manual_seed(3)
    model = build_transformer_model(VOCAB_SIZE, 16, 2, num_layers=2, dim_feedforward=32).eval()
    batch = next(iter(draw_data()))
    assert (batch.alignment < 0).any(), "the test needs padding"
    translation = model.translate(batch.source, batch.target)
    next_word = smoothed_surprise(translation.logits, batch.labels)
    aligned = alignment_surprise(translation.cross_weights, batch.alignment)
    assert_close(translation_loss(model, batch).item(), next_word, rtol=1e-5, atol=0)
    guided = guided_alignment_loss(model, batch).item()
    assert_close(guided, next_word + 0.5 * aligned, rtol=1e-5, atol=0)


# --- the loop


def test_a_model_learns_its_sentences_by_heart(tokenizer: PreTrainedTokenizerFast) -> None:
    sentences = generate_synthetic_data(6, VOCAB_SIZE, max_length=14)
    source, target = sentences["source"].tolist(), sentences["target"].tolist()
    model = build(d_model=32)
    assert translation_accuracy(greedy_translate(source, model, tokenizer), target).exact == 0
    data = make_dataloader(sentences, batch_size=6)
    history = train_model(model, data, adamw(model), 120, warmup_steps=10)
    # before training, about log(vocabulary); after, little but what the smoothing leaves
    assert history["loss"].iloc[0] > 0.8 * math.log(len(vocabulary(VOCAB_SIZE)))
    assert history["loss"].iloc[-1] < 0.4 * history["loss"].iloc[0]
    assert greedy_translate(source, model, tokenizer) == target


def test_guided_alignment_is_learned() -> None:
    sentences = generate_synthetic_data(6, VOCAB_SIZE, max_length=14)
    model, data = build(d_model=32), make_dataloader(sentences, batch_size=6, shuffle=False)
    train_model(model, data, adamw(model), 120, warmup_steps=10, loss=guided_alignment_loss)
    batch = next(iter(data))
    read = model.translate(batch.source, batch.target).cross_weights.mean((0, 2)).argmax(-1)
    aligned = batch.alignment >= 0
    assert torch.equal(read[aligned], batch.alignment[aligned])


def test_the_history_says_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    model = build()
    history = train_model(model, draw_data(), adamw(model, 1.0), num_epochs=3, warmup_steps=3)
    assert history["step"].tolist() == list(range(1, 13))
    assert history["epoch"].tolist() == [1] * 4 + [2] * 4 + [3] * 4
    assert history["seconds"].is_monotonic_increasing
    assert not model.training
    climb = [1 / 4, 2 / 4, 3 / 4]
    fall = [step / 9 for step in range(9, 0, -1)]
    assert_close(history["learning_rate"].tolist(), climb + fall)
    bar = capsys.readouterr().out
    assert "12/12" in bar
    assert f"loss={history['loss'].iloc[-1]:.3f}" in bar


def test_warmup_is_at_most_half_of_the_training() -> None:
    model = build()
    rates = train_model(model, draw_data(), adamw(model, 1.0), num_epochs=1)["learning_rate"]
    assert_close(rates.tolist(), [1 / 3, 2 / 3, 1.0, 1 / 2])


def test_evaluation_is_kept_and_leaves_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    alone = build()
    expected = train_model(alone, draw_data(), adamw(alone), num_epochs=2)
    measured = iter([0.25, 0.5])

    def evaluate(model: Transformer) -> dict[str, float]:
        assert not model.training
        torch.rand(7)  # as anything that is measured may draw random numbers
        return {"accuracy": next(measured)}

    model = build()
    history = train_model(model, draw_data(), adamw(model), num_epochs=2, evaluate=evaluate)
    assert history["loss"].tolist() == expected["loss"].tolist()
    assert_same_weights(weights_of(model), weights_of(alone))
    assert history["accuracy"].dropna().to_dict() == {3: 0.25, 7: 0.5}
    assert "accuracy=0.500" in capsys.readouterr().out


@pytest.mark.parametrize("step", [1, 2, 6])
def test_interrupted_training_keeps_what_it_has(
    step: int, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = build()
    after: list[dict[str, Tensor]] = []  # before each step, so [n] is after n steps

    def watched(model: Transformer, batch: Batch) -> Tensor:
        after.append(weights_of(model))
        return translation_loss(model, batch)

    expected = train_model(whole, draw_data(), adamw(whole), num_epochs=2, loss=watched)

    model = build()
    loss = interrupt_at(step, KeyboardInterrupt())
    history = train_model(model, draw_data(), adamw(model), num_epochs=2, loss=loss)
    assert list(history) == list(expected)
    assert history["step"].tolist() == list(range(1, step))
    assert history["loss"].tolist() == expected["loss"].tolist()[: step - 1]
    assert_same_weights(weights_of(model), after[step - 1])
    assert not model.training
    assert f"Stopped at step {step - 1}; what was trained is kept." in capsys.readouterr().out


def test_other_errors_are_not_swallowed() -> None:
    model = build()
    with pytest.raises(RuntimeError, match="no memory"):
        train_model(
            model, draw_data(), adamw(model), 1, loss=interrupt_at(2, RuntimeError("no memory"))
        )
    assert not model.training


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite(value: float) -> None:
    model = build()
    seen: list[dict[str, Tensor]] = []

    def explode(model: Transformer, batch: Batch) -> Tensor:
        seen.append(weights_of(model))
        return translation_loss(model, batch) * (value if len(seen) == 3 else 1)

    message = f"The loss is {value}, but must be finite.*Lower the learning rate \\(0.0"
    with pytest.raises(FloatingPointError, match=message):
        train_model(model, draw_data(), adamw(model), 1, loss=explode)
    assert_same_weights(weights_of(model), seen[2])


def test_weights_that_are_nan() -> None:
    model = build()
    with torch.no_grad():
        model.encoder_norm.weight[3] = math.nan
    with pytest.raises(FloatingPointError, match="look for NaN among the weights"):
        train_model(model, draw_data(), adamw(model), num_epochs=1)


def test_nothing_to_train() -> None:
    model = build()
    with pytest.raises(ValueError, match="num_epochs is 0 and the data has 4 batches"):
        train_model(model, draw_data(), adamw(model), num_epochs=0)
    empty = make_dataloader(generate_synthetic_data(1, VOCAB_SIZE, max_length=14).head(0))
    with pytest.raises(ValueError, match="num_epochs is 1 and the data has 0 batches"):
        train_model(model, empty, adamw(model), num_epochs=1)


# --- checkpoints


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "model.safetensors"


def train(model: Transformer, path: Path, loss: Loss = translation_loss) -> pd.DataFrame:
    return train_model(
        model,
        draw_data(),
        adamw(model),
        num_epochs=4,
        warmup_steps=5,
        loss=loss,
        evaluate=lambda model: {"size": float(model.encoder_norm.weight.norm().item())},
        checkpoint=path,
    )


@pytest.fixture
def unlucky(path: Path) -> Iterator[Path]:
    """Give the checkpoint of a training that was interrupted in its third epoch of four."""
    train(build(), path, loss=interrupt_at(11, KeyboardInterrupt()))
    yield path
    assert [file.name for file in path.parent.iterdir()] == [path.name], "nothing is left behind"


def test_resumed_training_ends_as_if_never_stopped(unlucky: Path, tmp_path: Path) -> None:
    whole = build()
    expected = train(whole, tmp_path / "whole.safetensors")
    torch.manual_seed(12345)
    model = build_transformer_model(VOCAB_SIZE, 16, 2, num_layers=1, dim_feedforward=32)
    history = train(model, unlucky)
    pd.testing.assert_frame_equal(
        history.drop(columns="seconds"), expected.drop(columns="seconds"), check_exact=True
    )
    assert history["seconds"].is_monotonic_increasing
    assert_same_weights(weights_of(model), weights_of(whole))


def test_finished_training_is_only_read(unlucky: Path) -> None:
    finished = build()
    history = train(finished, unlucky)
    before = unlucky.read_bytes()
    model = build()
    pd.testing.assert_frame_equal(train(model, unlucky), history)
    assert_same_weights(weights_of(model), weights_of(finished))
    assert unlucky.read_bytes() == before


def test_an_interrupted_epoch_is_not_in_the_checkpoint(unlucky: Path) -> None:
    stopped = train(build(), unlucky, loss=interrupt_at(1, KeyboardInterrupt()))
    assert stopped["step"].tolist() == list(range(1, 9))
