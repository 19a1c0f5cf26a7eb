"""From a trained model to sentences: what it writes, and how much of that is right."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import nn
from transformers import PreTrainedTokenizerBase

from regard.model.door import check_types
from regard.model.lexicon import target_pronouns


def greedy_translate(
    sentences: Sequence[str], model: nn.Module, tokenizer: PreTrainedTokenizerBase
) -> list[str]:
    """Translate each sentence, taking the likeliest word at each step.

    Parameters
    ----------
    sentences
        Source texts. A word that the tokenizer does not know is read as `<unk>`; `trace` names it.
    model
        An encoder-decoder that can `generate(src)`. It is left in eval mode.
    tokenizer
        The one that the model was trained with.

    Returns
    -------
    list of str
        A translation each, without special tokens.

    Raises
    ------
    ValueError
        If a sentence is longer than the model takes, or has words of the target language.

    Notes
    -----
    Greedy decoding, in place of the beam search of Vaswani et al. (2017), section 6.1.

    Examples
    --------
    >>> from regard.model.lexicon import vocabulary
    >>> from regard.model.tokenization import build_tokenizer
    >>> from regard.model.transformer import build_transformer_model
    >>> tokenizer = build_tokenizer(vocabulary(300))
    >>> model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    >>> len(greedy_translate(["the dog saw the cow ."], model, tokenizer))
    1
    """
    check_types(greedy_translate, locals())
    if not sentences:
        return []
    device = next(model.parameters()).device
    source = tokenizer(list(sentences), return_tensors="pt", padding=True).input_ids
    check_source_words(tokenizer.convert_ids_to_tokens(source.unique().tolist()), tokenizer)
    written = model.eval().generate(source.to(device))  # type: ignore[operator]  # as it can
    return tokenizer.batch_decode(written.tolist(), skip_special_tokens=True)


def check_source_words(words: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise where words are of the target language alone, if the tokenizer knows its sides."""
    sides = tokenizer.init_kwargs.get("sides", {"source": words, "target": ()})
    strangers = sorted(set(words).intersection(sides["target"]).difference(sides["source"]))
    if strangers:
        raise ValueError(
            f"Sentences are in the source language, but {strangers} are target words: write "
            f"source words, such as {', '.join(sides['source'][::16])}."
        )


class Accuracy(NamedTuple):
    """Shares of sentences; `pronoun` counts those that have one, and is NaN where none has."""

    exact: float
    pronoun: float


def translation_accuracy(translations: Sequence[str], gold: Sequence[str]) -> Accuracy:
    """Compare translations with the gold: whole sentences, and the pronoun alone.

    Parameters
    ----------
    translations, gold
        As many texts each.

    Returns
    -------
    Accuracy
        The shares that are right.

    Raises
    ------
    ValueError
        If there are no sentences, or not as many of both.

    Examples
    --------
    >>> translation_accuracy(["quar elo trist semblava"], ["quar ela trist semblava"])
    Accuracy(exact=0.0, pronoun=0.0)
    """
    if len(translations) != len(gold) or not gold:
        raise ValueError(
            f"There must be one translation for each gold sentence, and at least one, but got "
            f"{len(translations)} translations of {len(gold)}."
        )
    pairs = list(zip(translations, gold, strict=True))
    exact = [ours == theirs for ours, theirs in pairs]
    pronoun = [pronouns(ours) == pronouns(theirs) for ours, theirs in pairs if pronouns(theirs)]
    return Accuracy(_share(exact), _share(pronoun))


def _share(right: list[bool]) -> float:
    return sum(right) / len(right) if right else math.nan


def pronouns(text: str) -> list[str]:
    """Give the target pronouns of a sentence, in order."""
    return [word for word in text.split() if word in target_pronouns()]
