"""What `trace_generation` gives beside what `generate` gave, step by step, under eager."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from regard.tracing.implementations import attending
from regard.tracing.run import trace_generation
from tests.eager_weights import (
    Eager,
    Outcome,
    Wanted,
    held_against,
    is_attention,
    reason,
    traced,
    unbanded,
)

STEPS = 5
PROBABLY = 1e-4  # how far a probability may be off: one is computed from a cache
CACHED = 1e-4  # and a weight


def generated(model: PreTrainedModel, inputs: Mapping[str, Tensor]) -> Outcome:
    """Hold a generation against the model's own."""
    given = {name: x for name, x in inputs.items() if not name.startswith("decoder_")}
    prompt(model)
    try:
        steps = by_steps(model, given)
        wanted = unbanded(model, given, rows_of(steps))
        wanted = [one for one in wanted if is_attention(one.weights)]
    except Exception as error:  # noqa: BLE001  whatever keeps a model from it
        return Outcome("not applicable", f"its generate fails: {reason(error)}")
    seen = traced(lambda: trace_generation(dict(given), model, max_new_tokens=STEPS))
    if isinstance(seen, Outcome):
        return seen
    if not wanted:
        return Outcome("other", "generate gives no weights to compare")
    outcome = held_against(Eager(wanted, 0, None), seen, CACHED)
    if outcome.verdict == "WRONG":
        return outcome
    chances = torch.cat(steps["logits"]).float().softmax(-1)  # (steps, vocabulary)
    ids = steps["sequences"][0][-len(chances) :]
    chances = chances.gather(1, ids[:, None])[:, 0]
    ours = torch.tensor(seen.probabilities or [])[-len(chances) :]
    off = float((chances[: len(ours)] - ours).abs().max()) if len(ours) else 1.0
    if off > PROBABLY:
        return Outcome("WRONG", f"{outcome.detail}; probabilities are off by {off:.0e}")
    return outcome._replace(detail=f"{outcome.detail}; probabilities {off:.0e}")


def by_steps(model: Any, inputs: Mapping[str, Tensor]) -> Any:
    """Let a model write under eager, and give its weights and logits at each step."""
    torch.manual_seed(0)
    options = {"do_sample": False, "num_beams": 1, "max_new_tokens": STEPS}
    give = {"return_dict_in_generate": True, "output_attentions": True, "output_logits": True}
    with attending(model, "eager"), torch.no_grad():
        return model.generate(**inputs, **options, **give)


def rows_of(steps: Mapping[str, Any]) -> Any:
    """Put the rows of all steps together, by kind and layer."""
    for weights in steps.get("encoder_attentions") or ():
        if weights is not None and weights.size(0) == 1:
            yield Wanted("encoder", weights[0])
    for name, kind in (
        ("attentions", None),
        ("decoder_attentions", "decoder"),
        ("cross_attentions", "cross"),
    ):
        of_steps = steps.get(name) or ()
        for of_layer in zip(*of_steps, strict=False):
            if all(isinstance(x, Tensor) and x.dim() == 4 for x in of_layer):
                yield Wanted(kind, together([x[0] for x in of_layer]))


def together(rows: Sequence[Tensor]) -> Tensor:
    """Join what each step read to one matrix; what was yet to come is not read.

    A step gives (h, 1, K); without a cache (h, Q, K), of which the last row is new.
    """
    rows = [rows[0], *(x[:, -1:] for x in rows[1:])]
    widest = max(x.size(-1) for x in rows)
    return torch.cat([torch.nn.functional.pad(x, (0, widest - x.size(-1))) for x in rows], dim=1)


def prompt(model: Any) -> None:
    """Let Whisper be told its language and task, as by the configurations that people load."""
    config = model.generation_config
    starts = {config.decoder_start_token_id, config.bos_token_id}
    if model.config.is_encoder_decoder and starts == {None}:
        config.decoder_start_token_id = 1  # which T5 leaves to its checkpoints
    if model.config.model_type != "whisper" or not model.config.is_encoder_decoder:
        return
    config.update(
        is_multilingual=True,
        lang_to_id={"<|en|>": 91, "<|de|>": 92},
        task_to_id={"transcribe": 94, "translate": 95},
        language="en",
        task="transcribe",
        no_timestamps_token_id=96,
        return_timestamps=False,
        decoder_start_token_id=97,
        eos_token_id=2,
        pad_token_id=0,
    )
