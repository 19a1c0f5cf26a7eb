"""What a trace costs beside the plain forward pass, on a model of GPT-2 small's shape.

Each case runs in a fresh process, so that the memory is its own: the peak above the model, and the
least CPU time of a few runs. The floor is the forward pass under sdpa that keeps nothing; the peer
is eager with `output_attentions=True`, and TransformerLens with its cache, where it is installed.
`python -m benchmarks.tracing`, about three minutes; `--tokens 16384` for long texts, where the
peers, which would take 155 GB, are left out.
"""

import importlib.util
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import torch
import typer
from torch import Tensor
from transformers import AutoModel, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from regard.measures.heads import measure_heads
from regard.tracing.run import trace

LAYER, HEAD = 5, 3
LONGEST_FOR_PEERS = 4096
RUNS = 3
MB = 2**20


def plain(model: PreTrainedModel, ids: Tensor) -> None:
    """Run the model and keep nothing: the floor."""
    with torch.no_grad():
        model(input_ids=ids, use_cache=False)


def eager(model: PreTrainedModel, ids: Tensor) -> None:
    """Ask transformers for all weights: the peer."""
    model.set_attn_implementation("eager")
    with torch.no_grad():
        model(input_ids=ids, use_cache=False, output_attentions=True)


def one_head(model: PreTrainedModel, ids: Tensor) -> None:
    """Trace one layer and compute the weights of one head."""
    trace(ids, model, layers=[LAYER], values=False).weights(LAYER, HEAD)


def every_layer(model: PreTrainedModel, ids: Tensor) -> None:
    """Trace all layers, with their values, and compute the weights of one head."""
    trace(ids, model).weights(LAYER, HEAD)


def measures(model: PreTrainedModel, ids: Tensor) -> None:
    """Measure all heads of all layers."""
    measure_heads(trace(ids, model, values=False))


def lens_one_head(model: Any, ids: Tensor) -> None:
    """Let TransformerLens keep the weights of one layer."""
    model.run_with_cache(ids, names_filter=f"blocks.{LAYER}.attn.hook_pattern")


def lens(model: Any, ids: Tensor) -> None:
    """Let TransformerLens keep the weights of all layers."""
    model.run_with_cache(ids, names_filter=lambda name: name.endswith("hook_pattern"))


CASES: dict[str, Callable[[Any, Tensor], None]] = {
    "plain forward": plain,
    "regard, one head": one_head,
    "regard, one head of a trace of all": every_layer,
    "regard, measures of all heads": measures,
    "eager, output_attentions": eager,
    "TransformerLens, one layer": lens_one_head,
    "TransformerLens, all layers": lens,
}


def main(
    tokens: Annotated[int, typer.Option(help="How long the text is.")] = 2048,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    case: Annotated[str, typer.Option(help="Run one case here, and print JSON.")] = "",
) -> None:
    """Run the cases, each in a process of its own, and print them beside the floor."""
    if case:
        torch.set_num_threads(threads)
        print(json.dumps(run(CASES[case], tokens, device, getattr(torch, dtype))))
        return
    print(f"GPT-2 small's shape, {tokens:,} tokens, {device}, {dtype}, {threads} threads")
    floor: dict[str, float] = {}
    for name in CASES:
        if not is_due(name, tokens):
            continue
        options = {"tokens": tokens, "device": device, "dtype": dtype, "threads": threads}
        arguments = [f"--{key}={value}" for key, value in options.items()]
        command = [sys.executable, "-m", "benchmarks.tracing", f"--case={name}", *arguments]
        found = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])
        floor = floor or found
        print(
            f"{name:35} {found['seconds']:7.2f} s {found['seconds'] / floor['seconds']:6.2f} x "
            f"{found['mb']:7.0f} MB {found['mb'] / floor['mb']:6.2f} x"
        )


def is_due(name: str, tokens: int) -> bool:
    """Leave out peers that are not installed, or would not fit into memory."""
    if name.startswith("TransformerLens") and not importlib.util.find_spec("transformer_lens"):
        return False
    return name.startswith(("plain", "regard")) or tokens <= LONGEST_FOR_PEERS


def run(
    case: Callable[[Any, Tensor], Any], tokens: int, device: str, dtype: torch.dtype
) -> dict[str, float]:
    """Give the least seconds of a few runs, and the peak memory above the model in MB."""
    torch.manual_seed(0)
    config = GPT2Config(n_positions=max(tokens, 1024))
    build = build_lens if case in {lens, lens_one_head} else build_model
    model = build(config).eval().to(device, dtype)
    ids = torch.randint(config.vocab_size, (1, tokens), device=device)
    case(model, ids[:, :64])  # what is loaded and built once
    before = peak_bytes(device)
    seconds = [timed(lambda: case(model, ids), device)]
    above = peak_bytes(device) - before  # of one run: later ones find memory in pieces
    more = RUNS - 1 if tokens <= LONGEST_FOR_PEERS else 0
    seconds += [timed(lambda: case(model, ids), device) for _ in range(more)]
    return {"seconds": min(seconds), "mb": above / MB}


def build_model(config: GPT2Config) -> PreTrainedModel:
    """Build the model that transformers runs, with random weights."""
    return AutoModel.from_config(config)


def build_lens(config: GPT2Config) -> Any:
    """Build a model of the same shape that TransformerLens runs, with random weights."""
    from transformer_lens.model_bridge.sources._bridge_builder import (  # noqa: PLC0415  a peer
        build_bridge_from_module,
    )

    model = GPT2LMHeadModel(config).eval()
    return build_bridge_from_module(model, "GPT2LMHeadModel", hf_config=config)


def timed(call: Callable[[], None], device: str) -> float:
    """Give the CPU seconds of a call, or the seconds until the GPU has done its work."""
    clock = time.perf_counter if device == "cuda" else time.process_time
    started = clock()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - started


def peak_bytes(device: str) -> int:
    """Give the most memory that this process has held so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


if __name__ == "__main__":
    typer.run(main)
