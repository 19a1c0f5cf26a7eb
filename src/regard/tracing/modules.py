"""Any PyTorch module: hooks on the submodules that attend, gone when it has run.

A submodule attends if its class is named with a function that reads it, if it keeps to the
`AttentionModule` protocol, or if it is `nn.MultiheadAttention`. docs/own-models.md shows all three.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from regard.record.kinds import KINDS
from regard.record.layers import Layer, Recorder, WeighedLayer
from regard.tracing.called import (
    Refuse,
    editing_calls,
    how_of,
    narrowing_calls,
    raising,
    recording_calls,
    unmet_in,
)
from regard.tracing.calls import Allow, Attending, Edit, Numbers, Read, arguments_of
from regard.tracing.expected import check_call
from regard.tracing.inputs import Inputs, inputs_of_module
from regard.tracing.multihead import (
    Multihead,
    TiledMultihead,
    is_multihead,
    kinds_in_decoders,
    refuse_batch,
)
from regard.tracing.protocol import Following, follows_protocol
from regard.tracing.texts import Sentence

Reader = Callable[[Mapping[str, Any], Any], Layer | None]
"""From the arguments of a module's forward by name and what it returned, to the layer."""

SEEN = (
    "no nn.MultiheadAttention or module of the protocol ran, F.scaled_dot_product_attention was "
    "not called, no softmax stood between a product of queries and keys and one with values"
)


@dataclass(frozen=True)
class Hooked:
    """Any module: the kind of model whose attention is found among its submodules."""

    model: nn.Module
    attention: Mapping[type[nn.Module], Read] = field(default_factory=dict)

    @property
    def can_generate(self) -> bool:
        """Whether it writes itself."""
        return hasattr(self.model, "generate")

    @property
    def is_two_sided(self) -> bool:
        """Whether it has a decoder beside an encoder: then its inputs say so."""
        return False

    @property
    def kinds(self) -> set[str] | None:
        """Its kinds of attention, where it tells before it runs."""
        kinds = {getattr(module, "kind", None) for module in attending_modules(self.model)}
        return None if None in kinds or not kinds else cast("set[str]", kinds)

    @property
    def embeddings(self) -> nn.Module | None:
        """What turns ids into vectors: the first that does."""
        return next((m for m in self.model.modules() if isinstance(m, nn.Embedding)), None)

    @property
    def hint(self) -> str:
        """What to say where nothing attended, though the model ran."""
        return f" If you did: {SEEN}."

    def inputs(
        self,
        sentence: Sentence,
        tokenizer: PreTrainedTokenizerBase | None,
        target: str | None,
        max_new_tokens: int | None = None,
    ) -> Inputs:
        """Prepare what the model is called with."""
        return inputs_of_module(sentence, self.model, tokenizer, target, max_new_tokens)

    def write_on(self, inputs: Inputs, *_: Any) -> Inputs:
        """Give its inputs, which hold already what it writes."""
        return inputs

    def watch(
        self, inputs: Inputs, new_recorder: Callable[[], Recorder]
    ) -> tuple[Recorder, Any, str]:
        """Run the model once; give its layers, its outputs, and what weights are computed from."""
        recorder = new_recorder()
        check_call(self.model, inputs.positional, inputs.named)
        with recording(self.model, recorder, self.attention), refusing_batches(self.model):
            outputs = self.model(*inputs.positional, **inputs.named)
        if not recorder.counts:
            raise ValueError(
                f"No attention was seen in {type(self.model).__name__}: {SEEN}"
                f"{unmet_in(recorder)}. What attends in "
                "another way is named by attention={Class: read} (docs/own-models.md)."
            )
        return recorder, outputs, how_of(recorder)

    @contextmanager
    def editing(self, numbers: Numbers, edit: Edit) -> Iterator[None]:
        """Edit what the heads write, while within."""
        known = attending_modules(self.model)
        with ExitStack() as hooks:
            for module, attending in known.items():
                hook = _edit_hook(numbers, attending, edit)
                hooks.callback(module.register_forward_hook(hook, with_kwargs=True).remove)
            hooks.enter_context(editing_calls(self.model, numbers, edit, frozenset(known)))
            yield

    @contextmanager
    def narrowing(self, numbers: Numbers, allow: Allow) -> Iterator[None]:
        """Narrow what the heads may read, while within."""
        known = attending_modules(self.model)
        with ExitStack() as hooks:
            for module, attending in known.items():
                hook = _narrow_hook(numbers, attending, allow)
                hooks.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)
            hooks.enter_context(narrowing_calls(self.model, numbers, allow, frozenset(known)))
            yield


