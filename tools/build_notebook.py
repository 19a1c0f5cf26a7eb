"""Write the notebook from its text source.

`notebooks/self_attention.py` holds prose and code in jupytext's percent format. A line

    # include: regard.model.attention.calculate_attention_weights

stands for the source of that function, class or constant in `src/regard/attention.py`, so the
notebook teaches exactly the code that the package ships and tests.
"""

import ast
import difflib
import re
import resource
import sys
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import jupytext
import nbformat
import typer
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "notebooks" / "self_attention.py"
PACKAGES = ROOT / "src"

CELL_TIMEOUT_SECONDS = 900
MAX_BYTES = 3_000_000
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
MARK = re.compile(r"^# include: *(.*?) *$")
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# What depends on the machine, the hour or the text format, not on the notebook.
PASSING_METADATA = ("execution", "lines_to_next_cell", "widgets")


class BuildError(Exception):
    """The notebook cannot be built; the message says which line or cell, and why."""


def read_notebook(source: Path, packages: Path) -> NotebookNode:
    """Read a percent file, with its include marks filled from the packages' sources."""
    lines = source.read_text("utf-8").splitlines()
    filled = (fill_mark(line, f"{source.name}:{n}", packages) for n, line in enumerate(lines, 1))
    notebook: NotebookNode = jupytext.reads("\n".join(filled), fmt="py:percent")
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:03}"
        drop_passing_metadata(cell)
    return notebook


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
    return text


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


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run every cell in a fresh kernel that works in the given folder."""
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_SECONDS,
        kernel_name=KERNEL["name"],
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise BuildError(f"{failed_cell(notebook)} raised\n{strip_ansi(str(error))}") from error


def failed_cell(notebook: NotebookNode) -> str:
    """Name the cell that holds an error."""
    for number, cell in enumerate(notebook.cells, 1):
        if any(output.output_type == "error" for output in cell.get("outputs", ())):
            return describe(number, cell)
    return "a cell"


def describe(number: int, cell: NotebookNode) -> str:
    """Name a cell as a reader finds it: by its number and first line."""
    first_line = cell.source.partition("\n")[0]
    return f"cell {number} ({first_line!r})"


def normalise(notebook: NotebookNode) -> None:
    """Drop what would differ between two runs that computed the same."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = NotebookNode(name="python")
    for cell in notebook.cells:
        drop_passing_metadata(cell)
        if cell.cell_type == "code":
            cell.outputs = list(normal_outputs(cell.outputs))


def drop_passing_metadata(cell: NotebookNode) -> None:
    """Drop timings and the text format's own marks."""
    for name in PASSING_METADATA:
        cell.metadata.pop(name, None)


def normal_outputs(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    """Give the outputs with streams joined, progress bars at rest and no live widget."""
    for output in join_streams(outputs):
        if output.output_type == "stream":
            output.text = ADDRESS.sub("", at_rest(output.text))
        elif "data" in output:
            # A saved view without its kernel shows an error; the picture beside it stays.
            output.data.pop(WIDGET_VIEW, None)
            for mime in [mime for mime in output.data if mime.startswith("text/")]:
                output.data[mime] = ADDRESS.sub("", output.data[mime])
            if not output.data:
                continue
        yield output


def join_streams(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    """Join neighbouring pieces of one stream: where a kernel cuts it is chance."""
    joined: NotebookNode | None = None
    for output in outputs:
        if joined and output.output_type == "stream" and output.name == joined.get("name"):
            joined.text += output.text
        else:
            if joined:
                yield joined
            joined = output
    if joined:
        yield joined


def at_rest(text: str) -> str:
    """Keep what a terminal would show at the end: a carriage return overwrites the line."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def differences(built: NotebookNode, committed: NotebookNode) -> Iterator[str]:
    """Say of every cell whether its type or source differs; outputs are not compared."""
    for number, (new, old) in enumerate(zip_longest(built.cells, committed.cells), 1):
        if new is None:
            yield f"{describe(number, old)} is no longer in the source"
        elif old is None:
            yield f"{describe(number, new)} is not in the notebook"
        elif new.cell_type != old.cell_type:
            yield f"{describe(number, new)} is {new.cell_type}, was {old.cell_type}"
        elif new.source != old.source:
            lines = difflib.unified_diff(
                old.source.splitlines(),
                new.source.splitlines(),
                "notebook",
                "source",
                "",
                "",
                1,
                "",
            )
            yield "\n    ".join([f"{describe(number, new)} differs:", *lines])


def write(notebook: NotebookNode, output: Path) -> int:
    """Write the notebook and give its size in bytes."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook, indent=1, sort_keys=True) + "\n"
    size = len(text.encode())
    if size > MAX_BYTES:
        raise BuildError(
            f"the notebook has {size:,} bytes, at most {MAX_BYTES:,} are accepted: "
            "draw fewer pictures or at a lower dpi"
        )
    output.write_text(text, "utf-8")
    return size


def build(source: Path, output: Path, packages: Path, *, run: bool = True) -> str:
    """Build the notebook and say what was written."""
    started = time.perf_counter()
    notebook = read_notebook(source, packages)
    if run:
        execute(notebook, output.resolve().parent)  # what it writes lies beside it
    normalise(notebook)
    size = write(notebook, output)
    seconds = time.perf_counter() - started
    return (
        f"{output}: {len(notebook.cells)} cells, {size / 1e6:.2f} MB; "
        f"{seconds:.0f} s, {peak_memory() / 1e9:.1f} GB at the peak"
    )


def peak_memory() -> int:
    """Give the most bytes that any finished child, such as the kernel, ever held."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def check(source: Path, output: Path, packages: Path) -> None:
    """Fail where the written notebook's cells are not those of the source."""
    if not output.is_file():
        raise BuildError(f"{output} is missing: run `make build`")
    committed = nbformat.read(output, as_version=4)
    stale = list(differences(read_notebook(source, packages), committed))
    if stale:
        raise BuildError("\n".join([f"{output} is stale: run `make build`", *stale]))


def main(
    source: Annotated[Path, typer.Argument(help="The percent file.")] = SOURCE,
    output: Annotated[Path | None, typer.Option(help="The notebook to write.")] = None,
    packages: Annotated[Path, typer.Option(help="Where include marks are looked up.")] = PACKAGES,
    *,
    execute: Annotated[bool, typer.Option(help="Run the cells.")] = True,
    check_only: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where the notebook is stale.")
    ] = False,
) -> None:
    """Write the notebook from its text source, or check that it is up to date."""
    output = output or source.with_suffix(".ipynb")
    try:
        if check_only:
            check(source, output, packages)
        else:
            print(build(source, output, packages, run=execute))
    except BuildError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    typer.run(main)
