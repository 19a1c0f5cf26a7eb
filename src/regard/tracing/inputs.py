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
from regard.tracing.lengths import check_length
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

TEXT = ("input_ids", "inputs_embeds")  # what transformers models take with a sentence a row
MORE_TEXT = ("attention_mask", "decoder_input_ids", "decoder_inputs_embeds")
SOUNDS = ("input_values", "input_features")  # with a sound a row
PICTURES = "pixel_values"  # with a picture a row, or, in two dimensions, a patch of one a row
GOES_ON = {  # what there is of each token: of those written, it is as of the last one, or zeros
    **dict.fromkeys(("token_type_ids", "cross_attention_mask", "image_attention_mask"), True),
    **dict.fromkeys(("mm_token_type_ids", "image_embeds_position_mask"), False),
}


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
    if "decoder_input_ids" in parameters and _is_two_sided(model):
        inputs = _with_target(inputs, model, tokenizer, target, max_new_tokens)
        ids = torch.tensor([inputs.read], device=device_of(model))
        inputs = replace(inputs, named=inputs.named | {"decoder_input_ids": ids})
    else:
        _refuse_target(target, model)
    unheld = {"use_cache": False} if "use_cache" in parameters else {}
    return replace(inputs, named=inputs.named | unheld)


def _is_two_sided(model: PreTrainedModel) -> bool:
    """Say whether a decoder reads beside an encoder: BLIP-2's language model may be either."""
    config = model.config
    return bool(config.is_encoder_decoder or config.get_text_config().is_encoder_decoder)


def _named(
    sentence: Sentence, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None
) -> Inputs:
    """Turn a sentence into tensors by name, and name its tokens."""
    if is_text(sentence):
        tensors, source = tokenize(sentence, _needed(tokenizer))
        return Inputs(named=dict(tensors), source=source)
    given = _tensors(sentence, device_of(model))
    named = given.named | dict(zip([model.main_input_name], given.positional, strict=False))
    named = _text_first(named)
    check_one_sentence(_batched(named))
    if "input_ids" not in named:
        return Inputs(named=named)
    _check_fit(named["input_ids"], model)
    ids = named["input_ids"][0].tolist()
    return Inputs(named=named, source=side_of_encoded(sentence, ids, tokenizer))


