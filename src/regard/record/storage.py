"""A trace in one safetensors file: tensors once each, all else as JSON; no pickle."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from regard.record import door
from regard.record.layers import GroupedLayer, Layer, ScoredLayer, WeighedLayer
from regard.record.places import Media
from regard.record.whole import whole_file
from regard.record.windows import WindowedLayer
from regard.record.words import Side, side_from

if TYPE_CHECKING:
    from regard.record.trace import Trace

FORMAT = "regard trace 1"
AS_IT_IS = ("written_tokens", "counts", "how", "origin", "probabilities")  # what is JSON already


def write_trace(path: str | Path, trace: "Trace") -> None:
    """Write layers, and what else a trace holds; the old file stays until the new one is whole."""
    path = door.path("Where a trace is saved", path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file in it, such as {path / 'x.trace'}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors: dict[int, Tensor] = {}  # by identity: layers share masks and biases
    described = {
        kind: {number: _described(layer, tensors) for number, layer in of_kind.items()}
        for kind, of_kind in trace.layers.items()
    }
    plain = json.dumps(_as_json(trace))
    metadata = {"format": FORMAT, "layers": json.dumps(described), "trace": plain}
    named = {str(i): tensor.contiguous().clone() for i, tensor in enumerate(tensors.values())}
    named |= _tensors_of(trace.media)
    with whole_file(path) as unfinished:
        save_file(named, unfinished, metadata)


def _as_json(trace: "Trace") -> dict[str, Any]:
    """Give all that is no layer."""
    return {
        "source": vars(trace.source),
        "target": vars(trace.target),
        "sides": {kind: [vars(side) for side in both] for kind, both in trace.sides.items()},
        "paths": trace.paths,
        "rate": trace.media.rate,
        "rest": {name: getattr(trace, name) for name in AS_IT_IS},
    }


def _described(layer: Layer, tensors: dict[int, Tensor]) -> dict[str, Any]:
    """Describe a layer in JSON; a tensor is its place in the file."""
    if isinstance(layer, GroupedLayer):
        groups = {"query_groups": layer.query_groups, "key_groups": layer.key_groups}
        return {"type": "GroupedLayer", "inner": _described(layer.layer, tensors), **groups}
    if isinstance(layer, WindowedLayer):
        windows = [_described(window, tensors) for window in layer.windows]
        return {"type": "WindowedLayer", "windows": windows}
    if not isinstance(layer, ScoredLayer | WeighedLayer):
        layer = WeighedLayer(layer.kind, layer.weigh())
    described: dict[str, Any] = {"type": type(layer).__name__}
    for part in fields(layer):
        value = getattr(layer, part.name)
        if part.name == "value":
            continue
        if isinstance(value, Tensor):
            tensors.setdefault(id(value), value)
            described[part.name] = {"tensor": str(list(tensors).index(id(value)))}
        else:
            described[part.name] = value
    return described


def read_trace(path: str | Path) -> dict[str, Any]:
    """Read what `write_trace` wrote: the fields of a trace, by name.

    Raises
    ------
    TypeError
        If the path is none.
    ValueError
        If there is no such file, or it is damaged or no trace.
    """
    path = door.path("What a trace is loaded from", path)
    if not path.is_file():
        is_there = "is a folder" if path.is_dir() else "is not there"
        raise ValueError(f"{path} {is_there}: name a file that `seen.save(path)` wrote.")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no dict
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as a trace ({error}): it is damaged, or no file that "
            "`seen.save(path)` wrote."
        ) from error
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path} is a safetensors file but no trace that this version reads: its format is "
            f"{metadata.get('format')!r}, not {FORMAT!r}."
        )
    layers = {
        kind: {int(number): _layer(described, tensors) for number, described in of_kind.items()}
        for kind, of_kind in json.loads(metadata["layers"]).items()
    }
    plain = json.loads(metadata["trace"])
    media = _media_of(tensors, plain.get("rate", 0))
    return {"layers": layers, "media": media} | _from_json(plain)


def _tensors_of(media: Media) -> dict[str, Tensor]:
    """Give pictures and sounds as tensors by name."""
    named = {f"picture {i}": torch.tensor(pixels) for i, pixels in enumerate(media.pictures)}
    return named if media.sound is None else named | {"sound": torch.tensor(media.sound)}


def _media_of(tensors: Mapping[str, Tensor], rate: int) -> Media:
    count = sum(name.startswith("picture ") for name in tensors)
    sound = tensors["sound"].numpy() if "sound" in tensors else None
    return Media(tuple(tensors[f"picture {i}"].numpy() for i in range(count)), sound, rate)


def _from_json(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Give all that is no layer; files of before there were parts have no sides and paths."""
    sides: dict[str, tuple[Side, ...]] = {
        kind: tuple(map(side_from, both)) for kind, both in plain.get("sides", {}).items()
    }
    paths = {
        kind: {int(number): path for number, path in of_kind.items()}
        for kind, of_kind in plain.get("paths", {}).items()
    }
    source, target = side_from(plain["source"]), side_from(plain["target"])
    return {"source": source, "target": target, "sides": sides, "paths": paths} | plain["rest"]


def _layer(described: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Layer:
    if described["type"] == "GroupedLayer":
        inner = _layer(described["inner"], tensors)
        return GroupedLayer(inner, described["query_groups"], described["key_groups"])
    if described["type"] == "WindowedLayer":
        windows: list[Any] = [_layer(window, tensors) for window in described["windows"]]
        return WindowedLayer(windows)
    parts: dict[str, Any] = {
        name: tensors[part["tensor"]] if isinstance(part, dict) else part
        for name, part in described.items()
        if name != "type"
    }
    if described["type"] == "WeighedLayer":
        return WeighedLayer(**parts)
    return ScoredLayer(value=None, **parts)
