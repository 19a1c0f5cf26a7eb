"""Wrong arguments are refused at the door: in words, by this package, and not in its depths."""

import inspect
import itertools
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

import regard
from regard.model.transformer import Transformer

PACKAGE = Path(regard.__file__).parent
SENTENCE = "the dog saw it ."
PICTURE = np.zeros((4, 24), dtype=np.uint8)


class Nothing:
    """What nobody takes for anything."""

    def __repr__(self) -> str:
        return "<nothing>"


WRONG: list[Any] = [Nothing(), "x", -1, 2.5, True, ["x", 1], {"x": 1}, Nothing, torch.zeros(2, 2)]
FREE = {"seed", "ax", "dropout"}  # any seed, Axes that matplotlib checks, what torch checks


def traces(model: Transformer, tokenizer: PreTrainedTokenizerFast) -> list[regard.Trace]:
    return [regard.trace(SENTENCE, model, tokenizer, target="lo cano elo vedava .")]


def right_calls(model: Transformer, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Give for each public function arguments that it takes."""
    seen = traces(model, tokenizer)[0]
    gold = [[("it reads dog", "encoder", 3, 1)]]
    patches = regard.grid(1, len(seen.tokens), PICTURE)
    placed = regard.place(seen, patches, images=PICTURE)
    looks = [[("it", 0, patches[1])]]
    pairs = regard.generate_synthetic_data(40, 300, 24)
    ids = torch.tensor([[1, 5, 6, 2, 0]])
    x = torch.rand(1, 4, 8)
    attending = {"sentence": SENTENCE, "model": model, "tokenizer": tokenizer}
    place = {"layer": 0, "head": 1}
    return {
        "ablate": {"model": model, "heads": [("encoder", 0, 1)]},
        "block": {"model": model, "forbidden": torch.zeros(1, 6, 6, dtype=torch.bool)},
        "build_tokenizer": {"words": regard.vocabulary(300)},
        "build_transformer_model": {
            "vocab_size": 300,
            "d_model": 16,
            "nhead": 2,
            "num_layers": 1,
            "dim_feedforward": 32,
        },
        "calculate_attention_weights": {"query": x, "key": x, "value": x},
        "multi_head_attention": {"query": x, "key": x, "value": x, "num_heads": 2},
        "collect_answers": {"traces": [seen], "gold": gold},
        "compare": {"first": seen, "second": seen},
        "create_masks": {"src": ids, "tgt": ids},
        "mask_future_tokens": {"batch": ids},
        "dissect": {"trace": seen, **place, "query": 3, "key": 1},
        "doctor": {"model": model, "tokenizer": tokenizer, "sentence": SENTENCE},
        "examine": {"weights": torch.ones(1, 1, 2, 2) / 2},
        "explore": {"model": model, "tokenizer": tokenizer, "sentence": SENTENCE},
        "generate_synthetic_data": {"num_sentences": 5, "vocab_size": 300, "max_length": 24},
        "greedy_translate": {"sentences": [SENTENCE], "model": model, "tokenizer": tokenizer},
        "make_dataloader": {"sentences": pairs},
        "measure_heads": {"trace": seen},
        "plot_attention": {"seen": seen, **place},
        "plot_difference": {"first": seen, "second": seen, **place},
        "contact_map": {"trace": seen},
        "score_contacts": {"trace": seen, "contacts": np.eye(len(seen.hide().tokens)), "apart": 1},
        "plot_contacts": {"seen": seen},
        "grid": {"rows": 1, "columns": 6, "over": PICTURE},
        "place": {"seen": seen, "places": patches, "images": PICTURE},
        "collect_looks": {"traces": [placed], "gold": looks},
        "score_places": {"traces": [placed] * 50, "gold": looks * 50, "least": 5},
        "score_patterns": {"trace": seen},
        "compare_answers": {
            "answers": regard.collect_answers([seen] * 50, gold * 50),
            "other": regard.collect_answers([seen] * 50, gold * 50),
        },
        "scoreboard": {"answers": regard.collect_answers([seen] * 50, gold * 50)},
        "trace": attending,
        "trace_generation": {"prompt": SENTENCE, "model": model, "tokenizer": tokenizer},
        "view": {"trace": seen, **place},
        "visualize_attention_weights": {**attending, **place},
        "vocabulary": {"vocab_size": 300},
        "bug": {"model": model, "name": "no scale"},
    }


def wrong_calls(right: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for name, arguments in right.items():
        taken = inspect.signature(getattr(regard, name)).parameters
        assert set(arguments) <= set(taken), f"{name} takes {list(taken)}"
        for argument, wrong in itertools.product(taken, WRONG):
            if argument not in FREE:
                yield name, argument, wrong


def call(function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Call a function; within a context, run the model that it is about."""
    given = function(**arguments)
    if isinstance(given, AbstractContextManager):
        with given, torch.no_grad():
            arguments["model"](torch.tensor([[4, 5, 6, 7, 8, 2]]), torch.tensor([[1, 5]]))


def complaint(function: Callable[..., Any], arguments: dict[str, Any]) -> str | None:
    """Say what is wrong with how a call was refused; None if nothing is, or it was taken."""
    try:
        call(function, arguments)
    except (TypeError, ValueError) as error:
        deepest = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        if PACKAGE not in deepest.parents and deepest.name != "contextlib.py":
            return f"{type(error).__name__} from {deepest.name}: {error}"
        return None if len(str(error)) > 30 else f"too few words: {error}"
    except Exception as error:  # noqa: BLE001  whatever it is, it is no refusal in words
        return f"{type(error).__name__}: {error}"
    finally:
        plt.close("all")
    return None


def test_wrong_arguments_are_refused_at_the_door(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    right = right_calls(model, tokenizer)
    for name, arguments in right.items():
        call(getattr(regard, name), arguments)
        plt.close("all")
    complaints = {}
    for name, argument, wrong in wrong_calls(right):
        said = complaint(getattr(regard, name), {**right[name], argument: wrong})
        if said is not None:
            complaints[f"{name}({argument}={wrong!r})"] = said
    assert complaints == {}
