"""What it costs to see attention in torch's calls, beside the plain forward pass, and hooks.

One head of one layer, of nanoGPT in GPT-2 small's shape at 2,048 tokens, and of timm's ViT-B/16 at
384 pixels. The floor is the forward pass that keeps nothing, by torch's fused attention; the peer
switches that off, as both models can, and takes the layer's weights by a hook on the dropout after
its softmax. Each case runs in a fresh process, so that the memory is its own: the peak above the
model, and the least CPU time of three runs. `python -m benchmarks.calls`, two minutes; timm's rows
where it is installed. On a GPU: `--device cuda --dtype bfloat16 --tokens 8192`.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, Any

import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

import regard
from benchmarks.tracing import HEAD, LAYER, MB, RUNS, peak_bytes, timed

WIDTH, HEADS, LAYERS, VOCABULARY, TOKENS, PIXELS = 768, 12, 12, 50257, 2048, 384


class CausalSelfAttention(nn.Module):
    """nanoGPT's, by torch's fused function or by a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.attn_drop = nn.Dropout(0.0)
        self.fused_attn = True

    def forward(self, x: Tensor) -> Tensor:
        """Attend: (B, T, d) -> (B, T, d)."""
        length = x.size(1)
        parts = self.c_attn(x).split(WIDTH, dim=2)
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in parts)
        if self.fused_attn:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-2, -1)) * k.size(-1) ** -0.5
            future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(future, float("-inf"))
            y = self.attn_drop(F.softmax(scores, dim=-1)) @ v
        written: Tensor = self.c_proj(y.transpose(1, 2).flatten(-2))
        return written


class Block(nn.Module):
    """Attention, then a layer that widens."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = CausalSelfAttention()
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Read and write: (B, T, d) -> (B, T, d)."""
        x = x + self.attn(self.ln_1(x))
        written: Tensor = x + self.mlp(self.ln_2(x))
        return written


class GPT(nn.Module):
    """A writer of GPT-2 small's shape, without its classifier: the trace is of what is below."""

    def __init__(self, tokens: int, layers: int = LAYERS) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(tokens, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(layers))

    def forward(self, ids: Tensor) -> Tensor:
        """Read ids: (B, T) -> (B, T, d)."""
        x: Tensor = self.wte(ids) + self.wpe(torch.arange(ids.size(1), device=ids.device))
        for block in self.blocks:
            x = block(x)
        return x


def gpt(tokens: int) -> tuple[nn.Module, Tensor, Tensor]:
    """Build nanoGPT, a long text, and a short one."""
    ids = torch.randint(VOCABULARY, (1, tokens))
    return GPT(tokens), ids, ids[:, :64]


def vit(_: int) -> tuple[nn.Module, Tensor, Tensor]:
    """Build timm's ViT-B/16 and a picture."""
    import timm  # noqa: PLC0415

    model = timm.create_model("vit_base_patch16_384", pretrained=False)
    picture = torch.randn(1, 3, PIXELS, PIXELS)
    return model, picture, picture


def plain(model: nn.Module, inputs: Tensor) -> None:
    """Run the model and keep nothing: the floor."""
    with torch.no_grad():
        model(inputs)


def one_layer(model: nn.Module, inputs: Tensor) -> None:
    """Trace one layer, and compute no weights."""
    regard.trace(inputs, model, layers=[LAYER], values=False)


def one_head(model: nn.Module, inputs: Tensor) -> None:
    """Trace one layer and compute the weights of one head."""
    seen = regard.trace(inputs, model, layers=[LAYER], values=False)
    seen.weights(LAYER, HEAD)


def every_layer(model: nn.Module, inputs: Tensor) -> None:
    """Trace all layers, with their values, and compute the weights of one head."""
    regard.trace(inputs, model).weights(LAYER, HEAD)


