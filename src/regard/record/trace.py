"""The `Trace`: what each head attended to in one forward pass, computed when it is asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from regard.record.layers import Layer, WeighedLayer, grouped, total
from regard.record.storage import read_trace, write_trace

if TYPE_CHECKING:
    import xarray

Weights = NDArray[np.float32]
Groups = list[list[int]]
ROUNDING = 1e-3  # how far a row of weights may be from 1 and still be called attention


class Word(NamedTuple):
    """A word of the text; two tokens are of one word if their words are equal."""

    number: int
    text: str


@dataclass(frozen=True)
class Side:
    """The tokens of the source, or of the target."""

    tokens: list[str] = field(default_factory=list)
    special: list[bool] = field(default_factory=list)  # is it [CLS], </s>, padding, ...?
    words: list[Word | None] | None = None  # of each token; None where the tokenizer cannot tell

    @classmethod
    def of_names(cls, names: Iterable[str]) -> "Side":
        """Take names that someone gave: none is special."""
        tokens = [str(name) for name in names]  # numbers are names too
        return cls(tokens, [False] * len(tokens))


class Labels(NamedTuple):
    """The words beside an attention matrix: a query for each row, a key for each column."""

    queries: list[str]
    keys: list[str]


@dataclass(frozen=True, repr=False)
class Trace:
    """The attention of one forward pass, computed for the head that is asked for.

    `regard.trace` makes it, `Trace.from_weights` takes weights that are there already. Rows of
    every matrix are queries (the token that reads), columns are keys (the token that is read);
    layers and heads count from 0.

    Examples
    --------
    >>> seen = Trace.from_weights([[1.0, 0.0], [0.25, 0.75]], tokens=["the", "dog"])
    >>> seen.weights(layer=0, head=0)[1]
    array([0.25, 0.75], dtype=float32)
    >>> seen.to_dataframe(layer=0, head=0).loc["dog", "the"].item()
    0.25
    """

    source: Side
    target: Side  # what the decoder read, empty where there is no other side
    written_tokens: list[str]  # what it wrote at each of them: the next token
    layers: dict[str, dict[int, Layer]]  # by kind and number
    counts: dict[str, int]  # how many layers of each kind the model has, kept or not
    how: str = "queries and keys"  # what the weights are computed from
    origin: dict[str, str] = field(default_factory=dict)  # model, versions, how to make it again
    probabilities: list[float] = field(default_factory=list)  # of each token that was written
    whole: "Trace | None" = None  # the trace before words were merged or tokens hidden

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
        return f"Trace of {len(self.tokens)} tokens: {counts} layers, from {self.how}"

    @property
    def tokens(self) -> list[str]:
        """The tokens of the sentence, special ones included."""
        return self.source.tokens

    @property
    def source_tokens(self) -> list[str]:
        """The tokens of the source, special ones included."""
        return self.source.tokens

    @property
    def target_tokens(self) -> list[str]:
        """The tokens that the decoder read; empty where there is no decoder beside an encoder."""
        return self.target.tokens

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of attention: "encoder", "decoder" (both self-attention) and "cross"."""
        return tuple(self.layers)

    @property
    def num_layers(self) -> int:
        """How many layers of the first kind the model has."""
        return self.counts[self.kinds[0]]

    @property
    def num_heads(self) -> int:
        """How many heads each layer of the first kind has."""
        return next(iter(self.layers[self.kinds[0]].values())).shape[0]

    def labels(self, kind: str | None = None, layer: int | None = None) -> Labels:
        """Give the words of the rows and the columns of a kind's matrices.

        A decoder's row is named by the token that reads and the one it writes next: `lo → cano`.
        Where a layer has other rows or columns than there are tokens, they are numbered.
        """
        kind = self._kind(kind)
        number = next(iter(self.layers[kind])) if layer is None else layer
        _, num_queries, num_keys = self._layer(number, kind).shape
        rows, columns = self._sides(kind)
        reads = rows.tokens
        if kind != "encoder" and len(self.written_tokens) == len(reads):
            pairs = zip(reads, self.written_tokens, strict=True)
            reads = [f"{read} → {written}" for read, written in pairs]
        return Labels(_fitting(reads, num_queries), _fitting(columns.tokens, num_keys))

    def special(self, kind: str | None = None) -> tuple[list[bool], list[bool]]:
        """Say which queries and which keys of a kind are special tokens."""
        rows, columns = self._sides(self._kind(kind))
        return rows.special, columns.special

    def weights(self, layer: int, head: int | None = None, *, kind: str | None = None) -> Weights:
        """Compute the attention weights of a head, or of all heads of a layer.

        Parameters
        ----------
        layer, head
            Counted from 0. Without a head, all of them.
        kind
            One of `.kinds`; the first, if not given.

        Returns
        -------
        numpy.ndarray
            float32, (Q, K), or (h, Q, K) without a head.

        Raises
        ------
        ValueError
            If there is no such kind, layer or head, or the layer was not kept.
        """
        seen = self._layer(layer, kind)
        if head is None:
            return _array(seen.weigh())
        head = _within("head", head, seen.shape[0])
        return _array(seen.weigh(slice(head, head + 1))[0])

    def queries(self, layer: int, *, kind: str | None = None) -> Weights:
        """Give the queries of a layer, (h, Q, d_k)."""
        return self._vectors("query", layer, kind)

    def keys(self, layer: int, *, kind: str | None = None) -> Weights:
        """Give the keys of a layer, (g, K, d_k), where g key heads serve the h query heads."""
        return self._vectors("key", layer, kind)

    def values(self, layer: int, *, kind: str | None = None) -> Weights:
        """Give the values of a layer, (g, K, d_v), where g key heads serve the h query heads."""
        return self._vectors("value", layer, kind)

    def to_dataframe(self, layer: int, head: int, *, kind: str | None = None) -> pd.DataFrame:
        """Give a head's matrix as a table, its rows and columns named by the tokens."""
        labels = self.labels(kind, layer)
        return pd.DataFrame(
            self.weights(layer, head, kind=kind),
            index=pd.Index(labels.queries, name="reads"),
            columns=pd.Index(labels.keys, name="is read"),
        )

    def to_xarray(self, kind: str | None = None) -> "xarray.DataArray":
        """Give all weights of one kind, labelled: (kind, layer, head, query, key).

        `query` and `key` are positions; `query_token` and `key_token` name them. There is one kind,
        so that `xarray.concat(..., dim="kind")` joins kinds of one size. The array
        holds layers x heads x Q x K floats: for long texts, ask for one head at a time.

        Raises
        ------
        ModuleNotFoundError
            If xarray is not installed.
        """
        try:
            import xarray  # noqa: PLC0415  an extra, and slow to load
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "to_xarray needs xarray, which is not installed: `pip install regard[xarray]`."
            ) from error
        kind = self._kind(kind)
        labels = self.labels(kind)
        layers = list(self.layers[kind])
        shapes = {self._layer(layer, kind).shape for layer in layers}
        if len(shapes) > 1:
            raise ValueError(
                f"The layers of kind {kind!r} have several sizes, {sorted(shapes)}, and fit in no "
                "one array: ask for `.weights(layer)`."
            )
        return xarray.DataArray(
            np.stack([self.weights(layer, kind=kind) for layer in layers])[None],
            dims=("kind", "layer", "head", "query", "key"),
            coords={
                "kind": [kind],
                "layer": layers,
                "head": range(self._layer(layers[0], kind).shape[0]),
                "query_token": ("query", labels.queries),
                "key_token": ("key", labels.keys),
            },
            name="attention",
            attrs=self.origin,
        )

    def merge_words(self) -> "Trace":
        """Put sub-words together to words: keys are summed, queries averaged.

        Rows still sum to 1. `.whole` is the trace before.

        Raises
        ------
        ValueError
            If the tokenizer does not say which tokens are of one word.

        Notes
        -----
        As Clark et al. (2019), *What does BERT look at?*, section 4.1.

        Examples
        --------
        >>> weights = [[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]
        >>> words = [Word(0, "the"), Word(1, "cows"), Word(1, "cows")]
        >>> seen = Trace.from_weights(weights, tokens=["the", "cow", "##s"])
        >>> seen = replace(seen, source=replace(seen.source, words=words)).merge_words()
        >>> seen.tokens, seen.weights(0, 0).tolist()
        (['the', 'cows'], [[0.5, 0.5], [0.25, 0.75]])
        """
        for side in (self.source, self.target):
            if side.tokens and side.words is None:
                raise ValueError(
                    "The tokenizer does not say which tokens are of one word, so they cannot be "
                    "merged: use a fast tokenizer (`use_fast=True`), or pass pre-split words."
                )
        return self._regrouped(word_groups, word_name)

    def hide(self, *, special: bool = True) -> "Trace":
        """Leave special tokens out, as rows and as columns; `.whole` is the trace before.

        Rows then sum to less than 1: see `hidden_share`.
        """
        return self._regrouped(_ordinary_tokens, _token_name) if special else self

    def hidden_share(self, layer: int, head: int, *, kind: str | None = None) -> float:
        """Give the share of the shown rows' attention that goes to tokens that are hidden.

        Rows that read nothing at all are left out, and what goes to a sink, which is no token.
        """
        seen = self._layer(layer, kind)
        head = _within("head", head, seen.shape[0])
        before = total(seen, slice(head, head + 1))[0]
        shown = torch.from_numpy(self.weights(layer, head, kind=kind)).sum(dim=-1)
        before, shown = before.cpu()[before.cpu() > 0], shown[before.cpu() > 0]
        return float((1 - shown / before).mean().clamp(min=0)) if len(before) else 0.0

    @classmethod
    def from_weights(
        cls,
        weights: Any,
        tokens: Sequence[str] | None = None,
        *,
        target_tokens: Sequence[str] | None = None,
        kind: str = "encoder",
    ) -> "Trace":
        """Take weights that are there already, from whatever model.

        Parameters
        ----------
        weights
            (Q, K), (h, Q, K) or (layers, h, Q, K); or one (h, Q, K) or (1, h, Q, K) a layer, such
            as the `attentions` of a transformers model. Torch or numpy. A layer that is None, as
            layers without attention are there, is left out but counted.
        tokens
            Those that are read, and that read too in self-attention. Numbers, if not given.
        target_tokens
            Those that read in cross-attention.
        kind
            "encoder", "decoder" or "cross".

        Raises
        ------
        ValueError
            If there are none, they are of several sentences, are not finite or negative, do not sum
            to 1, or the tokens do not fit them.
        """
        layers = _layers_of(weights, kind)
        num_queries, num_keys = next(iter(layers.values())).shape[1:]
        columns = Side.of_names(_named(tokens, num_keys, "tokens"))
        rows = Side()
        if kind == "cross":
            rows = Side.of_names(_named(target_tokens, num_queries, "target_tokens"))
        elif num_queries != num_keys:
            raise ValueError(
                f"In self-attention the tokens that read are those that are read, but the weights "
                f'have {num_queries} rows and {num_keys} columns: pass kind="cross".'
            )
        counts = {kind: max(layers) + 1}
        return cls(columns, rows, [], {kind: layers}, counts, how="weights")

    def save(self, path: str | Path) -> None:
        """Write the trace to one safetensors file, with what is needed to make it again.

        Queries and keys are written where they are there, else weights. Values are left out.
        """
        write_trace(path, self.layers, self._plain())

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """Read a trace that `save` wrote; no model is needed.

        Raises
        ------
        ValueError
            If the file is damaged or no trace.
        """
        layers, plain = read_trace(path)
        return cls(_side(plain["source"]), _side(plain["target"]), layers=layers, **plain["rest"])

    def _plain(self) -> dict[str, Any]:
        rest = ("written_tokens", "counts", "how", "origin", "probabilities")
        return {
            "source": vars(self.source),
            "target": vars(self.target),
            "rest": {name: getattr(self, name) for name in rest},
        }

    def _sides(self, kind: str) -> tuple[Side, Side]:
        """Give the tokens that read and those that are read."""
        if kind == "encoder" or not self.target.tokens:
            return self.source, self.source
        return self.target, self.target if kind == "decoder" else self.source

    def _regrouped(
        self, group: Callable[[Side], Groups], name: Callable[[Side, list[int]], str]
    ) -> "Trace":
        groups = {id(side): group(side) for side in (self.source, self.target)}
        layers: dict[str, dict[int, Layer]] = {}
        for kind, of_kind in self.layers.items():
            rows, columns = self._sides(kind)
            layers[kind] = {}
            for number, layer in of_kind.items():
                if layer.shape[1:] != (len(rows.tokens), len(columns.tokens)):
                    raise ValueError(
                        f"Layer {number} ({kind}) has other rows or columns than there are tokens, "
                        "so its tokens can be neither merged nor hidden."
                    )
                layers[kind][number] = grouped(layer, groups[id(rows)], groups[id(columns)])
        source, target = (
            _joined(side, groups[id(side)], name) for side in (self.source, self.target)
        )
        return replace(
            self,
            source=source,
            target=target,
            layers=layers,
            written_tokens=_kept(self.written_tokens, groups[id(self._writing_side)]),
            probabilities=_kept(self.probabilities, groups[id(self._writing_side)]),
            whole=self.whole or self,
        )

    @property
    def _writing_side(self) -> Side:
        return self.target if self.target.tokens else self.source

    def _kind(self, kind: str | None) -> str:
        if kind is None:
            return self.kinds[0]
        if kind not in self.layers:
            raise ValueError(
                f"There is no attention of kind {kind!r} in this trace: choose from {self.kinds}."
            )
        return kind

    def _layer(self, layer: int, kind: str | None) -> Layer:
        kind = self._kind(kind)
        number = _within("layer", layer, self.counts[kind])
        if number not in self.layers[kind]:
            raise ValueError(
                f"Layer {number} was not kept, only {sorted(self.layers[kind])}: trace again with "
                f"layers=[{number}], or without layers= to keep all."
            )
        return self.layers[kind][number]

    def _vectors(self, name: str, layer: int, kind: str | None) -> Weights:
        vectors = getattr(self._layer(layer, kind), name, None)
        if vectors is None:
            raise ValueError(
                f"This trace has no {name} vectors of layer {layer}: it was made from {self.how}, "
                "or with values=False, or its words are merged (see `.whole`)."
            )
        return _array(vectors)


