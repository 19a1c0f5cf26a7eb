"""A transformers model gives what it computes by name while it is looked at, not as a tuple."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from transformers import PreTrainedModel


@contextmanager
def outputs_by_name(model: nn.Module) -> Iterator[None]:
    """Let a transformers model give its outputs by name, while within.

    With `config.return_dict=False` it gives a tuple, of which nobody knows what is what, or, where
    its own parts look for names, an error. Each part has a configuration that says so for itself.

    Examples
    --------
    >>> from transformers import BertConfig, BertModel
    >>> config = BertConfig(hidden_size=8, num_attention_heads=2, num_hidden_layers=1)
    >>> model = BertModel(config).eval()
    >>> model.config.return_dict = False
    >>> with outputs_by_name(model):
    ...     type(model(**model.dummy_inputs)).__name__
    'BaseModelOutputWithPoolingAndCrossAttentions'
    >>> model.config.return_dict
    False
    """
    configs: list[Any] = []
    if isinstance(model, PreTrainedModel):
        found = [getattr(module, "config", None) for module in model.modules()]
        configs = [config for config in found if getattr(config, "return_dict", True) is False]
    for config in configs:
        config.return_dict = True
    try:
        yield
    finally:
        for config in configs:
            config.return_dict = False
