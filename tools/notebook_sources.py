"""Read the notebooks' text sources.

`notebooks/*.py` hold prose and code in jupytext's percent format. A line

    # include: regard.model.attention.calculate_attention_weights

stands for the source of that function, class or constant in `src/regard/model/attention.py`, so a
notebook teaches exactly the code that the package ships and tests. Of docstrings the notebook has
the first line: around its code stands prose, and the package keeps the rest.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import jupytext
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PACKAGES = ROOT / "src"

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
MARK = re.compile(r"^# include: *(.*?) *$")
# What depends on the machine, the hour or the text format, not on the notebook.
PASSING_METADATA = ("execution", "lines_to_next_cell", "widgets")
FIRST = "self_attention"  # what it trains, the others may load


class BuildError(Exception):
    """A notebook cannot be built; the message says which line or cell, and why."""


def all_sources() -> list[Path]:
    """List every notebook's source in the order in which they are built."""
    return sorted(NOTEBOOKS.glob("*.py"), key=lambda path: (path.stem != FIRST, path.stem))


def read_notebook(source: Path, packages: Path = PACKAGES) -> NotebookNode:
    """Read a percent file, with its include marks filled from the packages' sources."""
    lines = source.read_text("utf-8").splitlines()
    filled = (fill_mark(line, f"{source.name}:{n}", packages) for n, line in enumerate(lines, 1))
    notebook: NotebookNode = jupytext.reads(formatted("\n".join(filled), source), fmt="py:percent")
    notebook.metadata = NotebookNode(
        kernelspec=KERNEL, language_info={"name": "python"}, colab={"toc_visible": True}
    )
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:03}"
        drop_passing_metadata(cell)
    return notebook


def drop_passing_metadata(cell: NotebookNode) -> None:
    """Drop timings and the text format's own marks."""
    for name in PASSING_METADATA:
        cell.metadata.pop(name, None)


def fill_mark(line: str, place: str, packages: Path) -> str:
    """Give the source that an include mark stands for; any other line is itself."""
    match = MARK.match(line)
    if not match:
        return line
    module, _, name = match[1].rpartition(".")
    path = packages / f"{module.replace('.', '/')}.py"
    if not path.is_file():
        raise BuildError(f"{place}: '{line}' names no module of {packages.name}/")
    text = source_of(name, path.read_text("utf-8"))
    if text is None:
        raise BuildError(f"{place}: '{line}' names nothing at the top level of {path.name}")
    return shorten_docstrings(text)


def source_of(name: str, module_source: str) -> str | None:
    """Cut one top-level object out of a module, with its decorators and the comment above it."""
    lines = module_source.splitlines()
    for node in ast.parse(module_source).body:
        if name in names_of(node):
            decorators = getattr(node, "decorator_list", [])
            first = min(part.lineno for part in (node, *decorators)) - 1
            while first > 0 and lines[first - 1].startswith("#"):
                first -= 1
            return "\n".join(lines[first : node.end_lineno])
    return None


def names_of(node: ast.stmt) -> set[str]:
    """Names that a top-level statement defines."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.Assign():
            return {target.id for target in node.targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
    return set()


def shorten_docstrings(text: str) -> str:
    """Keep the first line of every docstring."""
    lines = text.splitlines()
    for first, last in docstrings_of(text):
        opening = lines[first].rstrip()
        gap = " " if opening.endswith('"') else ""
        lines[first : last + 1] = [f'{opening}{gap}"""']
    return "\n".join(lines)


def docstrings_of(text: str) -> list[tuple[int, int]]:
    """Give each longer docstring's first and last line, counted from 0; the last one is first."""
    places = [
        (node.body[0].lineno - 1, (node.body[0].end_lineno or 0) - 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and ast.get_docstring(node) is not None
    ]
    return sorted((place for place in places if place[1] > place[0]), reverse=True)


def formatted(text: str, source: Path) -> str:
    """Give the text as `ruff format` would: two blank lines between what was included."""
    options = ("--config", str(ROOT / "pyproject.toml"), "--stdin-filename", source.name)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", *options, "-"],
        check=False,
        input=text,
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise BuildError(f"{source.name} with its include marks filled: {done.stderr.strip()}")
    return done.stdout
