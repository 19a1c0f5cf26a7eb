"""regard: see what a Transformer attends to.

The names below are loaded when they are first used, so that `import regard` costs milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regard.attention import calculate_attention_weights, multi_head_attention
    from regard.explorer import explore
    from regard.interventions import block
    from regard.languages import generate_synthetic_data
    from regard.masks import create_masks, mask_future_tokens
    from regard.plots import visualize_attention_weights
    from regard.tracing import Trace, trace
    from regard.training import greedy_translate, train_model
    from regard.transformer import build_transformer_model

__version__ = "0.1.0"

__all__ = [
    "Trace",
    "block",
    "build_transformer_model",
    "calculate_attention_weights",
    "create_masks",
    "explore",
    "generate_synthetic_data",
    "greedy_translate",
    "mask_future_tokens",
    "multi_head_attention",
    "trace",
    "train_model",
    "visualize_attention_weights",
]

_MODULES = {
    "Trace": "tracing",
    "block": "interventions",
    "build_transformer_model": "transformer",
    "calculate_attention_weights": "attention",
    "create_masks": "masks",
    "explore": "explorer",
    "generate_synthetic_data": "languages",
    "greedy_translate": "training",
    "mask_future_tokens": "masks",
    "multi_head_attention": "attention",
    "trace": "tracing",
    "train_model": "training",
    "visualize_attention_weights": "plots",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'regard' has no attribute {name!r}: it has {__all__}")
    return getattr(import_module(f"regard.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
