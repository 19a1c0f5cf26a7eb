"""A checkpoint gives back everything, or nothing is changed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from regard import checkpoint
from regard.checkpoint import load_checkpoint, save_checkpoint

ROWS = [{"step": 1, "loss": 0.1 + 0.2}, {"step": 2, "loss": 1e-45, "accuracy": 0.5}]
Optimizer = torch.optim.Optimizer


def build(seed: int, width: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, width), nn.LayerNorm(width))


def train(model: nn.Module, optimizer: Optimizer, steps: int = 2) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(4, 2)).square().sum().backward()
        optimizer.step()


def adamw(model: nn.Module) -> Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=0.01, betas=(0.8, 0.99))


class Slowing(torch.optim.SGD):
    """Keeps a plain number in its state: each step has half the rate of the one before."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["share"] = state.get("share", 2.0) / 2
                parameter.grad *= state["share"]
        return super().step(closure)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    model = build(1)
    optimizer = adamw(model)
    train(model, optimizer)
    save_checkpoint(path, model, optimizer, ROWS)
    return path


def state_of(model: nn.Module, optimizer: Optimizer) -> list[Tensor]:
    """Give copies of all that a checkpoint brings back, the random state too."""
    moments = [state[name] for state in optimizer.state.values() for name in sorted(state)]
    kept = [*model.state_dict().values(), *moments, torch.get_rng_state()]
    return [torch.as_tensor(value).clone() for value in kept]


def assert_refused(path: Path, model: nn.Module, optimizer: Optimizer, message: str) -> None:
    """Check that loading raises, and leaves model, optimizer, random state and file alone."""
    before, content = state_of(model, optimizer), path.read_bytes()
    options = [dict(group) for group in optimizer.param_groups]
    with pytest.raises(ValueError, match=message) as caught:
        load_checkpoint(path, model, optimizer)
    assert str(path) in str(caught.value)
    assert "The model is unchanged" in str(caught.value)
    after = state_of(model, optimizer)
    assert len(before) == len(after)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert [dict(group) for group in optimizer.param_groups] == options
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "make",
    [
        adamw,
        lambda model: torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        lambda model: torch.optim.SGD(
            [{"params": [p], "lr": 0.01 * (i + 1)} for i, p in enumerate(model.parameters())]
        ),
        lambda model: torch.optim.NAdam(model.parameters(), lr=0.01),
        lambda model: Slowing(model.parameters(), lr=0.01),
    ],
    ids=["AdamW", "momentum", "groups", "NAdam", "plain"],
)
def test_training_goes_on_as_if_never_stopped(
    tmp_path: Path, make: Callable[[nn.Module], Optimizer]
) -> None:
    path = tmp_path / "folder" / "of" / "model.safetensors"
    model = build(1)
    optimizer = make(model)
    train(model, optimizer)
    save_checkpoint(path, model, optimizer, ROWS)
    train(model, optimizer)

    other = build(2)
    other_optimizer = make(other)
    assert load_checkpoint(path, other, other_optimizer) == ROWS
    train(other, other_optimizer)
    for ours, theirs in zip(
        state_of(other, other_optimizer), state_of(model, optimizer), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_the_weights_are_a_plain_safetensors_file(saved: Path) -> None:
    """Other programs can take the model out of it."""
    tensors = load_file(saved)
    model = build(2)
    names = [name for name in tensors if name.startswith("model.")]
    model.load_state_dict({name.removeprefix("model."): tensors[name] for name in names})
    torch.manual_seed(1)
    expected = build(1)
    train(expected, adamw(expected))
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), expected.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not a checkpoint",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: b"\xff" * 8 + data[8:],  # the length of the header
        lambda data: data.replace(b'"rows":"[', b'"rows":"]'),
        lambda data: data.replace(b'"dtype":"F32"', b'"dtype":"F99"'),
    ],
    ids=["empty", "text", "half", "one byte short", "header", "history", "types"],
)
def test_a_damaged_file(saved: Path, damage: Callable[[bytes], bytes]) -> None:
    data = saved.read_bytes()
    assert damage(data) != data
    saved.write_bytes(damage(data))
    model = build(2)
    optimizer = adamw(model)
    train(model, optimizer)
    assert_refused(saved, model, optimizer, "cannot be read .*move this one away to start anew")


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    model = build(2)
    with pytest.raises(ValueError, match="cannot be read"):
        load_checkpoint(tmp_path, model, adamw(model))


@pytest.mark.parametrize("metadata", [None, {}, {"rows": "[]", "format": '"pt"'}])
def test_a_file_of_another_program(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "other.safetensors"
    model = build(2)
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    save_file(tensors, path, metadata)
    assert_refused(path, model, adamw(model), "no checkpoint of `train_model`: it lacks .*'param_g")


def test_a_checkpoint_without_its_random_state(saved: Path) -> None:
    with safe_open(saved, framework="pt") as file:
        metadata = file.metadata()
    tensors = {name: value for name, value in load_file(saved).items() if "random" not in name}
    save_file(tensors, saved, metadata)
    model = build(2)
    assert_refused(saved, model, adamw(model), "it lacks .*random.cpu")


def test_a_checkpoint_of_another_model(saved: Path) -> None:
    wider = build(2, width=4)
    message = "of another model: 4 parameters differ in name or shape, first 0.bias. Build the"
    assert_refused(saved, wider, adamw(wider), re.escape(message))
    deeper = nn.Sequential(*build(2).children(), nn.Linear(3, 1))
    assert_refused(saved, deeper, adamw(deeper), "another model: 2 parameters .* first 2.bias")


def test_a_checkpoint_of_another_optimizer(saved: Path) -> None:
    model = build(2)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    assert_refused(saved, model, sgd, "of another optimizer, with options .*'betas'")
    grouped = torch.optim.AdamW([{"params": [parameter]} for parameter in model.parameters()])
    assert_refused(saved, model, grouped, "of another optimizer")


def test_a_file_is_never_half_written(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def fail_halfway(_tensors: object, path: Path, _metadata: object) -> None:
        path.write_bytes(before[: len(before) // 2])
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", fail_halfway)
    model = build(2)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(saved, model, adamw(model), [])
    assert saved.read_bytes() == before
    assert load_checkpoint(saved, model, adamw(model)) == ROWS
