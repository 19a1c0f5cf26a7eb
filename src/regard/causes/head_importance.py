"""What a model loses with each head: `importance`, beside which a heatmap is only a guess."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import pandas as pd
from torch import Tensor, nn
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from regard.causes.interventions import AVERAGED, ablate
from regard.causes.prediction import without_logits
from regard.record.door import function
from regard.record.kinds import KINDS, Head
from regard.record.layers import Note
from regard.tracing.any_model import AnyModel
from regard.tracing.calls import Call
from regard.tracing.modules import evaluating
from regard.tracing.outputs import outputs_by_name
from regard.tracing.parts import places_in_parts

IGNORED = -100  # the label that transformers leaves out of the loss

Score = Callable[[Any, Any], Any]
"""From a model and data to a number, or to numbers by name."""

Numbers = TypeVar("Numbers")  # one of all sentences, or one of each


def importance(
    model: nn.Module,
    data: Any,
    score: Score | None = None,
    *,
    heads: Sequence[Head | tuple[str, int, int]] | None = None,
    mode: str = "zero",
) -> pd.DataFrame:
    """Ablate each head by itself, and see how much worse the model does.

    Parameters
    ----------
    model
        What `regard.ablate` takes; without a score, a transformers model with a head, such as
        `AutoModelForMaskedLM`.
    data
        What `score` takes. Without one, batches for a transformers model: mappings of tensors with
        `labels` among them, -100 where there is none.
    score
        A function (model, data) that gives numbers by name, such as `{"loss": 0.3, "accuracy":
        0.9}`, a named tuple of numbers, or one number; the same each time that it is called.
        Without one, the loss that the transformers model gives, and the share of right labels.
    heads
        Only these, each (kind, layer, head); every head that attends, if not given.
    mode
        As for `regard.ablate`; for "mean" and "position mean", over all words that `score` runs
        on: padding, which no word may read, is left out.

    Returns
    -------
    pandas.DataFrame
        One row a head: `kind`, `layer`, `head`; and of each number, such as `loss`, three columns:
        `loss` without the head, `loss_before`, of the whole model, and `loss_change`, the first
        less the second.

    Raises
    ------
    TypeError
        If the model is none, or the score no function.
    ValueError
        If there is no score and no way to count without one; if the model has no such head; or if
        its heads cannot be ablated.

    Notes
    -----
    Michel et al. (2019), *Are sixteen heads really better than one?*, section 3.2: each head is
    taken out alone, so that of two that do the same, neither seems to matter. Voita et al. (2019),
    *Analyzing multi-head self-attention*, compare what a head does with whether it can go. The
    data is run through once for each head, twice for a mean. The head that seems to be missed most
    is so by luck, too: `regard.importance_by_sentence` has each sentence's numbers, for tests and
    intervals, and `regard.missed_most` chooses by some and counts on others.

    Examples
    --------
    >>> import torch
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(9, 8, nhead=2, num_layers=1, dim_feedforward=8)
    >>> src, tgt = torch.tensor([[4, 5, 6]]), torch.tensor([[1, 7]])
    >>> def likelihood(model, batch):
    ...     return model(*batch).log_softmax(-1)[0, 1, 8].item()
    >>> table = importance(model, (src, tgt), likelihood, heads=[("cross", 0, 0)])
    >>> table.columns.tolist()
    ['kind', 'layer', 'head', 'score', 'score_before', 'score_change']
    """
    before, found = measured_without(
        model, data, score, score_labels, _numbers, heads=heads, mode=mode
    )
    rows = [(*head, *_beside(without, before)) for head, without in found]
    columns = [f"{name}{ending}" for name in before for ending in ("", "_before", "_change")]
    return pd.DataFrame(rows, columns=["kind", "layer", "head", *columns])


def measured_without(
    model: nn.Module,
    data: Any,
    score: Score | None,
    own_score: Score,
    numbers: Callable[[Any], dict[str, Numbers]],
    *,
    heads: Sequence[Head | tuple[str, int, int]] | None,
    mode: str,
) -> tuple[dict[str, Numbers], list[tuple[Head, dict[str, Numbers]]]]:
    """Give the numbers of the whole model, and those without each head.

    `own_score` is taken of a transformers model where there is no other, `numbers` says what a
    score may give.
    """
    found = AnyModel(model)
    measure, data = _measure_of(found, data, score, own_score)
    measured = model if score is not None else found.model

    def run() -> dict[str, Numbers]:
        with nullcontext() if score is not None else outputs_by_name(found.model):
            return numbers(measure(measured, data))

    attended: dict[str, dict[int, Note]] = {}
    num_heads: dict[tuple[str, int], int] = {}

    def note(call: Call) -> None:
        kind, number = call.address.kind, call.address.number
        one = Note(call.address.path, call.output().size(1))
        attended.setdefault(kind, {}).setdefault(number, one)
        num_heads[kind, number] = call.num_heads

    with evaluating(found.whole):
        with found.editing(note):
            before = run()
        reference = run if mode in AVERAGED else None
        without = []
        for head in _every_head(attended, num_heads) if heads is None else heads:
            with ablate(model, [head], mode, reference=reference):
                without.append((Head(*head), run()))
    return before, without


def _every_head(
    attended: Mapping[str, Mapping[int, Note]], num_heads: Mapping[tuple[str, int], int]
) -> Iterator[Head]:
    if not attended:
        raise ValueError(
            "No attention that can be ablated ran: a model of transformers must attend through its "
            "AttentionInterface, and the score must run the model that it is given."
        )
    in_order = {kind: attended[kind] for kind in KINDS if kind in attended}
    for place, (kind, layer) in places_in_parts(in_order).items():
        for head in range(num_heads[place]):
            yield Head(kind, layer, head)


def _beside(without: Mapping[str, float], before: Mapping[str, float]) -> Iterator[float]:
    for name, value in before.items():
        yield from (without[name], value, without[name] - value)


def _numbers(scores: Any) -> dict[str, float]:
    """Give numbers by name."""
    if hasattr(scores, "_asdict"):
        scores = scores._asdict()
    named = scores if isinstance(scores, Mapping) else {"score": scores}
    try:
        return {str(name): float(value) for name, value in named.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(
            "A score is a number, numbers by name, or a named tuple of numbers, but got "
            f"{type(scores).__name__}."
        ) from error


def _measure_of(
    model: AnyModel, data: Any, score: Score | None, own_score: Score
) -> tuple[Score, Any]:
    data = list(data) if isinstance(data, Iterator) else data  # to be gone through again
    if score is not None:
        return function("score, a function (model, data) that gives numbers,", score), data
    if model.pretrained is None:
        raise ValueError(
            f"{model.name} does not say how good it is: pass score, a function (model, "
            "data) that gives numbers by name."
        )
    if isinstance(data, Mapping):
        data = [data]
    is_labelled = isinstance(data, Iterable) and all(
        isinstance(batch, Mapping) and "labels" in batch for batch in data
    )
    if not is_labelled:
        raise ValueError(
            "Without a score, data is batches with labels: mappings such as {'input_ids': ..., "
            "'labels': ...}."
        )
    return own_score, data


def score_labels(model: Any, batches: Iterable[Mapping[str, Tensor]]) -> dict[str, float]:
    """Give a transformers model's loss and, where labels are classes, the share that is right."""
    losses, right, count, are_classes = 0.0, 0.0, 0, True
    for batch in batches:
        outputs, logits, labels = labelled_logits(model, batch)
        known = labels != IGNORED
        if not known.any():
            continue  # its loss is NaN
        losses += float(outputs.loss) * int(known.sum())
        count += int(known.sum())
        are_classes = not labels.is_floating_point()
        if are_classes:
            right += float((logits.argmax(-1) == labels)[known].sum())
    if not count:
        raise ValueError(f"There are no labels other than {IGNORED}: nothing can be scored.")
    return {"loss": losses / count} | ({"accuracy": right / count} if are_classes else {})


def labelled_logits(model: Any, batch: Mapping[str, Tensor]) -> tuple[Any, Tensor, Tensor]:
    """Run a transformers model; give its outputs, and the logits beside their labels."""
    outputs = model(**{name: x.to(model.device) for name, x in batch.items()})
    if getattr(outputs, "logits", None) is None:
        raise without_logits(
            model,
            outputs,
            "load the model with a head, such as AutoModelForMaskedLM, or pass score, a "
            "function (model, data) that gives numbers by name",
        )
    return outputs, *_aligned(model, outputs.logits, batch["labels"].to(model.device))


def _aligned(model: nn.Module, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Set each label beside what was said of it: a language model says it a place before."""
    if type(model).__name__ in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values():
        logits, labels = logits[:, :-1], labels[:, 1:]
    if not labels.is_floating_point() and logits.shape[:-1] != labels.shape:
        raise ValueError(
            f"{type(model).__name__} gives logits {tuple(logits.shape)} for labels "
            f"{tuple(labels.shape)}, which are not one class each: pass a score."
        )
    return logits, labels
