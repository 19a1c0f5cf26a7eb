"""For how many tokens a transformers model has positions."""

from itertools import chain
from typing import Any

from transformers import PreTrainedModel

LIMITS = ("max_position_embeddings", "max_seq_len", "max_target_positions")  # of a configuration
TEXTS = ("encoder", "text_encoder", "text_config")  # what reads a text, in one that has such parts
ROTARY = ("rope_parameters", "rope_theta", "rope_scaling")  # such positions have no last one


def check_length(length: int, model: PreTrainedModel, what: str) -> None:
    """Raise where a model has no positions for so many tokens.

    Raises
    ------
    ValueError
        If they are too many.
    """
    config = _of_text(model.config)
    limits = (getattr(config, name, None) for name in LIMITS)
    limit = next((x for x in limits if isinstance(x, int) and x > 0), None)
    if limit is None:
        return
    longest = limit - _positions_of_padding(model) - _looks_ahead(model.config)
    if longest < length and not _has_no_last(config) and _has_table(model, limit):
        raise ValueError(
            f"{what} has {length} tokens, but {type(model).__name__} takes {longest}: shorten it."
        )


def _of_text(config: Any) -> Any:
    """Give the configuration of what reads a text."""
    parts = (getattr(config, name, None) for name in TEXTS)
    return next((part for part in parts if hasattr(part, "model_type")), config)


def _has_no_last(config: Any) -> bool:
    """Say whether positions are turns (rotary), distances (DeBERTa's) or begin anew (TAPAS')."""
    is_rotary = any(getattr(config, name, None) is not None for name in ROTARY)
    is_absolute = getattr(config, "position_embedding_type", "") == "absolute"  # ESM has either
    is_relative = getattr(config, "position_biased_input", True) is False
    begins_anew = bool(getattr(config, "reset_position_index_per_cell", False))
    return (is_rotary and not is_absolute) or is_relative or begins_anew


def _has_table(model: PreTrainedModel, limit: int) -> bool:
    """Say whether something in the model is as long: some only say for how many it was trained.

    A table may have some rows more, as OPT's. M2M100's table of waves is made longer if need be.
    """
    if any(
        hasattr(module, "make_weight") or hasattr(module, "make_weights")
        for module in model.modules()
    ):
        return False
    if getattr(_of_text(model.config), "max_seq_len", None) == limit:
        return True  # MPT's slopes, which are made anew in each pass
    tensors = chain(model.parameters(), model.buffers())
    return any(limit <= size <= limit + 2 for x in tensors for size in x.shape)


def _looks_ahead(config: Any) -> bool:
    """Say whether a decoder reads a position more than it has tokens, as ProphetNet's streams do.

    Where an encoder reads the text, it does not.
    """
    return hasattr(config, "ngram") and not config.is_encoder_decoder


def _positions_of_padding(model: PreTrainedModel) -> int:
    """Count the positions that no token has, where they begin after the padding's, as RoBERTa's."""
    tables = (x for name, x in model.named_modules() if name.endswith("position_embeddings"))
    paddings = (getattr(table, "padding_idx", None) for table in tables)
    return max((1 + padding for padding in paddings if padding is not None), default=0)
