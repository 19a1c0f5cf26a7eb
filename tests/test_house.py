"""The house: which room may know which, and how large a room may be."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import regard

PACKAGE = Path(regard.__file__).parent
ABOVE = {  # what a package may import, besides itself
    "record": set(),
    "model": set(),
    "tracing": {"record"},
    "measures": {"record"},
    "pictures": {"measures", "record"},
    "evidence": {"tracing", "measures", "record"},
    "causes": {"tracing", "measures", "record"},
    "known": {"causes", "tracing", "measures", "record"},
    "lessons": {"pictures", "tracing", "measures", "record"},
    "viewer": {"pictures", "measures", "tracing", "record"},
}
LISTED = {  # the module of each public name
    alias.name: str(node.module)
    for node in ast.parse((PACKAGE / "__init__.pyi").read_text("utf-8")).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}
PACKAGES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 400, 50  # lines


def imports_of(path: Path) -> Iterator[str]:
    """Name what a module imports from this package, anywhere in it.

    `import regard` counts by the attributes that are taken from it.
    """
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "regard":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from names
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("regard."))
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "regard":
            yield place_of(node.attr)


def place_of(name: str) -> str:
    """Give the module of a public name, or the package of that name."""
    where = LISTED.get(name, "regard")
    return f"{where}.{name}"


def package_of(name: str) -> str:
    return name.split(".")[1]


def functions_of(path: Path) -> Iterator[tuple[str, int]]:
    """Give each function's name and how many lines it has, without those of its docstring."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node, clean=False) is not None:
                lines -= (first.end_lineno or 0) - first.lineno + 1
            yield f"{path.relative_to(PACKAGE)}: {node.name}", lines


def test_every_package_has_a_row() -> None:
    assert set(PACKAGES) == set(ABOVE)
    beside = {path.stem for path in PACKAGE.glob("*.py")}
    assert beside == {"__init__", "cli"}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_its_row_allows(package: str) -> None:
    found = {
        f"{path.name} imports {name}"
        for path in (PACKAGE / package).rglob("*.py")
        for name in imports_of(path)
        if package_of(name) not in ABOVE[package] | {package}
    }
    assert found == set()


def test_no_file_bears_the_name_of_what_is_imported_from_its_package() -> None:
    """Else `from regard.tracing import trace` would give a module where a function is meant."""
    public = {(package_of(place_of(name)), name) for name in dir(regard)}
    files = {(path.parent.name, path.stem) for path in MODULES}
    assert public & files == set()
    assert set(PACKAGES) & set(dir(regard)) == set()


@pytest.mark.parametrize("package", ["record", "measures", "pictures"])
def test_a_saved_trace_is_opened_without_transformers(package: str) -> None:
    names = [f"regard.{package}.{path.stem}" for path in (PACKAGE / package).glob("[!_]*.py")]
    code = f"import sys, {', '.join(names)}; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_module_is_too_long() -> None:
    lengths = {str(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {path: n for path, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_no_function_is_too_long() -> None:
    lengths = dict(found for path in MODULES for found in functions_of(path))
    assert {name: n for name, n in lengths.items() if n > LONGEST_FUNCTION} == {}


def test_tests_lean_on_no_benchmark() -> None:
    tests = Path(__file__).parent
    leaning = [
        path.name for path in tests.rglob("*.py") if "benchmarks" in set(roots_of_imports(path))
    ]
    assert leaning == []


def roots_of_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
