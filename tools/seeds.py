"""Train every model of the notebooks from five seeds, and write what came out, good or bad.

    python tools/seeds.py [--seeds 5] [--output notebooks/seeds.csv]

A row is a model of a seed. Shares are counted on held-out sentences: translations (or glosses) and
pronouns that are right, also when the pronoun may not read one of the words, or without some head;
and how often the best head finds the gold word, beside the best fixed offset. The head is chosen on
one half of the held-out sentences and counted on the other.
"""

import contextlib
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import torch
import typer
from torch import nn

from regard.causes.head_importance import importance
from regard.causes.interventions import block, edge_mask
from regard.causes.orders import kendall
from regard.evidence.answers import READS, Answers, collect_answers
from regard.evidence.board import scoreboard
from regard.model.glossing import GlossingEncoder, gloss_accuracy, gloss_loss
from regard.model.lexicon import vocabulary
from regard.model.meaning import generate_meaning_data, meaning_vocabulary
from regard.model.pairs import generate_synthetic_data, gold_readings, pronoun_edges
from regard.model.tokenization import build_tokenizer
from regard.model.training import (
    Loss,
    guided_alignment_loss,
    make_dataloader,
    train_model,
    translation_loss,
)
from regard.model.transformer import Transformer, build_transformer_model
from regard.model.translation import Accuracy, greedy_translate, translation_accuracy
from regard.record.trace import Trace
from regard.tracing.run import trace

HELD_OUT, EPOCHS, WARMUP = 1_000, 3, 100
PAIRS, GLOSSED = 11_000, 10_000  # sentences to train on, as in the notebooks
ABLATED = 200  # sentences with a pronoun, which are translated once for each head
OUTPUT = Path(__file__).parent.parent / "notebooks" / "seeds.csv"
Row = dict[str, Any]


def main(
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 5,
    output: Annotated[Path, typer.Option(help="The table to write.")] = OUTPUT,
) -> None:
    """Train and measure, a seed on each core."""
    with ProcessPoolExecutor() as pool:
        table = pd.DataFrame(chain.from_iterable(pool.map(models_of, range(seeds)))).round(4)
    table.to_csv(output, index=False)
    print(table.to_string(index=False))
    print(table.groupby("model", sort=False).mean(numeric_only=True).round(3).T)


def models_of(seed: int) -> list[Row]:
    """Train and measure the models of one seed, on one thread."""
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):  # the progress bars
        return [*translators(seed), glosser(seed)]


def translators(seed: int) -> list[Row]:
    """Train the guided and the unguided model of one seed; measure them and an untrained twin."""
    pairs = generate_synthetic_data(PAIRS + HELD_OUT, 300, 20, seed=seed)
    held_out = pairs.tail(HELD_OUT)
    words = vocabulary(300)
    tokenizer = build_tokenizer(words)
    rows: list[Row] = []
    losses: dict[str, Loss | None] = {
        "guided": guided_alignment_loss,
        "unguided": translation_loss,
        "untrained": None,
    }
    for name, loss in losses.items():
        torch.manual_seed(seed)
        model = build_transformer_model(len(words), 64, 4, 2, 128)
        if loss:
            fit(model, pairs.head(PAIRS), loss, learning_rate=7e-3, seed=seed)

        def accuracy(sentences: pd.DataFrame, model: Transformer = model) -> Accuracy:
            translations = greedy_translate(sentences["source"].tolist(), model, tokenizer)
            return translation_accuracy(translations, sentences["target"].tolist())

        def look(pair: pd.Series, model: Transformer = model) -> Trace:
            return trace(pair["source"], model, tokenizer, target=pair["target"])

        rows.append({"seed": seed, "model": name, **measured(model, held_out, accuracy, look)})
    return rows


