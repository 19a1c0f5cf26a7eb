"""What a model is called with, and the names of the tokens on both sides."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    check_words,
    said_of,
    side_of,
    side_of_encoded,
    side_of_target,
    tokenize,
    tokenize_known,
)

BATCHED = {  # what transformers models take with a sentence, picture or sound a row
    *("input_ids", "attention_mask", "inputs_embeds", "decoder_input_ids", "decoder_inputs_embeds"),
    *("pixel_values", "input_values", "input_features"),
}
ROTARY = ("rope_parameters", "rope_theta", "rope_scaling")  # such positions have no last one


@dataclass(frozen=True)
class Inputs:
    """The arguments of one forward pass, with a batch of one."""

    positional: tuple[Tensor, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    source: Side = field(default_factory=Side)
    target: Side = field(default_factory=Side)  # what the decoder of two sides reads
    read: list[int] = field(default_factory=list)  # the ids of that
    written: list[int] = field(default_factory=list)  # ids that are written at each token read
    writes: list[str] = field(default_factory=list)  # the names of those
    logits: Tensor | None = None  # by which the model wrote the last of them: (steps, vocabulary)

    def reading(self, ids: list[int], side: Side) -> "Inputs":
        """Let a decoder read all these tokens but the last, and write all but the first."""
        return replace(
            self,
            target=side.part(slice(None, -1)),
            read=ids[:-1],
            written=ids[1:],
            writes=side.tokens[1:],
        )


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
    if isinstance(sentence, list):
        check_words(sentence)
    text = " ".join(sentence) if isinstance(sentence, list) else sentence
    source = tokenize_known(text, tokenizer).side
    src = torch.tensor([source.ids], device=device)
    if not hasattr(model, "generate"):
        _refuse_target(target, model)
        return Inputs((src,), source=source)
    if target is None:
        ids = model.generate(src)[0].tolist()  # type: ignore[operator]  # as the protocol says
        ids = ids[: 1 + (max_new_tokens or len(ids))]
        side = side_of(ids, tokenizer)
    else:  # it reads <s> ..., and writes ... </s>
        ids, side = _after(
            tokenizer.bos_token_id, tokenize_known(target, tokenizer, "target").side, tokenizer
        )
    inputs = Inputs((src,), source=source).reading(ids, side)
    return replace(inputs, positional=(src, torch.tensor([inputs.read], device=device)))


def inputs_of_pretrained(
    sentence: Sentence,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    target: str | None,
    max_new_tokens: int | None = None,
) -> Inputs:
    """Prepare for a transformers model, by the names of its forward method."""
    inputs = _named(sentence, model, tokenizer)
    inputs = _taken(inputs, model, is_text=is_text(sentence))
    parameters = inspect.signature(model.forward).parameters
    if "decoder_input_ids" in parameters:
        inputs = _with_target(inputs, model, tokenizer, target, max_new_tokens)
        ids = torch.tensor([inputs.read], device=device_of(model))
        inputs = replace(inputs, named=inputs.named | {"decoder_input_ids": ids})
    else:
        _refuse_target(target, model)
    unheld = {"use_cache": False} if "use_cache" in parameters else {}
    return replace(inputs, named=inputs.named | unheld)


def _named(
    sentence: Sentence, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None
) -> Inputs:
    """Turn a sentence into tensors by name, and name its tokens."""
    if is_text(sentence):
        tensors, source = tokenize(sentence, _needed(tokenizer))
        return Inputs(named=dict(tensors), source=source)
    given = _tensors(sentence, device_of(model))
    named = given.named | dict(zip([model.main_input_name], given.positional, strict=False))
    check_one_sentence([x for name, x in named.items() if name in BATCHED])
    if "input_ids" not in named:
        return Inputs(named=named)
    _check_fit(named["input_ids"], model)
    ids = named["input_ids"][0].tolist()
    return Inputs(named=named, source=side_of_encoded(sentence, ids, tokenizer))


def _taken(inputs: Inputs, model: PreTrainedModel, *, is_text: bool) -> Inputs:
    """Leave out what a tokenizer gives and the model does not take; check what it does take."""
    parameters = inspect.signature(model.forward).parameters
    if is_text and "input_ids" not in parameters:
        raise ValueError(
            f"{type(model).__name__} reads no text: it takes {model.main_input_name}. Pass tensors "
            "by name, such as its processor gives, and names for what they hold: tokens=[...]."
        )
    unknown = inputs.named.keys() - parameters.keys()
    refused = unknown - {"attention_mask", "token_type_ids"}  # which tokenizers give for all
    if refused and not is_text:
        raise ValueError(
            f"{type(model).__name__} takes no {sorted(refused)}: choose from {sorted(parameters)}."
        )
    named = {n: x.to(device_of(model)) for n, x in inputs.named.items() if n not in unknown}
    if "input_ids" in named:
        _check_fit(named["input_ids"], model)
    return replace(inputs, named=named)


def _tensors(sentence: Any, device: torch.device) -> Inputs:
    """Take tensors that are ready."""
    if isinstance(sentence, Tensor):
        return Inputs((sentence.to(device),))
    if isinstance(sentence, tuple) and all(isinstance(x, Tensor) for x in sentence):
        return Inputs(tuple(x.to(device) for x in sentence))
    if isinstance(sentence, Mapping):  # what is None is as not given
        sentence = {name: x for name, x in sentence.items() if x is not None}
        if all(isinstance(x, Tensor) for x in sentence.values()):
            return Inputs(named={name: x.to(device) for name, x in sentence.items()})
    raise TypeError(
        "A sentence is a string, a pair of strings or a list of words; or a tensor, a tuple of "
        f"tensors or tensors by name; but got {said_of(sentence)}."
    )


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
    is_relative = getattr(config, "position_biased_input", True) is False  # DeBERTa's
    if not isinstance(longest, int) or longest <= 0 or is_rotary or is_relative:
        return
    longest -= _positions_of_padding(model)
    if longest < length:
        raise ValueError(
            f"{what} has {length} tokens, but {type(model).__name__} takes {longest}: shorten it."
        )


def _positions_of_padding(model: PreTrainedModel) -> int:
    """Count the positions that no token has, where they begin after the padding's, as RoBERTa's."""
    tables = (
        module
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding)
    )
    return max(
        (1 + table.padding_idx for table in tables if table.padding_idx is not None), default=0
    )


def _with_target(
    inputs: Inputs,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    target: str | None,
    max_new_tokens: int | None,
) -> Inputs:
    """Give the decoder what it reads: ids that are there, the target, or what the model writes."""
    if "decoder_input_ids" in inputs.named:
        if target is not None:
            raise ValueError("Pass either a target or decoder_input_ids, not both.")
        read = inputs.named["decoder_input_ids"][0].tolist()
        return replace(inputs, read=read, target=side_of(read, tokenizer))
    start = model.generation_config.decoder_start_token_id if model.can_generate() else None
    start = getattr(model.config, "decoder_start_token_id", None) if start is None else start
    if target is not None:
        if start is None:
            raise ValueError(
                f"{type(model).__name__} does not say with which token its decoder starts: pass "
                "decoder_input_ids among the tensors."
            )
        tokenizer = _needed(tokenizer)
        return inputs.reading(*_after(start, side_of_target(target, tokenizer), tokenizer))
    if not model.can_generate():
        raise ValueError(
            f"{type(model).__name__} cannot write a target itself: pass target=, or load it with a "
            "head that generates (AutoModelForSeq2SeqLM)."
        )
    whole, logits = generate(model, inputs.named, max_new_tokens)
    if start is not None and whole[0] != start:  # some leave out what they start with
        whole = [start, *whole]
    return replace(inputs.reading(whole, side_of(whole, tokenizer)), logits=logits)


def _after(start: int, text: Side, tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], Side]:
    """Put the token that a decoder starts with before a text."""
    return [start, *(text.ids or ())], side_of([start], tokenizer).followed_by(text)


def generate(
    model: Any, named: Mapping[str, Any], max_new_tokens: int | None
) -> tuple[list[int], Tensor | None]:
    """Let a transformers model write greedily; give all ids of the one sequence, and logits.

    The ids are those that its decoder was given and wrote, with a prompt that the generation
    configuration brings, such as Whisper's language. Logits are of the last of them, one each, as
    far as they are known.
    """
    config = model.generation_config  # of a transformers model that can generate
    if max_new_tokens is None and config.max_new_tokens is None and config.max_length in {None, 20}:
        source = next(x for x in named.values() if isinstance(x, Tensor))
        max_new_tokens = 2 * source.size(1) + 10  # 20 is nobody's choice: transformers' default
        limit = getattr(model.config, "max_target_positions", None) or max_new_tokens + 1
        max_new_tokens = min(max_new_tokens, limit - 1)
    options: dict[str, Any] = {"return_dict_in_generate": True, "num_return_sequences": 1}
    options |= {} if max_new_tokens is None else {"max_new_tokens": max_new_tokens}
    named = {name: x for name, x in named.items() if name != "use_cache"}
    options |= {"do_sample": False, "num_beams": 1, "output_logits": True}
    prompts: list[Any] = []

    def note(_: nn.Module, __: Any, given: dict[str, Any]) -> None:
        prompts.append(given.get("decoder_input_ids", given.get("input_ids")))

    with model.register_forward_pre_hook(note, with_kwargs=True):
        written = model.generate(**named, **options)
    ids: list[int] = written["sequences"][0].tolist()
    prompt = [] if not prompts or prompts[0] is None else prompts[0][0].tolist()
    steps = written.get("logits")
    if not (steps and prompt and ids[: len(prompt)] == prompt):
        return ids, None
    return ids, torch.cat(steps)[: len(ids) - len(prompt)].float()  # an end may be left out


def write_on(
    inputs: Inputs,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    max_new_tokens: int,
) -> Inputs:
    """Let a decoder continue its prompt; it then reads all but the last token."""
    if "input_ids" not in inputs.named:
        raise ValueError(
            f"A generation starts from text or input_ids, but got only {sorted(inputs.named)}."
        )
    prompt_ids, device = inputs.named["input_ids"], device_of(model)
    check_length(prompt_ids.size(1) + max_new_tokens - 1, model, "A prompt with what is written")
    whole, logits = generate(model, inputs.named, max_new_tokens)
    written = inputs.reading(whole, side_of(whole, tokenizer))
    prompt = inputs.named.get("attention_mask", torch.ones_like(prompt_ids))
    mask = torch.ones(1, len(written.read), dtype=prompt.dtype, device=device)
    mask[:, : prompt.size(1)] = prompt[:, : len(written.read)]
    named = dict(inputs.named)
    if "token_type_ids" in named:  # generate goes on with the last one
        types = named["token_type_ids"]
        more = types[:, -1:].expand(-1, max(len(written.read) - types.size(1), 0))
        named["token_type_ids"] = torch.cat([types, more], dim=1)[:, : len(written.read)]
    named |= {"input_ids": torch.tensor([written.read], device=device), "attention_mask": mask}
    if "position_ids" in inspect.signature(model.forward).parameters and not mask.all():
        named["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)  # as generate counts
    return replace(
        written, named=named, source=written.target, target=Side(), read=[], logits=logits
    )
