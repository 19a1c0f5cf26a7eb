"""The view in a real browser: the saved page with the network off, the front end with a fake model.

Screenshots go to $REGARD_SHOTS, if it is set, so that a person can look at them.
"""

import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

import regard
from regard.measures.anatomy import dissect
from regard.model.lexicon import vocabulary
from regard.model.tokenization import build_tokenizer
from regard.record.layers import ScoredLayer
from regard.record.trace import Trace
from regard.record.words import Side
from regard.viewer.page import FRONT_END
from regard.viewer.widget import AttentionView, view
from tests.browser.lab import Watch
from tests.viewer.test_view import HOSTILE, hostile, random_weights, with_words

pytestmark = pytest.mark.browser

DRAWN_MS = 10_000
LINE = 19  # of the lines, as in lines.ts
LOAD = """async source => {
    const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
    window.front = await import(url);
    window.model = traits => {
        const ears = {};
        return {
            traits, sent: [],
            get: name => traits[name],
            set(name, value) { traits[name] = value; this.tell(`change:${name}`); },
            save_changes() { this.saved = (this.saved ?? 0) + 1; },
            on: (event, ear) => (ears[event] ??= []).push(ear),
            off: (event, ear) => { ears[event] = ears[event].filter(other => other !== ear); },
            send(message) { this.sent.push(message); },
            tell: (event, ...message) => (ears[event] ?? []).forEach(ear => ear(...message)),
            listening: () => Object.values(ears).flat().length,
        };
    };
    const view = numbers => new DataView(Uint8Array.from(numbers).buffer);
    window.revive = traits => ({
        ...traits,
        thumbnails: view(traits.thumbnails),
        weights: {
            ...traits.weights, bytes: view(traits.weights.bytes), sums: view(traits.weights.sums),
        },
    });
}"""
MOUNT = """traits => {
    const el = document.body.appendChild(document.createElement('div'));
    const live = window.model(window.revive(traits));
    (window.models ??= []).push(live);
    live.close = window.front.default.render({model: live, el});
}"""

PIXEL = """(canvas, [x, y]) => {
    const box = canvas.getBoundingClientRect();
    return [...canvas.getContext('2d').getImageData(x - box.x, y - box.y, 1, 1).data];
}"""
WITH_KERNEL = """traits => {
    const el = document.body.appendChild(document.createElement('div'));
    const live = window.model(window.revive(traits));
    const bytes = numbers => new DataView(Uint8Array.from(numbers).buffer);
    live.send = async message => {
        const [answer, buffers] = await window.kernel(message);
        live.tell('msg:custom', answer, buffers.map(bytes));
    };
    let before = JSON.stringify(traits.selection);
    live.save_changes = async () => {
        const {selection, look} = live.traits;
        const now = JSON.stringify(selection);
        if (now === before) return await window.looked(look);
        before = now;
        const {thumbnails, weights} = await window.chosen(selection);
        live.set('thumbnails', bytes(thumbnails));
        live.set('weights', {...weights, bytes: bytes(weights.bytes), sums: bytes(weights.sums)});
    };
    (window.models ??= []).push(live);
    window.front.default.render({model: live, el});
}"""


