"""Each token of a picture is given the place that it sees."""

from typing import Any

import numpy as np
import pytest
import torch
import transformers as t
from PIL import Image

import regard
from regard.record.places import Box, Stretch
from tests.sight_checks import check_places
from tests.tiny_sights import SEEING, SIDE, SQUARE, picture

SIZES = [(200, 120), (75, 211)]
OF_TRANSFORMERS = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
MERGED = ["LLaVA", "LLaVA-NeXT", "Idefics3", "PaliGemma", "Qwen2.5-VL"]


@OF_TRANSFORMERS
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SEEING)
def test_a_mark_moves_the_tokens_of_its_place_in_a_tower(name: str, size: tuple[int, int]) -> None:
    found = check_places(SEEING[name](), picture(*size), "encoder", tries=3)
    assert found.num_placed >= 8
    assert found.wrong == []


@OF_TRANSFORMERS
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", MERGED)
def test_a_mark_moves_the_tokens_of_its_place_in_a_text(name: str, size: tuple[int, int]) -> None:
    seeing = SEEING[name]()
    found = check_places(seeing, picture(*size), seeing.part or "decoder", tries=3)
    assert found.num_placed >= 4
    assert found.wrong == []


def test_words_and_class_tokens_have_no_place() -> None:
    seeing = SEEING["LLaVA"]()
    seen = regard.trace(seeing.text, seeing.model, seeing.processor, images=picture(200, 120))
    places = dict(zip(seen.tokens, seen.source.places or [], strict=True))
    assert isinstance(places["<image>"], Box)
    assert places["what"] is None
    assert (seen.part("vision_tower").source.places or [None])[0] is None
    assert seen.media.pictures[0].shape == (120, 200, 3)


def test_several_pictures_are_told_apart() -> None:
    seeing = SEEING["LLaVA"]()
    two = [picture(200, 120), picture(60, 90)]
    seen = regard.trace("<image> <image> what", seeing.model, seeing.processor, images=two)
    found = [place for place in seen.source.places or [] if isinstance(place, Box)]
    assert [place.picture for place in found] == [0] * 16 + [1] * 16
    assert all(place.right <= 60 for place in found[16:])


def test_places_and_pictures_are_saved(tmp_path: Any) -> None:
    seeing = SEEING["ViT"]()
    seen = regard.trace(picture(40, 30), seeing.model, seeing.processor)
    seen.save(tmp_path / "x.trace")
    again = regard.Trace.load(tmp_path / "x.trace")
    assert again.source.places == seen.source.places
    assert np.array_equal(again.media.pictures[0], seen.media.pictures[0])


def test_a_function_of_a_picture_is_a_processor() -> None:
    class Patches(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Conv2d(3, 16, 8, 8)
            self.attend = torch.nn.MultiheadAttention(16, 2, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = self.embed(x).flatten(2).mT
            return self.attend(tokens, tokens, tokens)[0]

    def right_half(shown: Image.Image) -> torch.Tensor:
        half = shown.crop((shown.width // 2, 0, shown.width, shown.height)).resize((32, 16))
        return torch.from_numpy(np.asarray(half) / 255).permute(2, 0, 1).float()

    seen = regard.trace(picture(100, 50), Patches().eval(), right_half)
    places = seen.source.places or []
    assert len(places) == 8
    assert places[0] == pytest.approx(Box(0, 50, 0, 62.5, 25), abs=0.5)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_frames_of_a_sound_have_their_seconds(rate: int) -> None:
    torch.manual_seed(0)
    config = t.Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
        feat_extract_norm="layer",
    )  # fmt: skip
    model = t.Wav2Vec2Model(config).eval()
    extractor = t.Wav2Vec2FeatureExtractor(do_normalize=False)
    sound = np.random.default_rng(0).normal(0, 0.1, rate).astype(np.float32)
    marked = sound.copy()
    marked[rate // 2 : rate // 2 + rate // 100] *= -5  # from 0.50 to 0.51 seconds
    one, other = (regard.trace((x, rate), model, extractor) for x in (sound, marked))
    assert one.source.places is not None
    assert one.source.places[1] == pytest.approx(Stretch(0.02, 0.04))
    assert one.media.rate == rate
    assert len(one.source.places) == len(other.tokens)


def test_windows_in_an_order_of_their_own_have_no_places() -> None:
    config = t.SwinConfig(
        image_size=SIDE, patch_size=4, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4
    )
    model = t.SwinModel(config).eval()
    seen = regard.trace(picture(200, 120), model, t.ViTImageProcessor(size=SQUARE))
    assert len(seen.parts) == 2
    assert [side.places for both in seen.sides.values() for side in both] == [None] * 4
    assert seen.source.places is None
