"""Windows of timm's own models, beside what its dropout is given; where timm is installed."""

import importlib.util
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.record.windows import WindowedLayer

HAS_TIMM = all(importlib.util.find_spec(name) for name in ("timm", "torchvision"))
pytestmark = [
    pytest.mark.skipif(
        not HAS_TIMM, reason="timm is not installed, or torchvision, which it needs"
    ),
    pytest.mark.filterwarnings("ignore"),
]
MODELS: dict[str, dict[str, Any]] = {
    "swin_tiny_patch4_window7_224": {"img_size": 56, "depths": (2, 1, 1, 1)},
    "maxvit_rmlp_nano_rw_256": {"img_size": 128},
    "vit_tiny_patch16_224": {"img_size": 32, "depth": 2},
}


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_those_of_timm(name: str) -> None:
    import timm  # noqa: PLC0415

    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, **MODELS[name]).eval()
    picture = torch.randn(1, 3, *[MODELS[name]["img_size"]] * 2)
    layers = regard.trace(picture, model).layers["encoder"]
    theirs: list[Tensor] = []
    for path, module in model.named_modules():
        if path.endswith("attn"):
            module.fused_attn = False
        if path.endswith("attn_drop"):
            module.register_forward_pre_hook(lambda _, args: theirs.append(args[0]))
    with torch.no_grad():
        model(picture)
    assert len(theirs) == len(layers)
    for number, weights in enumerate(theirs):  # (W, h, n, n)
        blocks = torch.stack([torch.block_diag(*of_head) for of_head in weights.transpose(0, 1)])
        assert (layers[number].weigh() - blocks).abs().max() < 1e-6
        assert isinstance(layers[number], WindowedLayer) == (len(weights) > 1)
