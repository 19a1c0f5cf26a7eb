"""Tiny random models that attend to fewer tokens than they are given: latents or landmarks."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.package_case import Built, Case
from benchmarks.package_readings import multihead, nothing, softmaxed_windows


def perceiver(**options: Any) -> Built:
    """Build lucidrains' Perceiver, whose latents read a picture."""
    from perceiver_pytorch import Perceiver  # noqa: PLC0415

    model = Perceiver(
        num_freq_bands=2,
        depth=2,
        max_freq=4.0,
        num_latents=5,
        latent_dim=32,
        cross_heads=2,
        latent_heads=4,
        cross_dim_head=8,
        latent_dim_head=8,
        num_classes=5,
        **options,
    )
    return model, torch.randn(1, 4, 4, 3)


def perceiver_io() -> Built:
    """Build Perceiver IO."""
    from perceiver_pytorch import PerceiverLM  # noqa: PLC0415

    model = PerceiverLM(
        num_tokens=50,
        dim=32,
        max_seq_len=16,
        depth=2,
        num_latents=5,
        latent_dim=32,
        cross_heads=2,
        latent_heads=4,
        cross_dim_head=8,
        latent_dim_head=8,
    )
    return model, torch.randint(50, (1, 9))


def coca() -> Built:
    """Build CoCa, which pools a picture, and writes."""
    from open_clip import CoCa  # noqa: PLC0415

    vision = {
        "layers": 2, "width": 64, "head_width": 16, "patch_size": 8, "image_size": 32,
        "attentional_pool": True, "attn_pooler_heads": 4, "attn_pooler_queries": 6,
        "output_tokens": True,
    }  # fmt: skip
    text = {
        "context_length": 12, "vocab_size": 99, "width": 32, "heads": 2, "layers": 2,
        "embed_cls": True, "output_tokens": True,
    }  # fmt: skip
    writer = {"context_length": 12, "vocab_size": 99, "width": 32, "heads": 2, "layers": 2}
    model = CoCa(32, writer, text, vision)
    return model, (torch.randn(1, 3, 32, 32), torch.randint(1, 99, (1, 12)))


def nystrom() -> Built:
    """Build attention by landmarks."""
    from nystrom_attention import Nystromformer  # noqa: PLC0415

    model = Nystromformer(dim=32, depth=2, dim_head=8, heads=4, num_landmarks=4)
    return model, torch.randn(1, 16, 32)


def hierarchical() -> Built:
    """Build attention to blocks, which are the coarser the farther they are."""
    from h_transformer_1d import HTransformer1D  # noqa: PLC0415

    model = HTransformer1D(
        num_tokens=50,
        dim=32,
        depth=2,
        causal=False,
        max_seq_len=32,
        heads=4,
        dim_head=8,
        block_size=4,
    )
    return model, torch.randint(50, (1, 32))


softmaxed = partial(softmaxed_windows, owner=torch.Tensor)


def not_inverted(model: nn.Module, inputs: Any) -> list[Tensor]:
    """Take the softmaxes over keys; before each, there is one over latents."""
    return softmaxed(model, inputs)[1::2]


LATENTS = (
    Case(
        "perceiver-pytorch",
        "perceiver_pytorch",
        "Perceiver",
        perceiver,
        softmaxed,
        ("cross", "encoder") * 2,
        "to_out",
    ),
    Case(
        "perceiver-pytorch",
        "perceiver_pytorch",
        "Perceiver, latents competing",
        partial(perceiver, inverted_cross_attn=True),
        not_inverted,
        ("encoder",) * 2,
    ),
    Case(
        "perceiver-pytorch",
        "perceiver_pytorch",
        "PerceiverLM",
        perceiver_io,
        softmaxed,
        ("cross_attend_block/cross", *("layers/encoder",) * 2, "decoder_cross_attn/cross"),
        "cross_attend_block.cross_attn.fn.to_out",
    ),
    Case(
        "open_clip_torch",
        "open_clip",
        "CoCa",
        coca,
        multihead,
        (
            *("visual/encoder",) * 2,
            "cross",
            *("text/decoder",) * 2,
            *("text_decoder/decoder", "text_decoder/cross") * 2,
        ),
    ),
    Case("nystrom-attention", "nystrom_attention", "Nystromformer", nystrom, nothing, ()),
    Case("h-transformer-1d", "h_transformer_1d", "HTransformer1D", hierarchical, nothing, ()),
)
