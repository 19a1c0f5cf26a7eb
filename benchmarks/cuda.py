"""Whether attention is seen as exactly on a GPU, whichever kernel computes it, and cut the same.

Models that attend through `scaled_dot_product_attention`, under each of torch's kernels that takes
them, in each precision. The truth is independent: nanoGPT's queries and keys, by a hook on its
projection, softmaxed in double precision; the models of transformers under eager, in float32, with
the same rounded weights; timm's ViT with its fused attention switched off. All have their weights
drawn wide enough that a head looks at something. A head is cut by `regard.ablate` beside a hook
that zeroes it before the output projection.
`python -m benchmarks.cuda`; without a GPU it says so. Costs there: `python -m benchmarks.calls
--device cuda --tokens 8192 --dtype bfloat16`, and `benchmarks.tracing` with the same options.
"""

import contextlib
import copy
import importlib.util
import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AutoModel, BertConfig, GPT2Config, LlamaConfig, ViTConfig

import regard
from benchmarks.calls import GPT, HEADS, WIDTH

DEVICE = "cuda"
LAYER, HEAD = 1, 3
VOCABULARY = 1000
KERNELS = {
    "math": SDPBackend.MATH,
    "flash": SDPBackend.FLASH_ATTENTION,
    "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
}
EXACT = 1e-5  # of the same queries and keys
# Of a run in float32, whose queries and keys are not rounded as the model's own are.
ALLOWED = {torch.float32: EXACT, torch.float16: 5e-3, torch.bfloat16: 3e-2}

Truth = Callable[[nn.Module, Any], Tensor]


@dataclass(frozen=True)
class Case:
    """A model, its inputs, the true weights of `LAYER`, and where its heads are joined."""

    name: str
    build: Callable[[int], tuple[nn.Module, Any]]
    truth: Truth
    kind: str
    projection: str  # of the layer `LAYER`: what its heads, joined, are given to


def nano_gpt(tokens: int) -> tuple[nn.Module, Any]:
    """Build nanoGPT, pasted in."""
    return GPT(tokens, layers=2), torch.randint(VOCABULARY, (1, tokens), device=DEVICE)


def by_hand(model: nn.Module, inputs: Any) -> Tensor:
    """Softmax what nanoGPT's projection wrote: (h, T, T), in double precision."""
    written: list[Tensor] = []
    projection = model.get_submodule(f"blocks.{LAYER}.attn.c_attn")
    note = projection.register_forward_hook(lambda *args: written.append(args[2][0]))
    with note, torch.no_grad():
        model(inputs)
    query, key, _ = written[0].split(WIDTH, dim=-1)
    query, key = (x.unflatten(-1, (HEADS, -1)).transpose(0, 1) for x in (query, key))
    future = torch.ones(len(written[0]), len(written[0]), dtype=torch.bool, device=DEVICE).triu(1)
    scores = query[HEAD].double() @ key[HEAD].double().mT / math.sqrt(key.size(-1))
    return scores.masked_fill(future, -math.inf).softmax(-1)


def of_transformers(config: Any) -> Callable[[int], tuple[nn.Module, Any]]:
    """Build a model of transformers that reads ids, or a picture."""

    def build(tokens: int) -> tuple[nn.Module, Any]:
        longest = {"max_position_embeddings": max(tokens, 512)}
        made = copy.deepcopy(config)
        if hasattr(config, "image_size"):
            shape = (1, 3, config.image_size, config.image_size)
            return AutoModel.from_config(made), {"pixel_values": torch.randn(shape, device=DEVICE)}
        made.update(longest)
        ids = torch.randint(VOCABULARY, (1, tokens), device=DEVICE)
        return AutoModel.from_config(made), {"input_ids": ids}

    return build


