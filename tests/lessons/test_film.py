"""The film of training: its frames against the traces that they were taken from."""

from base64 import b64decode
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

import regard
from regard.lessons.film import Film
from regard.lessons.film_player import play_film, plot_film, plot_locks
from regard.model.pairs import generate_synthetic_data
from regard.model.training import make_dataloader, translation_loss
from regard.model.transformer import Transformer
from regard.record.trace import Trace

SENTENCE, TARGET = "the dog saw it .", "lo cano"


def train(model: Transformer, loss: Any) -> pd.DataFrame:
    pairs = generate_synthetic_data(num_sentences=64, vocab_size=300, max_length=20)
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    return regard.train_model(model, make_dataloader(pairs, batch_size=8), optimizer, 2, loss=loss)


@pytest.fixture
def filmed(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> tuple[Film, pd.DataFrame]:
    film = Film(
        lambda m: regard.trace(SENTENCE, m, tokenizer, target=TARGET), num_steps=16, num_frames=6
    )
    history = train(model, film.watch(translation_loss))
    film.take(model, step=len(history))
    return film, history


def test_a_frame_holds_all_weights_of_its_step(
    filmed: tuple[Film, pd.DataFrame], model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    film, history = filmed
    seen = regard.trace(SENTENCE, model, tokenizer, target=TARGET)
    for kind in seen.kinds:
        for layer in range(2):
            for head in range(seen.num_heads):
                off = film.weights(-1, layer, head, kind=kind) - seen.weights(
                    layer, head, kind=kind
                )
                assert np.abs(off).max() <= 1 / 510 + 1e-6
            assert film.labels(layer, kind=kind) == seen.labels(layer, kind=kind)
    assert film.steps[0] == 0
    assert film.steps[-1] == len(history) == 16
    assert len(film.frames) == 6
    table = film.to_dataframe().set_index("step")["loss"].iloc[:-1]
    assert table.to_list() == pytest.approx(history.set_index("step")["loss"].loc[table.index + 1])
    assert film.nbytes == sum(w.size for f in film.frames for w in f.weights.values())
    assert not np.allclose(film.weights(0, 0, 0), film.weights(-1, 0, 0), atol=0.01)


def test_filming_leaves_training_as_it_is(
    filmed: tuple[Film, pd.DataFrame], model: Transformer
) -> None:
    torch.manual_seed(0)
    twin = regard.build_transformer_model(300, 16, nhead=2, num_layers=2, dim_feedforward=32)
    filmed_twin = regard.build_transformer_model(300, 16, nhead=2, num_layers=2, dim_feedforward=32)
    filmed_twin.load_state_dict(twin.state_dict())
    train(twin, translation_loss)
    film = Film(lambda m: Trace.from_weights(np.eye(2)), num_steps=16, measure=lambda m: {"x": 1})
    train(filmed_twin, film.watch(translation_loss))
    for one, other in zip(twin.parameters(), filmed_twin.parameters(), strict=True):
        assert torch.equal(one, other)


def shares_film(*shares: float) -> Film:
    rest = iter(shares)
    film = Film(lambda _: Trace.from_weights(np.eye(2)), num_steps=99,
                measure=lambda _: {"it reads": next(rest)})  # fmt: skip
    for step in range(len(shares)):
        film.take(nn.Identity(), 10 * step, loss=1.0)
    return film


@pytest.mark.parametrize(
    ("shares", "step"),
    [((0.1, 0.95, 0.2, 0.9, 1.0), 30), ((0.95, 1.0), 0), ((1.0, 0.5), pd.NA)],
)
def test_a_head_locks_on_where_it_stays(shares: tuple[float, ...], step: Any) -> None:
    (found,) = shares_film(*shares).locked_on()
    assert found is pd.NA if step is pd.NA else found == step
    said = "not locked on" if step is pd.NA else f"from step {step} on"
    ax = plot_locks(shares_film(*shares))
    assert ax.get_legend_handles_labels()[1] == [f"it reads: {said}"]
    plt.close("all")


def test_what_was_measured_may_be_called_anything() -> None:
    film = Film(
        lambda _: Trace.from_weights(np.eye(2)), num_steps=9, measure=lambda _: {r"$\frac{it$": 1.0}
    )
    film.take(nn.Identity(), 0)
    ax = plot_locks(film)
    ax.figure.canvas.draw()  # raises where a formula is read into it
    assert ax.get_legend_handles_labels()[1] == [r"\$\frac{it\$: from step 0 on"]
    plt.close("all")


def test_frames_are_dense_at_first() -> None:
    film = Film(lambda _: Trace.from_weights(np.eye(2)), num_steps=1000, num_frames=40)
    due = sorted(film.due)
    assert len(due) == 39
    assert due[:4] == [0, 1, 2, 3]
    assert (np.diff(due[:-1], 2) >= -1).all()
    assert max(due) < 1000


def test_a_strip_has_frames_from_first_to_last(filmed: tuple[Film, pd.DataFrame]) -> None:
    film, _ = filmed
    axes = plot_film(film, 1, 1, kind="cross", num_frames=3)
    assert [ax.get_title() for ax in axes] == ["step 0", f"step {film.steps[2]}", "step 16"]
    drawn = axes[-1].collections[0].get_array()
    np.testing.assert_allclose(drawn, film.weights(-1, 1, 1, kind="cross"), atol=1e-6)
    plt.close("all")


def test_the_player_shows_the_frame_at_the_slider(filmed: tuple[Film, pd.DataFrame]) -> None:
    film, history = filmed
    player = play_film(film, 0, 1)
    last = player.picture.value
    player.slider.value = 0
    assert player.picture.value != last
    assert player.said.value == f"step 0, loss {history['loss'].iloc[0]:.2f}"
    player.slider.value = 5
    assert player.picture.value == last
    bundle = player._repr_mimebundle_()
    assert b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert not plt.get_fignums()


def test_bad_films_are_refused_in_words(filmed: tuple[Film, pd.DataFrame]) -> None:
    film, _ = filmed
    with pytest.raises(ValueError, match="There is no frame 6: there are 6"):
        film.weights(6, 0, 0)
    for look in (film.labels, lambda layer, **options: film.weights(0, layer, 0, **options)):
        for layer, kind in ((9, "encoder"), (0, "x")):
            with pytest.raises(ValueError, match=f"no layer {layer} of kind '{kind}' in this"):
                look(layer, kind=kind)
    for head in (9, -1):
        with pytest.raises(ValueError, match=f"no head {head}: this layer has 4, numbered 0 to 3"):
            film.weights(0, 0, head)
    with pytest.raises(ValueError, match="needs steps and at least 2 frames"):
        Film(lambda _: Trace.from_weights(np.eye(2)), num_steps=0)
    other = Film(lambda m: Trace.from_weights(np.eye(m)), num_steps=9)
    for draw in (plot_film, play_film):
        with pytest.raises(ValueError, match="has no frames yet"):
            draw(other, 0, 0)
    other.take(2, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="film one sentence"):
        other.take(3, 1)  # type: ignore[arg-type]


def test_wrong_types_are_said_at_the_door(filmed: tuple[Film, pd.DataFrame]) -> None:
    film, _ = filmed
    wrong: Any = "x"
    seen = Trace.from_weights(np.eye(2))
    for draw in (plot_film, play_film):
        with pytest.raises(TypeError, match=r"A film is expected, but got a Trace: make one by"):
            draw(seen, 0, 0)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"layer, counted from 0, is a whole number, but got"):
            draw(film, wrong, 0)
        with pytest.raises(TypeError, match=r"head, counted from 0, is a whole number, but got"):
            draw(film, 0, wrong)
    with pytest.raises(TypeError, match="A film is expected, but got 'x'"):
        plot_locks(wrong)
    with pytest.raises(TypeError, match=r"look, a function from the model to a trace.* got 'x'"):
        Film(wrong, num_steps=2)
    with pytest.raises(TypeError, match=r"measure, a function from the model to numbers.* got 'x'"):
        Film(lambda _: seen, num_steps=2, measure=wrong)
    with pytest.raises(TypeError, match=r"num_steps is a whole number, but got 'x'"):
        Film(lambda _: seen, num_steps=wrong)
    fresh = Film(lambda _: wrong, num_steps=2)
    with pytest.raises(TypeError, match=r"loss, a function \(model, batch\), is expected, but got"):
        fresh.watch(wrong)
    with pytest.raises(TypeError, match=r"step is a whole number, but got 'x'"):
        fresh.take(nn.Identity(), wrong)
    with pytest.raises(TypeError, match=r"A trace is expected, but got 'x'"):
        fresh.take(nn.Identity(), 0)


def test_a_loss_is_passed_on_as_it_is() -> None:
    film = Film(lambda _: Trace.from_weights(np.eye(2)), num_steps=3)
    weight = torch.tensor(2.0, requires_grad=True)

    def loss(model: nn.Module, batch: int) -> Tensor:
        return weight * batch

    value = film.watch(loss)(nn.Identity(), 3)
    value.backward()
    assert weight.grad == 3


def test_frames_are_of_one_sentence_in_the_order_of_steps() -> None:
    names = iter(["ab", "ab", "xy"])
    film = Film(lambda _: Trace.from_weights(np.eye(2), list(next(names))), num_steps=9)
    film.take(nn.Identity(), 3)
    with pytest.raises(ValueError, match="A frame of step 3 comes after one of step 3"):
        film.take(nn.Identity(), 3)
    film.take(nn.Identity(), 4)
    with pytest.raises(ValueError, match="other tokens than the first"):
        film.take(nn.Identity(), 5)
    with pytest.raises(ValueError, match="has no measures to draw"):
        plot_locks(film)
    named = Film(
        lambda _: Trace.from_weights(np.eye(2)), num_steps=9, measure=lambda _: {"loss": 1}
    )
    with pytest.raises(ValueError, match='called "step" or "loss"'):
        named.take(nn.Identity(), 0)


def measured_film(**shares: float) -> Film:
    film = Film(lambda _: Trace.from_weights(np.eye(2)), num_steps=9, measure=lambda _: shares)
    film.take(nn.Identity(), 0)
    return film


def test_the_axis_says_what_was_measured() -> None:
    assert plot_locks(measured_film(accuracy=0.5)).get_ylabel() == "accuracy"
    ax = plot_locks(measured_film(accuracy=0.5, recall=0.9))
    assert ax.get_ylabel() == "share, of what is named"
    names = [label.split(":")[0] for label in ax.get_legend_handles_labels()[1]]
    assert names == ["accuracy", "recall"]
    plt.close("all")


def test_what_cannot_be_drawn_of_a_film_is_said() -> None:
    wrong: Any = "x"
    film = measured_film(accuracy=0.5)
    with pytest.raises(TypeError, match=r"threshold is a number, but got 'x'"):
        plot_locks(film, threshold=wrong)
    with pytest.raises(TypeError, match=r"ax is one Axes of matplotlib, but got 'x'"):
        plot_locks(film, ax=wrong)
    with pytest.raises(ValueError, match=r"Shares lie between 0 and 1, but got 50"):
        plot_locks(measured_film(accuracy=50.0))
    with pytest.raises(TypeError, match=r"num_frames is a whole number, but got 'x'"):
        plot_film(film, 0, 0, num_frames=wrong)
    with pytest.raises(ValueError, match=r"Got num_frames=0: ask for 1 or more"):
        plot_film(film, 0, 0, num_frames=0)
    with pytest.raises(TypeError, match=r"ax is one Axes of matplotlib, but got 'x'"):
        plot_film(film, 0, 0, axes=wrong)
    assert not plt.get_fignums()
