"""Each token of a picture is given the place that it sees."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import transformers as t
from PIL import Image
from torch import nn

import regard
from regard.record.places import Box, Stretch
from regard.tracing.marks import Spot, confirmed, peaks
from tests.any_sights import any_seeing, that_see
from tests.sight_checks import check_places
from tests.tiny_sights import SEEING, SIDE, SQUARE, Seeing, picture
from tests.tiny_sounds import HEARING, sound

SIZES = [(200, 120), (75, 211)]
OF_TRANSFORMERS = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@OF_TRANSFORMERS
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SEEING)
def test_a_mark_moves_the_tokens_of_its_place(name: str, size: tuple[int, int]) -> None:
    seeing = SEEING[name]()
    found = check_places(seeing, picture(*size), tries=3)
    placed = {side: one for side, one in found.items() if one.num_placed}
    towers = [side for side, one in placed.items() if one.num_placed >= 8]
    assert towers
    assert seeing.part is None or any(side.startswith(seeing.part) for side in placed)
    assert [one.wrong for one in placed.values() if one.wrong] == []
    if seeing.is_sharp and name != "Idefics3":  # it shrinks before it enlarges
        assert [one.wide for one in placed.values() if one.wide] == []


@OF_TRANSFORMERS
@pytest.mark.parametrize("model_type", ["siglip2", "cvt", "git", "hiera", "llava", "aya_vision"])
def test_a_mark_moves_the_tokens_of_its_place_in_any_type(model_type: str) -> None:
    family = next(one for one in that_see() if one.model_type == model_type)
    found = check_places(any_seeing(family), picture(200, 120), tries=2)
    assert sum(one.num_placed for one in found.values()) >= 4
    assert [one.wrong for one in found.values() if one.wrong] == []


@pytest.mark.parametrize("name", HEARING)
def test_a_mark_moves_the_tokens_of_its_stretch(name: str) -> None:
    found = check_places(HEARING[name](), sound(), tries=4)
    assert found["encoder"].num_placed >= 30
    assert found["encoder"].wrong == []


class Patches(torch.nn.Module):
    """Reads patches in an order of its own, or several as one token."""

    def __init__(self, order: list[int], side: int = 8, *, is_mixed: bool = False) -> None:
        super().__init__()
        self.order, self.is_mixed = order, is_mixed
        self.embed = torch.nn.Conv2d(3, 16, side, side)
        self.attend = torch.nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x).flatten(2).mT[:, self.order]
        if self.is_mixed:  # each with one far from it
            tokens = tokens + tokens.roll(len(self.order) // 2, dims=1)
        return self.attend(tokens, tokens, tokens)[0]


def whole(shown: Image.Image) -> torch.Tensor:
    """Squeeze a picture into 32 x 16 pixels."""
    return torch.from_numpy(np.asarray(shown.resize((32, 16))) / 255).permute(2, 0, 1).float()


ORDERS = [[7, 2, 5, 0, 1, 6, 3, 4], [1, 0, 2, 3, 4, 5, 6, 7], [0, 4, 1, 5, 2, 6, 3, 7]]


@pytest.mark.parametrize("order", ORDERS)
def test_patches_in_another_order_are_where_they_are_seen(order: list[int]) -> None:
    seen = regard.trace(picture(100, 50), Patches(order).eval(), whole)
    corners = [(25 * (at % 4), 25 * (at // 4)) for at in order]
    assert [place and tuple(place[1:3]) for place in seen.source.places or []] == corners


def test_tokens_that_see_several_patches_have_no_place(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "regard.tracing.placing"):
        seen = regard.trace(picture(100, 50), Patches(list(range(8)), is_mixed=True).eval(), whole)
    assert seen.source.places is None
    assert "its 8 tokens see no one part of a grid each" in caplog.text


def test_a_patch_that_does_not_fit_is_left_out() -> None:
    model = Patches(list(range(2)), side=14).eval()  # two of 14 pixels, and four that none reads
    places = regard.trace(picture(100, 50), model, whole).source.places or []
    assert [tuple(np.round(place[1:], 1)) for place in places if place] == [
        (0, 0, 43.8, 43.8),
        (43.8, 0, 87.5, 43.8),
    ]


def test_a_model_that_is_left_in_training_is_asked_without_dropout() -> None:
    seeing = SEEING["ViT"]()
    for module in seeing.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    seeing.model.train()
    seen = regard.trace(picture(40, 30), seeing.model, seeing.processor)
    assert sum(place is not None for place in seen.source.places or []) == 16
    assert seeing.model.training


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
    def right_half(shown: Image.Image) -> torch.Tensor:
        half = shown.crop((shown.width // 2, 0, shown.width, shown.height)).resize((32, 16))
        return torch.from_numpy(np.asarray(half) / 255).permute(2, 0, 1).float()

    seen = regard.trace(picture(100, 50), Patches(list(range(8))).eval(), right_half)
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


def swin(*depths: int) -> Seeing:
    """Build a Swin; the second layer of each stage shifts its windows."""
    config = t.SwinConfig(
        image_size=SIDE, patch_size=4, embed_dim=16, depths=depths, num_heads=[2, 4], window_size=4
    )
    return Seeing(t.SwinModel(config), t.ViTImageProcessor(size=SQUARE))


def test_windows_that_shift_have_no_places(caplog: pytest.LogCaptureFixture) -> None:
    seeing = swin(2, 2)
    with caplog.at_level(logging.INFO, "regard.tracing.placing"):
        seen = regard.trace(picture(200, 120), seeing.model.eval(), seeing.processor)
    assert len(seen.parts) == 2
    assert [side.places for both in seen.sides.values() for side in both] == [None] * 4
    assert seen.source.places is None
    assert "its layers read windows in several orders" in caplog.text


def test_windows_that_do_not_shift_are_where_they_are_seen() -> None:
    found = check_places(swin(1, 1), picture(200, 120), tries=8)
    assert [one.num_placed for one in found.values()] == [256, 64]
    assert [(one.wrong, one.wide) for one in found.values()] == [([], []), ([], [])]
    seeing = swin(1, 1)
    seen = regard.trace(picture(64, 64), seeing.model.eval(), seeing.processor)
    places = [place for place in seen.sides[seen.kinds[0]][0].places or [] if place]
    assert [place[1:3] for place in places[14:18]] == [(8, 12), (12, 12), (16, 0), (20, 0)]


def asking(order: list[Spot | None]) -> Callable[[Sequence[Spot]], Any]:
    """Answer as tokens do that see one part each, in this order, and no other."""

    def ask(marked: Sequence[Spot]) -> Any:
        return np.array([float(spot is not None and spot in marked) for spot in order])

    return ask


def test_two_tokens_that_are_swapped_are_told() -> None:
    """Wherever they are: no two tokens are always marked together."""
    spots: list[Spot | None] = [Spot(Box(0, n, 0, n + 1, 1), (n,)) for n in range(64)]
    assert confirmed(spots, asking(spots))
    for first in range(64):
        for second in range(first + 1, 64):
            swapped = [*spots]
            swapped[first], swapped[second] = spots[second], spots[first]
            assert not confirmed(swapped, asking(spots))


def test_a_class_token_in_the_middle_is_not_taken_for_a_patch() -> None:
    spots: list[Spot | None] = [Spot(Box(0, n, 0, n + 1, 1), (n,)) for n in range(20)]
    true = [*spots[:9], None, *spots[9:]]

    def ask(marked: Sequence[Spot]) -> Any:  # neighbours see some of it, too
        moved = asking(true)(marked)
        patches = [at for at, one in enumerate(true) if one]
        moved[patches] = np.convolve(moved[patches], [0.4, 1, 0.4], "same")
        return moved

    assert peaks(true, ask) == 1
    assert peaks([None, *spots], ask) == 0
    assert peaks([*spots, None], ask) == 0


class Remembers(nn.Module):
    """Keeps what it saw, and says when a forward pass did not end."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, SIDE // 4, SIDE // 4)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.register_buffer("memory", torch.zeros(()))
        self.runs: list[str] = []
        self.is_running = False

    def forward(self, pixel_values: torch.Tensor) -> Any:
        assert not self.is_running, "a forward pass before did not end"
        self.is_running = True
        self.runs.append("forward")
        self.memory = pixel_values.mean() + 0 * torch.rand(())
        x = self.patches(pixel_values).flatten(2).mT
        out = self.attention(x, x, x, need_weights=False)[0]
        self.is_running = False
        return out


