"""A file is written whole or not at all: beside its place, and moved there in the end."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a place to write to, which becomes the file when all is written.

    Where something goes wrong within, the old file stays as it was, and nothing else is left. What
    is no file, such as `/dev/stdout`, is written to as it is; of a link, what it points to.

    Parameters
    ----------
    path
        The file, old or new, in a folder that is there.

    Yields
    ------
    Path
        A new place in the same folder, whose name tells nothing of the file's.

    Raises
    ------
    OSError
        If the folder is not there, or cannot be written to; or the path is a folder itself.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_file(Path(folder) / "x.txt") as unfinished:
    ...         _ = unfinished.write_text("all of it")
    ...     [(file.name, file.read_text()) for file in Path(folder).iterdir()]
    [('x.txt', 'all of it')]
    """
    check_place(path)
    if path.exists() and not path.is_file():
        yield path
        return
    place = path.resolve()
    unfinished = place.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield unfinished
        if place.exists():
            shutil.copymode(place, unfinished)
        unfinished.replace(place)
    finally:
        unfinished.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Raise where no file can be: known before anything is computed that is to be written there.

    Raises
    ------
    OSError
        If the path is a folder, or in a folder that is not there.
    """
    place = path.resolve()
    if place.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file, such as one in it.")
    if not place.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {place.parent} to write {place.name} to: make it, or name another."
        )


def write_whole(path: Path, text: str) -> None:
    r"""Write a text whole or not at all, its lines ended by one character on every system.

    Half a character, which a token may hold, is written by its number, as `\ud83d`.

    Raises
    ------
    OSError
        As `whole_file`.
    """
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
