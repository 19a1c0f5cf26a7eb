"""Attention by weight, and by the length of what is weighed, as Kobayashi et al. (2020) see it.

What a query takes from a key is the weight times the key's transformed vector: its value, through
the head's part of the output projection. Special tokens get large weights and give short vectors.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from regard.record.layers import ScoredLayer
from regard.record.trace import Trace
from regard.tracing.run import trace


def shares_by_norm(seen: Trace, model: nn.Module) -> pd.DataFrame:
    """Say which share each special token takes, by weights and by norms.

    Parameters
    ----------
    seen
        From `regard.trace(sentence, model, tokenizer)`.
    model
        The same model, built as BERT is: an encoder with `output.dense` beside what attends.

    Returns
    -------
    pandas.DataFrame
        One layer and special token a row: `layer`, `token`, `weight`, the share of all attention
        that it gets, and `norm`, the share of the lengths of all weighted transformed vectors.

    Raises
    ------
    ValueError
        If values were not kept, or the model is built otherwise.

    Notes
    -----
    Kobayashi et al. (2020), *Attention is not only a weight*, equation 4: the norm of alpha f(x).
    """
    kind = seen.kinds[0]
    tokens, (_, special) = seen.labels(kind=kind).keys, seen.special(kind)
    rows = []
    for number, layer in seen.layers[kind].items():
        given = seen.weights(number, kind=kind).sum(axis=1)  # (h, K)
        by_weight = given.sum(axis=0)
        by_norm = (given * _lengths(layer, number, seen, model)).sum(axis=0)
        shares = np.stack([by_weight / by_weight.sum(), by_norm / by_norm.sum()], axis=1)
        rows += [(number, tokens[at], *shares[at]) for at in np.flatnonzero(special)]
    return pd.DataFrame(rows, columns=["layer", "token", "weight", "norm"])


def _lengths(layer: object, number: int, seen: Trace, model: nn.Module) -> np.ndarray:
    """Measure each key's transformed vector in each head: (h, K)."""
    path = seen.paths[seen.kinds[0]][number]
    projection = dict(model.named_modules()).get(path.rpartition(".")[0] + ".output.dense")
    if (
        not isinstance(layer, ScoredLayer)
        or layer.value is None
        or not isinstance(projection, nn.Linear)
    ):
        raise ValueError(
            f"{type(model).__name__} is not built as BERT is, with values and an output.dense "
            f"beside {path or 'what attends'}: its transformed vectors are not known."
        )
    num_heads, _, size = layer.value.shape
    of_heads: Tensor = (
        projection.weight.detach().float().unflatten(1, (num_heads, size))
    )  # (d, h, d_v)
    vectors = torch.einsum("hkv,dhv->hkd", layer.value.float(), of_heads)
    return vectors.norm(dim=-1).cpu().numpy()


def tables(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, sentences: Iterable[str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give what is printed: the shares of special tokens, mean over sentences."""
    found = [shares_by_norm(trace(one, model, tokenizer), model) for one in sentences]
    mean = pd.concat(found).groupby(["layer", "token"], sort=False).mean().reset_index()
    yield f"share of attention, by weight and by norm; {len(found)} sentences", mean
