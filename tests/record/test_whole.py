"""Files are written whole or not at all, whatever fails while they are written."""

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from regard.lessons import shipped
from regard.model.checkpoint import save_checkpoint
from regard.record.spreadsheet import no_formula, write_csv
from regard.record.trace import Trace
from regard.record.whole import whole_file, write_whole
from regard.viewer.widget import view

FILES = ("x.html", "x.csv", "x.txt", "x.svg", "x.png", "x.pdf")


def fail_halfway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever writes a file stop after some bytes of it."""

    def halfway(place: Any) -> None:
        Path(place).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_text", lambda path, *_, **__: halfway(path))
    monkeypatch.setattr(Figure, "savefig", lambda _, path, **__: halfway(path))
    monkeypatch.setattr("regard.record.storage.save_file", lambda _, path, *__: halfway(path))
    monkeypatch.setattr("regard.model.checkpoint.save_file", lambda _, path, *__: halfway(path))
    monkeypatch.setattr("shutil.copyfile", lambda _, path: halfway(path))


def save_a_model(path: Path) -> None:
    model = nn.Linear(1, 1)
    save_checkpoint(path, model, torch.optim.SGD(model.parameters()), [])


@pytest.mark.parametrize("name", [*FILES, "x.trace", "x.safetensors"])
def test_what_fails_halfway_leaves_the_old_file_and_no_litter(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Trace.from_weights(np.eye(2), ["the", "dog"])
    saves = {"x.trace": seen.save, "x.safetensors": save_a_model}
    (tmp_path / name).write_text("old")
    fail_halfway(monkeypatch)
    save = saves.get(name, view(seen).save)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path / name)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: "old"}


@pytest.mark.parametrize("name", FILES)
def test_a_folder_is_no_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(OSError, match=r"is a folder: name a file, such as one in it\.$"):
        view(Trace.from_weights(np.eye(2), ["the", "dog"])).save(tmp_path / name)


def test_a_notebook_that_is_half_copied_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "index.ipynb").write_text("shipped")
    fail_halfway(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        shipped.place_notebooks(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_file_keeps_its_mode_and_a_link_its_place(tmp_path: Path) -> None:
    file, link = tmp_path / "x.txt", tmp_path / "link.txt"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    write_whole(link, "new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_what_is_no_file_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with whole_file(pipe) as place:
        assert place == pipe
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", FILES)
def test_half_a_character_is_written_by_its_number(name: str, tmp_path: Path) -> None:
    view(np.eye(2), ["a\ud83d", "dog"]).save(tmp_path / name)
    written = (tmp_path / name).read_bytes()
    assert list(tmp_path.iterdir()) == [tmp_path / name]
    if name not in {"x.png", "x.pdf"}:
        assert rb"a\ud83d" in written
        written.decode("utf-8")


@pytest.mark.parametrize("letter", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹦", "\t", "\r"])
def test_no_text_is_a_formula_in_any_spreadsheet(letter: str, tmp_path: Path) -> None:
    for text in (f"{letter}1+1", f" {letter}1", f"\u3000{letter}1", f"\ufeff{letter}1"):
        assert no_formula(text) == f"'{text}"
    table = pd.DataFrame({"name": [f"{letter}1"], "share": [-0.5], "kind": [None]})
    write_csv(tmp_path / "x.csv", table)
    assert (tmp_path / "x.csv").read_text("utf-8").count("'") == 1
    assert pd.read_csv(tmp_path / "x.csv")["share"].tolist() == [-0.5]
