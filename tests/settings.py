"""The settings in which a tiny model of a type is held against its eager run.

Each is a function from a `Tiny` to an `Outcome`; what a type cannot do is "not applicable".
"""

import contextlib
import copy
import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from regard.record.trace import Trace
from regard.tracing.run import trace
from tests.eager_weights import (
    EXACT,
    Cut,
    Eager,
    Outcome,
    by_eager,
    held_against,
    layers_of,
    plain_kind,
    reason,
    softmaxes,
    traced,
)
from tests.generated_weights import generated
from tests.tiny_models import LENGTH, PLAIN_IDS, VOCABULARY, Family, build, inputs_for
from tests.tiny_pictures import with_pictures

PADDING = 3
LENGTHS = (200, 120, 60, 30)  # the longest that a type takes
NONE = "no attention that can be traced"  # of words in which a trace is refused
HALF = 2e-2  # of bfloat16, whose numbers have eight bits
TEXT = {"encoder", "decoder", "seq2seq", "pictures"}
Inputs = dict[str, Tensor]


class Tiny:
    """A tiny model of a type, built once for all settings."""

    def __init__(self, family: Family, dtype: torch.dtype = torch.float32) -> None:
        self.family, self.dtype = family, dtype
        model: Any = build(family.model_type, family.auto_class)
        self.model = model.to(dtype)
        self.inputs = of_type(dtype, inputs_for(self.model, family.use))

    @property
    def is_text(self) -> bool:
        """Whether it reads text alone, as `input_ids`."""
        return self.family.use in TEXT and "input_ids" in self.inputs

    @cached_property
    def eager(self) -> Eager:
        """What it computes under eager."""
        return by_eager(self.model, self.inputs)

    @cached_property
    def seen(self) -> Trace | Outcome:
        """What regard gives."""
        return traced(lambda: trace(self.inputs, self.model))

    def takes(self, name: str) -> bool:
        """Say whether its forward has an argument."""
        return name in inspect.signature(self.model.forward).parameters


def of_type(dtype: torch.dtype, inputs: Inputs) -> Inputs:
    """Give numbers in a precision, and leave ids as they are."""
    return {name: x.to(dtype) if x.is_floating_point() else x for name, x in inputs.items()}


def plain(tiny: Tiny) -> Outcome:
    """Built under eager."""
    outcome = judged(tiny.eager, tiny.seen)
    if isinstance(tiny.seen, Outcome) or outcome.verdict == "WRONG":
        return outcome
    wrong = wrong_kinds(tiny, tiny.seen)
    return (
        outcome._replace(verdict="WRONG", detail=f"{outcome.detail}; {wrong}") if wrong else outcome
    )


def by_default(tiny: Tiny) -> Outcome:
    """Loaded without a word on its implementation."""
    model: Any = build(tiny.family.model_type, tiny.family.auto_class, attention=None)
    model.to(tiny.dtype)
    torch.manual_seed(0)
    with torch.no_grad():
        first = model(**tiny.inputs)[0]
    own = 0.0
    if isinstance(first, Tensor) and tiny.eager.first is not None:
        both = first.float(), tiny.eager.first
        same = both[0].shape == both[1].shape
        own = (
            float((both[0] - both[1]).abs().max()) / (1 + float(both[1].abs().max()))
            if same
            else 1.0
        )
    outcome = judged(tiny.eager, traced(lambda: trace(tiny.inputs, model)))
    if outcome.verdict == "WRONG" and own > 1e-3:
        name = model.config._attn_implementation  # noqa: SLF001  it has no public one
        return Outcome("own", f"its {name} computes something else than its eager, by {own:.0e}")
    return outcome


def padded(tiny: Tiny) -> Outcome:
    """Some padding before the text."""
    if not (tiny.is_text and "attention_mask" in tiny.inputs and tiny.takes("attention_mask")):
        return NO_TEXT
    inputs = {name: padded_left(x, tiny.model.config) for name, x in tiny.inputs.items()}
    inputs["attention_mask"][:, :PADDING] = 0
    if tiny.takes("position_ids") and tiny.family.use in {"decoder", "pictures"}:
        inputs["position_ids"] = (inputs["attention_mask"].cumsum(1) - 1).clamp(min=0)
    eager = by_eager(tiny.model, inputs)
    own = eager._replace(wanted=[one._replace(weights=real(one.weights)) for one in eager.wanted])
    seen = traced(lambda: trace(inputs, tiny.model))
    if isinstance(seen, Outcome) or isinstance(tiny.seen, Outcome):
        return judged(own, seen, cut=real)
    if changed := other_kinds(tiny.seen, seen):
        return Outcome("WRONG", changed)
    outcome = held_against(tiny.eager, seen, cut=real)
    if outcome.verdict != "WRONG":
        return outcome
    again = held_against(own, seen, cut=real)
    return again._replace(detail=f"{again.detail}; it computes otherwise when padded")


