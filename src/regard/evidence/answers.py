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
from torch import Tensor

from regard.evidence.readings import (
    Reading,
    check_position,
    check_readings,
    check_sentences,
    paired,
)
from regard.evidence.sinks import Sinks
from regard.evidence.strongest import Given, Strongest, blocks_of, excluded_keys
from regard.record.door import flag
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
        `query`, the position of the word that is asked about; `offset`, from it to the gold word.
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


def collect_answers(
    traces: Iterable[Trace], gold: Iterable[Sequence[Reading]], *, leave_out_first: bool = False
) -> Answers:
    """Ask every head for every gold reading.

    Parameters
    ----------
    traces, gold
        One trace and one list of readings (name, kind, query, key) a sentence, in the same order.
        Positions are those of the trace: merge words and hide special tokens first, where the gold
        readings count words. Traces are taken one by one: pass a generator, and none is kept.
    leave_out_first
        In self-attention, let the first position be no answer, as special tokens are none: many
        decoders leave there what they have no use for. Readings of it are left out.

    Returns
    -------
    Answers
        In self-attention in both directions: does the query *read* the key more than any other
        word, and *is* it *read by* the key more than by any other word? In cross-attention in the
        first. A word that reads no other, or is read by none, gives no right answer. Left out are
        readings of a kind that a trace lacks, and in a decoder what its mask forbids: a later word
        is not read, and by an earlier one no word is. For a reading, 72 heads take 153 bytes a
        direction.

    Raises
    ------
    TypeError
        If there is one trace, or one reading, where there should be a list of them.
    ValueError
        If there are not as many lists of readings as traces, a reading is of no known kind, a
        position lies outside of the attention matrix, a word of self-attention should read itself,
        or the traces are of models of different shapes.

    Warns
    -----
    UserWarning
        If more than half of all answers are one position, three times as many as if all words were
        read alike: such a sink hides what is read besides.

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
    flag("leave_out_first", leave_out_first)
    heads: dict[str, list[Place]] = {}
    tables: list[_Table] = []
    sinks = Sinks()
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
            excluded = excluded_keys(seen, kind, leave_out_first=leave_out_first)
            for reading in wanted:
                check_position(reading, excluded.shape)
            if leave_out_first and plain(kind) != "cross":
                wanted = [reading for reading in wanted if 0 not in reading[2:]]
            if wanted:
                tables.append(_answered(seen, wanted, num_sentences, excluded, sinks))
        num_sentences += 1
    sinks.warn(leave_out_first=leave_out_first)
    width = max((len(of_kind) for of_kind in heads.values()), default=0)
    bits = _joined([table.bits for table in tables], -(-width // 8), np.uint8)
    weights = _joined([table.weights for table in tables], width, np.float16)
    columns = ["sentence", "name", "kind", "direction", "query", "offset"]
    rows = [row for table in tables for row in table.rows]
    return Answers(pd.DataFrame(rows, columns=columns), heads, num_sentences, bits, weights)


class _Table(NamedTuple):
    """The answers of one sentence and kind: first what reads, then what is read."""

    rows: list[tuple[int, str, str, str, int, int]]
    bits: NDArray[np.uint8]  # (rows, heads / 8)
    weights: NDArray[np.float16]  # (rows, heads)


def _heads(seen: Trace, kind: str) -> list[Place]:
    return [
        (number, head)
        for number, layer in seen.layers[kind].items()
        for head in range(layer.shape[0])
    ]


def _answered(
    seen: Trace, wanted: list[Reading], sentence: int, excluded: Tensor, sinks: Sinks
) -> _Table:
    kind = wanted[0][1]
    queries, keys = torch.tensor([position for _, _, *position in wanted]).T
    num_heads, both = len(_heads(seen, kind)), plain(kind) != "cross"
    strongest = Strongest(num_heads, excluded, both=both)
    # who is read by the gold word stands in the matrix transposed
    places = (torch.cat([queries, keys]), torch.cat([keys, queries])) if both else (queries, keys)
    given = Given(num_heads, *places)
    for rows, weights in blocks_of(list(seen.layers[kind].values())):
        strongest.look(rows, weights)
        given.look(rows, weights)
    found = strongest.keys()[..., queries]  # (directions, heads, readings)
    if both:
        allowed = ~excluded[queries]
        if plain(kind) == "decoder":
            allowed &= torch.arange(len(excluded)) < queries[:, None]
        sinks.look(found[0], allowed)
    right = (found == keys).transpose(1, 2).flatten(0, 1)  # (directions * readings, heads)
    possible = torch.ones(len(right), dtype=torch.bool)
    if plain(kind) == "decoder":  # behind the mask, no head gives any weight
        possible = (places[1] < places[0]) | given.weights.any(dim=0)
    asked = [
        (sentence, name, kind, direction, query, key - query)
        for direction in ((READS, IS_READ) if both else (READS,))
        for name, _, query, key in wanted
    ]
    return _Table(
        [row for row, may_be in zip(asked, possible.tolist(), strict=True) if may_be],
        np.packbits(right[possible].numpy(), axis=1),
        given.weights.T[possible].half().numpy(),
    )


def _joined(parts: list[NDArray[Any]], width: int, dtype: type) -> NDArray[Any]:
    """Put the rows of all sentences below each other, each filled up to one width."""
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts]
    return np.concatenate([np.zeros((0, width), dtype), *padded])
