"""Train the third notebook's models from five seeds, and write what came out, good or bad.

    python tools/seeing_seeds.py [--seeds 5] [--output notebooks/seeing_seeds.csv]

A row is a model and a relation of a seed. Shares are of the questions about held-out scenes that
are answered right, also without a link, without a head, or with a patch painted over; and how often
the best head reads the gold patch most, chosen on one half of the scenes and counted on the other.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import torch
import typer
from torch import Tensor

from regard.causes.interventions import ablate, block
from regard.evidence.answers import READS, collect_answers
from regard.evidence.board import scoreboard
from regard.lessons.scenes import (
    KINDS,
    QUESTION_IDS,
    RELATIONS,
    Scenes,
    draw_scenes,
    painted_over,
    unread_by_patches,
    unread_by_words,
)
from regard.lessons.seer import Seer, train_seer
from regard.tracing.run import trace

STEPS, HELD_OUT = 1_000, 500
OUTPUT = Path(__file__).parent.parent / "notebooks" / "seeing_seeds.csv"
LAST_WORD = QUESTION_IDS.size(1) - 1
Row = dict[str, Any]


def main(
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 5,
    output: Annotated[Path, typer.Option(help="The table to write.")] = OUTPUT,
) -> None:
    """Train and measure on one thread, as a row's seconds say."""
    torch.set_num_threads(1)
    rows = [row for seed in range(seeds) for row in rows_of(seed)]
    table = pd.DataFrame(rows).round(4)
    table.to_csv(output, index=False)
    print(table.to_string(index=False))


def rows_of(seed: int) -> Iterator[Row]:
    """Train and measure the model of one seed, and its twin without an encoder."""
    scenes = draw_scenes(HELD_OUT, torch.Generator().manual_seed(10_000 + seed))
    for name, encoder_layers in (("encoder", 2), ("no encoder", 0)):
        torch.manual_seed(seed)
        model = Seer(encoder_layers)
        began = time.process_time()
        train_seer(model, STEPS, seed=seed)
        seconds = time.process_time() - began
        print(f"seed {seed}, {name}: {seconds:.0f} s", file=sys.stderr)
        torch.manual_seed(seed)
        boards = board_of(model.eval(), Seer(encoder_layers).eval(), scenes)
        for relation in RELATIONS:
            found = {"seed": seed, "model": name, "relation": relation, "seconds": seconds}
            yield found | looked(boards, relation) | knocked_out(model, scenes, relation, boards)


def board_of(model: Seer, untrained: Seer, scenes: Scenes) -> pd.DataFrame:
    """Ask every head for the gold patch, one question a scene."""
    answers = [collect_answers(*asked(some, scenes)) for some in (model, untrained)]
    table = scoreboard(answers[0], untrained=answers[1])
    return table[table["direction"] == READS].set_index("name")


def asked(model: Seer, scenes: Scenes) -> tuple[list[Any], list[Any]]:
    """Trace one question about each scene, and say which readings would be right."""
    traces, readings = [], []
    for number, pixels in enumerate(scenes.pixels):
        question = number % len(QUESTION_IDS)
        relation = RELATIONS[question // len(KINDS)]
        traces.append(trace((pixels[None], QUESTION_IDS[[question]]), model, values=False))
        gold, named = (int(patches[number, question]) for patches in (scenes.gold, scenes.asked))
        right = [(relation, "cross", LAST_WORD, gold)]
        if gold != named:
            right.append(("named", "cross", LAST_WORD, named))
            if "encoder" in traces[-1].kinds:
                right.append(("found", "encoder", gold, named))
        readings.append(right)
    return traces, readings


def looked(board: pd.DataFrame, relation: str) -> Row:
    """Say how often the best head reads the gold patch, beside what finds it without looking."""
    best = board.loc[relation]
    found: Row = {
        "best head: gold patch": best["share"],
        "interval, low": best["low"],
        "interval, high": best["high"],
        "weight on it": best["weight"],
        "always one patch": best["offset_share"],
        "untrained": best["untrained_share"],
        "finding": best["finding"],
    }
    if relation == "below":
        found["a head: named shape"] = board.loc["named", "share"]
        if "found" in board.index:
            found["an encoder head: gold patch reads named shape"] = board.loc["found", "share"]
    return found


def knocked_out(model: Seer, scenes: Scenes, relation: str, board: pd.DataFrame) -> Row:
    """Count right answers to four questions about each scene, with and without what is cut."""
    of_relation = slice(*(len(KINDS) * (RELATIONS.index(relation) + end) for end in (0, 1)))
    pixels = scenes.pixels.repeat_interleave(len(KINDS), dim=0)
    gold, named, answers = (
        patches[:, of_relation].flatten() for patches in (scenes.gold, scenes.asked, scenes.answers)
    )
    words = QUESTION_IDS[of_relation].repeat(len(scenes.pixels), 1)

    def right(pixels: Tensor = pixels, cut: AbstractContextManager[None] | None = None) -> float:
        with torch.no_grad(), cut or nullcontext():
            return float((model(pixels, words).argmax(-1) == answers).float().mean())

    best = ("cross", 0, board["head"].to_dict()[relation])
    shares: Row = {
        "right": right(),
        "words may not read gold patch": right(
            cut=block(model, unread_by_words(gold), kind="cross")
        ),
        "words may not read named shape": right(
            cut=block(model, unread_by_words(named), kind="cross")
        ),
        "without best head": right(cut=ablate(model, [best])),
        "gold patch painted over": right(painted_over(pixels, gold)),
        "named shape painted over": right(painted_over(pixels, named)),
    }
    if relation == "below" and model.encoder:
        unlinked = block(model, unread_by_patches(gold, named), kind="encoder")
        shares["gold patch may not read named shape"] = right(cut=unlinked)
    return shares


if __name__ == "__main__":
    typer.run(main)