def padded_left(x: Tensor, config: Any) -> Tensor:
    """Put padding before what has an entry for each token."""
    if x.dim() < 2 or x.size(1) != LENGTH:
        return x
    pad = getattr(config.get_text_config(), "pad_token_id", None) or 0
    pad = pad if x.dim() == 2 and pad < VOCABULARY else 0
    return torch.cat([torch.full_like(x[:, :PADDING], pad), x], dim=1)


def real(weights: Any) -> Any:
    """Cut the padding's rows and columns off."""
    for axis in (1, 2):
        if weights.shape[axis] == LENGTH + PADDING:
            weights = weights[:, PADDING:] if axis == 1 else weights[:, :, PADDING:]
    return weights


def one_token(tiny: Tiny) -> Outcome:
    """A text of one token, for a decoder beside an encoder one, too."""
    if not tiny.is_text:
        return NO_TEXT
    inputs = {
        name: x[:, :1] if x.dim() > 1 and (x.size(1) == LENGTH or "decoder" in name) else x
        for name, x in tiny.inputs.items()
    }
    try:
        eager = by_eager(tiny.model, inputs)
    except Exception as error:  # noqa: BLE001  whatever keeps a model from it
        return Outcome("not applicable", f"takes no one token: {reason(error)}")
    seen = traced(lambda: trace(inputs, tiny.model))
    if isinstance(seen, Outcome) or isinstance(tiny.seen, Outcome):
        return judged(eager, seen)
    changed = other_kinds(tiny.seen, seen)
    return Outcome("WRONG", changed) if changed else judged(eager, seen)


def long(tiny: Tiny) -> Outcome:
    """As many tokens as the type takes, up to 200."""
    if not tiny.is_text:
        return NO_TEXT
    last: Exception | None = None
    for length in LENGTHS:
        inputs = {name: longer(x, length, name) for name, x in tiny.inputs.items()}
        try:
            eager = by_eager(tiny.model, inputs)
        except Exception as error:  # noqa: BLE001  whatever keeps a model from it
            last = error
            continue
        seen = traced(lambda: trace(inputs, tiny.model))  # noqa: B023  it runs now
        outcome = judged(eager, seen, 2 * EXACT)
        return outcome._replace(detail=f"{length} tokens; {outcome.detail}")
    return Outcome("not applicable", f"takes no more: {reason(last or ValueError())}")


def longer(x: Tensor, length: int, name: str) -> Tensor:
    """Give more tokens, drawn anew; what goes with each of them is repeated."""
    if x.dim() < 2 or not (x.size(1) == LENGTH or name == "decoder_input_ids"):
        return x
    if name.endswith("input_ids") and x.dim() == 2:
        return torch.randint(*PLAIN_IDS, (1, length), generator=torch.manual_seed(0))
    return x[:, torch.arange(length) % x.size(1)]


def half(tiny: Tiny) -> Outcome:
    """In bfloat16, eager too."""
    model = copy.deepcopy(tiny.model).to(torch.bfloat16)
    inputs = of_type(torch.bfloat16, tiny.inputs)
    try:
        eager = by_eager(model, inputs)
    except Exception as error:  # noqa: BLE001  whatever keeps a model from it
        return Outcome("not applicable", f"fails itself: {reason(error)}")
    return judged(eager, traced(lambda: trace(inputs, model)), max(HALF, 2 * rounding(tiny, eager)))


def rounding(tiny: Tiny, eager: Eager) -> float:
    """Give by how much rounding changes the eager weights themselves: scores may be large."""
    pairs = zip(tiny.eager.wanted, eager.wanted, strict=False)
    both = [(one.weights, other.weights) for (one, other) in pairs]
    return max(
        (float((a - b.float()).abs().max()) for a, b in both if a.shape == b.shape), default=0.0
    )


def image(tiny: Tiny) -> Outcome:
    """A picture and text."""
    return pictures(tiny, 1)


def two_images(tiny: Tiny) -> Outcome:
    """Two pictures and text."""
    return pictures(tiny, 2)


