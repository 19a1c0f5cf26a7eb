"""Which sentences choose a head, and which count what it finds: never the same."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regard.record.door import described, whole_number

Which = NDArray[np.bool_]  # (sentences,)
Units = NDArray[np.intp]  # (sentences,): which sentence, or which document, each is of


class Split(NamedTuple):
    """Says of each sentence whether it chooses, and whether it counts."""

    chooses: Which
    counts: Which


def choosing_half(num_units: int, seed: int) -> Which:
    """Say for each sentence, or other unit, whether it is of the half that chooses."""
    return np.random.default_rng(seed).permutation(num_units) < num_units // 2


def splits_in_halves(units: Units, *, splits: int, seed: int) -> list[Split]:
    """Halve the units at random: once, or several times with each half choosing for the other.

    Examples
    --------
    >>> len(splits_in_halves(np.arange(6), splits=1, seed=0))
    1
    >>> len(splits_in_halves(np.arange(6), splits=5, seed=0))
    10
    """
    num_units = int(units.max(initial=-1)) + 1
    firsts = [choosing_half(num_units, seed + at)[units] for at in range(splits)]
    ways = [Split(first, ~first) for first in firsts]
    return ways if splits == 1 else ways + [Split(~first, first) for first in firsts]


def split_by(choose_on: Any, num_sentences: int) -> Split:
    """Let the sentences of these numbers choose, and the rest count."""
    if isinstance(choose_on, str | type) or not isinstance(choose_on, Iterable):
        raise TypeError(
            "choose_on holds the numbers of the sentences that choose, such as "
            f"range({num_sentences // 2}), but got {described(choose_on)}."
        )
    numbers = [whole_number("A sentence of choose_on", one) for one in choose_on]
    if not numbers or not all(0 <= one < num_sentences for one in numbers):
        raise ValueError(
            f"choose_on holds numbers of sentences from 0 to {num_sentences - 1}, such as "
            f"range({num_sentences // 2}), but got {described(choose_on)}."
        )
    chooses = np.zeros(num_sentences, dtype=np.bool_)
    chooses[numbers] = True
    if chooses.all():
        raise ValueError("choose_on holds all sentences, and none is left that could count.")
    return Split(chooses, ~chooses)


def all_of(num_sentences: int) -> Split:
    """Let all sentences choose and count: where heads were named before, nothing is at stake."""
    everyone = np.ones(num_sentences, dtype=np.bool_)
    return Split(everyone, everyone)


def units_of(documents: Any, num_sentences: int) -> Units:
    """Give a number to what is drawn and halved as one: a document, or a sentence of none."""
    if documents is None:
        return np.arange(num_sentences)
    if not isinstance(documents, Sequence) or isinstance(documents, str):
        raise TypeError(
            "documents is a list that names the document of each sentence, None where there is "
            f"none, but got {described(documents)}."
        )
    if len(documents) != num_sentences:
        raise ValueError(
            f"documents names the document of each of {num_sentences} sentences, None where there "
            f"is none, but got {len(documents)} names."
        )
    numbers: dict[Any, int] = {}
    named = [("sentence", at) if of is None else ("of", of) for at, of in enumerate(documents)]
    return np.array([numbers.setdefault(one, len(numbers)) for one in named], dtype=np.intp)
