"""`trace` runs a model on a sentence; the `Trace` answers what each head attended to."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from regard.modules import attention_modules, evaluating, recording
from regard.recording import RecordedLayer

Weights = NDArray[np.float32]


class Labels(NamedTuple):
    """The words beside an attention matrix: a query for each row, a key for each column."""

    queries: list[str]
    keys: list[str]


@dataclass(frozen=True)
class Trace:
    """The attention of one forward pass, computed for the head that is asked for.

    `trace` makes it. Rows of every matrix are queries (the token that reads), columns are keys (the
    token that is read); layers and heads count from 0.
    """

    source_tokens: list[str]
    target_tokens: list[str]  # what the decoder read, and empty where there is none
    written_tokens: list[str]  # what it wrote at each of them: the next word
    layers: dict[str, list[RecordedLayer]]  # by kind

    @property
    def tokens(self) -> list[str]:
        """The tokens of the sentence, special ones included."""
        return self.source_tokens

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of attention: "encoder", "decoder" (both self-attention) and "cross"."""
        return tuple(self.layers)

    @property
    def num_layers(self) -> int:
        """How many layers the first kind has."""
        return len(self.layers[self.kinds[0]])

    @property
    def num_heads(self) -> int:
        """How many heads each layer of the first kind has."""
        return self.layers[self.kinds[0]][0].num_heads

    def labels(self, kind: str | None = None) -> Labels:
        """Give the words of the rows and the columns of a kind's matrices.

        A decoder's row is named by the token that reads and the one it writes next: `lo → cano`.
        """
        kind = self._kind(kind)
        if kind == "encoder":
            return Labels(self.source_tokens, self.source_tokens)
        rows = [
            f"{read} → {written}"
            for read, written in zip(self.target_tokens, self.written_tokens, strict=True)
        ]
        return Labels(rows, self.target_tokens if kind == "decoder" else self.source_tokens)

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
            If there is no such kind, layer or head.
        """
        recorded = self._layer(layer, kind)
        if head is None:
            return np.stack([_array(recorded.weigh(h)) for h in range(recorded.num_heads)])
        return _array(recorded.weigh(_within("head", head, recorded.num_heads)))

    def queries(self, layer: int, *, kind: str | None = None) -> Weights:
        """Give the queries of a layer, (h, Q, d_k)."""
        return _array(self._layer(layer, kind).query)

    def keys(self, layer: int, *, kind: str | None = None) -> Weights:
        """Give the keys of a layer, (h, K, d_k)."""
        return _array(self._layer(layer, kind).key)

    def to_dataframe(self, layer: int, head: int, *, kind: str | None = None) -> pd.DataFrame:
        """Give a head's matrix as a table, its rows and columns named by the tokens."""
        labels = self.labels(kind)
        return pd.DataFrame(
            self.weights(layer, head, kind=kind),
            index=pd.Index(labels.queries, name="reads"),
            columns=pd.Index(labels.keys, name="is read"),
        )

    def _kind(self, kind: str | None) -> str:
        if kind is None:
            return self.kinds[0]
        if kind not in self.layers:
            raise ValueError(
                f"There is no attention of kind {kind!r} in this trace: choose from {self.kinds}."
            )
        return kind

    def _layer(self, layer: int, kind: str | None) -> RecordedLayer:
        layers = self.layers[self._kind(kind)]
        return layers[_within("layer", layer, len(layers))]


def _within(name: str, index: int, count: int) -> int:
    if not 0 <= index < count:
        raise ValueError(
            f"There is no {name} {index}: this model has {count}, numbered 0 to {count - 1}."
        )
    return index


def _array(x: Tensor) -> Weights:
    return x.detach().float().cpu().numpy()


