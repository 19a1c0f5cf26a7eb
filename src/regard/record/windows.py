"""A layer that attends in windows: a picture's parts, of which none reads another."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from regard.record.layers import EVERYTHING, Layer, ScoredLayer, WeighedLayer
from regard.record.words import Labels, numbers


@dataclass(frozen=True)
class WindowedLayer:
    """W windows of n queries and m keys each: a matrix (h, sum of n, sum of m), a block a window.

    It is never held whole. What lies outside of a query's window cannot be read.

    Examples
    --------
    >>> one = WeighedLayer("encoder", torch.tensor([[[0.75, 0.25], [0.0, 1.0]]]))
    >>> layer = WindowedLayer([one, one])
    >>> layer.shape, layer.names
    ((1, 4, 4), ['0.0', '0.1', '1.0', '1.1'])
    >>> layer.weigh(rows=slice(1, 3))
    tensor([[[0.0000, 1.0000, 0.0000, 0.0000],
             [0.0000, 0.0000, 0.7500, 0.2500]]])
    """

    windows: Sequence[ScoredLayer | WeighedLayer]  # in their order: (h, n, m) each

    @property
    def kind(self) -> str:
        """Whose attention it is."""
        return self.windows[0].kind

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (h, Q, K), counted over all windows."""
        return self.windows[0].shape[0], self.starts(1)[-1], self.starts(2)[-1]

    def starts(self, side: int) -> list[int]:
        """Give where windows begin among the queries, 1, or the keys, 2; last, where they end."""
        return list(accumulate((window.shape[side] for window in self.windows), initial=0))

    @property
    def names(self) -> list[str]:
        """Name the rows by window and place in it, counted from 0: `3.48`."""
        return self._names(1)

    @property
    def key_names(self) -> list[str]:
        """Name the columns."""
        return self._names(2)

    def _names(self, side: int) -> list[str]:
        sizes = enumerate(window.shape[side] for window in self.windows)
        return [f"{window}.{at}" for window, count in sizes for at in range(count)]

    @property
    def query(self) -> Tensor | None:
        """The queries, (h, Q, d_k), where they were kept."""
        return self._joined("query")

    @property
    def key(self) -> Tensor | None:
        """The keys, (g, K, d_k), where they were kept."""
        return self._joined("key")

    @property
    def value(self) -> Tensor | None:
        """The values, (g, K, d_v), where they were kept."""
        return self._joined("value")

    def _joined(self, name: str) -> Tensor | None:
        found = [getattr(window, name, None) for window in self.windows]
        parts = [part for part in found if part is not None]
        return torch.cat(parts, dim=1) if len(parts) == len(found) else None

    def weigh(self, heads: slice = EVERYTHING, rows: slice = EVERYTHING) -> Tensor:
        """Compute the weights of some heads and queries: float32 (h', Q', K), mostly zeros."""
        _, num_queries, num_keys = self.shape
        asked = range(num_queries)[rows]
        nothing = self.windows[0].weigh(heads, slice(0, 0))  # (h', 0, m), where weights lie
        weights = nothing.new_zeros(nothing.size(0), len(asked), num_keys)
        tops, lefts = self.starts(1), self.starts(2)
        for window, (top, bottom), (left, right) in zip(
            self.windows, pairwise(tops), pairwise(lefts), strict=True
        ):
            start, stop = max(asked.start, top), min(asked.stop, bottom)
            if start < stop:
                block = window.weigh(heads, slice(start - top, stop - top))
                weights[:, start - asked.start : stop - asked.start, left:right] = block
        return weights

    def at(self, query: int, key: int) -> tuple[ScoredLayer | WeighedLayer, int, int]:
        """Give the window that a query and a key are in, and where they stand in it.

        Raises
        ------
        ValueError
            If they are in two windows.
        """
        (window, query_at), (other, key_at) = self._place(query, 1), self._place(key, 2)
        if window != other:
            raise ValueError(
                f"Query {window}.{query_at} is in window {window}, and key {other}.{key_at} in "
                f"window {other}, which it cannot read: name a key of its own window."
            )
        return self.windows[window], query_at, key_at

    def _place(self, at: int, side: int) -> tuple[int, int]:
        """Give the window that a row or a column is in, and its place there."""
        starts = self.starts(side)
        window = bisect_right(starts, at) - 1
        return window, at - starts[window]

    def lean(self) -> Layer:
        """Let go of the values."""
        windows = [x.lean() if isinstance(x, ScoredLayer) else x for x in self.windows]
        return replace(self, windows=windows)


def names_of(layer: Layer) -> Labels:
    """Name the rows and columns of a layer where nobody has: by window and place, or by numbers."""
    if isinstance(layer, WindowedLayer):
        return Labels(layer.names, layer.key_names)
    _, num_queries, num_keys = layer.shape
    return Labels(numbers(num_queries), numbers(num_keys))
