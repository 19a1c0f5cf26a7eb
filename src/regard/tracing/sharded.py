"""Models that several processes hold together: whole layers are traced, parts of layers refused."""

import torch.distributed as dist
from torch import nn


def refuse_shared_heads(model: nn.Module) -> None:
    """Raise where each of several processes computes some heads of a layer (tensor parallelism).

    FSDP2 gathers a layer before it runs, so that every process computes all of its heads.

    Raises
    ------
    ValueError
        If the heads are shared out.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return
    from torch.distributed.fsdp import FSDPModule  # noqa: PLC0415  loads slowly, and needed seldom
    from torch.distributed.tensor import DTensor  # noqa: PLC0415  likewise

    num_gathered = 1 if any(isinstance(module, FSDPModule) for module in model.modules()) else 0
    for name, parameter in model.named_parameters():
        if not isinstance(parameter, DTensor):
            continue
        sizes = parameter.device_mesh.shape[num_gathered:]  # FSDP's side of the mesh is the first
        placements = parameter.placements[num_gathered:]
        shared = [n for n, how in zip(sizes, placements, strict=True) if how.is_shard() and n > 1]
        if shared:
            raise ValueError(
                f"{type(model).__name__} is shared out among {shared[0]} processes within its "
                f"layers (tensor parallelism: {name}), so that each sees only some of the heads: "
                "trace the whole model in one process, or with layers gathered by FSDP2."
            )
