"""How well labels are read: the contrast of ink and ground in the pixels of a screenshot."""

import io
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page

ENOUGH = 4.5  # WCAG 2.2, 1.4.3
LEAST_PIXELS = 4  # of an ink, so that no single pixel passes for it

# Every text in sight, menus, and the parts of canvases in which names and numbers stand; of each
# what it is and where: x, y, width, height.
LABELS = """host => {
    const root = host.shadowRoot;
    const found = [];
    const add = (what, seen, {x, y, width, height}) => {
        const [right, bottom] = [innerWidth - x - width, innerHeight - y - height];
        const isWhole = [x, y, right, bottom].every(room => room >= 0);
        const top = root.elementFromPoint(x + width / 2, y + height / 2);
        if (width > 4 && height > 4 && isWhole && top && seen.contains(top)) {
            found.push([what, [x, y, width, height]]);
        }
    };
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const {data, parentElement} = texts.currentNode;
        const range = document.createRange();
        range.selectNodeContents(texts.currentNode);
        const name = `${parentElement.localName} ${data.trim().slice(0, 20)}`;
        if (data.trim()) {
            [...range.getClientRects()].forEach(place => add(name, parentElement, place));
        }
    }
    for (const menu of root.querySelectorAll('select')) {
        const {x, y, width, height} = menu.getBoundingClientRect();
        const inside = {x: x + 2, y: y + 2, width: width - 4, height: height - 4};
        add(`select ${menu.value}`, menu, inside);
    }
    const part = (what, selector, cut) => {
        const canvas = root.querySelector(selector);
        if (!canvas?.checkVisibility()) return;
        const box = canvas.getBoundingClientRect();
        const [x, y, width, height] = cut(box);
        add(what, canvas, {x: box.x + x, y: box.y + y, width, height});
    };
    const [left, top] = root.querySelector('.matrix').dataset.place.split(' ').map(Number);
    part('numbers of layers', '.heads canvas', ({height}) => [0, 18, 22, height - 20]);
    part('numbers of heads', '.heads canvas', ({width}) => [24, 0, width - 26, 16]);
    part('names of rows', '.matrix canvas', ({height}) => [18, top, left - 21, height - top - 4]);
    part('names of columns', '.matrix canvas', ({width}) => [left, 18, width - left - 4, top - 21]);
    part('is read', '.matrix canvas', ({width}) => [left, 0, width - left - 4, 17]);
    part('reads', '.matrix canvas', () => [0, top, 17, 60]);
    part('names that read', '.lines canvas', ({height}) => [0, 24, 44, height - 28]);
    part('names that are read', '.lines canvas',
        ({width, height}) => [width - 44, 24, 44, height - 28]);
    part('heads of lines', '.lines canvas', () => [0, 0, 60, 20]);
    part('ticks', '.legend canvas', ({width}) => [0, 17, width, 15]);
    part('charts', '.inside canvas', () => [0, 0, 120, 17]);
    return found;
}"""


def pixels_of(page: Page, **options: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(page.screenshot(**options))).convert("RGB"))


def contrast_at(page: Page, place: list[float]) -> float:
    """Measure what is read in a place: x, y, width, height."""
    clip = dict(zip(("x", "y", "width", "height"), place, strict=True))
    return contrast_in(pixels_of(page, clip=clip))


def contrasts(page: Page) -> dict[str, float]:
    """Measure every label of the view that is in sight."""
    labels: list[tuple[str, list[float]]] = page.locator("[data-regard]").evaluate(LABELS)
    width = page.evaluate("innerWidth")
    pixels = pixels_of(page)
    ratio = pixels.shape[1] / width
    measured: dict[str, float] = {}
    for what, (x, y, wide, high) in labels:
        left, top = int(x * ratio), int(y * ratio)
        part = pixels[top : int((y + high) * ratio), left : int((x + wide) * ratio)]
        measured[what] = min(contrast_in(part), measured.get(what, np.inf))
    return measured


def contrast_in(part: np.ndarray[Any, np.dtype[np.uint8]]) -> float:
    """Give the contrast of the commonest colour, the ground, and of what stands off it most."""
    colours, counts = np.unique(part.reshape(-1, 3), axis=0, return_counts=True)
    ground = luminance(colours[counts.argmax()])
    inks = luminance(np.repeat(colours, counts, axis=0))
    ratios = (np.maximum(inks, ground) + 0.05) / (np.minimum(inks, ground) + 0.05)
    return float(np.sort(ratios)[-LEAST_PIXELS])


def luminance(rgb: np.ndarray[Any, Any]) -> Any:
    """Give the relative luminance of WCAG 2."""
    parts = rgb / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]