def padded(config: Any) -> Callable[[int], tuple[nn.Module, Any]]:
    """Build the same, with a third of the text padding."""

    def build(tokens: int) -> tuple[nn.Module, Any]:
        model, inputs = of_transformers(config)(tokens)
        mask = torch.ones_like(inputs["input_ids"])
        mask[:, -tokens // 3 :] = 0
        return model, inputs | {"attention_mask": mask}

    return build


def by_eager(model: nn.Module, inputs: Any) -> Tensor:
    """Ask transformers under eager, in float32: (T, T)."""
    eager: Any = copy.deepcopy(model).float()
    eager.set_attn_implementation("eager")
    given = {name: x.float() if x.is_floating_point() else x for name, x in inputs.items()}
    with torch.no_grad():
        weights: Tensor = eager(**given, output_attentions=True).attentions[LAYER][0, HEAD]
    return weights


def vit_of_timm(_: int) -> tuple[nn.Module, Any]:
    """Build timm's ViT-B/16, its first two blocks."""
    import timm  # noqa: PLC0415

    model = timm.create_model("vit_base_patch16_384", pretrained=False, depth=2)
    return model, torch.randn(1, 3, 384, 384, device=DEVICE)


def unfused(model: nn.Module, inputs: Any) -> Tensor:
    """Switch the fused attention off, in float32, and note what its dropout is given: (T, T)."""
    plain: Any = copy.deepcopy(model).float()
    found: list[Tensor] = []
    for block in plain.blocks:
        block.attn.fused_attn = False
    plain.blocks[LAYER].attn.attn_drop.register_forward_hook(
        lambda *args: found.append(args[2][0, HEAD])
    )
    with torch.no_grad():
        plain(inputs.float())
    return found[0]


SMALL: dict[str, Any] = {"vocab_size": VOCABULARY, "num_hidden_layers": 2, "num_attention_heads": 8}
CASES = [
    Case("nanoGPT", nano_gpt, by_hand, "decoder", f"blocks.{LAYER}.attn.c_proj"),
    Case(
        "GPT-2",
        of_transformers(GPT2Config(vocab_size=VOCABULARY, n_layer=2, n_embd=512, n_head=8)),
        by_eager,
        "decoder",
        f"h.{LAYER}.attn.c_proj",
    ),
    Case(
        "Llama, grouped keys",
        of_transformers(LlamaConfig(**SMALL, hidden_size=512, num_key_value_heads=2)),
        by_eager,
        "decoder",
        f"layers.{LAYER}.self_attn.o_proj",
    ),
    Case(
        "BERT, a third padding",
        padded(BertConfig(**SMALL, hidden_size=512)),
        by_eager,
        "encoder",
        f"encoder.layer.{LAYER}.attention.output.dense",
    ),
    Case(
        "ViT",
        of_transformers(
            ViTConfig(hidden_size=512, num_hidden_layers=2, num_attention_heads=8, image_size=384)
        ),
        by_eager,
        "encoder",
        "",
    ),
    Case("timm's ViT", vit_of_timm, unfused, "encoder", f"blocks.{LAYER}.attn.proj"),
]


def main(
    tokens: Annotated[int, typer.Option(help="How long the texts are.")] = 2048,
) -> None:
    """Hold each model under each kernel and precision, a line each."""
    if not torch.cuda.is_available():
        print("no GPU here: nothing was held against one")
        return
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {tokens:,} tokens")
    warnings.filterwarnings("ignore", "(?i).*(kernel|attention|dtype).*")  # why one is not taken
    failed = False
    for case in CASES:
        if case.truth is unfused and not importlib.util.find_spec("timm"):
            continue
        for dtype, allowed in ALLOWED.items():
            torch.manual_seed(0)
            model, inputs = case.build(tokens)
            widen(model)
            model = model.eval().to(DEVICE, dtype)
            given = as_type(inputs, dtype)
            for name, kernel in KERNELS.items():
                line = f"{case.name:22} {str(dtype)[6:]:9} {name:17}"
                with sdpa_kernel(kernel):
                    if takes(model, given):
                        said, is_true = held(case, model, given, allowed)
                        failed |= not is_true
                        print(line, said, flush=True)
                    else:
                        print(line, "the kernel does not take it", flush=True)
    if failed:
        raise typer.Exit(1)


def widen(model: nn.Module, by: float = 2.5) -> None:
    """Make matrices larger, so that attention is far from even."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and "embed" not in name:
                parameter.mul_(by)


def as_type(inputs: Any, dtype: torch.dtype) -> Any:
    """Give inputs that are no ids the precision of the model."""
    if isinstance(inputs, dict):
        return {name: as_type(x, dtype) for name, x in inputs.items()}
    return inputs.to(dtype) if inputs.is_floating_point() else inputs


def takes(model: nn.Module, inputs: Any) -> bool:
    """Whether the kernel that is switched on computes this model."""
    try:
        written(model, inputs)
    except RuntimeError as error:
        if "kernel" not in str(error).lower():
            raise
        return False
    return True


def held(case: Case, model: nn.Module, inputs: Any, allowed: float) -> tuple[str, bool]:
    """Trace and cut a model, and say how far both are from the truth."""
    true = case.truth(model, inputs).float().cpu()
    allowed = EXACT if case.truth is by_hand else allowed
    started = time.perf_counter()
    seen = regard.trace(inputs, model)
    seconds = time.perf_counter() - started
    off = float((torch.as_tensor(seen.weights(LAYER, HEAD)).float() - true).abs().max())
    said = f"weights {off:.0e} off, of {float(true.max()):.2f}, {seconds:.2f} s"
    is_true = off <= allowed and seen.kinds[0] == case.kind
    if case.projection:
        plain = written(model, inputs)
        with regard.ablate(model, [(case.kind, LAYER, HEAD)]):
            ours = written(model, inputs)
        with zeroed(model.get_submodule(case.projection), seen.num_heads):
            theirs = written(model, inputs)
        far = float((ours - theirs).abs().max())
        moved = float((plain - theirs).abs().max())
        said += f"; cut {far:.0e} off, of {moved:.0e}"
        is_true &= far <= allowed * max(moved, 1e-30) and moved > 0
    return said if is_true else said + "  WRONG", is_true


@contextlib.contextmanager
def zeroed(projection: nn.Module, heads: int) -> Iterator[None]:
    """Zero one head of what a projection is given."""

    def zero(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        parted = args[0].unflatten(-1, (heads, -1)).clone()
        parted[..., HEAD, :] = 0
        return (parted.flatten(-2), *args[1:])

    handle = projection.register_forward_pre_hook(zero)
    try:
        yield
    finally:
        handle.remove()


def written(model: nn.Module, inputs: Any) -> Tensor:
    """Run a model, and give its first output in float32."""
    with torch.no_grad():
        output = model(**inputs) if isinstance(inputs, dict) else model(inputs)
    first: Tensor = output if isinstance(output, Tensor) else output[0]
    return first.float()


if __name__ == "__main__":
    typer.run(main)