@contextmanager
def recording(
    model: nn.Module,
    recorder: Recorder,
    attention: Mapping[type[nn.Module], Read] | None = None,
) -> Iterator[None]:
    """Record the attention layers of a forward pass within, for the first sentence.

    The model computes what it computed before. torch's fused encoder layers, which call no hooks,
    give way to ordinary ones while there are any; nested tensors stay nested.

    Parameters
    ----------
    model
        Any module.
    recorder
        What the layers are added to.
    attention
        How classes of one's own are read. What is inside of such a module is not looked at.

    Raises
    ------
    TypeError
        If a function in `attention` gives something else than a layer.
    ValueError
        If the layer that it gives is of no known kind or not (heads, queries, keys).

    Examples
    --------
    >>> model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 3).eval()
    >>> recorder = Recorder()
    >>> with recording(model, recorder), torch.no_grad():
    ...     output = model(torch.randn(1, 5, 8))
    >>> {number: layer.shape for number, layer in recorder.layers["encoder"].items()}
    {0: (2, 5, 5), 1: (2, 5, 5), 2: (2, 5, 5)}
    """
    numbers = Numbers(model)
    with numbers.counting(), recording_all(model, numbers, recorder, attention):
        yield


@contextmanager
def recording_all(
    model: nn.Module,
    numbers: Numbers,
    recorder: Recorder,
    attention: Mapping[type[nn.Module], Read] | None = None,
    refuse: Refuse = raising,
) -> Iterator[None]:
    """Record what is known of submodules and, of all others, what they call; see `recording`."""
    lengths: dict[nn.Module, int] = {}
    with ExitStack() as hooks:
        for stack in model.modules():
            if isinstance(stack, nn.TransformerEncoder):
                hooks.callback(_note_length(stack, lengths))
        known = readers(model, attention or {}, lengths)
        for module, read in known.items():
            hook = _record_hook(numbers, read, recorder)
            hooks.callback(module.register_forward_hook(hook, with_kwargs=True).remove)
        calls = recording_calls(model, numbers, recorder, frozenset(known), refuse)
        hooks.enter_context(calls)
        yield