@dataclass
class Pictures:
    """A view in a page, in a person's words."""

    page: Page
    watch: Watch

    def open(self, seen: Trace, folder: Path, **options: Any) -> None:
        path = folder / "view.html"
        view(seen, **{"layer": 0, **options}).save(path)
        self.visit(path)

    def visit(self, path: Path) -> None:
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("[data-drawn], [role=alert]:visible", timeout=DRAWN_MS)

    @property
    def sentence(self) -> Any:
        return self.page.locator(".sentence")

    @property
    def drawn(self) -> str:
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
        )
        return str(self.page.locator("[data-drawn]").first.get_attribute("data-drawn"))

    def cell(self, row: int, column: int) -> tuple[float, float]:
        """Give the place of a cell of the matrix."""
        canvas = self.page.locator(".matrix canvas").first
        place = self.page.locator(".matrix").first.get_attribute("data-place") or ""
        left, top, size = map(float, place.split())
        scroll = "element => [element.scrollLeft, element.scrollTop]"
        across, down = self.page.locator(".matrix .scroll").first.evaluate(scroll)
        box = canvas.bounding_box()
        assert box
        x = box["x"] + left + (column + 0.5) * size - across
        return x, box["y"] + top + (row + 0.5) * size - down

    def token(self, side: str, at: int) -> tuple[float, float]:
        """Give the place of a token of the lines."""
        box = self.page.locator(".lines canvas").first.bounding_box()
        assert box
        x = 20 if side == "reads" else box["width"] - 20
        return box["x"] + x, box["y"] + 24 + (at + 0.5) * LINE

    def middle(self, figure: str) -> tuple[float, float]:
        """Give the middle of a picture."""
        box = self.page.locator(f"{figure} canvas").first.bounding_box()
        assert box
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def shoot(self, name: str) -> None:
        if folder := os.environ.get("REGARD_SHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.fixture
def pictures(browser: Browser) -> Iterator[Pictures]:
    size = {"width": 1400, "height": 900}
    with closing(browser.new_context(viewport=size, offline=True)) as context:  # type: ignore[arg-type]
        page = context.new_page()
        watch = Watch(page)
        yield Pictures(page, watch)
        assert watch.errors == []
        assert [url for url in watch.outside if not url.endswith("/view.html")] == []


@pytest.fixture
def live(pictures: Pictures) -> Pictures:
    pictures.page.evaluate(LOAD, FRONT_END.read_text("utf-8"))
    return pictures


def traits(seen: Trace, **options: Any) -> dict[str, Any]:
    """Give what a kernel would send first."""
    return traits_of(view(seen, **{"layer": 0, **options}))


def traits_of(shown: AttentionView) -> dict[str, Any]:
    """Give a view's traits, bytes as numbers."""
    names = ("meta", "selection", "look", "thumbnails", "weights")
    sent = {name: getattr(shown, name) for name in names}
    sent["thumbnails"] = list(sent["thumbnails"])
    sent["weights"] = sent["weights"] | {
        name: list(sent["weights"][name]) for name in ("bytes", "sums")
    }
    return sent


def ink(pictures: Pictures, figure: str) -> int:
    """Count the colours on a canvas: one, if nothing is drawn."""
    count: int = pictures.page.locator(f"{figure} canvas").first.evaluate(
        """canvas => new Set(new Uint32Array(canvas.getContext('2d')
            .getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"""
    )
    return count


# the saved page


def test_the_saved_page_draws_with_the_network_off(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(with_words(), tmp_path, layer=1, head=2)
    assert pictures.drawn == "encoder, layer 1, head 2"
    assert all(ink(pictures, figure) > 20 for figure in (".heads", ".matrix", ".lines"))
    expect(pictures.sentence).to_contain_text("encoder self-attention, layer 1, head 2: entropy")
    pictures.shoot("saved")


def test_a_person_walks_by_keyboard(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_words()
    pictures.open(seen, tmp_path)
    keys = pictures.page.keyboard
    pictures.page.locator(".heads canvas").focus()
    keys.press("ArrowRight")
    keys.press("ArrowDown")
    expect(pictures.page.locator("[data-drawn='encoder, layer 1, head 1']")).to_be_attached()
    expect(pictures.page.get_by_role("combobox", name="Layer")).to_have_value("1")
    keys.press("ArrowDown")  # there is no more
    assert pictures.drawn == "encoder, layer 1, head 1"
    pictures.page.locator(".matrix canvas").first.focus()
    for _ in range(3):
        keys.press("ArrowRight")
    keys.press("ArrowDown")
    assert seen.weights(1, 1)[1, 2] < 0.002
    expect(pictures.sentence).to_contain_text("the reads cow: less than 0.0001, its ")
    pictures.page.locator(".lines canvas").first.focus()
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    expect(pictures.sentence).to_contain_text("the reads most: ")
    keys.press("ArrowRight")
    expect(pictures.sentence).to_contain_text("the is read most by: ")


def test_tab_reaches_every_picture(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(with_words(), tmp_path)
    reached = []
    for _ in range(30):
        pictures.page.keyboard.press("Tab")
        label = "document.querySelector('[data-regard]').shadowRoot.activeElement?.ariaLabel"
        reached.append(str(pictures.page.evaluate(label)).split(":")[0])
    assert [name for name in reached if name in {"Matrix", "Lines"}] == ["Matrix", "Lines"]
    assert "All heads of encoder self-attention" in reached


def test_pointing_at_a_cell_says_it_in_words(pictures: Pictures, tmp_path: Path) -> None:
    weights = np.array([[0.7, 0.2, 0.1], [0.25, 0.125, 0.625], [0.5, 0.5, 0.0]])
    pictures.open(Trace.from_weights(weights, ["it", "dog", "cow"]), tmp_path)
    for (row, column), said in {
        (1, 2): "dog reads cow: about 0.63, its strongest of 3",
        (1, 1): "dog reads dog: about 0.13, its 3rd strongest of 3",
        (2, 2): "cow does not read cow: masked (no head of this layer reads it)",
    }.items():
        pictures.page.mouse.move(*pictures.cell(row, column))
        expect(pictures.sentence).to_have_text(said)
    pictures.page.mouse.move(5, 5)
    expect(pictures.sentence).to_contain_text("layer 0, head 0: entropy")


def test_tokens_that_are_alike_are_told_apart(pictures: Pictures, tmp_path: Path) -> None:
    pictures.open(Trace.from_weights(np.eye(3), ["the", "dog", "the"]), tmp_path)
    pictures.page.mouse.move(*pictures.cell(2, 2))
    expect(pictures.sentence).to_have_text("the (2) reads the (2): about 1.00, its strongest of 1")


def test_a_click_locks_and_again_unlocks_and_shift_sums(pictures: Pictures, tmp_path: Path) -> None:
    weights = np.array([[0.7, 0.2, 0.1], [0.25, 0.125, 0.625], [0.25, 0.25, 0.5]])
    pictures.open(Trace.from_weights(weights, ["it", "dog", "cow"]), tmp_path)
    mouse, sentence = pictures.page.mouse, pictures.sentence
    mouse.move(*pictures.token("reads", 1))
    expect(sentence).to_have_text("dog reads most: cow about 0.63, it about 0.25, dog about 0.13")
    mouse.click(*pictures.token("reads", 1))
    mouse.move(5, 5)
    expect(sentence).to_have_text("dog reads most: cow about 0.63, it about 0.25, dog about 0.13")
    pictures.page.keyboard.down("Shift")
    mouse.click(*pictures.token("reads", 2))
    pictures.page.keyboard.up("Shift")
    mouse.move(5, 5)
    expect(sentence).to_have_text(
        "dog and cow together read most: cow about 1.13, it about 0.50, dog about 0.37"
    )
    mouse.click(*pictures.token("is read", 0))
    mouse.move(5, 5)
    expect(sentence).to_contain_text("it is read most by: it about 0.70, ")
    expect(sentence).to_contain_text("; 1.20 from all 3 together")
    mouse.click(*pictures.token("is read", 0))
    expect(sentence).to_have_text("unlocked")


def test_choosing_a_head_in_the_grid_moves_the_other_pictures(
    pictures: Pictures, tmp_path: Path
) -> None:
    pictures.open(with_words(), tmp_path)
    matrix = pictures.page.locator(".matrix canvas").first
    before = matrix.evaluate("canvas => canvas.toDataURL()")
    pictures.page.locator(".heads canvas").click(
        position={"x": 24 + 36 * 2 + 18, "y": 18 + 36 + 18}
    )
    expect(pictures.page.locator("[data-drawn='encoder, layer 1, head 2']")).to_be_attached()
    assert matrix.evaluate("canvas => canvas.toDataURL()") != before


def test_the_chosen_head_is_scrolled_into_sight(pictures: Pictures, tmp_path: Path) -> None:
    seen = Trace.from_weights(random_weights(30, 9, 4, 4))
    pictures.open(seen, tmp_path, layer=29, head=8)
    frame = pictures.page.locator(".kinds")
    assert frame.evaluate("kinds => kinds.scrollTop + kinds.clientHeight") >= 29 * 36
    pictures.page.get_by_role("combobox", name="Layer").select_option("0")
    expect(pictures.page.locator("[data-drawn='encoder, layer 0, head 8']")).to_be_attached()
    assert frame.evaluate("kinds => kinds.scrollTop") < 60


def test_heads_are_sorted_by_a_measure(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_words()
    pictures.open(seen, tmp_path)
    pictures.page.get_by_label("Heads by").select_option("entropy")
    best = regard.measure_heads(seen).sort_values("entropy").iloc[-1]
    pictures.page.locator(".heads canvas").click(position={"x": 24 + 18, "y": 18 + 18})
    chosen = f"[data-drawn='encoder, layer {best['layer']}, head {best['head']}']"
    expect(pictures.page.locator(chosen)).to_be_attached()


def test_the_matrix_zooms_and_stays_in_its_frame(pictures: Pictures, tmp_path: Path) -> None:
    count = 300
    pictures.open(Trace.from_weights(random_weights(count, count)), tmp_path)
    frame = pictures.page.locator(".matrix .scroll")
    before = frame.bounding_box()
    assert before
    assert before["width"] <= 900  # a matrix is as wide as the window is high
    for _ in range(12):
        pictures.page.get_by_label("Zoom in").click()
    assert frame.bounding_box() == before
    size = float((pictures.page.locator(".matrix").get_attribute("data-place") or "").split()[2])
    assert size == 40
    pictures.shoot("zoomed")
    pictures.page.locator(".matrix canvas").first.focus()
    pictures.page.keyboard.press("ArrowDown")
    expect(pictures.sentence).to_contain_text("0 reads 0: ")
    assert frame.evaluate("frame => frame.scrollTop") == 0  # it went where the cell is
    pictures.page.get_by_label("Show the whole matrix").click()
    pictures.shoot("whole")


@pytest.mark.parametrize("width", [800, 1280, 1920])
def test_cells_of_few_tokens_fill_the_room(pictures: Pictures, tmp_path: Path, width: int) -> None:
    pictures.page.set_viewport_size({"width": width, "height": 1000})
    pictures.open(Trace.from_weights(random_weights(10, 10)), tmp_path)
    place = pictures.page.locator(".matrix").get_attribute("data-place") or ""
    left, _, size = map(float, place.split())
    assert 30 < size <= 40
    room = pictures.page.locator(".matrix canvas").first.bounding_box()
    assert room
    assert left + 10 * size > 0.85 * room["width"]  # what it leaves, others have


def test_three_rows_of_many_columns_can_be_looked_at_nearer(
    pictures: Pictures, tmp_path: Path
) -> None:
    pictures.open(Trace.from_weights(random_weights(3, 90), kind="cross"), tmp_path)
    for _ in range(8):
        pictures.page.get_by_label("Zoom in").click()
    frame = pictures.page.locator(".matrix .scroll")
    place = pictures.page.locator(".matrix").get_attribute("data-place") or ""
    _, top, size = map(float, place.split())
    assert size == 40
    assert frame.evaluate("frame => frame.clientHeight") >= top + 3 * size - 16


def test_hostile_tokens_are_text(pictures: Pictures, tmp_path: Path) -> None:
    asked: list[str] = []
    pictures.page.on("dialog", lambda dialog: asked.append(dialog.message))
    pictures.open(hostile(), tmp_path)
    for at in range(len(HOSTILE)):
        pictures.page.mouse.move(*pictures.cell(at, 0))
        expect(pictures.sentence).to_contain_text(" reads </script><img src=x onerror=alert(1)>: ")
    pictures.page.mouse.move(*pictures.cell(HOSTILE.index(""), 3))
    expect(pictures.sentence).to_contain_text("(empty) reads a↵b\\u000d\\u0009c")
    pictures.page.mouse.move(*pictures.cell(0, HOSTILE.index("x" * 10_000)))
    assert len(pictures.sentence.text_content() or "") < 200
    assert pictures.page.locator("img").count() == 0
    assert asked == []
    pictures.shoot("hostile")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 900, 1500])
def test_it_fits_the_page_in_light_and_dark(
    pictures: Pictures, seen_by_all: Trace, tmp_path: Path, scheme: Any, width: int
) -> None:
    pictures.page.emulate_media(color_scheme=scheme)
    pictures.page.set_viewport_size({"width": width, "height": 900})
    pictures.open(seen_by_all, tmp_path)
    assert pictures.page.locator("[data-regard]").get_attribute("data-theme") == scheme
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert pictures.page.evaluate(overflow) <= 0
    pictures.page.mouse.move(*pictures.cell(2, 3))
    pictures.shoot(f"{scheme}_{width}")


@pytest.fixture
def seen_by_all(model: Any, tokenizer: Any) -> Trace:
    return regard.trace("the dog did not follow it .", model, tokenizer, target="a cat saw cows")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    browser: Browser, seen_by_all: Trace, tmp_path: Path, scheme: Any
) -> None:
    # axe itself is a script that the page's own policy would not let in
    with closing(browser.new_context(bypass_csp=True, color_scheme=scheme)) as context:
        page = context.new_page()
        Pictures(page, Watch(page)).open(seen_by_all, tmp_path)
        found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []


def test_kinds_stand_side_by_side(pictures: Pictures, seen_by_all: Trace, tmp_path: Path) -> None:
    pictures.open(seen_by_all, tmp_path)
    assert pictures.page.locator(".heads canvas").count() == 3
    pictures.page.get_by_role("combobox", name="Attention").select_option("cross")
    expect(pictures.page.locator("[data-drawn='cross, layer 0, head 0']")).to_be_attached()


def test_tokens_that_were_hidden_before_are_told_of(pictures: Pictures, tmp_path: Path) -> None:
    seen = with_words().merge_words().hide()
    pictures.open(seen, tmp_path)
    share = f"about {seen.hidden_share(0, 0):.0%} of the attention".replace("%", " %")
    expect(pictures.page.locator(".foot")).to_contain_text(f"{share} goes to tokens hidden before")


def test_a_page_of_72_heads_is_small_and_quick(pictures: Pictures, tmp_path: Path) -> None:
    seen = Trace.from_weights(random_weights(6, 12, 128, 128), [f"token{at}" for at in range(128)])
    path = tmp_path / "view.html"
    view(seen).save(path)
    assert path.stat().st_size <= 1_600_000  # of noise, which deflates badly; real heads are less
    pictures.visit(path)
    nodes = pictures.page.evaluate(
        """() => document.querySelectorAll('*').length
            + document.querySelector('[data-regard]').shadowRoot.querySelectorAll('*').length"""
    )
    assert nodes <= 2000
    pictures.shoot("many")


def test_a_damaged_page_says_so(pictures: Pictures, tmp_path: Path) -> None:
    path = tmp_path / "view.html"
    view(with_words()).save(path)
    page = path.read_text("utf-8")
    start = page.index('"heads":{"encoder"')
    at = page.index('"', start + 40) + 20
    path.write_text(page[:at] + "!!" + page[at + 2 :], encoding="utf-8")
    pictures.visit(path)
    expect(pictures.page.get_by_role("alert")).to_contain_text("This page is damaged")


# the front end alone


def test_it_asks_the_kernel_for_heads_and_exact_weights(live: Pictures) -> None:
    seen = with_words()
    page = live.page
    page.evaluate(MOUNT, traits(seen))
    page.locator(".heads canvas").click(position={"x": 24 + 36 + 18, "y": 18 + 36 + 18})
    assert page.evaluate("models[0].traits.selection") == {"kind": "encoder", "layer": 1, "head": 1}
    assert page.evaluate("models[0].saved") == 1
    page.evaluate("weights => models[0].set('weights', revive({weights, thumbnails: []}).weights)",
                  traits(seen, layer=1, head=1)["weights"])  # fmt: skip
    expect(page.locator("[data-drawn='encoder, layer 1, head 1']")).to_be_attached()
    page.get_by_label("words").check()
    assert live.drawn == "encoder, layer 1, head 1"
    page.mouse.move(*live.cell(3, 2))
    question = "models[0].sent.find(({ask}) => ask === 'weight')"
    page.wait_for_function(question)
    asked = page.evaluate(question)
    assert asked == {
        "ask": "weight",
        "id": asked["id"],
        "kind": "encoder",
        "layer": 1,
        "head": 1,
        "queries": [4, 5, 6],
        "keys": [2, 3],
        "among": [[0], [1], [2, 3], [4, 5, 6], [7]],
    }
    reply = f"{{...{question}, answer: 'weight', weight: 0.123456, rank: 1}}"
    page.evaluate(f"models[0].tell('msg:custom', {reply})")
    expect(live.sentence).to_contain_text("unlikely reads cows: 0.1235, its ")
    page.evaluate("models[0].tell('msg:custom', {answer: 'problem', text: 'no <b>kernel</b>'})")
    expect(page.get_by_role("alert")).to_have_text("no <b>kernel</b>")


def test_a_late_reply_is_not_drawn(live: Pictures) -> None:
    page = live.page
    page.evaluate(MOUNT, traits(with_words()))
    asked: list[dict[str, Any]] = []
    for column in (2, 4):
        page.mouse.move(*live.cell(3, column))
        page.wait_for_function(f"models[0].sent.length === {2 + 2 * len(asked)}")
        asked.append(page.evaluate("models[0].sent.at(-2)"))
    reply = """question => models[0].tell('msg:custom',
        {...question, answer: 'weight', weight: 0.123456, rank: 1})"""
    before = live.sentence.inner_text()
    late, last = asked
    for question in (late, {**last, "id": late["id"]}):
        page.evaluate(reply, question)
        assert live.sentence.inner_text() == before
    page.evaluate(reply, last)
    expect(live.sentence).to_contain_text("0.1235")


def test_two_views_of_a_model_ask_under_names_of_their_own(live: Pictures) -> None:
    page = live.page
    sent = traits(with_words())
    sent["weights"] |= {"pixels": (4, 4), "bytes": [0] * 16}  # a map: both ask for its parts
    page.evaluate(MOUNT, sent)
    page.evaluate("""() => window.front.default.render({model: models[0],
        el: document.body.appendChild(document.createElement('div'))})""")
    page.wait_for_function("models[0].sent.length === 2")
    asked = page.evaluate("models[0].sent.map(({ask, id}) => [ask, id])")
    assert [ask for ask, _ in asked] == ["tile", "tile"]
    assert len({name for _, name in asked}) == 2


def test_of_another_text_nothing_of_the_last_one_stays(live: Pictures) -> None:
    page = live.page
    mount_with_kernel(live, view(own_model_trace(), layer=0))
    page.mouse.move(*live.cell(2, 5))
    expect(page.locator(".inside")).to_contain_text("q · k = ")
    page.get_by_label("Heads by").select_option("entropy")
    page.mouse.move(0, 0)
    page.evaluate("""() => {
        const {meta} = models[0].traits;
        const kinds = meta.kinds.map(kind => ({...kind, measures: {}}));
        models[0].set('meta', {...meta, kinds});
    }""")
    expect(live.sentence).to_have_text("encoder self-attention, layer 0, head 0")
    expect(page.locator(".inside")).to_contain_text("Point at a cell")
    expect(page.get_by_label("Heads by")).to_have_value("")


def mount_with_kernel(live: Pictures, shown: AttentionView) -> None:
    """Mount a view whose questions this process answers, as a kernel would."""

    def answer(message: dict[str, Any]) -> list[Any]:
        sent: list[Any] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(AttentionView, "send", lambda _, *parts: sent.append(parts))
            shown._answer(shown, message, [])  # noqa: SLF001
        ((content, *buffers),) = sent
        return [content, [list(part) for part in (buffers or [[]])[0]]]

    def choose(selection: dict[str, Any]) -> dict[str, Any]:
        shown.selection = selection
        return traits_of(shown)

    live.page.expose_function("kernel", answer)
    live.page.expose_function("chosen", choose)
    live.page.expose_function("looked", lambda look: setattr(shown, "look", look))
    live.page.evaluate(WITH_KERNEL, traits_of(shown))


def own_model_trace(sentence: str = "the dog did not follow the cat .") -> Trace:
    """Trace an untrained encoder-decoder."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(vocabulary(300))
    model = regard.build_transformer_model(
        len(tokenizer), 32, nhead=2, num_layers=2, dim_feedforward=32
    )
    return regard.trace(sentence, model, tokenizer, target="lo cano")


def test_a_weight_is_taken_apart(live: Pictures) -> None:
    seen = own_model_trace()
    page = live.page
    mount_with_kernel(live, view(seen, layer=0))
    inside = page.locator(".inside")
    expect(inside).to_contain_text("Point at a cell")
    page.mouse.move(*live.cell(2, 5))
    expect(inside).to_contain_text("q · k = ")
    found = dissect(seen, 0, 0, 2, 5)
    expect(inside).to_contain_text(f"= {float(f'{found.weight:.4g}')}".replace("-", "−"))
    live.drawn  # noqa: B018  waits for it
    assert ink(live, ".inside") > 2
    live.shoot("inside")
    page.locator(".inside canvas").focus()
    page.keyboard.press("ArrowRight")
    q, k = found.query[0], found.key[0]
    expect(live.sentence).to_contain_text(f"dimension 0: {float(f'{q:.3g}')} × {float(f'{k:.3g}')}")
    page.locator(".bar select").first.select_option("decoder")
    expect(page.locator("[data-drawn^='decoder']")).to_be_attached()
    page.mouse.move(*live.cell(1, 2))
    expect(inside).to_contain_text("masked: this query may not read this key")


def test_until_weights_come_nothing_is_said_of_the_next_head(live: Pictures) -> None:
    seen = with_words()
    page = live.page
    page.evaluate(MOUNT, traits(seen))
    live.drawn  # noqa: B018  waits for it
    page.evaluate("models[0].set('selection', {kind: 'encoder', layer: 1, head: 2})")
    assert live.drawn == "encoder, layer 0, head 0"
    expect(page.locator("section")).to_have_attribute("aria-busy", "true")
    page.mouse.move(*live.cell(2, 5))
    page.evaluate("weights => models[0].set('weights', revive({weights, thumbnails: []}).weights)",
                  traits(seen, layer=1, head=2)["weights"])  # fmt: skip
    assert live.drawn == "encoder, layer 1, head 2"
    expect(page.locator("section")).to_have_attribute("aria-busy", "false")
    weight = float(seen.weights(1, 2)[2, 5])
    said = live.sentence.inner_text().split(": about ")[1].split(",")[0].split(" ")[0]
    assert float(said) == pytest.approx(weight, abs=0.005)


def test_where_nothing_is_known_of_queries_it_says_so(live: Pictures) -> None:
    mount_with_kernel(live, view(with_words(), layer=0))
    live.page.mouse.move(*live.cell(2, 5))
    expect(live.page.locator(".inside")).to_contain_text("no queries and keys")


def long_trace(count: int = 5000) -> Trace:
    """Give a causal head in which one query far down reads one key."""
    torch.manual_seed(0)
    query, key = torch.randn(1, count, 8), torch.randn(1, count, 8)
    key[0, 1234] = 12 * query[0, 4321]
    layer = ScoredLayer("decoder", query, key, None, 0.35, is_causal=True)
    side = Side.of_names([f"w{at}" for at in range(count)])
    return Trace(side, Side(), [], {"decoder": {0: layer}}, {"decoder": 1})


def test_a_long_head_is_a_map(live: Pictures) -> None:
    seen = long_trace()
    page = live.page
    mount_with_kernel(live, view(seen))
    live.drawn  # noqa: B018  waits for it
    page.wait_for_timeout(500)
    live.shoot("map")
    expect(page.locator(".lines")).to_be_hidden()
    page.mouse.move(*live.cell(4321, 1234))
    expect(live.sentence).to_contain_text("its strongest of")
    page.keyboard.down("Control")
    for _ in range(14):  # to single cells, around the pointer
        page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    page.wait_for_timeout(500)
    live.shoot("map_zoomed")
    expect(live.sentence).to_contain_text("w4321 reads w1234: ")
    said = re.search(r": ([\d.]+), its strongest of 4322$", live.sentence.inner_text())
    assert said
    assert float(said[1]) == pytest.approx(float(seen.weights(0, 0)[4321, 1234]), rel=1e-3)
    page.mouse.move(0, 0)
    strong, weak = live.cell(4321, 1234), live.cell(4321, 1232)
    for place, is_dark in ((strong, True), (weak, False)):
        colour = page.locator(".matrix canvas").first.evaluate(PIXEL, place)
        assert (sum(colour[:3]) < 150) == is_dark
    page.mouse.click(*strong)
    expect(live.sentence).to_contain_text("w4321 reads most: w1234 ")


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("hide", [False, True])
def test_words_and_hiding_are_those_of_the_trace(
    live: Pictures, *, words: bool, hide: bool
) -> None:
    seen = with_words()
    sent = traits(seen, layer=1, head=2)
    shown = live.page.evaluate(
        """([given, choice]) => {
            const {meta, weights} = revive(given);
            const shown = front.show(meta, meta.kinds[0].layers[1], weights, choice);
            return {...shown, values: [...shown.values]};
        }""",
        [sent, {"words": words, "hide": hide}],
    )
    whole = seen.merge_words() if words else seen
    truth = whole.hide() if hide else whole
    assert shown["rows"]["names"] == truth.tokens
    off = np.abs(np.reshape(shown["values"], (len(truth.tokens), -1)) - truth.weights(1, 2))
    assert off.max() <= shown["rounding"] + 1e-6
    assert shown["hiddenShare"] == pytest.approx(truth.hidden_share(1, 2), abs=0.01)


BROKEN = {
    "truncated": ("t.weights.bytes.pop()", "63 bytes, but 8 x 8 are needed"),
    "another shape": ("t.weights.pixels = [4, 16]", "shape 4,16, but the tokens need 8 x 8"),
    "no number": ("t.weights.scale = NaN", "said to be NaN"),
    "unknown kind": ("t.selection.kind = t.weights.kind = 'x'", 'no attention of kind "x"'),
    "unknown head": ("t.selection.head = t.weights.head = 9", "There is no encoder self-attention"),
    "unknown format": ("t.meta.format = 99", "reads format 4, but was given 99"),
    "cut thumbnails": ("t.thumbnails.pop()", "383 bytes, but 384 are needed"),
    "names missing": ("t.meta.sides[0].names.pop()", "8 x 8 weights, but other names"),
    "nothing": ("t.meta = {}", "was given undefined"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_said_in_the_view(live: Pictures, name: str) -> None:
    harm, said = BROKEN[name]
    spoil = MOUNT.replace("traits =>", f"t => {{ {harm}; return (traits =>") + ")(t)}"
    live.page.evaluate(spoil, traits(with_words()))
    expect(live.page.get_by_role("alert")).to_contain_text(said)


def test_several_views_leave_each_other_and_the_page_alone(live: Pictures) -> None:
    page = live.page
    page.evaluate("document.body.append(Object.assign(document.createElement('button'), "
                  "{id: 'own', textContent: 'own'}))")  # fmt: skip
    style = "JSON.stringify({...getComputedStyle(document.getElementById('own'))})"
    before = page.evaluate(style)
    for layer in (0, 1):
        page.evaluate(MOUNT, traits(with_words(), layer=layer))
    assert page.evaluate(style) == before
    page.locator(".heads canvas").first.click(position={"x": 24 + 36 + 18, "y": 18 + 18})
    assert page.evaluate("models.map(model => model.traits.selection.head)") == [1, 0]
    page.evaluate("models[0].close()")
    assert page.locator("[data-regard]").count() == 1
    assert page.evaluate("models.map(model => model.listening() > 0)") == [False, True]


def test_it_follows_the_notebook_theme(live: Pictures) -> None:
    page = live.page
    page.evaluate(MOUNT, traits(with_words()))
    host = page.locator("[data-regard]")
    expect(host).to_have_attribute("data-theme", "light")
    page.evaluate("""() => {
        document.body.style.setProperty('--jp-ui-font-color1', '#eeeeee');
        document.body.style.setProperty('--jp-layout-color1', '#111111');
        document.body.dataset.jpThemeLight = 'false'; }""")
    expect(host).to_have_attribute("data-theme", "dark")


def test_a_page_is_printed_across_so_that_its_pictures_fit(
    pictures: Pictures, tmp_path: Path
) -> None:
    pictures.open(hostile(), tmp_path)
    printed = pictures.page.pdf(prefer_css_page_size=True)
    assert b"/MediaBox [0 0 792 612]" in printed
    pictures.page.emulate_media(media="print")
    zoom = pictures.page.evaluate("getComputedStyle(document.querySelector('main')).zoom")
    assert 0.6 < float(zoom) <= 0.7


def test_a_dark_page_is_printed_as_ink_on_white(pictures: Pictures, tmp_path: Path) -> None:
    page = pictures.page
    page.emulate_media(color_scheme="dark")
    pictures.open(Trace.from_weights(np.eye(3)), tmp_path)
    expect(page.locator("[data-theme=dark]")).to_be_attached()
    page.evaluate("""() => addEventListener("beforeprint", () => {
        window.printed = document.querySelector('[data-regard]').dataset.theme;
    })""")
    page.pdf()
    assert page.evaluate("window.printed") == "light"
    expect(page.locator("[data-theme=dark]")).to_be_attached()
    place = pictures.cell(0, 1)
    dark = page.locator(".matrix canvas").first.evaluate(PIXEL, place)
    page.emulate_media(media="print")
    expect(page.locator("[data-theme=light]")).to_be_attached()
    pictures.drawn  # noqa: B018  waits for it
    light = page.locator(".matrix canvas").first.evaluate(PIXEL, pictures.cell(0, 1))
    assert sum(light[:3]) > 720
    assert sum(dark[:3]) < 300
    expect(page.locator(".matrix .over")).to_be_hidden()  # a printed canvas is not transparent


@pytest.mark.parametrize("width", [1280, 1920, 2560])
def test_a_page_is_printed_whole_from_a_window_of_any_width(
    pictures: Pictures, tmp_path: Path, width: int
) -> None:
    pictures.page.set_viewport_size({"width": width, "height": width * 9 // 16})
    pictures.open(view(random_weights(80, 80)).trace, tmp_path)
    printed = pictures.page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    zoom = float(pictures.page.evaluate("document.body.style.getPropertyValue('--of-print')"))
    assert zoom * width <= 979  # a page of letter paper, across, without its margins
