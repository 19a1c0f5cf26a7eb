"""Models that several processes hold: two of them, on one machine."""

import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.multiprocessing.spawn import spawn

import regard
from tests.tiny_models import build, inputs_for

WORLD = 2
SHARED_OUT = {
    **{f"self_attn.{name}_proj": ColwiseParallel() for name in "qkv"},
    "self_attn.o_proj": RowwiseParallel(),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def in_each(rank: int, port: int, how: str, folder: str) -> None:
    """Trace a model that is sharded; write what is found, or what is said."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=WORLD
    )
    model: Any = build("llama", "AutoModelForCausalLM")
    inputs = inputs_for(model, "decoder")
    whole = regard.trace(inputs, model)
    mesh = init_device_mesh("cpu", (WORLD,))
    for layer in model.model.layers:
        if how == "fsdp":
            fully_shard(layer, mesh=mesh)
        else:
            parallelize_module(layer, mesh, SHARED_OUT)
    try:
        seen = regard.trace(inputs, model)
        said = f"off by {max(abs(seen.weights(n) - whole.weights(n)).max() for n in (0, 1))}"
    except ValueError as error:
        said = str(error)
    Path(folder, f"{rank}.txt").write_text(said, "utf-8")
    dist.destroy_process_group()


@pytest.mark.parametrize(
    ("how", "said"),
    [("fsdp", "off by 0.0"), ("tensor parallel", "is shared out among 2 processes")],
)
def test_a_sharded_model_is_whole_or_refused(how: str, said: str, tmp_path: Path) -> None:
    spawn(in_each, (free_port(), how, str(tmp_path)), nprocs=WORLD)
    for rank in range(WORLD):
        assert said in (tmp_path / f"{rank}.txt").read_text("utf-8")
