"""The third notebook runs to its end on a weak model, and shows all that it did."""

import contextlib
import io
import shutil
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest

from tests.test_notebook import code_of, outputs_of
from tools.notebook_sources import NOTEBOOKS, read_notebook

SOURCE = NOTEBOOKS / "seeing.py"
SEEDS = NOTEBOOKS / "seeing_seeds.csv"
SMALL = {"SEED, STEPS, HELD_OUT = 0, 1_000, 500": "SEED, STEPS, HELD_OUT = 0, 8, 80"}


def test_a_weak_model_is_told_of_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(SEEDS, tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    sources = code_of(read_notebook(SOURCE))
    for old in SMALL:
        assert any(old in source for source in sources), old
    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(io.StringIO()), plt.rc_context():
        for source in sources:
            text = source
            for old, new in SMALL.items():
                text = text.replace(old, new)
            exec(compile(text, "<cell>", "exec"), names)  # noqa: S102  the notebook's own cells
    plt.close("all")
    assert not names["board"]["finding"].any()  # eight steps teach nothing


def test_the_committed_notebook_has_no_error_and_counts_many_scenes() -> None:
    committed = nbformat.read(SOURCE.with_suffix(".ipynb"), as_version=4)
    outputs = list(outputs_of(committed))
    assert not [output for output in outputs if output.output_type in ("error", "stream")]
    code = "\n".join(cell.source for cell in committed.cells)
    assert "STEPS, HELD_OUT = 0, 1_000, 500" in code


def test_the_models_of_all_seeds_learnt_and_only_through_the_links_that_were_cut() -> None:
    seeds = pd.read_csv(SEEDS)
    assert sorted(set(seeds["seed"])) == [0, 1, 2, 3, 4]
    seers = seeds[seeds["model"] == "encoder"]
    twins = seeds[(seeds["model"] == "no encoder") & (seeds["relation"] == "below")]
    assert seers["right"].min() > 0.9
    assert seers["seconds"].max() <= 60
    assert seers["gold patch painted over"].max() < 0.25  # guessing: 1 in 6
    assert twins["right"].max() < 0.5
