"""What the grid costs where a model has 6,400 heads: switching the head, scrolling, pointing.

80 layers x 80 heads with thumbnails of 32 x 32 pixels, at two and at three pixels of the screen a
CSS pixel too. A switch counts from the kernel's answer until a frame has shown it; a scrolled frame
is the script's work and painting in it, as the browser's own times between frames say.

`python -m benchmarks.grid`: half a minute.
"""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, sync_playwright

from regard.record.trace import Trace
from regard.viewer.page import FRONT_END
from regard.viewer.widget import view
from tools.find_browser import find_browser

LAYERS, HEADS, TOKENS = 80, 80, 32
AIMS = {"switch": 150, "scroll": 16, "sort": 150, "point": 16}  # ms
LABELS = {
    "switch": "another head, to drawn",
    "scroll": "scrolling, a frame",
    "sort": "another order, to drawn",
    "point": "pointing, a frame",
}
MANY = """async ([source, traits]) => {
    const front = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
    const ears = {};
    traits.thumbnails = Uint8Array.from(atob(traits.thumbnails), one => one.charCodeAt(0));
    const all = traits.thumbnails;
    const weightsOf = ({layer, head}) => ({...traits.selection, pixels: [32, 32], scale: 1,
        bytes: all.slice(1024 * (80 * layer + head), 1024 * (80 * layer + head + 1))});
    traits.weights = weightsOf(traits.selection);
    const model = { get: name => traits[name], set(name, value) { traits[name] = value; },
        save_changes() {}, off() {}, on: (event, ear) => ears[event] = ear };
    front.mount(document.body, model);
    const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    await frame(); await frame();
    const root = document.querySelector('[data-regard]').shadowRoot;
    const frames = root.querySelector('.kinds');
    const times = {switch: [], scroll: [], sort: [], point: []};
    for (let run = 0; run < 12; run++) {
        const start = performance.now();
        traits.selection = {kind: 'encoder', layer: 7 * run % 80, head: 13 * run % 80};
        ears['change:selection']();
        traits.weights = weightsOf(traits.selection);
        ears['change:weights']();
        await frame();
        times.switch.push(performance.now() - start);
    }
    const raf = () => new Promise(requestAnimationFrame);
    const scroll = async element => {
        let last = await raf();
        for (let run = 0; run < 40; run++) {
            element.scrollTop = 53 * run;
            element.scrollLeft = 31 * run;
            const now = await raf();
            if (run > 1) times.scroll.push(now - last);
            last = now;
        }
    };
    await scroll(frames);
    const menu = [...root.querySelectorAll('.bar select')].at(-1);
    for (let run = 0; run < 12; run++) {
        const start = performance.now();
        menu.selectedIndex = run % 6;
        menu.dispatchEvent(new Event('change'));
        await frame();
        times.sort.push(performance.now() - start);
    }
    menu.selectedIndex = 1;
    menu.dispatchEvent(new Event('change'));
    await frame();
    await scroll(frames);
    const canvas = root.querySelector('.heads canvas');
    for (let run = 0; run < 20; run++) {
        const event = new PointerEvent('pointermove', {bubbles: true});
        Object.defineProperty(event, 'offsetX', {value: 40 + 19 * run});
        Object.defineProperty(event, 'offsetY', {value: 40 + 19 * run});
        const start = performance.now();
        canvas.dispatchEvent(event);
        await frame();
        times.point.push(performance.now() - start);
    }
    return times; }"""


def many_heads() -> dict[str, Any]:
    """Give what a kernel would send of so many heads."""
    rng = np.random.default_rng(0)
    shape = (LAYERS, HEADS, TOKENS, TOKENS)
    scores: NDArray[np.float32] = np.exp(2 * rng.normal(size=shape).astype(np.float32))
    names = [f"token{at}" for at in range(TOKENS)]
    shown = view(Trace.from_weights(scores / scores.sum(-1, keepdims=True), names))
    traits = {name: getattr(shown, name) for name in ("meta", "selection", "look")}
    return traits | {"thumbnails": b64encode(shown.thumbnails).decode("ascii")}


def measure(browser: Browser, traits: dict[str, Any], ratio: float) -> Iterator[str]:
    """Time what a person does, on a screen of so many pixels a CSS pixel."""
    size = {"width": 1400, "height": 900}
    context = browser.new_context(viewport=size, device_scale_factor=ratio)  # type: ignore[arg-type]
    page = context.new_page()
    times = page.evaluate(MANY, [FRONT_END.read_text("utf-8"), traits])
    context.close()
    for what, label in LABELS.items():
        some = times[what][1:]
        middle = float(np.median(some))
        said = "met" if middle <= AIMS[what] + 1 else "MISSED"
        yield (
            f"  {label:<24} {middle:7.1f} ms ({min(some):.1f} to {max(some):.1f}), "
            f"aim {AIMS[what]}: {said}"
        )


def main() -> None:
    """Print a line a figure."""
    traits = many_heads()
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=find_browser(), args=options)
        for ratio in (1, 2, 3):
            print(f"{LAYERS} x {HEADS} heads, {ratio} pixels a CSS pixel")
            for line in measure(browser, traits, ratio):
                print(line, flush=True)
        browser.close()


if __name__ == "__main__":
    main()
