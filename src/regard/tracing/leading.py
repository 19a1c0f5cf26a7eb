"""Which of the sides before (T, d) are heads, and which are sentences or windows.

A head is a part of the channels that a projection wrote, a window is a part of the tokens. So each
side is told by how far it steps in memory, as long as a tensor is a view of what a projection
wrote; and what is computed from such a tensor, side by side, has its sides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from regard.tracing.running import tensors_in

# what writes channels, and along which side of its result
PROJECTIONS = {F.linear: -1, torch.addmm: -1, F.conv1d: 1, F.conv2d: 1, F.conv3d: 1}
PROJECTIONS |= {torch.conv1d: 1, torch.conv2d: 1, torch.conv3d: 1}
RESHAPES = {Tensor.view, Tensor.reshape, torch.reshape, Tensor.flatten, torch.flatten}
RESHAPES |= {Tensor.unflatten, torch.unflatten}
MOVES = {Tensor.transpose, torch.transpose, Tensor.permute, torch.permute, Tensor.swapaxes}
MOVES |= {torch.swapaxes, Tensor.movedim, torch.movedim, torch.einsum, Tensor.unfold}

is_alias: Callable[[Tensor, Tensor], bool] = vars(torch._C)["_is_alias_of"]  # noqa: SLF001

Extent = tuple[int, int]  # steps in memory from this on, and below that, go along channels


@dataclass(frozen=True)
class Leading:
    """The sides of (..., T, d) before the last two: how large, and whether they are heads.

    Examples
    --------
    >>> windows_of_heads = Leading((4, 3), (False, True))
    >>> windows_of_heads.apart(torch.zeros(12, 49, 32)).shape
    torch.Size([4, 3, 49, 32])
    """

    sizes: tuple[int, ...]
    are_heads: tuple[bool, ...]

    @property
    def order(self) -> list[int]:
        """The sides in order: sentences and windows, and then heads."""
        return sorted(range(len(self.sizes)), key=lambda side: self.are_heads[side])

    def apart(self, x: Tensor) -> Tensor:
        """Give (N, h, T, d), N sentences or windows: of that, or of what has such sides.

        Other numbers of heads are fine, as keys have them where queries are grouped.

        Raises
        ------
        ValueError
            If it is a nested tensor, as what nested queries wrote is.
        """
        if x.is_nested:
            raise ValueError(
                "A module attends in nested tensors, in which heads cannot be changed: let it "
                "attend in padded ones."
            )
        x = self._unfolded(x)
        others, heads = self._sides(x)
        return x.permute(*self.order, -2, -1).reshape(prod(others), prod(heads), *x.shape[-2:])

    def together(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Put (N, h, T, d) back as it stood, of the shape that it had."""
        lead = shape[:-2] if len(shape) == len(self.sizes) + 2 else self.sizes
        sides = [lead[side] for side in self.order]
        back = [self.order.index(side) for side in range(len(self.order))]
        return x.reshape(*sides, *x.shape[-2:]).permute(*back, -2, -1).reshape(*shape)

    def of_mask(self, mask: Tensor) -> Tensor:
        """Give a mask, broadcastable as it is to (..., T, S), as (N or 1, h or 1, T, S)."""
        if prod(mask.shape[:-2]) != prod(self.sizes):
            mask = mask.reshape(*[1] * (len(self.sizes) + 2 - mask.dim()), *mask.shape)
        mask = self._unfolded(mask)
        groups = self._sides(mask)
        full = [any(side > 1 for side in group) for group in groups]
        lead = [
            size if full[is_head] else 1
            for size, is_head in zip(self.sizes, self.are_heads, strict=True)
        ]
        return self.apart(mask.expand(*lead, *mask.shape[-2:]))

    def _sides(self, x: Tensor) -> tuple[list[int], list[int]]:
        sides = list(zip(x.shape, self.are_heads, strict=False))
        return [n for n, is_head in sides if not is_head], [n for n, is_head in sides if is_head]

    def _unfolded(self, x: Tensor) -> Tensor:
        """Give each side its own place, where some stood in one; of whatever number of heads."""
        if x.dim() == len(self.sizes) + 2:
            return x
        sizes = list(self.sizes)
        if any(self.are_heads):
            sizes[self.order[-1]] = -1
        return x.reshape(*sizes, *x.shape[-2:])


