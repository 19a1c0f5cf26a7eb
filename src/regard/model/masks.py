"""Who may attend to whom: bool masks with True = may attend."""

from typing import NamedTuple

import torch
from torch import Tensor

from regard.model.door import check_types


class Masks(NamedTuple):
    """The masks of one batch of sentence pairs."""

    source: Tensor  # (B, 1, 1, S): every query may read every source token that is not padding
    target: Tensor  # (B, 1, T, T): ... and no target token after its own


def mask_future_tokens(batch: Tensor) -> Tensor:
    """Let position t read positions 0 to t, and none of those that come after it.

    Parameters
    ----------
    batch
        Token ids (B, T), or embeddings (B, T, d): only T and the device matter.

    Returns
    -------
    Tensor
        Bool (T, T), the lower triangle True.

    Raises
    ------
    ValueError
        If the batch has neither two nor three dimensions.

    Notes
    -----
    Vaswani et al. (2017), section 3.2.3, "masking out ... all values in the input of the softmax
    which correspond to illegal connections".

    Examples
    --------
    >>> mask_future_tokens(torch.tensor([[5, 6, 7]])).int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    check_types(mask_future_tokens, locals())
    if batch.dim() not in {2, 3}:
        raise ValueError(
            f"A batch is token ids (B, T) or embeddings (B, T, d), but got {tuple(batch.shape)}."
        )
    length = batch.size(1)
    return torch.ones(length, length, dtype=torch.bool, device=batch.device).tril()


def create_masks(src: Tensor, tgt: Tensor, *, pad_id: int = 0) -> Masks:
    """Block padding on both sides, and on the target side the future too.

    Parameters
    ----------
    src, tgt
        Token ids (B, S) and (B, T), padded with `pad_id` to one length each.
    pad_id
        The id of the padding token.

    Returns
    -------
    Masks
        Named tuple of source (B, 1, 1, S) and target (B, 1, T, T), both broadcastable to
        (B, h, T, S); True where a query may attend.

    Raises
    ------
    ValueError
        If src or tgt is not (batch, length), or their batches differ.

    Notes
    -----
    Vaswani et al. (2017), section 3.2.3.

    Examples
    --------
    >>> masks = create_masks(torch.tensor([[4, 5, 0]]), torch.tensor([[6, 7]]))
    >>> masks.source
    tensor([[[[ True,  True, False]]]])
    >>> masks.target
    tensor([[[[ True, False],
              [ True,  True]]]])
    """
    check_types(create_masks, locals())
    if src.dim() != 2 or tgt.dim() != 2 or src.size(0) != tgt.size(0):
        raise ValueError(
            "src and tgt are token ids (B, S) and (B, T) of one batch, "
            f"but got {tuple(src.shape)} and {tuple(tgt.shape)}."
        )
    source = (src != pad_id)[:, None, None, :]
    target = (tgt != pad_id)[:, None, None, :] & mask_future_tokens(tgt)
    return Masks(source, target)
