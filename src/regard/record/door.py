"""What a user asks for, looked at before anything is done with it: what was got, what is taken."""

import operator
from collections.abc import Callable, Iterable
from numbers import Real
from pathlib import Path
from typing import Any, SupportsIndex, cast

import numpy as np
from numpy.typing import NDArray
from torch import nn


def whole_number(name: str, got: object) -> int:
    """Take a whole number, also NumPy's and torch's.

    Raises
    ------
    TypeError
        If it is none; True is none either.

    Examples
    --------
    >>> import numpy as np
    >>> whole_number("layer", np.int64(3))
    3
    """
    is_flag = isinstance(got, bool) or str(getattr(got, "dtype", "")).endswith("bool")
    try:
        if not is_flag:
            return operator.index(cast("SupportsIndex", got))
    except TypeError:
        pass
    raise TypeError(f"{name} is a whole number, but got {described(got)}.")


def within(name: str, got: object, count: int, *, owner: str = "this model") -> int:
    """Take a number counted from 0, of so many that the owner has.

    Raises
    ------
    TypeError
        If it is no whole number.
    ValueError
        If there are not so many.
    """
    index = whole_number(f"A {name}, counted from 0,", got)
    if not 0 <= index < count:
        raise ValueError(
            f"There is no {name} {index}: {owner} has {count}, numbered 0 to {count - 1}."
        )
    return index


def whole_numbers(name: str, got: object) -> list[int]:
    """Take one whole number, or several.

    Raises
    ------
    TypeError
        If they are something else, such as the text "0".
    ValueError
        If there are none.
    """
    if isinstance(got, str) or not isinstance(got, Iterable) or getattr(got, "ndim", 1) == 0:
        return [whole_number(f"{name}, if not several,", got)]
    numbers = [whole_number(f"Each of {name}", one) for one in got]
    if not numbers:
        raise ValueError(f"{name} names none: give at least one, or leave it out.")
    return numbers


def number(name: str, got: object) -> float:
    """Take one number, whole or not.

    Raises
    ------
    TypeError
        If it is something else; True is none.
    """
    if not isinstance(got, Real) or isinstance(got, bool):
        raise TypeError(f"{name} is a number, but got {described(got)}.")
    return float(got)


def text(name: str, got: object) -> str:
    """Take a text.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(got, str):
        raise TypeError(f"{name} is a text, but got {described(got)}.")
    return got


def names(what: str, got: object) -> list[Any]:
    """Take a list of names; a text is none, though it has letters.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if isinstance(got, str) or not isinstance(got, Iterable):
        raise TypeError(
            f"{what} is a list with a name for each token, but got {described(got)}: pass such "
            'as ["the", "dog"].'
        )
    return list(got)


def path(name: str, got: object) -> Path:
    """Take the path of a file.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(got, str | Path):
        raise TypeError(f"{name} is the path of a file, but got {described(got)}.")
    return Path(got)


def function(name: str, got: object) -> Callable[..., Any]:
    """Take a function, said with what it takes: "loss, a function (model, batch),".

    Raises
    ------
    TypeError
        If it cannot be called.
    """
    if not callable(got):
        raise TypeError(f"{name} is expected, but got {described(got)}.")
    return got


def a_model(got: object) -> nn.Module:
    """Take a model, or say how one is had.

    Raises
    ------
    TypeError
        If it is something else, such as a model's name.
    """
    if not isinstance(got, nn.Module):
        raise TypeError(
            f"A model is expected, but got {described(got)}: pass a PyTorch module, such as "
            "`AutoModel.from_pretrained(name)` or `regard.build_transformer_model(...)` gives."
        )
    return got


def flag(name: str, got: object) -> bool:
    """Take True or False.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if isinstance(got, bool):
        return got
    raise TypeError(f"{name} is True or False, but got {described(got)}.")


def numbers(name: str, got: Any, advice: str) -> NDArray[np.float64]:
    """Take numbers, in an array of any shape; the advice says how such are had.

    Raises
    ------
    TypeError
        If they are something else, such as texts, or rows of several lengths.
    """
    try:
        return np.asarray(got, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}, but got {described(got)}: {advice}.") from error


def described(got: object) -> str:
    """Say what was got, and of what type, in few words."""
    said = repr(got)
    kind = type(got).__name__
    return f"a {kind}" if len(said) > 40 or "\n" in said else f"{said} ({kind})"
