"""The scoreboard of any transformers model on a treebank, as in table 1 of Clark et al. (2019)."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from regard.evidence.answers import Answers, Place, collect_answers
from regard.evidence.board import scoreboard
from regard.evidence.conllu import ParsedSentence, read_conllu
from regard.evidence.readings import Reading
from regard.evidence.rules import Rule, rules_of
from regard.record.door import a_model, flag, whole_number
from regard.record.kinds import plain
from regard.record.trace import Trace
from regard.tracing.run import trace

NOTHING_READ = "?"  # stands for a word that the tokenizer leaves out
NO_BREAK_SPACE = "\u00a0"


def score_treebank(
    path: str | Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    count_on: str | Path | None = None,
    sentences: int | None = None,
    rules: Mapping[str, Rule] | None = None,
    baselines: bool = True,
    start_token: bool = True,
    leave_out_first: bool = False,
    splits: int = 10,
    heads: Mapping[str, Place] | None = None,
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
    count_on
        Of another file: all of the first choose heads and rules, and all of this one counts.
    sentences
        How many to read of each file, from the first on; all, if not given.
    rules
        As for `scoreboard`, of a `ParsedSentence` and a position; if not given, those that
        `regard.evidence.rules.rules_of` makes of the treebank; {} for fixed offsets alone.
    baselines
        Also ask an untrained twin, and the model itself where words are shuffled: three times the
        work.
    start_token
        Put the model's start token in front, hidden, where a decoder has one that its tokenizer
        does not add: else many heads use the first word for it. The table's `attrs["start_token"]`
        says which it was.
    leave_out_first
        Let the first word be no answer, as for `collect_answers`.
    splits, heads, level, least, seed
        As for `scoreboard`. Where the file says which sentences are of one document, documents are
        halved, drawn and tested.

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
    files = [_read(one, sentences) for one in (path, count_on) if one is not None]
    parsed = [sentence for file in files for sentence in file]
    start = start_token_of(model, tokenizer) if flag("start_token", start_token) else None
    asked = partial(_asked, tokenizer=tokenizer, start=start, leave_out_first=leave_out_first)
    others: dict[str, Answers] = {}
    if baselines:
        rng = np.random.default_rng(seed)
        others["untrained"] = asked(parsed, untrained_twin(model, seed))
        others["shuffled"] = asked([s.shuffled(rng) for s in parsed], model)
    table = scoreboard(
        asked(parsed, model),
        rules=rules_of(parsed) if rules is None else rules,
        sentences=parsed,
        documents=_documents(files),
        splits=splits,
        choose_on=None if count_on is None else range(len(files[0])),
        heads=heads,
        level=level,
        least=least,
        seed=seed,
        **others,
    )
    table.attrs["start_token"] = start
    return table


def _read(path: str | Path, sentences: int | None) -> list[ParsedSentence]:
    parsed = list(islice(read_conllu(path), sentences))
    if not parsed:
        raise ValueError(f"{path} has no sentences: is it a CoNLL-U file?")
    return parsed


def _asked(
    parsed: Sequence[ParsedSentence],
    model: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    start: str | None,
    leave_out_first: bool,
) -> Answers:
    kind = self_attention_of(model, tokenizer)
    traces = trace_words((one.words for one in parsed), model, tokenizer, start=start)
    gold = (dependency_readings(one, kind) for one in parsed)
    return collect_answers(traces, gold, leave_out_first=leave_out_first)


def _documents(files: Sequence[Sequence[ParsedSentence]]) -> list[tuple[int, str] | None]:
    """Name the document of each sentence; those of two files are never the same."""
    return [
        None if sentence.document is None else (number, sentence.document)
        for number, file in enumerate(files)
        for sentence in file
    ]


def start_token_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Name the start token that a decoder has, if its tokenizer puts none in front."""
    start = tokenizer.bos_token
    if start is None or plain(self_attention_of(model, tokenizer)) != "decoder":
        return None
    ids = tokenizer(["word"], is_split_into_words=True).input_ids
    return None if ids[0] == tokenizer.bos_token_id else str(start)


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
    sentences: Iterable[list[str]],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    start: str | None = None,
) -> Iterator[Trace]:
    """Trace one sentence after the other, with exactly one row and column for each word.

    Parameters
    ----------
    sentences
        Each a list of words.
    model, tokenizer
        As for `regard.trace`; the tokenizer must be a fast one.
    start
        A special token to put in front, which `start_token_of` names.

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
    before = [] if start is None else [start]
    for number, words in enumerate(sentences):
        seen = _merged([*before, *words], model, tokenizer)
        if len(seen.tokens) != len(words):
            there = {word.number for word in seen.source.words or () if word is not None}
            known = [w if i in there else NOTHING_READ for i, w in enumerate(words, len(before))]
            seen = _merged([*before, *known], model, tokenizer)
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
