"""The front end is what its sources give, and speaks with Python in the same words."""

import hashlib
import re
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_origin, get_type_hints, is_typeddict

import pytest
from matplotlib.colors import to_rgb

from regard.pictures import style
from regard.viewer import contract
from regard.viewer.page import FRONT_END

SCRIPT = FRONT_END.read_text("utf-8")
SOURCES = FRONT_END.parents[1] / "frontend" / "src"
TALKED = [one for one in vars(contract).values() if is_typeddict(one)]
FIELD = re.compile(r"^  (\w+)(\??): (.+);$", re.MULTILINE)
LONGEST_FILE, LONGEST_LINE = 300, 100
IN_TYPESCRIPT = {  # how a field's type is written there
    "str": "string",
    "bool": "boolean",
    "int": "number",
    "float": "number",
    "bytes": "Bytes",
}


def fingerprint(sources: Path) -> str:
    """Sum up every source's name and text, as build.mjs does."""
    texts = (f"{path.name}\n{path.read_text('utf-8')}" for path in sorted(sources.iterdir()))
    return hashlib.sha256("".join(texts).encode()).hexdigest()


def test_the_bundle_is_built_from_its_sources() -> None:
    built_from = re.search(r"^// sources (\w+)$", SCRIPT, re.MULTILINE)
    assert built_from, "run `make frontend`"
    assert built_from[1] == fingerprint(SOURCES), "stale: run `make frontend` and commit the bundle"


def in_typescript(annotation: Any) -> str:
    """Write a type as TypeScript does."""
    if isinstance(annotation, str):
        return annotation
    if get_origin(annotation) is None:
        return "null" if annotation is type(None) else named_in_typescript(annotation)
    if get_origin(annotation) is Literal:
        return " | ".join(f'"{value}"' for value in annotation.__args__)
    parts = [in_typescript(part) for part in annotation.__args__]
    of = {
        list: f"({parts[0]})[]" if "|" in parts[0] else f"{parts[0]}[]",
        tuple: f"[{', '.join(parts)}]",
        dict: f"Record<{', '.join(parts)}>",
        UnionType: " | ".join(parts),
    }
    return of[get_origin(annotation)]


def named_in_typescript(annotation: Any) -> str:
    return IN_TYPESCRIPT.get(annotation.__name__, annotation.__name__)


@pytest.mark.parametrize("talked", TALKED, ids=lambda one: str(one.__name__))
def test_both_sides_know_the_same_fields(talked: Any) -> None:
    interface = re.search(
        rf"^export interface {talked.__name__} {{\n(.*?)^}}",
        (SOURCES / "contract.ts").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert interface, f"contract.ts has no {talked.__name__}"
    theirs = {name: (kind, bool(may)) for name, may, kind in FIELD.findall(interface[1])}
    ours = {
        name: (in_typescript(hint), name in talked.__optional_keys__)
        for name, hint in get_type_hints(talked).items()
    }
    assert theirs == ours


def test_no_source_is_too_long() -> None:
    lines = {path.name: path.read_text("utf-8").splitlines() for path in SOURCES.iterdir()}
    assert {name: len(of) for name, of in lines.items() if len(of) > LONGEST_FILE} == {}
    assert [line for of in lines.values() for line in of if len(line) > LONGEST_LINE] == []


def test_its_colours_are_those_of_the_other_pictures() -> None:
    (stops,) = re.findall(r"STOPS = \[(.*?)\]", (SOURCES / "colours.ts").read_text("utf-8"))
    colours = re.findall(r"#\w{6}", stops)
    for at, colour in enumerate(colours):
        other = style.ATTENTION(at / (len(colours) - 1))
        assert to_rgb(colour) == pytest.approx(other[:3], abs=2 / 255)


def test_it_takes_nothing_from_elsewhere_and_writes_no_markup() -> None:
    script = SCRIPT.replace('"http://www.w3.org/2000/svg"', "")  # the name of a language
    assert not re.search(r"\bimport\b[^.]*['\"]|https?:|innerHTML|insertAdjacentHTML", script)
    assert "</script" not in SCRIPT
    assert "<!--" not in SCRIPT
