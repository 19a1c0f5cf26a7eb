"""Whether attention is a decoder's: what a mask shows, and what a module or its model says."""

import re

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

BOTH_WAYS = {"xlnet"}  # it generates, and reads both ways
# types of model that are decoders and nothing else
DECODERS = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.keys() - MODEL_FOR_MASKED_LM_MAPPING_NAMES.keys()
SIDE = re.compile(r"(^|\.)(encoder|decoder)\.")


def side_of(path: str, model: nn.Module) -> str:
    """Say whether a module is of the encoder or the decoder of a transformers model with both."""
    is_two_sided = isinstance(model, PreTrainedModel) and model.config.is_encoder_decoder
    found = {name for _, name in SIDE.findall(path)} if is_two_sided else set()
    return "decoder" if "decoder" in found else "encoder" if found else ""


def hides_the_future(may_read: Tensor) -> bool:
    """Say whether queries are kept from keys after them that later queries read.

    Queries at the beginning may read the future: padding on the left, whose rows mean nothing, or a
    prompt that is read both ways. Keys at the end that nobody reads are padding.

    Parameters
    ----------
    may_read
        Who may read whom: bool (..., Q, K).

    Examples
    --------
    >>> import torch
    >>> causal = torch.ones(4, 4, dtype=torch.bool).tril()
    >>> padded = causal.clone()
    >>> padded[:2] = True
    >>> hides_the_future(causal), hides_the_future(padded), hides_the_future(causal | causal.T)
    (True, True, False)
    """
    size = min(may_read.shape[-2:])
    may_read = may_read.reshape(-1, *may_read.shape[-2:])[:, :size, :size]  # of any head
    reads_next = may_read.diagonal(1, 1, 2).any(0)  # (size - 1,)
    reads_itself = may_read.diagonal(0, 1, 2).any(0)  # (size,)
    both_ways = int(reads_next.nonzero().max()) + 1 if reads_next.any() else 0
    return bool(reads_itself[both_ways + 1 :].any())


def says_causal(module: nn.Module, model: nn.Module) -> bool | None:
    """Say whether a module is a decoder's, by what it or its model says; None if neither does."""
    said = getattr(module, "is_causal", None)
    if said or not isinstance(model, PreTrainedModel):
        return None if said is None else bool(said)
    if model.config.model_type in BOTH_WAYS:
        return False
    if getattr(model.config, "is_decoder", False) or _is_writers(module, model):
        return True
    is_decoders = model.config.model_type in DECODERS
    return is_decoders or None if said is None else False


def _is_writers(module: nn.Module, model: PreTrainedModel) -> bool:
    """Say whether a module is of what writes in a model that generates, without an encoder.

    It may read its prompt both ways, as PaliGemma does, but what it writes it reads one way.
    """
    if model.config.is_encoder_decoder or not model.can_generate():
        return False
    return getattr(module, "config", None) is model.config.get_text_config(decoder=True)
