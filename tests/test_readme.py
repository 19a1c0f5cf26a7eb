"""The README's example runs as it stands."""

import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102  our own README
    assert names["history"]["loss"].iloc[-1] < names["history"]["loss"].iloc[0]
    assert plt.gca().get_title().endswith("layer 1, head 3")
    plt.close("all")


def test_the_file_map_names_every_file() -> None:
    root = Path(__file__).parent.parent
    modules = {path.name for path in (root / "src" / "regard").glob("*.py")}
    assert {
        name for name in modules if not re.search(rf"^  {name} ", README, re.MULTILINE)
    } == set()
