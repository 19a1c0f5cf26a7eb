"""Hold regard's weights against each package's own, on tiny random models of public packages.

Nothing is told to `regard.trace` about any of them. Beside it stands a reading that does not go
through it: weights that the package gives itself, or has where its fused attention is switched off,
or softmaxes in double precision of what `scaled_dot_product_attention` was called with. Heads are
then cut by `regard.ablate`, and by a hook on the projection that the heads are given to.

What comes out is written to docs/packages.md. `python -m benchmarks.packages`, a minute, in an
environment that has the packages:

    pip install timm torchvision open_clip_torch fair-esm diffusers x-transformers vit-pytorch \
        sentence-transformers torch_geometric segment-anything axial-attention linformer \
        performer-pytorch torchaudio speechbrain pytorch-forecasting neuralforecast tsai gluonts \
        conformer iTransformer perceiver-pytorch nystrom-attention h-transformer-1d
"""

import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn

import regard
from benchmarks.package_case import Case
from benchmarks.tiny_packages import CASES

OUTPUT = Path(__file__).parent.parent / "docs" / "packages.md"
EXACT = 1e-5
PAGE = """# Packages

<!-- written by `python -m benchmarks.packages` -->

`regard.trace(inputs, model)` on tiny random models of public packages, which it is told nothing
about, beside an independent reading of every layer and head (`benchmarks/packages.py` says which).
torch {torch}. {summary}

- **exact**: the largest difference from the independent reading, which is at most {exact:.0e}.
- **in part**: as exact, and says itself how many softmaxes it does not show.
- **cut**: the largest difference between the model's output with a head cut by `regard.ablate`, and
  by a hook that zeroes the head where its layer's projection is given it.
- **refused**: in words, which are given.

| package | model | verdict | layers; largest difference, or why not | cut |
| --- | --- | --- | --- | --- |
{rows}
"""


@dataclass(frozen=True)
class Outcome:
    """What came out for one model."""

    verdict: str
    detail: str
    cut: str = ""


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only these models.")] = None,
    output: Annotated[Path, typer.Option(help="The table to write.")] = OUTPUT,
) -> None:
    """Compare every model and write the table; with --only, print."""
    warnings.simplefilter("ignore")
    name_missing_kernels()
    found = {case: outcome_of(case) for case in CASES if not only or case.name in only}
    for case, outcome in found.items():
        print(f"{case.name:28} {outcome.verdict:9} {outcome.detail} {outcome.cut}")
    if not only:
        output.write_text(page(found), "utf-8")


def name_missing_kernels() -> None:
    """Let torchvision and torchaudio load beside a torch that they were not built with.

    Of torchvision's kernels, the names are asked for; torchaudio loads without its own. The models
    here call none of them.
    """
    extension = ModuleType("torchaudio._extension")
    vars(extension).update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, fail_if_no_align=lambda align: align)
    sys.modules.setdefault(extension.__name__, extension)
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")


def outcome_of(case: Case) -> Outcome:
    """Build a model, trace it, and compare."""
    torch.manual_seed(0)
    try:
        import_module(case.module)
        model, inputs = case.build()
    except (ImportError, OSError, RuntimeError) as error:
        return Outcome("not built", first_line(error))
    model.eval()
    try:
        seen = regard.trace(inputs, model)
    except ValueError as error:
        return Outcome("refused", first_line(error))
    theirs: dict[str, list[Tensor]] = {}
    for kind, weights in zip(case.kinds, case.read(deepcopy(model), inputs), strict=True):
        theirs.setdefault(kind, []).append(weights)
    ours = {kind: [one.weigh() for one in of.values()] for kind, of in seen.layers.items()}
    counts = {kind: len(of) for kind, of in ours.items()}
    if counts != Counter(case.kinds):
        return Outcome("WRONG", f"{counts} layers, not {dict(Counter(case.kinds))}")
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    untold = [f"; {part}" for part in seen.how.split("; ") if part.endswith("not shown")]
    right = "in part" if untold else "exact"
    off = max(
        difference(*pair) for kind in ours for pair in zip(ours[kind], theirs[kind], strict=True)
    )
    cut = cut_of(case, model, inputs) if case.projection else ""
    return Outcome(right if off <= EXACT else "WRONG", f"{said}; {off:.0e}{''.join(untold)}", cut)


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Give the largest difference; of other shapes, all."""
    return float((ours - theirs).abs().max()) if ours.shape == theirs.shape else float("inf")


def cut_of(case: Case, model: nn.Module, inputs: Any) -> str:
    """Cut the second head of the first layer in both ways; give how far outputs differ."""
    kind = case.kinds[0]
    name, module = next(
        (name, module) for name, module in model.named_modules() if name.endswith(case.projection)
    )
    num_heads = regard.trace(inputs, model).layers[kind][0].shape[0]

    def hook(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        written = args[0].unflatten(-1, (num_heads, -1)).clone()
        written[..., 1, :] = 0
        return (written.flatten(-2), *args[1:])

    with torch.no_grad():
        plain = called(model, inputs)
        with module.register_forward_pre_hook(hook):
            expected = called(model, inputs)
        with regard.ablate(model, [(kind, 0, 1)]):
            ours = called(model, inputs)
    if torch.equal(plain, expected):
        return f"{name} is given no heads"
    return (
        f"{float((ours - expected).abs().max()):.0e} of {float((plain - expected).abs().max()):.0e}"
    )


def called(model: nn.Module, inputs: Any) -> Tensor:
    """Call a model as a trace does, and give all that it returns as one tensor."""
    result = model(**inputs) if isinstance(inputs, Mapping) else model(*as_tuple(inputs))
    return torch.cat([x.flatten().float() for x in tensors_of(result)])


def as_tuple(inputs: Any) -> tuple[Any, ...]:
    """Give what a model is called with by position."""
    return inputs if isinstance(inputs, tuple) else (inputs,)


def tensors_of(result: Any) -> Iterator[Tensor]:
    """Give the tensors of a result, whatever holds them."""
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, Mapping):
        for one in result.values():
            yield from tensors_of(one)
    elif isinstance(result, list | tuple):
        for one in result:
            yield from tensors_of(one)
    elif hasattr(result, "sample"):
        yield from tensors_of(result.sample)


def first_line(error: Exception) -> str:
    """Give the first line of what went wrong, for a table."""
    return str(error).strip().splitlines()[0].replace("|", r"\|")[:240]


def page(found: Mapping[Case, Outcome]) -> str:
    """Write the table."""
    rows = [
        f"| {case.package} {installed(case.package)} | {case.name} | {outcome.verdict} | "
        f"{outcome.detail} | {outcome.cut} |"
        for case, outcome in found.items()
    ]
    counts = Counter(outcome.verdict for outcome in found.values())
    summary = (
        f"Of {len(found)} models, {counts['exact']} are exact, {counts['in part']} in part, "
        f"{counts['refused']} refused, "
        f"{counts['not built']} not built here, {counts['WRONG']} wrong."
    )
    return PAGE.format(torch=torch.__version__, summary=summary, exact=EXACT, rows="\n".join(rows))


def installed(package: str) -> str:
    """Give the version of a package, if there is one."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    typer.run(main)
