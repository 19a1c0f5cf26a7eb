"""The parts of a model that attend over tokens of their own: a vision tower, a U-Net's levels.

They are told by where the modules that attended stand. Modules of one list, such as `layers`, are
a stack. Stacks are one part where each has kinds of its own and some of it is cross-attention: an
encoder and its decoder. Else each stack is a part, named by the first piece of its path that the
others do not share. A stack whose modules read different numbers of tokens is parted by level.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from regard.record.kinds import in_part
from regard.record.layers import Layer, Note, Recorder
from regard.tracing.calls import is_within

Stack = tuple[str, ...]  # the pieces of a path that the modules of a stack share


class Numbered(NamedTuple):
    """What a recorder kept, each layer numbered within its part."""

    layers: dict[str, dict[int, Layer]]  # by kind, named with its part, and number
    notes: dict[str, dict[int, Note]]


def numbered(recorder: Recorder) -> Numbered:
    """Give all layers their numbers within the parts of the model."""
    found = Numbered({}, {})
    for (kind, at), (named, number) in places_in_parts(recorder.notes).items():
        found.notes.setdefault(named, {})[number] = recorder.notes[kind][at]
        is_wanted = recorder.wanted is None or number in recorder.wanted
        if at in recorder.layers[kind] and is_wanted:
            found.layers.setdefault(named, {})[number] = recorder.layers[kind][at]
    return found


def places_in_parts(
    notes: Mapping[str, Mapping[int, Note]],
) -> dict[tuple[str, int], tuple[str, int]]:
    """Give, for the kind and number of each layer, those that it has within its part."""
    places = [(kind, at) for kind, of_kind in notes.items() for at in sorted(of_kind)]
    parts = parts_of([kind for kind, _ in places], [notes[kind][at] for kind, at in places])
    counts: Counter[str] = Counter()
    found = {}
    for place, part in zip(places, parts, strict=True):
        named = in_part(part, place[0])
        found[place] = (named, counts[named])
        counts[named] += 1
    return found


def parts_of(kinds: Sequence[str], notes: Sequence[Note]) -> list[str]:
    """Name the part of each layer; "" if the model is one.

    Examples
    --------
    >>> paths = ["vision.encoder.layers.0", "vision.encoder.layers.1", "text.layers.0"]
    >>> parts_of(["encoder", "encoder", "decoder"], [Note(path, 9) for path in paths])
    ['vision', 'vision', 'text']
    >>> parts_of(["encoder", "decoder", "cross"], [Note("a.0", 9), Note("b.0", 4), Note("b.0", 4)])
    ['', '', '']
    """
    stacks = _levels(notes, _stacks(notes))
    kinds_of: dict[Stack, set[str]] = {}
    for stack, kind in zip(stacks, kinds, strict=True):
        kinds_of.setdefault(stack, set()).add(kind)
    names = dict(_names(kinds_of, len(_shared(list(kinds_of)))))
    paths = {stack: note.path for stack, note in zip(stacks, notes, strict=True)}
    return [_told_apart(stack, names, paths) for stack in stacks]


def _shared(paths: Sequence[Sequence[str]]) -> Stack:
    """Give the pieces with which all paths begin."""
    pieces = []
    for column in zip(*paths, strict=False):
        if len(set(column)) > 1:
            break
        pieces.append(column[0])
    return tuple(pieces)


def _stacks(notes: Sequence[Note]) -> list[Stack]:
    """Give the stack of each layer; modules that stand in no list are one if they read as many."""
    paths = [note.path.split(".") for note in notes]
    shared = _shared(paths)
    stacks = [_stack_of(path, len(shared)) for path in paths]
    alone = [stack == tuple(path) for stack, path in zip(stacks, paths, strict=True)]
    read = {note.num_queries for note, is_alone in zip(notes, alone, strict=True) if is_alone}
    if len(read) > 1:
        return stacks
    return [shared if is_alone else stack for stack, is_alone in zip(stacks, alone, strict=True)]


def _stack_of(path: Sequence[str], start: int) -> Stack:
    """Give what is before the first piece that ends with a number, of those not shared by all."""
    for at, piece in enumerate(path):
        if at >= start and re.search(r"\d$", piece):
            return tuple(path[:at])
    return tuple(path)


def _levels(notes: Sequence[Note], stacks: Sequence[Stack]) -> list[Stack]:
    """Part a stack of stacks by the first number, where their modules read other numbers of tokens.

    So `blocks.0.3` and `blocks.1.0`; but not `blocks.3` and `blocks.4`, where tokens are dropped.
    """
    levels = [
        (*stack, *note.path.split(".")[len(stack) :][:1])
        if re.search(r"\.\d+\..*\d(\.|$)", f".{note.path[len('.'.join(stack)) :]}")
        else stack
        for note, stack in zip(notes, stacks, strict=True)
    ]
    read: dict[Stack, set[int]] = {}
    read_by_level: dict[Stack, set[int]] = {}
    for note, stack, level in zip(notes, stacks, levels, strict=True):
        read.setdefault(stack, set()).add(note.num_queries)
        read_by_level.setdefault(level, set()).add(note.num_queries)
    whole = {stack for stack, several in read.items() if len(several) == 1}
    whole |= {
        stack for stack, level in zip(stacks, levels, strict=True) if len(read_by_level[level]) > 1
    }
    return [stack if stack in whole else level for stack, level in zip(stacks, levels, strict=True)]


def _names(kinds_of: Mapping[Stack, set[str]], depth: int) -> Iterator[tuple[Stack, Stack]]:
    """Name stacks that share `depth` pieces by the pieces up to where they differ."""
    kinds = [kind for of_stack in kinds_of.values() for kind in of_stack]
    is_one = len(kinds_of) == 1 or ("cross" in kinds and len(kinds) == len(set(kinds)))
    if is_one:
        name = next(iter(kinds_of))[:depth]
        yield from ((stack, name) for stack in kinds_of)
        return
    groups: dict[Stack, dict[Stack, set[str]]] = {}
    for stack, of_stack in kinds_of.items():
        groups.setdefault(stack[: depth + 1], {})[stack] = of_stack
    for group in groups.values():
        yield from _names(group, depth + 1)


def _told_apart(stack: Stack, names: Mapping[Stack, Stack], paths: Mapping[Stack, str]) -> str:
    """Shorten a part's name from the left as long as it is no other part's."""
    name = names[stack]
    if len(set(names.values())) == 1:
        return ""
    shared = len(_shared(list(names.values())))
    others = [paths[other] for other in names if names[other] != name]
    for start in range(min(shared, len(name) - 1), -1, -1):
        short = ".".join(name[start:])
        if not short.isdigit() and not any(is_within(path, short) for path in others):
            return short
    return ".".join(name)


def all_paths(notes: Mapping[str, Mapping[int, Note]]) -> dict[str, dict[int, str]]:
    """Give the path of each module that attended, by kind and number; of one that did again, when.

    Examples
    --------
    >>> all_paths({"encoder": {0: Note("block.attn", 9), 1: Note("block.attn", 9)}})
    {'encoder': {0: 'block.attn', 1: 'block.attn, call 2'}}
    """
    return {kind: dict(_calls(of_kind)) for kind, of_kind in notes.items()}


def _calls(notes: Mapping[int, Note]) -> Iterator[tuple[int, str]]:
    counts: Counter[str] = Counter()
    for at, note in notes.items():
        counts[note.path] += 1
        is_again = note.path and counts[note.path] > 1
        yield at, f"{note.path}, call {counts[note.path]}" if is_again else note.path


def lists_of(paths: Iterable[str]) -> set[Stack]:
    """Give the lists that modules stand in.

    Examples
    --------
    >>> sorted(lists_of(["vision.layers.0", "vision.layers.1", "text.layers.0"]))
    [('text', 'layers'), ('vision', 'layers')]
    """
    pieces = [path.split(".") for path in paths]
    shared = len(_shared(pieces))
    stacks = {_stack_of(path, shared): tuple(path) for path in pieces}
    return {stack for stack, path in stacks.items() if stack != path}
