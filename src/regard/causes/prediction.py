"""One prediction of a model, from which words of the sentence can be left out."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from regard.record.door import whole_number
from regard.record.kinds import plain
from regard.record.words import Side, word_groups, word_name
from regard.tracing.any_model import AnyModel
from regard.tracing.inputs import Inputs
from regard.tracing.modules import evaluating
from regard.tracing.outputs import outputs_by_name
from regard.tracing.texts import Sentence

QUANTITIES: dict[str, Callable[[Tensor], Tensor]] = {  # from log-odds to what is explained
    "log-odds": lambda odds: odds,
    "probability": torch.sigmoid,
}


class Left(NamedTuple):
    """What is left of a prediction without some words."""

    probability: float  # of the label
    explained: float


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
    is_causal: bool  # does a token read none after it?
    of: str = "log-odds"  # what is explained: see QUANTITIES
    against: int | None = None  # the only other label, if the choice is between two

    @property
    def is_next(self) -> bool:
        """Whether it is what comes after the sentence."""
        return self.is_causal and self.at == self.ids.size(1) - 1

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
        """Number the words that can be left out: not the one that the prediction is about.

        Nor the last, where the next word is said: without it, another word would be asked for.
        """
        return [i for i, group in enumerate(self.words) if self.at not in group]

    def explained(self, ids: Tensor, *others: Tensor, at: int | None = None) -> Tensor:
        """Give what is to be explained in each of a batch of such sentences: (B,)."""
        return self.measured(self.logits(ids, *others, at=at))

    def logits(self, ids: Tensor, *others: Tensor, at: int | None = None) -> Tensor:
        """Give the logits at the place of the prediction: (B, classes)."""
        with outputs_by_name(self.model):
            logits = logits_of(self.model, self.call(ids, *others))
        place = self.at if at is None else at
        return (logits if self.at is None else logits[:, place]).float()

    def measured(self, logits: Tensor) -> Tensor:
        """Take what is to be explained from logits: (B, classes) -> (B,)."""
        if self.against is None:
            return QUANTITIES[self.of](log_odds(logits, self.label))
        return QUANTITIES[self.of](log_odds(logits[:, [self.label, self.against]], 0))

    def without(self, removed: Collection[int]) -> Left:
        """Give what is left of the prediction when some words, by their numbers, are left out."""
        gone = {token for word in removed for token in self.words[word]}
        left = [token for token in range(self.ids.size(1)) if token not in gone]
        keep = torch.tensor(left, device=self.ids.device)
        others = [
            x.index_select(1, keep) if x.dim() > 1 and x.size(1) == self.ids.size(1) else x
            for x in self.others
        ]
        at = None if self.at is None else left.index(self.at)
        with evaluating(self.model):
            logits = self.logits(self.ids.index_select(1, keep), *others, at=at)
        probability = log_odds(logits, self.label).sigmoid()
        return Left(probability.item(), self.measured(logits).item())


def log_odds(logits: Tensor, label: int) -> Tensor:
    """Compute log(p / (1 - p)) of a label's probability p, as exact near 1 as elsewhere: (B,)."""
    others = torch.cat([logits[:, :label], logits[:, label + 1 :]], dim=-1)
    return logits[:, label] - others.logsumexp(dim=-1)


def predict(
    sentence: Sentence,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase | None,
    *,
    position: int | None,
    label: int | None,
    kind: str,
    of: str = "log-odds",
    against: int | None = None,
) -> Prediction:
    """Run a model once, and say what it predicts, and what of that is to be explained.

    Raises
    ------
    TypeError
        If the model is none, or a position or label, or the one against it, is no whole number.
    ValueError
        If the model reads two sides, gives no logits for two classes or more, it is not clear at
        which token the prediction is made, or what is to be explained.
    """
    position = None if position is None else whole_number("position, counted from 0,", position)
    label = None if label is None else whole_number("label, counted from 0,", label)
    against = None if against is None else whole_number("against, counted from 0,", against)
    if of not in QUANTITIES:
        raise ValueError(f"What is explained is of one of {[*QUANTITIES]}, but got {of!r}.")
    found = AnyModel(model)
    model = found.model
    with evaluating(model), outputs_by_name(model):
        _refuse_two_sides(model, is_two_sided=found.is_two_sided)
        inputs = found.inputs(sentence, tokenizer)
        _refuse_two_sides(model, is_two_sided=len(inputs.positional) > 1)
        call, ids, others = _call_of(model, inputs)
        logits = logits_of(model, call(ids, *others))  # (1, classes) or (1, T, classes)
    length = ids.size(1)
    if position is not None and not -length <= position < length:
        raise ValueError(f"There is no token {position}: the sentence has {length}, from 0.")
    at = None if position is None else position % length
    reader = at if at is not None else (length - 1 if plain(kind) == "decoder" else 0)
    if logits.dim() == 3:
        at = reader = _place(ids, tokenizer, kind) if at is None else at
        logits = logits[:, at]
    else:
        at = None
    if logits.size(-1) < 2:
        raise ValueError(f"{type(model).__name__} gives one number, not a choice among classes.")
    chosen = int(logits[0].argmax()) if label is None else label
    _check_labels(chosen, against, logits.size(-1))
    side = inputs.source if inputs.source.tokens else Side.of_names(map(str, ids[0].tolist()))
    is_causal = plain(kind) == "decoder"
    return Prediction(model, side, call, ids, others, at, reader, chosen, is_causal, of, against)


def _check_labels(chosen: int, against: int | None, count: int) -> None:
    for label in (chosen,) if against is None else (chosen, against):
        if not 0 <= label < count:
            raise ValueError(f"There is no label {label}: the model has {count}, from 0.")
    if chosen == against:
        raise ValueError(
            f"Label {chosen} is what is predicted: name another by against=, or leave it out."
        )


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
