"""Induction heads, as Olsson et al. (2022) find them: random tokens that come twice.

Of tokens drawn at random nobody knows the next one; once they come again, whoever looks up what
came after them the first time does.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from regard.causes.interventions import ablate, block
from regard.measures.patterns import score_patterns
from regard.record.door import whole_number
from regard.record.kinds import Head
from regard.tracing.run import trace

STRONGEST, DRAWS = 5, 5  # heads that are taken away together; and how often others are, instead


def repeated_tokens(
    vocabulary: Sequence[int],
    *,
    length: int = 50,
    count: int = 10,
    start: int | None = None,
    seed: int = 0,
) -> Tensor:
    """Draw texts of random tokens, none of them twice, and repeat each.

    Parameters
    ----------
    vocabulary
        The ids to draw from.
    length
        How many tokens are drawn for each of `count` texts.
    start
        A token to put in front, as the model was trained; none, if not given.
    seed
        Of the draw.

    Returns
    -------
    Tensor
        Ids, (count, 2 length), or one more with a start token.

    Raises
    ------
    ValueError
        If there are fewer tokens than `length`, or nothing is to be drawn.

    Examples
    --------
    >>> repeated_tokens(range(5, 9), length=3, count=1, start=0)
    tensor([[0, 7, 8, 6, 7, 8, 6]])
    """
    drawn, texts = whole_number("length", length), whole_number("count", count)
    if not 2 <= drawn <= len(vocabulary) or texts < 1:
        raise ValueError(
            f"From {len(vocabulary)} tokens, {count} texts of {length} different ones can't be "
            "drawn: ask for 2 or more, and for no more than there are."
        )
    random = np.random.default_rng(seed)
    once = np.stack(
        [random.choice(np.asarray(vocabulary), drawn, replace=False) for _ in range(texts)]
    )
    front = np.full((texts, 0 if start is None else 1), start or 0)
    return torch.from_numpy(np.concatenate([front, once, once], axis=1))


def texts_for(tokenizer: PreTrainedTokenizerBase, *, count: int = 10, seed: int = 0) -> Tensor:
    """Draw from a tokenizer's ordinary tokens, behind its start token, if it has one."""
    special = set(tokenizer.all_special_ids)
    ordinary = [at for at in range(tokenizer.vocab_size) if at not in special]
    return repeated_tokens(ordinary, count=count, start=tokenizer.bos_token_id, seed=seed)


def score_induction(model: nn.Module, ids: Tensor) -> pd.DataFrame:
    """Score each head by what it gives to the token after the earlier occurrence of its own.

    Parameters
    ----------
    model
        A decoder that `regard.trace` opens with ids.
    ids
        From `repeated_tokens`, (texts, T).

    Returns
    -------
    pandas.DataFrame
        One head a row, the strongest first: `kind`, `layer`, `head`, and `induction`, the share of
        its attention, mean over all tokens of the second half of all texts.

    Notes
    -----
    Olsson et al. (2022), *In-context learning and induction heads*, "prefix matching".
    """
    scores = [
        score_patterns(trace(text[None], model, values=False)).set_index(["kind", "layer", "head"])
        for text in ids
    ]
    mean = pd.concat([one["induction"] for one in scores], axis=1).mean(axis=1)
    return mean.rename("induction").sort_values(ascending=False).reset_index()


def without_induction(model: nn.Module, ids: Tensor, *, seed: int = 0) -> pd.DataFrame:
    """Say what a model loses with its induction heads, and with what they look up.

    Parameters
    ----------
    model, ids
        As for `score_induction`; the model gives logits.
    seed
        Of the other heads that are drawn to be taken away instead.

    Returns
    -------
    pandas.DataFrame
        A row each for the model as it is, without the five strongest induction heads, without five
        others (mean over five draws), and with what comes after an earlier occurrence blocked in
        every head: `first` and `repeated`, the loss in nats a token of the first half and the
        second, each but for its first token.
    """
    scores = score_induction(model, ids)
    heads = [Head(*row) for row in scores[["kind", "layer", "head"]].itertuples(index=False)]
    strongest, others = heads[:STRONGEST], heads[STRONGEST:]
    random = np.random.default_rng(seed)
    drawn = [random.choice(len(others), STRONGEST, replace=False) for _ in range(DRAWS)]
    names = ", ".join(f"{head.layer}-{head.head}" for head in strongest)
    ways: dict[str, list[AbstractContextManager[None]]] = {
        "as it is": [nullcontext()],
        f"without {names}": [ablate(model, strongest)],
        f"without {STRONGEST} others": [
            ablate(model, [others[at] for at in draw]) for draw in drawn
        ],
        "what came after blocked": [block(model, _lookups(ids), kind=heads[0].kind)],
    }
    losses = {
        name: np.mean([_losses(model, ids, way) for way in ways], axis=0)
        for name, ways in ways.items()
    }
    return pd.DataFrame(losses, index=["first", "repeated"]).T.rename_axis("model").reset_index()


def _lookups(ids: Tensor) -> Tensor:
    """Mark from each repeated token what came after it the first time: bool (texts, T, T)."""
    count, total = ids.shape
    length = total // 2  # a start token makes T odd
    query = torch.arange(total - length, total)
    edges = torch.zeros(count, total, total, dtype=torch.bool)
    edges[:, query, query - length + 1] = True
    return edges


def _losses(model: nn.Module, ids: Tensor, way: AbstractContextManager[None]) -> list[float]:
    """Give the mean loss of each half, but for its first token."""
    length = ids.size(1) // 2
    start = ids.size(1) - 2 * length
    device = next(model.parameters()).device
    with way, torch.no_grad():
        logits = model(ids.to(device)).logits[:, :-1].float()
    loss = F.cross_entropy(logits.mT, ids[:, 1:].to(device), reduction="none")  # (texts, T - 1)
    halves = (range(at, at + length) for at in (start, start + length))
    return [float(loss[:, half.start : half.stop - 1].mean()) for half in halves]


def tables(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give what is printed: the strongest heads, and what the model loses without them."""
    ids = texts_for(tokenizer)
    title = f"share read of what came after the same token before; {len(ids)} texts"
    yield title, score_induction(model, ids).head(2 * STRONGEST)
    yield (
        "loss in nats a token, of the first half and the repeated one",
        without_induction(model, ids),
    )
