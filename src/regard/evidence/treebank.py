"""The scoreboard of any transformers model on a treebank, as in table 1 of Clark et al. (2019)."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from regard.evidence.answers import Answers, collect_answers
from regard.evidence.board import scoreboard
from regard.evidence.conllu import ParsedSentence, read_conllu
from regard.evidence.readings import Reading
from regard.record.door import a_model, whole_number
from regard.record.trace import Trace
from regard.tracing.run import trace

NOTHING_READ = "?"  # stands for a word that the tokenizer leaves out
NO_BREAK_SPACE = "\u00a0"


def score_treebank(
    path: str | Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    sentences: int | None = None,
    baselines: bool = True,
    level: float = 0.95,
    least: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Find the heads that read what words depend on.

    Parameters
    ----------
    path
        Of a CoNLL-U file.
    model, tokenizer
        An encoder or decoder; the tokenizer must be a fast one, which takes words.
    sentences
        How many to read, from the first on; all, if not given.
    baselines
        Also ask an untrained twin, and the model itself where words are shuffled: three times the
        work.
    level, least, seed
        As for `scoreboard`.

    Returns
    -------
    pandas.DataFrame
        What `scoreboard` gives, whose `name` is a relation. With direction "reads", a dependent's
        strongest attention goes to its head; with "is read by", of all words, its head is the one
        that attends to it most.

    Raises
    ------
    ValueError
        If the file is not CoNLL-U, has too few dependencies, or a sentence does not fit the model.

    Notes
    -----
    Clark et al. (2019), *What does BERT look at?*, section 4.2: a word of several tokens gets the
    sum of their attention, and gives the mean; special tokens, and a word itself, are no answers.
    """
    a_model(model)
    if sentences is not None and whole_number("sentences, how many to read,", sentences) < 1:
        raise ValueError(f"At least one sentence is read, but got sentences={sentences}.")
    parsed = list(islice(read_conllu(path), sentences))
    if not parsed:
        raise ValueError(f"{path} has no sentences: is it a CoNLL-U file?")
    answers = _asked(parsed, model, tokenizer)
    others: dict[str, Answers] = {}
    if baselines:
        rng = np.random.default_rng(seed)
        others["untrained"] = _asked(parsed, untrained_twin(model, seed), tokenizer)
        others["shuffled"] = _asked([s.shuffled(rng) for s in parsed], model, tokenizer)
    return scoreboard(answers, level=level, least=least, seed=seed, **others)


def _asked(
    parsed: Sequence[ParsedSentence], model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Answers:
    kind = self_attention_of(model, tokenizer)
    traces = trace_words((sentence.words for sentence in parsed), model, tokenizer)
    return collect_answers(traces, (dependency_readings(sentence, kind) for sentence in parsed))


def self_attention_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """Name the kind of attention in which the words of a sentence read each other."""
    return trace(["word"], model, tokenizer, values=False).kinds[0]


def dependency_readings(sentence: ParsedSentence, kind: str = "encoder") -> list[Reading]:
    """Say what words should read: each dependent its head.

    Examples
    --------
    >>> from regard.evidence.conllu import Dependency
    >>> dependency_readings(ParsedSentence(["the", "dog"], [Dependency("det", 0, 1)]))
    [('det', 'encoder', 0, 1)]
    """
    return [(name, kind, dependent, head) for name, dependent, head in sentence.dependencies]


def trace_words(
    sentences: Iterable[list[str]], model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Iterator[Trace]:
    """Trace one sentence after the other, with exactly one row and column for each word.

    Parameters
    ----------
    sentences
        Each a list of words.
    model, tokenizer
        As for `regard.trace`; the tokenizer must be a fast one.

    Yields
    ------
    Trace
        With words merged and special tokens hidden. A word that the tokenizer leaves out, such as
        one of control characters, is read as "?".

    Raises
    ------
    ValueError
        If the tokenizer does not say which tokens are of one word, or a sentence does not fit the
        model.
    """
    for number, words in enumerate(sentences):
        seen = _merged(words, model, tokenizer)
        if len(seen.tokens) != len(words):
            there = {word.number for word in seen.source.words or () if word is not None}
            known = [w if i in there else NOTHING_READ for i, w in enumerate(words)]
            seen = _merged(known, model, tokenizer)
        if len(seen.tokens) != len(words):
            raise ValueError(
                f"Sentence {number} (from 0) has {len(words)} words, but {len(seen.tokens)} once "
                f"it is tokenized: {' '.join(words)[:60]!r}. Leave it out."
            )
        yield seen


def _merged(words: list[str], model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Trace:
    unparted = [word.replace(" ", NO_BREAK_SPACE) for word in words]  # as in Vietnamese
    return trace(unparted, model, tokenizer).merge_words().hide()


def untrained_twin(model: PreTrainedModel, seed: int = 0) -> PreTrainedModel:
    """Build a model of the same configuration with random weights, as training would start with.

    Parameters
    ----------
    model
        A transformers model.
    seed
        Of the weights. The random numbers of everything else go on as if nothing were drawn.

    Returns
    -------
    PreTrainedModel
        In eval mode, on the device and of the precision of the model.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        twin = type(model)(copy.deepcopy(model.config))
    nn.Module.to(twin, device=model.device, dtype=model.dtype)
    return twin.eval()
