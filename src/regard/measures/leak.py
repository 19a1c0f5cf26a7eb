"""Does a decoder see the future? Each token is changed, and what moves is measured."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regard.record.door import described, function

Floats = NDArray[np.float64]


def leak_test(predict: Callable[[Tensor], Tensor], target: Tensor, replacement: int) -> Floats:
    """Change one target token after the other, and measure which outputs move.

    Parameters
    ----------
    predict
        Gives logits (1, T, vocab_size) for target ids (1, T), without dropout: the model is in eval
        mode.
    target
        Ids (1, T).
    replacement
        The id that each token is changed to, one that the target has not.

    Returns
    -------
    numpy.ndarray
        (T, T): row t, column s is the largest change of any logit at position t when token s is
        changed. An honest decoder has zeros above the diagonal: the future moves nothing.

    Raises
    ------
    TypeError
        If the target is no tensor, or what predicts is no function.
    ValueError
        If the target is not (1, T), or has the replacement in it, whose change would be none.

    Examples
    --------
    >>> embedding = torch.nn.Embedding(9, 9)
    >>> moved = leak_test(embedding, torch.tensor([[3, 4]]), replacement=8)
    >>> (moved > 0).tolist()
    [[True, False], [False, True]]
    """
    function("predict, a function of target ids (1, T),", predict)
    if not isinstance(target, Tensor):
        raise TypeError(f"The target is a tensor of ids (1, T), but got {described(target)}.")
    if target.dim() != 2 or target.size(0) != 1:
        raise ValueError(
            f"The target is the ids (1, T) of one sentence, not {tuple(target.shape)}."
        )
    if (target == replacement).any():
        raise ValueError(
            f"The replacement, {replacement}, is in the target, where it would change nothing: "
            "choose an id that is not."
        )
    moved = []
    with torch.no_grad():
        before = predict(target)
        for position in range(target.size(1)):
            changed = target.clone()
            changed[0, position] = replacement
            moved.append((predict(changed) - before).abs().amax(dim=-1)[0])
    return torch.stack(moved, dim=1).double().cpu().numpy()
