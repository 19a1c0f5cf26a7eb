"""Weights as a labelled array, for whoever works with xarray."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from regard.record.words import Labels

if TYPE_CHECKING:
    import xarray


def labelled_array(
    kind: str,
    weights: Mapping[int, NDArray[np.float32]],
    labels: Labels,
    paths: Mapping[int, str],
    origin: Mapping[str, str],
) -> "xarray.DataArray":
    """Label the weights of one kind: (layer, head, query, key), of the kind as a fifth dimension.

    Raises
    ------
    ModuleNotFoundError
        If xarray is not installed.
    ValueError
        If the layers have several sizes.
    """
    sizes = sorted({of_layer.shape for of_layer in weights.values()})
    if len(sizes) > 1:
        raise ValueError(
            f"The layers of kind {kind!r} have several sizes, {sizes}, and fit in no one array: "
            "ask for `.weights(layer)`."
        )
    try:
        import xarray  # noqa: PLC0415  an extra, and slow to load
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "to_xarray needs xarray, which is not installed: `pip install regard[xarray]`."
        ) from error
    return xarray.DataArray(
        np.stack(list(weights.values()))[None],
        dims=("kind", "layer", "head", "query", "key"),
        coords={
            "kind": [kind],
            "layer": list(weights),
            "path": ("layer", [paths.get(layer, "") for layer in weights]),
            "head": range(sizes[0][0]),
            "query_token": ("query", labels.queries),
            "key_token": ("key", labels.keys),
        },
        name="attention",
        attrs=dict(origin),
    )
