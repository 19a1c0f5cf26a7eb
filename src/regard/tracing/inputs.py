"""What a model is called with, and the names of the tokens on both sides."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from regard.record.words import Side
from regard.tracing.expected import device_of
from regard.tracing.texts import (
    Sentence,
    Text,
    check_ids,
    check_one_sentence,
    encode,
    side_of,
    tokenize,
)

BATCHED = {  # what transformers models take with a sentence, picture or sound a row
    *("input_ids", "attention_mask", "inputs_embeds", "decoder_input_ids", "decoder_inputs_embeds"),
    *("pixel_values", "input_values", "input_features"),
}
ROTARY = ("rope_parameters", "rope_theta", "rope_scaling")  # such positions have no last one


@dataclass
class Inputs:
    """The arguments of one forward pass, with a batch of one."""

    positional: tuple[Tensor, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    source: Side = field(default_factory=Side)
    read: list[int] = field(default_factory=list)  # ids that the decoder of two sides reads
    written: list[int] = field(default_factory=list)  # ids that it writes at each of them


def is_text(sentence: Any) -> TypeGuard[Text]:
    """Say whether this is a text, a pair of texts or a list of words."""
    return isinstance(sentence, str) or (
        isinstance(sentence, list | tuple)
        and len(sentence) > 0
        and all(isinstance(part, str) for part in sentence)
    )


def inputs_of_module(
    sentence: Sentence,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase | None,
    target: str | None,
    max_new_tokens: int | None = None,
) -> Inputs:
    """Prepare for a PyTorch module, `model(src)`, or `model(src, tgt)` if it can generate."""
    device = device_of(model)
    if not is_text(sentence):
        if target is not None:
            raise ValueError("A target is for text: pass both sides as tensors instead.")
        return _tensors(sentence, device)
    tokenizer = _needed(tokenizer)
    sentence = " ".join(sentence) if isinstance(sentence, list) else sentence
    ids = encode(sentence, tokenizer)
    src = torch.tensor([ids], device=device)
    source = side_of(ids, tokenizer, tokenize(sentence, tokenizer).side.words)
    if not hasattr(model, "generate"):
        _refuse_target(target, model)
        return Inputs((src,), source=source)
    if target is None:
        whole = model.generate(src)[0].tolist()  # type: ignore[operator]  # as the protocol says
        whole = whole[: 1 + (max_new_tokens or len(whole))]
        read, written = whole[:-1], whole[1:]
    else:
        written = encode(target, tokenizer)  # ... </s>
        read = [tokenizer.bos_token_id, *written[:-1]]
    return Inputs(
        (src, torch.tensor([read], device=device)), source=source, read=read, written=written
    )


def inputs_of_pretrained(
    sentence: Sentence,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    target: str | None,
    max_new_tokens: int | None = None,
) -> Inputs:
    """Prepare for a transformers model, by the names of its forward method."""
    if is_text(sentence):
        tensors, source = tokenize(sentence, _needed(tokenizer))
        inputs = Inputs(named=dict(tensors), source=source)
    else:
        inputs = _tensors(sentence, device_of(model))
        inputs.named |= dict(zip([model.main_input_name], inputs.positional, strict=False))
        inputs.positional = ()
        check_one_sentence([x for name, x in inputs.named.items() if name in BATCHED])
        if "input_ids" in inputs.named:
            _check_fit(inputs.named["input_ids"], model)
            inputs.source = side_of(inputs.named["input_ids"][0].tolist(), tokenizer)
    parameters = inspect.signature(model.forward).parameters
    unknown = inputs.named.keys() - parameters.keys()
    for name in unknown & {"attention_mask", "token_type_ids"}:  # which tokenizers give for all
        del inputs.named[name]
    unknown &= inputs.named.keys()
    if is_text(sentence):
        inputs.named = {k: x for k, x in inputs.named.items() if k not in unknown}
    elif unknown:
        raise ValueError(
            f"{type(model).__name__} takes no {sorted(unknown)}: choose from {sorted(parameters)}."
        )
    inputs.named = {name: x.to(device_of(model)) for name, x in inputs.named.items()}
    if "input_ids" in inputs.named:
        _check_fit(inputs.named["input_ids"], model)
    if "decoder_input_ids" in parameters:
        _add_target(inputs, model, tokenizer, target, max_new_tokens)
    else:
        _refuse_target(target, model)
    if "use_cache" in parameters:
        inputs.named["use_cache"] = False
    return inputs


def _tensors(sentence: Any, device: torch.device) -> Inputs:
    """Take tensors that are ready."""
    if isinstance(sentence, Tensor):
        inputs = Inputs((sentence.to(device),))
    elif isinstance(sentence, tuple) and all(isinstance(x, Tensor) for x in sentence):
        inputs = Inputs(tuple(x.to(device) for x in sentence))
    elif isinstance(sentence, Mapping) and all(isinstance(x, Tensor) for x in sentence.values()):
        inputs = Inputs(named={name: x.to(device) for name, x in sentence.items()})
    else:
        raise TypeError(
            "A sentence is a string, a pair of strings or a list of words; or a tensor, a tuple of "
            f"tensors or tensors by name; but got {_said(sentence)}."
        )
    return inputs


def _said(sentence: Any) -> str:
    """Say of what type something is, and of a mapping what in it is no tensor."""
    if not isinstance(sentence, Mapping):
        return type(sentence).__name__
    others = {n: type(x).__name__ for n, x in sentence.items() if not isinstance(x, Tensor)}
    return f"a mapping in which {others} are no tensors"


def _needed(tokenizer: PreTrainedTokenizerBase | None) -> PreTrainedTokenizerBase:
    if tokenizer is None:
        raise ValueError("A text needs its tokenizer: trace(sentence, model, tokenizer).")
    return tokenizer


def _refuse_target(target: str | None, model: nn.Module) -> None:
    if target is not None:
        raise ValueError(
            f"{type(model).__name__} has no decoder beside an encoder, so it takes no target: "
            "leave target out."
        )


def _check_fit(ids: Tensor, model: PreTrainedModel) -> None:
    """Raise where ids are of several sentences, unknown to the model, or too many."""
    check_one_sentence([ids])
    try:
        embeddings = getattr(model.get_input_embeddings(), "num_embeddings", None)
    except NotImplementedError:  # it has several
        embeddings = None
    if embeddings is not None:
        check_ids(ids, embeddings)
    check_length(ids.size(1), model, "The sentence")


def check_length(length: int, model: PreTrainedModel, what: str) -> None:
    """Raise where a model has no positions for so many tokens.

    Raises
    ------
    ValueError
        If they are too many.
    """
    config = model.config
    longest = getattr(config, "max_position_embeddings", None)
    is_rotary = any(getattr(config, name, None) is not None for name in ROTARY)
    if isinstance(longest, int) and 0 < longest < length and not is_rotary:
        raise ValueError(
            f"{what} has {length} tokens, but {type(model).__name__} takes {longest}: shorten it."
        )


def _add_target(
    inputs: Inputs,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    target: str | None,
    max_new_tokens: int | None,
) -> None:
    """Give the decoder what it reads: ids that are there, the target, or what the model writes."""
    if "decoder_input_ids" in inputs.named:
        if target is not None:
            raise ValueError("Pass either a target or decoder_input_ids, not both.")
        inputs.read = inputs.named["decoder_input_ids"][0].tolist()
        return
    start = model.generation_config.decoder_start_token_id if model.can_generate() else None
    start = getattr(model.config, "decoder_start_token_id", None) if start is None else start
    if target is not None:
        if start is None:
            raise ValueError(
                f"{type(model).__name__} does not say with which token its decoder starts: pass "
                "decoder_input_ids among the tensors."
            )
        inputs.written = list(_needed(tokenizer)(text_target=target).input_ids)
        inputs.read = [start, *inputs.written[:-1]]
    elif model.can_generate():
        whole = generate(model, inputs.named, max_new_tokens)
        if start is not None and whole[0] != start:  # some leave out what they start with
            whole = [start, *whole]
        inputs.read, inputs.written = whole[:-1], whole[1:]
    else:
        raise ValueError(
            f"{type(model).__name__} cannot write a target itself: pass target=, or load it with a "
            "head that generates (AutoModelForSeq2SeqLM)."
        )
    inputs.named["decoder_input_ids"] = torch.tensor([inputs.read], device=device_of(model))


def generate(model: Any, named: Mapping[str, Any], max_new_tokens: int | None) -> list[int]:
    """Let a transformers model write greedily; give all ids of the one sequence."""
    config = model.generation_config  # of a transformers model that can generate
    if max_new_tokens is None and config.max_new_tokens is None and config.max_length in {None, 20}:
        source = next(x for x in named.values() if isinstance(x, Tensor))
        max_new_tokens = 2 * source.size(1) + 10  # 20 is nobody's choice: transformers' default
        limit = getattr(model.config, "max_target_positions", None) or max_new_tokens + 1
        max_new_tokens = min(max_new_tokens, limit - 1)
    options: dict[str, Any] = {"return_dict_in_generate": False, "num_return_sequences": 1}
    options |= {} if max_new_tokens is None else {"max_new_tokens": max_new_tokens}
    named = {name: x for name, x in named.items() if name != "use_cache"}
    ids: list[int] = model.generate(**named, do_sample=False, num_beams=1, **options)[0].tolist()
    return ids


def write_on(
    inputs: Inputs,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    max_new_tokens: int,
) -> None:
    """Let a decoder continue its prompt; it then reads all but the last token."""
    if "input_ids" not in inputs.named:
        raise ValueError(
            f"A generation starts from text or input_ids, but got only {sorted(inputs.named)}."
        )
    prompt_ids = inputs.named["input_ids"]
    check_length(prompt_ids.size(1) + max_new_tokens - 1, model, "A prompt with what is written")
    whole = generate(model, inputs.named, max_new_tokens)
    read, inputs.written = whole[:-1], whole[1:]
    inputs.source = side_of(read, tokenizer)
    prompt = inputs.named.get("attention_mask", torch.ones_like(prompt_ids))
    mask = torch.ones(1, len(read), dtype=prompt.dtype, device=device_of(model))
    mask[:, : prompt.size(1)] = prompt[:, : len(read)]
    inputs.named |= {
        "input_ids": torch.tensor([read], device=device_of(model)),
        "attention_mask": mask,
    }
    inputs.named.pop("token_type_ids", None)
    if "position_ids" in inspect.signature(model.forward).parameters and not mask.all():
        inputs.named["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)  # as generate counts
