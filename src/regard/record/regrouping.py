"""Tokens put together to words, or left out: the trace that is left, and what it does not show."""

from collections.abc import Callable, Mapping
from dataclasses import Field, replace
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

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
    def layers(self) -> Mapping[str, Mapping[int, Layer]]:
        """By kind and number."""

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
    for side in (trace.source, trace.target):
        if side.tokens and side.words is None:
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


def sides_of(trace: Recorded, kind: str) -> tuple[Side, Side]:
    """Give the tokens that read and those that are read."""
    if kind == "encoder" or not trace.target.tokens:
        return trace.source, trace.source
    return trace.target, trace.target if kind == "decoder" else trace.source


def _regrouped(
    trace: T, group: Callable[[Side], Groups], name: Callable[[Side, list[int]], str]
) -> T:
    groups = {id(side): group(side) for side in (trace.source, trace.target)}
    source, target = (joined(side, groups[id(side)], name) for side in (trace.source, trace.target))
    of_written = groups[id(trace.target if trace.target.tokens else trace.source)]
    return replace(
        trace,
        source=source,
        target=target,
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
