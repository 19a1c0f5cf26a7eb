"""A model of a package, and how its weights are known without regard."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from benchmarks.package_readings import Read

Built = tuple[nn.Module, Any]  # and its inputs


@dataclass(frozen=True)
class Case:
    """One model of a package."""

    package: str
    module: str
    name: str
    build: Callable[[], Built]
    read: Read
    kinds: Sequence[str]  # of its layers, in the order of calls
    projection: str = ""  # the end of the name of what the heads of its first layer are given to
