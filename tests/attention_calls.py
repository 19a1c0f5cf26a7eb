"""Every softmax that meets values in a forward pass, seen below torch's functions.

It shares nothing with how regard watches: aten's own operators tell, so that it counts what a trace
may have missed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

SOFTMAX = {"aten::_softmax", "aten::_safe_softmax"}
PRODUCT = {"aten::bmm", "aten::mm", "aten::baddbmm"}
FUSED = "aten::_scaled_dot_product"


class AttentionCalls(TorchDispatchMode):
    """Keeps the weights of each call of attention, in order."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it so
        self.weights: list[Tensor] = []  # (..., Q, K), of softmaxes that met values
        self.fused = 0  # calls of kernels that show no weights
        self._waiting: dict[int, Tensor] = {}  # softmaxes by where they lie; kept, so none moves in

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = func._schema.name  # noqa: SLF001  it has no public one
        if name in PRODUCT:
            self._meet(args)
        result = func(*args, **(kwargs or {}))
        if name in SOFTMAX and result.dim() > 2 and args[1] in {-1, result.dim() - 1}:
            self._waiting[result.untyped_storage().data_ptr()] = result
        if name in {"aten::_to_copy", "aten::clone", "aten::mul"} and isinstance(args[0], Tensor):
            self._pass_on(args[0], result)
        self.fused += name.startswith(FUSED)
        return result

    def _meet(self, operands: tuple[Any, ...]) -> None:
        for x in operands:
            if isinstance(x, Tensor):
                met = self._waiting.pop(x.untyped_storage().data_ptr(), None)
                self.weights += [] if met is None else [met]

    def _pass_on(self, x: Tensor, copy: Any) -> None:
        """Let a copy in another precision, or one that is scaled, stand for the softmax."""
        met = self._waiting.get(x.untyped_storage().data_ptr())
        if met is not None and isinstance(copy, Tensor) and copy.shape == met.shape:
            self._waiting[copy.untyped_storage().data_ptr()] = copy


@contextmanager
def attention_calls() -> Iterator[AttentionCalls]:
    """Watch each call of attention in this thread, while within."""
    with torch.no_grad(), AttentionCalls() as calls:
        yield calls
