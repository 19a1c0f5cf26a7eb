"""The pictures and the sound of a trace, small enough for a page; and where its tokens lie."""

import io
import json
import math
import wave
from base64 import b64encode
from collections.abc import Iterator

import numpy as np
from PIL import Image

from regard.record.places import Box, Pixels, Samples, Stretch
from regard.record.regrouping import sides_of
from regard.record.trace import Trace
from regard.record.words import Side, joined, token_name
from regard.viewer.contract import GivenPicture, GivenSound

Placed = list[tuple[int, float, float, float, float] | tuple[float, float] | None]

PICTURES = 100_000  # bytes of a page, of all its pictures together
SOUND = 400_000
SIDES = (1600, 1280, 1024, 896, 768, 640, 512, 384, 256, 192, 128, 96, 64, 32)  # pixels, at most
DRAWN = 256  # colours of a picture that is drawn, not taken: its edges are kept
ROUGHEST = 8_000  # samples a second, in which speech is still understood
PEAKS = 600


def places_of(side: Side) -> Placed | None:
    """Give where each token lies, in numbers.

    Examples
    --------
    >>> places_of(Side(["", "a"], [True, False], places=[None, Box(0, 0, 0, 16, 16.04)]))
    [None, (0, 0, 0, 16, 16.0)]
    """
    return None if side.places is None else [_rounded(place) for place in side.places]


def _rounded(
    place: Box | Stretch | None,
) -> tuple[int, float, float, float, float] | tuple[float, float] | None:
    if place is None:
        return None
    if isinstance(place, Stretch):
        return round(place.start, 3), round(place.end, 3)
    return (
        place.picture,
        round(place.left, 1),
        round(place.top, 1),
        round(place.right, 1),
        round(place.bottom, 1),
    )


def pictures_of(trace: Trace) -> list[GivenPicture]:
    """Give the pictures, scaled down to the room that a page has; none, if no token lies there."""
    if not any(isinstance(place, Box) for side in _sides(trace) for place in side.places or ()):
        return []
    pictures = trace.media.pictures
    return [
        GivenPicture(
            width=pixels.shape[1], height=pixels.shape[0], data=_within(pixels, len(pictures))
        )
        for pixels in pictures
    ]


def _within(pixels: Pixels, count: int) -> str:
    """Write a picture as a data URL, as large as it may be where there are so many."""
    picture, written, room = Image.fromarray(pixels), "", PICTURES // count
    is_drawn = picture.getcolors(DRAWN) is not None
    for side in SIDES:
        is_hopeless = written and side > max(picture.size) * math.sqrt(room / len(written))
        if is_hopeless and side > SIDES[-1]:  # a smaller one has no fewer bytes a pixel
            continue
        picture.thumbnail((side, side))
        picture.save(file := io.BytesIO(), "WEBP", quality=80, lossless=is_drawn)
        written = _url("image/webp", file)
        if len(written) <= room:
            break
    return written


def sound_of(trace: Trace) -> GivenSound | None:
    """Give the sound, if any token lies there: to draw it, and to hear it where it is short."""
    samples, rate = trace.media.sound, trace.media.rate
    hears = any(isinstance(place, Stretch) for side in _sides(trace) for place in side.places or ())
    if samples is None or not len(samples) or not hears:
        return None
    samples = np.nan_to_num(samples).clip(-1, 1)
    parts = np.array_split(np.abs(samples), min(PEAKS, len(samples)))
    return GivenSound(
        rate=rate,
        seconds=len(samples) / rate,
        envelope=[round(float(part.max()), 3) for part in parts],
        data=_heard(samples, rate),
    )


def _heard(samples: Samples, rate: int) -> str | None:
    """Write a sound as the best WAV that there is room for; None if there is for none."""
    for factor, width in ((1, 2), (max(1, rate // ROUGHEST), 2), (max(1, rate // ROUGHEST), 1)):
        if len(samples) // factor * width * 4 // 3 <= SOUND:
            whole = samples[: len(samples) // factor * factor]
            return _wav(whole.reshape(-1, factor).mean(axis=1), rate // factor, width)
    return None


def _wav(samples: Samples, rate: int, width: int) -> str:
    """Write samples of one byte, which has no sign, or of two."""
    whole = samples * 127 + 128 if width == 1 else samples * 32767
    with wave.open(file := io.BytesIO(), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(width)
        wav.setframerate(rate)
        wav.writeframes(whole.round().astype("u1" if width == 1 else "<i2").tobytes())
    return _url("audio/wav", file)


def _url(kind: str, file: io.BytesIO) -> str:
    return f"data:{kind};base64,{b64encode(file.getvalue()).decode('ascii')}"


def media_bytes(trace: Trace) -> int:
    """Say how much of a page the pictures, the sound and the places of tokens take."""
    places = {id(side): places_of(side) for side in _sides(trace) if side.places}
    return len(json.dumps([pictures_of(trace), sound_of(trace), *places.values()]))


def text_of(trace: Trace) -> Side:
    """Give the tokens that name what was read: those of a text, else what was seen or heard."""
    if not trace.source.places:
        return trace.source
    for side in (trace.source, trace.target):
        places = side.places or [None] * len(side.tokens)
        text = joined(side, [[at] for at, place in enumerate(places) if place is None], token_name)
        if not all(text.special):
            return text
    return Side.of_names(["a sound" if trace.media.sound is not None else "a picture"])


def _sides(trace: Trace) -> Iterator[Side]:
    for kind in trace.kinds:
        yield from sides_of(trace, kind)
