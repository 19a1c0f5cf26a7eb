"""The `Trace`: what each head attended to in one forward pass, computed when it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from regard.record.door import described, text, within
from regard.record.given import layers_of, sides_given
from regard.record.kinds import Head, kind_among, part_of, plain
from regard.record.labelled import labelled_array
from regard.record.layers import Layer
from regard.record.places import Media
from regard.record.regrouping import (
    Sides,
    merged_words,
    of_one_part,
    share_hidden,
    sides_of,
    without_special,
)
from regard.record.storage import read_trace, write_trace
from regard.record.streams import gathered, of_head
from regard.record.windows import WindowedLayer, names_of
from regard.record.words import Labels, Side, fitting

if TYPE_CHECKING:
    import xarray

Weights = NDArray[np.float32]


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
    sides: dict[str, Sides] = field(default_factory=dict)  # by kind, where a part has its own
    paths: dict[str, dict[int, str]] = field(default_factory=dict)  # of the modules that attended
    media: Media = field(default_factory=Media)  # the pictures that it saw, or the sound it heard

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
        return f"Trace of {len(self.tokens)} tokens: {counts} layers, from {self.how}"

    @property
    def tokens(self) -> list[str]:
        """The tokens of the sentence, special ones included.

        Each is called by its stretch of the text: `␣` is a space of its own, `↵` a line break;
        `牛 1/3` the first of three of one character; `·ly` goes on with a word, where no token has
        a space; `😀 [UNK]` is not known to the tokenizer.
        """
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
        """The kinds: "encoder", "decoder" (both self-attention), "cross"; "part/kind" of parts."""
        return tuple(self.layers)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the model that attend over tokens of their own; none, if it is one."""
        return tuple(dict.fromkeys(filter(None, map(part_of, self.layers))))

    def part(self, name: str) -> "Trace":
        """Give the trace of one part alone: its layers, its tokens.

        Raises
        ------
        ValueError
            If there is no such part.
        """
        return of_one_part(self, name)

    @property
    def num_layers(self) -> int:
        """How many layers of the first kind the model has."""
        return self.counts[self.kinds[0]]

    @property
    def num_heads(self) -> int:
        """How many heads each layer of the first kind has."""
        return self.layer(next(iter(self.layers[self.kinds[0]]))).shape[0]

    def kind_or_first(self, kind: str | None) -> str:
        """Take a kind that is there; without one, the first.

        Of a model that has parts, the part or the plain kind is enough where there is one such.

        Raises
        ------
        TypeError
            If it is no text.
        ValueError
            If there is no attention of this kind, or there are several.
        """
        if kind is None:
            return self.kinds[0]
        return kind_among(self.kinds, text("A kind of attention", kind))

    def layer(self, number: int, kind: str | None = None) -> Layer:
        """Give one layer, as it was recorded.

        Parameters
        ----------
        number
            Counted from 0.
        kind
            One of `.kinds`; the first, if not given.

        Raises
        ------
        TypeError
            If the number is no whole number.
        ValueError
            If there is no such kind or layer, or the layer was not kept.
        """
        kind = self.kind_or_first(kind)
        number = within("layer", number, self.counts[kind])
        if number not in self.layers[kind]:
            raise ValueError(
                f"Layer {number} was not kept, only {sorted(self.layers[kind])}: trace again with "
                f"layers=[{number}], or without layers= to keep all."
            )
        return self.layers[kind][number]

    def head(self, layer: int, head: int, *, kind: str | None = None) -> Head:
        """Name a head that is there, or raise as `layer` does.

        Examples
        --------
        >>> print(Trace.from_weights([[1.0]], tokens=["dog"]).head(0, 0))
        encoder self-attention, layer 0, head 0
        """
        num_heads, _, _ = self.layer(layer, kind).shape
        number = within("head", head, num_heads, owner="this layer")
        return Head(self.kind_or_first(kind), int(layer), number)

    def labels(self, layer: int | None = None, *, kind: str | None = None) -> Labels:
        """Give the words of the rows and the columns of a layer's matrices.

        Without a layer, of the first that was kept.

        A decoder's row is named by the token that reads and the one it writes next: `lo → cano`;
        rows or columns that are no tokens by numbers, or by window and place in it.
        """
        kind = self.kind_or_first(kind)
        number = next(iter(self.layers[kind])) if layer is None else layer
        seen = self.layer(number, kind)
        own = names_of(seen)
        if isinstance(seen, WindowedLayer):
            return own
        rows, columns = sides_of(self, kind)
        reads = rows.tokens
        if plain(kind) != "encoder" and len(self.written_tokens) == len(reads):
            pairs = zip(reads, self.written_tokens, strict=True)
            reads = [f"{read} → {written}" for read, written in pairs]
        return Labels(fitting(reads, own.queries), fitting(columns.tokens, own.keys))

    def special(self, kind: str | None = None) -> tuple[list[bool], list[bool]]:
        """Say which queries and which keys of a kind are special tokens."""
        one, other = sides_of(self, self.kind_or_first(kind))
        return one.special, other.special

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
        seen = self.layer(layer, kind)
        if head is None:
            return _array(gathered(seen))
        return _array(gathered(of_head(seen, self.head(layer, head, kind=kind).head))[0])

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
        labels = self.labels(layer, kind=kind)
        return pd.DataFrame(
            self.weights(layer, head, kind=kind),
            index=pd.Index(labels.queries, name="reads"),
            columns=pd.Index(labels.keys, name="is read"),
        )

    def to_xarray(self, kind: str | None = None) -> "xarray.DataArray":
        """Give all weights of one kind, labelled: (kind, layer, head, query, key).

        `query` and `key` are positions; `query_token` and `key_token` name them, `path` the module
        that attended. There is one kind, so that `xarray.concat(..., dim="kind")` joins kinds of
        one size. The array holds layers x heads x Q x K floats: for long texts, ask for one head
        at a time.

        Raises
        ------
        ModuleNotFoundError
            If xarray is not installed.
        """
        kind = self.kind_or_first(kind)
        weights = {number: self.weights(number, kind=kind) for number in self.layers[kind]}
        paths = self.paths.get(kind, {})
        return labelled_array(kind, weights, self.labels(kind=kind), paths, self.origin)

    def merge_words(self) -> "Trace":
        """Put sub-words together to words: keys are summed, queries averaged.

        Rows still sum to 1. `.whole` is the trace before. A word is a run of letters between spaces
        or signs, also in Korean and Thai; in Chinese and Japanese an ideograph or a run of kana.

        Raises
        ------
        ValueError
            If the tokenizer does not say which tokens are of one word.

        Notes
        -----
        As Clark et al. (2019), *What does BERT look at?*, section 4.1.

        Examples
        --------
        >>> from dataclasses import replace
        >>> from regard.record.words import Word
        >>> weights = [[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]
        >>> words = [Word(0, "the"), Word(1, "cows"), Word(1, "cows")]
        >>> seen = Trace.from_weights(weights, tokens=["the", "cow", "s"])
        >>> seen = replace(seen, source=replace(seen.source, words=words)).merge_words()
        >>> seen.tokens, seen.weights(0, 0).tolist()
        (['the', 'cows'], [[0.5, 0.5], [0.25, 0.75]])
        """
        return merged_words(self)

    def hide(self, *, special: bool = True) -> "Trace":
        """Leave special tokens out, as rows and as columns; `.whole` is the trace before.

        Rows then sum to less than 1: see `hidden_share`.
        """
        return without_special(self) if special else self

    def hidden_share(self, layer: int, head: int, *, kind: str | None = None) -> float:
        """Give the share of the shown rows' attention that goes to tokens that are hidden.

        Rows that read nothing at all are left out, and what goes to a sink, which is no token.
        """
        number = self.head(layer, head, kind=kind).head
        return share_hidden(self.layer(layer, kind), self.weights(layer, head, kind=kind), number)

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
        TypeError
            If they are no numbers, or the tokens no list of names.
        ValueError
            If there are none, they are of several sentences, are not finite or negative, do not sum
            to 1, or the tokens do not fit them.
        """
        layers = layers_of(weights, kind)
        sides = sides_given(next(iter(layers.values())), kind, tokens, target_tokens)
        return cls(*sides, [], {kind: layers}, {kind: max(layers) + 1}, how="weights")

    def save(self, path: str | Path) -> None:
        """Write the trace to one safetensors file, with what is needed to make it again.

        Queries and keys are written where they are there, else weights. Values are left out.

        Raises
        ------
        TypeError
            If the path is none.
        ValueError
            If it is that of a folder.
        """
        write_trace(path, self)

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """Read a trace that `save` wrote; no model is needed.

        Raises
        ------
        TypeError
            If the path is none.
        ValueError
            If there is no such file, or it is damaged or no trace.
        """
        return cls(**read_trace(path))

    def _vectors(self, name: str, layer: int, kind: str | None) -> Weights:
        vectors = getattr(self.layer(layer, kind), name, None)
        if vectors is None:
            raise ValueError(
                f"This trace has no {name} vectors of layer {layer}: it was made from {self.how}, "
                "or with values=False, or its words are merged (see `.whole`)."
            )
        return _array(vectors)


def a_trace(got: object) -> Trace:
    """Take a trace, or say how one is made.

    Raises
    ------
    TypeError
        If it is something else, such as a text, a model or what a model gave.
    """
    if not isinstance(got, Trace):
        raise TypeError(
            f"A trace is expected, but got {described(got)}: make one by "
            "`regard.trace(sentence, model, tokenizer)`, or of weights that are there already by "
            "`regard.Trace.from_weights(attentions, tokens)`."
        )
    return got


def _array(x: Tensor) -> Weights:
    return x.detach().float().cpu().numpy()
