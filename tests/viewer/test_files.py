import csv
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from regard.viewer.widget import view
from tests.viewer.test_view import hostile, random_weights, with_words


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png", ".csv", ".html"])
def test_a_file_has_the_same_bytes_on_each_run(suffix: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        view(with_words(), layer=1).save(tmp_path / f"{name}{suffix}")
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert first == second
    assert not plt.get_fignums()


def test_the_picture_of_thirty_tokens_is_ready_for_a_paper(tmp_path: Path) -> None:
    tokens = [f"word{at}" for at in range(30)]
    shown = view(random_weights(30, 30), tokens)
    for suffix in (".svg", ".pdf"):
        shown.save(tmp_path / f"x{suffix}")
        assert (tmp_path / f"x{suffix}").stat().st_size <= 200_000
    svg = (tmp_path / "x.svg").read_text("utf-8")
    assert ">word29</text>" in svg
    assert "date" not in svg.lower()
    assert b"FontFile2" in (tmp_path / "x.pdf").read_bytes()


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_hostile_tokens_are_text_in_a_picture(suffix: str, tmp_path: Path) -> None:
    view(hostile()).save(tmp_path / f"x{suffix}")
    assert b"<img" not in (tmp_path / f"x{suffix}").read_bytes()


def test_no_token_is_a_formula_in_a_table(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    tokens = ["=1+1", "+1", "-1", "@x", "\t=1", " =1", 'a"b\nc', "dog"]
    view(random_weights(8, 8), tokens).save(path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    keys = [row["key"] for row in rows[:8]]
    assert keys == ["'=1+1", "'+1", "'-1", "'@x", "'\t=1", "' =1", 'a"b\nc', "dog"]
    table = pd.read_csv(path)
    np.testing.assert_allclose(
        table["weight"].to_numpy().reshape(8, 8), random_weights(8, 8), rtol=1e-6
    )


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'x.gif', but a view is saved as one of .html, .svg"):
        view(with_words()).save(tmp_path / "x.gif")


@pytest.mark.parametrize("name", ["x.png", "x.csv", "x.txt"])
def test_what_is_chosen_of_a_page_is_refused_elsewhere(name: str, tmp_path: Path) -> None:
    for options in ({"layers": [1]}, {"heads": [1]}, {"pixels": 4}):
        with pytest.raises(ValueError, match="are of a page"):
            view(with_words()).save(tmp_path / name, **options)
    view(with_words()).save(tmp_path / "new folder" / name)
    assert (tmp_path / "new folder" / name).is_file()


def test_what_is_no_path_and_no_size_is_said(tmp_path: Path) -> None:
    shown = view(with_words())
    wrong: Any = 3
    with pytest.raises(TypeError, match=r"file of a view is the path of a file, but got 3 \(int\)"):
        shown.save(wrong)
    wrong = "64 MB"
    with pytest.raises(TypeError, match="largest is a whole number, but got '64 MB'"):
        shown.save(tmp_path / "x.html", largest=wrong)
    shown.save(str(tmp_path / "x.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
