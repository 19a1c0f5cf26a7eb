"""Which heads give which gold answers: for every head a yes or no, and how much weight it gives.

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

from regard.evidence.readings import (
    Reading,
    check_position,
    check_readings,
    check_sentences,
    paired,
)
from regard.evidence.strongest import Given, Strongest, blocks_of, excluded_keys
from regard.record.kinds import plain
from regard.record.trace import Trace, a_trace

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
    bits: NDArray[np.uint8]  # (rows of readings, most heads of a kind / 8): is it right?
    gold_weights: NDArray[np.float16]  # (rows of readings, most heads of a kind)

    def right(self, rows: NDArray[np.intp], kind: str) -> NDArray[np.bool_]:
        """Say which heads of a kind are right in some rows of the readings: (rows, heads)."""
        count = len(self.heads[kind])
        return np.unpackbits(self.bits[rows], axis=1, count=count).astype(bool)

    def weights(self, rows: NDArray[np.intp], kind: str) -> NDArray[np.float32]:
        """Give the weight between query and gold key in the heads of a kind: (rows, heads)."""
        return self.gold_weights[rows, : len(self.heads[kind])].astype(np.float32)

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
            `name`, `kind`, `direction`, `layer`, `head`; `share`, how often it is right; `weight`,
            how much the reading word gives the word that is read, on average; `count`.
        """
        rows = [
            (*group, *head, share, weight, len(at))
            for group, at in self.groups().items()
            for head, share, weight in zip(
                self.heads[group[1]],
                self.right(at, group[1]).mean(axis=0),
                self.weights(at, group[1]).mean(axis=0),
                strict=True,
            )
        ]
        columns = [*GROUP, "layer", "head", "share", "weight", "count"]
        return pd.DataFrame(rows, columns=columns)


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
        kind that a trace lacks are left out. For a reading, 72 heads take 153 bytes a direction.

    Raises
    ------
    TypeError
        If there is one trace, or one reading, where there should be a list of them.
    ValueError
        If there are not as many lists of readings as traces, a reading is of no known kind, a
        position lies outside of the attention matrix, a word of self-attention should read itself,
        or the traces are of models of different shapes.

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
    check_sentences(traces=traces, gold=gold)
    heads: dict[str, list[Place]] = {}
    tables: list[_Table] = []
    num_sentences = 0
    for seen, readings in paired(traces, gold):
        check_readings(readings)
        for kind in a_trace(seen).kinds:
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
    bits = _joined([table.bits for table in tables], -(-width // 8), np.uint8)
    weights = _joined([table.weights for table in tables], width, np.float16)
    return Answers(_readings(tables), heads, num_sentences, bits, weights)


class _Table(NamedTuple):
    """The answers of one sentence and kind."""

    sentence: int
    names: list[str]
    kind: str
    offsets: NDArray[np.int32]  # (readings,)
    bits: NDArray[np.uint8]  # (directions * readings, heads / 8)
    weights: NDArray[np.float16]  # (directions * readings, heads)


def _heads(seen: Trace, kind: str) -> list[Place]:
    return [
        (number, head)
        for number, layer in seen.layers[kind].items()
        for head in range(layer.shape[0])
    ]


def _answered(seen: Trace, kind: str, wanted: list[Reading], sentence: int) -> _Table:
    layers, excluded = list(seen.layers[kind].values()), excluded_keys(seen, kind)
    for reading in wanted:
        check_position(reading, excluded.shape)
    names = [name for name, *_ in wanted]
    queries, keys = torch.tensor([position for _, _, *position in wanted]).T
    num_heads, both = len(_heads(seen, kind)), plain(kind) != "cross"
    strongest = Strongest(num_heads, excluded, both=both)
    # who is read by the gold word stands in the matrix transposed
    places = (torch.cat([queries, keys]), torch.cat([keys, queries])) if both else (queries, keys)
    given = Given(num_heads, *places)
    for rows, weights in blocks_of(layers):
        strongest.look(rows, weights)
        given.look(rows, weights)
    right = strongest.keys()[..., queries] == keys  # (directions, heads, readings)
    bits = np.packbits(right.transpose(1, 2).flatten(0, 1).numpy(), axis=1)
    offsets = (keys - queries).numpy().astype(np.int32)
    return _Table(sentence, names, kind, offsets, bits, given.weights.T.half().numpy())


def _readings(tables: list[_Table]) -> pd.DataFrame:
    """Make one table: of each sentence and kind, first what reads, then what is read."""
    parts = []
    for table in tables:
        directions = (READS, IS_READ) if plain(table.kind) != "cross" else (READS,)
        parts += [
            (table.sentence, name, table.kind, direction, offset)
            for direction in directions
            for name, offset in zip(table.names, table.offsets.tolist(), strict=True)
        ]
    columns = ["sentence", "name", "kind", "direction", "offset"]
    return pd.DataFrame(parts, columns=columns)


def _joined(parts: list[NDArray[Any]], width: int, dtype: type) -> NDArray[Any]:
    """Put the rows of all sentences below each other, each filled up to one width."""
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts]
    return np.concatenate([np.zeros((0, width), dtype), *padded])
