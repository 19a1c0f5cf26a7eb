"""How heads are looked at: all that is saved with a view, and what may be wrong with it."""

from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

from regard.record.door import described, number, text, whole_number
from regard.record.trace import Trace
from regard.viewer.contract import Focus, Look, Selection

Role = Literal["rows", "columns"]
WAYS = ("beside", "mean", "largest", "difference")
PLAIN = Look(  # as a view opens; the same as in look.ts
    words=False,
    hide=False,
    log=False,
    common=None,
    measure="",
    rising=False,
    locked=None,
    cell=None,
    zoom=1.0,
    corner=(0.0, 0.0),
    pins=[],
    together="beside",
    least=0.0,
    most=0,
    pair=None,
    unfolded=[],
    level=0,
)


def checked(given: object, trace: Trace) -> Look:
    """Take what someone chose of a look; the rest is as a view opens.

    Raises
    ------
    TypeError
        If it is no dictionary, or a value is of another type.
    ValueError
        If there is no such field, or no such value of it, or no such head.

    Examples
    --------
    >>> seen = Trace.from_weights([[1.0, 0.0], [0.25, 0.75]], ["the", "dog"])
    >>> look = checked({"log": True, "locked": {"role": "rows", "ats": [1]}}, seen)
    >>> look["log"], look["locked"], look["zoom"]
    (True, {'role': 'rows', 'ats': [1]}, 1.0)
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"A look is a dictionary such as {{'log': True}}, but got {given!r}.")
    if unknown := sorted(set(given) - set(PLAIN)):
        raise ValueError(f"A look has no {', '.join(unknown)}: it has {', '.join(PLAIN)}.")
    looked = {name: _checked(name, given[name], trace) for name in PLAIN if name in given}
    return cast("Look", PLAIN | looked)


def _checked(name: str, value: Any, trace: Trace) -> object:
    if name in ("words", "hide", "log", "rising"):
        return _flag(name, value)
    if name in ("locked", "cell", "pair", "common") and value is None:
        return None
    takers: dict[str, Any] = {
        "measure": text,
        "most": _count,
        "level": _count,
        "cell": _counts,
        "pair": _counts,
        "corner": lambda name, pair: tuple(_at_least(name, one, 0) for one in _two(name, pair)),
        "zoom": lambda name, value: _at_least(name, value, 1),
        "common": _share,
        "least": _share,
        "together": lambda name, value: _one_of(name, value, WAYS),
        "locked": _focus,
        "pins": lambda _, pins: [_head(pin, trace) for pin in pins],
        "unfolded": _texts,
    }
    return takers[name](name, value)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, but got {described(value)}.")
    return value


def _count(name: str, value: object) -> int:
    return int(_at_least(name, whole_number(name, value), 0))


def _counts(name: str, value: object) -> tuple[int, ...]:
    return tuple(_count(name, one) for one in _two(name, value))


def _texts(name: str, value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} is a list such as ['picture 1'], but got {described(value)}.")
    return [text(f"Each of {name}", one) for one in value]


def _share(name: str, value: object) -> float:
    share = _at_least(name, value, 0)
    if share > 1:
        raise ValueError(f"{name} is a weight, from 0 to 1, but got {value}.")
    return share


def _at_least(name: str, value: object, least: float) -> float:
    found = number(name, value)
    if not least <= found < float("inf"):
        raise ValueError(f"{name} is at least {least}, but got {value}.")
    return found


def _two(name: str, value: object) -> list[Any]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{name} is a pair of numbers, but got {described(value)}.")
    return list(value)


def _one_of(name: str, value: object, accepted: tuple[str, ...]) -> str:
    if value not in accepted:
        raise ValueError(f"{name} is one of {', '.join(accepted)}, but got {described(value)}.")
    return str(value)


def _focus(name: str, value: object) -> Focus:
    if not isinstance(value, Mapping) or set(value) != {"role", "ats"}:
        example = "{'role': 'rows', 'ats': [4]}"
        raise ValueError(f"{name} is such as {example}, but got {described(value)}.")
    ats = [_count(f"Each of the ats of {name}", at) for at in value["ats"]]
    role = cast("Role", _one_of("role", value["role"], get_args(Role)))
    return Focus(role=role, ats=ats)


def _head(value: object, trace: Trace) -> Selection:
    if not isinstance(value, Mapping) or set(value) != {"kind", "layer", "head"}:
        example = "{'kind': 'encoder', 'layer': 2, 'head': 3}"
        raise ValueError(f"Each of pins is such as {example}, but got {described(value)}.")
    kind, layer, head = trace.head(value["layer"], value["head"], kind=value["kind"])
    return Selection(kind=kind, layer=layer, head=head)
