import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from typer import Typer
from typer.testing import CliRunner

from tools import build_notebook
from tools.build_notebook import build, check
from tools.notebook_sources import ROOT, BuildError, all_sources, read_notebook

MODULE = '''"""A module."""

import functools

# The animals
# of the farm.
NOUNS: tuple[str, ...] = (
    "cow",
    "hen",
)

COUNT = 2


@functools.cache
def plural(noun: str) -> str:
    """Give the plural; # include: marks in here stay."""
    return noun + "s"


class Farm:
    name = "home"
'''

SOURCE = """# %% [markdown]
# # Farm

# %%
import functools

# include: farm.animals.NOUNS

# %% jupyter={"source_hidden": true}
# include: farm.animals.plural
# include: farm.animals.Farm

# %%
print([plural(noun) for noun in NOUNS])
"""

FARM = """@functools.cache
def plural(noun: str) -> str:
    \"""Give the plural; # include: marks in here stay.\"""
    return noun + "s"


class Farm:
    name = "home\""""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path, SOURCE)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    package = tmp_path / "src" / "farm"
    package.mkdir(parents=True)
    (package / "animals.py").write_text(MODULE)
    return package.parent


def write_source(folder: Path, text: str) -> Path:
    path = folder / "farm.py"
    path.write_text(text)
    return path


def build_cells(folder: Path, packages: Path, text: str) -> list[NotebookNode]:
    output = folder / "farm.ipynb"
    build(write_source(folder, text), output, packages)
    cells: list[NotebookNode] = nbformat.read(output, as_version=4).cells
    return cells


def run_script(*arguments: str | Path) -> tuple[int, str]:
    app = Typer()
    app.command()(build_notebook.main)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output + str(result.exception or "")


def test_marks_become_the_exact_source_text(source: Path, packages: Path) -> None:
    cells = read_notebook(source, packages).cells
    assert [cell.cell_type for cell in cells] == ["markdown", "code", "code", "code"]
    assert cells[0].source == "# Farm"
    constant = MODULE[MODULE.index("# The animals") : MODULE.index("\n\nCOUNT")]
    assert cells[1].source == f"import functools\n\n{constant}"
    assert cells[2].source == FARM
    assert cells[2].metadata == {"jupyter": {"source_hidden": True}}


def test_the_comment_above_is_taken_only_where_it_touches(packages: Path, tmp_path: Path) -> None:
    source = write_source(tmp_path, "# %%\n# include: farm.animals.COUNT\n")
    assert read_notebook(source, packages).cells[0].source == "COUNT = 2"


@pytest.mark.parametrize("mark", ["farm.animals.pig", "farm.barn.NOUNS", "NOUNS", ""])
def test_an_unknown_mark_is_named_with_its_line(packages: Path, tmp_path: Path, mark: str) -> None:
    source = write_source(tmp_path, f"# %%\nx = 1\n# include: {mark}\n")
    with pytest.raises(BuildError, match=re.escape(f"farm.py:3: '# include: {mark}' names no")):
        read_notebook(source, packages)


def test_the_notebook_is_executed_where_it_is_written(source: Path, packages: Path) -> None:
    source.write_text(SOURCE + "\n# %%\nfrom pathlib import Path\nprint(Path.cwd().name)")
    output = source.parent / "built" / "farm.ipynb"
    output.parent.mkdir()
    build(source, output, packages)
    cells = nbformat.read(output, as_version=4).cells
    assert cells[3].outputs[0].text == "['cows', 'hens']\n"
    assert cells[4].outputs[0].text == "built\n"
    assert [cell.execution_count for cell in cells[1:]] == [1, 2, 3, 4]
    assert [cell.id for cell in cells] == [f"cell-{number:03}" for number in range(1, 6)]


def test_two_builds_are_the_same_bytes(source: Path, packages: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "a.ipynb", tmp_path / "b.ipynb"]
    for output in outputs:
        build(source, output, packages)
    first, second = (json.loads(output.read_text()) for output in outputs)
    for notebook in (first, second):
        del notebook["metadata"]["regard"]  # seconds
    assert first == second


