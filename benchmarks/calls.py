"""What it costs to see attention in torch's calls, beside the plain forward pass, and hooks.

One head of one layer, of nanoGPT in GPT-2 small's shape at 2,048 tokens, and of timm's ViT-B/16 at
384 pixels. The floor is the forward pass that keeps nothing, by torch's fused attention; the peer
switches that off, as both models can, and takes the layer's weights by a hook on the dropout after
its softmax. Each case runs in a fresh process, so that the memory is its own: the peak above the
model, and the least CPU time of three runs. `python -m benchmarks.calls`, two minutes; timm's rows
where it is installed.
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
        self.register_buffer("bias", torch.ones(TOKENS, TOKENS, dtype=torch.bool).tril())

    def forward(self, x: Tensor) -> Tensor:
        """Attend: (B, T, d) -> (B, T, d)."""
        length = x.size(1)
        parts = self.c_attn(x).split(WIDTH, dim=2)
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in parts)
        if self.fused_attn:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-2, -1)) * k.size(-1) ** -0.5
            may = self.get_buffer("bias")[:length, :length]
            scores = scores.masked_fill(~may, float("-inf"))
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

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(TOKENS, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))

    def forward(self, ids: Tensor) -> Tensor:
        """Read ids: (B, T) -> (B, T, d)."""
        x: Tensor = self.wte(ids) + self.wpe(torch.arange(ids.size(1)))
        for block in self.blocks:
            x = block(x)
        return x


def gpt() -> tuple[nn.Module, Tensor, Tensor]:
    """Build nanoGPT, a long text, and a short one."""
    ids = torch.randint(VOCABULARY, (1, TOKENS))
    return GPT(), ids, ids[:, :64]


def vit() -> tuple[nn.Module, Tensor, Tensor]:
    """Build timm's ViT-B/16 and a picture."""
    import timm  # noqa: PLC0415

    model = timm.create_model("vit_base_patch16_384", pretrained=False)
    picture = torch.randn(1, 3, PIXELS, PIXELS)
    return model, picture, picture


def plain(model: nn.Module, inputs: Tensor) -> None:
    """Run the model and keep nothing: the floor."""
    with torch.no_grad():
        model(inputs)


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
    found[0][HEAD].numpy()


MODELS: dict[str, Callable[[], tuple[nn.Module, Tensor, Tensor]]] = {
    f"nanoGPT, {TOKENS:,} tokens": gpt,
    f"timm's ViT-B/16, {PIXELS} pixels": vit,
}
CASES: dict[str, Callable[[nn.Module, Tensor], None]] = {
    "plain forward": plain,
    "regard, one head": one_head,
    "regard, one head of a trace of all": every_layer,
    "regard, forward without a head": cut,
    "hook, one layer by a softmax": hook_of_one,
    "hooks, all layers by a softmax": hooks_of_all,
}


def main(
    model: Annotated[str, typer.Option(help="Run one case of this model here.")] = "",
    case: Annotated[str, typer.Option(help="Which case, and print JSON.")] = "",
) -> None:
    """Run the cases, each in a process of its own, and print them beside the floor."""
    torch.set_num_threads(1)
    if case:
        print(json.dumps(run(MODELS[model], CASES[case])))
        return
    for name, build in MODELS.items():
        if build is vit and not importlib.util.find_spec("timm"):
            continue
        print(f"{name}, cpu, float32, 1 thread")
        floor: dict[str, float] = {}
        for of_case in CASES:
            options = [f"--model={name}", f"--case={of_case}"]
            command = [sys.executable, "-m", "benchmarks.calls", *options]
            found = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])
            floor = floor or found
            print(
                f"{of_case:35} {found['seconds']:7.2f} s {found['seconds'] / floor['seconds']:6.2f}"
                f" x {found['mb']:7.0f} MB {found['mb'] / floor['mb']:6.2f} x"
            )


def run(
    build: Callable[[], tuple[nn.Module, Tensor, Tensor]], case: Callable[[nn.Module, Tensor], None]
) -> dict[str, float]:
    """Give the least seconds of a few runs, and the peak memory above the model in MB."""
    torch.manual_seed(0)
    model, inputs, short = build()
    model.eval()
    if short is not inputs:
        case(model, short)  # what is loaded and built once
    before = peak_bytes("cpu")
    seconds = [timed(lambda: case(model, inputs), "cpu")]
    above = peak_bytes("cpu") - before  # of one run: later ones find memory in pieces
    seconds += [timed(lambda: case(model, inputs), "cpu") for _ in range(RUNS - 1)]
    return {"seconds": min(seconds), "mb": above / MB}


if __name__ == "__main__":
    typer.run(main)
