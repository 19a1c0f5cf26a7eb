"""Where every head looks: how much of what a token reads lies in the region that it should look at.

Only keys that have a place compete, patches of a picture or frames of a sound: what goes to words,
class tokens and registers is set aside, and is told by `placed`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from regard.evidence.readings import check_sentences
from regard.evidence.regions import SOUND, Region, boxes_of, region_of, size_of
from regard.record.door import described, text
from regard.record.places import Box, Place
from regard.record.regrouping import sides_of
from regard.record.trace import Trace, a_trace
from regard.record.words import token_at

Floats = NDArray[np.float32]
MEASURES = ("pointing", "mass")
CENTRE = 0.25  # of the picture's sides: the standard deviation of looking at its centre
LATTICE = 16  # fixed points that are tried, across and down
Head = tuple[int, int]  # layer and head
Glance = tuple[str, int | str, Any]  # name, query and region


@dataclass(frozen=True)
class Looks:
    """How well every head looked at the region of every gold look, and what looks there anyway.

    Attributes
    ----------
    table
        A gold look a row: `trace`, counted from 0, and `name`.
    kind
        Whose attention it is.
    heads
        (layer, head) of each.
    num_traces
        How many there were, those without gold too.
    own, other
        Of each head, pointing and mass in the region, and in that of the trace before, which is NaN
        for the first: (looks, heads, 2).
    placed
        How much of each head's attention goes to keys that have places: (looks, heads).
    even, centre
        Of reading all of them alike, and of a Gaussian at the centre: (looks, 2).
    fixed
        Of looking at one point only, whatever the picture: (looks, 256, 2).
    """

    table: pd.DataFrame
    kind: str
    heads: list[Head]
    num_traces: int
    own: Floats
    other: Floats
    placed: Floats
    even: Floats
    centre: Floats
    fixed: Floats

    def per_head(self) -> pd.DataFrame:
        """Average for every head and name.

        Returns
        -------
        pandas.DataFrame
            `name`, `kind`, `layer`, `head`; `pointing` and `mass`, with `even_pointing` and
            `even_mass` beside them; `placed`; `count`.
        """
        parts = []
        for name, of_name in self.table.groupby("name", sort=False):
            at = of_name.index.to_numpy()
            part = pd.DataFrame(self.heads, columns=["layer", "head"])
            part.insert(0, "kind", self.kind)
            part.insert(0, "name", name)
            for number, measure in enumerate(MEASURES):
                part[measure] = self.own[at, :, number].mean(axis=0)
                part[f"even_{measure}"] = self.even[at, number].mean()
            part["placed"] = self.placed[at].mean(axis=0)
            parts.append(part.assign(count=len(at)))
        return pd.concat(parts, ignore_index=True)


def collect_looks(
    traces: Iterable[Trace], gold: Iterable[Sequence[Glance]], *, kind: str | None = None
) -> Looks:
    """Ask every head how well it looks where it should.

    Parameters
    ----------
    traces, gold
        One trace with places and one list of looks (name, query, region) a picture or sound, in the
        same order. The query is the token that reads: its place, or its name where one token bears
        it. The region is a Box or a Stretch, a list of such, or a mask, bool (height, width), of
        the picture; of several, {number: mask}. Traces are taken one by one: pass a generator,
        and none is kept.
    kind
        One of the traces' kinds; the first, if not given.

    Returns
    -------
    Looks
        For every head and look two measures, from 0 to 1, of the keys that have places alone:

        - *mass*, the share of their attention that lies in the region. Of a patch that lies there
          by half, half counts.
        - *pointing*: does the strongest of them point there, its centre in the region? Where the
          region holds no centre, the patches that hold most of it are right. Several that are
          equally strong share the answer.

        A token that reads none of them has 0. A look of 144 heads takes 5 kB.

    Raises
    ------
    TypeError
        If there is one trace, or one look, where there should be a list of them, or a region is
        none.
    ValueError
        If there are not as many lists as traces, no key has a place, a region lies outside of what
        the model saw, there is no such query, or the traces are of models of different shapes.

    Notes
    -----
    The pointing game is that of Zhang et al. (2016), *Top-down Neural Attention by Excitation
    Backprop*, section 4.1, who count a maximum within 15 pixels of the region, too.

    Examples
    --------
    >>> from regard.record.places import Box
    >>> from regard.tracing.own_places import grid, place
    >>> picture = np.zeros((8, 16), dtype=np.uint8)
    >>> seen = Trace.from_weights([[0.2, 0.6, 0.2]] * 3, tokens=["[CLS]", "left", "right"])
    >>> seen = place(seen, [None, *grid(1, 2, picture)], images=picture)
    >>> looks = collect_looks([seen], [[("face", "[CLS]", Box(0, 0, 0, 4, 8))]])
    >>> looks.per_head()[["name", "pointing", "mass", "even_mass", "placed"]].round(3)
       name  pointing   mass  even_mass  placed
    0  face       1.0  0.375       0.25     0.8
    """
    return collected({"traces": traces}, gold, kind)[0]


def collected(
    models: Mapping[str, Iterable[Trace]], gold: Iterable[Sequence[Glance]], kind: str | None
) -> list[Looks]:
    """Ask several models at once, so that neither traces nor gold are kept.

    Raises
    ------
    TypeError, ValueError
        As `collect_looks`.
    """
    given = {**models, "gold": gold}
    check_sentences(**given)
    asking = [_Asking(kind) for _ in models]
    for number, (*traces, looks) in enumerate(zip_longest(*given.values())):
        if looks is None or any(seen is None for seen in traces):
            ended = [name for name, one in zip(given, [*traces, looks], strict=True) if one is None]
            raise ValueError(
                f"There must be one list of gold looks for each trace, but after {number} there "
                f"are no more {' and '.join(ended)}: pass all for the same pictures, in one order."
            )
        known = list(_checked(looks))
        for one, seen in zip(asking, traces, strict=True):
            one.ask(a_trace(seen), known)
    return [one.looks() for one in asking]


class _Asking:
    """Asks one trace after the other, and remembers of the one before only its regions."""

    def __init__(self, kind: str | None) -> None:
        self.kind = kind
        self.num_traces = 0
        self._heads: list[Head] = []
        self._before: dict[str, Region] = {}  # by name, on a picture of 1 x 1
        self._rows: list[tuple[int, str]] = []
        self._found: list[list[Floats]] = []

    def ask(self, seen: Trace, looks: Sequence[Glance]) -> None:
        """Ask for all looks of one trace."""
        self.kind = kind = seen.kind_or_first(self.kind)
        heads = [(n, h) for n, layer in seen.layers[kind].items() for h in range(layer.shape[0])]
        if self._heads and heads != self._heads:
            raise ValueError(
                f"The {kind} attention of trace {self.num_traces} has other layers or heads than "
                "before: score one model at a time."
            )
        self._heads = heads
        last: dict[str, Region] = {}
        for name, query, gold in looks:
            region = region_of(gold, seen.media)
            wide, high = size_of(region.picture, seen.media)
            last[name] = region.scaled(1 / wide, 1 / high)
            other = self._before.get(name)
            if other is not None:
                other = replace(other.scaled(wide, high), picture=region.picture)
            self._rows.append((self.num_traces, name))
            self._found.append(_look(seen, kind, query, region, other))
        self._before |= last
        self.num_traces += 1

    def looks(self) -> Looks:
        """Put all together."""
        if not self._found:
            raise ValueError("There are no gold looks: give (name, query, region) for a trace.")
        table = pd.DataFrame(self._rows, columns=["trace", "name"])
        parts = [np.stack(part) for part in zip(*self._found, strict=True)]
        return Looks(table, self.kind or "", self._heads, self.num_traces, *parts)


def _checked(looks: Any) -> Iterator[Glance]:
    """Give the looks of one trace, or say what is wrong with them."""
    advice = 'such as [("the dog", "dog", Box(0, 10, 20, 60, 80))]'
    if isinstance(looks, str | Mapping) or not isinstance(looks, Iterable):
        raise TypeError(
            f"The gold of a trace is a list of looks, {advice}, but got {described(looks)}."
        )
    for look in looks:
        if not isinstance(look, tuple | list) or len(look) != 3:
            raise ValueError(
                f"A gold look is (name, query, region), {advice}, but got {described(look)}."
            )
        yield text("The name of a gold look", look[0]), look[1], look[2]


def _look(
    seen: Trace, kind: str, query: int | str, region: Region, other: Region | None
) -> list[Floats]:
    """Measure all heads, and what looks there anyway, at one look; in the order of `Looks`."""
    rows, columns = sides_of(seen, kind)
    row = token_at(rows, query)
    at, places = _placed(seen, kind, columns.places)
    with torch.no_grad():
        layers = seen.layers[kind].values()
        read = torch.cat([layer.weigh(rows=slice(row, row + 1))[:, 0].cpu() for layer in layers])
    weights = read.numpy()[:, at].astype(np.float64)  # (heads, placed keys)
    wide, high = size_of(region.picture, seen.media)
    boxes, there = boxes_of(places), _in_picture(places, region.picture)
    inside = _inside(region, boxes, there)
    x, y = (boxes[:, :2] + boxes[:, 2:]).T / 2 / [[wide], [high]]  # centres, from 0 to 1
    far = ((x - 0.5) ** 2 + (0 if region.picture == SOUND else (y - 0.5) ** 2)) / CENTRE**2
    missing = np.full((len(weights), 2), np.nan)
    found = [
        _measured(weights, inside),
        missing if other is None else _measured(weights, _inside(other, boxes, there)),
        weights.sum(axis=1),
        _measured(np.ones((1, len(at))), inside)[0],
        _measured(there * np.exp(-far / 2)[None], inside)[0],
        inside[_nearest(x, y, there, is_sound=region.picture == SOUND)],
    ]
    return [part.astype(np.float32) for part in found]


def _placed(
    seen: Trace, kind: str, places: Sequence[Place | None] | None
) -> tuple[list[int], list[Place]]:
    """Give the keys that have places."""
    at = [n for n, place in enumerate(places or ()) if place is not None]
    sizes = {layer.shape[2] for layer in seen.layers[kind].values()}
    if not at or sizes != {len(places or ())}:
        fit = "none has a place" if not at else f"{len(places or ())} have, but layers read {sizes}"
        raise ValueError(
            f"Looks are measured among keys that have places, but of {kind} {fit}: name another "
            "kind=, trace with the model's processor, or give places by regard.place(seen, ...)."
        )
    return at, [place for place in places or () if place is not None]


def _in_picture(places: Sequence[Place], picture: int) -> NDArray[np.bool_]:
    own = [place.picture if isinstance(place, Box) else SOUND for place in places]
    return np.array(own) == picture


def _inside(region: Region, boxes: NDArray[np.float64], there: NDArray[np.bool_]) -> Any:
    """Say for each place whether it points to a region, and how much of it is there: (K, 2)."""
    area = np.where(there, region.area(boxes), 0.0)
    points = there & region.holds(*(boxes[:, :2] + boxes[:, 2:]).T / 2)
    if not points.any():
        points = there & (area > 0) & np.isclose(area, area.max())
    whole = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.stack([points, area / whole], axis=1)


def _measured(weights: NDArray[np.float64], inside: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure pointing and mass of each row of weights: (heads, K), (K, 2) -> (heads, 2)."""
    most = weights.max(axis=1, keepdims=True)
    strongest = (weights == most) & (weights > 0)
    shares = [
        part @ inside[:, number] / np.maximum(part.sum(axis=1), np.finfo(np.float64).tiny)
        for number, part in enumerate((strongest.astype(np.float64), weights))
    ]
    return np.stack(shares, axis=1).clip(0, 1)


def _nearest(
    x: NDArray[np.float64], y: NDArray[np.float64], there: NDArray[np.bool_], *, is_sound: bool
) -> NDArray[np.intp]:
    """Find the place whose centre is nearest to each point of a lattice, row by row: (256,)."""
    steps = (np.arange(LATTICE) + 0.5) / LATTICE
    down, across = (line.ravel() for line in np.meshgrid(steps, steps, indexing="ij"))
    far = (across[:, None] - x) ** 2
    if not is_sound:
        far = far + (down[:, None] - y) ** 2
    return np.where(there, far, np.inf).argmin(axis=1)
