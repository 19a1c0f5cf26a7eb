"""Tokens put together to words, or left out: the trace that is left, and what it does not show."""

from collections.abc import Callable, Mapping
from dataclasses import Field, replace
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from regard.record.kinds import part_of, plain
from regard.record.layers import Layer, grouped, total
from regard.record.words import (
    Groups,
    Side,
    joined,
    kept,
    ordinary_tokens,
    token_name,
    word_groups,
    word_name,
)

Sides = tuple[Side, Side]  # the tokens that read, and those that are read


class Recorded(Protocol):
    """What of a trace is put together anew."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def source(self) -> Side:
        """The tokens that are read, or read themselves."""

    @property
    def target(self) -> Side:
        """The tokens of the other side."""

    @property
    def sides(self) -> Mapping[str, Sides]:
        """By kind, of a part that has tokens of its own."""

    @property
    def layers(self) -> Mapping[str, Mapping[int, Layer]]:
        """By kind and number."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many layers of each kind there are."""

    @property
    def paths(self) -> Mapping[str, Mapping[int, str]]:
        """The modules that attended, by kind and number."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the model."""

    @property
    def written_tokens(self) -> list[str]:
        """What was written at each token."""

    @property
    def probabilities(self) -> list[float]:
        """Of each of those."""

    @property
    def whole(self) -> Self | None:
        """The trace before anything was put together."""


T = TypeVar("T", bound=Recorded)


def merged_words(trace: T) -> T:
    """Put the tokens of each word together.

    Raises
    ------
    ValueError
        If it is not known which tokens are of one word.
    """
    of_text = [side for side in _all_sides(trace) if side.tokens and (side.ids or not trace.sides)]
    if not of_text or any(side.words is None for side in of_text):
        raise ValueError(
            "It is not known which tokens are of one word, so they cannot be merged: trace "
            "text with its tokenizer, `regard.trace(sentence, model, tokenizer)`."
        )
    return _regrouped(trace, word_groups, word_name)


def without_special(trace: T) -> T:
    """Leave special tokens out."""
    return _regrouped(trace, ordinary_tokens, token_name)


def share_hidden(layer: Layer, shown: NDArray[np.float32], head: int) -> float:
    """Give the share of a head's attention that goes to tokens other than those that are shown.

    Rows that read nothing at all are left out.

    Parameters
    ----------
    layer, head
        The layer as it is shown, and the number of the head.
    shown
        The head's weights, (Q, K).
    """
    before = total(layer, slice(head, head + 1))[0].cpu()
    after = torch.from_numpy(shown).sum(dim=-1)
    reads = before > 0
    share = (1 - after[reads] / before[reads]).mean().clamp(min=0)
    return float(share) if reads.any() else 0.0


def sides_of(trace: Recorded, kind: str) -> Sides:
    """Give the tokens that read and those that are read."""
    if kind in trace.sides:
        return trace.sides[kind]
    if plain(kind) == "encoder" or not trace.target.tokens:
        return trace.source, trace.source
    return trace.target, trace.target if plain(kind) == "decoder" else trace.source


def of_one_part(trace: T, part: str) -> T:
    """Leave out all parts of a model but one.

    Raises
    ------
    ValueError
        If there is no such part.
    """
    if part not in trace.parts:
        has = f"its parts are {trace.parts}" if trace.parts else "it has no parts"
        raise ValueError(f"There is no part {part!r} in this trace: {has}.")

    def of_part(by_kind: Mapping[str, Any]) -> dict[str, Any]:
        return {kind: it for kind, it in by_kind.items() if part_of(kind) == part}

    sides = of_part(trace.sides)
    whole = None if trace.whole is None else of_one_part(trace.whole, part)
    reads = any(side == trace.source for both in sides.values() for side in both)
    one = trace if reads else replace(trace, written_tokens=[], probabilities=[])
    return replace(
        one,
        source=trace.source if reads else next(iter(sides.values()))[1],
        layers=of_part(trace.layers),
        counts=of_part(trace.counts),
        paths=of_part(trace.paths),
        sides=sides,
        whole=whole,
    )


def _all_sides(trace: Recorded) -> list[Side]:
    """Give each side once."""
    sides = [trace.source, trace.target, *(side for both in trace.sides.values() for side in both)]
    return list({id(side): side for side in sides}.values())


def _regrouped(
    trace: T, group: Callable[[Side], Groups], name: Callable[[Side, list[int]], str]
) -> T:
    groups = {id(side): group(side) for side in _all_sides(trace)}
    renewed = {id(side): joined(side, groups[id(side)], name) for side in _all_sides(trace)}
    of_written = groups[id(trace.target if trace.target.tokens else trace.source)]
    return replace(
        trace,
        source=renewed[id(trace.source)],
        target=renewed[id(trace.target)],
        sides={
            kind: (renewed[id(rows)], renewed[id(columns)])
            for kind, (rows, columns) in trace.sides.items()
        },
        layers={
            kind: {
                number: _fitting(layer, number, kind, sides_of(trace, kind), groups)
                for number, layer in of_kind.items()
            }
            for kind, of_kind in trace.layers.items()
        },
        written_tokens=kept(trace.written_tokens, of_written),
        probabilities=kept(trace.probabilities, of_written),
        whole=trace.whole or trace,
    )


def _fitting(
    layer: Layer, number: int, kind: str, sides: tuple[Side, Side], groups: dict[int, Groups]
) -> Layer:
    """Regroup the rows and columns of a layer, if they are the tokens."""
    rows, columns = sides
    if layer.shape[1:] != (len(rows.tokens), len(columns.tokens)):
        raise ValueError(
            f"Layer {number} ({kind}) has other rows or columns than there are tokens, so its "
            "tokens can be neither merged nor hidden."
        )
    return grouped(layer, groups[id(rows)], groups[id(columns)])