def trace(
    sentence: str,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    *,
    target: str | None = None,
) -> Trace:
    """Run the model on a sentence and keep what every attention head saw.

    Parameters
    ----------
    sentence
        The source text.
    model
        A module whose attention follows the protocol of `regard.modules.AttentionModule`: an
        encoder called as `model(src)`, or an encoder-decoder called as `model(src, tgt)` that can
        `generate(src)`.
    tokenizer
        With the Hugging Face interface.
    target
        The translation that the decoder is given to read; without it, what the model writes itself.

    Returns
    -------
    Trace
        Queries and keys of every layer; the weights of a head when it is asked for.

    Raises
    ------
    ValueError
        If the sentence is empty, too long or has words that the tokenizer does not know, or the
        model has no attention that can be traced.

    Examples
    --------
    >>> from regard.languages import vocabulary
    >>> from regard.tokenization import build_tokenizer
    >>> from regard.transformer import build_transformer_model
    >>> model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    >>> tokenizer = build_tokenizer(vocabulary(300))
    >>> seen = trace("the dog saw it .", model, tokenizer, target="lo cano elo vedava .")
    >>> seen.kinds, seen.weights(0, 1, kind="cross").shape
    (('encoder', 'decoder', 'cross'), (6, 6))
    """
    if not attention_modules(model):
        raise ValueError(
            f"No attention that can be traced was found in {type(model).__name__}: its attention "
            "modules must follow the protocol of regard.modules.AttentionModule."
        )
    device = next(model.parameters()).device
    source = encode(sentence, tokenizer)
    read: list[int] = []
    written: list[int] = []
    with evaluating(model):
        inputs = [torch.tensor([source], device=device)]
        if hasattr(model, "generate"):
            read, written = _target_side(inputs[0], target, model, tokenizer)
            inputs.append(torch.tensor([read], device=device))
        with recording(model) as layers:
            model(*inputs)
    return Trace(
        source_tokens=_tokens(source, tokenizer),
        target_tokens=_tokens(read, tokenizer),
        written_tokens=_tokens(written, tokenizer),
        layers=_by_kind(layers),
    )


def _tokens(ids: list[int], tokenizer: PreTrainedTokenizerBase) -> list[str]:
    return [str(tokenizer.convert_ids_to_tokens(i)) for i in ids]


def encode(sentence: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Turn a sentence into token ids, or say what is wrong with it."""
    if not isinstance(sentence, str):
        raise TypeError(f"A sentence is a string, but got {type(sentence).__name__}.")
    if not sentence.strip():
        raise ValueError("The sentence is empty: type one, such as 'the dog saw the cow .'")
    ids: list[int] = tokenizer(sentence).input_ids
    if tokenizer.unk_token_id in ids:
        raise ValueError(_unknown_words(sentence, tokenizer))
    return ids


def _unknown_words(sentence: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """Name the words that the tokenizer does not know, each with those that come near."""
    known = [word for word in tokenizer.get_vocab() if word not in tokenizer.all_special_tokens]
    pieces = tokenizer(sentence, return_offsets_mapping=True)
    unknown = dict.fromkeys(
        sentence[slice(*span)]
        for i, span in zip(pieces.input_ids, pieces.offset_mapping, strict=True)
        if i == tokenizer.unk_token_id
    )
    hints = []
    for word in unknown:
        near = difflib.get_close_matches(word.lower(), known)
        hints.append(f"{word!r}" + (f" (did you mean {' or '.join(near)}?)" if near else ""))
    return (
        f"The tokenizer does not know {', '.join(hints)}. Its {len(known)} words are, for example: "
        f"{', '.join(sorted(known)[:: max(len(known) // 12, 1)])}."
    )


def _target_side(
    source: Tensor, target: str | None, model: nn.Module, tokenizer: PreTrainedTokenizerBase
) -> tuple[list[int], list[int]]:
    """Give what the decoder reads, <s> first, and what it writes at each of those positions."""
    if target is None:
        written = model.generate(source)[0].tolist()  # type: ignore[operator]  # checked by trace
        return written[:-1], written[1:]
    written = encode(target, tokenizer)  # ... </s>
    return [tokenizer.bos_token_id, *written[:-1]], written


def _by_kind(layers: Sequence[RecordedLayer]) -> dict[str, list[RecordedLayer]]:
    kinds = dict.fromkeys(layer.kind for layer in layers)
    return {kind: [layer for layer in layers if layer.kind == kind] for kind in kinds}
