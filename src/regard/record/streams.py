"""A layer's weights, some heads and queries at a time, so that N x N of them are never held."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from regard.record.door import within
from regard.record.layers import EVERYTHING, GroupedLayer, Layer, ScoredLayer
from regard.record.windows import WindowedLayer

BLOCK_BYTES = 4 * 2**20  # of weights, computed at once when they are streamed: they stay in cache


@dataclass(frozen=True)
class OneHead:
    """A layer of which only one head is looked at, so that it alone is streamed."""

    layer: Layer
    head: int

    @property
    def kind(self) -> str:
        """Whose attention it is."""
        return self.layer.kind

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (1, Q, K)."""
        return 1, *self.layer.shape[1:]

    def weigh(self, heads: slice = EVERYTHING, rows: slice = EVERYTHING) -> Tensor:
        """Compute the weights of some queries: (1, Q', K), or (0, Q', K) if it is not asked for."""
        asked = range(self.head, self.head + 1)[heads]
        return self.layer.weigh(slice(asked.start, asked.stop), rows)


def of_head(layer: Layer, head: int | None) -> Layer:
    """Keep one head of a layer; all of them, if none is named."""
    if head is None:
        return layer
    return OneHead(layer, within("head", head, layer.shape[0], owner="this layer"))


def each_head(layer: Layer) -> list[Layer]:
    """Part a layer into its heads: streamed one by one, keys are read from memory less often."""
    return [of_head(layer, head) for head in range(layer.shape[0])]


def spans(layer: Layer) -> Tensor:
    """Give the keys that each query may read: the first, and the one after the last, (Q, 2).

    What lies outside is masked, in every head. Where only weights are known, what no head reads
    counts as masked. A query that may read nothing has (0, 0). Between them there may be gaps, and
    where tokens are put together, what is given may start or end with one.
    """
    _, num_queries, num_keys = layer.shape
    if isinstance(layer, GroupedLayer):
        return _spans_of_groups(layer, spans(layer.layer))
    if isinstance(layer, WindowedLayer):
        return _spans_of_windows(layer)
    if isinstance(layer, ScoredLayer) and layer.allowed is None:
        after = torch.full((num_queries,), num_keys)
        if layer.is_causal:
            after = (torch.arange(num_queries) + 1).clamp(max=num_keys)
        return torch.stack([torch.zeros_like(after), after], dim=1)
    found = torch.empty(num_queries, 2, dtype=torch.long)
    with torch.no_grad():
        for rows, reads in _readable(layer):  # bool (Q', K)
            key_at = torch.arange(1, num_keys + 1, device=reads.device)
            after = (reads * key_at).amax(dim=-1)  # 0 where nothing is read
            first = num_keys - (reads * key_at.flip(0)).amax(dim=-1)
            found[rows] = torch.stack([first.where(after > 0, 0), after], dim=1).cpu()
    return found


def _readable(layer: Layer) -> Iterator[tuple[slice, Tensor]]:
    """Stream which keys any head may read, some queries at a time: (rows, (Q', K))."""
    if not isinstance(layer, ScoredLayer):
        yield from ((rows, (weights > 0).any(dim=0)) for rows, weights in blocks(layer))
        return
    _, num_queries, num_keys = layer.shape
    step = max(BLOCK_BYTES // (8 * max(num_keys, 1)), 1)
    for start in range(0, num_queries, step):
        rows = slice(start, min(start + step, num_queries))
        may_read = layer.may_read(rows=rows).any(dim=0)
        yield rows, may_read.expand(rows.stop - start, num_keys)


def _spans_of_windows(layer: WindowedLayer) -> Tensor:
    """Put the spans of each window where it stands; of a query that reads nothing, (0, 0) stays."""
    found = zip(map(spans, layer.windows), layer.starts(2), strict=False)
    return torch.cat([(one + left).where(one[:, 1:] > 0, 0) for one, left in found])


def _spans_of_groups(layer: GroupedLayer, of_tokens: Tensor) -> Tensor:
    """Give the groups that hold the first and the last token that a row may read."""
    _, num_rows, _ = layer.shape
    group_of = {key: group for group, keys in enumerate(layer.key_groups) for key in keys}
    kept = sorted(group_of)
    found = torch.zeros(num_rows, 2, dtype=torch.long)
    for row, queries in enumerate(layer.query_groups):
        of_row = of_tokens[list(queries)]
        of_row = of_row[of_row[:, 1] > 0]
        if len(of_row) == 0:
            continue
        first, after = int(of_row[:, 0].min()), int(of_row[:, 1].max())
        inside = kept[bisect_left(kept, first) : bisect_left(kept, after)]
        if inside:
            found[row] = torch.tensor([group_of[inside[0]], group_of[inside[-1]] + 1])
    return found


def blocks(layer: Layer) -> Iterator[tuple[slice, Tensor]]:
    """Stream a layer's weights, all heads, some queries at a time: (rows, (h, Q', K))."""
    num_heads, num_queries, num_keys = layer.shape
    step = max(BLOCK_BYTES // max(4 * num_heads * num_keys, 1), 1)
    for start in range(0, num_queries, step):
        rows = slice(start, min(start + step, num_queries))
        yield rows, layer.weigh(rows=rows)


def gathered(layer: Layer) -> Tensor:
    """Compute all weights of a layer, and hold nothing else of their size: float32 (h, Q, K).

    They come to the CPU block by block, so that a head of a long text takes no memory of a GPU.
    """
    weights = torch.empty(layer.shape)
    for rows, block in blocks(layer):
        weights[:, rows] = block
    return weights