def word_groups(side: Side) -> Groups:
    """Put neighbours of one word together; what is of no word stands for itself."""
    groups: Groups = []
    words = side.words or [None] * len(side.tokens)
    for at, word in enumerate(words):
        if word is not None and groups and words[groups[-1][-1]] == word:
            groups[-1].append(at)
        else:
            groups.append([at])
    return groups


def _ordinary_tokens(side: Side) -> Groups:
    return [[at] for at, special in enumerate(side.special) if not special]


def word_name(side: Side, group: list[int]) -> str:
    """Name tokens that stand together by their word, or by the first of them."""
    word = side.words[group[0]] if side.words else None
    return _token_name(side, group) if word is None else word.text


def _token_name(side: Side, group: list[int]) -> str:
    return side.tokens[group[0]]


def _joined(side: Side, groups: Groups, name: Callable[[Side, list[int]], str]) -> Side:
    return Side(
        [name(side, group) for group in groups],
        [side.special[group[0]] for group in groups],
        None if side.words is None else [side.words[group[0]] for group in groups],
    )


def _kept(written: list[Any], groups: Groups) -> list[Any]:
    """Keep what single tokens wrote; a word of several tokens writes no one token."""
    if not written or any(len(group) > 1 for group in groups):
        return []
    return [written[group[0]] for group in groups]


