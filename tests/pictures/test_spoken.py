"""What is drawn of words and a sound: the weights, the path and the pitches that there are."""

from collections.abc import Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import QuadMesh

import regard
from regard.pictures.axes import name_seconds
from regard.pictures.spoken import spectrogram
from regard.record.places import Media, Place, Stretch
from regard.record.trace import Trace
from tests.pictures.drawing import drawn, points, tick_texts
from tests.tiny_melodies import HISS, NOTES, RATE, Hearing, melody, tone, whisper

WORDS = ["do", "re", "$x$"]
WEIGHTS = np.array(
    [[0.5, 0.4, 0, 0, 0, 0.1], [0, 0, 0.6, 0.2, 0, 0.2], [0, 0, 0, 0.2, 0.8, 0], [0, 0, 0, 0, 0, 1]]
)


def heard(words: Sequence[str] = WORDS) -> Trace:
    """Give a trace of three words that read five frames of 0.1 seconds, and one after them."""
    names = ["<s>", *words]
    seen = Trace.from_weights(np.stack([WEIGHTS, WEIGHTS[::-1]]), kind="cross", target_tokens=names)
    frames: list[Place | None] = [Stretch(at / 10, (at + 1) / 10) for at in range(6)]
    source = replace(seen.source, places=frames)
    target = replace(seen.target, special=[True, *[False] * len(words)])
    media = Media(sound=tone(NOTES["do"], 0.5).astype(np.float32), rate=RATE)
    return replace(seen, source=source, target=target, media=media)


def test_each_word_has_its_weights_over_the_seconds_of_the_sound() -> None:
    ax = regard.plot_alignment(heard(), [(0, 0)], filter_width=1)
    drawn(ax.figure)
    (shown,) = ax.get_images()
    assert np.asarray(shown.get_array()) == pytest.approx(WEIGHTS[:3, :5])
    assert shown.get_extent() == pytest.approx((0, 0.5, 3, 0))
    assert shown.get_clim() == pytest.approx((0, 0.8))
    assert tick_texts(ax)[1] == ["do", "re", r"\$x\$"]
    assert ax.get_title("left") == (
        "Cross-attention, layer 0, head 0\n32% of the attention goes to silence after the sound"
    )


def test_the_line_is_that_of_the_times_of_words() -> None:
    seen = heard()
    ax = regard.plot_alignment(seen, [(0, 0)], filter_width=1)
    table = regard.word_times(seen, [(0, 0)], filter_width=1)
    (line,) = ax.get_lines()
    expected = [
        [time, row + 0.5]
        for row, (start, end) in enumerate(zip(table["start"], table["end"], strict=True))
        for time in (start, end)
    ]
    assert points(line) == expected
    below = ax.figure.axes[1]
    assert [mark.get_xdata()[0] for mark in below.get_lines()] == table["start"].tolist()  # type: ignore[index]


def test_several_heads_are_their_mean_and_are_named() -> None:
    ax = regard.plot_alignment(heard(), [(0, 0), (0, 1)])
    (shown,) = ax.get_images()
    both = (WEIGHTS + WEIGHTS[::-1])[:3, :5] / 2
    assert np.asarray(shown.get_array()) == pytest.approx(both)
    assert ax.get_title("left").startswith("Cross-attention, mean of 2 heads: 0.0, 0.1")


