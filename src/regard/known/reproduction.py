"""Known results by name, for the command line."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from torch import nn
from transformers import PreTrainedTokenizerBase

from regard.known import induction, norms, sinks

NAMES = ("induction", "norms", "sinks")
MOST = 100  # sentences


def sentences_in(file: Path) -> list[str]:
    """Read the first hundred sentences of a file: one a line, or of a treebank in CoNLL-U.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it holds none, or is no UTF-8.
    """
    lines = file.read_text("utf-8").splitlines()
    texts = [line.removeprefix("# text = ") for line in lines if line.startswith("# text = ")]
    found = [line.strip() for line in texts or lines if line.strip()][:MOST]
    if not found:
        raise ValueError(f"{file} holds no sentence: give a file with one a line.")
    return found


def reproduce(
    name: str, model: nn.Module, tokenizer: PreTrainedTokenizerBase, sentences: Sequence[str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Compute a known result anew, on any model: titles, and tables.

    Raises
    ------
    ValueError
        If there is no result of that name, or it needs sentences and there are none.
    """
    if name not in NAMES:
        raise ValueError(f"No known result is called {name!r}: choose from {', '.join(NAMES)}.")
    if name == "induction":
        return induction.tables(model, tokenizer)
    if not sentences:
        raise ValueError(f"{name} is counted on sentences: give a file of them with --file.")
    return (norms if name == "norms" else sinks).tables(model, tokenizer, sentences)