def cut(model: nn.Module, inputs: Tensor) -> None:
    """Run the model without one head."""
    kind = "decoder" if isinstance(model, GPT) else "encoder"
    with regard.ablate(model, [(kind, LAYER, HEAD)]):
        plain(model, inputs)


def hook_of_one(model: nn.Module, inputs: Tensor) -> None:
    """Switch fused attention off in one layer, and take its weights: who knows the model can."""
    _hooked(model, inputs, [LAYER])


def hooks_of_all(model: nn.Module, inputs: Tensor) -> None:
    """Switch fused attention off in all layers, and take all their weights."""
    _hooked(model, inputs, range(LAYERS))


def _hooked(model: Any, inputs: Tensor, layers: Any) -> None:
    found: list[Tensor] = []
    handles = []
    for attention in [model.blocks[number].attn for number in layers]:
        attention.fused_attn = False
        note = attention.attn_drop.register_forward_hook(lambda *args: found.append(args[2][0]))
        handles.append(note)
    plain(model, inputs)
    for handle in handles:
        handle.remove()
    found[0][HEAD].float().cpu().numpy()


Build = Callable[[int], tuple[nn.Module, Tensor, Tensor]]

MODELS: dict[str, Build] = {"nanoGPT": gpt, f"timm's ViT-B/16, {PIXELS} pixels": vit}
CASES: dict[str, Callable[[nn.Module, Tensor], None]] = {
    "plain forward": plain,
    "regard, one layer, no weights": one_layer,
    "regard, one head": one_head,
    "regard, one head of a trace of all": every_layer,
    "regard, forward without a head": cut,
    "hook, one layer by a softmax": hook_of_one,
    "hooks, all layers by a softmax": hooks_of_all,
}


def main(
    tokens: Annotated[int, typer.Option(help="How long nanoGPT's text is.")] = TOKENS,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    model: Annotated[str, typer.Option(help="Run one case of this model here.")] = "",
    case: Annotated[str, typer.Option(help="Which case, and print JSON.")] = "",
) -> None:
    """Run the cases, each in a process of its own, and print them beside the floor."""
    torch.set_num_threads(1)
    if case:
        print(json.dumps(run(MODELS[model], CASES[case], tokens, device, getattr(torch, dtype))))
        return
    for name, build in MODELS.items():
        if build is vit and not importlib.util.find_spec("timm"):
            continue
        print(f"{name}, {tokens:,} tokens of a text, {device}, {dtype}, 1 thread")
        floor: dict[str, float] = {}
        for of_case in CASES:
            options = [f"--tokens={tokens}", f"--device={device}", f"--dtype={dtype}"]
            options += [f"--model={name}", f"--case={of_case}"]
            command = [sys.executable, "-m", "benchmarks.calls", *options]
            found = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])
            floor = floor or found
            print(
                f"{of_case:35} {found['seconds']:7.3f} s {found['seconds'] / floor['seconds']:6.2f}"
                f" x {found['mb']:7.0f} MB {found['mb'] / floor['mb']:6.2f} x",
                flush=True,
            )


def run(
    build: Build,
    case: Callable[[nn.Module, Tensor], None],
    tokens: int,
    device: str,
    dtype: torch.dtype,
) -> dict[str, float]:
    """Give the least seconds of a few runs, and the peak memory above the model in MB."""
    torch.manual_seed(0)
    model, inputs, short = build(tokens)
    model.eval().to(device, dtype)
    inputs, short = (
        x.to(device, dtype if x.is_floating_point() else None) for x in (inputs, short)
    )
    if device == "cuda" or inputs.shape != short.shape:
        case(model, short)  # what is loaded and built once
    before = peak_bytes(device)
    seconds = [timed(lambda: case(model, inputs), device)]
    above = peak_bytes(device) - before  # of one run: later ones find memory in pieces
    seconds += [timed(lambda: case(model, inputs), device) for _ in range(RUNS - 1)]
    return {"seconds": min(seconds), "mb": above / MB}


if __name__ == "__main__":
    typer.run(main)
