"""Why a weight is what it is, in a saved page: each number that is said, against `dissect`."""

import itertools
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

import regard
from regard.measures.anatomy import Anatomy, dissect
from regard.record.trace import Trace
from regard.viewer import apart
from tests.browser.lab import Watch
from tests.browser.test_truth import gpt2, minilm
from tests.browser.test_view import Pictures, ink
from tests.tiny_models import build, inputs_for
from tests.viewer.test_view import with_words

pytestmark = pytest.mark.browser

CELLS = 12
NUMBER = r"((?:about )?-?[\d.]+(?:e-?\d+)?(?: ± [\d.e-]+)?)"
STEPS = {  # what a step says: which of an anatomy's numbers
    f"^q · k = {NUMBER}, the sum of": ["dot"],
    rf"^× scale {NUMBER} = {NUMBER}$": ["scale", "scaled"],
    rf"^\+ bias, such as a position term, {NUMBER} = {NUMBER}$": ["bias", "added"],
    f"^squeezed to ±{NUMBER} = {NUMBER}$": ["softcap", "score"],
    rf"^softmax: exp\({NUMBER}\), .* over the (\d+) keys? that": ["score", "num_keys"],
    rf"^softmax: .*, and the sink's exp\({NUMBER}\)": ["sink"],
    rf"^softmax: .*, exp\({NUMBER}\), = {NUMBER}$": ["log_sum", "weight"],
}


@pytest.fixture
def pictures(browser: Browser) -> Iterator[Pictures]:
    size = {"width": 1400, "height": 900}
    with closing(browser.new_context(viewport=size, offline=True)) as context:  # type: ignore[arg-type]
        page = context.new_page()
        watch = Watch(page)
        yield Pictures(page, watch)
        assert watch.errors == []


def tiny(model_type: str, auto_class: str, use: str) -> Trace:
    model = build(model_type, auto_class)
    return regard.trace(inputs_for(model, use), model)


TRACES = {
    "MiniLM": lambda: minilm(24),
    "GPT-2's kind": lambda: gpt2(30),
    "Gemma 2: grouped queries, a softcap": lambda: tiny(
        "gemma2", "AutoModelForCausalLM", "decoder"
    ),
    "GPT-OSS: sinks": lambda: tiny("gpt_oss", "AutoModelForCausalLM", "decoder"),
    "T5: a relative bias": lambda: tiny("t5", "AutoModelForSeq2SeqLM", "seq2seq"),
}


def holds(said: str, exact: float) -> bool:
    """Say whether a number is right to its four digits or, *about*, within one of its last."""
    number, _, error = said.removeprefix("about ").partition(" ± ")
    digits, _, exponent = number.partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
    if error:
        unit = float(error)
    elif not said.startswith("about"):  # zeros at the end are left out
        fourth = 10.0 ** (np.floor(np.log10(abs(exact))) - 3) if exact else 0.0
        unit = min(unit, fourth) / 2
    return abs(float(number) - exact) <= unit * (1 + 1e-9) + 1e-5 * abs(exact) + 1e-7


def numbers_of(found: Anatomy) -> dict[str, Any]:
    scaled = found.dot * found.scale
    score = scaled + found.bias
    if found.softcap is not None:
        score = found.softcap * np.tanh(score / found.softcap)
    return vars(found) | {"scaled": scaled, "added": scaled + found.bias, "score": score}


def falsehoods(steps: list[str], found: Anatomy) -> Iterator[str]:
    """Give each number of the steps that is false, and what is missing."""
    exact, told = numbers_of(found), set()
    for step, (pattern, names) in itertools.product(steps, STEPS.items()):
        if match := re.search(pattern, step):
            for said, name in zip(match.groups(), names, strict=True):
                told.add(name)
                if not holds(said, float(exact[name])):
                    yield f"{name} is {exact[name]}, said as {said}"
    for said, at in re.findall(rf"{NUMBER} in dimension (\d+)", steps[0]):
        if not holds(said, float(found.products[int(at)])):
            yield f"product {at} is {found.products[int(at)]}, said as {said}"
    is_masked = found.score == -np.inf
    if is_masked != steps[-1].startswith("masked"):
        yield f"masked: {is_masked}"
    wanted = {"dot", "scale", "scaled"} | (set() if is_masked else {"score", "log_sum", "weight"})
    wanted |= {name for name in ("softcap", "sink") if exact[name] is not None and not is_masked}
    wanted |= {"bias"} if found.bias else set()
    yield from (f"{name} is not said" for name in wanted - told)


def steps_at(pictures: Pictures, row: int, column: int) -> list[str]:
    """Point at a cell and read the steps, once they are of it."""
    page = pictures.page
    page.mouse.move(*pictures.cell(row, column))
    page.wait_for_timeout(250)
    expect(page.locator(".steps li").first).to_be_visible()
    return [step.replace("−", "-") for step in page.locator(".steps li").all_inner_texts()]


