"""What a head of a long text costs as a map, beside that head's plain attention in the same run.

The floor is `scaled_dot_product_attention` of one head, which keeps no weights. Drawn are the whole
and some parts, of 1,024 x 1,024 pixels at most. `python -m benchmarks.tiles`, about half a minute.
"""

import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated

import torch
import torch.nn.functional as F
import typer

from regard.record.layers import ScoredLayer
from regard.viewer.tiles import HeadMap, Part

PIXELS = 1024
RUNS = 3


def main(
    tokens: Annotated[int, typer.Option(help="How long the text is.")] = 32768,
    size: Annotated[int, typer.Option(help="d_k, the size of a query.")] = 64,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
) -> None:
    """Time the overview and parts of a head, with a causal mask and without."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, tokens, size)
    print(f"one head, {tokens:,} tokens, d_k = {size}, {threads} threads")
    for is_causal in (False, True):
        layer = ScoredLayer("decoder", query, key, None, size**-0.5, is_causal=is_causal)
        batch = (query[None], key[None], value[None])  # else torch takes a slow way
        floor = fastest(partial(F.scaled_dot_product_attention, *batch, is_causal=is_causal))
        before = peak_mb()
        overview = fastest(partial(HeadMap, layer, 0))
        print(
            f"{'causal' if is_causal else 'all':7} plain {floor:.2f} s, overview {overview:.2f} s "
            f"= {overview / floor:.2f} x, {peak_mb() - before:.0f} MB more"
        )
        whole = HeadMap(layer, 0)
        for side in (tokens, tokens // 2, 4096, 2048, 256, 32):
            first = tokens // 2 - side // 2
            part = Part(first, first + side, first, first + side)
            seconds = fastest(partial(whole.tile, part, PIXELS, PIXELS))
            print(f"        {side:6} x {side:6} tokens: {1000 * seconds:5.0f} ms")


def fastest(call: Callable[[], object]) -> float:
    """Give the least seconds of a few runs."""
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def peak_mb() -> float:
    """Give the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


if __name__ == "__main__":
    typer.run(main)
