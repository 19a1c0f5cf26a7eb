"""Pictures and sounds as people hold them: opened, upright, and in plain red, green and blue.

What cannot be shown as it is, is refused: numbers that are none, pictures of more than a hundred
million pixels, sounds without a rate.
"""

import wave
from collections.abc import Mapping, Sequence
from math import gcd
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from regard.record.door import described, whole_number
from regard.record.places import Pixels, Samples

MOST_PIXELS = 100_000_000
LOUDEST = 16  # of samples that should stay within 1: those above were never divided
SUFFIXES = {".wav"}  # of sounds; any other file is a picture


def is_picture(got: Any) -> bool:
    """Say whether this is a picture: of Pillow, an array (H, W), (H, W, 3) or (H, W, 4), a path."""
    if isinstance(got, Path):
        return got.suffix.lower() not in SUFFIXES
    is_array = isinstance(got, np.ndarray) and got.ndim in {2, 3}
    return isinstance(got, Image.Image) or is_array


def is_sound(got: Any) -> bool:
    """Say whether this is meant as a sound: samples with their rate, or the path of a .wav file.

    So are samples without a rate, or after it, which `samples_of` refuses in words.
    """
    if isinstance(got, Path):
        return got.suffix.lower() in SUFFIXES
    if isinstance(got, Mapping):
        return "sampling_rate" in got
    if isinstance(got, tuple) and len(got) == 2:
        return any(map(_are_samples, got)) and any(isinstance(one, Real) for one in got)
    return isinstance(got, np.ndarray) and got.ndim == 1


def _are_samples(got: Any) -> bool:
    is_list = isinstance(got, list) and not any(isinstance(one, str) for one in got)
    return is_list or isinstance(got, np.ndarray | Tensor)


def pixels_of(got: Any) -> Pixels:
    """Open a picture: (H, W, 3), upright; what shines through lies on white.

    Raises
    ------
    TypeError
        If it is none.
    ValueError
        If it cannot be read, has no pixel or too many, or numbers that are no colours.

    Examples
    --------
    >>> pixels_of(np.zeros((2, 3))).shape
    (2, 3, 3)
    """
    if isinstance(got, np.ndarray):
        return _colours(got)
    if isinstance(got, Path | str):
        try:
            with Image.open(got) as opened:
                return _pixels(opened)
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise ValueError(f"{got} cannot be read as a picture ({error}).") from error
    if not isinstance(got, Image.Image):
        raise TypeError(
            f"A picture is one of Pillow's, an array (height, width, 3) or the path of a file, but "
            f"got {described(got)}."
        )
    return _pixels(got)


def _pixels(picture: Image.Image) -> Pixels:
    _check_size(picture.height, picture.width)
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16") or picture.mode in {"I", "F"}:  # one number, of any size
        return _colours(np.asarray(picture))
    if "A" in picture.getbands() or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return np.asarray(picture.convert("RGB"), dtype=np.uint8).copy()


def _colours(numbers: NDArray[Any]) -> Pixels:
    """Take an array as colours: bytes, 16 bits, or numbers from 0 to 1."""
    if numbers.ndim not in {2, 3} or (numbers.ndim == 3 and numbers.shape[2] not in {1, 3, 4}):
        raise ValueError(
            f"A picture is an array (height, width), (height, width, 3) or (height, width, 4), but "
            f"got {numbers.shape}."
        )
    _check_size(*numbers.shape[:2])
    most = {"u1": 255, "b1": 1, "u2": 65535}.get(numbers.dtype.str[1:])
    shares = numbers.astype(np.float64)
    if most is None:
        most = 1 if numbers.dtype.kind == "f" and shares.max(initial=0) <= 1 else 255
        most = 65535 if shares.max(initial=0) > 255 else most
    shares = shares / most
    if not np.isfinite(shares).all() or shares.min() < 0 or shares.max() > 1:
        raise ValueError(
            "The numbers of a picture are bytes from 0 to 255 or shares from 0 to 1, but these go "
            f"from {numbers.min()} to {numbers.max()}."
        )
    shares = shares[..., None] if shares.ndim == 2 else shares
    if shares.shape[2] == 4:  # on white
        shares = shares[..., :3] * shares[..., 3:] + 1 - shares[..., 3:]
    return np.rint(np.broadcast_to(shares, (*shares.shape[:2], 3)) * 255).astype(np.uint8)


def _check_size(height: int, width: int) -> None:
    if not 0 < height * width <= MOST_PIXELS:
        raise ValueError(
            f"The picture has {width} x {height} pixels, but from 1 to {MOST_PIXELS:,} are taken: "
            "make it smaller."
        )


