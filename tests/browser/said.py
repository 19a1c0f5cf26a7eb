"""Hold what the view says, in a sentence, against the exact weights of a trace."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regard.record.trace import Trace

NUMBER = r"(?:less than [\d.e-]+|(?:about )?[\d.]+(?:e-\d+)?(?: ± [\d.e-]+)?)"
CELL = re.compile(rf" reads .*?: ({NUMBER}), (its .*|somewhere .*) of (\d+)$", re.DOTALL)
STRONGEST = re.compile(rf" ({NUMBER})(?=, |; |$)")
MOST = re.compile(r" most(?: by)?: ")
TOTAL = re.compile(rf"; ({NUMBER}) from all (\d+) together$")
SMALL = 2e-6  # what float32 and the fifth decimal of a sum may add


def is_true(said: str, exact: float) -> bool:
    """Say whether a number is right to its digits, or within the error that it states."""
    *words, number = said.split(" ± ", maxsplit=1)[0].split(" ")
    value = float(number)
    if words == ["less", "than"]:
        return exact < value + SMALL
    digits = len(number.partition(".")[2])
    unit = 10.0**-digits if "." in number else 1.0
    if words == ["about"]:
        return abs(exact - value) <= (float(said.split(" ± ")[1]) if "±" in said else unit) + SMALL
    # without zeros at the end, a number of four digits may be written with fewer
    finest = 10.0 ** (np.floor(np.log10(exact)) - 3) if exact > 0 else unit
    return abs(exact - value) <= max(min(unit, finest), 0.0) / 2 + SMALL or (
        abs(exact - value) <= unit / 2 + SMALL and digits <= 3
    )


@dataclass(frozen=True)
class Truth:
    """One head as the view shows it: with or without words and hidden tokens."""

    weights: NDArray[np.float32]  # (rows, columns)

    @classmethod
    def of(cls, seen: Trace, head: tuple[str, int, int], *, words: bool, hide: bool) -> "Truth":
        kind, layer, number = head
        shown = seen.merge_words() if words else seen
        shown = shown.hide() if hide else shown
        return cls(shown.weights(layer, number, kind=kind))

    def allows_cell(self, sentence: str, row: int, column: int) -> bool:
        """Say whether a sentence about a cell is true."""
        if ": masked" in sentence:
            return float(self.weights[row, column]) == 0
        match = CELL.search(sentence)
        if not match:
            return False
        of_row = self.weights[row]
        exact = float(of_row[column])
        rank = 1 + int((of_row > of_row[column] + 1e-9).sum())
        worst = int((of_row >= of_row[column] - 1e-9).sum())
        return is_true(match[1], exact) and ranks_hold(match[2], rank, worst)

    def allows_focus(self, sentence: str, role: str, at: int) -> bool:
        """Say whether a sentence about a row or a column is true, whatever it names."""
        line = self.weights[at] if role == "rows" else self.weights[:, at]
        total = TOTAL.search(sentence)
        if total and not is_true(total[1], float(line.sum(dtype=np.float64))):
            return False
        if role == "columns" and not total:
            return " is read by " in sentence
        named = sentence[: total.start()] if total else sentence
        found = STRONGEST.findall(MOST.split(named, maxsplit=1)[-1])
        best = np.sort(line)[::-1]
        return bool(found) and all(
            is_true(said, float(weight)) for said, weight in zip(found, best, strict=False)
        )


def ranks_hold(said: str, rank: int, worst: int) -> bool:
    """Say whether a rank, or a span of ranks, is right; ties may take any of theirs."""
    numbers = [int(number) for number in re.findall(r"\d+", said)] or [1]
    return numbers[0] <= worst and rank <= numbers[-1]
