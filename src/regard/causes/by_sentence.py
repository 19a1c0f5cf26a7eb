"""What a model loses with each head in each sentence, so that it can be said how sure that is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from regard.causes.head_importance import IGNORED, Score, labelled_logits, measured_without
from regard.record.door import described
from regard.record.kinds import Head

Floats = NDArray[np.float64]
HEAD = ["kind", "layer", "head"]
CLOSE = 1e-3  # how far the sentences' losses may be from the model's own, as a share of it


def importance_by_sentence(
    model: nn.Module,
    data: Any,
    score: Score | None = None,
    *,
    heads: Sequence[Head | tuple[str, int, int]] | None = None,
    mode: str = "zero",
) -> pd.DataFrame:
    """Ablate each head by itself, and see how much worse the model does in each sentence.

    Parameters
    ----------
    model, data, heads, mode
        As for `regard.importance`.
    score
        A function (model, data) that gives, by name, as many numbers as there are sentences, such
        as `{"loss": losses}`, or one such array; always of the same sentences in the same order.
        Without one, of a transformers model, the loss of each sentence, the mean over its labels,
        and the share of its labels that is right.

    Returns
    -------
    pandas.DataFrame
        One row a head and sentence: `kind`, `layer`, `head`, `sentence`, counted from 0; and of
        each number, such as `loss`, `loss` without the head, `loss_before`, of the whole model, and
        `loss_change`. Sentences without a label are left out.

    Raises
    ------
    TypeError
        If the model is none, or the score no function.
    ValueError
        As `regard.importance`; if a score gives no number for each sentence, or other numbers of
        sentences; or if the model's loss is not that of the likelihood of its labels.

    Notes
    -----
    The changes are paired, the same sentence with and without the head, so that intervals and tests
    are over sentences: `table.pivot_table(index="sentence", columns=["kind", "layer", "head"],
    values="loss_change")` is what `regard.evidence.intervals.sign_flip_test` takes. Of many heads,
    the p-values are many, too (`holm`). Which head is missed most is said by `missed_most`.

    Examples
    --------
    >>> import torch
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(9, 8, nhead=2, num_layers=1, dim_feedforward=8)
    >>> src, tgt = torch.tensor([[4, 5, 6], [6, 5, 4]]), torch.tensor([[1, 7], [1, 8]])
    >>> def surprise(model, batch):
    ...     return -model(*batch).log_softmax(-1)[:, 1, 8]
    >>> table = importance_by_sentence(model, (src, tgt), surprise, heads=[("cross", 0, 0)])
    >>> table["sentence"].tolist(), table.columns.tolist()[4:]
    ([0, 1], ['score', 'score_before', 'score_change'])
    """
    before, found = measured_without(
        model, data, score, score_sentences, _arrays, heads=heads, mode=mode
    )
    (count,) = {len(values) for values in before.values()}
    tables = []
    for head, without in found:
        if {len(values) for values in without.values()} != {count}:
            raise ValueError(
                f"A score is of the same sentences each time, {count} of them, but without {head} "
                f"it gave {sorted({len(values) for values in without.values()})} numbers."
            )
        columns = dict(zip(HEAD, head, strict=True)) | {"sentence": np.arange(count)}
        for name, value in before.items():
            columns |= {name: without[name], f"{name}_before": value}
            columns |= {f"{name}_change": without[name] - value}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True).dropna(ignore_index=True)


def missed_most(
    table: pd.DataFrame, number: str = "loss", *, is_worse: str = "higher"
) -> pd.DataFrame:
    """Say which head is missed most, and how much by sentences that had no say in which it is.

    Of many heads that all do nothing, the one that seems to be missed most is missed, in the
    sentences that it was chosen by. So it is chosen by the even sentences and counted on the odd
    ones, and the other way round.

    Parameters
    ----------
    table
        From `importance_by_sentence`.
    number
        By which it is missed, one of those in the table.
    is_worse
        "higher" or "lower": is a model worse whose number is so? Of a loss, "higher"; of a share
        that is right, "lower".

    Returns
    -------
    pandas.DataFrame
        Two rows, one a half: `kind`, `layer`, `head` of the head that was chosen; `chosen_change`,
        by how much the number changed in the sentences that chose it, and `change`, in the others;
        `sentences`, how many these are.

    Raises
    ------
    ValueError
        If there is no such number, or there are not two sentences.

    Examples
    --------
    >>> changes = [2.0, 4.0, 1.0, 1.0]
    >>> table = pd.DataFrame({"kind": "encoder", "layer": 0, "head": [0, 0, 1, 1]})
    >>> missed_most(table.assign(sentence=[0, 1, 0, 1], loss_change=changes))["change"].tolist()
    [4.0, 2.0]
    """
    column = f"{number}_change"
    if column not in table:
        known = [name.removesuffix("_change") for name in table.columns if "_change" in name]
        raise ValueError(f"There is no number {number!r} in the table: choose from {known}.")
    if is_worse not in {"higher", "lower"}:
        raise ValueError(f'is_worse is "higher" or "lower", but got {is_worse!r}.')
    sentences = np.unique(table["sentence"])
    if len(sentences) < 2:
        raise ValueError(
            "Which head is missed most is chosen by some sentences and counted on others: give at "
            f"least two, but got {len(sentences)}."
        )
    rows = []
    for start in range(2):
        is_chosen_by = table["sentence"].isin(sentences[start::2])
        chosen_by, counted = (
            table[is_so].groupby(HEAD)[column].mean() for is_so in (is_chosen_by, ~is_chosen_by)
        )
        head: Any = chosen_by.idxmax() if is_worse == "higher" else chosen_by.idxmin()
        rows.append((*head, chosen_by[head], counted[head], len(sentences[1 - start :: 2])))
    return pd.DataFrame(rows, columns=[*HEAD, "chosen_change", "change", "sentences"])


def _arrays(scores: Any) -> dict[str, Floats]:
    """Give arrays by name, a number a sentence."""
    if hasattr(scores, "_asdict"):
        scores = scores._asdict()
    named = scores if isinstance(scores, Mapping) else {"score": scores}
    try:
        arrays = {str(name): _array(values) for name, values in named.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"A score is a row of numbers, one a sentence, or such by name, but got "
            f"{described(scores)}."
        ) from error
    shapes = {name: values.shape for name, values in arrays.items()}
    if len(set(shapes.values())) != 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ValueError(
            f"A score is a row of numbers, one a sentence, but got shapes {shapes}: for one number "
            "of all sentences there is `regard.importance`."
        )
    return arrays


def _array(values: Any) -> Floats:
    is_tensor = isinstance(values, Tensor)
    return np.asarray(values.detach().cpu() if is_tensor else values, dtype=np.float64)


def score_sentences(model: Any, batches: Iterable[Mapping[str, Tensor]]) -> dict[str, Floats]:
    """Give a transformers model's loss of each sentence, and the share of its labels that is right.

    Raises
    ------
    ValueError
        If labels are no classes, or the model's loss is another.
    """
    pairs = np.array([pair for batch in batches for pair in _of_batch(model, batch)])
    return {"loss": pairs[:, 0], "accuracy": pairs[:, 1]}


def _of_batch(model: Any, batch: Mapping[str, Tensor]) -> Iterator[tuple[float, float]]:
    outputs, logits, labels = labelled_logits(model, batch)
    if labels.is_floating_point():
        raise ValueError(
            f"The labels of {type(model).__name__} are no classes: pass score, a function (model, "
            "data) that gives a number for each sentence."
        )
    known = labels != IGNORED  # (B, T), or (B,)
    surprise = F.cross_entropy(
        logits.flatten(0, -2).float(), labels.flatten(), ignore_index=IGNORED, reduction="none"
    ).view_as(labels)
    loss, own = (surprise.sum() / known.sum()).item(), float(outputs.loss)
    if abs(loss - own) > CLOSE * max(1.0, abs(own)):
        raise ValueError(
            f"{type(model).__name__} has a loss of its own, {own:.4g} where the likelihood of the "
            f"labels gives {loss:.4g}: pass score, a function (model, data) that gives a number "
            "for each sentence."
        )
    right = (logits.argmax(-1) == labels) & known
    sums = [x.reshape(len(labels), -1).double().sum(1) for x in (surprise, right, known)]  # (B,)
    yield from zip((sums[0] / sums[2]).tolist(), (sums[1] / sums[2]).tolist(), strict=True)
