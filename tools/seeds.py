"""Train every model of the notebook from five seeds, and write what came out, good or bad.

    python tools/seeds.py [--seeds 5] [--output notebooks/seeds.csv]

A row is a model of a seed. Shares are counted on held-out sentences: translations (or glosses) and
pronouns that are right; pronouns that are right when the pronoun may not read its antecedent, or
the other noun; and how often the best head finds the gold word, beside the best fixed offset and
the best head before training.
"""

import contextlib
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import torch
import typer
from transformers import PreTrainedTokenizerFast

from regard.glossing import GlossingEncoder, gloss, gloss_loss
from regard.interventions import block, edge_mask
from regard.languages import generate_synthetic_data, gold_readings, pronoun_edges, vocabulary
from regard.meaning import generate_meaning_data, meaning_vocabulary
from regard.measures import Reading, best_heads, best_offsets, score_heads
from regard.tokenization import build_tokenizer
from regard.tracing import trace
from regard.training import (
    greedy_translate,
    guided_alignment_loss,
    make_batch,
    make_dataloader,
    train_model,
    translation_accuracy,
    translation_loss,
)
from regard.transformer import Transformer, build_transformer_model

TRAIN, HELD_OUT, SCORED, EPOCHS = 30_000, 1_000, 500, 4
OUTPUT = Path(__file__).parent.parent / "notebooks" / "seeds.csv"
IT, THEY = "it reads its antecedent", "they reads its antecedent"


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


def models_of(seed: int) -> list[dict[str, Any]]:
    """Train and measure the models of one seed, on one thread."""
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):  # the progress bars
        return [*translators(seed), glosser(seed)]


def translators(seed: int) -> list[dict[str, Any]]:
    """Train the guided and the unguided model of one seed; measure them and an untrained twin."""
    pairs = generate_synthetic_data(TRAIN + HELD_OUT, 300, 20, seed=seed)
    train, held_out = pairs.head(TRAIN), pairs.tail(HELD_OUT)
    tokenizer = build_tokenizer(vocabulary(300))
    rows = []
    for name, loss in {
        "guided": guided_alignment_loss,
        "unguided": translation_loss,
        "untrained": None,
    }.items():
        torch.manual_seed(seed)
        model = build_transformer_model(tokenizer.vocab_size, 64, 4, 2, 128)
        if loss:
            optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, fused=True)
            train_model(model, make_dataloader(train), optimizer, EPOCHS, loss=loss)
        rows.append({"seed": seed, "model": name, **measured(model, tokenizer, held_out)})
    return rows


def measured(
    model: Transformer, tokenizer: PreTrainedTokenizerFast, held_out: pd.DataFrame
) -> dict[str, float]:
    """Translate, knock out and score."""
    exact, pronoun = accuracy(model, tokenizer, held_out)
    gold = [gold_readings(pair) for _, pair in held_out.head(SCORED).iterrows()]
    texts = zip(held_out["source"].head(SCORED), held_out["target"].head(SCORED), strict=True)
    traces = (trace(source, model, tokenizer, target=target) for source, target in texts)
    best, offsets = best_heads(score_heads(traces, gold)), best_offsets(gold)
    found = {f"{name} ({best.loc[name, 'kind']})": best.loc[name, "share"] for name in best.index}
    return {
        "exact": exact,
        "pronoun": pronoun,
        **knocked_out(model, tokenizer, held_out),
        **found,
        "offset: it": offsets.loc[IT, "share"],
        "offset: they": offsets.loc[THEY, "share"],
    }


def accuracy(
    model: Transformer, tokenizer: PreTrainedTokenizerFast, pairs: pd.DataFrame
) -> tuple[float, float]:
    """Give the shares of translations and of pronouns that are right."""
    translations = greedy_translate(model, pairs["source"].tolist(), tokenizer)
    return translation_accuracy(translations, pairs["target"].tolist())


def knocked_out(
    model: Transformer, tokenizer: PreTrainedTokenizerFast, held_out: pd.DataFrame
) -> dict[str, float]:
    """Count the pronouns that are right when the pronoun may not read one of the nouns."""
    pairs = held_out[held_out["category"] != "statement"]
    edges = pd.DataFrame([pronoun_edges(relations) for relations in pairs["relations"]])
    length = int(pairs["length"].max()) + 1  # and </s>
    shares = {}
    for noun in edges:
        with block(model, edge_mask(list(edges[noun]), length)):
            shares[f"pronoun without {noun}"] = accuracy(model, tokenizer, pairs)[1]
    return shares


def glosser(seed: int) -> dict[str, Any]:
    """Train the glossing encoder of one seed and measure it."""
    words = meaning_vocabulary()
    pairs = generate_meaning_data(TRAIN + HELD_OUT, seed=seed)
    train, held_out = pairs.head(TRAIN), pairs.tail(HELD_OUT)
    torch.manual_seed(seed)
    model = GlossingEncoder(len(words))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, fused=True)
    train_model(model, make_dataloader(train), optimizer, EPOCHS, loss=gloss_loss)
    columns = (held_out[name] for name in ("source_ids", "target_ids", "alignment"))
    batch = make_batch(list(zip(*columns, strict=True)))
    antecedent, other = (
        [(relations[i].reader, relations[i].read) for relations in held_out["relations"]]
        for i in (0, 1)
    )
    length = batch.source.size(1)

    def it_is_right() -> float:
        right = gloss(model, batch.source) == batch.labels
        return (
            right[edge_mask([(it, it) for it, _ in antecedent], length).any(1)]
            .double()
            .mean()
            .item()
        )

    shares = {"pronoun": it_is_right()}
    for noun, edges in {"its antecedent": antecedent, "the other noun": other}.items():
        with block(model, edge_mask(edges, length)):
            shares[f"pronoun without {noun}"] = it_is_right()
    gold: list[list[Reading]] = [[(IT, "encoder", *edge)] for edge in antecedent[:SCORED]]
    tokenizer = build_tokenizer(words)
    scores = score_heads(
        (trace(s, model, tokenizer) for s in held_out["source"].head(SCORED)), gold
    )
    exact = (gloss(model, batch.source) == batch.labels) | (batch.labels == 0)
    return {
        "seed": seed,
        "model": "glossing",
        "exact": exact.all(1).double().mean().item(),
        **shares,
        f"{IT} (encoder)": best_heads(scores).loc[IT, "share"],
        "offset: it": best_offsets(gold)["share"].item(),
    }


if __name__ == "__main__":
    typer.run(main)
