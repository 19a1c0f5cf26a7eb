"""Which part of the pixels, or of a sound, each token sees: the model is asked.

Parts of what it is given are marked with noise, it runs up to a layer, and the tokens that come out
otherwise are those that see a mark. No head writes meanwhile, so that no token has read another. So
a place is never taken from the number of tokens alone.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regard.record.places import Box, Place
from regard.tracing.any_model import AnyModel
from regard.tracing.inputs import Inputs
from regard.tracing.modules import evaluating
from regard.tracing.restored import restored

MOVED = 1e-3  # of the most that any token moves; what rounding does is less
LEAST = 0.5  # of the parts that are marked alone, those that move their own token most
PEAKS = 6  # parts that are marked alone, where tokens see more than their own


class Spot(NamedTuple):
    """A part of what a model is given: its place, None of padding, and where its numbers stand."""

    place: Place | None
    where: tuple[Any, ...]  # an index into the numbers


Order = Sequence[Spot | None]  # of each token


class UnplacedError(Exception):
    """Why tokens have no places, in words."""


class _Arrived(Exception):  # noqa: N818  nothing went wrong
    """The layer is reached; what comes after it is not asked for."""


class Marks:
    """Marks parts of what a model is given, and tells how far each token of a layer moves.

    Parameters
    ----------
    found
        The model.
    inputs
        What it was called with.
    name
        The argument that is marked.
    shape
        The shape of its numbers that spots are an index into.
    """

    def __init__(
        self, found: AnyModel, inputs: Inputs, name: str | int, shape: Sequence[int]
    ) -> None:
        self.found, self.inputs, self.name = found, inputs, name
        self.given: Tensor = (
            inputs.positional[name] if isinstance(name, int) else inputs.named[name]
        )
        self.shape = tuple(shape)
        x = self.given.detach().float().cpu()
        spread = float(x.std()) if x.numel() > 1 else 0.0
        drawn = torch.randn(self.shape, generator=torch.Generator().manual_seed(0))
        self.noise = drawn * (spread or 1.0)
        self._before: dict[tuple[str, int], Tensor] = {}

    def moved(self, path: str, count: int, spots: Sequence[Spot]) -> NDArray[np.float64]:
        """Give how far each of the tokens that a module is given moves, (count,).

        Raises
        ------
        UnplacedError
            If the module is given no such tokens, or the model does not run so.
        """
        if (path, count) not in self._before:
            self._before[path, count] = self._arriving(path, count, self.given)
        x = self.given.detach().float().cpu().reshape(self.shape).clone()
        for spot in spots:
            x[spot.where] += self.noise[spot.where]
        marked = x.reshape(self.given.shape).to(self.given)
        after = self._arriving(path, count, marked)
        if after.shape != self._before[path, count].shape:
            raise UnplacedError(f"{path} is called otherwise each time")
        moved = (after - self._before[path, count]).nan_to_num().norm(dim=1)
        return moved.double().cpu().numpy()

    def _arriving(self, path: str, count: int, x: Tensor) -> Tensor:
        """Run the model up to a module, and give the tokens that arrive there: (count, numbers)."""
        found: list[Tensor] = []
        asking = threading.get_ident()

        def keep(_: Any, given: Any, named: dict[str, Any]) -> None:
            if threading.get_ident() != asking:
                return
            parts = [_by_token(one, count) for one in (*given, *named.values())]
            found.extend(part.detach().float() for part in parts if part is not None)
            raise _Arrived

        try:
            path = path or self._first()
            module = self.found.model.get_submodule(path)
        except AttributeError:
            raise UnplacedError(f"{path} is called several times") from None
        with ExitStack() as ways:
            ways.enter_context(restored(self.found.whole))
            ways.enter_context(evaluating(self.found.whole))
            ways.callback(module.register_forward_pre_hook(keep, with_kwargs=True).remove)
            ways.enter_context(_in_silence(self.found))
            try:
                self._run(x)
            except _Arrived:
                pass
            except Exception as error:
                raise UnplacedError(f"the model does not run on marked pixels ({error})") from error
        if not found:
            raise UnplacedError(f"{path} is not given a row for each token")
        return torch.cat(found, dim=1)

    def _first(self) -> str:
        """Name the first module that is called an attention: it is not known which attended."""
        for name, module in self.found.model.named_modules():
            if type(module).__name__.endswith("Attention"):
                return name
        raise UnplacedError("it is not known which module attends")

    def _run(self, x: Tensor) -> None:
        positional, named = list(self.inputs.positional), dict(self.inputs.named)
        if isinstance(self.name, int):
            positional[self.name] = x
        else:
            named[self.name] = x
        self.found.model(*positional, **named)


def _by_token(x: Any, count: int) -> Tensor | None:
    """Give what an argument holds of each token, (count, numbers); None if it is of no tokens."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        return None
    for start in range(x.dim()):
        for stop in range(start + 1, x.dim() + 1):
            if x.shape[start:stop].numel() == count:
                return x.flatten(start, stop - 1).movedim(start, 0).reshape(count, -1)
    return None


