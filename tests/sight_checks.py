"""What a mark in a picture moves: the truth beside the places that tokens are given.

The queries of the first layer depend on no other token, so that a mark moves those tokens that
see it, and no others. Where pictures are merged into a text, nothing in their tower is passed on.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import regard
from regard.record.places import Box
from regard.record.regrouping import sides_of
from tests.tiny_sights import Seeing

MARGIN = 0.15  # of a token's box: how far a resize spreads what it sees, two of sixteen pixels


class Found(NamedTuple):
    """How many tokens have places, and what marks in some of them moved."""

    num_placed: int
    num_marked: int
    wrong: list[str]  # what was not as it should be


def check_places(seeing: Seeing, pixels: NDArray[np.uint8], part: str | None, tries: int) -> Found:
    """Mark the places of some tokens, one after another."""
    torch.manual_seed(0)
    for parameter in seeing.model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    if part is not None and part == seeing.part:
        keep_apart(seeing.model)
    model, text = seeing.model.eval(), seeing.text

    def queries(shown: NDArray[np.uint8]) -> tuple[Any, NDArray[np.float32]]:
        given, images = (shown, None) if text is None else (text, shown)
        seen = regard.trace(given, model, seeing.processor, layers=[0], images=images)
        kind = seen.kind_or_first(part)
        return sides_of(seen, kind)[0].places, seen.queries(0, kind=kind).swapaxes(0, 1)

    places, before = queries(pixels)
    placed = [at for at, place in enumerate(places or ()) if place is not None]
    chosen = np.random.default_rng(1).permutation(placed)[:tries].tolist()
    wrong = []
    for at in chosen:
        _, after = queries(marked(pixels, places[at]))
        moved = np.abs(after - before).max(axis=(1, 2)) > 1e-5
        if not moved[at]:
            wrong.append(f"token {at} does not see its place {places[at]}")
        far = [
            n for n in np.flatnonzero(moved) if seeing.is_sharp and not near(places[n], places[at])
        ]
        if far:
            wrong.append(f"a mark at {places[at]} moves {[(n, places[n]) for n in far[:3]]}")
    return Found(len(placed), len(chosen), wrong)


def keep_apart(model: nn.Module) -> None:
    """Let no token of a tower read another: what attention writes there becomes nothing."""
    for name, module in model.named_modules():
        if "vis" in name and name.endswith(("out_proj", "attn.proj")):
            for parameter in module.parameters():
                torch.nn.init.zeros_(parameter)


def marked(pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Invert the inside of a box."""
    wide, high = box.right - box.left, box.bottom - box.top
    left, right = int(box.left + wide / 4), int(np.ceil(box.right - wide / 4))
    top, bottom = int(box.top + high / 4), int(np.ceil(box.bottom - high / 4))
    changed = pixels.copy()
    changed[top:bottom, left:right] = 255 - changed[top:bottom, left:right]
    return changed


def near(one: Box | None, other: Box) -> bool:
    """Say whether two boxes overlap, or nearly."""
    if one is None or one.picture != other.picture:
        return False
    x, y = (MARGIN * sum(box[side + 2] - box[side] for box in (one, other)) for side in (1, 2))
    across = one.left < other.right + x and other.left - x < one.right
    return across and one.top < other.bottom + y and other.top - y < one.bottom
