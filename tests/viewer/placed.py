"""Traces whose tokens have a place: in pictures, or in a sound."""

from dataclasses import replace
from itertools import product

import numpy as np

from regard.record.places import Box, Media, Pixels, Place, Stretch
from regard.record.trace import Trace

SIDE, GRID = 240, 4  # pixels of a picture, patches of a side
PATCH = SIDE // GRID
WORDS = ["a", "cat", "sleeps"]
GREY = np.full((SIDE, SIDE, 3), 128, np.uint8)  # on which only weights make a difference


def photo(seed: int, high: int = 600, wide: int = 800) -> Pixels:
    """Give a picture that packs as badly as one that is taken."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (high // 20, wide // 20, 3)).repeat(20, axis=0).repeat(20, axis=1)
    return (coarse * 0.8 + rng.integers(0, 50, coarse.shape)).clip(0, 255).astype(np.uint8)


def boxes(picture: int = 0, left: int = 0) -> list[Box]:
    """Cut a picture into patches, row by row."""
    corners = [(left + x * PATCH, y * PATCH) for y, x in product(range(GRID), repeat=2)]
    return [Box(picture, x, y, x + PATCH, y + PATCH) for x, y in corners]


def with_pictures(*pictures: Pixels, left: int = 0) -> Trace:
    """Give text after pictures, in which each token reads each; *cat* reads patch 6 of the last."""
    pictures = pictures or (GREY,)
    names = [f"patch {y}, {x}" for _ in pictures for y, x in product(range(GRID), repeat=2)]
    places = [box for number in range(len(pictures)) for box in boxes(number, left)]
    count = len(names) + len(WORDS)
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(count, 0.7), size=count)
    cat, read = len(names) + 1, len(names) - GRID**2 + 6
    weights[cat] = np.linspace(0.2, 1, count) * 0.4 / np.linspace(0.2, 1, count).sum()
    weights[cat, read] += 0.6
    seen = Trace.from_weights(weights[None, None], [*names, *WORDS])
    placed = replace(seen.source, places=[*places, *[None] * len(WORDS)])
    return replace(seen, source=placed, media=Media(pictures))


def with_sound(seconds: float = 4.0, frames: int = 40) -> Trace:
    """Give words that read frames of a sound; *cat* reads from 2.0 to 2.6 seconds."""
    step = seconds / frames
    weights = np.full((len(WORDS), frames), 0.1 / frames)
    weights[:, :6] += 0.15
    weights[1] = 0.1 / frames
    weights[1, round(frames / 2) : round(frames / 2) + 6] += 0.15
    names = [f"{at * step:.1f} s" for at in range(frames)]
    seen = Trace.from_weights(weights[None, None], names, target_tokens=WORDS, kind="cross")
    places: list[Place | None] = [Stretch(at * step, (at + 1) * step) for at in range(frames)]
    times = np.arange(round(seconds * 16_000)) / 16_000
    sound = (0.5 * np.sin(2 * np.pi * 440 * times) * (times > seconds / 2)).astype(np.float32)
    return replace(seen, source=replace(seen.source, places=places), media=Media((), sound, 16_000))


def with_tiles() -> Trace:
    """Give a picture whose tokens are of the whole, two by two, and of tiles, four by four.

    *cat* reads patch 6 of the tiles most, and of the whole the one in the lower left corner.
    """
    whole = [
        Box(0, x, y, x + 2 * PATCH, y + 2 * PATCH)
        for y, x in product((0, 2 * PATCH), (0, 2 * PATCH))
    ]
    names = [*(f"whole {at}" for at in range(4)), *(f"tile {at}" for at in range(GRID**2))]
    count = len(names) + len(WORDS)
    weights = np.full((count, count), 1 / count)
    weights[-2] = np.linspace(0.2, 1, count) * 0.2 / np.linspace(0.2, 1, count).sum()
    weights[-2, 4 + 6] += 0.5
    weights[-2, 2] += 0.3
    seen = Trace.from_weights(weights[None, None], [*names, *WORDS])
    places: list[Place | None] = [*whole, *boxes(), *[None] * len(WORDS)]
    return replace(seen, source=replace(seen.source, places=places), media=Media((GREY,)))
