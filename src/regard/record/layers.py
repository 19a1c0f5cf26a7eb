"""What one attention layer saw; the weights of a head are computed when they are asked for.

Three ways to know a layer's weights, alike to whoever asks: from queries and keys (`ScoredLayer`),
from the module that attended (`AskedLayer`), and from the weights themselves (`WeighedLayer`). A
`GroupedLayer` is any of them with tokens summed to words, or left out.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from regard.record.door import within

BLOCK_BYTES = 4 * 2**20  # of weights, computed at once when they are streamed: they stay in cache
EVERYTHING = slice(None)


class Layer(Protocol):
    """One attention layer of one forward pass, on one sentence: h heads, Q queries, K keys."""

    @property
    def kind(self) -> str:
        """Whose attention it is: "encoder", "decoder" or "cross"."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (h, Q, K)."""

    def weigh(self, heads: slice = EVERYTHING, rows: slice = EVERYTHING) -> Tensor:
        """Compute the weights of some heads and queries: float32 (h', Q', K)."""


@dataclass(frozen=True)
class ScoredLayer:
    """softmax(Q K^T scale + bias), masked: O(N d) kept, never h x N x N.

    With grouped queries, g key heads serve h query heads, h / g neighbours each.
    """

    kind: str
    query: Tensor  # (h, Q, d_k)
    key: Tensor  # (g, K, d_k)
    value: Tensor | None  # (g, K, d_v), where it was kept
    scale: float
    allowed: Tensor | None = None  # bool, broadcastable to (h, Q, K); True = may attend
    bias: Tensor | None = None  # float, broadcastable to (h, Q, K), added to the scores
    is_causal: bool = False  # query t may read keys 0 to t
    softcap: float | None = None  # scores are squeezed to +- this (Gemma 2)
    sinks: Tensor | None = None  # (h,), a score each head gives to no key at all (GPT-OSS)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (h, Q, K)."""
        return self.query.size(0), self.query.size(1), self.key.size(1)

    def weigh(self, heads: slice = EVERYTHING, rows: slice = EVERYTHING) -> Tensor:
        """Compute the weights of some heads and queries: float32 (h', Q', K)."""
        keys = self.reach(rows)
        weights = self._softmax(self.score(heads, rows, keys), heads)
        if self.allowed is not None:  # a query that may read nothing has NaN: make it zero
            may_read = self.may_read(heads, rows, keys)
            weights = weights.masked_fill(~may_read.any(dim=-1, keepdim=True), 0.0)
        return F.pad(weights, (0, self.key.size(1) - keys.stop))

    def score(
        self, heads: slice = EVERYTHING, rows: slice = EVERYTHING, keys: slice = EVERYTHING
    ) -> Tensor:
        """Compute what the softmax is taken of, -inf where masked: float32 (h', Q', K')."""
        with torch.no_grad(), torch.autocast(self.query.device.type, enabled=False):
            query = self.query[heads, rows].float() * self.scale
            scores = query @ self.of_heads(self.key[:, keys], heads).float().mT
            if self.bias is not None:
                scores = scores + _part(self.bias, heads, rows, keys).float()
            if self.softcap is not None:
                scores = self.softcap * torch.tanh(scores / self.softcap)
            return self._mask(scores, heads, rows, keys)

    def log_sums(self, scores: Tensor, heads: slice = EVERYTHING) -> Tensor:
        """Take the log of the softmax's denominators, sinks included: (h', Q', K) -> (h', Q').

        A query that may read nothing has 0, so that exp(score - log sum) is its weight, 0, too.
        """
        sums = scores.logsumexp(dim=-1)
        if self.sinks is not None:
            sums = torch.logaddexp(sums, self.sinks[heads, None].detach().float())
        return sums.masked_fill(sums.isneginf(), 0.0)

    def of_heads(self, x: Tensor, heads: slice) -> Tensor:
        """Give each of these query heads its key head's part of x: (g, K, d) -> (h', K, d)."""
        num_heads = self.query.size(0)
        if x.size(0) == num_heads:
            return x[heads]
        serving = torch.arange(num_heads)[heads] * x.size(0) // num_heads
        return x[serving.to(x.device)]

    def reach(self, rows: slice) -> slice:
        """Give the keys that these queries may read at all: 0 to K', half the work where causal."""
        _, num_queries, num_keys = self.shape
        return slice(min(range(num_queries)[rows].stop, num_keys) if self.is_causal else num_keys)

    def may_read(
        self, heads: slice = EVERYTHING, rows: slice = EVERYTHING, keys: slice = EVERYTHING
    ) -> Tensor:
        """Say which keys a query may read: bool, broadcastable to (h', Q', K')."""
        _, num_queries, num_keys = self.shape
        query_at, key_at = (
            torch.arange(n, device=self.query.device) for n in (num_queries, num_keys)
        )
        may = key_at[keys] <= query_at[rows, None] if self.is_causal else (key_at[keys] >= 0)[None]
        return may[None] if self.allowed is None else may & _part(self.allowed, heads, rows, keys)

    def _mask(self, scores: Tensor, heads: slice, rows: slice, keys: slice) -> Tensor:
        if self.allowed is not None:
            return scores.masked_fill_(~self.may_read(heads, rows, keys), -math.inf)
        if self.is_causal:  # what the first of these queries may read, all of them may
            _, num_queries, num_keys = self.shape
            first = range(num_queries)[rows].start + 1
            later = range(num_keys)[keys][max(first - range(num_keys)[keys].start, 0) :]
            if later:
                may_read = self.may_read(heads, rows, slice(later.start, later.stop))
                scores[..., -len(later) :].masked_fill_(~may_read, -math.inf)
        return scores

    def _softmax(self, scores: Tensor, heads: slice) -> Tensor:
        if self.sinks is None:
            return scores.softmax(dim=-1)
        sink = self.sinks[heads, None, None].detach().float().expand(*scores.shape[:-1], 1)
        return torch.cat([scores, sink], dim=-1).softmax(dim=-1)[..., :-1]


