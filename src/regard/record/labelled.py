"""Weights as a labelled array, for whoever works with xarray."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from regard.record.words import Labels

if TYPE_CHECKING:
    import xarray


def labelled_array(
    weights: NDArray[np.float32],
    kind: str,
    layers: Sequence[int],
    labels: Labels,
    origin: Mapping[str, str],
) -> "xarray.DataArray":
    """Label the weights of one kind: (layer, head, query, key), of the kind as a fifth dimension.

    Raises
    ------
    ModuleNotFoundError
        If xarray is not installed.
    """
    try:
        import xarray  # noqa: PLC0415  an extra, and slow to load
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "to_xarray needs xarray, which is not installed: `pip install regard[xarray]`."
        ) from error
    return xarray.DataArray(
        weights[None],
        dims=("kind", "layer", "head", "query", "key"),
        coords={
            "kind": [kind],
            "layer": list(layers),
            "head": range(weights.shape[1]),
            "query_token": ("query", labels.queries),
            "key_token": ("key", labels.keys),
        },
        name="attention",
        attrs=dict(origin),
    )