@contextmanager
def refusing_batches(model: nn.Module) -> Iterator[None]:
    """Raise in words where `nn.MultiheadAttention` within is given several sentences."""

    def refuse(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        refuse_batch(module, arguments_of(module, args, kwargs))

    with ExitStack() as hooks:
        for module in filter(is_multihead, model.modules()):
            handle = module.register_forward_pre_hook(refuse, with_kwargs=True)
            hooks.callback(handle.remove)
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout and gradients off, and each submodule back to its own mode afterwards."""
    training = [module for module in model.modules() if module.training]
    if training:  # else the model is left alone: to go through it takes a while
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def attending_modules(
    model: nn.Module, lengths: Mapping[nn.Module, int] | None = None
) -> dict[nn.Module, Attending]:
    """Find the submodules that attend as is known, in the order in which they were built."""
    kinds, lengths = kinds_in_decoders(model), {} if lengths is None else lengths
    of_torch = TiledMultihead if isinstance(model, PreTrainedModel) else Multihead
    found: dict[nn.Module, Attending] = {}
    for module in model.modules():
        if follows_protocol(module):
            found[module] = Following(module)
        elif is_multihead(module):
            attending = cast("nn.MultiheadAttention", module)
            found[module] = of_torch(attending, kinds.get(module), lengths)
    return found


def readers(
    model: nn.Module, attention: Mapping[type[nn.Module], Read], lengths: Mapping[nn.Module, int]
) -> dict[nn.Module, Reader]:
    """Say for each submodule that attends, those of named classes too, how it is read."""
    known: dict[nn.Module, Reader] = {
        module: one.read for module, one in attending_modules(model, lengths).items()
    }
    by_class = reversed(list(attention.items()))  # of a module's classes, the first wins
    named: dict[nn.Module, Reader] = {
        module: partial(_read_checked, read, module)
        for of_class, read in by_class
        for module in model.modules()
        if isinstance(module, of_class)
    }
    if not named:
        return known
    inside = {part for module in named for part in module.modules()}
    found = {module: read for module, read in known.items() if module not in inside} | named
    return {module: found[module] for module in model.modules() if module in found}


def _record_hook(numbers: Numbers, read: Reader, recorder: Recorder) -> Callable[..., None]:
    """Give a forward hook that adds what a module attended to."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if not numbers.is_mine:
            return
        layer = read(arguments_of(module, args, kwargs), output)
        if layer is not None:
            address = numbers.give(module, layer.kind)
            recorder.add(layer, address.number, address.path)

    return hook


def _edit_hook(numbers: Numbers, attending: Attending, edit: Edit) -> Callable[..., Any]:
    """Give a forward hook that edits what the heads of a module write."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        if not numbers.is_mine:
            return None
        arguments = arguments_of(module, args, kwargs)
        place = attending.place(arguments, output)
        if place is None:
            return None
        return attending.edited(arguments, output, numbers.give(module, place[0]), edit)

    return hook


def _narrow_hook(numbers: Numbers, attending: Attending, allow: Allow) -> Callable[..., Any]:
    """Give a forward-pre-hook that narrows what the heads of a module may read."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not numbers.is_mine:
            return None
        arguments = arguments_of(module, args, kwargs)
        place = attending.place(arguments)
        if place is None:
            return None
        kind, num_heads = place
        may = allow(numbers.give(module, kind), num_heads)
        return None if may is None else attending.narrowed(arguments, may)

    return hook


def _note_length(stack: nn.Module, lengths: dict[nn.Module, int]) -> Callable[[], None]:
    """Note how long the padded sentences are, before the stack lets go of the padding."""

    def note(stack: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        src = arguments_of(stack, args, kwargs).get("src")
        length = 0
        if isinstance(src, Tensor) and src.dim() == 3 and not src.is_nested:
            length = src.size(1)
        lengths.update(dict.fromkeys(stack.modules(), length))

    return stack.register_forward_pre_hook(note, with_kwargs=True).remove


def _read_checked(
    read: Read, module: nn.Module, arguments: Mapping[str, Any], output: Any
) -> Layer | None:
    """Say at once, and in words, where a user's function gives what is no layer."""
    layer = read(module, arguments, output)
    if layer is not None:
        _check(layer, f"The layer that was read from {type(module).__name__}")
    return layer


def _check(layer: Any, name: str) -> None:
    if not hasattr(layer, "weigh"):
        raise TypeError(
            f"{name} is {type(layer).__name__}: give a ScoredLayer or a WeighedLayer "
            "from regard.record.layers, or None where this was no attention."
        )
    if layer.kind not in KINDS:
        raise ValueError(f"{name} is of kind {layer.kind!r}: choose from {list(KINDS)}.")
    x = layer.weights if isinstance(layer, WeighedLayer) else getattr(layer, "query", None)
    if isinstance(x, Tensor) and x.dim() != 3:
        raise ValueError(
            f"{name} has {tuple(x.shape)}, but must have (heads, queries, ...): take the first "
            "sentence of the batch, and part the heads."
        )