def _part(x: Tensor, heads: slice, rows: slice, keys: slice) -> Tensor:
    """Slice what is broadcastable to (h, Q, K) along the sides that it has."""
    x = x[heads] if x.size(0) > 1 else x
    x = x[:, rows] if x.size(1) > 1 else x
    return x[..., keys] if x.size(2) > 1 else x


@dataclass(frozen=True)
class AskedLayer:
    """Weights from the module that attended, so that they are those that it uses, edited or not."""

    kind: str
    query: Tensor  # (h, Q, d_k)
    key: Tensor  # (h, K, d_k)
    value: Tensor | None  # (h, K, d_v), where it was kept
    ask: Callable[[int], Tensor]  # head -> (Q, K)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (h, Q, K)."""
        return self.query.size(0), self.query.size(1), self.key.size(1)

    def weigh(self, heads: slice = EVERYTHING, rows: slice = EVERYTHING) -> Tensor:
        """Ask for the weights of some heads, and keep those of some queries: (h', Q', K)."""
        asked = [self.ask(head)[rows] for head in range(self.query.size(0))[heads]]
        return torch.stack(asked).float()


@dataclass(frozen=True)
class WeighedLayer:
    """The weights themselves, h x Q x K of them, where nothing else is to be had."""

    kind: str
    weights: Tensor  # (h, Q, K)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (h, Q, K)."""
        num_heads, num_queries, num_keys = self.weights.shape
        return num_heads, num_queries, num_keys

    def weigh(self, heads: slice = EVERYTHING, rows: slice = EVERYTHING) -> Tensor:
        """Look up the weights of some heads and queries: (h', Q', K)."""
        return self.weights[heads, rows].detach().float()