def test_nothing_of_the_machine_is_kept(source: Path, packages: Path, tmp_path: Path) -> None:
    output = tmp_path / "farm.ipynb"
    build(source, output, packages)
    written = json.loads(output.read_text())
    del written["metadata"]["regard"]
    assert written["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "colab": {"toc_visible": True},
    }
    folded = {"jupyter": {"source_hidden": True}}
    assert [cell["metadata"] for cell in written["cells"]] == [{}, {}, folded, {}]
    assert str(tmp_path) not in output.read_text()


def test_a_live_widget_leaves_its_picture(packages: Path, tmp_path: Path) -> None:
    cells = build_cells(
        tmp_path,
        packages,
        """# %% alt="A slider."
from IPython.display import display
view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
display({**view, "image/png": "iVBORw0KGgo=", "text/plain": "a slider"}, raw=True)
display(view, raw=True)
""",
    )
    assert len(cells[0].outputs) == 1
    assert cells[0].outputs[0].data.keys() == {"image/png", "text/plain"}
    assert cells[0].outputs[0].metadata["image/png"] == {"alt": "A slider.", "widget": True}


def test_streams_are_joined_and_progress_bars_at_rest(packages: Path, tmp_path: Path) -> None:
    cells = build_cells(
        tmp_path,
        packages,
        r"""# %%
import sys, time
for step in range(3):
    sys.stderr.write(f"\r{step}/2")
    sys.stderr.flush()
    time.sleep(0.3)  # the kernel sends what it has
sys.stderr.write("\rdone\r\n")
""",
    )
    outputs = [output for output in cells[0].outputs if output.output_type == "stream"]
    assert [(output.name, output.text) for output in outputs] == [("stderr", "done\n")]


def test_memory_addresses_are_dropped(packages: Path, tmp_path: Path) -> None:
    cells = build_cells(tmp_path, packages, "# %%\nthing = object()\nprint(thing)\nthing")
    assert cells[0].outputs[0].text == "<object object>\n"
    assert cells[0].outputs[1].data["text/plain"] == "<object>"


def test_a_cell_that_raises_is_named_and_nothing_is_written(packages: Path, tmp_path: Path) -> None:
    source = write_source(tmp_path, "# %%\nx = 0\n\n# %%\ny = 1\nprint(y / x)\n")
    output = tmp_path / "farm.ipynb"
    with pytest.raises(BuildError) as caught:
        build(source, output, packages)
    assert str(caught.value).startswith("cell 2 ('y = 1') raised")
    assert "ZeroDivisionError: division by zero" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert not output.exists()


def test_check_accepts_what_build_wrote(source: Path, packages: Path) -> None:
    arguments = (source, "--packages", packages)
    assert run_script(*arguments, "--no-execute")[0] == 0
    assert run_script(*arguments, "--check") == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("print(", "repr(", "cell 4 ('repr([plural(noun) for noun in NOUNS])') differs"),
        ("# # Farm", "# # Barn", "+# Barn"),
        ("# %% [markdown]\n", "# %% [raw]\n", "is raw, was markdown"),
        ("# %%\nprint([plural(noun) for noun in NOUNS])\n", "", "is no longer in the source"),
        ("# %%\nprint", "# %%\npass\n\n# %%\nprint", "is not in the notebook"),
        ("# %% jupyter", "# %% tags=[] jupyter", "cell 3 ('@functools.cache') is marked {"),
    ],
)
def test_check_says_which_cell_is_stale(
    source: Path, packages: Path, old: str, new: str, says: str
) -> None:
    build(source, source.with_suffix(".ipynb"), packages, run=False)
    source.write_text(SOURCE.replace(old, new))
    code, said = run_script(source, "--packages", packages, "--check")
    assert code == 1
    assert says in said
    assert "run `make build`" in said


