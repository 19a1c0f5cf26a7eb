"""What a function is called with, looked at before anything is done with it."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

IN_WORDS = {Integral: "a whole number", Real: "a number", Sequence: "a list", NoneType: "None"}


def check_types(function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Raise where an argument is not what the function takes: True is no number, a text no list."""
    for name, got in arguments.items():
        taken = function.__annotations__[name]
        parts = get_args(taken) if get_origin(taken) is UnionType else [taken]
        kinds = tuple({int: Integral, float: Real}.get(p) or get_origin(p) or p for p in parts)
        if not isinstance(got, kinds) or (isinstance(got, bool | str) and type(got) not in kinds):
            said = repr(got) if len(repr(got)) < 60 else "another"
            raise TypeError(
                f"{name} must be {' or '.join(IN_WORDS.get(k, k.__name__) for k in kinds)}, but is "
                f"{said} ({type(got).__name__}): call {function.__name__}({', '.join(arguments)})."
            )
