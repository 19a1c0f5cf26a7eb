"""What looks at a model never imports a model, so that it works on the learner's own."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "regard"
MODEL = {
    "glossing",
    "attention",
    "masks",
    "transformer",
    "languages",
    "meaning",
    "schema",
    "tokenization",
    "training",
}
LOOKING = {
    *("recording", "storage", "traces", "sentences", "inputs", "modules", "interface"),
    *("huggingface", "tracing", "calls", "huggingface_editing", "module_editing", "editing"),
    *("head_importance", "prediction", "explanations"),
    *("measures", "head_measures", "rollout", "interventions", "diagnosis", "exercises"),
    *("anatomy", "tiles", "film", "comparison", "bugs"),
    *("conllu", "answers", "intervals", "evidence", "treebank", "alignment", "patterns"),
}
DRAWING = {
    "style",
    "plots",
    "explorer",
    "packing",
    "replies",
    "export",
    "viewing",
    "changing",
    "text_form",
}


def imports_of(module: str) -> set[str]:
    """Name the modules of this package that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("regard."):
            found.add(str(node.module).removeprefix("regard."))
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("regard.") for a in node.names if "regard." in a.name}
    return found


def test_every_module_has_a_place() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    assert modules - MODEL - LOOKING - DRAWING == {"__init__", "checkpoint", "cli"}


@pytest.mark.parametrize("module", sorted(LOOKING))
def test_looking_imports_only_looking(module: str) -> None:
    assert imports_of(module) <= LOOKING


@pytest.mark.parametrize("module", sorted(DRAWING))
def test_drawing_imports_only_looking_and_drawing(module: str) -> None:
    assert imports_of(module) <= LOOKING | DRAWING


@pytest.mark.parametrize("module", sorted(MODEL))
def test_the_model_does_not_look_at_itself(module: str) -> None:
    assert imports_of(module) <= MODEL | {"checkpoint"}
