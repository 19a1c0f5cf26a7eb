"""Regions against a raster so fine that every edge lies on it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.evidence.regions import Region, boxes_of, region_of
from regard.record.places import Box, Media, Stretch

WIDE, HIGH, FINE = 8, 6, 4  # a picture, and the dots of a raster in a pixel's side
MEDIA = Media((np.zeros((HIGH, WIDE, 3), dtype=np.uint8),))
across, down = st.integers(-FINE, (WIDE + 1) * FINE), st.integers(-FINE, (HIGH + 1) * FINE)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, right = sorted(draw(st.lists(across, min_size=2, max_size=2, unique=True)))
    top, bottom = sorted(draw(st.lists(down, min_size=2, max_size=2, unique=True)))
    return Box(0, left / FINE, top / FINE, right / FINE, bottom / FINE)


def dots(box: Box) -> np.ndarray:
    """Say which dots of the raster, of the picture and a pixel round it, lie in a box."""
    x = (np.arange(-FINE, (WIDE + 1) * FINE) + 0.5) / FINE
    y = (np.arange(-FINE, (HIGH + 1) * FINE) + 0.5) / FINE
    return np.outer((box.top < y) & (y < box.bottom), (box.left < x) & (x < box.right))


def areas(region: Region, asked: list[Box]) -> np.ndarray:
    return region.area(boxes_of(asked))


@given(st.lists(boxes(), min_size=1, max_size=5), st.lists(boxes(), min_size=1, max_size=5))
def test_areas_of_boxes_are_those_of_a_raster(gold: list[Box], asked: list[Box]) -> None:
    picture = dots(Box(0, 0, 0, WIDE, HIGH))
    union = np.logical_or.reduce([dots(box) for box in gold])
    if not (union & picture).any():
        return
    expected = [(union & dots(box)).sum() / FINE**2 for box in asked]
    assert areas(region_of(gold, MEDIA), asked) == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 2**32), st.lists(boxes(), min_size=1, max_size=5))
def test_areas_of_a_mask_are_those_of_a_raster(seed: int, asked: list[Box]) -> None:
    mask = np.random.default_rng(seed).random((HIGH, WIDE)) < 0.4
    mask[0, 0] = True
    union = np.pad(np.kron(mask, np.ones((FINE, FINE), dtype=bool)), FINE)
    expected = [(union & dots(box)).sum() / FINE**2 for box in asked]
    assert areas(region_of(mask, MEDIA), asked) == pytest.approx(expected, abs=1e-9)


@given(st.lists(boxes(), min_size=1, max_size=4), across, down)
def test_a_point_is_in_a_region_if_it_is_in_one_of_its_boxes(
    gold: list[Box], x: int, y: int
) -> None:
    try:
        region = region_of(gold, MEDIA)
    except ValueError:
        return  # outside of the picture
    u, v = x / FINE, y / FINE
    inside = any(b.left <= u < b.right and b.top <= v < b.bottom for b in gold)
    assert region.holds(np.array([u]), np.array([v])).tolist() == [inside]


def test_a_stretch_is_measured_in_seconds() -> None:
    heard = Media(sound=np.zeros(3000, dtype=np.float32), rate=1000)
    region = region_of([Stretch(0.5, 1.0), Stretch(0.75, 1.5)], heard)
    asked = boxes_of([Stretch(0, 0.75), Stretch(1, 2), Stretch(2, 3)])
    assert region.area(asked).tolist() == [0.25, 0.5, 0.0]


def test_a_region_is_laid_on_a_larger_picture() -> None:
    region = region_of(Box(0, 2, 3, 4, 6), MEDIA).scaled(2, 10)
    assert areas(region, [Box(0, 0, 0, 100, 100), Box(0, 0, 0, 6, 45)]).tolist() == [120.0, 30.0]


MASK = np.ones((HIGH, WIDE), dtype=bool)
TWO = Media(MEDIA.pictures * 2)


def test_a_mask_of_one_of_several_pictures_is_named() -> None:
    assert region_of({1: MASK}, TWO).picture == 1


@pytest.mark.parametrize(
    ("gold", "media", "error", "said"),
    [
        ("face", MEDIA, TypeError, "A region is a Box or a Stretch, a list of such, or a mask"),
        ([(0, 1, 1, 2)], MEDIA, TypeError, "A region is a Box or a Stretch"),
        ([], MEDIA, ValueError, "lies in nothing"),
        ([Box(0, 0, 0, 1, 1), Box(1, 0, 0, 1, 1)], TWO, ValueError, "several pictures"),
        ([Box(0, 0, 0, 1, 1), Stretch(0, 1)], MEDIA, ValueError, "or in a sound too"),
        (Box(0, 8, 0, 9, 1), MEDIA, ValueError, "no part in what the model saw or heard, 8 x 6"),
        (Box(0, 1, 1, 1, 2), MEDIA, ValueError, "has no part"),
        (Box(2, 0, 0, 1, 1), MEDIA, ValueError, "picture 2, but the trace has 1 pictures and no"),
        (Stretch(0, 1), MEDIA, ValueError, "in a sound, but the trace has 1 pictures and no sound"),
        (MASK.astype(int), MEDIA, TypeError, "A mask is bool, True where the region is, but got"),
        (MASK.T, MEDIA, ValueError, r"picture 0 is \(6, 8\) with any True, but got \(8, 6\), 48"),
        (~MASK, MEDIA, ValueError, r"but got \(6, 8\), 0 of them True"),
        (MASK, TWO, ValueError, "A mask is of one picture, but there are 2"),
        ({0: MASK, 1: MASK}, TWO, ValueError, r"masks of \[0, 1\] are given"),
    ],
)
def test_what_is_no_region_is_said(
    gold: Any, media: Media, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        region_of(gold, media)


@pytest.mark.parametrize(
    ("gold", "error"),
    [
        (Box(0, -np.inf, 0, 8, 8), ValueError),
        (Box(-1, 0, 0, 8, 8), ValueError),
        ({-1: np.ones((HIGH, WIDE), dtype=bool)}, ValueError),
        ({"a": np.ones((HIGH, WIDE), dtype=bool)}, TypeError),
        ({0.0: np.ones((HIGH, WIDE), dtype=bool)}, TypeError),
    ],
)
def test_regions_of_no_picture_or_without_an_end_are_refused(
    gold: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"[Pp]icture|whole number"):
        region_of(gold, MEDIA)
