"""A checkpoint gives back everything, or nothing is changed."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from regard.model import checkpoint
from regard.model.checkpoint import load_checkpoint, save_checkpoint

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


def assert_refused(
    path: Path, model: nn.Module, optimizer: Optimizer, message: str, **options: int
) -> None:
    """Check that loading raises, and leaves model, optimizer, random state and file alone."""
    before, content = state_of(model, optimizer), path.read_bytes()
    groups = [dict(group) for group in optimizer.param_groups]
    with pytest.raises(ValueError, match=message) as caught:
        load_checkpoint(path, model, optimizer, **options)
    assert str(path) in str(caught.value)
    assert "The model is unchanged" in str(caught.value)
    after = state_of(model, optimizer)
    assert len(before) == len(after)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert [dict(group) for group in optimizer.param_groups] == groups
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
        lambda model: torch.optim.Adafactor(model.parameters(), lr=0.01),
        lambda model: Slowing(model.parameters(), lr=0.01),
    ],
    ids=["AdamW", "momentum", "groups", "NAdam", "Adafactor", "plain"],
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


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"rows": "[]", "format": '"pt"'}])
def test_a_file_of_another_program(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "other.safetensors"
    model = build(2)
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    save_file(tensors, path, metadata)
    assert_refused(path, model, adamw(model), "no checkpoint of `train_model`: it lacks .*'param_g")


def replace(path: Path, tensors: dict[str, Tensor | None], **metadata: str) -> None:
    """Write the file anew with other tensors, None for those that go, and other metadata."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() | metadata
    kept = {name: t for name, t in (load_file(path) | tensors).items() if t is not None}
    save_file(kept, path, metadata)


def test_a_checkpoint_without_its_random_state(saved: Path) -> None:
    replace(saved, {"random.cpu": None})
    model = build(2)
    assert_refused(saved, model, adamw(model), "it lacks .*random.cpu")


def test_tensors_do_not_stand_for_the_metadata(tmp_path: Path) -> None:
    names = ["rows", "param_groups", "plain", "random.cpu"]
    path = tmp_path / "other.safetensors"
    save_file({name: torch.zeros(1) for name in names}, path)
    model = build(2)
    assert_refused(path, model, adamw(model), "it lacks .*'rows'")


@pytest.mark.parametrize(
    "state",
    [
        torch.zeros(5056, dtype=torch.uint8),
        torch.zeros(7, dtype=torch.uint8),
        torch.zeros(5056),
        torch.tensor(1),
    ],
    ids=["content", "size", "dtype", "scalar"],
)
def test_a_damaged_random_state(saved: Path, state: Tensor) -> None:
    replace(saved, {"random.cpu": state})
    model = build(2)
    assert_refused(saved, model, adamw(model), "is damaged: its random.cpu is no state of torch's")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("0.exp_avg", (2, 3)),
        ("0.exp_avg", (1, 2)),
        ("1.exp_avg_sq", (1,)),
        ("2.exp_avg", (3, 1)),
        ("3.step", (2,)),
    ],
)
def test_optimizer_state_that_does_not_fit(saved: Path, name: str, shape: tuple[int, ...]) -> None:
    replace(saved, {f"optimizer.{name}": torch.zeros(shape)})
    model = build(2)
    index, option = name.split(".")
    message = f"its optimizer's {option} of parameter {index} is {shape}, but the parameter is (3,"
    assert_refused(saved, model, adamw(model), re.escape(message))


def test_optimizer_state_of_a_parameter_too_many(saved: Path) -> None:
    replace(saved, {"optimizer.4.exp_avg": torch.zeros(3)})
    model = build(2)
    assert_refused(saved, model, adamw(model), "has a parameter 4, but 4 fit")


@pytest.mark.parametrize("name", ["exp_avg", "x.exp_avg", "-1.exp_avg", "0", "0."])
def test_optimizer_state_of_no_parameter(saved: Path, name: str) -> None:
    replace(saved, {f"optimizer.{name}": torch.zeros(3)})
    model = build(2)
    assert_refused(saved, model, adamw(model), f"optimizer's '{name}' names no parameter")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"rows": "3"}, "its history is not rows of numbers"),
        ({"rows": "[3]"}, "its history is not rows of numbers"),
        ({"rows": '[{"loss": "low"}]'}, "its history is not rows of numbers"),
        ({"param_groups": "null"}, "options are not groups of parameters"),
        ({"param_groups": "[[]]"}, "options are not groups of parameters"),
        ({"plain": "[]"}, "plain values have no names"),
        ({"plain": '{"optimizer.x": 1}'}, "optimizer's 'x' names no parameter"),
        ({"rows": "[" * 100_000}, "cannot be read"),
        ({"rows": "1" * 5_000}, "cannot be read"),
    ],
)
def test_json_that_is_not_what_was_saved(
    saved: Path, metadata: dict[str, str], message: str
) -> None:
    replace(saved, {}, **metadata)
    model = build(2)
    assert_refused(saved, model, adamw(model), message)


@pytest.mark.parametrize(
    ("option", "value"), [("lr", "fast"), ("lr", None), ("betas", 0.9), ("betas", [0.9])]
)
def test_options_of_another_type(saved: Path, option: str, value: object) -> None:
    with safe_open(saved, framework="pt") as file:
        groups = json.loads(file.metadata()["param_groups"])
    groups[0][option] = value
    replace(saved, {}, param_groups=json.dumps(groups))
    model = build(2)
    assert_refused(saved, model, adamw(model), re.escape(f"optimizer's {option} is {value!r}, wh"))


def test_an_optimizer_of_other_parameters(saved: Path) -> None:
    model = build(2)
    some = torch.optim.AdamW([*model.parameters()][:3], lr=0.01)
    message = "of another optimizer, with groups of parameters [[0, 1, 2, 3]], not [[0, 1, 2]]"
    assert_refused(saved, model, some, re.escape(message))


def test_a_checkpoint_of_other_data(saved: Path) -> None:
    model = build(2)
    optimizer = adamw(model)
    save_checkpoint(saved, model, optimizer, [{"epoch": 1 + i // 3} for i in range(6)])
    message = "other data: it has 6 steps in 2 epochs, but the data has 4 batches"
    assert_refused(saved, model, optimizer, message, steps_per_epoch=4)
    assert len(load_checkpoint(saved, model, optimizer, steps_per_epoch=3)) == 6
    save_checkpoint(saved, model, optimizer, [])
    assert load_checkpoint(saved, model, optimizer, steps_per_epoch=4) == []
    save_checkpoint(saved, model, optimizer, ROWS)
    with pytest.raises(ValueError, match="its history does not count epochs"):
        load_checkpoint(saved, model, optimizer, steps_per_epoch=2)


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
