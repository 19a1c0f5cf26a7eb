"""Which tokens the rows and the columns of each layer are."""

from collections.abc import Mapping
from typing import NamedTuple

from regard.record.kinds import part_of, plain
from regard.record.layers import Layer
from regard.record.words import Side
from regard.tracing.calls import is_within
from regard.tracing.inputs import Inputs

Layers = Mapping[str, Mapping[int, Layer]]  # by kind, named with its part, and number


class Tokens(NamedTuple):
    """The tokens of a trace."""

    source: Side
    target: Side
    sides: dict[str, tuple[Side, Side]]  # by kind, where parts have tokens of their own


def tokens_of(inputs: Inputs, layers: Layers, text_path: str) -> Tokens:
    """Name the tokens of all layers; by numbers, where nobody knows their names.

    Parameters
    ----------
    inputs
        What the model was called with.
    layers
        What attended.
    text_path
        Where the text is read: the path of the module that embeds it; "" if there is none.
    """
    sizes = {kind: next(iter(of_kind.values())).shape[1:] for kind, of_kind in layers.items()}
    if any(map(part_of, layers)):
        return _in_parts(inputs, sizes, text_path)
    source, target = _numbered(sizes)
    source = inputs.source if inputs.source.tokens else source
    return Tokens(source, inputs.target if inputs.target.tokens else target, {})


def _numbered(sizes: Mapping[str, tuple[int, int]]) -> tuple[Side, Side]:
    """Give numbers to what is read, and to what reads on the other side."""
    _, num_source = sizes.get("encoder") or sizes.get("cross") or sizes["decoder"]
    num_target = 0
    if "cross" in sizes or len(sizes) > 1:
        num_target, _ = sizes.get("cross") or sizes["decoder"]
    return _numbers(num_source), _numbers(num_target)


def _in_parts(inputs: Inputs, sizes: Mapping[str, tuple[int, int]], text_path: str) -> Tokens:
    """Give each part its own tokens: one reads the text."""
    reading = _part_that_reads(inputs, sizes, text_path)
    numbers = {count: _numbers(count) for size in sizes.values() for count in size}

    def side(kind: str, named: Side, count: int) -> Side:
        is_named = part_of(kind) == reading and len(named.tokens) == count
        return named if is_named else numbers[count]

    sides = {}
    for kind, (num_queries, num_keys) in sizes.items():
        rows, columns = _usual(inputs, plain(kind))
        sides[kind] = side(kind, rows, num_queries), side(kind, columns, num_keys)
    source = inputs.source if inputs.source.tokens else next(iter(sides.values()))[1]
    return Tokens(source, inputs.target, sides)


def _usual(inputs: Inputs, kind: str) -> tuple[Side, Side]:
    """Give the sides of a kind, as they are in a model of one part."""
    if kind == "encoder" or not inputs.target.tokens:
        return inputs.source, inputs.source
    return inputs.target, inputs.target if kind == "decoder" else inputs.source


def _part_that_reads(
    inputs: Inputs, sizes: Mapping[str, tuple[int, int]], text_path: str
) -> str | None:
    """Find the part that reads the text: where it is embedded, or the only one of its length."""
    parts = {part_of(kind) for kind in sizes}
    embedding = {part for part in parts if is_within(text_path, part)}
    fitting = {
        part_of(kind)
        for kind, (num_queries, _) in sizes.items()
        if num_queries in {len(inputs.source.tokens), len(inputs.target.tokens)}
    }
    found = embedding or fitting
    return found.pop() if len(found) == 1 else None


def _numbers(count: int) -> Side:
    return Side.of_names(map(str, range(count)))
