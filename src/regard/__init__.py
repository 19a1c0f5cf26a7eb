"""regard: see what a Transformer attends to.

The public names stand in `__init__.pyi`. They are loaded when they are first used, so that `import
regard` costs milliseconds.
"""

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

_IMPORT = re.compile(r"^from (regard\.\S+) import (\w+) as", re.MULTILINE)
_LISTED = Path(__file__).with_suffix(".pyi").read_text("utf-8")
_MODULE_OF = {name: module for module, name in _IMPORT.findall(_LISTED)}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605  a list, of what stands in the other file


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name]), name)
    if find_spec(f"regard.{name}"):
        return import_module(f"regard.{name}")
    raise AttributeError(f"module 'regard' has no attribute {name!r}: it has {__all__}")


def __dir__() -> list[str]:
    return __all__