def test_a_model_with_a_memory_has_seen_the_picture_alone() -> None:
    processor = SEEING["ViT"]().processor
    model = Remembers().eval()
    given = processor(Image.fromarray(picture(200, 120)), return_tensors="pt")
    torch.manual_seed(0)
    with torch.no_grad():
        model(**given)
    once, memory = torch.rand(()), model.memory
    model.runs.clear()
    torch.manual_seed(0)
    seen = regard.trace(picture(200, 120), model, processor)
    assert len([place for place in seen.source.places or [] if place]) == 16
    assert torch.equal(torch.rand(()), once)  # as after one forward pass
    assert model.runs == ["forward"]
    assert torch.equal(model.memory, memory)
    assert not model.is_running


def test_other_threads_run_a_model_that_is_traced() -> None:
    seeing = SEEING["ViT"]()
    model = seeing.model.eval()
    given = seeing.processor(Image.fromarray(picture(200, 120)), return_tensors="pt")
    with torch.no_grad():
        before = model(**given)[0]
    errors: list[Exception] = []
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            try:
                with torch.no_grad():
                    assert torch.allclose(model(**given)[0], before, atol=1e-5)
            except Exception as error:  # noqa: BLE001  whatever it is
                errors.append(error)
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        for _ in range(5):
            seen = regard.trace(picture(200, 120), model, seeing.processor)
            assert any(seen.source.places or [])
    finally:
        done.set()
        thread.join()
    assert errors == []
