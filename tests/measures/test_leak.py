"""The leak test sees exactly what outputs depend on."""

from typing import Any

import pytest
import torch

from regard.measures.leak import leak_test


def test_leak_test_sees_exactly_what_is_read() -> None:
    def sums_the_past(ids: torch.Tensor) -> torch.Tensor:
        return ids.float().cumsum(1)[..., None]

    moved = leak_test(sums_the_past, torch.tensor([[1, 2, 3]]), replacement=7)
    assert moved.tolist() == [[6, 0, 0], [6, 5, 0], [6, 5, 4]]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([1, 2], r"ids \(1, T\) of one sentence, not \(2,\)"),
        ([[1, 2], [3, 4]], r"not \(2, 2\)"),
        ([[1, 7]], "replacement, 7, is in the target"),
    ],
)
def test_targets_that_show_no_leak(target: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        leak_test(torch.nn.Embedding(9, 9), torch.tensor(target), replacement=7)


@pytest.mark.parametrize(
    ("predict", "target", "message"),
    [
        ("model", torch.tensor([[1, 2]]), "predict, a function .* got 'model'"),
        (
            torch.nn.Embedding(9, 9),
            [[1, 2]],
            r"tensor of ids \(1, T\), but got .* \(list\)",
        ),
    ],
)
def test_what_is_no_model_or_no_target(predict: Any, target: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        leak_test(predict, target, replacement=7)
