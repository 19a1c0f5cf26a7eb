"""Which residues of a protein touch, read off attention: contact maps."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from regard.record.door import described, numbers, whole_number
from regard.record.kinds import plain
from regard.record.regrouping import sides_of
from regard.record.streams import each_head
from regard.record.trace import Trace, a_trace

APART = 6  # residues; what lies nearer in the sequence touches anyway
Map = NDArray[np.float32]


def contact_map(
    trace: Trace,
    layer: int | None = None,
    head: int | None = None,
    *,
    kind: str | None = None,
    regression: nn.Linear | None = None,
) -> Map:
    """Measure how much two residues read each other beyond what each reads and is read anyway.

    Parameters
    ----------
    trace
        From `regard.trace(sequence, model, tokenizer)`, of a protein language model.
    layer, head
        Counted from 0. Without a head, the mean of the layer's; without a layer, of all.
    kind
        One of the trace's kinds of self-attention; the first, if not given.
    regression
        The model's own: of an `EsmModel`, `model.contact_head.regression`. All heads are then
        weighted by it.

    Returns
    -------
    numpy.ndarray
        float32, (L, L), of the L tokens that are not special, symmetric: the attention of a head
        in both directions, less the average product correction; about 0 where there is no more
        than chance. With a regression, the probability of a contact, from 0 to 1.

    Raises
    ------
    TypeError
        If it is no trace, a number no whole number, or the regression no `nn.Linear`.
    ValueError
        If there is no such kind, layer or head, it is cross-attention, rows and columns are not the
        tokens, or the regression is of another number of heads, or given beside a layer.

    Notes
    -----
    A + A^T less the product of its row and column sums over its sum, head by head; Rao et al.
    (2021), *Transformer protein language models are unsupervised structure learners*, section 3,
    as `EsmContactPredictionHead` of transformers. The correction is that of Dunn et al. (2008).

    Examples
    --------
    >>> seen = Trace.from_weights([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]], list("MKT"))
    >>> contact_map(seen, layer=0, head=0)[0].round(2)
    array([ 0.33, -0.67,  0.33], dtype=float32)
    """
    kind = a_trace(trace).kind_or_first(kind)
    if regression is not None:
        return _by_regression(trace, kind, layer, head, regression)
    if layer is None and head is not None:
        raise ValueError(f"Head {head} is one of a layer: pass layer=, or leave both out.")
    asked = list(trace.layers[kind]) if layer is None else [trace.head(layer, 0, kind=kind).layer]
    if head is not None:
        trace.head(asked[0], head, kind=kind)  # says what is wrong with it
    found = [one for of, one in _maps(trace, kind, asked) if head is None or of[1] == head]
    return torch.stack(found).mean(dim=0).numpy()


def score_contacts(
    trace: Trace, contacts: object, *, kind: str | None = None, apart: int = APART
) -> pd.DataFrame:
    """Say for every head how many of its L strongest pairs of residues touch.

    Parameters
    ----------
    trace, kind
        As for `contact_map`.
    contacts
        Which residues touch: bool (L, L), such as distances below 8 angstrom.
    apart
        Pairs that are nearer than this in the sequence are left out.

    Returns
    -------
    pandas.DataFrame
        A head a row, the best first: `kind`, `layer`, `head`; `precision`, of the L strongest pairs
        (all, if there are fewer); `chance`, of all pairs; `count` of pairs that were taken.

    Raises
    ------
    TypeError, ValueError
        As `contact_map`; and if the contacts are not bool (L, L) and symmetric, or no pair is so
        far apart.

    Notes
    -----
    Precision at L, of residues at least 6 apart, as in Rao et al. (2021). On one protein it is a
    case, no finding: choose heads on some proteins, and count on others.

    Examples
    --------
    >>> seen = Trace.from_weights([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]], list("MKT"))
    >>> touch = np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], dtype=bool)
    >>> score_contacts(seen, touch, apart=2)[["precision", "chance", "count"]]
       precision  chance  count
    0        1.0     1.0      1
    """
    kind = a_trace(trace).kind_or_first(kind)
    length = len(_residues(trace, kind))
    touch = check_contacts(contacts, length)
    if whole_number("apart", apart) < 1:
        raise ValueError(f"Two residues are at least 1 apart, but got apart={apart}.")
    if apart >= length:
        raise ValueError(f"No pair of {length} residues is {apart} apart: pass a smaller apart=.")
    pairs = torch.triu_indices(length, length, apart)
    right = torch.from_numpy(touch)[*pairs].double()
    count = min(length, len(right))
    rows = []
    for (number, head), found in _maps(trace, kind, list(trace.layers[kind])):
        rows.append((kind, number, head, _precision(found[*pairs], right, count)))
    table = pd.DataFrame(rows, columns=["kind", "layer", "head", "precision"])
    table = table.assign(chance=float(right.mean()), count=count)
    return table.sort_values("precision", ascending=False, kind="stable", ignore_index=True)


def _precision(scores: Tensor, right: Tensor, count: int) -> float:
    """Say how many of the strongest are right; of those that are level, their share of it.

    What rounding sets apart is level, so that a head without an opinion has the share of chance.
    """
    rounding = 1e-6 * float(scores.abs().max())
    last = float(scores.sort(descending=True)[0][count - 1])
    above, level = scores > last + rounding, (scores - last).abs() <= rounding
    places = count - int(above.sum())
    return float(right[above].sum() + places * right[level].mean()) / count


def check_contacts(contacts: object, length: int) -> NDArray[np.bool_]:
    """Take contacts of so many residues, bool (L, L), or say what is wrong with them."""
    given = numbers("Contacts are bool (L, L)", contacts, "pass such as distances < 8")
    if given.shape != (length, length):
        raise ValueError(
            f"Contacts are ({length}, {length}), a row and a column for each residue, but got "
            f"{given.shape}: special tokens have none."
        )
    if not np.isin(given, (0, 1)).all() or (given != given.T).any():
        raise ValueError(
            "Contacts are symmetric, and True or False, but these are not: of distances, pass such "
            "as distances < 8."
        )
    return given.astype(bool)


def _by_regression(
    trace: Trace, kind: str, layer: int | None, head: int | None, regression: nn.Linear
) -> Map:
    if not isinstance(regression, nn.Linear):
        raise TypeError(
            f"regression is an nn.Linear, such as `model.contact_head.regression` of an EsmModel, "
            f"but got {described(regression)}."
        )
    numbers_of_heads = [one.shape[0] for one in trace.layers[kind].values()]
    if layer is not None or head is not None or regression.in_features != sum(numbers_of_heads):
        raise ValueError(
            f"The regression is of {regression.in_features} heads, all of the model's, but asked "
            f"for layer={layer}, head={head} of {sum(numbers_of_heads)}: leave layer and head out, "
            "and trace all layers."
        )
    coefficients = regression.weight.detach().float().cpu()[0]
    bias: Tensor | None = regression.bias
    length = len(_residues(trace, kind))
    scores = torch.zeros(length, length)
    if bias is not None:
        scores += bias.detach().float().cpu()
    maps = _maps(trace, kind, sorted(trace.layers[kind]))
    for coefficient, (_, one) in zip(coefficients, maps, strict=True):
        scores += coefficient * one
    return scores.sigmoid().numpy()


def _residues(trace: Trace, kind: str) -> list[int]:
    """Give the places of tokens that are not special."""
    if plain(kind) == "cross":
        raise ValueError(
            'Contacts are of residues that read each other: pass self-attention, of kind "encoder" '
            'or "decoder".'
        )
    rows, _ = sides_of(trace, kind)
    shapes = {layer.shape[1:] for layer in trace.layers[kind].values()}
    count = len(rows.tokens)
    if shapes != {(count, count)}:
        raise ValueError(
            f"Contacts need rows and columns that are the {count} tokens, but layers are "
            f"{sorted(shapes)}."
        )
    found = [at for at, special in enumerate(rows.special) if not special]
    if not found:
        raise ValueError("There are no residues: all tokens are special.")
    return found


def _maps(trace: Trace, kind: str, layers: list[int]) -> Iterator[tuple[tuple[int, int], Tensor]]:
    """Give each head's map, (L, L), one after another."""
    at = torch.tensor(_residues(trace, kind))
    for number in layers:
        for head, layer in enumerate(each_head(trace.layers[kind][number])):
            with torch.no_grad():
                read = layer.weigh()[0].float().cpu()[at][:, at]
            yield (number, head), _corrected(read + read.T)


def _corrected(both: Tensor) -> Tensor:
    """Take off what each residue reads and is read on average: (L, L)."""
    sums = both.sum(dim=0)
    return both - torch.outer(sums, sums) / sums.sum().clamp(min=torch.finfo(sums.dtype).tiny)
