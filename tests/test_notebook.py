"""The notebook has every cell that was asked for, shows it all, and obeys who edits it."""

import ast
import contextlib
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat import NotebookNode
from safetensors import safe_open
from safetensors.torch import load_model

import regard
from regard.model.pairs import OPENING_PAIR
from regard.model.translation import translation_accuracy
from tools.notebook_sources import NOTEBOOKS, PACKAGES, read_notebook

Names = dict[str, Any]
SOURCE = NOTEBOOKS / "self_attention.py"
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
    imported = {
        node.module or ""
        for source in code_of(notebook)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
    }
    of_model = {module for module in imported if module.startswith("regard.model")}
    assert of_model == {"regard.model.checkpoint"}  # files, of whatever model


def test_what_prose_names_is_text_and_no_markup(notebook: NotebookNode) -> None:
    """What stands in emphasis is a word or a name; a number says how it is written."""
    named = re.findall(r"\*\{([^}:]+)\}", "\n".join(code_of(notebook)))
    assert len(named) > 15
    assert [name for name in named if not name.startswith("as_markup(")] == []


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
    assert any(
        "text/html" in m for source, m in by_code.items() if source.startswith("statistics.T")
    )


def test_the_committed_notebook_is_small(committed: NotebookNode) -> None:
    assert COMMITTED.stat().st_size < 3_000_000
    assert "widgets" not in committed.metadata


def test_the_trained_models_that_come_along_are_those_of_the_last_run() -> None:
    """They translate sentences that the notebook holds out, and the head that is named reads so."""
    words = regard.vocabulary(300)
    tokenizer = regard.build_tokenizer(words)
    held_out = regard.generate_synthetic_data(12_000, 300, 20, seed=0).tail(60)
    for name in ("guided", "unguided"):
        path = SOURCE.parent / "trained" / f"{name}.safetensors"
        assert path.stat().st_size < 1_000_000
        model = regard.build_transformer_model(len(words), 64, 4, 2, 128).eval()
        load_model(model, path)
        written = regard.greedy_translate(held_out["source"].tolist(), model, tokenizer)
        assert translation_accuracy(written, held_out["target"].tolist()).exact > 0.9
        if name == "guided":
            with safe_open(path, "pt") as file:
                head = [int(file.metadata()[part]) for part in ("layer", "head")]
            seen = regard.trace(OPENING_PAIR[0], model, tokenizer)
            row = seen.weights(*head)[seen.tokens.index("it")]
            assert seen.tokens[row.argmax()] == "dog"


SMALL = {
    "NUM_SENTENCES = 12_000": "NUM_SENTENCES = 300",
    "HELD_OUT = 1_000": "HELD_OUT = 60",
    "NUM_EPOCHS = 3": "NUM_EPOCHS = 1",
}


@dataclass
class Edit:
    """A change that a learner makes in one section, and a later result that it must move."""

    section: int
    old: str
    new: str
    until: str  # how the cell starts after which the result is there
    result: str


