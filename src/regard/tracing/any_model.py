"""Any model: which kind it is, asked once; then run and watched, or edited, by one handle.

Layers have the kinds and numbers that a trace gives them, and only the forward passes of the thread
that asked are edited. A model inside a wrapper is looked for first: see `regard.tracing.wrapped`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from regard.record.layers import Recorder
from regard.tracing.calls import Allow, Edit, Numbers, Read
from regard.tracing.huggingface import Pretrained
from regard.tracing.inputs import Inputs
from regard.tracing.modules import Hooked
from regard.tracing.outputs import outputs_by_name
from regard.tracing.sharded import refuse_shared_heads
from regard.tracing.texts import Sentence
from regard.tracing.wrapped import uncompiled, unwrapped


class AnyModel:
    """A model of any kind.

    Parameters
    ----------
    got
        A transformers model; any module with `nn.MultiheadAttention` or the protocol of
        `regard.tracing.protocol.AttentionModule`; or what wraps one such model.
    attention
        How classes of one's own are read.

    Raises
    ------
    TypeError
        If it is no model.
    ValueError
        If it wraps several, so that it is not clear which is meant; or if several processes share
        the heads of its layers.
    """

    def __init__(self, got: Any, attention: Mapping[type[nn.Module], Read] | None = None) -> None:
        found = unwrapped(got, attention)
        refuse_shared_heads(found.model)
        self.model = found.model  # that attends
        self.whole = found.whole  # that was given, or of a pipeline its model
        self.tokenizer = found.tokenizer
        self.inside = found.inside
        self._kind: Pretrained | Hooked = _kind_of(self.model, attention or {})
        self._watched_as = Hooked(self.model, attention) if attention else self._kind

    @property
    def name(self) -> str:
        """The name of its class."""
        return type(self.model).__name__

    @property
    def pretrained(self) -> PreTrainedModel | None:
        """The transformers model, where it is one."""
        return self._kind.model if isinstance(self._kind, Pretrained) else None

    @property
    def can_generate(self) -> bool:
        """Whether it writes itself."""
        return self._kind.can_generate

    @property
    def is_two_sided(self) -> bool:
        """Whether it is known, before it has inputs, to have a decoder beside an encoder."""
        return self._kind.is_two_sided

    @property
    def kinds(self) -> set[str] | None:
        """Its kinds of attention, where it tells before it runs."""
        return self._kind.kinds

    @property
    def embeddings(self) -> nn.Module | None:
        """What turns ids into vectors, if it is one module."""
        return self._kind.embeddings

    @property
    def text_path(self) -> str:
        """Where ids become vectors: the path of the largest table; "" if there is none."""
        tables = {
            name: module.num_embeddings
            for name, module in self.model.named_modules()
            if isinstance(module, nn.Embedding)
        }
        return max(tables, key=lambda name: tables[name], default="")

    @property
    def hint(self) -> str:
        """What to say where nothing attended, though the model ran; empty if nothing is known."""
        return self._kind.hint

    def inputs(
        self,
        sentence: Sentence,
        tokenizer: PreTrainedTokenizerBase | None,
        target: str | None = None,
        max_new_tokens: int | None = None,
    ) -> Inputs:
        """Prepare what the model is called with; if there is a target to write, it may write it."""
        with outputs_by_name(self.model):
            return self._kind.inputs(sentence, tokenizer, target, max_new_tokens)

    def write_on(
        self, inputs: Inputs, tokenizer: PreTrainedTokenizerBase | None, max_new_tokens: int
    ) -> Inputs:
        """Let a decoder continue its prompt; it then reads all but the last token."""
        with outputs_by_name(self.model):
            return self._kind.write_on(inputs, tokenizer, max_new_tokens)

    def watch(
        self, inputs: Inputs, new_recorder: Callable[[], Recorder]
    ) -> tuple[Recorder, Any, str]:
        """Run the model once; give its layers, its outputs, and what weights are computed from."""
        with uncompiled(self.model), outputs_by_name(self.model):
            recorder, outputs, how = self._watched_as.watch(inputs, new_recorder)
        return recorder, outputs, how + self.inside

    @contextmanager
    def editing(self, edit: Edit) -> Iterator[Numbers]:
        """Edit what the heads write, while within.

        Parameters
        ----------
        edit
            Called for every attention layer.

        Yields
        ------
        Numbers
            What layers have attended so far.

        Raises
        ------
        ValueError
            If it is known beforehand that no attention of the model can be edited.
        """
        numbers = Numbers(self.model)
        with uncompiled(self.whole), numbers.counting(), self._kind.editing(numbers, edit):
            yield numbers

    @contextmanager
    def narrowing(self, allow: Allow) -> Iterator[Numbers]:
        """Narrow what the heads may read, while within; see `editing`."""
        numbers = Numbers(self.model)
        with uncompiled(self.whole), numbers.counting(), self._kind.narrowing(numbers, allow):
            yield numbers


def _kind_of(model: nn.Module, attention: Mapping[type[nn.Module], Read]) -> Pretrained | Hooked:
    """Ask, once, which kind of model this is."""
    if isinstance(model, PreTrainedModel):
        return Pretrained(model)
    return Hooked(model, attention)
