import json
import os
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from regard import cli


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Record what would be started instead of starting it."""
    recorded: list[list[str]] = []

    def call(command: list[str], *, env: dict[str, str]) -> int:
        assert env["PATH"] == os.environ["PATH"]
        recorded.append(command)
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    return recorded


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, arguments)
    return result.exit_code, result.output


def test_version() -> None:
    assert run("--version") == (0, metadata.version("regard") + "\n")


def test_notebook_opens_the_one_that_is_there(tmp_path: Path, commands: list[list[str]]) -> None:
    path = tmp_path / "self_attention.ipynb"
    path.write_text("mine")
    code, said = run("notebook", "--folder", str(tmp_path), "--no-browser", "--port=8899")
    assert code == 0
    assert str(path) in said
    (command,) = commands
    assert command[1:4] == ["-m", "jupyterlab", str(path)]
    assert command[-2:] == ["--no-browser", "--port=8899"]
    assert path.read_text() == "mine"


@pytest.mark.parametrize(("user", "expected"), [(0, ["--allow-root"]), (1000, [])])
def test_only_root_is_allowed_root(
    monkeypatch: pytest.MonkeyPatch, user: int, expected: list[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert cli.root_options() == expected


def test_notebook_is_copied_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    (tmp_path / "notebooks").mkdir()
    for name in ("self_attention.ipynb", "a.png", "b.png"):
        (tmp_path / "notebooks" / name).write_text("shipped")
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "cli.py"))
    new = tmp_path / "new"
    new.mkdir()
    (new / "b.png").write_text("mine")
    assert run("notebook", "--folder", str(new))[0] == 0
    assert {path.name: path.read_text() for path in new.iterdir()} == {
        "self_attention.ipynb": "shipped",
        "a.png": "shipped",
        "b.png": "mine",
    }
    assert len(commands) == 1


def test_a_missing_notebook_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "cli.py"))
    code, said = run("notebook", "--folder", str(tmp_path))
    assert code == 1
    assert f"no self_attention.ipynb in {tmp_path}" in said
    assert "--folder notebooks" in said
    assert not commands


def test_without_jupyterlab_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda _: None)
    code, said = run("notebook", "--folder", str(tmp_path))
    assert code == 1
    assert "pip install 'regard[notebook]'" in said
    assert not commands


@pytest.mark.parametrize("own", ["", "mine"])
def test_news_are_off_and_the_users_own_places_stay(
    monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", own)
    *others, ours = cli.lab_environment()["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert others == ([own] if own else [])
    settings = json.loads(Path(ours, "labconfig", "default_setting_overrides.json").read_text())
    assert settings == {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
