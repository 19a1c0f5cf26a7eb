"""Melodies of which it is known when each note sounds, and tiny models that hear them.

A note is a word: `do re mi`. Weights are random; the processor's parts are transformers' own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers as t
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from regard.record.places import Samples, Stretch

RATE = 16_000  # samples a second
SECONDS = 3.0  # that the models hear
NOTES = {"do": 523, "re": 659, "mi": 831, "fa": 1047, "sol": 1319, "la": 1661, "si": 2093}  # hertz
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
MOST_NOTES = 6
BANDS = 40  # of a spectrogram
FADE = 0.02  # seconds in which a note comes and goes
HISS = 0.003


@dataclass(frozen=True)
class Melody:
    """A sound, and which notes sound when."""

    samples: Samples
    notes: list[str]
    stretches: list[Stretch]

    @property
    def text(self) -> str:
        """What is heard."""
        return " ".join(self.notes)


def melody(random: np.random.Generator, count: int | None = None) -> Melody:
    """Play so many notes one after another, with short rests; else from 2 to 6."""
    count = int(random.integers(2, MOST_NOTES + 1)) if count is None else count
    notes = [list(NOTES)[at] for at in random.integers(0, len(NOTES), count)]
    rests, lengths = random.uniform(0.02, 0.15, count), random.uniform(0.15, 0.33, count)
    ends = np.cumsum(rests + lengths)
    stretches = [Stretch(end - long, end) for end, long in zip(ends, lengths, strict=True)]
    samples = random.normal(0, HISS, int((ends[-1] + 0.1) * RATE))
    for note, stretch in zip(notes, stretches, strict=True):
        sound = tone(NOTES[note] * random.uniform(0.98, 1.02), stretch.end - stretch.start)
        start = int(stretch.start * RATE)
        samples[start : start + len(sound)] += sound
    return Melody(samples.astype(np.float32), notes, stretches)


def tone(hertz: float, seconds: float) -> NDArray[np.float64]:
    """Play a note with two overtones."""
    at = np.arange(int(seconds * RATE))
    loud = np.minimum(1, np.minimum(at, at[::-1]) / (FADE * RATE))
    waves = [np.sin(2 * np.pi * hertz * n * at / RATE) / n for n in (1, 2, 3)]
    return np.asarray(0.2 * loud * np.sum(waves, axis=0))


def tokenizer() -> t.PreTrainedTokenizerFast:
    """Give a tokenizer of the notes."""
    vocabulary = {word: at for at, word in enumerate([*SPECIAL, *NOTES])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106  no password
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", SPECIAL.index("</s>"))]
    )
    names = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    return t.PreTrainedTokenizerFast(tokenizer_object=backend, **names)


class Hearing:
    """What Whisper's processor does, for the few words of this tokenizer."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.feature_extractor = t.WhisperFeatureExtractor(
            feature_size=BANDS, chunk_length=int(seconds)
        )
        self.tokenizer = tokenizer()

    def __call__(self, sound: Any, **options: Any) -> Any:
        """Turn a sound into a spectrogram, with silence after it."""
        return self.feature_extractor(sound, **options)


def whisper(seconds: float = SECONDS, **more: Any) -> Any:
    """Give a Whisper of random weights that writes notes; by default a tiny one."""
    size: dict[str, Any] = {
        **dict.fromkeys(("encoder_layers", "decoder_layers"), 2),
        **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
        **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 128),
        "d_model": 64,
        "max_target_positions": 32,
    }
    config = t.WhisperConfig(
        vocab_size=len(SPECIAL) + len(NOTES),
        num_mel_bins=BANDS,
        max_source_positions=int(50 * seconds),
        decoder_start_token_id=SPECIAL.index("<s>"),
        bos_token_id=SPECIAL.index("<s>"),
        eos_token_id=SPECIAL.index("</s>"),
        pad_token_id=SPECIAL.index("<pad>"),
        **size | more,
    )
    torch.manual_seed(0)
    return t.WhisperForConditionalGeneration(config).eval()