def pictures(tiny: Tiny, number: int) -> Outcome:
    """Hold all towers against the softmaxes that met values."""
    if tiny.family.use != "pictures":
        return Outcome("not applicable", "reads no picture with text")
    try:
        inputs = of_type(tiny.dtype, with_pictures(tiny.model, number))
        eager = softmaxes(tiny.model, inputs)
    except Exception as error:  # noqa: BLE001  whatever keeps a model from it
        return Outcome("not built", reason(error))
    return judged(eager, traced(lambda: trace(inputs, tiny.model)))


def written(tiny: Tiny) -> Outcome:
    """What it writes, step by step."""
    if not tiny.model.can_generate():
        return Outcome("not applicable", "cannot generate")
    inputs = dict(tiny.inputs)
    if "input_ids" not in inputs and not tiny.model.config.is_encoder_decoder:
        return Outcome("not applicable", "writes all that it heard at once (CTC)")
    if tiny.family.use == "pictures":
        with contextlib.suppress(Exception):  # then from text alone
            inputs = of_type(tiny.dtype, with_pictures(tiny.model, 1))
    outcome = generated(tiny.model, inputs)
    has_none = outcome.verdict == "refused" and NONE in outcome.detail
    return Outcome("no attention", "") if has_none else outcome


NO_TEXT = Outcome("not applicable", "reads no text alone")
SETTINGS: Mapping[str, Callable[[Tiny], Outcome]] = {
    "plain": plain,
    "default": by_default,
    "padded": padded,
    "one": one_token,
    "long": long,
    "half": half,
    "written": written,
    "image": image,
    "images": two_images,
}


def judged(
    eager: Eager, seen: Trace | Outcome, tolerance: float = EXACT, cut: Cut = lambda x: x
) -> Outcome:
    """Give the verdict on a trace."""
    if not isinstance(seen, Outcome):
        if not eager.wanted:
            return Outcome("other", f"{layers_of(seen)}; eager gives no weights to compare")
        return held_against(eager, seen, tolerance, cut)
    if NONE in seen.detail and not eager.wanted:
        return Outcome("no attention", "")
    return seen


def wrong_kinds(tiny: Tiny, seen: Trace) -> str:
    """Say which kinds cannot be: a vision model without a decoder has none."""
    kinds = {plain_kind(kind) for kind in seen.layers}
    use = tiny.family.use
    is_two_sided = bool(tiny.model.config.is_encoder_decoder) or any(
        name.endswith("decoder") for name, _ in tiny.model.named_modules()
    )
    if (
        use == "vision"
        and "input_ids" not in tiny.inputs
        and "decoder" in kinds
        and not is_two_sided
    ):
        return "a decoder in a model of pictures"
    sees_the_future = any(x.weights.triu(1).any() for x in tiny.eager.wanted)  # XLM's may
    if use == "decoder" and "decoder" not in kinds and not sees_the_future:
        return f"{sorted(kinds)} in a decoder"
    return ""


def other_kinds(many: Trace, seen: Trace) -> str:
    """Say how kinds differ from those of a plain text."""
    wanted, found = plain_counts(many), plain_counts(seen)
    return "" if wanted == found else f"kinds {found}, but {wanted} of a plain text"


def outcome_of(setting: str, tiny: Tiny) -> Outcome:
    """Try a setting; whatever fails before regard is asked is no fault of its."""
    try:
        return SETTINGS[setting](tiny)
    except Exception as error:  # noqa: BLE001  each of hundreds of types may fail in its own way
        return Outcome("not built", reason(error))


def outcomes(family: Family, settings: list[str]) -> dict[str, Outcome]:
    """Try a type in settings; what rounding alone may have made wrong, again in float64."""
    try:
        tiny = Tiny(family)
        if family.use != "pictures":
            tiny.eager  # noqa: B018  a type that does not run at all is not built
    except Exception as error:  # noqa: BLE001  likewise
        return dict.fromkeys(settings, Outcome("not built", reason(error)))
    found = {setting: outcome_of(setting, tiny) for setting in settings}
    wrong = [s for s, outcome in found.items() if outcome.verdict == "WRONG" and s != "half"]
    if wrong:
        try:
            double = Tiny(family, torch.float64)
        except Exception:  # noqa: BLE001  then float32 stands
            return found
        for setting in wrong:
            again = outcome_of(setting, double)
            if again.verdict not in {"not built", "not applicable"}:
                found[setting] = again._replace(detail=f"{again.detail}, in float64")
    return found


def plain_counts(seen: Trace) -> dict[str, int]:
    """Count the layers of each kind, whichever part they are of."""
    counts: Counter[str] = Counter()
    for kind, count in seen.counts.items():
        counts[plain_kind(kind)] += count
    return dict(counts)
