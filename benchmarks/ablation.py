"""Hold `regard.ablate` against hooks on the output projections, on tiny random models.

`tests/output_projections.py` has the reference. `python -m benchmarks.ablation`, half a minute;
`--only gpt2` for one.
"""

import warnings
from typing import Annotated

import transformers
import typer

from regard.causes.interventions import MODES
from regard.tracing.run import trace
from tests.output_projections import TYPES, differences, every_head, tiny


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only these types.")] = None,
) -> None:
    """Print the largest difference of any head for each type and mode."""
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    print("| type | heads | " + " | ".join(MODES) + " |\n| --- | --- |" + " --- |" * len(MODES))
    for name in only or TYPES:
        model, inputs = tiny(name)
        found = [differences(model, inputs, mode) for mode in MODES]
        count = sum(1 for _ in every_head(trace(inputs, model)))
        cells = " | ".join(f"{x.from_reference:.0e} of {x.effect:.0e}" for x in found)
        print(f"| {name} | {count} | {cells} |")


if __name__ == "__main__":
    typer.run(main)
