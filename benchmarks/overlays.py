"""Where does each word look in the picture: beside a picture a word, as scripts for that draw them.

The trace is of a LLaVA's shape, with fewer heads: 576 patches of a picture and 20 words after them,
12 x 12 heads, softmaxes of noise. Such scripts take one head, and for each word lay its patches out
as a grid, upsample that to the picture, and draw both into a figure and a file of its own. Here
that is done for 20 words of one head, beside `plot_words_on_image`, which draws the same 20 in one
figure, and beside a page with all words and all heads. All draw the same weights; what the model
takes is not in it. Seconds are of the CPU, the middle of three.

`python -m benchmarks.overlays`, a minute.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
import typer

import regard
from regard.record.places import Pixels
from regard.record.trace import Trace

GRID, WORDS = 24, 20  # patches in a row and in a column; words that read them
LAYERS, HEADS = 12, 12
WIDTH, HEIGHT = 640, 480
SPREAD = 2.5  # standard deviation of the scores
LAYER, HEAD = 6, 6
RUNS = 3


def main() -> None:
    """Time three ways to see the same, in turn."""
    torch.set_num_threads(1)
    mpl.use("agg")
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    seen = seen_by_words(picture, random)
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, Callable[[Path], object]] = {
            "a figure a word, 20 words of one head": partial(a_figure_a_word, seen, picture),
            "plot_words_on_image, the same": partial(one_figure, seen),
            f"view(...).save, all words, {LAYERS} x {HEADS} heads": partial(page, seen),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(RUNS):
            for name, draw in ways.items():
                began = time.process_time()
                draw(Path(folder))
                times[name].append(time.process_time() - began)
        floor = float(np.median(next(iter(times.values()))))
        for name, seconds in times.items():
            middle, spread = float(np.median(seconds)), f"{min(seconds):.2f} to {max(seconds):.2f}"
            print(f"{name:46} {middle:5.2f} s ({spread}) = {middle / floor:.2f} x")
        print(f"the page: {(Path(folder) / 'x.html').stat().st_size / 1e6:.1f} MB")


def seen_by_words(picture: Pixels, random: np.random.Generator) -> Trace:
    """Give 576 patches and 20 words after them, each of which reads what stands before it."""
    length = GRID**2 + WORDS
    weights = np.empty((LAYERS, HEADS, length, length), dtype=np.float32)
    ahead = np.triu(np.full((length, length), -np.inf, dtype=np.float32), 1)
    for layer in weights:
        scores = random.normal(0, SPREAD, layer.shape).astype(np.float32) + ahead
        layer[:] = torch.from_numpy(scores).softmax(-1).numpy()
    names = [f"patch {number}" for number in range(GRID**2)]
    seen = Trace.from_weights(weights, [*names, *(f"word{number}" for number in range(WORDS))])
    places = [*regard.grid(GRID, GRID, picture), *[None] * WORDS]
    return regard.place(seen, places, images=picture)


def a_figure_a_word(seen: Trace, picture: Pixels, folder: Path) -> None:
    """Draw as scripts do: a grid, upsampled, half transparent over the picture, a file a word."""
    weights = torch.from_numpy(seen.weights(LAYER, HEAD))
    for word in range(WORDS):
        grid = weights[GRID**2 + word, : GRID**2].reshape(1, 1, GRID, GRID)
        mask = F.interpolate(grid, (HEIGHT, WIDTH), mode="bilinear")[0, 0]
        mask = (mask - mask.min()) / (mask.max() - mask.min())
        figure, ax = plt.subplots()
        ax.imshow(picture)
        ax.imshow(mask.numpy(), cmap="jet", alpha=0.5)
        ax.set_title(seen.tokens[GRID**2 + word])
        ax.axis("off")
        figure.savefig(folder / f"{word}.png")
        plt.close(figure)


def one_figure(seen: Trace, folder: Path) -> None:
    """Draw the same words into one figure, with one scale."""
    axes = regard.plot_words_on_image(seen, LAYER, HEAD, range(GRID**2, GRID**2 + WORDS))
    axes[0].figure.savefig(folder / "words.png")
    plt.close(axes[0].figure)


def page(seen: Trace, folder: Path) -> None:
    """Save a page in which every word of every head can be pointed at."""
    regard.view(seen).save(folder / "x.html")


if __name__ == "__main__":
    typer.run(main)