def _text_first(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put ids first: by what comes first, the number of sentences is known."""
    return dict(sorted(named.items(), key=lambda item: item[0] not in TEXT))


def _batched(named: Mapping[str, Tensor]) -> list[Tensor]:
    """Give what has a sentence, picture or sound a row.

    All pictures and sounds that are given beside ids belong to these, however many they are.
    """
    names = {*TEXT, *MORE_TEXT}
    if not any(name in named for name in TEXT):
        names |= {*SOUNDS, PICTURES}
    is_patches = PICTURES in named and named[PICTURES].dim() == 2
    return [x for n, x in named.items() if n in names and not (n == PICTURES and is_patches)]


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
        if all(map(_is_batch, sentence.values())):
            return Inputs(named={name: _moved(x, device) for name, x in sentence.items()})
    raise TypeError(
        "A sentence is a string, a pair of strings or a list of words; or a tensor, a tuple of "
        f"tensors or tensors by name; but got {said_of(sentence)}."
    )


def _is_batch(x: Any) -> bool:
    """Say whether this is a tensor, or a batch that a model takes as one: tensors by name."""
    named = x.values() if isinstance(x, Mapping) else ()
    return isinstance(x, Tensor) or (
        any(isinstance(one, Tensor) for one in named)
        and all(one is None or isinstance(one, Tensor) for one in named)
    )


def _moved(x: Any, device: torch.device) -> Any:
    """Put a tensor, or those of a batch, on a device."""
    if isinstance(x, Mapping):
        return {name: _moved(one, device) for name, one in x.items()}
    return x.to(device) if isinstance(x, Tensor) else x


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
    whole, logits, _ = generate(model, inputs.named, max_new_tokens)
    if start is not None and whole[0] != start:  # some leave out what they start with
        whole = [start, *whole]
    return replace(inputs.reading(whole, side_of(whole, tokenizer)), logits=logits)


def _after(start: int, text: Side, tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], Side]:
    """Put the token that a decoder starts with before a text."""
    return [start, *(text.ids or ())], side_of([start], tokenizer).followed_by(text)


def generate(
    model: Any, named: Mapping[str, Any], max_new_tokens: int | None
) -> tuple[list[int], Tensor | None, Tensor | None]:
    """Let a transformers model write greedily; give all ids of the one sequence, logits, positions.

    The ids are those that its decoder was given and wrote, with a prompt that the generation
    configuration brings, such as Whisper's language. Logits are of the last of them, one each, as
    far as they are known. Positions are those that it was given with the prompt, if any.
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
    positions: list[Tensor | None] = []

    def note(_: nn.Module, __: Any, given: dict[str, Any]) -> None:
        prompts.append(given.get("decoder_input_ids", given.get("input_ids")))
        positions.append(given.get("position_ids"))

    with model.register_forward_pre_hook(note, with_kwargs=True):
        written = model.generate(**named, **options)
    ids: list[int] = written["sequences"][0].tolist()
    prompt = [] if not prompts or prompts[0] is None else prompts[0][0].tolist()
    steps = written.get("logits")
    if not (steps and prompt and ids[: len(prompt)] == prompt):
        return ids, None, None
    logits = torch.cat(steps)[: len(ids) - len(prompt)].float()  # an end may be left out
    return ids, logits, positions[0]


def _counted_on(positions: Tensor, length: int) -> Tensor:
    """Let positions (..., T) go on, as generate counts: RoBERTa's from 0, others' after padding."""
    more = 1 + torch.arange(max(length - positions.size(-1), 0), device=positions.device)
    return torch.cat([positions, positions[..., -1:] + more], dim=-1)[..., :length]


def _gone_on(name: str, x: Any, length: int, *, is_marked: bool) -> Any:
    """Let what there is of each token go on for those that are written, as generate does.

    In PaliGemma's types, ones mark what is written, which is read one way.
    """
    if name not in GOES_ON:
        return x
    last = x[:, -1:] if GOES_ON[name] else torch.zeros_like(x[:, -1:])
    last = torch.ones_like(last) if is_marked and name == "token_type_ids" else last
    more = last.expand(-1, max(length - x.size(1), 0), *x.shape[2:])
    return torch.cat([x, more], dim=1)[:, :length]


def write_on(
    inputs: Inputs,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    max_new_tokens: int,
) -> Inputs:
    """Let a decoder continue its prompt; it then reads all but the last token."""
    if "input_ids" not in inputs.named:
        raise ValueError(
            f"{type(model).__name__} writes on from text or input_ids, but got only "
            f"{sorted(inputs.named)}: pass them too. What has no decoder (CTC) writes all that it "
            "heard at once: trace what it reads, by regard.trace."
        )
    unlabelled = {name: x for name, x in inputs.named.items() if name != "labels"}
    inputs = replace(inputs, named=unlabelled)  # what is to be written is not known yet
    prompt_ids, device = inputs.named["input_ids"], device_of(model)
    check_length(prompt_ids.size(1) + max_new_tokens - 1, model, "A prompt with what is written")
    whole, logits, positions = generate(model, inputs.named, max_new_tokens)
    if logits is None:
        raise ValueError(
            f"{type(model).__name__} writes in a way of its own: its generate does not run it on "
            "the prompt as it is, so what it wrote cannot be read once more. Trace the prompt with "
            "what was written after it, by regard.trace."
        )
    written = inputs.reading(whole, side_of(whole, tokenizer))
    prompt = inputs.named.get("attention_mask", torch.ones_like(prompt_ids))
    mask = torch.ones(1, len(written.read), dtype=prompt.dtype, device=device)
    mask[:, : prompt.size(1)] = prompt[:, : len(written.read)]
    length, is_marked = len(written.read), model.config.model_type == "paligemma"
    named = {
        name: _gone_on(name, x, length, is_marked=is_marked) for name, x in inputs.named.items()
    }
    named |= {"input_ids": torch.tensor([written.read], device=device), "attention_mask": mask}
    if positions is not None:
        named["position_ids"] = _counted_on(positions, len(written.read))
    return replace(
        written, named=named, source=written.target, target=Side(), read=[], logits=logits
    )