def samples_of(got: Any) -> tuple[Samples, int]:
    """Take a sound: its samples from -1 to 1, of several channels the mean, and their rate.

    Raises
    ------
    TypeError
        If there is no rate, or the samples are no numbers.
    ValueError
        If there is none, or it has numbers that are none, or far too loud.

    Examples
    --------
    >>> samples_of((np.array([0, 16384], dtype=np.int16), 16_000))
    (array([0. , 0.5], dtype=float32), 16000)
    """
    samples, rate = _read_wave(got) if isinstance(got, Path) else _parted(got)
    rate = whole_number("The rate of a sound, in samples a second,", rate)
    numbers = _numbers(samples)
    most = {"u1": 128, "i1": 128, "i2": 32768, "i4": 2**31}.get(numbers.dtype.str[1:], 1)
    waves = numbers.astype(np.float64) / most - (1 if numbers.dtype == np.uint8 else 0)
    if waves.ndim == 2:  # (T, channels), or the other way round
        waves = waves.mean(axis=int(waves.shape[0] >= waves.shape[1]))
    if waves.ndim != 1 or not waves.size or not np.isfinite(waves).all() or rate < 1:
        raise ValueError(
            f"A sound is (samples, rate), such as (array, 16_000), with samples that are all "
            f"numbers, but got {numbers.shape} at {rate} a second"
            f"{'' if np.isfinite(waves).all() else ', with NaN or infinity'}."
        )
    if np.abs(waves).max() > LOUDEST:
        raise ValueError(
            f"The samples of a sound go from -1 to 1, but these from {waves.min():g} to "
            f"{waves.max():g} ({numbers.dtype}): divide them by the largest that they could be, "
            "such as 32768, or pass whole numbers of 8, 16 or 32 bits."
        )
    return waves.astype(np.float32), rate


def _parted(got: Any) -> tuple[Any, Any]:
    """Part a sound into its samples and its rate."""
    if isinstance(got, Mapping) and "sampling_rate" in got:
        return got.get("array"), got["sampling_rate"]
    if isinstance(got, tuple) and _are_samples(got[0]):
        return got[0], got[1]
    raise TypeError(
        f"A sound is (samples, rate), such as (array, 16_000), in this order, but got "
        f"{described(got)}: how long it lasts is not known without its rate."
    )


def _numbers(samples: Any) -> NDArray[Any]:
    """Take samples of any library."""
    if isinstance(samples, Tensor):
        samples = samples.detach().cpu()
        samples = (samples.float() if samples.is_floating_point() else samples).numpy()
    try:
        found = np.asarray(samples)
    except ValueError:  # rows of several lengths
        found = np.array(None)
    if found.dtype.kind not in "iuf":
        raise TypeError(
            "The samples of a sound are numbers, (T,) or (T, channels), but got "
            f"{described(samples)}."
        )
    return found


def _read_wave(path: Path) -> tuple[NDArray[Any], int]:
    try:
        with wave.open(str(path)) as file:
            kinds: dict[int, str] = {1: "u1", 2: "<i2", 4: "<i4"}
            kind = kinds[file.getsampwidth()]
            numbers = np.frombuffer(file.readframes(file.getnframes()), dtype=kind)
            return numbers.reshape(-1, file.getnchannels()), file.getframerate()
    except (OSError, EOFError, wave.Error, KeyError) as error:
        raise ValueError(
            f"{path} cannot be read as a sound ({error}): .wav files of 8, 16 or 32 bits are; read "
            "others by a library of your own, and pass (samples, rate)."
        ) from error


def at_rate(samples: Samples, rate: int, wanted: int) -> Samples:
    """Give a sound at another rate, without what that rate cannot hold: by its frequencies.

    Examples
    --------
    >>> hum = np.sin(np.arange(800) / 20).astype(np.float32)
    >>> slower = at_rate(hum, 8000, 4000)
    >>> len(slower), bool(np.abs(slower - hum[::2])[20:-20].max() < 0.01)
    (400, True)
    """
    if rate == wanted:
        return samples
    common = gcd(rate, wanted)
    step, of_wanted = rate // common, wanted // common  # samples of a time that both divide
    times = -(-(len(samples) + rate // 10) // step)  # silence behind, since the end meets the start
    frequencies = np.fft.rfft(samples, times * step)
    count = max(round(len(samples) * wanted / rate), 1)
    slower = np.fft.irfft(frequencies[: times * of_wanted // 2 + 1], times * of_wanted)
    return (slower[:count] * (of_wanted / step)).astype(np.float32)


def several(images: Any) -> list[Pixels]:
    """Open one picture or several."""
    if images is None:
        return []
    if isinstance(images, Sequence) and not isinstance(images, str):
        return [pixels_of(image) for image in images]
    return [pixels_of(images)]
