"""A head as a map: any part of it at any zoom, the strongest weight of each pixel.

A text of N tokens has N x N weights. They are computed once, some rows at a time, and only the
largest of each small square is kept; parts that are small enough are computed anew, exactly.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from regard.record.layers import Layer, ScoredLayer
from regard.record.streams import BLOCK_BYTES

Matrix = NDArray[np.float32]
Edges = list[tuple[int, int]]  # of each pixel, the first and the one after the last
FINEST = 4096  # squares a side, at most, that are kept: below, weights are computed anew
MOST_EXACT = 4096**2  # weights that are computed anew at once


@dataclass(frozen=True)
class Part:
    """Some rows and columns of a head, as it is looked at."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Give how many rows and columns they are."""
        return self.bottom - self.top, self.right - self.left

    @classmethod
    def within(cls, whole: "Part", asked: Sequence[int]) -> "Part":
        """Take a part that was asked for: from row, to row, from column, to column.

        Raises
        ------
        ValueError
            If it is none of the whole.
        """
        top, bottom, left, right = (int(at) for at in asked)
        rows_fit = whole.top <= top < bottom <= whole.bottom
        if not rows_fit or not whole.left <= left < right <= whole.right:
            raise ValueError(f"There is no part {list(asked)}: there are {whole.shape} weights.")
        return cls(top, bottom, left, right)


class HeadMap:
    """One head, pooled to squares of tokens; any part of it as pixels when it is asked for.

    Parameters
    ----------
    layer
        Any layer of a trace.
    head
        Counted from 0.
    finest
        Squares a side, at most, that are kept.

    Examples
    --------
    >>> from regard.record.trace import Trace
    >>> seen = Trace.from_weights([[1.0, 0.0], [0.25, 0.75]], tokens=["the", "dog"])
    >>> HeadMap(seen.layers["encoder"][0], head=0).tile(Part(1, 2, 0, 2), high=1, wide=1)
    array([[0.75]], dtype=float32)
    """

    def __init__(self, layer: Layer, head: int, *, finest: int = FINEST) -> None:
        self.layer, self.head = layer, slice(head, head + 1)
        _, num_queries, num_keys = layer.shape
        self.whole = Part(0, num_queries, 0, num_keys)
        self.side = (-(-num_queries // finest), -(-num_keys // finest))  # tokens of a square
        self.log_sums = torch.zeros(num_queries)  # of the softmax of each query
        squares = [
            -(-count // side) for count, side in zip(layer.shape[1:], self.side, strict=True)
        ]
        self.pooled = np.zeros(squares, dtype=np.float32)
        with torch.no_grad():
            for rows, pooled in self._pooled_rows():
                first = rows.start // self.side[0]
                self.pooled[first : first + len(pooled), : pooled.size(1)] = pooled.cpu().numpy()

    @property
    def largest(self) -> float:
        """The head's largest weight."""
        return float(self.pooled.max(initial=0.0))

    def tile(self, part: Part, high: int, wide: int) -> Matrix:
        """Draw a part as pixels: (high, wide), or fewer where there are fewer tokens.

        A pixel has the largest weight of its tokens, so that a lone strong link never vanishes. The
        part is computed exactly if it has few enough weights; else, a pixel may also take in what
        is next to it, less than a square away.
        """
        high, wide = min(high, part.shape[0]), min(wide, part.shape[1])
        if part.shape[0] * part.shape[1] <= MOST_EXACT:
            return self._exact(part, edges_of(part.shape[0], high), edges_of(part.shape[1], wide))
        rows = _squares(part.top, part.bottom, high, self.side[0])
        columns = _squares(part.left, part.right, wide, self.side[1])
        return pool(self.pooled, rows, columns)

    def line(self, at: int, *, is_query: bool) -> Matrix:
        """Compute what one query reads, (K,), or what one key gets from each query, (Q,)."""
        rows, columns = self.whole.shape
        part = Part(at, at + 1, 0, columns) if is_query else Part(0, rows, at, at + 1)
        return self.tile(part, rows, columns).ravel()

    def _exact(self, part: Part, high: Edges, wide: Edges) -> Matrix:
        """Compute the weights of a part, and pool them to pixels."""
        rows, keys = slice(part.top, part.bottom), slice(part.left, part.right)
        with torch.no_grad():
            if not isinstance(self.layer, ScoredLayer):
                weights = self.layer.weigh(self.head, rows)[0, :, keys]
                return pool(weights.cpu().numpy(), high, wide)
            scores = self.layer.score(self.head, rows, keys)[0].cpu()
            return np.exp(pool(scores.sub_(self.log_sums[rows, None]).numpy(), high, wide))

    def _pooled_rows(self) -> Iterator[tuple[slice, Tensor]]:
        """Stream the head, pooled, some rows at a time: (rows, (q, k))."""
        _, num_queries, num_keys = self.layer.shape
        step = max(BLOCK_BYTES // (4 * num_keys * self.side[0]), 1) * self.side[0]
        for start in range(0, num_queries, step):
            rows = slice(start, min(start + step, num_queries))
            yield rows, self._pool_block(rows)

    def _pool_block(self, rows: slice) -> Tensor:
        if not isinstance(self.layer, ScoredLayer):
            return _pool_squares(self.layer.weigh(self.head, rows)[0], self.side)
        scores = self.layer.score(self.head, rows, self.layer.reach(rows))  # (1, Q', K')
        log_sums = self.layer.log_sums(scores, self.head, rows)
        self.log_sums[rows] = log_sums[0].cpu()
        # the logarithms are pooled, since exp of a few squares is quicker than of all weights
        return _pool_squares(scores[0].sub_(log_sums[0, :, None]), self.side).exp()


def _pool_squares(x: Tensor, side: tuple[int, int]) -> Tensor:
    """Keep the largest of each square: (Q', K') -> (q, k)."""
    for dim, size in enumerate(side):
        if size > 1:
            short = -x.size(dim) % size
            x = F.pad(x, (0, 0, 0, short) if dim == 0 else (0, short), value=-torch.inf)
            x = x.unflatten(dim, (-1, size)).amax(dim=dim + 1)
    return x


def edges_of(count: int, pixels: int) -> Edges:
    """Share tokens among pixels: of each, the first token and the one after the last."""
    starts = [-(-pixel * count // pixels) for pixel in range(pixels + 1)]
    return list(pairwise(starts))


def _squares(first: int, after: int, pixels: int, side: int) -> Edges:
    """Give the squares that each pixel of a part touches."""
    edges = edges_of(after - first, pixels)
    return [((first + a) // side, -(-(first + b) // side)) for a, b in edges]


def pool(x: Matrix, high: Edges, wide: Edges) -> Matrix:
    """Keep the largest for each pixel: (rows, columns) -> (high, wide)."""
    for edges in (high, wide):  # the second time, transposed
        pooled = np.empty((len(edges), x.shape[1]), dtype=np.float32)
        for pixel, (first, after) in enumerate(edges):
            x[first:after].max(axis=0, out=pooled[pixel])
        x = pooled.T
    return x
