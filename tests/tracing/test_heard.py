"""Models that hear: hostile sounds are right or refused; what they write has its seconds."""

from typing import Any

import numpy as np
import pytest
import torch
import transformers as t

import regard
from regard.record.places import Samples, Stretch
from regard.tracing.implementations import attending
from tests.tiny_melodies import RATE, SECONDS, Hearing, melody, whisper

SOUND = melody(np.random.default_rng(0), 4).samples
FRAME = 0.02


def listener() -> tuple[Any, Any]:
    """Give a wav2vec 2.0 of random weights, and what it is called by."""
    config = t.Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
        feat_extract_norm="layer",
    )  # fmt: skip
    torch.manual_seed(0)
    return t.Wav2Vec2Model(config).eval(), t.Wav2Vec2FeatureExtractor()


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.ones(RATE), SOUND], ids=["0", "1", "notes"])
def test_silence_is_heard(samples: Samples) -> None:
    for model, processor in (listener(), (whisper(), Hearing())):
        target = None if isinstance(processor, t.Wav2Vec2FeatureExtractor) else "do re"
        seen = regard.trace((samples, RATE), model, processor, target=target)
        assert seen.media.sound is not None
        assert len(seen.media.sound) == len(samples)
        for kind in seen.kinds:
            assert seen.weights(0, kind=kind).sum(-1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("count", [1, 399])
def test_a_sound_too_short_to_be_heard_is_refused(count: int) -> None:
    for model, processor in (listener(), (whisper(), Hearing())):
        with pytest.raises(ValueError, match=f"has {count} samples at 16000 .* too short"):
            regard.trace((np.ones(count) / 2, RATE), model, processor)
    model, processor = listener()
    assert len(regard.trace((np.ones(400) / 2, RATE), model, processor).tokens) == 1


def test_channels_bytes_and_rates_make_one_sound() -> None:
    """Half the samples at half the rate are the same sound, as far as lines between them go."""
    model, processor = listener()
    slow = np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)  # 100 hertz
    seen = regard.trace((slow, RATE), model, processor)
    for got in (
        (np.stack([slow, slow], axis=1), RATE),
        (slow[::2], RATE // 2),
        ((slow * 32767).astype(np.int16), RATE),
    ):
        other = regard.trace(got, model, processor)
        assert other.source.places == seen.source.places
        assert other.weights(0) == pytest.approx(seen.weights(0), abs=1e-3)


def test_what_a_speech_model_writes_has_its_weights_and_seconds() -> None:
    model = whisper(init_std=0.3)
    seen = regard.trace_generation((SOUND, RATE), model, Hearing(), max_new_tokens=6)
    heard = Hearing()(SOUND, sampling_rate=RATE, return_tensors="pt")
    options: dict[str, Any] = {"return_dict_in_generate": True, "output_attentions": True}
    options |= {"output_scores": True, "do_sample": False, "max_new_tokens": 6}
    with attending(model, "eager"):
        steps = model.generate(**heard, **options)
    assert seen.target.ids == steps["sequences"][0, :-1].tolist()
    for layer in range(2):
        cross = torch.cat([step[layer][0] for step in steps["cross_attentions"]], dim=1)
        assert seen.weights(layer, kind="cross") == pytest.approx(cross.numpy(), abs=1e-5)
    chances = torch.cat(steps["scores"]).softmax(-1).max(-1).values
    assert seen.probabilities == pytest.approx(chances.tolist(), abs=1e-5)
    frames = seen.source.places or []
    assert len(frames) == SECONDS / FRAME
    assert frames[7] == pytest.approx(Stretch(7 * FRAME, 8 * FRAME))
    read = regard.trace((SOUND, RATE), model, Hearing(), target="do re")
    assert read.source.places == frames


def test_rows_of_two_frames_have_the_seconds_of_both() -> None:
    """A click in the middle of two seconds moves the row that is said to lie there."""
    extractor: Any = t.SeamlessM4TFeatureExtractor()
    config = t.Wav2Vec2BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        feature_projection_input_dim=160, output_hidden_size=32,
    )  # fmt: skip
    random = np.random.default_rng(0)
    quiet = random.normal(0, 0.1, 2 * RATE).astype(np.float32)
    click = quiet.copy()
    click[RATE : RATE + 160] += random.normal(0, 0.5, 160).astype(np.float32)
    before, after = (
        extractor(x, sampling_rate=RATE, return_tensors="pt")["input_features"][0]
        for x in (quiet, click)
    )
    moved = int((after - before).abs().sum(-1).argmax())
    seen = regard.trace((quiet, RATE), t.Wav2Vec2BertModel(config).eval(), extractor)
    place = (seen.source.places or [])[moved]
    assert isinstance(place, Stretch)
    assert place.start - FRAME <= 1.0 <= place.end + FRAME
