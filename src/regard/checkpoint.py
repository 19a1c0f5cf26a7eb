"""Training that can stop and go on: everything it needs in one safetensors file."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

Rows = list[dict[str, float]]


def save_checkpoint(
    path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer, rows: Rows
) -> None:
    """Write all that training needs to go on; the old file stays until the new one is whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    state = optimizer.state_dict()
    plain: dict[str, Any] = {}
    for index, values in state["state"].items():
        for name, value in values.items():
            where = tensors if isinstance(value, Tensor) else plain
            where[f"optimizer.{index}.{name}"] = value
    tensors |= _random_state()
    metadata = {
        "rows": json.dumps(rows),
        "param_groups": json.dumps(state["param_groups"]),
        "plain": json.dumps(plain),
    }
    unfinished = path.with_name(path.name + ".part")
    save_file({k: v.contiguous() for k, v in tensors.items()}, unfinished, metadata)
    unfinished.replace(path)  # atomic: never half a checkpoint


def load_checkpoint(path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Rows:
    """Bring model, optimizer and random state to where the checkpoint left them; give the history.

    Raises
    ------
    ValueError
        If the file is damaged or another model's. Nothing has been changed then.
    """
    tensors, metadata = _read(path)
    weights = _below("model.", tensors)
    _check_same_shapes(path, weights, model.state_dict())
    _check_same_optimizer(path, metadata["param_groups"], optimizer)
    flat = {**_below("optimizer.", tensors), **_below("optimizer.", metadata["plain"])}
    state: dict[int, dict[str, Any]] = {}
    for key, value in flat.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": metadata["param_groups"]})
    model.load_state_dict(weights)
    _restore_random_state(tensors)
    rows: Rows = metadata["rows"]
    return rows


def _read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no dict
            metadata = {name: json.loads(text) for name, text in (file.metadata() or {}).items()}
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise ValueError(
            f"The checkpoint {path} cannot be read ({error}). The model is unchanged: name another "
            "file, or move this one away to start anew."
        ) from error
    missing = {"rows", "param_groups", "plain", "random.cpu"} - metadata.keys() - tensors.keys()
    if missing:
        raise ValueError(
            f"{path} is a safetensors file but no checkpoint of `train_model`: it lacks "
            f"{sorted(missing)}. The model is unchanged."
        )
    return tensors, metadata


def _below(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}


def _check_same_shapes(
    path: str | Path, found: dict[str, Tensor], expected: dict[str, Tensor]
) -> None:
    differing = [
        name
        for name in sorted(found.keys() | expected.keys())
        if name not in found or name not in expected or found[name].shape != expected[name].shape
    ]
    if differing:
        raise ValueError(
            f"The checkpoint {path} is of another model: {len(differing)} parameters differ in "
            f"name or shape, first {differing[0]}. Build the model with the sizes that it was "
            "saved with, or name another file. The model is unchanged."
        )


def _check_same_optimizer(
    path: str | Path, groups: list[dict[str, Any]], optimizer: torch.optim.Optimizer
) -> None:
    added = {"initial_lr"}  # by a schedule of the learning rate
    found = [sorted(group.keys() - added) for group in groups]
    expected = [sorted(group.keys() - added) for group in optimizer.param_groups]
    if found != expected:
        raise ValueError(
            f"The checkpoint {path} is of another optimizer, with options {found}, not {expected}. "
            "Use the one that it was saved with, or name another file. The model is unchanged."
        )


def _random_state() -> dict[str, Tensor]:
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["random.cuda"] = torch.cuda.get_rng_state()
    return states


def _restore_random_state(tensors: dict[str, Tensor]) -> None:
    torch.set_rng_state(tensors["random.cpu"])
    if torch.cuda.is_available() and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"])
