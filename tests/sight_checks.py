"""What a mark in a picture or a sound moves: the truth beside the places that tokens are given.

A place is painted over in what a person holds, the processor makes of it what it makes, and the
model runs with every module that attended writing nothing, so that no token reads another: what
then arrives at a layer otherwise are the tokens that see the mark.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import regard
from regard.record.places import Box, Place, Stretch
from regard.record.regrouping import sides_of
from regard.record.trace import Trace
from regard.tracing.any_model import AnyModel
from regard.tracing.processed import processed
from tests.tiny_sights import Seeing

MARGIN = 0.15  # of a token's place: how far a resize spreads what it sees, two of sixteen pixels
MOVED = 1e-4  # of what moves most
Given = Any  # a picture, (H, W, 3), or a sound, (samples, rate)


@dataclass
class Found:
    """What marks in the places of some tokens moved."""

    num_placed: int
    num_marked: int = 0
    wrong: list[str] = field(default_factory=list)  # a token that does not see its place best
    wide: list[str] = field(default_factory=list)  # one that sees another's too


class _Stop(Exception):  # noqa: N818
    pass


def check_places(
    seeing: Seeing, given: Given, tries: int, why: list[str] | None = None
) -> dict[str, Found]:
    """Mark the places of some tokens of each side, one after another; say why there are none."""
    torch.manual_seed(0)
    for parameter in seeing.model.parameters() if seeing.is_redrawn else ():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.3)
    model = seeing.model.eval()
    with _reasons([] if why is None else why):
        seen = _traced(seeing, given)
    found: dict[str, Found] = {}
    checked: set[int] = set()
    for kind in sorted(seen.kinds, key=lambda kind: kind.endswith("cross")):
        for name, side in zip(("", " keys"), sides_of(seen, kind), strict=True):
            if id(side) in checked:
                continue
            checked.add(id(side))
            found[kind + name] = _check_side(seeing, model, given, seen, kind, side.places, tries)
    return found


def _traced(seeing: Seeing, given: Given) -> Trace:
    if seeing.text is None:
        return regard.trace(given, seeing.model, seeing.processor)
    return regard.trace(seeing.text, seeing.model, seeing.processor, images=given)


@contextmanager
def _reasons(said: list[str]) -> Iterator[None]:
    log = logging.getLogger("regard.tracing.placing")
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)


def _check_side(
    seeing: Seeing,
    model: nn.Module,
    given: Given,
    seen: Trace,
    kind: str,
    places: list[Place | None] | None,
    tries: int,
) -> Found:
    placed = [at for at, place in enumerate(places or ()) if place is not None]
    found = Found(len(placed))
    if places is None or not placed:
        return found
    if isinstance(given, tuple):  # what comes after the sound is silence that was added
        placed = [at for at in placed if places[at][1] * given[1] <= len(given[0])]  # type: ignore[index]
    numbers = sorted(seen.paths[kind])
    ends = (seen.paths[kind][at].split(",", maxsplit=1)[0] for at in (numbers[0], numbers[-1]))
    named = [path or _first(model) for path in ends]
    for path in dict.fromkeys(named):
        with _silenced(model, seen, path):
            before = _arriving(seeing, model, given, path, len(places))
            for at in np.random.default_rng(1).permutation(placed)[:tries].tolist():
                place = places[at]
                assert place is not None
                after = _arriving(seeing, model, marked(given, place), path, len(places))
                found.num_marked += 1
                _judge(found, np.abs(after - before).max(axis=1), places, at)
    return found


def _first(model: nn.Module) -> str:
    """Name the first module that is called an attention."""
    named = ((name, type(module).__name__) for name, module in model.named_modules())
    return next(name for name, of_type in named if of_type.endswith("Attention"))


def _judge(found: Found, moved: NDArray[np.float32], places: list[Place | None], at: int) -> None:
    """Say what is wrong where a mark lies in the place of a token."""
    place = places[at]
    assert place is not None
    most = int(moved.argmax())
    if not moved[at] > MOVED * moved.max() or not near(places[most], place):
        found.wrong.append(f"a mark at {place} of {at} moves {most}, {places[most]}, most")
    within = np.flatnonzero(moved > MOVED * moved.max()).tolist()
    far = [n for n in within if n != at and not sees(places[n], middle(place))]
    if far:
        found.wide.append(f"a mark at {place} moves {[(n, places[n]) for n in far[:3]]}")


@contextmanager
def _silenced(model: nn.Module, seen: Trace, path: str) -> Iterator[None]:
    """Let no module that attended write anything, but for the one that is looked at."""

    def nothing(_: nn.Module, __: Any, output: Any) -> Any:
        first, *rest = output if isinstance(output, tuple) else (output,)
        if not isinstance(first, Tensor):
            return output
        return (torch.zeros_like(first), *rest) if isinstance(output, tuple) else first * 0

    paths = {
        one.split(",", maxsplit=1)[0] for of_kind in seen.paths.values() for one in of_kind.values()
    }
    paths -= {""}
    with ExitStack() as ways:
        for one in paths - {path}:
            ways.callback(model.get_submodule(one).register_forward_hook(nothing).remove)
        yield


@torch.no_grad()
def _arriving(
    seeing: Seeing, model: nn.Module, given: Given, path: str, count: int
) -> NDArray[np.float32]:
    """Give what arrives at a module of each token, (count, numbers)."""
    held = (
        processed(given, seeing.processor)
        if seeing.text is None
        else processed(seeing.text, seeing.processor, given)
    )
    inputs = AnyModel(model).inputs(held.sentence, held.tokenizer, None)
    arrived: list[Tensor] = []

    def keep(_: nn.Module, positional: Any, named: Mapping[str, Any]) -> None:
        for x in (*positional, *named.values()):
            if isinstance(x, Tensor) and x.is_floating_point() and x.isfinite().all():
                arrived.extend(_rows(x, count))
        raise _Stop

    hook = model.get_submodule(path).register_forward_pre_hook(keep, with_kwargs=True)
    try:
        model(*inputs.positional, **inputs.named)
    except _Stop:
        pass
    finally:
        hook.remove()
    assert arrived, f"{path} is given nothing of {count} tokens"
    return torch.cat(arrived, dim=1).numpy()


def _rows(x: Tensor, count: int) -> list[Tensor]:
    """Give a row a token: of (..., count, d), of windows (W, n, d), or of (1, d, rows, columns)."""
    if x.shape[:-1].numel() == count:
        return [x.reshape(count, -1)]
    if x.dim() == 4 and x.shape[2:].numel() == count:
        return [x.flatten(2)[0].T]
    return []


def middle(place: Place) -> Place:
    """Give the inner half of a place, from either side."""
    if isinstance(place, Stretch):
        quarter = (place.end - place.start) / 4
        return Stretch(place.start + quarter, place.end - quarter)
    wide, high = place.right - place.left, place.bottom - place.top
    left, top = int(place.left + wide / 4), int(place.top + high / 4)
    right, bottom = np.ceil(place.right - wide / 4), np.ceil(place.bottom - high / 4)
    return Box(place.picture, left, top, float(right), float(bottom))


def marked(given: Given, place: Place) -> Given:
    """Invert the inner half of a place."""
    inner = middle(place)
    if isinstance(inner, Stretch):
        samples, rate = given
        changed = samples.copy()
        changed[round(inner.start * rate) : round(inner.end * rate)] *= -1
        return changed, rate
    changed = given.copy()
    part = np.s_[int(inner.top) : int(inner.bottom), int(inner.left) : int(inner.right)]
    changed[part] = 255 - changed[part]
    return changed


def near(one: Place | None, other: Place) -> bool:
    """Say whether two places overlap, or meet."""
    return one is not None and _meet(one, other, 1e-6)


def sees(one: Place | None, mark: Place) -> bool:
    """Say whether a token of a place may see a mark, that a resize spreads a little."""
    return one is not None and _meet(one, mark, MARGIN)


def _meet(one: Place, other: Place, margin: float) -> bool:
    """Say whether two places meet, with a margin, a share of the first."""
    if isinstance(one, Box) and one.picture != other[0]:
        return False
    sides = [(1, 3), (2, 4)] if isinstance(one, Box) else [(0, 1)]
    return all(
        one[low] - other[high] <= margin * (one[high] - one[low])
        and other[low] - one[high] <= margin * (one[high] - one[low])
        for low, high in sides
    )
