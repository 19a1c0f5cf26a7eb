"""regard: see what a Transformer attends to.

The names below are loaded when they are first used, so that `import regard` costs milliseconds.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regard.anatomy import dissect
    from regard.answers import collect_answers
    from regard.attention import calculate_attention_weights, multi_head_attention
    from regard.comparison import compare
    from regard.diagnosis import doctor, examine
    from regard.evidence import scoreboard
    from regard.explanations import explain
    from regard.explorer import explore
    from regard.head_importance import importance
    from regard.head_measures import measure_heads
    from regard.interventions import ablate, block
    from regard.languages import generate_synthetic_data
    from regard.masks import create_masks, mask_future_tokens
    from regard.patterns import score_patterns
    from regard.plots import plot_attention, visualize_attention_weights
    from regard.traces import Trace
    from regard.tracing import trace, trace_generation
    from regard.training import greedy_translate, train_model
    from regard.transformer import build_transformer_model
    from regard.treebank import score_treebank
    from regard.viewing import view

__version__ = "0.1.0"

__all__ = [
    "Trace",
    "ablate",
    "block",
    "build_transformer_model",
    "calculate_attention_weights",
    "collect_answers",
    "compare",
    "create_masks",
    "dissect",
    "doctor",
    "examine",
    "explain",
    "explore",
    "generate_synthetic_data",
    "greedy_translate",
    "importance",
    "mask_future_tokens",
    "measure_heads",
    "multi_head_attention",
    "plot_attention",
    "score_patterns",
    "score_treebank",
    "scoreboard",
    "trace",
    "trace_generation",
    "train_model",
    "view",
    "visualize_attention_weights",
]

_MODULES = {
    "Trace": "traces",
    "ablate": "interventions",
    "block": "interventions",
    "build_transformer_model": "transformer",
    "calculate_attention_weights": "attention",
    "collect_answers": "answers",
    "compare": "comparison",
    "create_masks": "masks",
    "dissect": "anatomy",
    "doctor": "diagnosis",
    "examine": "diagnosis",
    "explain": "explanations",
    "explore": "explorer",
    "generate_synthetic_data": "languages",
    "greedy_translate": "training",
    "importance": "head_importance",
    "mask_future_tokens": "masks",
    "measure_heads": "head_measures",
    "multi_head_attention": "attention",
    "plot_attention": "plots",
    "score_patterns": "patterns",
    "score_treebank": "treebank",
    "scoreboard": "evidence",
    "trace": "tracing",
    "trace_generation": "tracing",
    "train_model": "training",
    "view": "viewing",
    "visualize_attention_weights": "plots",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES and find_spec(f"regard.{name}"):
        return import_module(f"regard.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'regard' has no attribute {name!r}: it has {__all__}")
    return getattr(import_module(f"regard.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