@dataclass(frozen=True)
class GroupedLayer:
    """A layer whose tokens are put together: keys are summed, queries averaged.

    What a word gets is what its tokens get; how it reads is how its tokens read on average, so that
    rows that sum to 1 still do. A token in no group is left out, and what it got with it.
    """

    layer: Layer
    query_groups: Sequence[Sequence[int]]  # for each row, the queries that it stands for
    key_groups: Sequence[Sequence[int]]

    @property
    def kind(self) -> str:
        """Whose attention it is."""
        return self.layer.kind

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (h, Q, K), counted in groups."""
        return self.layer.shape[0], len(self.query_groups), len(self.key_groups)

    def weigh(self, heads: slice = EVERYTHING, rows: slice = EVERYTHING) -> Tensor:
        """Compute the weights of some heads and rows: (h', Q', K)."""
        groups = self.query_groups[rows]
        first = min((min(group) for group in groups), default=0)
        last = max((max(group) for group in groups), default=-1)
        weights = self.layer.weigh(heads, slice(first, last + 1))  # (h', Q, K)
        of_words = _summed(weights, self.key_groups)  # (h', Q, K')
        return _averaged(of_words.mT, groups, first).mT


def grouped(
    layer: Layer, query_groups: Sequence[Sequence[int]], key_groups: Sequence[Sequence[int]]
) -> GroupedLayer:
    """Put the tokens of a layer together; where words are only left out, without a second layer."""
    is_choice = all(len(group) == 1 for group in (*query_groups, *key_groups))
    if not isinstance(layer, GroupedLayer) or not is_choice:
        return GroupedLayer(layer, query_groups, key_groups)
    return GroupedLayer(
        layer.layer,
        [layer.query_groups[word] for (word,) in query_groups],
        [layer.key_groups[word] for (word,) in key_groups],
    )


def total(layer: Layer, heads: slice = EVERYTHING) -> Tensor:
    """Sum what each row reads, before any token was left out: (h', Q)."""
    if not isinstance(layer, GroupedLayer):
        return layer.weigh(heads).sum(dim=-1)
    return _averaged(total(layer.layer, heads), layer.query_groups)


def _summed(x: Tensor, groups: Sequence[Sequence[int]], first: int = 0) -> Tensor:
    """Sum over each group of tokens, counted from the first on: (..., tokens) -> (..., groups)."""
    group_of = [len(groups)] * x.size(-1)  # one more, for tokens in no group
    for number, group in enumerate(groups):
        for token in group:
            group_of[token - first] = number
    sums = x.new_zeros(*x.shape[:-1], len(groups) + 1)
    return sums.index_add_(-1, torch.tensor(group_of, device=x.device), x)[..., :-1]


def _averaged(x: Tensor, groups: Sequence[Sequence[int]], first: int = 0) -> Tensor:
    sizes = x.new_tensor([len(group) for group in groups])
    return _summed(x, groups, first) / sizes


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
    step = max(BLOCK_BYTES // (8 * num_keys), 1)
    for start in range(0, num_queries, step):
        rows = slice(start, min(start + step, num_queries))
        may_read = layer.may_read(rows=rows).any(dim=0)
        yield rows, may_read.expand(rows.stop - start, num_keys)


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
    step = max(BLOCK_BYTES // (4 * num_heads * num_keys), 1)
    for start in range(0, num_queries, step):
        rows = slice(start, min(start + step, num_queries))
        yield rows, layer.weigh(rows=rows)


class Recorder:
    """Collects the layers of a forward pass by kind and number, in the order in which they attend.

    `wanted` are the numbers of the layers to keep, all where it is None. Without `values`, none are
    kept, which takes a third off the memory.
    """

    def __init__(self, wanted: Collection[int] | None = None, *, values: bool = True) -> None:
        self.wanted = wanted
        self.values = values
        self.counts: Counter[str] = Counter()  # how many layers of each kind have attended
        self.layers: dict[str, dict[int, Layer]] = {}

    def add(self, layer: Layer) -> None:
        """Count a layer, and keep it if it is wanted."""
        number = self.counts[layer.kind]
        self.counts[layer.kind] += 1
        kept = self.layers.setdefault(layer.kind, {})
        if self.wanted is None or number in self.wanted:
            kept[number] = self._lean(layer)

    def _lean(self, layer: Layer) -> Layer:
        """Let go of values that nobody wants, and of what a layer's queries and keys are cut from.

        Queries, keys and values are often slices of one tensor, which would live as long as they.
        """
        if self.values or not isinstance(layer, ScoredLayer | AskedLayer):
            return layer
        query, key = (_own(x) for x in (layer.query, layer.key))
        return replace(layer, query=query, key=key, value=None)


def _own(x: Tensor) -> Tensor:
    """Copy a slice, so that the whole can go."""
    is_slice = x.untyped_storage().nbytes() > x.nbytes
    return x.clone(memory_format=torch.contiguous_format) if is_slice else x
