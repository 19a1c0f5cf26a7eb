"""The command line: `regard notebook` opens the notebook in JupyterLab."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

import regard

NOTEBOOK = "self_attention.ipynb"

# JupyterLab would ask in a pop-up whether to fetch news. Here its default is not to; what users
# chose in their own settings goes before.
LAB_DEFAULTS = Path(__file__).parent / "jupyter"

app = typer.Typer(no_args_is_help=True, add_completion=False)


def print_version(asked: bool) -> None:  # noqa: FBT001 - typer hands the flag over like this
    """Print the version and leave."""
    if asked:
        typer.echo(regard.__version__)
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """See what a Transformer attends to."""


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def notebook(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Where the notebook is, or is copied to.")] = Path(),
) -> None:
    """Open the notebook in JupyterLab; options that follow are handed on to it."""
    if find_spec("jupyterlab") is None:
        typer.echo("JupyterLab is not installed: pip install 'regard[notebook]'", err=True)
        raise typer.Exit(1)
    try:
        path = place_notebook(folder)
    except FileNotFoundError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error
    typer.echo(f"opening {path} (Ctrl-C twice ends JupyterLab)")
    command = [sys.executable, "-m", "jupyterlab", str(path), *root_options(), *context.args]
    raise typer.Exit(subprocess.call(command, env=lab_environment()))  # noqa: S603 - the user's own


def place_notebook(folder: Path) -> Path:
    """Give the notebook in this folder; copy it there, with its picture, if there is none.

    Parameters
    ----------
    folder
        An existing or a new folder. Files that are there are kept as they are.

    Raises
    ------
    FileNotFoundError
        If neither the folder nor the installed package holds the notebook.
    """
    path = folder / NOTEBOOK
    if not path.exists():
        shipped = Path(__file__).parent / "notebooks"
        if not (shipped / NOTEBOOK).exists():
            raise FileNotFoundError(
                f"no {NOTEBOOK} in {folder.resolve()}, and this installation carries none: "
                "give --folder notebooks of a clone"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for source in shipped.iterdir():
            if not (folder / source.name).exists():
                shutil.copyfile(source, folder / source.name)
    return path


def root_options() -> list[str]:
    """JupyterLab refuses to run as root unless it is told to."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0  # Windows has no such notion
    return ["--allow-root"] if is_root else []


def lab_environment() -> dict[str, str]:
    """Give this process's environment, with our defaults after the user's own places."""
    places = [os.environ.get("JUPYTER_CONFIG_PATH", ""), str(LAB_DEFAULTS)]
    return os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, places))}
