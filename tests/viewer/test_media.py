"""Pictures, sounds and places as the view is told of them."""

import io
import wave
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from regard.record.places import Box, Media, Place, Stretch
from regard.record.trace import Trace
from regard.viewer.look import checked
from regard.viewer.media import PICTURES, SOUND, pictures_of, sound_of
from regard.viewer.opening import Opening
from regard.viewer.packing import pack_meta
from regard.viewer.page import about_bytes, page_of, title_of
from tests.viewer.placed import GREY, WORDS, boxes, photo, with_pictures, with_sound


def file_of(url: str) -> io.BytesIO:
    return io.BytesIO(b64decode(url.partition(",")[2]))


def test_each_token_has_its_place() -> None:
    meta, _ = pack_meta(with_pictures(GREY, GREY))
    places = meta["sides"][0]["places"]
    assert places == [*map(tuple, boxes(0)), *map(tuple, boxes(1)), *[None] * len(WORDS)]
    meta, _ = pack_meta(with_sound())
    rows, columns = (meta["sides"][at] for at in (0, 1))
    assert rows["places"] is None
    assert columns["places"]
    assert columns["places"][:2] == [(0.0, 0.1), (0.1, 0.2)]


def test_of_rows_that_are_no_tokens_nothing_is_said_to_lie_anywhere() -> None:
    seen = with_pictures()
    weights = seen.weights(0, 0)[:5, :5]
    fewer = replace(seen, layers=Trace.from_weights(weights / weights.sum(1)[:, None]).layers)
    assert pack_meta(fewer)[0]["sides"][0]["places"] is None


def test_a_trace_without_places_takes_no_picture() -> None:
    seen = with_pictures()
    assert pictures_of(replace(seen, source=replace(seen.source, places=None))) == []
    assert sound_of(seen) is None


def test_a_drawn_picture_stays_as_it_is() -> None:
    drawn = GREY.copy()
    drawn[:60, :60] = (255, 0, 0)
    (found,) = pictures_of(with_pictures(drawn))
    assert (found["width"], found["height"]) == (240, 240)
    assert found["data"].startswith("data:image/webp;base64,")
    assert (np.asarray(Image.open(file_of(found["data"]))) == drawn).all()


@pytest.mark.parametrize("count", [1, 2, 30])
def test_pictures_are_scaled_down_to_what_a_page_has_room_for(count: int) -> None:
    large = photo(0, 1500, 2000)
    found = pictures_of(with_pictures(*[large] * count))
    assert {(one["width"], one["height"]) for one in found} == {(2000, 1500)}
    assert sum(len(one["data"]) for one in found) <= PICTURES
    wide, high = Image.open(file_of(found[0]["data"])).size
    assert wide / high == pytest.approx(4 / 3, rel=0.05)
    if count == 1:
        small = np.asarray(Image.fromarray(large).resize((wide, high)), dtype=float)
        assert wide >= 500
        assert np.abs(np.asarray(Image.open(file_of(found[0]["data"]))) - small).mean() < 20


@pytest.mark.parametrize(("high", "wide"), [(1, 1), (1, 5000), (4000, 3)])
def test_odd_pictures_are_shown_too(high: int, wide: int) -> None:
    (found,) = pictures_of(with_pictures(np.zeros((high, wide, 3), np.uint8)))
    assert Image.open(file_of(found["data"])).size[0] >= 1
    assert (found["width"], found["height"]) == (wide, high)


@pytest.mark.parametrize(
    ("seconds", "width", "rate"), [(4.0, 2, 16_000), (15.0, 2, 8_000), (30.0, 1, 8_000)]
)
def test_a_sound_is_as_good_as_there_is_room_for(seconds: float, width: int, rate: int) -> None:
    found = sound_of(with_sound(seconds))
    assert found
    assert found["seconds"] == seconds
    assert found["data"]
    assert len(found["data"]) <= SOUND * 1.01
    with wave.open(file_of(found["data"])) as wav:
        assert (wav.getsampwidth(), wav.getframerate()) == (width, rate)
        assert wav.getnframes() / rate == pytest.approx(seconds)
        samples = np.frombuffer(wav.readframes(wav.getnframes()), "u1" if width == 1 else "<i2")
    heard = samples / 127 - 128 / 127 if width == 1 else samples / 32767
    half = len(heard) // 2
    assert np.abs(heard[:half]).max() < 0.01
    assert np.abs(heard[half:]).max() == pytest.approx(0.5, abs=0.02)
    assert max(found["envelope"][:290]) == 0
    assert max(found["envelope"]) == pytest.approx(0.5, abs=0.01)


