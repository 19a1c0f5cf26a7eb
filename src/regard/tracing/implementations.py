"""Under which implementations of attention a transformers model can be run and watched."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from regard.tracing.agreement import NotUnderstoodError

THEIRS = ("eager", "sdpa", "flash_attention", "flex_attention", "paged")  # that transformers has
TRACING = threading.RLock()  # an implementation is a setting of the model: one trace at a time


@contextmanager
def attending(model: PreTrainedModel, implementation: str) -> Iterator[None]:
    """Let the model attend by another implementation, and by its own again afterwards."""
    with TRACING:
        configs = {id(config): config for config in _configs(model)}.values()
        before = [(config, vars(config).get("_attn_implementation_internal")) for config in configs]
        try:
            _set_implementation(model, implementation)
            yield
        finally:
            for config, name in before:
                config._attn_implementation_internal = name  # noqa: SLF001  the setter would set its parts too


def _set_implementation(model: PreTrainedModel, implementation: str) -> None:
    if not model._can_set_attn_implementation():  # noqa: SLF001  else it warns and does nothing
        return
    try:
        model.set_attn_implementation(implementation)
    except ValueError as error:  # a part of the model, such as its backbone, cannot
        raise NotUnderstoodError from error


def own_implementation(model: PreTrainedModel) -> str:
    """Give the name of the attention function that a user registered for this model, if any."""
    name = str(getattr(model.config, "_attn_implementation", None) or "eager")
    is_theirs = name.startswith(THEIRS) or "/" in name  # kernels of the hub, by repository
    return "" if is_theirs or name not in ALL_ATTENTION_FUNCTIONS else name


def _configs(model: PreTrainedModel) -> Iterator[Any]:
    """Give every configuration in use, those inside others too."""
    waiting = [m.config for m in model.modules() if isinstance(m, PreTrainedModel)]
    while waiting:
        config = waiting.pop()
        yield config
        parts = (getattr(config, name, None) for name in getattr(config, "sub_configs", ()))
        waiting += [part for part in parts if part is not None]


def implementations(model: PreTrainedModel) -> tuple[str, ...]:
    """Give the implementations under which the model can be watched: its own, then the leaner.

    For some compute other things under another (PaliGemma). Under one that a user registered the
    model is another one: then it alone is.
    """
    if own := own_implementation(model):
        return (own,)
    if not model._can_set_attn_implementation():  # noqa: SLF001  transformers says it nowhere else
        return ()
    known = ("sdpa", "eager") if model._supports_sdpa else ("eager",)  # noqa: SLF001  likewise
    return tuple(sorted(known, key=lambda name: name != model.config._attn_implementation))  # noqa: SLF001  likewise
