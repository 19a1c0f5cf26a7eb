"""One prediction of a model, from which words of the sentence can be left out."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from regard.record.door import whole_number
from regard.record.kinds import plain
from regard.record.words import Side, word_groups, word_name
from regard.tracing.any_model import AnyModel
from regard.tracing.inputs import Inputs
from regard.tracing.modules import evaluating
from regard.tracing.texts import Sentence


@dataclass(frozen=True)
class Prediction:
    """What a model predicts for one sentence, at one place or for all of it."""

    model: nn.Module
    side: Side
    call: Callable[..., Any]  # the model, given ids (B, T) and `others` in their order
    ids: Tensor  # (1, T)
    others: tuple[Tensor, ...]
    at: int | None  # the token whose logits count; None where there is one row for the sentence
    reader: int  # the token that reads the others for it
    label: int
    is_next: bool  # is it what comes after the sentence?

    @property
    def words(self) -> list[list[int]]:
        """Give the tokens of each word; special tokens are of none."""
        return [group for group in word_groups(self.side) if not self.side.special[group[0]]]

    @property
    def names(self) -> list[str]:
        """Name the words."""
        return [word_name(self.side, group) for group in self.words]

    @property
    def removable(self) -> list[int]:
        """Number the words that can be left out: not the one that the prediction is about."""
        is_about = set() if self.at is None or self.is_next else {self.at}
        return [i for i, group in enumerate(self.words) if not is_about & set(group)]

    def probabilities(self, ids: Tensor, *others: Tensor, at: int | None = None) -> Tensor:
        """Give the label's probability in each of a batch of such sentences: (B,)."""
        logits = logits_of(self.model, self.call(ids, *others))
        place = self.at if at is None else at
        of_place = logits if self.at is None else logits[:, place]
        chances: Tensor = of_place.float().softmax(dim=-1)[:, self.label]
        return chances

    def without(self, removed: Collection[int]) -> float:
        """Give the label's probability when some words, by their numbers, are left out."""
        gone = {token for word in removed for token in self.words[word]}
        left = [token for token in range(self.ids.size(1)) if token not in gone]
        keep = torch.tensor(left, device=self.ids.device)
        others = [
            x.index_select(1, keep) if x.dim() > 1 and x.size(1) == self.ids.size(1) else x
            for x in self.others
        ]
        at = None
        if self.at is not None:
            at = len(left) - 1 if self.is_next else left.index(self.at)
        with evaluating(self.model):
            return self.probabilities(self.ids.index_select(1, keep), *others, at=at).item()


def predict(
    sentence: Sentence,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase | None,
    *,
    position: int | None,
    label: int | None,
    kind: str,
) -> Prediction:
    """Run a model once, and say what it predicts.

    Raises
    ------
    TypeError
        If the model is none, or a position or label is no whole number.
    ValueError
        If the model reads two sides, gives no logits for two classes or more, or it is not clear
        at which token the prediction is made.
    """
    position = None if position is None else whole_number("position, counted from 0,", position)
    label = None if label is None else whole_number("label, counted from 0,", label)
    found = AnyModel(model)
    model = found.model
    with evaluating(model):
        _refuse_two_sides(model, is_two_sided=found.is_two_sided)
        inputs = found.inputs(sentence, tokenizer)
        _refuse_two_sides(model, is_two_sided=len(inputs.positional) > 1)
        call, ids, others = _call_of(model, inputs)
        logits = logits_of(model, call(ids, *others))  # (1, classes) or (1, T, classes)
    length, is_next = ids.size(1), False
    if position is not None and not -length <= position < length:
        raise ValueError(f"There is no token {position}: the sentence has {length}, from 0.")
    at = None if position is None else position % length
    reader = at if at is not None else (length - 1 if plain(kind) == "decoder" else 0)
    if logits.dim() == 3:
        at = reader = _place(ids, tokenizer, kind) if at is None else at
        is_next = plain(kind) == "decoder" and at == length - 1
        logits = logits[:, at]
    else:
        at = None
    if logits.size(-1) < 2:
        raise ValueError(f"{type(model).__name__} gives one number, not a choice among classes.")
    chosen = int(logits[0].argmax()) if label is None else label
    if not 0 <= chosen < logits.size(-1):
        raise ValueError(f"There is no label {chosen}: the model has {logits.size(-1)}, from 0.")
    side = inputs.source if inputs.source.tokens else Side.of_names(map(str, ids[0].tolist()))
    return Prediction(model, side, call, ids, others, at, reader, chosen, is_next)


def logits_of(model: nn.Module, outputs: Any) -> Tensor:
    """Take the logits, (B, classes) or (B, T, classes), from what a model returned."""
    logits = outputs if isinstance(outputs, Tensor) else getattr(outputs, "logits", None)
    if not isinstance(logits, Tensor):
        raise without_logits(
            model,
            outputs,
            "load the model with a head that classifies or writes, such as "
            "AutoModelForSequenceClassification or AutoModelForMaskedLM",
        )
    if logits.dim() not in {2, 3}:
        raise ValueError(
            "A prediction is logits (sentences, classes) or (sentences, tokens, classes), but "
            f"{type(model).__name__} gives {tuple(logits.shape)}: pass a model that classifies its "
            "sentence or its tokens, fills a mask, or writes on."
        )
    return logits


def without_logits(model: nn.Module, outputs: Any, advice: str) -> ValueError:
    """Say what a model without a head gives, and what to do."""
    gives = f"a {type(outputs).__name__}"
    if isinstance(outputs, Mapping):  # as all that transformers' models return
        gives = " and ".join(outputs)
    return ValueError(f"{type(model).__name__} gives {gives}, but no logits: {advice}.")


def _call_of(
    model: nn.Module, inputs: Inputs
) -> tuple[Callable[..., Any], Tensor, tuple[Tensor, ...]]:
    """Part what a model takes into the ids, other tensors, and how to call it."""
    if inputs.positional:
        return model, inputs.positional[0], ()
    if "input_ids" not in inputs.named:
        raise ValueError(f"Words are left out of input_ids, but got only {sorted(inputs.named)}.")
    tensors = {n: x for n, x in inputs.named.items() if isinstance(x, Tensor) and n != "input_ids"}
    options: Mapping[str, Any] = {
        name: x for name, x in inputs.named.items() if not isinstance(x, Tensor)
    }

    def call(ids: Tensor, *others: Tensor) -> Any:
        return model(input_ids=ids, **dict(zip(tensors, others, strict=True)), **options)

    return call, inputs.named["input_ids"], tuple(tensors.values())


def _refuse_two_sides(model: nn.Module, *, is_two_sided: bool) -> None:
    if is_two_sided:
        raise ValueError(
            f"{type(model).__name__} reads two sides: pass a model that classifies its sentence or "
            "its tokens, fills a mask, or writes on."
        )


def _place(ids: Tensor, tokenizer: PreTrainedTokenizerBase | None, kind: str) -> int:
    """Find the token at which a prediction is made: the last of a decoder, or the mask."""
    if plain(kind) == "decoder":
        return ids.size(1) - 1
    mask = None if tokenizer is None else tokenizer.mask_token_id
    found = [] if mask is None else (ids[0] == mask).nonzero().flatten().tolist()
    if len(found) != 1:
        raise ValueError(
            f"The model predicts something at each of {ids.size(1)} tokens: say which by "
            f"position=, counted from 0, or write one mask token; it has {len(found)}."
        )
    return int(found[0])
