"""What a processor shows is followed to the picture, or, where it cannot be, refused."""

import logging
from collections.abc import Callable

import numpy as np
import pytest
import torch
import transformers as t
from PIL import Image, ImageOps

import regard
from regard.record.places import Box, Pixels
from regard.tracing.processed import processed
from regard.tracing.sights import UnseenError, sights_of
from tests.any_sights import any_seeing, that_see
from tests.tiny_sights import PATCH, SIDE, picture, tower

Shown = Image.Image
SMALL = (SIDE, SIDE)


def numbers(shown: Shown) -> torch.Tensor:
    """Squeeze a picture into a square of numbers, with its channels first."""
    squeezed = torch.from_numpy(np.asarray(shown.resize(SMALL)).copy()).float() / 255
    return squeezed.permute(2, 0, 1) if squeezed.dim() == 3 else squeezed[None]


def page() -> Pixels:
    """Give a white page with something on its lower right."""
    white = np.full((256, 256, 3), 255, dtype=np.uint8)
    white[128:192, 128:192] = picture(64, 64) // 2
    return white


def trimmed(shown: Shown) -> Shown:
    """Cut white margins off."""
    return shown.crop(ImageOps.invert(shown.convert("L")).getbbox())


def bordered(shown: Shown) -> Shown:
    """Show the middle of a picture, in a black frame."""
    return ImageOps.expand(shown.crop((64, 64, 192, 192)), 64)


def cropped_at_random() -> Callable[[Shown], torch.Tensor]:
    dice = np.random.default_rng(0)

    def processor(shown: Shown) -> torch.Tensor:
        left, top = (int(n) for n in dice.integers(0, 100, 2))
        return numbers(shown.crop((left, top, left + 128, top + 128)))

    return processor


def mirrored_by_chance() -> Callable[[Shown], torch.Tensor]:
    chances = iter([True])  # the model sees it mirrored, and nothing after is

    def processor(shown: Shown) -> torch.Tensor:
        return numbers(ImageOps.mirror(shown) if next(chances, False) else shown)

    return processor


TURNED = "it turns or bends pictures, or changes their greys unevenly"
HANGS = "what it shows hangs on what is in the picture"
ELSEWHERE = "what it shows is not where it shows other pictures"
NOT_FOLLOWED: dict[str, tuple[Callable[[Shown], torch.Tensor], str]] = {
    "turned by 5 degrees": (lambda shown: numbers(shown.rotate(5)), TURNED),
    "turned by 90 degrees": (lambda shown: numbers(shown.rotate(90)), TURNED),
    "gamma": (lambda shown: numbers(shown) ** 2.2, TURNED),
    "mirrored": (lambda shown: numbers(ImageOps.mirror(shown)), "it mirrors pictures"),
    "framed": (lambda shown: numbers(bordered(shown)), ELSEWHERE),
    "all alike": (
        lambda shown: numbers(shown) * 0,
        "its pixels do not change from a black picture to a white one",
    ),
}


def logged(caplog: pytest.LogCaptureFixture, shown: Pixels, processor: object) -> str:
    with caplog.at_level(logging.INFO, "regard.tracing.placing"):
        assert processed(Image.fromarray(shown), processor).sights.count == 0
    return caplog.text


@pytest.mark.parametrize("name", NOT_FOLLOWED)
def test_what_is_no_upright_part_is_not_followed(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    processor, why = NOT_FOLLOWED[name]
    assert why in logged(caplog, picture(256, 256), processor)


@pytest.mark.parametrize("chance", [cropped_at_random, mirrored_by_chance])
def test_chance_is_not_followed(
    chance: Callable[[], Callable[[Shown], torch.Tensor]], caplog: pytest.LogCaptureFixture
) -> None:
    text = logged(caplog, picture(256, 256), chance())
    assert any(why in text for why in ("it gives other pixels each time", TURNED))


@pytest.mark.parametrize(
    "processor",
    [
        lambda shown: numbers(trimmed(shown)),
        t.NougatImageProcessor(size={"height": SIDE, "width": SIDE}, do_align_long_axis=False),
    ],
)
def test_a_crop_of_margins_is_not_followed(
    processor: object, caplog: pytest.LogCaptureFixture
) -> None:
    text = logged(caplog, page(), processor)
    assert any(why in text for why in (HANGS, ELSEWHERE, TURNED))


@pytest.mark.parametrize("mode", ["L", "HSV"])
def test_greys_and_other_colours_have_places(mode: str) -> None:
    channels = len(Image.new(mode, (1, 1)).getbands())
    model = t.ViTModel(t.ViTConfig(**tower(num_channels=channels))).eval()
    seen = regard.trace(picture(200, 120), model, lambda shown: numbers(shown.convert(mode)))
    places = seen.source.places or []
    across = SIDE // PATCH
    corners = [(200 * (n % across) / across, 120 * (n // across) / across) for n in range(16)]
    assert [place and tuple(place[1:3]) for place in places[1:]] == corners


LONG = [(56, 8400), (4200, 140), (280, 560)]


@pytest.mark.parametrize("size", LONG)
def test_rows_and_columns_of_patches_are_those_of_the_processor(size: tuple[int, int]) -> None:
    width, height = size
    sights = processed(picture(width, height), t.Qwen2VLImageProcessor()).sights
    # in squares of 2 x 2: of each square the upper two, then the lower two
    corners = [
        (x + dx, y + dy)
        for y in range(0, height, 28)
        for x in range(0, width, 28)
        for dy in (0, 14)
        for dx in (0, 14)
    ]
    assert [box and tuple(box) for box in sights.patches] == [
        pytest.approx((0, x, y, x + 14, y + 14), abs=1e-3) for x, y in corners
    ]


@pytest.mark.parametrize("size", [(200, 120), (75, 211)])
def test_a_grid_of_patches_that_is_padded_ends_with_the_picture(size: tuple[int, int]) -> None:
    family = next(one for one in that_see() if one.model_type == "glm5_next")
    images = any_seeing(family).processor.image_processor  # of 14 pixels, on even rows and columns
    sights = processed(picture(*size), images).sights
    width, height = size
    corners = {(x, y) for y in range(0, height, 14) for x in range(0, width, 14)}
    found = [box for box in sights.patches if box]
    assert len(found) == len(corners)
    assert {(round(box.left), round(box.top)) for box in found} == corners
    assert (max(box.right for box in found), max(box.bottom for box in found)) == size


def test_patches_that_share_a_box_are_refused() -> None:
    processor = t.Qwen2VLImageProcessor()

    def see(shown: list[Shown]) -> torch.Tensor:
        return torch.as_tensor(processor(images=shown, return_tensors="pt")["pixel_values"])

    assert sights_of([picture(280, 140)], see).patches[0] == Box(0, 0, 0, 14, 14)
    with pytest.raises(UnseenError, match="too narrow"):
        sights_of([picture(140, 5740)], see)