@contextmanager
def _in_silence(found: AnyModel) -> Iterator[None]:
    """Let no head write, where heads can be edited: else tokens read each other as ever."""
    with ExitStack() as ways:
        try:
            ways.enter_context(found.editing(lambda call: torch.zeros_like(call.output())))
        except ValueError:
            ways.close()
        yield


# from what moves to an order


Ask = Callable[[Sequence[Spot]], NDArray[np.float64]]
"""From the parts that are marked to how far each token moves."""


def order_of(guess: Order, ask: Ask) -> tuple[Order, float]:
    """Give the part that each token sees, as guessed or in another order, and how sure that is.

    Parameters
    ----------
    guess
        The part of each token; None of those that have none.
    ask
        How far tokens move.

    Returns
    -------
    tuple
        The order; and 1 where each token sees its part and no other, the share of `peaks` where
        parts are seen by several, 0 where neither holds.
    """
    spots = list(_placed(guess).values())
    if not spots:
        return guess, 0.0
    if seers(ask([spots[len(spots) // 2]])) > 1:
        return guess, min(peaks(guess, ask), 0.99)
    if confirmed(guess, ask):
        return guess, 1.0
    read = decoded(spots, len(guess), ask)
    return (guess, 0.0) if read is None or not confirmed(read, ask) else (read, 1.0)


def _placed(order: Order) -> dict[int, Spot]:
    """Give the parts that have a place, by token."""
    return {at: spot for at, spot in enumerate(order) if spot and spot.place is not None}


def holds(order: Order, ask: Ask) -> bool:
    """Say whether tokens see what an order says."""
    return confirmed(order, ask) or peaks(order, ask) > LEAST


def seers(moved: NDArray[np.float64]) -> int:
    """Count the tokens that moved."""
    return int(_is_moved(moved).sum())


def _is_moved(moved: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (moved > MOVED * moved.max(initial=0)) & (moved > 0)


def confirmed(order: Order, ask: Ask) -> bool:
    """Mark half of all parts, in so many ways that no two tokens are always marked together.

    Those tokens that are said to see what is marked move, and no others.

    Examples
    --------
    >>> spots = [Spot(Box(0, n, 0, n + 1, 1), (n,)) for n in range(4)]
    >>> def ask(marked):
    ...     return np.array([float(spot in marked) for spot in spots])
    >>> confirmed(spots, ask), confirmed(spots[::-1], ask), decoded(spots, 4, ask) == spots
    (True, False, True)
    """
    placed = _placed(order)
    drawn = np.random.default_rng(0).permutation(len(placed)) + 1
    for bit in range(len(placed).bit_length()):
        chosen = [at for at, code in zip(placed, drawn, strict=True) if code >> bit & 1]
        expected = np.zeros(len(order), dtype=bool)
        expected[chosen] = True
        if not np.array_equal(_is_moved(ask([placed[at] for at in chosen])), expected):
            return False
    return bool(placed)


def decoded(spots: Sequence[Spot], count: int, ask: Ask) -> Order | None:
    """Read which part each token sees: part n is marked where the bits of n + 1 say."""
    codes = np.zeros(count, dtype=int)
    for bit in range(len(spots).bit_length()):
        marked = [spot for n, spot in enumerate(spots) if (n + 1) >> bit & 1]
        codes |= _is_moved(ask(marked)).astype(int) << bit
    seen = codes[codes > 0]
    if len(np.unique(seen)) < len(seen) or seen.max(initial=0) > len(spots):
        return None
    return [spots[code - 1] if code else None for code in codes]


def peaks(order: Order, ask: Ask) -> float:
    """Mark some parts alone, and give the share of those that move their own token most.

    It is 0 where one moves a token most that is neither its own nor next to it. For tokens that see
    more than their own part, through convolutions that overlap.
    """
    placed = _placed(order)
    moved = _is_moved(ask(list(placed.values())))
    if not placed or any(moved[at] for at, spot in enumerate(order) if spot is None):
        return 0.0  # a token that is said to see no part of it moves
    if not moved[list(placed)].all():
        return 0.0
    chosen = np.random.default_rng(0).permutation(list(placed))[:PEAKS].tolist()
    num_exact = 0
    for at in chosen:
        alone = ask([placed[at]])
        most = int(alone.argmax())
        if not alone[most] or most not in placed:
            return 0.0
        if not touch(placed[most].place, placed[at].place):
            return 0.0
        num_exact += most == at
    return num_exact / max(len(chosen), 1)


def touch(one: Place | None, other: Place | None) -> bool:
    """Say whether two places meet.

    Examples
    --------
    >>> touch(Box(0, 0, 0, 2, 2), Box(0, 2, 2, 4, 4)), touch(Box(0, 0, 0, 2, 2), Box(1, 0, 0, 2, 2))
    (True, False)
    """
    if one is None or other is None or type(one) is not type(other):
        return False
    if not isinstance(one, Box):
        return one[0] <= other[1] and other[0] <= one[1]
    is_met = (one[n] <= other[n + 2] and other[n] <= one[n + 2] for n in (1, 2))
    return one.picture == other[0] and all(is_met)