@pytest.mark.parametrize("name", TRACES)
def test_each_number_of_each_step_is_true(pictures: Pictures, name: str, tmp_path: Path) -> None:
    seen = TRACES[name]()
    rng = np.random.default_rng(0)
    for kind in seen.kinds:
        layer = next(iter(seen.layers[kind]))
        pictures.open(seen, tmp_path, layer=layer, head=1, kind=kind)
        _, rows, columns = seen.layer(layer, kind).shape
        cells = {tuple(rng.integers(0, (rows, columns)).tolist()) for _ in range(CELLS)}
        for row, column in {*cells, (0, columns - 1)}:
            steps = steps_at(pictures, row, column)
            found = dissect(seen, layer, 1, row, column, kind=kind)
            assert list(falsehoods(steps, found)) == [], steps
    assert ink(pictures, ".inside") > 2
    pictures.shoot(f"apart_{name[:5]}")


@pytest.mark.parametrize("hide", [False, True])
def test_of_words_the_strongest_pair_of_tokens_is_taken_apart(
    pictures: Pictures, tmp_path: Path, *, hide: bool
) -> None:
    seen = minilm(24)
    shown = seen.merge_words().hide() if hide else seen.merge_words()
    layer: Any = shown.layers["encoder"][2]
    pictures.open(seen, tmp_path, layer=2, head=3)
    pictures.page.get_by_label("words").check()
    pictures.page.get_by_label("hide special tokens").set_checked(hide)
    pictures.drawn  # noqa: B018  waits for it
    split = [row for row, group in enumerate(layer.query_groups) if len(group) > 1]
    assert split
    for row, column in itertools.product(split, range(0, layer.shape[2], 4)):
        pairs = itertools.product(layer.query_groups[row], layer.key_groups[column])
        found = [dissect(seen, 2, 3, *pair) for pair in pairs]
        strongest = max(found, key=lambda one: one.weight)
        steps = steps_at(pictures, row, column)
        like = [one for one in found if one.weight >= strongest.weight * 0.99]  # either may be told
        assert any(not list(falsehoods(steps, one)) for one in like), steps


def test_a_head_that_a_page_does_not_hold_is_said_to_be_missing(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = pictures.page.locator(".inside")
    monkeypatch.setattr(apart, "WHY_BYTES", 8000)
    pictures.open(minilm(24), tmp_path, layer=3, head=5)
    pictures.page.mouse.move(*pictures.cell(2, 2))
    expect(inside).to_contain_text("q · k = ")
    pictures.page.get_by_role("combobox", name="Head", exact=True).select_option("7")
    expect(inside).to_contain_text("holds no queries and keys of this head")
    pictures.open(minilm(24).merge_words(), tmp_path)
    pictures.page.mouse.move(*pictures.cell(2, 2))
    expect(inside).to_contain_text("Tokens were put together or left out")
    pictures.open(with_words(), tmp_path)
    expect(inside).to_be_hidden()  # there is nothing to take apart in the whole page


def test_each_dimension_is_said(pictures: Pictures, tmp_path: Path) -> None:
    seen = minilm(24)
    pictures.open(seen, tmp_path, head=1)
    steps_at(pictures, 3, 4)
    pictures.page.locator(".inside canvas").focus()
    found = dissect(seen, 0, 1, 3, 4)
    for at in range(5):
        pictures.page.keyboard.press("ArrowRight")
        match = re.search(
            rf"^dimension {at}: {NUMBER} × {NUMBER} = {NUMBER}, of {NUMBER} in all$",
            pictures.sentence.inner_text(),
        )
        assert match
        exact = (found.query[at], found.key[at], found.products[at], found.dot)
        assert all(holds(said, float(x)) for said, x in zip(match.groups(), exact, strict=True))


@pytest.mark.parametrize(
    ("width", "beside"), [(390, ""), (1000, ".lines"), (1440, ""), (1920, ".matrix")]
)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_stands_beside_the_cell_where_there_is_room(
    pictures: Pictures, tmp_path: Path, width: int, beside: str, theme: Any
) -> None:
    pictures.page.set_viewport_size({"width": width, "height": 1000})
    pictures.page.emulate_media(color_scheme=theme)
    pictures.open(minilm(24), tmp_path, head=1)
    steps_at(pictures, 3, 4)
    pictures.shoot(f"apart_{width}_{theme}")
    top = "element => element.getBoundingClientRect().top"
    inside, reading, lines = (
        pictures.page.locator(name).evaluate(top) for name in (".inside", ".reading", ".lines")
    )
    assert lines <= inside < reading
    if beside:
        assert pictures.page.locator(beside).evaluate(top) == inside
    wide = "document.documentElement.scrollWidth - innerWidth"
    assert pictures.page.evaluate(wide) <= 0
