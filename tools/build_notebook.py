"""Write the notebooks from their text sources and execute them: `python -m tools.build_notebook`.

A code cell of a source may say in its metadata what the pictures under it show, for who cannot see
them: `# %% alt="Heatmap: ..."`. What a notebook trained and saved in `last_run/` moves to
`trained/`, and the cell that loads it first is run again. How long each section ran is noted in
the notebook's own metadata, under "regard".
"""

import difflib
import re
import resource
import shutil
import sys
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import nbformat
import typer
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools.notebook_sources import (
    KERNEL,
    PACKAGES,
    BuildError,
    all_sources,
    drop_passing_metadata,
    read_notebook,
)

CELL_TIMEOUT_SECONDS = 900
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
SECTION = re.compile(r"^## (\d+\. .*?) *$", re.MULTILINE)
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LAST_RUN, TRAINED = "last_run", "trained"


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run every cell in a fresh kernel that works in the given folder."""
    shutil.rmtree(folder / LAST_RUN, ignore_errors=True)  # what an earlier run left
    run_cells(notebook, folder)
    if keep_trained(folder):
        look_again(notebook, folder)


def run_cells(notebook: NotebookNode, folder: Path) -> None:
    """Run these cells, and name the one that fails."""
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


def keep_trained(folder: Path) -> list[Path]:
    """Move the weights that a run has saved to those that the notebooks load; list them."""
    saved = sorted((folder / LAST_RUN).glob("*.safetensors"))
    for path in saved:
        (folder / TRAINED).mkdir(exist_ok=True)
        shutil.copyfile(path, folder / TRAINED / path.name)
    shutil.rmtree(folder / LAST_RUN, ignore_errors=True)
    return saved


def look_again(notebook: NotebookNode, folder: Path) -> None:
    """Show this run's weights where the notebook, before it trained, loaded an earlier run's."""
    loads = [cell.cell_type == "code" and f"{TRAINED}/" in cell.source for cell in notebook.cells]
    if not any(loads):
        return
    first = loads.index(True)
    opening = deepcopy(notebook)
    del opening.cells[first + 1 :]
    run_cells(opening, folder)
    notebook.cells[first].outputs = opening.cells[first].outputs


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


def normal_outputs(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    """Give the outputs with streams joined, progress bars at rest and no live widget."""
    for output in join_streams(outputs):
        if output.output_type == "stream":
            output.text = ADDRESS.sub("", at_rest(output.text))
        elif "data" in output:
            # A saved view without its kernel shows an error; the picture beside it stays.
            if output.data.pop(WIDGET_VIEW, None) and "image/png" in output.data:
                output.metadata.setdefault("image/png", NotebookNode())["widget"] = True
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


def describe_pictures(notebook: NotebookNode) -> None:
    """Give each picture its cell's alternative text, where it has none of its own."""
    for number, cell in enumerate(notebook.cells, 1):
        for metadata in pictures_of(cell):
            alt = metadata.get("alt") or cell.metadata.get("alt")
            if not alt:
                raise BuildError(
                    f"{describe(number, cell)} shows a picture without alternative text: "
                    'say in the source what it shows, `# %% alt="..."`'
                )
            metadata["alt"] = alt


def pictures_of(cell: NotebookNode) -> Iterator[NotebookNode]:
    """Give the metadata of each picture under a cell."""
    for output in cell.get("outputs", ()):
        for mime in output.get("data", ()):
            if mime.startswith("image/"):
                yield output.metadata.setdefault(mime, NotebookNode())


def seconds_of_sections(notebook: NotebookNode) -> dict[str, float]:
    """Add up how long the cells of each section ran."""
    section, seconds = "before the first section", dict[str, float]()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = (SECTION.findall(cell.source) or [section])[-1]
        elif times := cell.metadata.get("execution"):
            started, ended = (
                datetime.fromisoformat(times[name])
                for name in ("iopub.execute_input", "shell.execute_reply")
            )
            seconds[section] = seconds.get(section, 0) + (ended - started).total_seconds()
    return {title: round(time, 1) for title, time in seconds.items()}


