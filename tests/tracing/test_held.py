"""Pictures and sounds as people hold them: right, or refused in words."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from regard.tracing.held import at_rate, is_picture, is_sound, pixels_of, samples_of

RED = [255, 0, 0]


def test_modes_of_pictures_become_red_green_and_blue() -> None:
    red = Image.new("RGB", (2, 1), "red")
    assert pixels_of(red)[0, 0].tolist() == RED
    assert pixels_of(red.convert("CMYK"))[0, 0].tolist() == RED
    assert pixels_of(red.convert("P"))[0, 0].tolist() == RED
    assert pixels_of(Image.new("L", (1, 1), 7))[0, 0].tolist() == [7, 7, 7]
    deep = Image.fromarray(np.full((1, 1), 65535, dtype=np.uint16))
    assert pixels_of(deep)[0, 0].tolist() == [255, 255, 255]


def test_what_is_clear_lies_on_white() -> None:
    clear = Image.new("RGBA", (1, 1), (255, 0, 0, 0))
    assert pixels_of(clear)[0, 0].tolist() == [255, 255, 255]
    assert pixels_of(np.array([[[1.0, 0.0, 0.0, 0.0]]]))[0, 0].tolist() == [255, 255, 255]


def test_a_picture_is_turned_as_its_camera_was_held(tmp_path: Path) -> None:
    lying = Image.new("RGB", (3, 1), "red")
    exif = lying.getexif()
    exif[0x0112] = 6  # a quarter turn
    lying.save(tmp_path / "x.png", exif=exif)
    assert pixels_of(tmp_path / "x.png").shape == (3, 1, 3)


@pytest.mark.parametrize("most", [1.0, 255, 65535])
def test_arrays_are_shares_bytes_or_16_bits(most: float) -> None:
    kind = {1.0: np.float32, 255: np.uint8, 65535: np.uint16}[most]
    assert pixels_of(np.full((2, 2), most).astype(kind)).min() == 255


@pytest.mark.parametrize(
    ("got", "said"),
    [
        (np.zeros((0, 4, 3), dtype=np.uint8), "has 4 x 0 pixels"),
        (np.full((2, 2), np.nan), "these go from nan"),
        (np.full((2, 2), -1.0), "these go from -1"),
        (np.zeros((2, 2, 7)), r"but got \(2, 2, 7\)"),
        (Path("no such.png"), "cannot be read as a picture"),
    ],
)
def test_what_is_no_picture_is_refused(got: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pixels_of(got)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    Image.new("1", (12_000, 12_000)).save(tmp_path / "bomb.png")
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(ValueError, match=r"12000 x 12000 pixels, but from 1 to 100,000,000"),
    ):
        pixels_of(tmp_path / "bomb.png")


def test_what_is_no_picture_at_all_is_said() -> None:
    with pytest.raises(TypeError, match="one of Pillow's, an array"):
        pixels_of(3)
    assert not is_picture("a text")
    assert not is_sound(("a pair", "of texts"))


def write(path: Path, samples: Any, width: int, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return path


def test_files_of_sounds_are_read(tmp_path: Path) -> None:
    bits8 = write(tmp_path / "8.wav", np.array([128, 192], dtype=np.uint8), 1)
    assert samples_of(bits8)[0].tolist() == [0.0, 0.5]
    stereo = np.array([[16384, 0], [0, -16384]], dtype="<i2")
    samples, rate = samples_of(write(tmp_path / "2.wav", stereo, 2, channels=2))
    assert (samples.tolist(), rate) == ([0.25, -0.25], 8000)
    assert samples_of((np.zeros(4), 16_000))[0].tolist() == [0.0] * 4  # silence is a sound


WAVE = np.array([0.0, 0.5, -0.5, 0.25])


@pytest.mark.parametrize(
    "got",
    [
        (WAVE, 8000),
        (WAVE.tolist(), np.int64(8000)),
        (torch.tensor(WAVE, dtype=torch.bfloat16), 8000),
        (torch.tensor(WAVE)[None], 8000),  # as torchaudio loads it
        {"array": WAVE, "sampling_rate": 8000, "path": None},  # as datasets hold it
        ((WAVE * 128).astype(np.int8), 8000),
        ((WAVE * 128 + 128).astype(np.uint8), 8000),
        ((WAVE * 2**15).astype(np.int16), 8000),
        ((WAVE * 2**31).astype(np.int32), 8000),
        (np.stack([WAVE, WAVE], axis=1), 8000),
        (np.stack([WAVE * 2, WAVE * 0, WAVE]), 8000),  # channels first
    ],
)
def test_samples_of_every_kind_are_one_sound(got: Any) -> None:
    assert is_sound(got)
    samples, rate = samples_of(got)
    assert (samples.tolist(), str(samples.dtype), rate) == (WAVE.tolist(), "float32", 8000)


@pytest.mark.parametrize(
    ("got", "error", "said"),
    [
        ((np.array([np.nan]), 8000), ValueError, "with NaN or infinity"),
        ((np.array([np.inf]), 8000), ValueError, "with NaN or infinity"),
        ((np.array([]), 8000), ValueError, r"but got \(0,\)"),
        (([], 8000), ValueError, r"but got \(0,\)"),
        ((np.zeros((2, 2, 2)), 8000), ValueError, r"but got \(2, 2, 2\)"),
        ((WAVE, 0), ValueError, "at 0 a second"),
        ((WAVE, -8000), ValueError, "at -8000 a second"),
        ((WAVE, 8000.0), TypeError, "whole number, but got 8000.0"),
        ((WAVE, True), TypeError, "whole number, but got True"),
        ((8000, WAVE), TypeError, r"is \(samples, rate\), .* in this order"),
        (WAVE, TypeError, "not known without its rate"),
        ((WAVE * 30_000, 8000), ValueError, "from -15000 to 15000 .* divide them"),
        (((WAVE * 30_000).astype(int), 8000), ValueError, "go from -1 to 1, but .*int64"),
        ((WAVE > 0, 8000), TypeError, "samples of a sound are numbers"),
        ((WAVE + 1j, 8000), TypeError, "samples of a sound are numbers"),
        (([None, 1.0], 8000), TypeError, "samples of a sound are numbers"),
        (([[1.0], [0.5, 1.0]], 8000), TypeError, "samples of a sound are numbers"),
    ],
)
def test_what_is_no_sound_is_refused(got: Any, error: type[Exception], said: str) -> None:
    assert is_sound(got)  # it is meant as one, so that it is refused as one
    with pytest.raises(error, match=said):
        samples_of(got)


@pytest.mark.parametrize("got", [("a", "pair"), (torch.ones(1), torch.ones(1)), np.ones((2, 2))])
def test_what_is_meant_otherwise_is_no_sound(got: Any) -> None:
    assert not is_sound(got)


def test_a_file_that_is_no_sound_says_what_is(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read as a sound"):
        samples_of(tmp_path / "x.wav")


@pytest.mark.parametrize(("rate", "wanted"), [(44_100, 16_000), (8000, 16_000), (48_000, 16_000)])
def test_another_rate_holds_what_it_can_and_nothing_else(rate: int, wanted: int) -> None:
    """A tone stays where it was; one above half the rate is not folded into what is heard."""
    at, later = np.arange(rate) / rate, np.arange(wanted) / wanted
    low = at_rate(np.sin(2 * np.pi * 440 * at).astype(np.float32), rate, wanted)
    assert len(low) == wanted
    inside = slice(wanted // 10, -wanted // 10)
    np.testing.assert_allclose(low[inside], np.sin(2 * np.pi * 440 * later)[inside], atol=1e-2)
    if rate > 2 * wanted:
        high = at_rate(np.sin(2 * np.pi * 11_000 * at).astype(np.float32), rate, wanted)
        assert np.abs(high[inside]).max() < 1e-2
