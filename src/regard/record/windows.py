"""A layer that attends in windows: a picture's parts, of which none reads another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from regard.record.layers import EVERYTHING, Layer, ScoredLayer, WeighedLayer
from regard.record.words import Labels, numbers


@dataclass(frozen=True)
class WindowedLayer:
    """W windows of n queries and m keys: a matrix (h, W n, W m) with a block a window.

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

    windows: Sequence[ScoredLayer | WeighedLayer]  # alike, in their order: (h, n, m) each

    @property
    def kind(self) -> str:
        """Whose attention it is."""
        return self.windows[0].kind

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (h, Q, K), counted over all windows."""
        num_heads, num_queries, num_keys = self.windows[0].shape
        return num_heads, len(self.windows) * num_queries, len(self.windows) * num_keys

    @property
    def names(self) -> list[str]:
        """Name the rows by window and place in it, counted from 0: `3.48`."""
        return self._names(self.windows[0].shape[1])

    @property
    def key_names(self) -> list[str]:
        """Name the columns."""
        return self._names(self.windows[0].shape[2])

    def _names(self, count: int) -> list[str]:
        return [f"{window}.{at}" for window in range(len(self.windows)) for at in range(count)]

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
        _, queries_each, keys_each = self.windows[0].shape
        _, num_queries, num_keys = self.shape
        asked = range(num_queries)[rows]
        nothing = self.windows[0].weigh(heads, slice(0, 0))  # (h', 0, m), where weights lie
        weights = nothing.new_zeros(nothing.size(0), len(asked), num_keys)
        for number in range(asked.start // queries_each, -(-asked.stop // queries_each)):
            first, left = number * queries_each, number * keys_each
            start, stop = max(asked.start, first), min(asked.stop, first + queries_each)
            block = self.windows[number].weigh(heads, slice(start - first, stop - first))
            of_block = slice(start - asked.start, stop - asked.start)
            weights[:, of_block, left : left + keys_each] = block
        return weights

    def at(self, query: int, key: int) -> tuple[ScoredLayer | WeighedLayer, int, int]:
        """Give the window that a query and a key are in, and where they stand in it.

        Raises
        ------
        ValueError
            If they are in two windows.
        """
        _, queries_each, keys_each = self.windows[0].shape
        (window, query_at), (other, key_at) = divmod(query, queries_each), divmod(key, keys_each)
        if window != other:
            raise ValueError(
                f"Query {window}.{query_at} is in window {window}, and key {other}.{key_at} in "
                f"window {other}, which it cannot read: name a key of its own window."
            )
        return self.windows[window], query_at, key_at

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