def differences(built: NotebookNode, committed: NotebookNode) -> Iterator[str]:
    """Say of every cell whether its type or source differs; outputs are not compared."""
    for number, (new, old) in enumerate(zip_longest(built.cells, committed.cells), 1):
        if new is None:
            yield f"{describe(number, old)} is no longer in the source"
        elif old is None:
            yield f"{describe(number, new)} is not in the notebook"
        elif new.cell_type != old.cell_type:
            yield f"{describe(number, new)} is {new.cell_type}, was {old.cell_type}"
        elif new.metadata != old.metadata:
            yield f"{describe(number, new)} is marked {new.metadata}, was {old.metadata}"
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


def text_of(notebook: NotebookNode) -> str:
    """Give the notebook's file."""
    text: str = nbformat.writes(notebook, indent=1, sort_keys=True)
    return text + "\n"


def size_of(notebook: NotebookNode) -> int:
    """Give the bytes of the notebook's file."""
    return len(text_of(notebook).encode())


def build(source: Path, output: Path, packages: Path, *, run: bool = True) -> str:
    """Build the notebook and say what was written."""
    notebook = read_notebook(source, packages)
    if run:
        execute(notebook, output.resolve().parent)  # what it writes lies beside it
        seconds = seconds_of_sections(notebook)
        normalise(notebook)
        describe_pictures(notebook)
        notebook.metadata.regard = NotebookNode(
            seconds=list(seconds.items()),  # the file sorts names, and 10 would come before 2
            total_seconds=round(sum(seconds.values()), 1),
            cells=len(notebook.cells),
            megabytes=round(size_of(notebook) / 1e6, 2),
        )
    nbformat.validate(notebook)
    output.write_text(text_of(notebook), "utf-8")
    return "\n".join(account(notebook, output))


def account(notebook: NotebookNode, output: Path) -> Iterator[str]:
    """Say what was written, and how long each section took."""
    noted = notebook.metadata.get("regard", {})
    for title, seconds in noted.get("seconds", ()):
        yield f"{seconds:7.1f} s  {title}"
    yield (
        f"{output}: {len(notebook.cells)} cells, {size_of(notebook) / 1e6:.2f} MB; "
        f"{noted.get('total_seconds', 0):.0f} s, {peak_memory() / 1e9:.1f} GB at the peak"
    )


def peak_memory() -> int:
    """Give the most bytes that any finished child, such as the kernel, ever held."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def check(source: Path, output: Path, packages: Path) -> None:
    """Fail where the written notebook's cells are not those of the source, or a picture is bare."""
    if not output.is_file():
        raise BuildError(f"{output} is missing: run `make build`")
    committed = nbformat.read(output, as_version=4)
    stale = list(differences(read_notebook(source, packages), committed))
    if stale:
        raise BuildError("\n".join([f"{output} is stale: run `make build`", *stale]))
    describe_pictures(committed)


def main(
    sources: Annotated[list[Path] | None, typer.Argument(help="Percent files; else all.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the notebooks are; else beside each source.")
    ] = None,
    packages: Annotated[Path, typer.Option(help="Where include marks are looked up.")] = PACKAGES,
    *,
    execute: Annotated[bool, typer.Option(help="Run the cells.")] = True,
    check_only: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where a notebook is stale.")
    ] = False,
) -> None:
    """Write notebooks from their text sources, or check that they are up to date."""
    faults = []
    for source in sources or all_sources():
        output = (folder or source.parent) / f"{source.stem}.ipynb"
        try:
            if check_only:
                check(source, output, packages)
            else:
                print(build(source, output, packages, run=execute))
        except BuildError as error:
            faults.append(f"{source.name}: {error}")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    typer.run(main)
