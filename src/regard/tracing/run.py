"""`trace` runs a model once on a sentence, and gives what each head attended to."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from regard.record.door import text, whole_number, whole_numbers
from regard.record.layers import Recorder
from regard.record.trace import Trace
from regard.tracing.agreement import check_reading
from regard.tracing.any_model import AnyModel
from regard.tracing.calls import Read
from regard.tracing.expected import a_flag, in_order, readers_by_class
from regard.tracing.inputs import Inputs, is_text
from regard.tracing.modules import evaluating
from regard.tracing.parts import all_paths, numbered
from regard.tracing.placing import Placing
from regard.tracing.processed import Processed, processed
from regard.tracing.tokens import tokens_of


def trace(
    sentence: Any,
    model: nn.Module,
    tokenizer: Any = None,
    *,
    target: str | None = None,
    tokens: Sequence[str] | None = None,
    target_tokens: Sequence[str] | None = None,
    layers: Collection[int] | int | None = None,
    values: bool = True,
    attention: Mapping[type[nn.Module], Read] | None = None,
    images: Any = None,
) -> Trace:
    """Run the model on a sentence and keep what every attention head saw.

    The model is left as it was: its mode, its hooks, its implementation of attention.

    Parameters
    ----------
    sentence
        A text; a pair of texts; a list of words; a picture (of Pillow, an array (H, W, 3), a path);
        a sound ((samples, rate), what datasets hold of it, the path of a .wav file); messages of a
        chat, with pictures; or what the model takes, with a batch of one: a tensor, a tuple of
        tensors, or tensors by name; a batch that it takes as one argument is tensors by name, too.
    model
        A transformers model of any kind; or any PyTorch module that attends by
        `scaled_dot_product_attention`, by a softmax between two products (the rule stands in
        `regard.tracing.functions`), by `nn.MultiheadAttention`, by the protocol of
        `regard.tracing.protocol.AttentionModule`, or by the classes that `attention` names. Or what
        wraps one such model: a pipeline,
        `torch.compile`, DataParallel, PEFT, a module of one's own; `.how` then says so.
    tokenizer
        With the Hugging Face interface; needed for text, unless a wrapper brings its own. For
        pictures and sounds the model's processor, or a function from a picture to a tensor.
    target
        The text that the decoder of an encoder-decoder is given to read; without it, what the model
        writes itself.
    tokens, target_tokens
        Names for what tensors hold: image patches, audio frames, ids.
    layers
        The numbers of the layers to keep, or of the one; all, if not given. Layers of a kind are
        numbered from 0 in the order in which they attend; layers without attention do not count.
    values
        Keep the value vectors too. Without them, a trace takes a third less memory.
    attention
        How a class of one's own attends: from a module, its arguments by name and what it returned
        to a layer. See docs/own-models.md.
    images
        A picture that belongs to the text, or several.

    Returns
    -------
    Trace
        Queries and keys of every layer; the weights of a head when it is asked for. Where each
        token lies in a picture or a sound stands in the `.places` of its sides.

    Raises
    ------
    TypeError
        If the sentence is of no type that is taken.
    ValueError
        If the sentence is empty, too long, of several rows or has words that a word-level tokenizer
        does not know; if the tokenizer is not the model's; or if the model has no attention that
        can be traced.

    Notes
    -----
    The weights of a transformers model are held against what its own attention made of the values,
    in three rows of every layer; where they do not agree, its eager weights are kept, and `.how`
    says so.

    Examples
    --------
    >>> from regard.model.lexicon import vocabulary
    >>> from regard.model.tokenization import build_tokenizer
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    >>> tokenizer = build_tokenizer(vocabulary(300))
    >>> seen = trace("the dog saw it .", model, tokenizer, target="lo cano elo vedava .")
    >>> seen.kinds, seen.weights(0, 1, kind="cross").shape
    (('encoder', 'decoder', 'cross'), (6, 6))
    """
    in_order(sentence, model, tokenizer)
    keeping = Keeping.of(layers, values=values)
    target = None if target is None else text("A target", target)
    found = AnyModel(model, readers_by_class(attention))
    held = processed(sentence, found.tokenizer if tokenizer is None else tokenizer, images)
    with evaluating(found.whole):
        inputs = found.inputs(held.sentence, held.tokenizer, target)
        recorder, outputs, how = found.watch(inputs, keeping.new_recorder)
    check_reading(inputs, outputs, found.name)
    more = "" if target is None else f", target={target!r}"
    code = f"regard.trace({sentence!r}, model, tokenizer{more})"
    origin = _origin(found.model, code if is_text(sentence) else "regard.trace(tensors, model)")
    seen = replace(_trace_of(found, held, inputs, recorder, how), origin=origin)
    return _renamed(seen, tokens, target_tokens)


def trace_generation(
    prompt: Any,
    model: nn.Module,
    tokenizer: Any = None,
    *,
    max_new_tokens: int = 20,
    layers: Collection[int] | int | None = None,
    values: bool = True,
    images: Any = None,
) -> Trace:
    """Let the model write on, greedily, and keep what every head saw at each token.

    What the model wrote is read once more in one pass, in which each token sees what it saw when it
    was written.

    Parameters
    ----------
    prompt
        What a decoder continues, or what an encoder-decoder reads: all that `trace` takes. Messages
        of a chat end where the model's answer begins.
    model, tokenizer, layers, values, images
        As for `trace`.
    max_new_tokens
        The most tokens to write: of a sound, perhaps more.

    Returns
    -------
    Trace
        Of a decoder alone, one growing triangle: row t reads token t and writes token t + 1, the
        prompt's rows first. Of an encoder-decoder, the triangle of the target and the alignment
        grid. `.written_tokens` are the tokens, `.probabilities` those that the model gave them.

    Raises
    ------
    ValueError
        If the model cannot generate; if it computes something else when it reads what it wrote;
        and as `trace`.

    Examples
    --------
    >>> from regard.model.lexicon import vocabulary
    >>> from regard.model.tokenization import build_tokenizer
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    >>> seen = trace_generation("the dog saw it .", model, build_tokenizer(vocabulary(300)))
    >>> len(seen.probabilities) == len(seen.written_tokens) == len(seen.target_tokens)
    True
    """
    in_order(prompt, model, tokenizer, "trace_generation(prompt, model, tokenizer)")
    keeping = Keeping.of(layers, values=values)
    if whole_number("max_new_tokens", max_new_tokens) < 1:
        raise ValueError(f"max_new_tokens must be at least 1, but is {max_new_tokens}.")
    found = AnyModel(model)
    if not found.can_generate:
        raise ValueError(
            f"{found.name} cannot generate: load it with a head that does "
            "(AutoModelForCausalLM, AutoModelForSeq2SeqLM)."
        )
    tokenizer = found.tokenizer if tokenizer is None else tokenizer
    held = processed(prompt, tokenizer, images, goes_on=True)
    with evaluating(found.whole):
        inputs = found.inputs(held.sentence, held.tokenizer, None, max_new_tokens)
        if not inputs.written:
            inputs = found.write_on(inputs, held.tokenizer, max_new_tokens)
        recorder, outputs, how = found.watch(inputs, keeping.new_recorder)
    check_reading(inputs, outputs, found.name)
    logits = outputs if isinstance(outputs, Tensor) else outputs.logits
    # (T, vocab_size); what stands before, such as the places of a picture, is left out
    chances = logits[0, -len(inputs.written) :].float().softmax(dim=-1)
    written = torch.tensor(inputs.written, device=chances.device)
    probabilities = chances.gather(1, written[:, None])[:, 0].tolist()
    code = f"regard.trace_generation({prompt!r}, model, tokenizer, {max_new_tokens=})"
    seen = _trace_of(found, held, inputs, recorder, how)
    return replace(seen, origin=_origin(found.model, code), probabilities=probabilities)


@dataclass(frozen=True)
class Keeping:
    """What of a forward pass is kept."""

    layers: Collection[int] | None
    values: bool

    @classmethod
    def of(cls, layers: Any, *, values: Any) -> "Keeping":
        """Take what a user asks for, or say what is wrong with it."""
        wanted = None if layers is None else whole_numbers("layers", layers)
        return cls(wanted, a_flag("values", values))

    def new_recorder(self) -> Recorder:
        """Give a recorder that has seen nothing yet."""
        return Recorder(self.layers, values=self.values)


def _trace_of(
    found: AnyModel, held: Processed, inputs: Inputs, recorder: Recorder, how: str
) -> Trace:
    layers, notes = numbered(recorder)
    counts = {kind: len(of_kind) for kind, of_kind in notes.items()}
    wanted = set(recorder.wanted or ())
    if not layers or wanted - set(range(max(counts.values()))):
        raise ValueError(
            f"There is no layer {', '.join(map(str, sorted(recorder.wanted or ())))}: this model "
            f"has, by kind, {counts} layers, numbered from 0."
        )
    named = tokens_of(inputs, layers, found.text_path)
    placing = Placing(found, held, inputs, all_paths(notes))
    source, target, sides = placing.placed(named, layers)
    kinds = sorted(layers, key=lambda kind: kind in sides and sides[kind][0] is not source)
    return Trace(
        source,
        target,
        inputs.writes,
        {kind: layers[kind] for kind in kinds},  # first the part that reads the text
        counts,
        how=how,
        sides=sides,
        paths=all_paths(notes),
        media=held.media,
    )


def _renamed(
    seen: Trace, tokens: Sequence[str] | None, target_tokens: Sequence[str] | None
) -> Trace:
    """Name the tokens as someone asked for."""
    for name, names, side in (
        ("tokens", tokens, seen.source),
        ("target_tokens", target_tokens, seen.target),
    ):
        if names is not None and len(names) != len(side.tokens):
            raise ValueError(
                f"{name} has {len(names)} names, but the model saw {len(side.tokens)} tokens: name "
                "every one, special ones too."
            )
    source = seen.source if tokens is None else replace(seen.source, tokens=list(tokens))
    target = seen.target
    if target_tokens is not None:
        target = replace(target, tokens=list(target_tokens))
    renamed = {id(seen.source): source, id(seen.target): target}
    sides = {
        kind: (renamed.get(id(rows), rows), renamed.get(id(columns), columns))
        for kind, (rows, columns) in seen.sides.items()
    }
    return replace(seen, source=source, target=target, sides=sides)


def _origin(model: nn.Module, code: str) -> dict[str, str]:
    """Say what a trace was made of, so that it can be made again."""
    config = getattr(model, "config", None)
    name = str(getattr(config, "_name_or_path", "") or type(model).__name__)
    if Path(name).is_absolute():  # a folder of this machine is nobody else's business
        name = "/".join(Path(name).parts[-2:])
    return {
        "code": code,
        "model": name,
        "class": type(model).__name__,
        "revision": str(getattr(config, "_commit_hash", None) or "unknown"),
        **_versions(),
    }


@cache  # looking versions up takes as long as a short sentence takes a small model
def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("regard", "torch", "transformers")}
