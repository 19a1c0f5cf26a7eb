"""The model inside a wrapper, where only one can be meant.

Wrappers are known by what they have, not by their class, so that none of their libraries need be
there: `torch.compile`, `DataParallel`, PEFT, a pipeline, a SentenceTransformer, or any module
around one transformers model. Hooks of accelerate wrap nothing: they stay where they are.
"""

from typing import Any, NamedTuple

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from transformers import Pipeline, PreTrainedModel

from regard.record.door import a_model
from regard.tracing.multihead import is_multihead
from regard.tracing.protocol import follows_protocol


class Inside(NamedTuple):
    """A model, and what it was found in, the outermost first."""

    model: nn.Module
    wrappers: tuple[str, ...]

    @property
    def said(self) -> str:
        """Say what the model was found in, as an end of a sentence."""
        return "".join(f", inside {name}" for name in self.wrappers)


def look_inside(model: Any) -> Inside:
    """Look through what wraps a model; a compiled one is taken as it was before.

    Raises
    ------
    TypeError
        If it is no model.
    ValueError
        If it has no weights yet, or there are several models inside.

    Examples
    --------
    >>> inside = look_inside(nn.DataParallel(nn.Linear(2, 2)))
    >>> inside.model, inside.said
    (Linear(in_features=2, out_features=2, bias=True), ', inside DataParallel')
    """
    wrappers: list[str] = []
    while (inner := _within(model)) is not None:
        wrappers.append(_name_of(model))
        model = inner
    parameter = next(a_model(model).parameters(), None)
    if parameter is not None and parameter.device.type == "meta":
        raise ValueError(
            f"{type(model).__name__} is on the meta device, where it has no weights: load it by "
            "from_pretrained, or fill it by load_state_dict(..., assign=True)."
        )
    return Inside(model, tuple(wrappers))


def _name_of(model: Any) -> str:
    return "torch.compile" if hasattr(model, "_orig_mod") else type(model).__name__


def _within(model: Any) -> Any:
    """Give what a wrapper wraps; None where this is none."""
    if isinstance(model, Pipeline):
        return model.model
    if not isinstance(model, nn.Module) or isinstance(model, PreTrainedModel):
        return None
    if hasattr(model, "_orig_mod"):  # of torch.compile
        return model._orig_mod  # noqa: SLF001  torch gives it no other name
    if isinstance(model, DataParallel | DistributedDataParallel):
        return model.module
    if hasattr(model, "peft_config") and hasattr(model, "get_base_model"):
        peft: Any = model
        return peft.get_base_model()  # with its adapters
    return _only_pretrained(model)


def _only_pretrained(model: nn.Module) -> PreTrainedModel | None:
    """Find the one transformers model in a module that is none; parts of it are not counted."""
    found: dict[str, PreTrainedModel] = {}
    for name, module in model.named_modules():
        is_part = any(not outer or name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, PreTrainedModel) and not is_part:
            found[name] = module
    if len(found) > 1:
        raise ValueError(
            f"{type(model).__name__} has several transformers models inside, {list(found)}: pass "
            "the one that is meant."
        )
    for name, inner in found.items():
        inside = set(inner.modules())
        others = [one for one in model.modules() if one not in inside]
        if any(is_multihead(one) or follows_protocol(one) for one in others):
            raise ValueError(
                f"{type(model).__name__} attends beside the transformers model inside: pass that "
                f"one, `model.{name}`, or the other."
            )
    return next(iter(found.values()), None)


def tokenizer_of(model: Any, tokenizer: Any) -> Any:
    """Give the tokenizer that was passed; without one, that of a pipeline."""
    return getattr(model, "tokenizer", None) if tokenizer is None else tokenizer
