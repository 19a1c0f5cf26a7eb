"""Attention in a band, unfolded to the keys that it reads: Longformer's, and that of LED's encoder.

They give 2 w + 1 columns, of the keys around a query, and before them one of each token that all
read and that reads all; its own row is given apart.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def global_tokens(model: nn.Module) -> Iterator[list[Tensor]]:
    """Note which tokens all read, while within: bool, (B, T) with what they are padded to."""
    noted: list[Tensor] = []
    asking = threading.get_ident()

    def note(_: nn.Module, __: Any, given: Mapping[str, Any]) -> None:
        if threading.get_ident() == asking:
            noted.append(given["is_index_global_attn"])

    with ExitStack() as hooks:
        for module in model.modules():
            if hasattr(module, "one_sided_attn_window_size"):
                handle = module.register_forward_pre_hook(note, with_kwargs=True)
                hooks.callback(handle.remove)
        yield noted


def unfolded(weights: Tensor, of_globals: Tensor | None, is_global: Tensor) -> Tensor:
    """Put columns where their keys are.

    Parameters
    ----------
    weights
        (h, T, g + 2 w + 1): of each query, g tokens that all read, then the band.
    of_globals
        (h, T, g): what these tokens read, a column each; None where there are none.
    is_global
        Which tokens they are: bool, (T,) or longer.

    Returns
    -------
    Tensor
        (h, T, T).

    Examples
    --------
    >>> band = torch.tensor([[[0.0, 0.5, 0.5], [0.2, 0.3, 0.5], [0.6, 0.4, 0.0]]])
    >>> unfolded(band, None, torch.zeros(3, dtype=torch.bool))[0, 2]
    tensor([0.0000, 0.6000, 0.4000])
    """
    num_heads, num_tokens, _ = weights.shape
    at = is_global[:num_tokens].nonzero()[:, 0]
    to_globals, band = weights[..., : len(at)], weights[..., len(at) :]
    reach = band.size(-1) // 2
    here = torch.arange(num_tokens, device=weights.device)[:, None]
    keys = (here + torch.arange(band.size(-1), device=weights.device)).expand(num_heads, -1, -1)
    wide = weights.new_zeros(num_heads, num_tokens, num_tokens + 2 * reach)
    whole = wide.scatter_(2, keys, band)[..., reach : reach + num_tokens].clone()
    whole[..., at] += to_globals
    if of_globals is not None and len(at):
        whole[:, at] = of_globals[:, :num_tokens].mT
    return whole
