"""What one attention layer saw; the weights of a head are computed when they are asked for.

Two ways to know a layer's weights, alike to whoever asks: from queries and keys (`ScoredLayer`),
and from the weights themselves (`WeighedLayer`). A `GroupedLayer` is either of them with tokens
summed to words, or left out.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

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


@runtime_checkable
class Valued(Protocol):
    """A layer that may hold values."""

    def lean(self) -> Layer:
        """Let go of the values."""


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
    sinks: Tensor | None = None  # (h,), a score each head gives to no key at all (GPT-OSS), or
    # (h, Q), each query to the keys of another side in the same softmax (T5Gemma 2)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (h, Q, K)."""
        return self.query.size(0), self.query.size(1), self.key.size(1)

    @property
    def is_shared(self) -> bool:
        """Whether its softmax is over the keys of another side, too."""
        return self.sinks is not None and self.sinks.dim() > 1

    def weigh(self, heads: slice = EVERYTHING, rows: slice = EVERYTHING) -> Tensor:
        """Compute the weights of some heads and queries: float32 (h', Q', K)."""
        keys = self.reach(rows)
        weights = self._softmax(self.score(heads, rows, keys), heads, rows)
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

    def log_sums(
        self, scores: Tensor, heads: slice = EVERYTHING, rows: slice = EVERYTHING
    ) -> Tensor:
        """Take the log of the softmax's denominators, sinks included: (h', Q', K) -> (h', Q').

        A query that may read nothing has 0, so that exp(score - log sum) is its weight, 0, too.
        """
        sums = scores.logsumexp(dim=-1)
        sinks = self.sinks_of(heads, rows)
        if sinks is not None:
            sums = torch.logaddexp(sums, sinks)
        return sums.masked_fill(sums.isneginf(), 0.0)

    def sinks_of(self, heads: slice = EVERYTHING, rows: slice = EVERYTHING) -> Tensor | None:
        """Give the scores that go to no key here: (h', 1), or (h', Q') where queries differ."""
        if self.sinks is None:
            return None
        sinks = self.sinks.detach().float()
        return sinks[heads, None] if sinks.dim() == 1 else sinks[heads, rows]

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

    def lean(self) -> "ScoredLayer":
        """Let go of the values, and of what queries and keys are cut from.

        All three are often slices of one tensor, which would live as long as they.
        """
        return replace(self, query=_own(self.query), key=_own(self.key), value=None)

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

    def _softmax(self, scores: Tensor, heads: slice, rows: slice) -> Tensor:
        sinks = self.sinks_of(heads, rows)
        if sinks is None:
            return scores.softmax(dim=-1)
        sink = sinks[..., None].expand(*scores.shape[:-1], 1)
        return torch.cat([scores, sink], dim=-1).softmax(dim=-1)[..., :-1]


def _part(x: Tensor, heads: slice, rows: slice, keys: slice) -> Tensor:
    """Slice what is broadcastable to (h, Q, K) along the sides that it has."""
    x = x[heads] if x.size(0) > 1 else x
    x = x[:, rows] if x.size(1) > 1 else x
    return x[..., keys] if x.size(2) > 1 else x


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
class Note:
    """What is known of a layer, whether it is kept or not."""

    path: str  # of the module that attended, in the model; "" if it is not known
    num_queries: int


class Recorder:
    """Collects the layers of one forward pass by kind and number.

    `wanted` are the numbers of the layers to keep, all where it is None. Which part of the model a
    layer is of shows in the end: till then it is kept if its number is wanted in any part that it
    may be of. Without `values`, none are kept, which takes a third off the memory.
    """

    def __init__(self, wanted: Collection[int] | None = None, *, values: bool = True) -> None:
        self.wanted = wanted
        self.values = values
        self.notes: dict[str, dict[int, Note]] = {}  # of all that attended
        self.layers: dict[str, dict[int, Layer]] = {}
        self.unmet = 0  # softmaxes of queries and keys that met no values, and are no layers

    @property
    def counts(self) -> Counter[str]:
        """How many layers of each kind have attended."""
        return Counter({kind: max(of_kind) + 1 for kind, of_kind in self.notes.items()})

    def add(self, layer: Layer, number: int, path: str = "") -> None:
        """Note that a layer attended, and keep it if it is wanted and the first of its number."""
        notes = self.notes.setdefault(layer.kind, {})
        kept = self.layers.setdefault(layer.kind, {})
        if number in notes:
            return
        if self.wanted is None or not self._numbers(notes, path).isdisjoint(self.wanted):
            kept[number] = self._lean(layer)
        notes[number] = Note(path, layer.shape[1])

    def replace(self, layer: Layer, number: int) -> None:
        """Put a layer that turned out to be larger in place of what was kept, if it was."""
        notes, kept = self.notes[layer.kind], self.layers[layer.kind]
        notes[number] = Note(notes[number].path, layer.shape[1])
        if number in kept:
            kept[number] = self._lean(layer)

    def _numbers(self, notes: Mapping[int, Note], path: str) -> set[int]:
        """Give the numbers that a layer has among those whose paths begin as its own does."""
        own, others = path.split("."), [note.path.split(".") for note in notes.values()]
        depths = range(len(own) + 1)
        return {sum(one[:depth] == own[:depth] for one in others) for depth in depths}

    def _lean(self, layer: Layer) -> Layer:
        """Let go of values that nobody wants."""
        return layer.lean() if isinstance(layer, Valued) and not self.values else layer


def _own(x: Tensor) -> Tensor:
    """Copy a slice, so that the whole can go."""
    is_slice = x.untyped_storage().nbytes() > x.nbytes
    return x.clone(memory_format=torch.contiguous_format) if is_slice else x
