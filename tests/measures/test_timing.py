"""Times of words: as transformers' Whisper computes them, and as they were constructed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers.models.whisper import generation_whisper

import regard
from regard.measures.timing import emphasised, first_frames, monotone_path
from regard.record.places import Media, Place, Stretch
from regard.record.trace import Trace
from regard.record.words import Word
from regard.tracing.implementations import attending
from tests.tiny_melodies import RATE, Hearing, melody, whisper

THEIRS: Any = vars(generation_whisper)
HEADS = [[0, 1], [1, 2], [1, 3]]
FRAME = 0.02


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (3, 11), (11, 3), (13, 150)])
def test_a_path_is_that_of_transformers(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    some = np.rint(1000 * random.normal(size=shape))  # whose sums float32 holds, as theirs does
    for gains in (some, np.zeros(shape)):
        rows, columns = THEIRS["_dynamic_time_warping"](-gains)
        assert monotone_path(gains).T.tolist() == [rows.tolist(), columns.tolist()]


@pytest.mark.parametrize("seed", range(20))
def test_no_path_gathers_more(seed: int) -> None:
    """Also where ways are alike, in which Whisper's own takes a worse one."""
    gains = np.random.default_rng(seed).integers(-1, 2, (4, 5)).astype(float)
    path = monotone_path(gains)
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [3, 4]
    assert set(map(tuple, np.diff(path, axis=0).tolist())) <= {(0, 1), (1, 0), (1, 1)}
    assert gains[tuple(path.T)].sum() == most_gathered(gains)


def most_gathered(gains: NDArray[np.float64]) -> float:
    """Try every path."""
    if gains.shape == (1, 1):
        return float(gains[0, 0])
    steps = [(down, right) for down, right in ((0, 1), (1, 0), (1, 1)) if gains[down:, right:].size]
    return float(gains[0, 0]) + max(most_gathered(gains[down:, right:]) for down, right in steps)


@pytest.mark.parametrize("shape", [(2, 2, 9), (1, 5, 9), (3, 4, 2), (3, 4, 40)])
@pytest.mark.parametrize("width", [1, 3, 7])
def test_weights_are_emphasised_as_transformers_does(shape: tuple[int, ...], width: int) -> None:
    weights = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    less_mean = weights - weights.mean(dim=-2, keepdim=True)
    scores = less_mean / weights.std(dim=-2, keepdim=True, unbiased=False)
    expected = THEIRS["_median_filter"](scores, width).mean(dim=0)
    assert emphasised(weights.numpy(), width) == pytest.approx(expected.numpy(), abs=1e-12)


def test_a_frame_that_all_read_alike_says_nothing() -> None:
    assert emphasised(np.full((2, 3, 9), 1 / 9)).tolist() == np.zeros((3, 9)).tolist()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("seconds", [0.3, 1.9, 3.0])
def test_times_of_tokens_are_those_that_whisper_generates(seed: int, seconds: float) -> None:
    """Theirs are of the rows that read the tokens, from the first that was written on."""
    samples = np.resize(melody(np.random.default_rng(seed)).samples, round(seconds * RATE))
    model = whisper(init_std=0.3)
    torch.manual_seed(seed)
    torch.nn.init.normal_(model.proj_out.weight, std=0.3)
    model.generation_config.alignment_heads = HEADS
    given = {"sampling_rate": RATE, "return_tensors": "pt", "return_attention_mask": True}
    options = {"return_token_timestamps": True, "return_dict_in_generate": True}
    with attending(model, "eager"):
        written = model.generate(
            **Hearing()(samples, **given), **options, max_new_tokens=9, do_sample=False
        )
    seen = regard.trace_generation((samples, RATE), model, Hearing(), max_new_tokens=9)
    assert seen.target.ids == written["sequences"][0, :-1].tolist()
    weights = np.stack([seen.weights(*head, kind="cross") for head in HEADS])
    heard = weights[:, 1:, : round(seconds / FRAME)]
    starts = first_frames(monotone_path(emphasised(heard))) * FRAME
    times = written["token_timestamps"][0, 1:-1].tolist()
    assert starts == pytest.approx(times, abs=1e-5)
    assert seconds < 1 or len(set(times)) > 1


def test_words_have_the_times_at_which_their_tokens_are_written() -> None:
    table = regard.word_times(spoken(), [(0, 0)], filter_width=1)
    assert table.to_dict("list") == {
        "word": ["cows", "sleep"],
        "start": pytest.approx([0.0, 1.2]),
        "end": pytest.approx([1.0, 1.4]),
    }
    merged = spoken().merge_words().hide()
    assert regard.word_times(merged, [(0, 0)], filter_width=1).equals(table)


