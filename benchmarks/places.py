"""Mark pictures and sounds where tokens are said to be, and see which tokens move.

`python -m benchmarks.places`, some minutes; writes docs/places.md.
"""

import gc
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import transformers
import typer
from tqdm import tqdm

from tests.any_sights import any_seeing, that_see
from tests.sight_checks import Found, check_places
from tests.tiny_sights import SEEING, Seeing, picture
from tests.tiny_sounds import HEARING, sound

OUTPUT = Path(__file__).parent.parent / "docs" / "places.md"
SIZES = [(200, 120), (75, 211), (64, 64), (31, 500), (1000, 800)]
ODD = SIZES[:2]  # of pictures for every type
PAGE = """# Places in pictures and sounds

<!-- written by `python -m benchmarks.places` -->

Where a token is of a picture or a sound is a guess from the numbers of tokens; `regard.trace` asks
the model: it marks parts of what the model is given, and keeps a place only where the tokens that
are said to be there are those that move. The tables ask once more, from outside: the place of a
token is painted over in the picture that a person holds, and what arrives at the first layer and
the last, when no layer writes anything, tells which tokens see that. Models are tiny and random, of
transformers {version}.

- **exactly**: each token that was marked sees its own place; no other sees the middle of it. Behind
  the part is how many of its tokens have a place, in all pictures.
- **wider**: it moves most where its place is marked, and others move too: through convolutions that
  overlap, or since the processor shrinks a picture before it enlarges it.
- **no places**, and why, as `logging.getLogger("regard.tracing.placing")` says: nothing is drawn on
  the picture.
- **WRONG**: a token that does not see its place, or less than one elsewhere. {wrong}

## With the processors that people call them by

Pictures of {sizes} pixels, 8 tokens of each.

{own}

## Every type

Every type of the auto classes for pictures, with text and without, that can be built small from its
configuration, with its own image processor where that can be made small, else a plain one; pictures
of {odd} pixels, 3 tokens of each. {every}

{types}

{rest}

## Sounds

The middle of a token's stretch is turned upside down in a sound of 1.3 seconds.

{sounds}

The stretch of a frame is its step. Frames of wav2vec2 and its kin see a quarter of a step more than
theirs, at the end, which is not marked; others move as well, through norms over all the sound and
convolutions over positions, which were not told apart. Whisper
hears windows of 25 milliseconds, five of them a token, and the loudest of all the sound. A patch of
the audio spectrogram transformer has a stretch, in seconds; which pitches it is of is not said.
"""
HEAD = """| {what} | exactly | wider | no places, and why | WRONG |
| --- | --- | --- | --- | --- |
"""
Verdicts = dict[str, list[str]]


def main(
    output: Annotated[Path, typer.Option(help="The table to write.")] = OUTPUT,
    only: Annotated[list[str] | None, typer.Option(help="Only these types; prints.")] = None,
) -> None:
    """Mark pictures and sounds for every model, and write what moved."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")  # of models, about inputs that they would rather have
    types, rest = every_type(only)
    if only:
        print("\n".join(types + rest))
        return
    own = [
        row(name, tried(make, [picture(*s) for s in SIZES], 8))
        for name, make in tqdm(SEEING.items())
    ]
    sounds = [row(name, tried(make, [sound()], 8)) for name, make in tqdm(HEARING.items())]
    num_wrong = sum(not line.endswith("|  |") for line in own + types + sounds)
    text = PAGE.format(
        version=transformers.__version__,
        wrong="There is none." if not num_wrong else f"There are {num_wrong}.",
        sizes=sized(SIZES),
        odd=sized(ODD),
        own=HEAD.format(what="model") + "\n".join(own),
        every=f"{len(types)} types in their uses attend and were looked at.",
        types=HEAD.format(what="type, use, processor") + "\n".join(types),
        rest="\n".join(rest),
        sounds=HEAD.format(what="model") + "\n".join(sounds),
    )
    output.write_text(text, "utf-8")
    print(f"{num_wrong} wrong")


def every_type(only: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Look at all types: a row of each, and what is said of those that there is none of."""
    rows, silent, unbuilt = [], [], []
    for family in tqdm([one for one in that_see() if not only or one.model_type in only]):
        name = f"{family.model_type}, {family.use}"
        gc.collect()
        try:
            seeing = any_seeing(family)
        except Exception:  # noqa: BLE001  each of many types may fail in its own way
            unbuilt.append(name)
            continue
        try:
            found = tried(lambda: seeing, [picture(*size) for size in ODD], 3)  # noqa: B023
        except ValueError:  # nothing attends
            silent.append(name)
            continue
        rows.append(row(f"{name}, {seeing.by}", found))
    return rows, [
        f"Not traced, since nothing attends as is known: {'; '.join(silent)}.\n",
        f"Not built small: {'; '.join(unbuilt)}.",
    ]


def tried(make: Callable[[], Seeing], given: Sequence[Any], tries: int) -> Verdicts:
    """Mark what is given, and sort the sides of a model by what came out."""
    why: list[str] = []
    found: dict[str, list[Found]] = {}
    for one in given:
        for side, of_side in check_places(make(), one, tries, why).items():
            found.setdefault(side, []).append(of_side)
    verdicts: Verdicts = {"exactly": [], "wider": [], "WRONG": []}
    for side, all_found in found.items():
        num_placed = sum(one.num_placed for one in all_found)
        wrong = [text for one in all_found for text in one.wrong]
        is_wide = any(one.wide for one in all_found)
        verdict = "WRONG" if wrong else "wider" if is_wide else "exactly"
        if num_placed:
            verdicts[verdict].append(
                f"{side} {num_placed}" + "".join(f": {text}" for text in wrong[:1])
            )
    return verdicts | {"none": list(reasons(why))}


def reasons(why: Sequence[str]) -> Iterator[str]:
    """Give each reason once, of a part: numbers differ from picture to picture."""
    seen = set()
    for text in why:
        part = text.split(":")[0]
        if part not in seen:
            seen.add(part)
            yield text


def row(name: str, verdicts: Verdicts) -> str:
    """Write what came out of a model."""
    cells = ("; ".join(verdicts[one]) for one in ("exactly", "wider", "none", "WRONG"))
    return f"| {name} | {' | '.join(cells)} |"


def sized(sizes: Sequence[tuple[int, int]]) -> str:
    """Name sizes of pictures."""
    return ", ".join(f"{width} x {height}" for width, height in sizes)


if __name__ == "__main__":
    typer.run(main)
