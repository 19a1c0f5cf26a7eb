"""Attention sinks, as Xiao et al. (2023) name them: the first token is read, whatever it is."""

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd
import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from regard.measures.patterns import score_patterns
from regard.tracing.run import trace


def share_of_first(model: nn.Module, texts: Iterable[Sequence[int]]) -> pd.Series:
    """Say how much of the attention goes to the first token, layer by layer.

    Parameters
    ----------
    model
        A decoder that `regard.trace` opens with ids.
    texts
        Ids of several texts.

    Returns
    -------
    pandas.Series
        By layer: the share, mean over the queries, the heads and the texts.

    Notes
    -----
    Xiao et al. (2023), *Efficient streaming language models with attention sinks*, section 3.1.
    """
    found = [score_patterns(trace(torch.tensor([list(ids)]), model, values=False)) for ids in texts]
    return pd.concat(found).groupby("layer")["first"].mean()


def tables(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, sentences: Iterable[str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give what is printed: the first token's share as text is given, and behind a start token."""
    plain = [tokenizer(one, add_special_tokens=False)["input_ids"] for one in sentences]
    plain = [ids for ids in plain if len(ids) > 1]
    shares = {"no start token": share_of_first(model, plain)}
    if tokenizer.bos_token_id is not None:
        behind = [[tokenizer.bos_token_id, *ids] for ids in plain]
        shares["start token"] = share_of_first(model, behind)
    table = pd.DataFrame(shares).reset_index()
    yield f"share of attention that the first token gets; {len(plain)} sentences", table
