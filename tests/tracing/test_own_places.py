"""Places that are given: where they lie, whose they are, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

import regard
from regard.lessons.scenes import PATCH, QUESTION_IDS, ROW, patch_boxes
from regard.lessons.seer import Seer
from regard.record.places import Box, Stretch
from regard.record.regrouping import sides_of
from regard.record.trace import Trace

PICTURE = np.arange(48, dtype=np.uint8).reshape(4, 12)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 30), st.integers(1, 30))
def test_a_grid_covers_each_point_once(rows: int, columns: int, width: int, height: int) -> None:
    boxes = regard.grid(rows, columns, np.zeros((height, width)))
    for u, v in np.random.default_rng(0).random((20, 2)):
        x, y = u * width, v * height
        inside = [b.left <= x < b.right and b.top <= y < b.bottom for b in boxes]
        assert np.flatnonzero(inside).tolist() == [int(v * rows) * columns + int(u * columns)]


def test_a_grid_is_in_the_order_in_which_a_convolution_cuts_patches() -> None:
    cut = nn.Unfold(4, stride=4)(torch.arange(8 * 12.0).view(1, 1, 8, 12))[0].T  # (6, 16)
    for box, patch in zip(regard.grid(2, 3, np.zeros((8, 12))), cut, strict=True):
        assert patch[0] == box.top * 12 + box.left
        assert patch[-1] == (box.bottom - 1) * 12 + box.right - 1


def test_a_grid_lies_over_the_part_that_transforms_left() -> None:
    crop = Box(1, 10, 20, 30, 60)
    first, *_, last = regard.grid(4, 2, crop)
    assert (first, last) == (Box(1, 10, 20, 20, 30), Box(1, 20, 50, 30, 60))


def test_a_grid_lies_over_a_picture_as_it_is_seen_upright() -> None:
    lying = Image.new("RGB", (20, 10))
    lying.getexif()[0x0112] = 6  # turned by a quarter
    lying.info["exif"] = lying.getexif().tobytes()
    (box,) = regard.grid(1, 1, lying)
    assert (box.right, box.bottom) == (10, 20)


def test_places_are_of_the_side_that_is_read() -> None:
    torch.manual_seed(0)
    pixels = torch.zeros(ROW * PATCH, ROW * PATCH, 3, dtype=torch.uint8)
    seen = regard.trace((pixels[None], QUESTION_IDS[[0]]), Seer().eval())
    seen = regard.place(seen, patch_boxes(), images=pixels.numpy())
    for kind, both in {
        "cross": (False, True),
        "encoder": (True, True),
        "decoder": (False, False),
    }.items():
        assert tuple(side.places == patch_boxes() for side in sides_of(seen, kind)) == both
    ax = regard.plot_on_image(seen, 0, 0, 4, kind="cross")
    assert "cross-attention, layer 0, head 0" in ax.get_title() + ax.get_title("left")


def test_patches_of_a_plain_model_with_a_class_token_are_drawn_where_they_lie() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cut = nn.Conv2d(3, 16, 4, stride=4)
            self.whole = nn.Parameter(torch.zeros(1, 1, 16))
            self.block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            patches = self.cut(x).flatten(2).mT
            return self.block(torch.cat([self.whole, patches], dim=1))

    torch.manual_seed(0)
    seen = regard.trace(torch.rand(1, 3, 8, 12), Plain().eval())
    picture = np.zeros((20, 40, 3), dtype=np.uint8)  # of which transforms cut out the middle
    crop = Box(0, 5, 0, 35, 20)
    seen = regard.place(seen, [None, *regard.grid(2, 3, crop)], images=picture)
    over = regard.plot_on_image(seen, 0, 1, 0).get_images()[1].get_array()
    drawn = np.asarray(over)
    assert np.isnan(drawn[:, :5]).all()
    assert np.isnan(drawn[:, 35:]).all()
    expected = seen.weights(0, 1)[0, 1:].reshape(2, 3).repeat(10, 0).repeat(10, 1)
    assert np.array_equal(drawn[:, 5:35], expected)


def test_frames_of_a_sound_have_seconds() -> None:
    seen = Trace.from_weights(np.eye(4))
    frames = [Stretch(at / 2, at / 2 + 0.5) for at in range(4)]
    seen = regard.place(seen, frames, sound=(np.zeros(2000), 1000))
    assert seen.source.places == frames
    assert (seen.media.rate, len(seen.media.sound)) == (1000, 2000)  # type: ignore[arg-type]


def test_places_of_pictures_that_are_there_need_none() -> None:
    seen = regard.place(Trace.from_weights(np.eye(3)), regard.grid(1, 3, PICTURE), images=PICTURE)
    moved = regard.place(seen, [*regard.grid(1, 2, PICTURE), None])
    assert moved.source.places == [*regard.grid(1, 2, PICTURE), None]
    assert moved.media is seen.media


@pytest.mark.parametrize(
    ("places", "more", "error", "said"),
    [
        (regard.grid(1, 2, PICTURE), {}, ValueError, "has 2 places, but 3 tokens are read"),
        (Box(0, 0, 0, 1, 1), {}, TypeError, "places is a list with a place for each token"),
        ([None, None, (0, 0, 1, 1)], {}, TypeError, "place of token 2 is a Box, a Stretch or None"),
        ([None, None, Box(1, 0, 0, 1, 1)], {}, ValueError, "lies outside of 12 x 4 pixels"),
        ([None, None, Box(0, 12, 0, 13, 4)], {}, ValueError, "token 2, .* lies outside"),
        ([None, Stretch(0, 1), None], {}, ValueError, "lies outside of 12 x 4"),
        (
            [None, None, Stretch(2, 3)],
            {"sound": (np.zeros(9), 9)},
            ValueError,
            "1 seconds of sound",
        ),
        ([None] * 3, {"kind": "cross"}, ValueError, "cross"),
        ([None] * 3, {"images": "no such.png"}, ValueError, "cannot be read as a picture"),
    ],
)
def test_what_is_no_place_is_said(
    places: Any, more: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        regard.place(Trace.from_weights(np.eye(3)), places, **{"images": PICTURE, **more})


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ((0, 2, PICTURE), ValueError, "at least one of its rows, but got rows=0"),
        ((1, 2.0, PICTURE), TypeError, "columns is a whole number"),
        ((1, 2, Box(0, 3, 0, 3, 4)), ValueError, "a Box that has an area"),
        ((1, 2, (8, 8)), TypeError, "A picture is one of Pillow's"),
    ],
)
def test_what_is_no_grid_is_said(asked: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        regard.grid(*asked)
