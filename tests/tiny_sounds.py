"""Tiny random models that hear, with transformers' own feature extractors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import transformers as t
from numpy.typing import NDArray

from tests.tiny_sights import Seeing

RATE, SECONDS = 16_000, 1.3
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
WAVES: dict[str, Any] = {
    **SMALL,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "feat_extract_norm": "layer",
}


def _of_waves(model: type, config: type, **more: object) -> Callable[[], Seeing]:
    extractor = t.Wav2Vec2FeatureExtractor(do_normalize=False)
    return lambda: Seeing(model(config(**{**WAVES, **more})), extractor, is_redrawn=False)


def _whisper() -> Seeing:
    config = t.WhisperConfig(
        d_model=32,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_source_positions=100,
        vocab_size=64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        begin_suppress_tokens=None,
    )
    extractor = t.WhisperFeatureExtractor(chunk_length=2)
    return Seeing(t.WhisperForConditionalGeneration(config), extractor)


def _spectrogram() -> Seeing:
    config = t.ASTConfig(**SMALL, max_length=128, num_mel_bins=64)
    extractor = t.ASTFeatureExtractor(max_length=128, num_mel_bins=64)
    return Seeing(t.ASTModel(config), extractor)


HEARING: dict[str, Callable[[], Seeing]] = {
    "wav2vec2": _of_waves(t.Wav2Vec2Model, t.Wav2Vec2Config),
    "wav2vec2, its waves normed in groups": _of_waves(
        t.Wav2Vec2Model, t.Wav2Vec2Config, feat_extract_norm="group"
    ),
    "HuBERT": _of_waves(t.HubertModel, t.HubertConfig),
    "WavLM": _of_waves(t.WavLMModel, t.WavLMConfig),
    "Whisper": _whisper,
    "Audio spectrogram transformer": _spectrogram,
}


def sound() -> tuple[NDArray[np.float32], int]:
    """Give a sound of noise."""
    drawn = np.random.default_rng(0).normal(0, 0.1, round(SECONDS * RATE))
    return drawn.astype(np.float32), RATE
