"""What a trace is asked for with, looked at before the model runs."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedTokenizerBase

from regard.record.door import described, function

ORDER = "trace(sentence, model, tokenizer)"


def a_tokenizer(got: Any) -> Any:
    """Take a tokenizer, or none; of a processor, its own one.

    Raises
    ------
    TypeError
        If it is something else, such as its name.
    ValueError
        If it knows nothing but special tokens.
    """
    for one in (got, getattr(got, "tokenizer", None)):
        if callable(one) and hasattr(one, "convert_ids_to_tokens"):
            return with_vocabulary(one)
    if got is not None:
        raise TypeError(f"A tokenizer is expected, but got {described(got)}: {_instead(got)}.")
    return None


def _instead(got: Any) -> str:
    """Say what to pass in place of what is no tokenizer."""
    if isinstance(got, Tokenizer):
        return "pass PreTrainedTokenizerFast(tokenizer_object=it), of transformers"
    if inputs := getattr(got, "model_input_names", None):
        return (
            f"it makes {', '.join(inputs)}, not of text. Pass what it gives as the sentence, "
            "trace(processor(...), model)"
        )
    return (
        "pass one with the interface of transformers, such as AutoTokenizer.from_pretrained(name) "
        "gives"
    )


def with_vocabulary(tokenizer: Any) -> Any:
    """Take a tokenizer that knows something; transformers makes others where files are missing.

    Raises
    ------
    ValueError
        If all of its tokens are special ones, but for one that may stand for a space.
    """
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        return tokenizer
    if len(tokenizer) - len(set(tokenizer.all_special_ids)) <= 1:
        raise ValueError(
            f"{type(tokenizer).__name__} knows no tokens but special ones, as where a folder has a "
            "model and no tokenizer: save one there, tokenizer.save_pretrained(folder), and load "
            "it anew."
        )
    return tokenizer


def in_order(sentence: Any, model: Any, tokenizer: Any, order: str = ORDER) -> None:
    """Raise where the three were passed in another order.

    Raises
    ------
    TypeError
        If a model or a tokenizer is where another of them belongs.
    """
    for place, got in (("sentence", sentence), ("model", model), ("tokenizer", tokenizer)):
        is_model = isinstance(got, nn.Module) and place != "model"
        if is_model or (isinstance(got, PreTrainedTokenizerBase) and place != "tokenizer"):
            kind = "model" if is_model else "tokenizer"
            raise TypeError(f"A {kind} is where the {place} belongs: the order is {order}.")


def a_flag(name: str, got: object) -> bool:
    """Take True or False.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(got, bool):
        raise TypeError(f"{name} is True or False, but got {described(got)}.")
    return got


def readers_by_class(got: Any) -> Mapping[type[nn.Module], Any] | None:
    """Take functions by the classes of modules that they read.

    Raises
    ------
    TypeError
        If it is something else.
    """
    is_one = isinstance(got, Mapping) and all(isinstance(one, type) for one in got)
    if got is not None and not is_one:
        raise TypeError(
            f"attention is a mapping from classes of modules to functions, but got "
            f"{described(got)}: such as {{MyAttention: read}} (docs/own-models.md)."
        )
    for read in (got or {}).values():
        function("What reads a class, a function (module, arguments, output),", read)
    return got


def check_call(model: nn.Module, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Raise where a model does not take what it would be called with.

    Raises
    ------
    TypeError
        If arguments are missing or too many.
    """
    signature = inspect.signature(model.forward)
    try:
        signature.bind(*positional, **named)
    except TypeError as error:
        raise TypeError(
            f"{type(model).__name__} takes {signature}, but the sentence has {len(positional)} "
            f"tensors and the names {list(named)} ({error}): pass a tuple of tensors, or tensors "
            "by name."
        ) from error


def with_weights(model: nn.Module) -> nn.Module:
    """Take a model that has numbers to compute with.

    Raises
    ------
    ValueError
        If it is on the meta device.
    """
    if device_of(model).type == "meta":
        raise ValueError(
            f"{type(model).__name__} is on the meta device, where it has no weights: load it by "
            "from_pretrained, or fill it by load_state_dict(..., assign=True)."
        )
    return model


def device_of(model: nn.Module) -> torch.device:
    """Say where a model computes: by its first parameter, or as accelerate says.

    Of a model that accelerate loads part by part, parameters are on the meta device until then.
    """
    first = next(model.parameters(), torch.empty(0))
    if first.device.type != "meta":
        return first.device
    of_modules = (getattr(module, "_hf_hook", None) for module in model.modules())
    hooks = (one for hook in of_modules for one in getattr(hook, "hooks", (hook,)))  # or several
    devices = (getattr(hook, "execution_device", None) for hook in hooks)
    return torch.device(next((one for one in devices if one is not None), "meta"))
