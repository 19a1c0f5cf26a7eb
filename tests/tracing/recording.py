"""What several tests of recorded layers share."""

from typing import Any

import torch
from torch import nn

from regard.record.layers import Layer, Recorder
from regard.tracing.modules import recording


def recorded(model: nn.Module, *inputs: Any, **options: Any) -> dict[str, dict[int, Layer]]:
    recorder = Recorder()
    with torch.no_grad(), recording(model, recorder):
        model(*inputs, **options)
    return recorder.layers
