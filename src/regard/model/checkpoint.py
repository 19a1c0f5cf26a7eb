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
    try:
        save_file({k: v.contiguous() for k, v in tensors.items()}, unfinished, metadata)
        unfinished.replace(path)  # atomic: never half a checkpoint
    finally:
        unfinished.unlink(missing_ok=True)


def load_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    steps_per_epoch: int | None = None,
) -> Rows:
    """Bring model, optimizer and random state to where the checkpoint left them; give the history.

    Parameters
    ----------
    path
        What `save_checkpoint` wrote.
    model, optimizer
        Built as those that were saved.
    steps_per_epoch
        How many batches the data has; if given, the history must have as many in each epoch.

    Returns
    -------
    list of dict
        The history: one step a row.

    Raises
    ------
    ValueError
        If the file is damaged, or another model's, optimizer's or data's. Nothing has been changed
        then.
    """
    tensors, metadata = _read(path)
    rows: Rows = metadata["rows"]
    weights = _below("model.", tensors)
    state = _by_parameter(
        path, _below("optimizer.", tensors) | _below("optimizer.", metadata["plain"])
    )
    _check_same_shapes(path, weights, model.state_dict())
    _check_same_optimizer(path, metadata["param_groups"], optimizer)
    _check_optimizer_state(path, state, optimizer)
    _check_random_state(path, tensors)
    if steps_per_epoch is not None:
        _check_same_epochs(path, rows, steps_per_epoch)
    optimizer.load_state_dict({"state": state, "param_groups": metadata["param_groups"]})
    model.load_state_dict(weights)
    _restore_random_state(tensors)
    return rows


METADATA = ("rows", "param_groups", "plain")  # JSON, beside the tensors


def _read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no dict
            texts = file.metadata() or {}
        metadata = {name: json.loads(texts[name]) for name in METADATA if name in texts}
    except (SafetensorError, ValueError, RecursionError, OSError) as error:  # JSON's are the middle
        raise ValueError(
            f"The checkpoint {path} cannot be read ({error}). The model is unchanged: name another "
            "file, or move this one away to start anew."
        ) from error
    missing = (set(METADATA) - metadata.keys()) | ({"random.cpu"} - tensors.keys())
    if missing:
        raise ValueError(
            f"{path} is a safetensors file but no checkpoint of `train_model`: it lacks "
            f"{sorted(missing)}. The model is unchanged."
        )
    _check_types(path, **metadata)
    return tensors, metadata


def _check_types(path: str | Path, rows: Any, param_groups: Any, plain: Any) -> None:
    """Refuse JSON that is sound but not what `save_checkpoint` writes."""
    if not _is_list_of_dicts(rows) or not all(_is_number(v) for row in rows for v in row.values()):
        raise _damaged(path, "its history is not rows of numbers")
    if not _is_list_of_dicts(param_groups):
        raise _damaged(path, "its optimizer's options are not groups of parameters")
    if not isinstance(plain, dict):
        raise _damaged(path, "its optimizer's plain values have no names")


def _is_list_of_dicts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _damaged(path: str | Path, what: str) -> ValueError:
    return ValueError(
        f"The checkpoint {path} is damaged: {what}. The model is unchanged: name another file, or "
        "move this one away to start anew."
    )


def _by_parameter(path: str | Path, flat: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Sort "3.exp_avg" and the like by the parameter's number."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in flat.items():
        index, _, name = key.partition(".")
        if not index.isdecimal() or not name:
            raise _damaged(path, f"its optimizer's {key!r} names no parameter")
        state.setdefault(int(index), {})[name] = value
    return state


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
    numbers = [group["params"] for group in groups]
    expected_numbers = [group["params"] for group in optimizer.state_dict()["param_groups"]]
    if numbers != expected_numbers:
        raise ValueError(
            f"The checkpoint {path} is of another optimizer, with groups of parameters {numbers}, "
            f"not {expected_numbers}. Use the one that it was saved with, or name another file. "
            "The model is unchanged."
        )
    for saved, present in zip(groups, optimizer.param_groups, strict=True):
        for name in present.keys() & saved.keys():
            if not _is_alike(saved[name], present[name]):
                raise _damaged(
                    path,
                    f"its optimizer's {name} is {saved[name]!r}, where {present[name]!r} is now",
                )


def _is_alike(saved: Any, present: Any) -> bool:
    """Tell if JSON may stand for a value, given what that is now: lists stand for tuples."""
    if isinstance(present, list | tuple):
        return isinstance(saved, list) and len(saved) == len(present)
    return _is_number(saved) or not _is_number(present)


# Adafactor keeps a mean for each row and one for each column of a parameter; all else that the
# optimizers of torch keep is one number, or one for each element
FACTORED = {"row_var", "col_var"}


def _check_optimizer_state(
    path: str | Path, state: dict[int, dict[str, Any]], optimizer: torch.optim.Optimizer
) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for index, values in state.items():
        if index >= len(parameters):
            raise _damaged(
                path, f"its optimizer has a parameter {index}, but {len(parameters)} fit"
            )
        shape = tuple(parameters[index].shape)
        for name, value in values.items():
            if not isinstance(value, Tensor) or name in FACTORED:
                continue
            if value.dim() > 0 and tuple(value.shape) != shape:
                raise _damaged(
                    path,
                    f"its optimizer's {name} of parameter {index} is {tuple(value.shape)}, but the "
                    f"parameter is {shape}",
                )


def _check_random_state(path: str | Path, tensors: dict[str, Tensor]) -> None:
    """Try the states on generators of their own: torch checks them, and the real ones stay."""
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for device in devices:
        name = f"random.{device}"
        if name in tensors:
            try:
                torch.Generator(device).set_state(tensors[name])
            except (RuntimeError, TypeError) as error:
                raise _damaged(path, f"its {name} is no state of torch's generator") from error


def _check_same_epochs(path: str | Path, rows: Rows, steps_per_epoch: int) -> None:
    if not rows:
        return
    if "epoch" not in rows[-1]:
        raise _damaged(path, "its history does not count epochs")
    epochs = rows[-1]["epoch"]
    if len(rows) != epochs * steps_per_epoch:
        raise ValueError(
            f"The checkpoint {path} is of other data: it has {len(rows)} steps in {epochs} epochs, "
            f"but the data has {steps_per_epoch} batches. Use the data and the batch size that it "
            "was saved with, or name another file. The model is unchanged."
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
