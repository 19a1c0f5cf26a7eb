"""Changes that last while within: what they say when they are used without `with`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from types import TracebackType
from typing import Any, NoReturn, ParamSpec

P = ParamSpec("P")


class Within(AbstractContextManager[None]):
    """A change of a model that is there inside of `with`, and nowhere else."""

    def __init__(self, name: str, change: AbstractContextManager[None]) -> None:
        self._name = name
        self._change = change

    def __enter__(self) -> None:
        self._change.__enter__()

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._change.__exit__(error_type, error, traceback)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Say that this is no model."""
        raise TypeError(self._said)

    def __iter__(self) -> NoReturn:
        """Say that there is nothing in it."""
        raise TypeError(self._said)

    def __getattr__(self, name: str) -> NoReturn:
        """Say that this is no model, whose attributes it would have."""
        raise AttributeError(self._said)

    @property
    def _said(self) -> str:
        return (
            f"{self._name}(...) gives no model: it changes the one that it was given, while "
            f"within. Write `with regard.{self._name}(model, ...):`, and call the model inside."
        )


def within(change: Callable[P, Iterator[None]]) -> Callable[P, Within]:
    """Make a change of a function that yields once, as `contextmanager` does.

    Examples
    --------
    >>> @within
    ... def louder():
    ...     yield
    >>> louder().generate()
    Traceback (most recent call last):
    AttributeError: louder(...) gives no model: it changes the one that it was given, while within.\
 Write `with regard.louder(model, ...):`, and call the model inside.
    """

    @wraps(change)
    def begun(*args: P.args, **kwargs: P.kwargs) -> Within:
        return Within(change.__name__, contextmanager(change)(*args, **kwargs))

    return begun
