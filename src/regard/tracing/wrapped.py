"""What wraps a model: a pipeline, torch.compile, DataParallel, PEFT, or a module of one's own.

Where only one model can be meant, it is looked for inside, and traced and edited there.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from regard.record.door import a_model
from regard.tracing.calls import Read
from regard.tracing.expected import with_weights
from regard.tracing.looped import is_looped
from regard.tracing.modules import attending_modules

PARALLEL = (nn.DataParallel, DistributedDataParallel)
IN_PLACE = {"_compiled_call_impl": "torch.compile", "_hf_hook": "accelerate's hooks"}


@dataclass(frozen=True)
class Unwrapped:
    """The model that is meant, and what it is inside of."""

    model: nn.Module
    whole: nn.Module  # what was given; of a pipeline, its model
    wrappers: tuple[str, ...] = ()  # the outermost first
    tokenizer: PreTrainedTokenizerBase | None = None  # that a wrapper brings

    @property
    def inside(self) -> str:
        """What is said after how the weights were found, such as ", inside torch.compile"."""
        return "".join(f", inside {wrapper}" for wrapper in reversed(self.wrappers))


def unwrapped(got: Any, attention: Mapping[type[nn.Module], Read] | None = None) -> Unwrapped:
    """Find the model that is meant.

    Parameters
    ----------
    got
        A model, or what wraps one.
    attention
        How classes of one's own are read: then a module of one's own is the model itself.

    Raises
    ------
    TypeError
        If it is no model.
    ValueError
        If it has no weights yet; several models can be meant; or a wrapper does what a trace inside
        of it would miss.

    Examples
    --------
    >>> layer = nn.MultiheadAttention(4, 2)
    >>> unwrapped(nn.DataParallel(layer)).model is layer
    True
    """
    wrappers: list[str] = []
    tokenizer = None
    if not isinstance(got, nn.Module) and isinstance(getattr(got, "model", None), nn.Module):
        wrappers, tokenizer = [type(got).__name__], getattr(got, "tokenizer", None)
        got = got.model
    whole = model = with_weights(a_model(got))
    while (inner := _inner(model, attention)) is not None:
        name, inside = inner
        wrappers.append(name)
        tokenizer = tokenizer or _tokenizer_of(model)
        model = inside
    wrappers += [name for attribute, name in IN_PLACE.items() if getattr(model, attribute, None)]
    return Unwrapped(model, whole, tuple(wrappers), tokenizer)


def _inner(
    model: nn.Module, attention: Mapping[type[nn.Module], Read] | None
) -> tuple[str, nn.Module] | None:
    """Give the wrapper's name and what it wraps; None where this is the model itself."""
    if _is_compiled(model):
        return "torch.compile", model._orig_mod  # type: ignore[return-value]  # noqa: SLF001
    if isinstance(model, PARALLEL):
        return type(model).__name__, model.module
    if isinstance(model, PreTrainedModel) or attention:
        return None
    found = _pretrained_inside(model)
    if not found:
        return None
    _refuse_virtual_tokens(model)
    beside = _attending_beside(model, list(found.values()))
    if len(found) > 1 or beside:
        names = ", ".join(f"`model.{name}`" for name in found)
        more = f", and attends by {', '.join(beside)} beside" if beside else ""
        raise ValueError(
            f"{type(model).__name__} wraps {len(found)} transformers model"
            f"{'s' if len(found) > 1 else ''}, {names}{more}: pass the one that is meant."
        )
    (inside,) = found.values()
    if is_looped(model, inside):
        return None  # what attends in each of its calls is a layer of the wrapper's own
    return type(model).__name__, inside


def _pretrained_inside(model: nn.Module) -> dict[str, PreTrainedModel]:
    """Find the transformers models inside that are in no other, by their names."""
    found: dict[str, PreTrainedModel] = {}
    for name, module in model.named_modules():
        is_part = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, PreTrainedModel) and not is_part:
            found[name] = module
    return found


def _attending_beside(model: nn.Module, found: list[PreTrainedModel]) -> list[str]:
    """Name the attention modules that are in none of the models that were found."""
    inside = {module for one in found for module in one.modules()}
    attending = attending_modules(model)
    return [name for name, m in model.named_modules() if m in attending and m not in inside]


def _refuse_virtual_tokens(model: nn.Module) -> None:
    """Raise where PEFT puts tokens before the sentence: the model inside knows none of them."""
    config = getattr(model, "active_peft_config", None)
    if getattr(config, "is_prompt_learning", False):
        raise ValueError(
            f"{type(model).__name__} puts virtual tokens before the sentence "
            f"({type(config).__name__}), which a trace of the model inside would miss. To see the "
            "model without them, pass model.get_base_model()."
        )


def _tokenizer_of(wrapper: nn.Module) -> PreTrainedTokenizerBase | None:
    """Give the tokenizer that a wrapper brings, as a SentenceTransformer does."""
    tokenizer = getattr(wrapper, "tokenizer", None)
    return tokenizer if isinstance(tokenizer, PreTrainedTokenizerBase) else None


def _is_compiled(module: nn.Module) -> bool:
    dynamo = sys.modules.get("torch._dynamo.eval_frame")  # not imported: nothing was compiled
    return dynamo is not None and isinstance(module, dynamo.OptimizedModule)


@contextmanager
def uncompiled(model: nn.Module) -> Iterator[None]:
    """Let compiled parts run as they were written, while within: compiled, they call no hooks."""
    if not any(_is_compiled(m) or vars(m).get("_compiled_call_impl") for m in model.modules()):
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield
