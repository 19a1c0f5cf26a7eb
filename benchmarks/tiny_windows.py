"""Tiny random models that attend in windows of a picture."""

from functools import partial
from typing import Any

import torch
from torch import nn

from benchmarks.package_case import Built, Case
from benchmarks.package_readings import softmaxed_windows, unfused_windows


def timm_model(name: str, size: int, **options: Any) -> Built:
    """Build one of timm's."""
    import timm  # noqa: PLC0415

    model = timm.create_model(name, pretrained=False, num_classes=5, **options)
    return model, torch.randn(1, 3, size, size)


def swin_v2() -> Built:
    """Build Swin v2, with norms that let pass what attention writes, as trained ones do."""
    model, inputs = timm_model("swinv2_tiny_window8_256", 64, img_size=64, depths=(2, 1, 1, 1))
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
    return model, inputs


def torchvision_swin() -> Built:
    """Build torchvision's Swin, which attends in windows."""
    from torchvision.models import SwinTransformer  # noqa: PLC0415

    model = SwinTransformer([4, 4], 32, [1, 1], [2, 4], [7, 7], num_classes=5)
    return model, torch.randn(1, 3, 56, 56)


def torchvision_maxvit() -> Built:
    """Build torchvision's MaxViT, which attends in windows and in grids."""
    from torchvision.models.maxvit import MaxVit  # noqa: PLC0415

    model = MaxVit((64, 64), 16, 8, [16, 32], [1, 1], 8, stochastic_depth_prob=0.0, num_classes=5)
    return model, torch.randn(1, 3, 64, 64)


def segment_anything() -> Built:
    """Build the encoder of Segment Anything, its first layer in windows."""
    from segment_anything.modeling import ImageEncoderViT  # noqa: PLC0415

    size = {"img_size": 64, "patch_size": 8, "embed_dim": 64, "out_chans": 16}
    layers = {"depth": 2, "num_heads": 4, "window_size": 4, "global_attn_indexes": (1,)}
    return ImageEncoderViT(**size, **layers, use_rel_pos=True), torch.randn(1, 3, 64, 64)


def axial() -> Built:
    """Build attention along rows, and along columns."""
    from axial_attention import AxialAttention  # noqa: PLC0415

    return AxialAttention(dim=32, dim_index=1, heads=4, num_dimensions=2), torch.randn(1, 32, 6, 5)


among_windows = partial(softmaxed_windows, owner=torch.Tensor, num_heads=4)

MAXVIT = tuple(f"stages.{n}/encoder" for n, count in enumerate((2, 4, 6, 2)) for _ in range(count))
SWIN = tuple(f"layers.{stage}/encoder" for stage in (0, 0, 1, 2, 3))  # stages of more heads each

IN_WINDOWS = (
    Case(
        "timm",
        "timm",
        "Swin",
        partial(timm_model, "swin_tiny_patch4_window7_224", 56, img_size=56, depths=(2, 1, 1, 1)),
        unfused_windows,
        SWIN,
        "attn.proj",
    ),
    Case(
        "timm",
        "timm",
        "Swin v2",
        swin_v2,
        unfused_windows,
        SWIN,
        "attn.proj",
    ),
    Case(
        "timm",
        "timm",
        "MaxViT",
        partial(timm_model, "maxvit_rmlp_nano_rw_256", 128, img_size=128),
        unfused_windows,
        MAXVIT,
        "attn.proj",
    ),
    Case(
        "timm",
        "timm",
        "Segment Anything, its encoder",
        partial(
            timm_model,
            *("samvit_base_patch16", 64),
            img_size=64,
            patch_size=8,
            embed_dim=64,
            depth=2,
            num_heads=4,
            window_size=4,
            global_attn_indexes=(1,),
        ),
        partial(unfused_windows, num_heads=4),
        ("encoder",) * 2,
        "attn.proj",
    ),
    Case(
        "torchvision",
        "torchvision",
        "SwinTransformer",
        torchvision_swin,
        softmaxed_windows,
        ("features.1/encoder", "features.3/encoder"),
    ),
    Case(
        "torchvision",
        "torchvision",
        "MaxVit",
        torchvision_maxvit,
        softmaxed_windows,
        tuple(f"blocks.{block}/encoder" for block in (0, 0, 1, 1)),
        "attn_layer.1.merge",
    ),
    Case(
        "segment-anything",
        "segment_anything",
        "ImageEncoderViT",
        segment_anything,
        among_windows,
        ("encoder",) * 2,
        "attn.proj",
    ),
    Case(
        "axial-attention",
        "axial_attention",
        "AxialAttention",
        axial,
        among_windows,
        ("encoder",) * 2,
        "to_out",
    ),
)
