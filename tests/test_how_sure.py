"""The second notebook runs to its end on what the first one trained, and shows all that it did."""

import contextlib
import io
import shutil
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pytest

from tests.test_notebook import code_of, outputs_of
from tools.notebook_sources import NOTEBOOKS, read_notebook

SOURCE = NOTEBOOKS / "how_sure.py"
SMALL = {
    "NUM_SENTENCES, HELD_OUT = 0, 12_000, 1_000": "NUM_SENTENCES, HELD_OUT = 0, 300, 100",
    "NUM_GLOSSED = 11_000": "NUM_GLOSSED = 400",
    "NUM_EPOCHS, FILMED = 3, glossed_held_out.head(16)": "NUM_EPOCHS, FILMED = 1, glossed_held_out"
    ".head(2)",
    "MANY = 200": "MANY = 4",
    "GROUPS, GROUP_SIZE = 5, 40": "GROUPS, GROUP_SIZE = 2, 8",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(NOTEBOOKS / "trained", tmp_path / "trained")
    shutil.copy(NOTEBOOKS / "seeds.csv", tmp_path)
    return tmp_path


def test_a_weak_model_is_told_of_to_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plt, "show", lambda: None)
    sources = code_of(read_notebook(SOURCE))
    for old in SMALL:
        assert any(old in source for source in sources), old
    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()), plt.rc_context():
        for source in sources:
            text = source
            for old, new in SMALL.items():
                text = text.replace(old, new)
            exec(compile(text, "<cell>", "exec"), names)  # noqa: S102  the notebook's own cells
    assert not names["evidence"].loc[names["evidence"]["told in training"], "finding"].any()
    assert len(names["drops"]) == 4
    assert "a word by lot" in names["medians"].index


def test_the_committed_notebook_has_no_error_and_counts_many_sentences() -> None:
    committed = nbformat.read(SOURCE.with_suffix(".ipynb"), as_version=4)
    outputs = list(outputs_of(committed))
    assert not [output for output in outputs if output.output_type == "error"]
    said = "\n".join(output.get("data", {}).get("text/markdown", "") for output in outputs)
    assert "Over 200 held-out sentences" in said
    assert "of 40 sentences" in said
