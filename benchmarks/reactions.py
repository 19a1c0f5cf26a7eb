"""The head that maps atoms in RXNMapper's ALBERT, found by the scoreboard's own counting.

`python -m benchmarks.reactions`; tests/reactions.py says where its files come from.
"""

from pathlib import Path
from typing import Annotated

import typer

from tests.reactions import installed_folder, shares_of_heads


def main(
    folder: Annotated[Path | None, typer.Argument(help="Of the model's files.")] = None,
) -> None:
    """Print the heads that map most atoms, and what each head index maps, over the layers."""
    folder = folder or installed_folder()
    if folder is None:
        print("rxnmapper is not installed, and no folder with its model was given: nothing to do")
        return
    shares = shares_of_heads(folder)
    print(shares.head(12).to_string(index=False))
    by_index = shares.groupby("head")["share"].agg(["max", "mean"])
    print(by_index.round(3).to_string())


if __name__ == "__main__":
    typer.run(main)