def test_check_sees_a_change_in_the_package(source: Path, packages: Path) -> None:
    build(source, source.with_suffix(".ipynb"), packages, run=False)
    module = packages / "farm" / "animals.py"
    module.write_text(MODULE.replace('noun + "s"', 'noun + "es"'))
    with pytest.raises(BuildError, match=r"cell 3 \('@functools.cache'\) differs"):
        check(source, source.with_suffix(".ipynb"), packages)


def test_check_asks_for_a_missing_notebook(source: Path, packages: Path) -> None:
    code, said = run_script(source, "--packages", packages, "--check")
    assert code == 1
    assert "is missing: run `make build`" in said


def test_notebooks_go_where_they_are_told(source: Path, packages: Path, tmp_path: Path) -> None:
    other = tmp_path / "barn.py"
    other.write_text("# %%\nx = 1\n")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    arguments = (source, other, "--packages", packages, "--folder", folder)
    code, said = run_script(*arguments, "--no-execute")
    assert code == 0
    assert f"{folder / 'farm.ipynb'}: 4 cells" in said
    assert f"{folder / 'barn.ipynb'}: 1 cells" in said
    assert not source.with_suffix(".ipynb").exists()
    assert run_script(*arguments, "--check") == (0, "")


def test_every_stale_notebook_is_named(source: Path, packages: Path, tmp_path: Path) -> None:
    other = tmp_path / "barn.py"
    other.write_text("# %%\nx = 1\n")
    code, said = run_script(source, other, "--packages", packages, "--check")
    assert code == 1
    assert "farm.ipynb is missing" in said
    assert "barn.ipynb is missing" in said


def test_all_sources_are_read_and_what_trains_is_first() -> None:
    names = [path.name for path in all_sources()]
    assert names[0] == "self_attention.py"
    assert set(names) == {path.name for path in (ROOT / "notebooks").glob("*.py")}


def test_the_index_links_every_notebook() -> None:
    index = read_notebook(ROOT / "notebooks" / "index.py")
    (cell,) = index.cells
    links = re.findall(r"^\d\. \[.+\]\((\w+)\.ipynb\)", cell.source, re.MULTILINE)
    built = {path.stem for path in all_sources()} - {"index"}
    assert built <= set(links)


LONG = '''class Barn:
    """Where hay lies.

    And cows.
    """

    hay = """two
    lines"""

    def fill(self) -> None:
        r"""Say "more"

        >>> Barn().fill()
        """


def empty() -> None:
    """Stay as it is."""


SIZE = 3
'''
SHORT = '''class Barn:
    """Where hay lies."""

    hay = """two
    lines"""

    def fill(self) -> None:
        r"""Say "more" """


SIZE = 3


def empty() -> None:
    """Stay as it is."""'''


def test_docstrings_shrink_to_their_first_line(packages: Path, tmp_path: Path) -> None:
    (packages / "farm" / "barn.py").write_text(LONG)
    marks = "\n".join(f"# include: farm.barn.{name}" for name in ("Barn", "SIZE", "empty"))
    source = write_source(tmp_path, f"# %%\n{marks}\n")
    assert read_notebook(source, packages).cells[0].source == SHORT


def test_a_built_notebook_is_formatted(source: Path, packages: Path) -> None:
    output = source.with_suffix(".ipynb")
    build(source, output, packages, run=False)
    options = ("--config", str(ROOT / "pyproject.toml"), "--check", str(output))
    command = [sys.executable, "-m", "ruff", "format", *options]
    assert subprocess.run(command, check=False).returncode == 0


def test_what_cannot_be_read_as_python_is_named(packages: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"farm.py with its include marks filled: .*farm.py:2"):
        read_notebook(write_source(tmp_path, "# %%\nx = (\n"), packages)


PICTURES = """# %% alt="Two dots."
from IPython.display import display

picture = {"image/png": "iVBORw0KGgo=", "text/plain": "a figure"}
display(picture, raw=True)
display(picture, raw=True, metadata={"image/png": {"alt": "Its own."}})
display({"text/html": "<b>no picture</b>"}, raw=True)
"""


