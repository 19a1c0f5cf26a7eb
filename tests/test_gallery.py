"""The gallery's pictures are there, and its lines do what the page says of them."""

import ast
import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

import regard
from tools import gallery

STEPS = {step.pictures[0]: step for step in gallery.steps()}
PAGES = [gallery.DOCS / "gallery.md", gallery.ROOT / "README.md"]


def run(picture: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run the lines above a picture."""
    names = {"regard": regard, **names}
    exec(STEPS[picture].lines, names)  # noqa: S102  our own page
    return names


def test_every_picture_has_its_lines_and_every_line_a_model() -> None:
    shown = set(re.findall(r"!\[[^]]+\]\((\w+)\.png\)", PAGES[0].read_text("utf-8")))
    assert shown == {name for step in STEPS.values() for name in step.pictures}
    assert set(STEPS) == set(gallery.WITH)
    assert shown >= {*gallery.SHOTS, *gallery.FINISH}


def test_no_picture_lies_about_unseen() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    pictures = sorted(gallery.DOCS.glob("*.png"))
    assert pictures
    assert [path.name for path in pictures if f"{path.name})" not in text] == []


@pytest.mark.parametrize("picture", STEPS)
def test_lines_name_only_what_is_there(picture: str) -> None:
    tree = ast.parse(STEPS[picture].lines)
    asked = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "regard"
    }
    assert asked
    assert asked <= set(dir(regard))


def test_the_translator_reads_the_word_that_it_translates() -> None:
    """Hold what the page says of it against the words, also where the order differs."""
    names = run("translation", gallery.translator())
    seen = names["seen"]
    most = seen.weights(1, 1, kind="cross").argmax(axis=1)
    read = [seen.tokens[at] for at in most]
    order = "the cows the dog not follow because it weak seemed . </s>"
    assert read == order.split()
    assert plt.gca().get_title() == "Cross-attention, layer 1, head 1"
    plt.close("all")


def test_minilm_reads_the_dog_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen = run("view", gallery.minilm())["seen"].merge_words().hide()
    assert seen.origin["model"] == "sentence-transformers/all-MiniLM-L6-v2"
    it = seen.tokens.index("it")
    assert seen.tokens[seen.weights(3, 1)[it].argmax()] == "dog"
    assert "all-MiniLM-L6-v2" in (tmp_path / "x.html").read_text("utf-8")
