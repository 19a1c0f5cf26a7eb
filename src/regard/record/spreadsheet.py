"""A table as CSV that a spreadsheet opens without running any of it."""

import csv
import unicodedata
from pathlib import Path

import pandas as pd

from regard.record.whole import write_whole

FORMULAS = ("=", "+", "-", "@")  # also full-width, as some spreadsheets take them
CONTROLS = ("\t", "\r", "\n")  # before which some look no further


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table whole or not at all, as `csv_of` gives it.

    Raises
    ------
    OSError
        If the folder is not there, or cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "x.csv"
    ...     write_csv(path, pd.DataFrame({"token": ["=1", "dog"], "change": [-1, 0]}))
    ...     print(path.read_text())
    token,change
    '=1,-1
    dog,0
    <BLANKLINE>
    """
    write_whole(path, csv_of(table))


def csv_of(table: pd.DataFrame) -> str:
    r"""Give a table as CSV, of which no text is a formula to a spreadsheet.

    Half a character, which a token may hold, is written by its number, as `\ud83d`.

    Examples
    --------
    >>> print(csv_of(pd.DataFrame({"token": ["=1", "a\ud83d"], "change": [-1, 0]})))
    token,change
    '=1,-1
    a\ud83d,0
    <BLANKLINE>
    """
    safe = table.map(lambda cell: no_formula(cell) if isinstance(cell, str) else cell)
    has_return = safe.map(lambda cell: isinstance(cell, str) and "\r" in cell).any(axis=None)
    text = safe.to_csv(
        index=False,
        lineterminator="\n",
        quoting=csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL,  # which forgets it
    )
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def no_formula(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run.

    Examples
    --------
    >>> no_formula("=1+1"), no_formula("＝1+1"), no_formula("dog")
    ("'=1+1", "'＝1+1", 'dog')
    """
    seen = unicodedata.normalize("NFKC", text).lstrip(" \ufeff\u200b")
    return f"'{text}" if seen.startswith(FORMULAS + CONTROLS) else text
