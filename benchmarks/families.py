"""Hold regard's weights against eager's, on a tiny random model of every type.

What comes out is written to docs/families.md; `tests/eager_weights.py` compares.
`python -m benchmarks.families`, minutes; `--only gpt2` for one.
"""

import os
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import transformers
import typer
from tqdm import tqdm

from tests.eager_weights import EXACT, Outcome, compare
from tests.tiny_models import Family, families

OUTPUT = Path(__file__).parent.parent / "docs" / "families.md"

PAGE = """# Model types

<!-- written by `python -m benchmarks.families` -->

`regard.trace` beside `output_attentions=True` under eager, every layer and head, on a tiny random
model of every type that the auto classes of transformers {version} know for text, images, speech.
{summary}

- **exact**: computed from queries and keys, or the weights that met the values; the largest
  difference from eager is given, and is at most {exact:.0e}. Where eager gives weights before a
  sink takes its share, so they are compared; where it gives a part of the tokens, that part.
- **eager weights**: the type attends in a way of its own, so that its eager weights are kept.
- **other**: what differs, and why.
- **no attention**: it gives no weights under eager either.
- **not built**: the type could not be built small from its configuration alone, with why.

| type | kind | verdict | layers; largest difference, or why not |
| --- | --- | --- | --- |
{rows}
"""


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only these types.")] = None,
    output: Annotated[Path, typer.Option(help="The table to write.")] = OUTPUT,
) -> None:
    """Compare every type and write the table; with --only, print."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")  # of models, about inputs that they would rather have
    chosen = [family for family in families() if not only or family.model_type in only]
    found = {family: compare(family) for family in tqdm(chosen, disable=bool(only))}
    if only:
        for family, outcome in found.items():
            print(f"{family.model_type} ({family.use}): {outcome.verdict}. {outcome.detail}")
        return
    output.write_text(page(found), "utf-8")
    print(summary(found))


def summary(found: Mapping[Family, Outcome]) -> str:
    """Count the verdicts, and give the share that is right of those that attend."""
    counts = Counter(outcome.verdict for outcome in found.values())
    built = sum(counts.values()) - counts["not built"]
    attend = built - counts["no attention"]
    right = counts["exact"] + counts["eager weights"]
    return (
        f"Of {len(found)} types in their uses, {built} were built, and {attend} of those attend: "
        f"{counts['exact']} are exact, {counts['eager weights']} are traced through eager weights, "
        f"together {right / max(attend, 1):.1%}; {counts['other']} are something else, "
        f"{counts['WRONG']} are wrong."
    )


def page(found: Mapping[Family, Outcome]) -> str:
    """Write the table, with what it means."""
    rows = [
        f"| {family.model_type} | {family.use} | {outcome.verdict} | {outcome.detail} |"
        for family, outcome in sorted(found.items(), key=lambda item: item[0].model_type)
    ]
    return PAGE.format(
        version=transformers.__version__, summary=summary(found), exact=EXACT, rows="\n".join(rows)
    )


if __name__ == "__main__":
    typer.run(main)
