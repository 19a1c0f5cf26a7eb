"""Which modules are running, and from which of their arguments a tensor was computed."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

Origin = frozenset[int]  # numbers of arguments
NOTHING: Origin = frozenset()


def tensors_in(x: Any) -> Iterator[Tensor]:
    """Give the tensors in arguments or results: in lists, tuples and dictionaries, too."""
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, list | tuple):
        for one in x:
            yield from tensors_in(one)
    elif isinstance(x, dict):
        yield from tensors_in(list(x.values()))


@dataclass
class Frame:
    """One module that runs, and what was computed in it so far."""

    module: nn.Module
    name: str
    arguments: list[Tensor]
    origins: WeakTensorKeyDictionary = field(default_factory=WeakTensorKeyDictionary)

    def __post_init__(self) -> None:
        for number, argument in enumerate(self.arguments):
            self.origins[argument] = self.of(argument) | {number}

    def of(self, x: Tensor) -> Origin:
        """Give the arguments that a tensor was computed from, as far as that was in this module."""
        origin: Origin = self.origins.get(x, NOTHING)
        return origin

    def note(self, results: Iterable[Tensor], sources: Iterable[Tensor]) -> None:
        """Note that some tensors were computed from others."""
        origin = NOTHING.union(*map(self.of, sources))
        if origin:
            for result in results:
                self.origins[result] = origin


class _Silence(threading.local):
    """No mode of this thread sees torch's functions: from the first beginning to the last end."""

    def __init__(self) -> None:
        self.depth = 0
        self.guard: Any = None

    def begin(self) -> None:
        if self.depth == 0:
            self.guard = torch._C.DisableTorchFunction()  # noqa: SLF001  it has no public name
            self.guard.__enter__()
        self.depth += 1

    def end(self) -> None:
        self.depth -= 1
        if self.depth == 0:
            self.guard.__exit__(None, None, None)


SILENCE = _Silence()


class Running:
    """The modules of a model that run in this thread, the innermost last.

    While one of the `quiet` ones runs, torch's functions are called as if no mode watched them:
    some of torch's own modules take another way where one does.
    """

    def __init__(self, model: nn.Module, quiet: frozenset[nn.Module] = frozenset()) -> None:
        self.model = model
        self.quiet = quiet
        self.names = {module: name for name, module in model.named_modules()}
        self.thread = threading.get_ident()
        self.frames: list[Frame] = []
        self.silences = 0  # that have begun
        self.mode: TorchFunctionMode  # see `following`

    @contextmanager
    def following(self, mode: TorchFunctionMode) -> Iterator[None]:
        """Follow which modules run, while within.

        The mode is on while one of them runs. So it is, too, where backward runs one again, though
        torch switches off the modes that see a call of backward.
        """
        self.mode = mode
        with ExitStack() as hooks:
            for module in self.names:
                if isinstance(module, torch.jit.ScriptModule):
                    continue  # it runs no hooks that know the arguments by name
                begin = module.register_forward_pre_hook(self._begin, with_kwargs=True)
                end = module.register_forward_hook(self._end, with_kwargs=True, always_call=True)
                hooks.callback(begin.remove)
                hooks.callback(end.remove)
            try:
                yield
            finally:
                for _ in range(self.silences):  # a KeyboardInterrupt kept modules from their end
                    SILENCE.end()
                if self.frames:
                    mode.__exit__(None, None, None)

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if threading.get_ident() != self.thread:
            return
        if not self.frames:
            self.mode.__enter__()
        arguments = list(tensors_in([args, kwargs]))
        self.frames.append(Frame(module, self.names[module], arguments))
        if module in self.quiet:
            SILENCE.begin()
            self.silences += 1

    def _end(self, module: nn.Module, _: Any, __: Any, output: Any) -> None:
        is_mine = threading.get_ident() == self.thread
        if not (is_mine and self.frames and self.frames[-1].module is module):
            return  # it was refused before it began
        frame = self.frames.pop()
        if module in self.quiet:
            SILENCE.end()
            self.silences -= 1
        if self.frames:
            self.frames[-1].note(tensors_in(output), frame.arguments)
        else:
            self.mode.__exit__(None, None, None)

    def note(self, result: Any, *sources: Any) -> None:
        """Note what the innermost module has computed."""
        if self.frames:
            self.frames[-1].note(tensors_in(result), tensors_in(sources))

    def depends(self, x: Tensor) -> bool:
        """Say whether a tensor depends on what the innermost module was given."""
        return bool(self.frames and self.frames[-1].of(x))

    @property
    def attending(self) -> Frame:
        """The module that attends: the innermost that projects, or else the outermost.

        That is one with parameters, of which a scale alone is none.
        """
        own = (frame for frame in reversed(self.frames) if any(_parameters(frame.module)))
        return next(own, self.frames[0])

    def origin(self, x: Tensor) -> Origin:
        """Give the arguments of the module that attends that a tensor was computed from."""
        origin = self.frames[-1].of(x)
        for inner, outer in zip(self.frames[:0:-1], self.frames[-2::-1], strict=True):
            if inner is self.attending:
                break
            origin = NOTHING.union(*(outer.of(inner.arguments[number]) for number in origin))
        return origin

    @property
    def batch(self) -> int:
        """How many sentences the model was given: ids (B, T), or features (B, T, ...); else one."""
        first = next(iter(self.frames[0].arguments), None) if self.frames else None
        return 1 if first is None else _sentences_in(first)

    @property
    def sentences(self) -> frozenset[int]:
        """How many sentences any argument of the model may have."""
        return frozenset(map(_sentences_in, self.frames[0].arguments))


def _sentences_in(x: Tensor) -> int:
    return x.size(0) if x.dim() > 1 + x.is_floating_point() else 1


def _parameters(module: nn.Module) -> Iterator[bool]:
    parameters = module.parameters()
    return (True for x in parameters if isinstance(x, UninitializedParameter) or x.numel() != 1)