def test_the_sound_lies_below_on_the_same_seconds() -> None:
    ax = regard.plot_alignment(heard(), [(0, 0)])
    figure = drawn(ax.figure)
    below = figure.axes[1]
    upper, lower = (one.get_window_extent() for one in (ax, below))
    assert (upper.x0, upper.x1) == pytest.approx((lower.x0, lower.x1))
    assert lower.y1 < upper.y0
    assert below.get_xlim() == ax.get_xlim() == pytest.approx((0, 0.5))
    (mesh,) = [one for one in below.collections if isinstance(one, QuadMesh)]
    loud = np.asarray(mesh.get_array())
    heights = np.asarray(mesh.get_coordinates())[:, 0, 1]
    row = int(loud[:, loud.shape[1] // 2].argmax())
    assert heights[row] <= NOTES["do"] / 1000 <= heights[row + 1]


@pytest.mark.parametrize("by_hand", [False, True])
def test_axes_that_were_given_make_room(*, by_hand: bool) -> None:
    figure = plt.figure(layout="none")
    given = figure.add_axes((0.2, 0.2, 0.6, 0.6)) if by_hand else figure.subplots(1, 2)[1]
    box = given.get_position()
    assert regard.plot_alignment(heard(), [(0, 0)], ax=given) is given
    drawn(figure)
    below = figure.axes[-2]
    assert given.get_shared_x_axes().joined(given, below)
    upper, lower = given.get_position(), below.get_position()
    assert (upper.x0, upper.x1) == pytest.approx((lower.x0, lower.x1))
    assert box.y0 - 1e-6 <= lower.y0 < lower.y1 < upper.y0 < upper.y1 <= box.y1 + 1e-6


def test_without_the_sound_itself_the_words_are_drawn() -> None:
    ax = regard.plot_alignment(replace(heard(), media=Media()), [(0, 0)])
    drawn(ax.figure)
    assert ax.get_xlim() == pytest.approx((0, 0.6))
    assert not ax.figure.axes[1].collections


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_pitches_are_where_they_sound(rate: int) -> None:
    at = np.arange(rate)
    samples = np.where(at < rate // 2, *(np.sin(2 * np.pi * f * at / rate) for f in (400, 2400)))
    decibels, pitches, times = spectrogram(samples.astype(np.float32), rate)
    loudest = pitches[decibels.argmax(axis=0)]
    assert loudest[times < 0.48] == pytest.approx(400, abs=40)
    assert loudest[times > 0.52] == pytest.approx(2400, abs=40)
    assert (decibels.min(), decibels.max()) == pytest.approx((-50, 0))
    assert pitches.max() <= 8000


def test_silence_has_no_pitch() -> None:
    decibels, _, _ = spectrogram(np.zeros(1000, dtype=np.float32), 8000)
    assert decibels.max() == -50


def test_a_model_that_hears_is_drawn_as_it_writes() -> None:
    samples = melody(np.random.default_rng(1), 6).samples
    seen = regard.trace_generation((samples, RATE), whisper(init_std=0.3), Hearing())
    ax = regard.plot_alignment(seen, [(1, head) for head in range(4)])
    drawn(ax.figure)
    table = regard.word_times(seen, [(1, head) for head in range(4)])
    assert np.asarray(ax.get_images()[0].get_array()).shape[0] == len(table) > 1
    assert ax.get_xlim()[1] == pytest.approx(len(samples) / RATE, abs=0.02)
    assert table["end"].max() <= len(samples) / RATE + HISS


def test_frames_are_named_by_their_seconds() -> None:
    ax = regard.plot_attention(heard(), 0, 0)
    drawn(ax.figure)
    assert tick_texts(ax)[0] == ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]
    assert tick_texts(ax)[1] == ["<s>", "do", "re", r"\$x\$"]
    assert ax.get_xlabel() == "the time that is read (key), in seconds"


def test_many_frames_are_named_by_few_seconds_and_coloured_up_to_the_largest() -> None:
    count = 1500
    weights = np.full((count, count), 1 / count)
    frames: list[Place | None] = [Stretch(at / 50, (at + 1) / 50) for at in range(count)]
    seen = Trace.from_weights(weights)
    seen = replace(seen, source=replace(seen.source, places=frames))
    ax = regard.plot_attention(seen, 0, 0)
    for axis in (ax.xaxis, ax.yaxis):
        assert [label.get_text() for label in axis.get_ticklabels()] == [
            "0", "5", "10", "15", "20", "25", "30",
        ]  # fmt: skip
        assert axis.get_ticklocs()[1] == pytest.approx(5 * 50)
    assert ax.collections[0].get_clim() == pytest.approx((0, 1 / count))


def test_seconds_of_frames_of_several_lengths_are_where_they_begin() -> None:
    ax = plt.subplots()[1]
    name_seconds(ax.xaxis, [Stretch(0, 1), Stretch(1, 3), Stretch(3, 4)], "that is read")
    ticks = dict(zip(tick_texts(ax)[0], ax.get_xticks(), strict=True))
    assert {name: ticks[name] for name in ("0", "1", "2", "3", "4")} == pytest.approx(
        {"0": 0, "1": 1, "2": 1.5, "3": 2, "4": 3}
    )
