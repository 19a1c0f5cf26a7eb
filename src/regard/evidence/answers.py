"""Which heads give which gold answers: a yes or no for every head, kept as one bit.

A word's answer is what it reads most. As in Clark et al. (2019), *What does BERT look at?*, section
4.2, it is never itself and never a special token, and both directions are asked: which word it
reads most, and which word reads it most.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from regard.measures.weights import Reading, check_position, paired
from regard.record.kinds import KINDS
from regard.record.layers import EVERYTHING, Layer
from regard.record.streams import blocks
from regard.record.trace import Trace

READS, IS_READ = "reads", "is read by"  # most, of all words
Place = tuple[int, int]  # layer and head
GROUP = ["name", "kind", "direction"]


@dataclass(frozen=True)
class Answers:
    """What every head answered to every gold reading of many sentences.

    Attributes
    ----------
    readings
        A reading and a direction a row: `sentence`, counted from 0; `name`; `kind`; `direction`;
        `offset`, from the word that is asked about to the gold word.
    heads
        The heads of each kind: (layer, head).
    num_sentences
        How many there were, those without readings too.
    """

    readings: pd.DataFrame
    heads: dict[str, list[Place]]
    num_sentences: int
    bits: NDArray[np.uint8]  # (rows of readings, most heads of a kind / 8)

    def right(self, rows: NDArray[np.intp], kind: str) -> NDArray[np.bool_]:
        """Say which heads of a kind are right in some rows of the readings: (rows, heads)."""
        count = len(self.heads[kind])
        return np.unpackbits(self.bits[rows], axis=1, count=count).astype(bool)

    def groups(self) -> dict[tuple[str, str, str], NDArray[np.intp]]:
        """Give the rows of the readings by name, kind and direction."""
        columns = [self.readings[name] for name in GROUP]
        places: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
        for at, group in enumerate(zip(*columns, strict=True)):
            places[group].append(at)
        return {group: np.array(at, dtype=np.intp) for group, at in places.items()}

    def per_head(self) -> pd.DataFrame:
        """Count for every head, reading and direction how often it is right.

        Returns
        -------
        pandas.DataFrame
            `name`, `kind`, `direction`, `layer`, `head`, `share` and `count`.
        """
        rows = [
            (*group, *head, share, len(at))
            for group, at in self.groups().items()
            for head, share in zip(
                self.heads[group[1]], self.right(at, group[1]).mean(axis=0), strict=True
            )
        ]
        return pd.DataFrame(rows, columns=[*GROUP, "layer", "head", "share", "count"])


def collect_answers(traces: Iterable[Trace], gold: Iterable[Sequence[Reading]]) -> Answers:
    """Ask every head for every gold reading.

    Parameters
    ----------
    traces, gold
        One trace and one list of readings (name, kind, query, key) a sentence, in the same order.
        Positions are those of the trace: merge words and hide special tokens first, where the gold
        readings count words. Traces are taken one by one: pass a generator, and none is kept.

    Returns
    -------
    Answers
        In self-attention in both directions: does the query *read* the key more than any other
        word, and *is* it *read by* the key more than by any other word? In cross-attention in the
        first. A word that reads no other, or is read by none, gives no right answer. Readings of a
        kind that a trace lacks are left out. For a reading, 72 heads take 9 bytes a direction.

    Raises
    ------
    ValueError
        If there are not as many lists of readings as traces, a reading is of no known kind, a
        position lies outside of the
        attention matrix, a word of self-attention should read itself, or the traces are of models
        of different shapes.

    Notes
    -----
    Clark et al. (2019), section 4.2 and their code, whose "is read by" is the attention matrix
    transposed.

    Examples
    --------
    >>> weights = [[0.2, 0.8, 0.0], [0.1, 0.2, 0.7], [0.9, 0.1, 0.0]]
    >>> gold = [("det", "encoder", 0, 1), ("nsubj", "encoder", 1, 0)]
    >>> answers = collect_answers([Trace.from_weights(weights)], [gold])
    >>> answers.per_head()[["name", "direction", "share"]]
        name   direction  share
    0    det       reads    1.0
    1  nsubj       reads    0.0
    2    det  is read by    0.0
    3  nsubj  is read by    1.0
    """
    heads: dict[str, list[Place]] = {}
    tables: list[_Table] = []
    num_sentences = 0
    for seen, readings in paired(traces, gold):
        for reading in readings:
            _check_reading(reading)
        for kind in seen.kinds:
            of_kind = heads.setdefault(kind, _heads(seen, kind))
            wanted = [reading for reading in readings if reading[1] == kind]
            if of_kind != _heads(seen, kind):
                raise ValueError(
                    f"The {kind} attention of sentence {num_sentences} has other layers or heads "
                    "than before: collect the answers of one model at a time."
                )
            if wanted:
                tables.append(_answered(seen, kind, wanted, num_sentences))
        num_sentences += 1
    width = max((len(of_kind) for of_kind in heads.values()), default=0)
    return Answers(_readings(tables), heads, num_sentences, _joined_bits(tables, -(-width // 8)))


def _check_reading(reading: Any) -> None:
    is_reading = isinstance(reading, tuple | list) and len(reading) == 4
    if not is_reading or reading[1] not in KINDS:
        raise ValueError(
            f"A gold reading is (name, kind, query, key), its kind one of {list(KINDS)}, such as "
            f'("nsubj", "encoder", 2, 1), but got {reading!r}.'
        )


class _Table(NamedTuple):
    """The answers of one sentence and kind."""

    sentence: int
    names: list[str]
    kind: str
    offsets: NDArray[np.int32]  # (readings,)
    bits: NDArray[np.uint8]  # (directions * readings, heads / 8)


def _heads(seen: Trace, kind: str) -> list[Place]:
    return [
        (number, head)
        for number, layer in seen.layers[kind].items()
        for head in range(layer.shape[0])
    ]


def _answered(seen: Trace, kind: str, wanted: list[Reading], sentence: int) -> _Table:
    names, _, queries, keys = (list(column) for column in zip(*wanted, strict=True))
    excluded = excluded_keys(seen, kind)
    for name, _, *position in wanted:
        check_position(name, kind, (position[0], position[1]), excluded.shape)
        if kind != "cross" and position[0] == position[1]:
            raise ValueError(
                f"The gold reading {name!r} lets the word at {position[0]} read itself, but only "
                "other words are answers: leave it out."
            )
    strongest = strongest_keys(list(seen.layers[kind].values()), excluded, both=kind != "cross")
    right = strongest[..., queries] == torch.tensor(keys)  # (directions, heads, readings)
    bits = np.packbits(right.transpose(1, 2).flatten(0, 1).numpy(), axis=1)
    offsets = np.subtract(keys, queries, dtype=np.int32)
    return _Table(sentence, names, kind, offsets, bits)


def excluded_keys(seen: Trace, kind: str) -> Tensor:
    """Say which keys are no answer for which queries: (Q, K)."""
    _, num_queries, num_keys = next(iter(seen.layers[kind].values())).shape
    excluded = torch.zeros(num_queries, num_keys, dtype=torch.bool)
    rows, columns = (torch.tensor(special, dtype=torch.bool) for special in seen.special(kind))
    if len(columns) == num_keys:
        excluded |= columns
    if kind != "cross":
        if len(rows) == num_queries:
            excluded |= rows[:, None]
        excluded.fill_diagonal_(fill_value=True)
    return excluded


def strongest_keys(layers: Sequence[Layer], excluded: Tensor, *, both: bool) -> Tensor:
    """Find what each word reads most and, if asked for both, which word reads it most.

    Parameters
    ----------
    layers
        Of one kind and shape.
    excluded
        Bool, (Q, K): True where a key is no answer.
    both
        In self-attention, also look down the columns.

    Returns
    -------
    Tensor
        (1 or 2, layers x heads, words), -1 where nothing is read at all.
    """
    reads: list[Tensor] = []
    num_heads, num_keys = sum(layer.shape[0] for layer in layers), excluded.size(1)
    largest, reader = torch.zeros(num_heads, num_keys), torch.full((num_heads, num_keys), -1)
    with torch.no_grad():
        for rows, on_device in blocks(_Stacked(layers)):
            weights = on_device.cpu().masked_fill(excluded[rows], 0.0)  # (heads, Q', K)
            value, key = weights.max(dim=-1)
            reads.append(key.masked_fill_(value <= 0, -1))
            if both:
                value, query = weights.max(dim=1)  # of these rows; the largest so far is kept
                is_larger = value > largest
                largest = largest.where(~is_larger, value)
                reader = reader.where(~is_larger, query + rows.start)
    found = torch.cat(reads, dim=1)[None]
    return torch.cat([found, reader[None]]) if both else found


@dataclass(frozen=True)
class _Stacked:
    """Several layers as one with all their heads: in short texts, few large steps are quicker."""

    layers: Sequence[Layer]

    @property
    def kind(self) -> str:
        """Whose attention it is."""
        return self.layers[0].kind

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (heads of all layers, Q, K)."""
        _, num_queries, num_keys = self.layers[0].shape
        return sum(layer.shape[0] for layer in self.layers), num_queries, num_keys

    def weigh(self, heads: slice = EVERYTHING, rows: slice = EVERYTHING) -> Tensor:
        """Compute the weights of some heads and queries: (h', Q', K)."""
        return torch.cat([layer.weigh(rows=rows) for layer in self.layers])[heads]


def _readings(tables: list[_Table]) -> pd.DataFrame:
    """Make one table: of each sentence and kind, first what reads, then what is read."""
    parts = []
    for table in tables:
        directions = (READS, IS_READ) if table.kind != "cross" else (READS,)
        parts += [
            (table.sentence, name, table.kind, direction, offset)
            for direction in directions
            for name, offset in zip(table.names, table.offsets.tolist(), strict=True)
        ]
    columns = ["sentence", "name", "kind", "direction", "offset"]
    return pd.DataFrame(parts, columns=columns)


def _joined_bits(tables: list[_Table], width: int) -> NDArray[np.uint8]:
    padded = [np.pad(t.bits, ((0, 0), (0, width - t.bits.shape[1]))) for t in tables]
    return np.concatenate([np.zeros((0, width), dtype=np.uint8), *padded])
