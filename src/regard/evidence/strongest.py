"""What each word reads most, and which word reads it most: of other words, and no special tokens.

That is the one definition of "a head reads a word", as in Clark et al. (2019), *What does BERT look
at?*, section 4.2. What a word gives to itself and to special tokens is no answer: heads leave there
what they have no use for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from regard.record.kinds import plain
from regard.record.layers import EVERYTHING, Layer
from regard.record.streams import blocks
from regard.record.trace import Trace


def excluded_keys(seen: Trace, kind: str, *, leave_out_first: bool = False) -> Tensor:
    """Say which keys are no answer for which queries: (Q, K).

    In self-attention, the first position is none where it is to be left out.
    """
    _, num_queries, num_keys = next(iter(seen.layers[kind].values())).shape
    excluded = torch.zeros(num_queries, num_keys, dtype=torch.bool)
    rows, columns = (torch.tensor(special, dtype=torch.bool) for special in seen.special(kind))
    if len(columns) == num_keys:
        excluded |= columns
    if plain(kind) != "cross":
        if len(rows) == num_queries:
            excluded |= rows[:, None]
        excluded.fill_diagonal_(fill_value=True)
        if leave_out_first:
            excluded[0], excluded[:, 0] = True, True
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
    strongest = Strongest(sum(layer.shape[0] for layer in layers), excluded, both=both)
    for rows, weights in blocks_of(layers):
        strongest.look(rows, weights)
    return strongest.keys()


def most_read(seen: Trace, layer: int, head: int, *, kind: str | None = None) -> list[int | None]:
    """Say what each token reads most, itself and special tokens left out.

    Parameters
    ----------
    seen
        A trace.
    layer, head
        Numbered from 0.
    kind
        "encoder", "decoder" or "cross"; if not given, the first there is.

    Returns
    -------
    list
        For each query the position of a key, None where it reads no other: what `collect_answers`
        counts.

    Raises
    ------
    ValueError
        If there is no such head.

    Examples
    --------
    >>> most_read(Trace.from_weights([[0.9, 0.1], [0.0, 1.0]]), 0, 0)
    [1, None]
    """
    kind = seen.kind_or_first(kind)
    seen.head(layer, head, kind=kind)  # says what is wrong with them
    excluded = excluded_keys(seen, kind)
    (found,) = strongest_keys([seen.layer(layer, kind)], excluded, both=False)
    return [key if key >= 0 else None for key in found[head].tolist()]


class Strongest:
    """Finds the strongest keys as `strongest_keys` does, some rows at a time, in order."""

    def __init__(self, num_heads: int, excluded: Tensor, *, both: bool) -> None:
        self.excluded, self.both = excluded, both
        self._reads: list[Tensor] = []  # of the rows so far: (heads, Q')
        self._largest = torch.zeros(num_heads, excluded.size(1))
        self._reader = torch.full((num_heads, excluded.size(1)), -1)

    def look(self, rows: slice, weights: Tensor) -> None:
        """Look at the next rows: (heads, Q', K)."""
        allowed = weights.masked_fill(self.excluded[rows], 0.0)
        value, key = allowed.max(dim=-1)
        self._reads.append(key.masked_fill_(value <= 0, -1))
        if self.both:
            value, query = allowed.max(dim=1)  # of these rows; the largest so far is kept
            is_larger = value > self._largest
            self._largest = self._largest.where(~is_larger, value)
            self._reader = self._reader.where(~is_larger, query + rows.start)

    def keys(self) -> Tensor:
        """Give what `strongest_keys` gives."""
        found = torch.cat(self._reads, dim=1)[None]
        return torch.cat([found, self._reader[None]]) if self.both else found


class Given:
    """Gathers the weights at some places of the heads' matrices, some rows at a time."""

    def __init__(self, num_heads: int, queries: Tensor, keys: Tensor) -> None:
        self.queries, self.keys = queries, keys  # (places,)
        self.weights = torch.zeros(num_heads, len(queries))

    def look(self, rows: slice, weights: Tensor) -> None:
        """Look at some rows: (heads, Q', K)."""
        here = (rows.start <= self.queries) & (self.queries < rows.stop)
        places = self.queries[here] - rows.start, self.keys[here]
        self.weights[:, here] = weights[:, *places]


def blocks_of(layers: Sequence[Layer]) -> Iterator[tuple[slice, Tensor]]:
    """Compute some rows at a time, with the heads of all layers: (layers x heads, Q', K)."""
    with torch.no_grad():
        for rows, weights in blocks(_Stacked(layers)):
            yield rows, weights.float().cpu()


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
