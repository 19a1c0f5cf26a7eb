"""The notebooks that come with the package, and what JupyterLab is told when it opens them."""

import os
import shutil
from pathlib import Path

from regard.record.whole import whole_file

INDEX = "index.ipynb"
PACKAGE = Path(__file__).parent.parent
# JupyterLab would ask in a pop-up whether to fetch news. Here its default is not to; what users
# chose in their own settings goes before.
LAB_DEFAULTS = PACKAGE / "jupyter"


def place_notebooks(folder: Path) -> Path:
    """Give the index of the notebooks in this folder; copy all that they need where it is missing.

    Parameters
    ----------
    folder
        An existing or a new folder. Files that are there are kept as they are.

    Returns
    -------
    Path
        A notebook of links, a line for each.

    Raises
    ------
    FileNotFoundError
        If neither the folder nor the installed package holds the notebooks.
    """
    index = folder / INDEX
    shipped = PACKAGE / "notebooks"
    if not index.exists() and not (shipped / INDEX).exists():
        raise FileNotFoundError(
            f"no {INDEX} in {folder.resolve()}, and this installation carries none: "
            "give --folder notebooks of a clone"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for source in filter(Path.is_file, shipped.rglob("*")):  # there is none in a clone
        copy = folder / source.relative_to(shipped)
        copy.parent.mkdir(exist_ok=True)
        if not copy.exists():
            with whole_file(copy) as unfinished:
                shutil.copyfile(source, unfinished)
    return index


def root_options() -> list[str]:
    """JupyterLab refuses to run as root unless it is told to."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0  # Windows has no such notion
    return ["--allow-root"] if is_root else []


def lab_environment() -> dict[str, str]:
    """Give this process's environment, with our defaults after the user's own places."""
    places = [os.environ.get("JUPYTER_CONFIG_PATH", ""), str(LAB_DEFAULTS)]
    return os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, places))}