def test_the_mean_of_heads_is_taken() -> None:
    seen = spoken(heads=2)
    one, other, both = (
        regard.word_times(seen, heads, filter_width=1)
        for heads in ([(0, 0)], [(0, 1)], [(0, 0), (0, 1)])
    )
    assert not one.equals(other)
    weights = emphasised(seen.weights(0, kind="cross")[:, 1:, :8], 1)
    starts = first_frames(monotone_path(weights)) / 5
    assert both["start"].tolist() == pytest.approx([starts[0], starts[3]])


def test_silence_that_was_added_is_left_out() -> None:
    """The last row, which writes the end, reads most after the sound."""
    seen = spoken()
    longer = replace(seen, media=Media())
    assert regard.word_times(seen, [(0, 0)], filter_width=1)["end"].max() < 8 * 0.2
    assert regard.word_times(longer, [(0, 0)], filter_width=1)["end"].max() >= 8 * 0.2


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        ({"heads": []}, TypeError, r"such as \[\(2, 0\), \(3, 1\)\], but got \[\]"),
        ({"heads": (1, 0)}, TypeError, "list of pairs of a layer and a head"),
        ({"heads": "0.1"}, TypeError, "list of pairs"),
        ({"heads": [(0, 0, 0)]}, ValueError, r"pair of a layer and a head, but got \(0, 0, 0\)"),
        ({"heads": [(0, 9)]}, ValueError, "There is no head 9"),
        ({"heads": [(4, 0)]}, ValueError, "There is no layer 4"),
        ({"heads": [(0, 0.5)]}, TypeError, "head is a whole number"),
        ({"filter_width": 4}, ValueError, "odd number of frames, from 1 on, but got 4"),
        ({"filter_width": -1}, ValueError, "but got -1"),
        ({"filter_width": 1.5}, TypeError, "filter_width is a whole number"),
        ({"kind": "nobody"}, ValueError, "no attention of kind 'nobody'"),
        ({"seen": "text"}, TypeError, "A trace is expected"),
        ({"seen": Trace.from_weights([[1.0]])}, ValueError, r"only \('encoder',\)"),
    ],
)
def test_what_cannot_be_timed_is_said(
    ask: dict[str, Any], error: type[Exception], said: str
) -> None:
    given: dict[str, Any] = {"seen": spoken(), "heads": [(0, 0)], **ask}
    with pytest.raises(error, match=said):
        regard.word_times(**given)


def test_without_a_sound_or_a_word_it_says_so() -> None:
    seen = spoken()
    late: list[Place | None] = [Stretch(at + 99, at + 100) for at in range(len(seen.source.tokens))]
    after = replace(seen, source=replace(seen.source, places=late))
    with pytest.raises(ValueError, match=r"None of the \d+ frames .* lies within the sound"):
        regard.word_times(after, [(0, 0)])
    silent = replace(seen, source=replace(seen.source, places=None))
    with pytest.raises(ValueError, match="no place in a sound: trace one with its processor"):
        regard.word_times(silent, [(0, 0)])
    wordless = replace(seen, target=replace(seen.target, special=[True] * 6))
    with pytest.raises(ValueError, match="no word that was written"):
        regard.word_times(wordless, [(0, 0)])


def spoken(heads: int = 1) -> Trace:
    """Give a trace of a prompt of two, two words of three tokens, and a time that is no word.

    Each row that writes reads frames of 0.2 seconds after those of the row before; the first and
    the last, silence that was added.
    """
    weights = np.full((heads, 6, 12), 0.01)
    for row, read in enumerate([[11], [0, 1], [2, 3, 4], [5], [6, 7], [10, 11]]):
        weights[0, row, read] = 1
    for head in range(1, heads):
        weights[head] = np.roll(weights[0], head, axis=-1)
    weights /= weights.sum(axis=-1, keepdims=True)
    names = ["<s>", "<notimes>", "cow", "s", "<|0.40|>", "sleep"]
    seen = Trace.from_weights(weights, kind="cross", target_tokens=names)
    words = [None, None, Word(0, "cows"), Word(0, "cows"), None, Word(1, "sleep")]
    target = replace(seen.target, special=[True, True, *[False] * 4], words=words)
    frames: list[Place | None] = [Stretch(at / 5, (at + 1) / 5) for at in range(12)]
    source = replace(seen.source, places=frames, words=[None] * 12)
    media = Media(sound=sound(8 * 200), rate=1000)
    return replace(seen, source=source, target=target, media=media)


def sound(count: int) -> NDArray[np.float32]:
    """Give a tone of 100 hertz, at 1000 samples a second."""
    return np.sin(2 * np.pi * 100 * np.arange(count) / 1000).astype(np.float32)
