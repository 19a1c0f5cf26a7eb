"""Gold readings: what a head should read, in which kind of attention, by which query, which key."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from regard.record.door import described, text, whole_number
from regard.record.kinds import KINDS, plain
from regard.record.trace import Trace

Reading = tuple[str, str, int, int]  # name, kind, query and key


def paired(
    traces: Iterable[Trace], gold: Iterable[Sequence[Reading]]
) -> Iterator[tuple[Trace, Sequence[Reading]]]:
    """Go through traces and gold readings together, and raise where one ends before the other."""
    for count, (seen, readings) in enumerate(zip_longest(traces, gold)):
        if seen is None or readings is None:
            few, many = ("traces", "gold") if seen is None else ("gold", "traces")
            raise ValueError(
                f"There must be one list of gold readings for each trace, but {few} ends after "
                f"{count} and {many} does not: pass both for the same sentences, in one order."
            )
        yield seen, readings


def check_sentences(**asked: Any) -> None:
    """Raise where what there is for each sentence is no list, or other iterable, of sentences."""
    for name, given in asked.items():
        if not isinstance(given, Iterable) or isinstance(given, str | Trace | type):
            raise TypeError(
                f"{name} are one for each sentence, but got {described(given)}: pass a list, also "
                "where there is one sentence, such as [seen]."
            )


def check_readings(readings: Any) -> None:
    """Raise where the gold readings of a sentence are no list of (name, kind, query, key)."""
    if isinstance(readings, str) or not isinstance(readings, Iterable):
        raise TypeError(
            "The gold of a sentence is a list of readings, such as "
            f'[("nsubj", "encoder", 2, 1)], but got {described(readings)}.'
        )
    for reading in readings:
        _check_reading(reading)


def _check_reading(reading: Any) -> None:
    is_reading = isinstance(reading, tuple | list) and len(reading) == 4
    if not is_reading or plain(str(reading[1])) not in KINDS:
        raise ValueError(
            f"A gold reading is (name, kind, query, key), its kind one of {list(KINDS)}, such as "
            f'("nsubj", "encoder", 2, 1), in a list for each sentence, but got {reading!r}.'
        )
    text("The name of a gold reading", reading[0])
    for name, at in zip(("query", "key"), reading[2:], strict=True):
        whole_number(f"The {name} of the gold reading {reading[0]!r}, counted from 0,", at)


def check_position(reading: Reading, shape: tuple[int, ...]) -> None:
    """Raise where a gold reading is at no place of the attention matrix, or of itself."""
    name, kind, *position = reading
    if not all(0 <= at < size for at, size in zip(position, shape, strict=True)):
        raise ValueError(
            f"The gold reading {name!r} is at (query, key) = {tuple(position)}, outside of the "
            f"{kind} attention, whose sizes are {tuple(shape)}: count from 0, in the tokens of the "
            "same sentence."
        )
    if plain(kind) != "cross" and position[0] == position[1]:
        raise ValueError(
            f"The gold reading {name!r} lets the word at {position[0]} read itself, but only "
            "other words are answers: leave it out."
        )
