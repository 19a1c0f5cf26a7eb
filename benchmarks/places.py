"""Mark pictures where tokens are said to look, and see which tokens move.

`python -m benchmarks.places`, a minute; writes docs/places.md.
"""

from pathlib import Path
from typing import Annotated

import transformers
import typer
from tqdm import tqdm

from tests.sight_checks import check_places
from tests.tiny_sights import SEEING, picture

OUTPUT = Path(__file__).parent.parent / "docs" / "places.md"
SIZES = [(200, 120), (75, 211), (64, 64), (31, 500), (1000, 800)]
PAGE = """# Places in pictures

<!-- written by `python -m benchmarks.places` -->

Tiny random models with the processors of transformers {version}, on pictures of
{sizes} pixels: the place of a token is painted over, and the
queries of the first layer tell which tokens see that.
*placed*: tokens that have a place, in all pictures. *marked*: places that were painted over.
*wrong*: a token that does not see its own place, or one that sees another's. Where a tower's
tokens are merged into a text, its attention writes nothing for this, so that no token has read
another.

| model | tokens of | placed | marked | wrong |
| --- | --- | --- | --- | --- |
{rows}

DETR's tokens see more than their places, through its convolutions: only that each sees its own is
looked at. Idefics3 makes the picture of 31 x 500 pixels 8 pixels wide before it enlarges it, so
that a mark there spreads to patches beside its own.
"""


def main(
    output: Annotated[Path, typer.Option(help="The table to write.")] = OUTPUT, tries: int = 8
) -> None:
    """Mark pictures for every model, and write what moved."""
    transformers.logging.set_verbosity_error()
    rows = []
    for name, make in tqdm(SEEING.items()):
        parts = {"the tower": "encoder"}
        if of_text := make().part:
            parts["the text"] = of_text
        for where, part in parts.items():
            found = [check_places(make(), picture(*size), part, tries) for size in SIZES]
            placed = sum(one.num_placed for one in found)
            marked = sum(one.num_marked for one in found)
            wrong = [text for one in found for text in one.wrong]
            rows.append(f"| {name} | {where} | {placed} | {marked} | {len(wrong)} |")
            for text in wrong[:3]:
                print(name, where, text)
    sizes = ", ".join(f"{width} x {height}" for width, height in SIZES)
    text = PAGE.format(version=transformers.__version__, sizes=sizes, rows="\n".join(rows))
    output.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    typer.run(main)
