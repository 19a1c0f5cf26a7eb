"""Whether some of a transformers model attends in ways of its own, so that its calls are watched.

Of several models in one, each with its configuration, some may (GIT, Florence-2), and a head that
pools what the others read (SigLIP, AIMv2). Watching calls takes some milliseconds, so of a model
that asked for all of its attention once, only that is watched, as long as it has the same modules.
"""

from torch import nn
from torch.utils.weak import WeakIdKeyDictionary
from transformers import PreTrainedModel

_ASKING: WeakIdKeyDictionary = WeakIdKeyDictionary()  # the classes of each model's modules


def has_own_ways(model: PreTrainedModel) -> bool:
    """Say whether calls must be watched: where parts may attend otherwise, or nobody has looked."""
    if model.config.sub_configs or not model._can_set_attn_implementation():  # noqa: SLF001  said nowhere else
        return True
    return bool(_ASKING.get(model) != _classes_of(model))


def note_that_all_is_asked(model: PreTrainedModel) -> None:
    """Note that all attention of a model, as it is now, went through `AttentionInterface`."""
    _ASKING[model] = _classes_of(model)


def _classes_of(model: nn.Module) -> tuple[type, ...]:
    return tuple(map(type, model.modules()))
