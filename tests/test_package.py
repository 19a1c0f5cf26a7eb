import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import regard
from tests.test_notebook import SMALL

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
# What `regard notebook` opens, run to the end; then the kernel says which package it ran.
RUN_ALL = """
import json, sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from regard.lessons.shipped import place_notebooks

path = place_notebooks(Path("new")).with_name(sys.argv[2])
notebook = nbformat.read(path, as_version=4)
for cell in notebook.cells:
    for long, short in json.loads(sys.argv[1]).items():
        cell.source = cell.source.replace(long, short)
notebook.cells.append(nbformat.v4.new_code_cell("import regard; print(regard.__file__)"))
beside = {"metadata": {"path": str(path.parent)}}
NotebookClient(notebook, timeout=600, kernel_name="python3", resources=beside).execute()
print(notebook.cells[-1].outputs[0].text)
"""


def run_python(*arguments: str, cwd: Path | None = None) -> str:
    return run(sys.executable, *arguments, cwd=cwd)


def run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wheel_of(project: Path, folder: Path) -> Path:
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder))
    run_python("-m", "pip", "wheel", *options, str(project))
    (path,) = folder.glob("regard-*.whl")
    return path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of(ROOT, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_carries_the_whole_package_and_the_notebooks(wheel: Path) -> None:
    source = ROOT / "src"
    expected = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "frontend" not in path.parts
    }
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    beside = {str(path.relative_to(NOTEBOOKS)) for path in NOTEBOOKS.rglob("*.safetensors")}
    beside |= {path.name for path in NOTEBOOKS.glob("*.ipynb")}
    beside |= {"opening_pair.png", "seeds.csv", "seeing_seeds.csv"}
    assert carried == expected | {f"regard/notebooks/{name}" for name in beside}
    assert "regard/py.typed" in carried


@pytest.mark.parametrize(
    ("beside", "left"),
    [
        (["index.ipynb"], ["index.py"]),
        (["how_sure.ipynb", "trained/a.safetensors"], ["trained/a.log", "last_run/a.safetensors"]),
    ],
    ids=["nothing trained", "trained"],
)
def test_the_wheel_carries_what_is_there(
    tmp_path: Path, beside: list[str], left: list[str]
) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    version = tmp_path / "src" / "regard" / "__init__.py"
    version.parent.mkdir(parents=True)
    version.write_text('__version__ = "1.0"')
    for name in (*beside, *left):
        path = tmp_path / "notebooks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("stand-in")
    names = zipfile.ZipFile(wheel_of(tmp_path, tmp_path)).namelist()
    carried = {name for name in names if name.startswith("regard/notebooks/")}
    assert carried == {f"regard/notebooks/{name}" for name in beside}


def test_the_wheel_runs_from_its_own_files(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "import regard; from regard.lessons.shipped import place_notebooks;"
    code += "from pathlib import Path;"
    code += "print(regard.__file__); place_notebooks(Path('new'))"
    said = run_python("-c", code, cwd=tmp_path)
    assert said.startswith(str(tmp_path))
    for path in NOTEBOOKS.glob("*.ipynb"):
        assert (tmp_path / "new" / path.name).read_bytes() == path.read_bytes()


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """Give an environment's Python that has this wheel; of all else, what this one has."""
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=os.name != "nt")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    here = run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    others = [path for path in sys.path if path.endswith("-packages")]
    (Path(here) / "others.pth").write_text("\n".join(others))  # whose own .pth are not followed
    options = ("--no-deps", "--no-index", "--force-reinstall")
    run_python("-m", "pip", "--python", str(python), "install", *options, str(wheel))
    return python


@pytest.mark.parametrize("name", [path.name for path in NOTEBOOKS.glob("*.ipynb")])
def test_a_notebook_of_the_wheel_runs_to_the_end(
    name: str, installed: Path, tmp_path: Path
) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["JUPYTER_DATA_DIR"] = str(tmp_path)  # else a kernel of the user's own may be taken
    said = run(str(installed), "-c", RUN_ALL, json.dumps(SMALL), name, cwd=tmp_path, env=env)
    assert said.startswith(str(installed.parent.parent))


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
