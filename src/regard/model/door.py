"""What a function is called with, looked at before anything is done with it."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

IN_WORDS = {
    Integral: "a whole number",
    Real: "a number",
    Sequence: "a list of texts",
    NoneType: "None",
}


def check_types(function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Raise where an argument is not what the function takes: True is no number, a text no list."""
    for name in [name for name in arguments if name in function.__annotations__]:
        got, taken = arguments[name], function.__annotations__[name]
        parts = get_args(taken) if isinstance(taken, UnionType) else [taken]
        kinds = tuple({int: Integral, float: Real}.get(p) or get_origin(p) or p for p in parts)
        fits = isinstance(got, kinds) and (not isinstance(got, bool | str) or type(got) in kinds)
        if not fits or (Sequence in kinds and not all(isinstance(text, str) for text in got)):
            is_long, kind = len(repr(got)) > 60, type(got).__name__
            raise TypeError(
                f"{name} must be {' or '.join(IN_WORDS.get(k, k.__name__) for k in kinds)}, "
                f"but is {f'of type {kind}' if is_long else f'{got!r} ({kind})'}: call "
                f"{function.__name__}({', '.join([*arguments][: function.__code__.co_argcount])})."
            )