class Leads:
    """Notes, of what is computed, which sides are heads."""

    def __init__(self) -> None:
        self.extents = WeakTensorKeyDictionary()  # of views of what a projection wrote
        self.known = WeakTensorKeyDictionary()  # of what was computed from such views

    def of(self, x: Tensor, like: Tensor | None = None) -> Leading | None:
        """Tell the sides of a tensor; or of a view of it, in which they stand in order."""
        extent: Extent | None = self.extents.get(x)
        view = x if like is None else like
        if extent is not None:
            return by_steps(view, extent)
        found: Leading | None = self.known.get(x)
        return found if found is not None and view.shape == x.shape else None

    def note(self, func: Any, sources: Any, results: Any) -> None:
        """Note what is known of a result, from that of which it was computed."""
        for result in tensors_in(results):
            if result.dim() < 2 or result.is_nested or result.layout != torch.strided:
                continue
            side = PROJECTIONS.get(func)
            if side is not None:
                step = result.stride(side)
                self.extents[result] = (step, step * result.size(side))
                continue
            for source in tensors_in(sources):
                is_other = source is not result and not source.is_nested
                if is_other and self._inherits(func, source, result):
                    break

    def _inherits(self, func: Any, source: Tensor, result: Tensor) -> bool:
        extent = self.extents.get(source)
        if extent is not None and _lies_alike(source, result):
            self.extents[result] = extent
            return True
        found = self.of(source)
        left = None if found is None or func in MOVES else _left(found, func, source, result)
        if left is not None:
            self.known[result] = left
        return left is not None


def one_of(x: Tensor, name: str) -> Tensor:
    """Take the one sentence out of a nested tensor, which holds sentences of several lengths.

    Raises
    ------
    ValueError
        If there are several.
    """
    if not x.is_nested:
        return x
    one, *others = x.unbind()
    if others:
        raise ValueError(
            f"{name or 'The model'} attends in {1 + len(others)} sentences at once, as nested "
            "tensors: pass one sentence."
        )
    return one[None]


def _lies_alike(source: Tensor, result: Tensor) -> bool:
    """Say whether a step in memory means the same in both: in a view, or computed one by one."""
    is_same = source.shape == result.shape and source.stride() == result.stride()
    return is_same or is_alias(source, result)


def _left(found: Leading, func: Any, source: Tensor, result: Tensor) -> Leading | None:
    """Tell which sides are left in what was computed: the same, or all but the first."""
    if result.dim() < 3 or source.dim() < 3 or source.size(-2) != result.size(-2):
        return None
    is_alike = source.shape[:-2] == result.shape[:-2] or func in RESHAPES
    if is_alike and prod(result.shape[:-2]) == prod(found.sizes):
        return found
    if source.shape[1:] == result.shape and found.sizes[0] == source.size(0):
        return Leading(found.sizes[1:], found.are_heads[1:])
    return None


def by_steps(x: Tensor, extent: Extent) -> Leading | None:
    """Tell sides by how far they step in memory; None, where a token or a side has no own steps.

    Nor has a tensor of no tokens any, such as a memory that is still empty.

    Examples
    --------
    >>> written = torch.zeros(4, 49, 96)  # windows, tokens, channels
    >>> by_steps(written.view(4, 49, 3, 32).transpose(1, 2), (1, 96))
    Leading(sizes=(4, 3), are_heads=(False, True))
    >>> written = torch.zeros(4, 96, 7, 7)  # windows, channels, rows, columns
    >>> by_steps(written.view(4 * 3, 32, 49).mT, (49, 96 * 49))
    Leading(sizes=(4, 3), are_heads=(False, True))
    """
    if x.dim() < 3 or not x.numel():
        return None
    sides = list(zip(x.shape, x.stride(), strict=True))
    are_channels = [size > 1 and extent[0] <= step < extent[1] for size, step in sides]
    is_repeated = any(size > 1 and step == 0 for size, step in sides[:-2])
    if is_repeated or are_channels[-2] or (x.size(-1) > 1 and not are_channels[-1]):
        return None
    found: list[tuple[int, bool]] = []
    for (size, step), is_head in zip(sides[:-2], are_channels, strict=False):
        heads = extent[1] // step if is_head and size * step > extent[1] else size
        if size % heads:
            return None  # more steps than there are channels, and of no whole windows
        found += [(size // heads, False)] * (heads < size) + [(heads, is_head)]
    return Leading(tuple(size for size, _ in found), tuple(is_head for _, is_head in found))
