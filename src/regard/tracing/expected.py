"""What a model, a tokenizer and a sentence are, looked at before anything is done with them."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from regard.record.door import described

ORDER = ("sentence", "model", "tokenizer")


def a_model(got: object) -> nn.Module:
    """Take a model that can run.

    Raises
    ------
    TypeError
        If it is something else, such as the name of a model or a class.
    ValueError
        If its parameters are on the meta device: it has shapes, but no numbers.

    Examples
    --------
    >>> a_model("bert")
    Traceback (most recent call last):
    TypeError: A model is expected, but got 'bert' (str): pass the model itself, such as \
AutoModel.from_pretrained('bert').
    """
    if not isinstance(got, nn.Module):
        raise TypeError(f"A model is expected, but got {described(got)}: {_instead_of(got)}.")
    if device_of(got).type == "meta":
        raise ValueError(
            f"{type(got).__name__} is on the meta device: it has shapes, but no numbers to compute "
            "with. Load it with its weights, such as "
            f"{type(got).__name__}.from_pretrained(...), or model.to_empty(device='cpu') and "
            "model.load_state_dict(...)."
        )
    return got


def _instead_of(got: object) -> str:
    if isinstance(got, str):
        return f"pass the model itself, such as AutoModel.from_pretrained({got!r})"
    if inspect.isclass(got) and issubclass(got, nn.Module):
        return (
            f"pass an instance, such as {got.__name__}(...) or {got.__name__}.from_pretrained(...)"
        )
    return "pass a transformers model, or any torch.nn.Module that attends"


def a_tokenizer(got: Any) -> PreTrainedTokenizerBase | None:
    """Take a tokenizer with the Hugging Face interface, or none.

    Raises
    ------
    TypeError
        If it is something else, such as the name of a tokenizer.
    """
    if got is None or _is_tokenizer(got):
        return got
    if _is_tokenizer(getattr(got, "tokenizer", None)):
        said = f"pass its tokenizer, that is {type(got).__name__}'s .tokenizer"
    elif isinstance(got, str):
        said = f"pass the tokenizer itself, such as AutoTokenizer.from_pretrained({got!r})"
    else:
        said = (
            "pass one with the Hugging Face interface, such as AutoTokenizer.from_pretrained(name)"
        )
    raise TypeError(f"A tokenizer is expected, but got {described(got)}: {said}.")


def in_order(sentence: object, model: object, tokenizer: object, function: str = "trace") -> None:
    """Say so where a sentence, a model and a tokenizer are there, but in another order.

    Raises
    ------
    TypeError
        If they are.

    Examples
    --------
    >>> in_order(nn.Identity(), "the dog saw it", None)
    Traceback (most recent call last):
    TypeError: The arguments are in the order (model, sentence): call trace(sentence, model, \
tokenizer).
    """
    got = [part for part in (sentence, model, tokenizer) if part is not None]
    parts = [_part_of(one) for one in got]
    is_one_each = None not in parts and len(set(parts)) == len(parts)
    if is_one_each and parts != sorted(parts, key=lambda part: ORDER.index(str(part))):
        said = ", ".join(map(str, parts))
        raise TypeError(
            f"The arguments are in the order ({said}): call {function}({', '.join(ORDER)})."
        )


def _part_of(got: object) -> str | None:
    """Say what an argument is, by its type."""
    if isinstance(got, nn.Module) or isinstance(getattr(got, "model", None), nn.Module):
        return "model"
    if _is_tokenizer(got):
        return "tokenizer"
    return "sentence" if isinstance(got, str | list | tuple | Tensor | Mapping) else None


def _is_tokenizer(got: object) -> bool:
    return callable(got) and callable(getattr(got, "convert_ids_to_tokens", None))


def device_of(model: nn.Module) -> torch.device:
    """Say where a model computes: by its first parameter, or as accelerate says.

    Of a model that accelerate loads part by part, parameters are on the meta device until then.
    """
    first = next(model.parameters(), torch.empty(0))
    hooks = (getattr(module, "_hf_hook", None) for module in model.modules())
    if first.device.type == "meta":
        devices = (getattr(hook, "execution_device", None) for hook in hooks)
        return torch.device(next((one for one in devices if one is not None), "meta"))
    return first.device