def test_pictures_have_their_cells_alternative_text(packages: Path, tmp_path: Path) -> None:
    (cell,) = build_cells(tmp_path, packages, PICTURES)
    alts = [output.metadata.get("image/png", {}).get("alt") for output in cell.outputs]
    assert alts == ["Two dots.", "Its own.", None]


def test_a_picture_without_alternative_text_is_refused(packages: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"cell 1 \('from IPython.*without alternative text"):
        build_cells(tmp_path, packages, PICTURES.replace(' alt="Two dots."', ""))
    assert not (tmp_path / "farm.ipynb").exists()


def test_check_refuses_it_too(packages: Path, tmp_path: Path) -> None:
    (cell,) = build_cells(tmp_path, packages, PICTURES)
    source = write_source(tmp_path, PICTURES.replace(' alt="Two dots."', ""))
    bare = nbformat.v4.new_notebook(cells=[cell])
    bare.cells[0].metadata.clear()
    bare.cells[0].outputs[0].metadata.clear()
    nbformat.write(bare, source.with_suffix(".ipynb"))
    with pytest.raises(BuildError, match="without alternative text"):
        check(source, source.with_suffix(".ipynb"), packages)


def test_seconds_are_noted_for_each_section(packages: Path, tmp_path: Path) -> None:
    source = write_source(
        tmp_path,
        """# %%
import time

# %% [markdown]
# # Farm
#
# ## 1. Sow
#
# ### Not a section

# %%
time.sleep(0.3)

# %%
time.sleep(0.2)

# %% [markdown]
# ## 2. Reap

# %%
pass
""",
    )
    code, said = run_script(source, "--packages", packages)
    assert code == 0
    noted = nbformat.read(tmp_path / "farm.ipynb", as_version=4).metadata.regard
    seconds = dict(noted.seconds)
    assert list(seconds) == ["before the first section", "1. Sow", "2. Reap"]
    assert 0.5 <= seconds["1. Sow"] < 1.5
    assert noted.total_seconds == pytest.approx(sum(seconds.values()))
    assert noted.cells == 6
    assert noted.megabytes == round((tmp_path / "farm.ipynb").stat().st_size / 1e6, 2)
    assert re.search(r"^ +\d\.\d s  1\. Sow$", said, re.MULTILINE)
    assert run_script(source, "--packages", packages, "--check") == (0, "")


TRAINS = """# %%
from pathlib import Path

Path("last_run").mkdir()
for name in ("model.safetensors", "log.txt"):
    Path("last_run", name).write_text("new")
"""


def test_what_a_run_trained_is_kept(packages: Path, tmp_path: Path) -> None:
    old = {"last_run/stale.safetensors": "stale", "trained/model.safetensors": "old"}
    old |= {"trained/other.safetensors": "other"}
    for name, text in old.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    build_cells(tmp_path, packages, TRAINS)
    kept = {path.name: path.read_text() for path in (tmp_path / "trained").iterdir()}
    assert kept == {"model.safetensors": "new", "other.safetensors": "other"}
    assert not (tmp_path / "last_run").exists()


LOADS = """# %%
from pathlib import Path

print(Path("trained", "model.safetensors").read_text(), Path("trained/other.safetensors").exists())

# %%
Path("trained/model.safetensors").read_text()
"""


def test_what_a_run_trained_is_shown_where_it_is_loaded_first(
    packages: Path, tmp_path: Path
) -> None:
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "model.safetensors").write_text("old")
    cells = build_cells(tmp_path, packages, LOADS + "\n" + TRAINS)
    assert [output.text for output in cells[0].outputs] == ["new False\n"]


def test_nothing_trained_leaves_no_folder(packages: Path, tmp_path: Path) -> None:
    build_cells(tmp_path, packages, "# %%\nx = 1\n")
    assert not (tmp_path / "trained").exists()