EDITS = [
    Edit(3, '("small", "parv")', '("small", "piccol")', "words =", "tuple(words)"),
    Edit(3, "weights=(15, 55, 30)", "weights=(0, 0, 1)", "daily", "set(sentences['category'])"),
    Edit(
        4,
        "normalizers.NFC(), normalizers.Lowercase()",
        "normalizers.NFC()",
        "tokenizer =",
        "tuple(tokenizer('The Dog').input_ids)",
    ),
    Edit(5, "key.mT / math.sqrt(d_k)", "key.mT", "import io", "picture.value"),
    Edit(
        5,
        ".tril()",
        "",
        "from regard.measures.leak",
        "(np.triu(leaks['unguided'], 1) > 0).any()",
    ),
    Edit(6, "label_smoothing=0.1", "label_smoothing=0.9", "counted", "tuple(history['loss'])"),
    Edit(
        7,
        "weights = caught[0][0, head]",
        "weights = 0 * caught[0][0, head]",
        "ax = visualize",
        "ax.collections[0].get_array().sum()",
    ),
    Edit(8, 'bbox_inches="tight"', "dpi=30", "import io", "picture.value"),
    Edit(
        9,
        'shares[word] = accuracy(model, pairs)["pronoun"]',
        'shares[word] = 1 + accuracy(model, pairs)["pronoun"]',
        "gender",
        "tuple(knockout['guided'])",
    ),
    Edit(10, "is right most often at", "likes", "shares =", "tuple(descriptions)"),
    Edit(
        14,
        "query @ key.mT  #",
        "query @ key.mT / math.sqrt(key.size(-1))  #",
        "from regard.lessons.exercises",
        "check_attention(my_attention)",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that has what the notebook reads, where it may write."""
    folder = tmp_path_factory.mktemp("notebooks")
    shutil.copytree(SOURCE.parent / "trained", folder / "trained")
    return folder


def run(notebook: NotebookNode, folder: Path, edits: dict[str, str]) -> Iterator[tuple[str, Names]]:
    """Run the cells, small and edited; give each cell's source and the names so far."""
    names: Names = {"__name__": "__main__"}
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()), plt.rc_context():
        for source in code_of(notebook):
            text = source
            for old, new in (SMALL | edits).items():
                text = text.replace(old, new)
            exec(compile(text, "<cell>", "exec"), names)  # noqa: S102  the notebook's own cells
            plt.close("all")
            yield source, names


@pytest.fixture(scope="module")
def unedited(notebook: NotebookNode, folder: Path) -> dict[str, Any]:
    """Give every result as it is without an edit."""
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plt, "show", lambda: None)
        for source, names in run(notebook, folder, {}):
            for edit in EDITS:
                if source.startswith(edit.until):
                    results[edit.result] = eval(edit.result, names)  # noqa: S307  from EDITS
    return results


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"section {edit.section}: {edit.result}")
def test_an_edit_takes_effect_on_what_follows(
    edit: Edit,
    notebook: NotebookNode,
    folder: Path,
    unedited: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert any(edit.old in source for source in code_of(notebook))
    monkeypatch.setattr(plt, "show", lambda: None)
    names = next(
        n
        for source, n in run(notebook, folder, {edit.old: edit.new})
        if source.startswith(edit.until)
    )
    assert eval(edit.result, names) != unedited[edit.result]  # noqa: S307  from EDITS


OTHERS = {
    "small and short": {
        '"d_model": 64, "nhead": 4, "num_layers": 2': '"d_model": 32, "nhead": 8, "num_layers": 1',
        "MAX_LENGTH = 20": "MAX_LENGTH = 12",
    },
    "deep, with a pair of one's own": {
        '"num_layers": 2': '"num_layers": 3',
        '"the cows did not follow the dog because it seemed weak ."': '"the cows saw the dog '
        'because it seemed strange ."',
    },
    "without training, and a word that nobody knows": {
        "TRAIN = True": "TRAIN = False",
        "draw()\nexplorer": "draw()\nsentence.value = 'the elephant slept .'\nexplorer",
    },
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_a_learner_may_set_is_shown_to_the_end(
    name: str, notebook: NotebookNode, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plt, "show", lambda: None)
    for old in OTHERS[name]:
        assert any(old in source for source in code_of(notebook)), old
    *_, (_, names) = run(notebook, folder, OTHERS[name])
    assert set(names["by_layer"].columns) == set(range(names["SIZES"]["num_layers"]))
    assert ("elephant" in names["message"].value) == name.startswith("without")


def test_an_edit_stands_in_every_section_that_defines_code(notebook: NotebookNode) -> None:
    section, defining = 0, set()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            numbers = re.findall(r"^## (\d+)\.", cell.source, re.MULTILINE)
            section = int(numbers[-1]) if numbers else section
        elif any(isinstance(node, ast.FunctionDef) for node in ast.parse(cell.source).body):
            defining.add(section)
    assert {edit.section for edit in EDITS} == defining
