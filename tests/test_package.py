import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import regard

ROOT = Path(__file__).resolve().parent.parent


def run_python(*arguments: str, cwd: Path | None = None) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder))
    run_python("-m", "pip", "wheel", *options, str(ROOT))
    (path,) = folder.glob("regard-*.whl")
    return path


def test_the_wheel_carries_the_whole_package_and_the_notebook(wheel: Path) -> None:
    source = ROOT / "src"
    expected = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    notebook = {f"regard/notebooks/{name}" for name in ("self_attention.ipynb", "opening_pair.png")}
    assert carried == expected | notebook
    assert "regard/py.typed" in carried


def test_the_wheel_runs_from_its_own_files(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "import regard; from regard.cli import place_notebook; from pathlib import Path;"
    code += "print(regard.__file__); place_notebook(Path('new'))"
    said = run_python("-c", code, cwd=tmp_path)
    assert said.startswith(str(tmp_path))
    copied = (tmp_path / "new" / "self_attention.ipynb").read_bytes()
    assert copied == (ROOT / "notebooks" / "self_attention.ipynb").read_bytes()


def test_importing_regard_alone_is_light() -> None:
    heavy = {"torch", "transformers", "pandas", "matplotlib", "numpy"}
    code = f"import sys, regard; print(sorted({heavy} & sys.modules.keys()))"
    assert run_python("-c", code).strip() == "[]"


def test_every_public_name_can_be_had() -> None:
    code = "import regard; print([name for name in regard.__all__ if not hasattr(regard, name)])"
    assert run_python("-c", code).strip() == "[]"


def test_the_citation_names_this_version() -> None:
    lines = (ROOT / "CITATION.cff").read_text().splitlines()
    assert f"version: {regard.__version__}" in lines