def _side(plain: Mapping[str, Any]) -> Side:
    words = plain["words"]
    if words is not None:
        words = [None if word is None else Word(*word) for word in words]
    return Side(plain["tokens"], plain["special"], words)


def _layers_of(weights: Any, kind: str) -> dict[int, Layer]:
    if weights is None or len(weights) == 0:
        raise ValueError(
            "There are no attention weights. A transformers model under sdpa, its default, gives "
            "an empty tuple or None for output_attentions=True: use `regard.trace(sentence, model, "
            'tokenizer)`, or `model.set_attn_implementation("eager")` first.'
        )
    if isinstance(weights, list | tuple) and any(w is None or np.ndim(w) > 2 for w in weights):
        several = {i: _tensor(w) for i, w in enumerate(weights) if w is not None}
        if not several:
            return _layers_of(None, kind)
    else:
        whole = _tensor(weights)
        several = dict(enumerate(whole if whole.dim() == 4 else [whole]))
    return {i: WeighedLayer(kind, _checked(layer, i)) for i, layer in several.items()}


def _tensor(weights: Any) -> Tensor:
    return torch.as_tensor(weights if isinstance(weights, Tensor) else np.asarray(weights)).float()


def _checked(weights: Tensor, layer: int) -> Tensor:
    """Give a layer's weights as (h, Q, K), or say what is wrong with them."""
    if weights.dim() == 4 and weights.size(0) == 1:
        weights = weights[0]
    if weights.dim() == 4:
        raise ValueError(
            f"The weights of layer {layer} are of {weights.size(0)} sentences: pass those of one, "
            "such as `[w[:1] for w in attentions]`."
        )
    weights = weights[None] if weights.dim() == 2 else weights
    if weights.dim() != 3:
        raise ValueError(
            f"The weights of layer {layer} are {tuple(weights.shape)}, but must be (h, Q, K)."
        )
    if not weights.isfinite().all() or (weights < 0).any():
        raise ValueError(
            f"The weights of layer {layer} are not all finite and at least 0: pass them after the "
            "softmax; `regard.examine(weights)` says which and why."
        )
    sums = weights.sum(dim=-1)
    if ((sums - 1).abs().minimum(sums) > ROUNDING).any():
        raise ValueError(
            f"The rows of layer {layer} sum to {sums.min():.3g} to {sums.max():.3g}, not to 1: in "
            "train mode dropout is in them (`model.eval()`), and scores must pass the softmax."
        )
    return weights


def _named(names: Sequence[str] | None, count: int, what: str) -> list[str]:
    if names is None:
        return _fitting([], count)
    if len(names) != count:
        raise ValueError(
            f"{what} has {len(names)} tokens, but the weights have {count}: name every token that "
            "the model saw, special ones too."
        )
    return list(names)


def _fitting(names: list[str], count: int) -> list[str]:
    return names if len(names) == count else [str(i) for i in range(count)]


def _within(name: str, index: int, count: int) -> int:
    if not 0 <= index < count:
        raise ValueError(
            f"There is no {name} {index}: this model has {count}, numbered 0 to {count - 1}."
        )
    return index


def _array(x: Tensor) -> Weights:
    return x.detach().float().cpu().numpy()