def test_a_long_sound_is_drawn_but_not_heard() -> None:
    found = sound_of(with_sound(60.0))
    assert found
    assert found["data"] is None
    assert len(found["envelope"]) == 600


def test_what_is_no_number_is_silence() -> None:
    seen = with_sound()
    assert seen.media.sound is not None
    broken = np.where(np.arange(len(seen.media.sound)) % 2, np.nan, np.inf).astype(np.float32)
    found = sound_of(replace(seen, media=replace(seen.media, sound=broken)))
    assert found
    assert set(found["envelope"]) <= {0.0, 1.0}


@pytest.mark.parametrize(
    "seen",
    [with_pictures(photo(0)), with_pictures(photo(0), photo(1)), with_sound(20.0)],
    ids=["one", "two", "sound"],
)
def test_the_size_that_is_said_counts_them(seen: Trace) -> None:
    real = len(page_of(seen, Opening(seen.head(0, 0))).encode())
    assert about_bytes(seen) == pytest.approx(real, rel=0.05)
    without = replace(seen, media=Media(), source=replace(seen.source, places=None))
    assert real - len(page_of(without, Opening(seen.head(0, 0))).encode()) > 40_000


def test_a_page_of_a_vits_heads_is_small() -> None:
    rng = np.random.default_rng(0)
    weights = np.exp(2.5 * rng.normal(size=(12, 12, 197, 197))).astype(np.float32)
    weights /= weights.sum(-1, keepdims=True)
    names = ["class", *(f"patch {at // 14}, {at % 14}" for at in range(196))]
    corners = [(16 * (at % 14), 16 * (at // 14)) for at in range(196)]
    places: list[Place | None] = [None, *(Box(0, x, y, x + 16, y + 16) for x, y in corners)]
    seen = Trace.from_weights(weights, names)
    placed = replace(seen.source, places=places, special=[True] + [False] * 196)
    seen = replace(seen, source=placed, media=Media((photo(1, 1000, 1400),)))
    page = page_of(seen, Opening(seen.head(0, 0)))
    assert len(page) <= 2_000_000  # of noise, which deflates badly
    assert len(page) == pytest.approx(about_bytes(seen), rel=0.05)


def test_a_page_is_named_by_its_words_not_by_patches() -> None:
    assert title_of(with_pictures()) == "a cat sleeps · attention"
    assert title_of(with_sound()) == "a cat sleeps · attention"
    seen = with_pictures()
    places = [*(seen.source.places or [])[:16], *[Box(0, 0, 0, 1, 1)] * len(WORDS)]
    assert title_of(replace(seen, source=replace(seen.source, places=places))).startswith(
        "a picture · "
    )


def test_a_look_says_what_is_unfolded() -> None:
    seen = with_pictures()
    assert checked({"unfolded": ["picture 1"]}, seen)["unfolded"] == ["picture 1"]
    assert checked({"level": 1}, seen)["level"] == 1
    with pytest.raises(TypeError, match="unfolded is a list such as"):
        checked({"unfolded": "picture 1"}, seen)
    with pytest.raises(TypeError, match="Each of unfolded is a text"):
        checked({"unfolded": [1]}, seen)


def test_words_that_lie_nowhere_have_no_place() -> None:
    seen = with_sound()
    places: list[Place | None] = [Stretch(0, 1), *[None] * 39]
    meta, _ = pack_meta(replace(seen, source=replace(seen.source, places=places)))
    assert meta["sides"][1]["places"] == [(0, 1), *[None] * 39]
