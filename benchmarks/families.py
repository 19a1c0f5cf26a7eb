"""Hold regard's weights against eager's, on a tiny random model of every type.

What comes out is written to docs/families.md; `tests/settings.py` has the settings.
`python -m benchmarks.families`, a quarter of an hour; `--only gpt2 --settings padded` for less.
"""

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import transformers
import typer
from tqdm import tqdm

from tests.eager_weights import EXACT, Outcome
from tests.settings import HALF, SETTINGS, outcomes
from tests.tiny_models import Family, families

OUTPUT = Path(__file__).parent.parent / "docs" / "families.md"
TRUE = ("exact", "eager weights")
ATTENDS = (*TRUE, "in part", "other", "own", "refused", "incomplete", "WRONG")

Found = Mapping[Family, Mapping[str, Outcome]]

PAGE = """# Model types

<!-- written by `python -m benchmarks.families` -->

`regard.trace` beside `output_attentions=True` under eager, every layer and head, on a tiny random
model of every type that the auto classes of transformers {version} know for text, images, speech
and pictures with text.
{summary}

In each setting:

- **plain**: loaded under eager. **default**: loaded without a word on its implementation, against
  the same eager weights. **half**: in bfloat16, eager too; off by at most {half}.
- **padded**: three tokens of padding before the text: what the others attend to is as without.
  **one**: one token. **long**: as many as the type takes, up to 200.
- **written**: `regard.trace_generation`, each step against `generate` under eager, with the
  probabilities of its own logits.
- **image**, **images**: text with one picture or two, all towers against the softmaxes that met
  values under eager.

What a cell says, with what is more to say below the table:

- **exact**: computed from queries and keys, or the weights that met the values; the largest
  difference from eager is given, and is at most {exact:.0e} (written: 1e-04, since from a cache).
  Where eager gives weights before a sink takes its share, so they are compared; where it gives a
  part of the tokens, that part.
- **eager weights**: the type attends in a way of its own, so that its eager weights are kept.
- **in part**: what is there is true, and `seen.how` says what is missing. **incomplete**: some
  calls of attention that ran are missing without a word; what is there is true.
- **own**: the type's own two implementations compute different things. **refused**: in words.
  **other**: eager gives no weights to compare.
- **none**: it gives no weights under eager either. **not built**: no model or no inputs could be
  made small from the configuration alone. **-**: not applicable.

| type | kind | {columns} |
| --- | --- | {lines} |
{rows}

## Notes

| type | kind | setting | verdict | why |
| --- | --- | --- | --- | --- |
{notes}
"""


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only these types.")] = None,
    settings: Annotated[list[str] | None, typer.Option(help="Only these settings.")] = None,
    output: Annotated[Path, typer.Option(help="The table to write.")] = OUTPUT,
) -> None:
    """Compare every type in every setting and write the table; with --only, print."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")  # of models, about inputs that they would rather have
    tried = settings or list(SETTINGS)
    chosen = [family for family in families() if not only or family.model_type in only]
    found = {family: outcomes(family, tried) for family in tqdm(chosen, disable=bool(only))}
    if only:
        for family, of_family in found.items():
            for setting, outcome in of_family.items():
                verdict = f"{outcome.verdict}. {outcome.detail}"
                print(f"{family.model_type} ({family.use}), {setting}: {verdict}")
        return
    output.write_text(page(found, tried), "utf-8")
    print(summary(found, tried))


def summary(found: Found, settings: Sequence[str]) -> str:
    """Count, for each setting, the types that attend in it, and the share that is true."""
    lines = [f"- {setting}: {counted(found, setting)}" for setting in settings]
    return f"Of {len(found)} types in their uses:\n\n" + "\n".join(lines)


def counted(found: Found, setting: str) -> str:
    """Count the verdicts in a setting."""
    counts = Counter(of_family[setting].verdict for of_family in found.values())
    attend = sum(counts[verdict] for verdict in ATTENDS)
    true = sum(counts[verdict] for verdict in TRUE)
    rest = ", ".join(f"{counts[v]} {v}" for v in ATTENDS if v not in TRUE and counts[v])
    return (
        f"{attend} attend, {counts['exact']} exact and {counts['eager weights']} by eager weights, "
        f"together {true / max(attend, 1):.1%}" + (f"; {rest}." if rest else ".")
    )


def page(found: Found, settings: Sequence[str]) -> str:
    """Write the table, with what it means, and what is to be said of single cells."""
    ordered = sorted(found.items(), key=lambda item: item[0].model_type)
    rows = [
        f"| {family.model_type} | {family.use} | {' | '.join(map(cell, of_family.values()))} |"
        for family, of_family in ordered
    ]
    notes = [
        f"| {family.model_type} | {family.use} | {setting} | {outcome.verdict} | {outcome.detail} |"
        for family, of_family in ordered
        for setting, outcome in noted(of_family)
    ]
    return PAGE.format(
        version=transformers.__version__,
        summary=summary(found, settings),
        exact=EXACT,
        half=HALF,
        columns=" | ".join(settings),
        lines=" | ".join("---" for _ in settings),
        rows="\n".join(rows),
        notes="\n".join(notes),
    )


def cell(outcome: Outcome) -> str:
    """Give a verdict, short."""
    short = {"not applicable": "-", "no attention": "none"}
    return short.get(outcome.verdict, outcome.verdict) + (
        f" {outcome.off:.0e}" if outcome.verdict == "exact" and outcome.off is not None else ""
    )


def noted(of_family: Mapping[str, Outcome]) -> Iterable[tuple[str, Outcome]]:
    """Leave out what is as it should be, and what is said of a setting before."""
    said: set[Outcome] = set()
    for setting, outcome in of_family.items():
        is_right = outcome.verdict in {"exact", "not applicable", "no attention"}
        if not is_right and outcome not in said:
            said.add(outcome)
            yield setting, outcome


if __name__ == "__main__":
    typer.run(main)
