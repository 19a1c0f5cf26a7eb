"""The notebook has every cell that was asked for, shows it all, and obeys who edits it."""

import ast
import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat import NotebookNode

from tools.build_notebook import PACKAGES, SOURCE, read_notebook

COMMITTED = SOURCE.with_suffix(".ipynb")

SECTIONS = [
    "Introduction",
    "Import Libraries",
    "Synthetic Data Generation",
    "Data Exploration and Preprocessing",
    "Transformer Model Definition",
    "Model Training",
    "Attention Weight Visualization Function",
    "User Input and Interaction",
    "Attention Weight Visualization with User Input",
    "Multi-Head Attention Visualization",
    "Layer Selection Visualization",
    "Quantitative Analysis of Attention",
    "Attention Weight Statistics Table",
    "Further Exploration and Exercises",
    "Conclusion",
    "References",
]
FUNCTIONS = {
    "generate_synthetic_data": ["num_sentences", "vocab_size", "max_length"],
    "build_transformer_model": ["vocab_size", "d_model", "nhead", "num_layers", "dim_feedforward"],
    "train_model": ["model", "dataloader", "optimizer", "num_epochs"],
    "visualize_attention_weights": ["sentence", "model", "tokenizer", "layer", "head"],
    "mask_future_tokens": ["batch"],
    "calculate_attention_weights": ["query", "key", "value", "mask"],
    "multi_head_attention": ["query", "key", "value", "num_heads", "mask"],
    "create_masks": ["src", "tgt"],
}
LIBRARIES = [
    "torch",
    "torch.nn",
    "torch.optim",
    "numpy",
    "matplotlib.pyplot",
    "seaborn",
    "ipywidgets",
    "transformers",
    "pandas",
]


@pytest.fixture(scope="module")
def notebook() -> NotebookNode:
    return read_notebook(SOURCE, PACKAGES)


@pytest.fixture(scope="module")
def committed() -> NotebookNode:
    return nbformat.read(COMMITTED, as_version=4)


def code_of(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def outputs_of(notebook: NotebookNode) -> Iterator[NotebookNode]:
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def test_the_sections_stand_in_order_under_their_titles(notebook: NotebookNode) -> None:
    lines = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown").splitlines()
    titles = [line for line in lines if line.startswith("## ")]
    assert titles == [f"## {number}. {title}" for number, title in enumerate(SECTIONS, 1)]


def test_every_function_is_defined_with_its_parameters(notebook: NotebookNode) -> None:
    found = {
        node.name: [argument.arg for argument in node.args.args]
        for source in code_of(notebook)
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: found.get(name) for name in FUNCTIONS} == FUNCTIONS


def test_every_library_is_imported(notebook: NotebookNode) -> None:
    imported = {
        alias.name
        for source in code_of(notebook)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported >= set(LIBRARIES)


def test_what_builds_the_model_is_not_imported(notebook: NotebookNode) -> None:
    """Else a learner's edit of it would change nothing."""
    model = {"attention", "masks", "transformer", "languages", "meaning", "glossing", "training"}
    imported = {
        (node.module or "").removeprefix("regard.")
        for source in code_of(notebook)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
    }
    assert not imported & (model | {"schema", "tokenization"})


def test_the_committed_notebook_shows_everything(committed: NotebookNode) -> None:
    outputs = list(outputs_of(committed))
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [o for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    assert all(cell.execution_count for cell in committed.cells if cell.cell_type == "code")
    by_code = {
        cell.source: {mime for output in cell.outputs for mime in output.get("data", {})}
        for cell in committed.cells
        if cell.cell_type == "code"
    }
    for call in ("visualize_attention_weights(", "plot_loss(", "plot_received(", "explore("):
        shown = [mimes for source, mimes in by_code.items() if call in source and mimes]
        assert any("image/png" in mimes for mimes in shown), call
    assert any("text/html" in m for source, m in by_code.items() if source == "statistics")


def test_the_committed_notebook_is_small(committed: NotebookNode) -> None:
    assert COMMITTED.stat().st_size < 3_000_000
    assert "widgets" not in committed.metadata


SMALL = {
    "NUM_SENTENCES = 31_000": "NUM_SENTENCES = 300",
    "HELD_OUT = 1_000": "HELD_OUT = 40",
    "NUM_EPOCHS = 5": "NUM_EPOCHS = 1",
    "NUM_SCORED = 500": "NUM_SCORED = 8",
}


@pytest.fixture
def in_notebooks_folder(tmp_path: Path) -> Iterator[None]:
    """Run where the notebook's files are, but write beside a copy."""
    (tmp_path / "seeds.csv").write_bytes((SOURCE.parent / "seeds.csv").read_bytes())
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        yield
    finally:
        os.chdir(before)
        plt.close("all")


def run(sources: list[str], edit: tuple[str, str], until: str) -> dict[str, Any]:
    """Run the cells, small and with one edit, up to the one that starts with `until`."""
    names: dict[str, Any] = {"__name__": "__main__"}
    edited = False
    for source in sources:
        text = source
        for old, new in SMALL.items():
            text = text.replace(old, new)
        edited = edited or edit[0] in text
        text = text.replace(*edit)
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(text, "<cell>", "exec"), names)  # noqa: S102  the notebook's own cells
        if source.startswith(until):
            assert edited, f"no cell has {edit[0]!r}"
            return names
    raise AssertionError(f"no cell starts with {until!r}")


@dataclass
class Edit:
    """A change to one section, and what later result it must move."""

    section: int
    old: str
    new: str
    until: str
    result: str


EDITS = [
    Edit(3, '("small", "parv")', '("small", "piccol")', "words =", "' '.join(words)"),
    Edit(3, "weights=(15, 55, 30)", "weights=(0, 0, 1)", "daily", "set(sentences['category'])"),
    Edit(4, 'f"$A {end}"', '"$A"', "explorer =", "explorer.value['sentence'], draw()"),
    Edit(5, " / math.sqrt(d_k)", "", "explorer =", "draw()"),
    Edit(5, ".tril()", "", "explorer =", "masked()"),
    Edit(6, "label_smoothing=0.1", "label_smoothing=0.9", "final", "final['loss'].tolist()"),
    Edit(
        7,
        "weights = seen.weights(layer, head, kind=kind)",
        "weights = 0 * seen.weights(layer, head, kind=kind)",
        "chosen",
        "draw()",
    ),
]