def glosser(seed: int) -> Row:
    """Train the glossing encoder of one seed and measure it."""
    words = meaning_vocabulary()
    tokenizer = build_tokenizer(words)
    sentences = generate_meaning_data(GLOSSED + HELD_OUT, seed=seed)
    torch.manual_seed(seed)
    model = GlossingEncoder(len(words))
    fit(model, sentences.head(GLOSSED), gloss_loss, learning_rate=5e-3, seed=seed)
    shares = measured(
        model,
        sentences.tail(HELD_OUT),
        lambda some: gloss_accuracy(model, some),
        lambda pair: trace(pair["source"], model, tokenizer),
    )
    return {"seed": seed, "model": "glossing", **shares}


def fit(
    model: nn.Module, sentences: pd.DataFrame, loss: Loss, *, learning_rate: float, seed: int
) -> None:
    """Train with the same batches and dropout for the same seed."""
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, fused=True)
    train_model(
        model, make_dataloader(sentences), optimizer, EPOCHS, loss=loss, warmup_steps=WARMUP
    )


def measured(
    model: nn.Module,
    held_out: pd.DataFrame,
    accuracy: Callable[[pd.DataFrame], Accuracy],
    look: Callable[[pd.Series], Trace],
) -> Row:
    """Count what is right, with all links and with one taken away, and what the heads find."""
    exact, pronoun = accuracy(held_out)
    shares: Row = {"exact": exact, "pronoun right": pronoun}
    with_pronoun = held_out[held_out["category"] != "statement"]
    edges = pd.DataFrame([pronoun_edges(relations) for relations in with_pronoun["relations"]])
    length = int(with_pronoun["length"].max()) + 1  # and </s>
    for word in edges:
        with block(model, edge_mask(list(edges[word]), length)):
            name = f"pronoun right when it may not read {word}"
            shares[name] = accuracy(with_pronoun).pronoun
    answers = asked(held_out, look)
    shares |= ablated(model, with_pronoun.head(ABLATED), accuracy, answers)
    return shares | read(answers)


def ablated(
    model: nn.Module,
    pairs: pd.DataFrame,
    accuracy: Callable[[pd.DataFrame], Accuracy],
    answers: Answers,
) -> Row:
    """Count pronouns without the head that reads best, and without the one that is most missed."""
    of_heads = answers.per_head()
    is_antecedent = of_heads["name"].str.endswith("reads its antecedent")
    reads = of_heads[is_antecedent & (of_heads["direction"] == READS)]
    looks = reads.groupby(["kind", "layer", "head"])["share"].max()
    table = importance(model, pairs, lambda _, some: accuracy(some), heads=list(looks.index))
    table = table.set_index(["kind", "layer", "head"]).join(looks)
    reading_most = int(table["share"].argmax())
    return {
        "pronoun right without the head that reads its antecedent most": table["pronoun"].iloc[
            reading_most
        ],
        "pronoun right without the head that is missed most": table["pronoun"].min(),
        "tau of reading and being missed": kendall(table["share"], -table["pronoun_change"]),
    }


def asked(sentences: pd.DataFrame, look: Callable[[pd.Series], Trace]) -> Answers:
    """Ask every head for every gold reading."""
    pairs = [pair for _, pair in sentences.iterrows()]
    return collect_answers(map(look, pairs), [gold_readings(pair) for pair in pairs])


def read(answers: Answers) -> Row:
    """Say how often the best head finds each gold word, beside the best fixed offset."""
    board = scoreboard(answers, least=1)
    board = board[board["direction"] == READS].set_index("name").sort_index()
    shares: Row = {}
    for name, row in board.iterrows():
        shares |= {f"best head: {name}": row["share"], f"fixed offset: {name}": row["offset_share"]}
    of_pronouns = board[board.index.str.endswith("reads its antecedent")]
    for name, row in of_pronouns.iterrows():
        shares |= {f"interval, low: {name}": row["low"], f"interval, high: {name}": row["high"]}
    return shares


if __name__ == "__main__":
    typer.run(main)
