"""Which tokens the rows and the columns of each layer are."""

from collections.abc import Mapping
from typing import NamedTuple

from regard.record.kinds import part_of, plain
from regard.record.layers import Layer
from regard.record.windows import names_of
from regard.record.words import Labels, Side
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
    own = {kind: names_of(next(iter(of_kind.values()))) for kind, of_kind in layers.items()}
    if any(map(part_of, layers)):
        return _in_parts(inputs, own, text_path)
    source, target = _without_names(own)
    source = inputs.source if inputs.source.tokens else source
    return Tokens(source, inputs.target if inputs.target.tokens else target, {})


def _without_names(own: Mapping[str, Labels]) -> tuple[Side, Side]:
    """Give what is read, and what reads on the other side."""
    source = (own.get("encoder") or own.get("cross") or own["decoder"]).keys
    target = []
    if "cross" in own or len(own) > 1:
        target = (own.get("cross") or own["decoder"]).queries
    return Side.of_names(source), Side.of_names(target)


def _in_parts(inputs: Inputs, own: Mapping[str, Labels], text_path: str) -> Tokens:
    """Give each part its own tokens: one reads the text."""
    reading = _part_that_reads(inputs, own, text_path)
    unnamed = {tuple(names): Side.of_names(names) for labels in own.values() for names in labels}

    def side(kind: str, named: Side, names: list[str]) -> Side:
        is_named = part_of(kind) == reading and len(named.tokens) == len(names)
        return named if is_named else unnamed[tuple(names)]

    sides = {}
    for kind, (queries, keys) in own.items():
        rows, columns = _usual(inputs, plain(kind))
        sides[kind] = side(kind, rows, queries), side(kind, columns, keys)
    source = inputs.source if inputs.source.tokens else next(iter(sides.values()))[1]
    return Tokens(source, inputs.target, sides)


def _usual(inputs: Inputs, kind: str) -> tuple[Side, Side]:
    """Give the sides of a kind, as they are in a model of one part."""
    if kind == "encoder" or not inputs.target.tokens:
        return inputs.source, inputs.source
    return inputs.target, inputs.target if kind == "decoder" else inputs.source


def _part_that_reads(inputs: Inputs, own: Mapping[str, Labels], text_path: str) -> str | None:
    """Find the part that reads the text: where it is embedded, or the only one of its length."""
    parts = {part_of(kind) for kind in own}
    embedding = {part for part in parts if is_within(text_path, part)}
    fitting = {
        part_of(kind)
        for kind, (queries, _) in own.items()
        if len(queries) in {len(inputs.source.tokens), len(inputs.target.tokens)}
    }
    found = embedding or fitting
    return found.pop() if len(found) == 1 else None
