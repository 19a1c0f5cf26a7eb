"""Hold regard's weights against eager's, on a tiny random model of every type.

For text (encoders, decoders, sequence to sequence), images and speech, a model of each type is
built with large random parameters, so that attention is uneven; every layer and head of
`regard.trace` is held against the model's own `output_attentions` under eager. What comes out is
written to docs/families.md. `python benchmarks/families.py`, some minutes; `--only gpt2` for one.
"""

import gc
import inspect
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import transformers
import typer
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto

from regard.huggingface import attending, eager_weights
from regard.recording import Layer, Recorder
from regard.traces import Trace
from regard.tracing import trace

OUTPUT = Path(__file__).parent.parent / "docs" / "families.md"
EXACT = 1e-5
LENGTH = 12
LARGE = 100_000_000  # parameters: such a model did not become tiny
SPREAD = 0.15  # of random parameters: large, so that attention is uneven

# the mappings of transformers' auto classes, by what a model is for
AUTO_CLASSES = {
    "SPEECH_SEQ_2_SEQ": ("speech", "AutoModelForSpeechSeq2Seq"),
    "SEQ_TO_SEQ_CAUSAL_LM": ("sequence to sequence", "AutoModelForSeq2SeqLM"),
    "MASKED_LM": ("encoder", "AutoModelForMaskedLM"),
    "CAUSAL_LM": ("decoder", "AutoModelForCausalLM"),
    "TEXT_ENCODING": ("encoder", "AutoModelForTextEncoding"),
    "CTC": ("speech", "AutoModelForCTC"),
    "AUDIO_CLASSIFICATION": ("speech", "AutoModelForAudioClassification"),
    "IMAGE_CLASSIFICATION": ("image", "AutoModelForImageClassification"),
}
# the names that configurations have for a few sizes, and what to make them
SIZES = {
    2: """num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers
        num_decoder_layers decoder_num_hidden_layers num_key_value_heads num_kv_heads kv_n_heads
        encoder_num_key_value_heads decoder_num_key_value_heads
        swa_num_key_value_heads num_experts_per_tok num_experts_per_token moe_topk moe_k top_k
        top_k_experts num_encoder_layers speech_encoder_layers t2u_encoder_layers
        t2u_decoder_layers attn_layer_period num_blocks""",
    1: "attn_layer_offset n_group topk_group n_shared_experts first_k_dense_replace",
    4: """num_attention_heads n_head n_heads num_heads encoder_attention_heads
        decoder_attention_heads decoder_num_attention_heads attention_heads num_experts
        swa_num_attention_heads num_encoder_attention_heads num_decoder_attention_heads
        num_local_experts n_routed_experts moe_num_experts index_n_heads
        speech_encoder_attention_heads t2u_encoder_attention_heads t2u_decoder_attention_heads""",
    8: """d_kv d_head dim_head head_dim attention_head_dim v_head_dim qk_nope_head_dim
        qk_rope_head_dim swa_head_dim kv_channels rotary_dim sliding_window local_attention
        sliding_window_size index_head_dim index_topk""",
    16: "q_lora_rank kv_lora_rank qk_head_dim patch_size",
    32: """hidden_size d_model n_embd embed_dim emb_dim embedding_size word_embed_proj_dim
        projection_dim d_embed hidden_dim dim attention_hidden_size decoder_hidden_size lru_width
        embedding_dim max_source_positions""",
    48: "image_size",
    64: """intermediate_size ffn_dim d_ff d_inner encoder_ffn_dim decoder_ffn_dim dim_feedforward
        moe_intermediate_size shared_expert_intermediate_size n_inner ffn_hidden_size dff dim_ff
        decoder_intermediate_size intermediate_size_mlp shared_intermediate_size
        speech_encoder_intermediate_size t2u_encoder_ffn_dim t2u_decoder_ffn_dim
        ffn_intermediate_size max_target_positions""",
    120: "vocab_size t2u_vocab_size vocab_size_per_layer_input char_vocab_size",
}
TINY = {name: size for size, names in SIZES.items() for name in names.split()}
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
# what some types need besides, since their parts must fit each other
HEADS = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_expand": 2}
# one window is the whole picture
WINDOW = {"embed_dim": 24, "depths": [1], "num_heads": [2], "image_size": 32, "patch_size": 4}
BESIDES: dict[str, dict[str, Any]] = {
    "bamba": HEADS | {"attn_layer_indices": [1]},
    "granitemoehybrid": HEADS | {"layer_types": ["mamba", "attention"]},
    "donut-swin": WINDOW | {"window_size": 8},  # one window is the whole picture
    "swin": WINDOW | {"window_size": 8},
    "swinv2": WINDOW | {"window_size": 8},
    "dbrx": {"attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0}},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "dots1": {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "esm": {"vocab_size": 120, "pad_token_id": 0, "mask_token_id": 3},
    "esmc": {"num_key_value_heads": 4, "vocab_size": 120, "pad_token_id": 0},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "luke": {"entity_vocab_size": 50, "entity_emb_size": 32},
    "ministral": {"head_dim": 8},
    "nemotron": {"num_key_value_heads": 2, "head_dim": 8},
    "perceiver": {"num_latents": 8, "d_latents": 32},
    "recurrent_gemma": {"num_hidden_layers": 3},
    "wav2vec2-bert": {"vocab_size": 120},
    "wav2vec2-conformer": {"vocab_size": 120},
    "xmod": {"default_language": "en_XX"},
}


PAGE = """# Model types

<!-- written by `python benchmarks/families.py` -->

`regard.trace` beside `output_attentions=True` under eager, every layer and head, on a tiny random
model of every type that the auto classes of transformers {version} know for text, images, speech.
{summary}

- **exact**: computed from queries and keys; the largest difference from eager is given, and is at
  most {exact:.0e}. Where eager gives weights before a sink takes its share, so they are compared.
- **eager weights**: the type attends in a way of its own, so that its eager weights are kept.
- **other**: what differs, and why.
- **no attention**: it gives no weights under eager either.
- **not built**: the type could not be built small from its configuration alone, with why.

| type | kind | verdict | layers; largest difference, or why not |
| --- | --- | --- | --- |
{rows}
"""


class Outcome(NamedTuple):
    """How a type compares with eager, and why not where it does not."""

    verdict: str  # as PAGE explains them, or "WRONG"
    detail: str


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only these types.")] = None,
    output: Annotated[Path, typer.Option(help="The table to write.")] = OUTPUT,
) -> None:
    """Compare every type and write the table; with --only, print."""
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")  # of models, about inputs that they would rather have
    types = dict(model_types())
    chosen = only or sorted(types)
    found = {name: compare(name) for name in tqdm(chosen, disable=only is not None)}
    if only:
        for name, outcome in found.items():
            print(f"{name}: {outcome.verdict}. {outcome.detail}")
        return
    output.write_text(page(found, types), "utf-8")
    print(summary(found))


def model_types() -> Iterator[tuple[str, str]]:
    """Give each type once, and the mapping that says what it is for."""
    seen: set[str] = set()
    for mapping in AUTO_CLASSES:
        for name in getattr(modeling_auto, f"MODEL_FOR_{mapping}_MAPPING_NAMES"):
            if name not in seen:
                seen.add(name)
                yield name, mapping


def compare(name: str) -> Outcome:
    """Build a type, and hold what trace gives against eager."""
    try:
        model = build(name)
        inputs = inputs_of(model)
        expected = by_eager(model, inputs).layers
    except Exception as error:  # noqa: BLE001  each of hundreds of types may fail in its own way
        return Outcome("not built", reason(error))
    finally:
        gc.collect()
    try:
        seen = trace(inputs, model)
    except Exception as error:  # noqa: BLE001  likewise
        has_none = "no attention that can be traced" in str(error) and not expected
        return Outcome("no attention", "") if has_none else Outcome("WRONG", reason(error))
    if seen.how == "eager weights":
        return Outcome("eager weights", layers_of(seen.counts))
    if not expected:
        return Outcome("other", f"{layers_of(seen.counts)}; eager gives no weights to compare")
    return held_against(expected, seen)


def held_against(expected: Mapping[str, Mapping[int, Layer]], seen: Trace) -> Outcome:
    """Find the largest difference between weights of any layer and head."""
    worst = 0.0
    for kind, layers in expected.items():
        for number, layer in layers.items():
            wanted = layer.weigh().numpy()
            if len(layers) != seen.counts.get(kind):
                return Outcome("WRONG", f"{layers_of(seen.counts)}; {kind}: {len(layers)} by eager")
            found = seen.weights(number, kind=kind)
            if found.shape != wanted.shape:
                return Outcome("WRONG", f"{kind} {number}: {found.shape}, eager {wanted.shape}")
            has_sink = getattr(seen.layers[kind][number], "sinks", None) is not None
            if has_sink and is_before_sink(wanted):
                found /= found.sum(-1, keepdims=True)
            worst = max(worst, float(np.abs(found - wanted).max()))
    verdict = "exact" if worst <= EXACT else "WRONG"
    return Outcome(verdict, f"{layers_of(seen.counts)}; {worst:.0e}")


def is_before_sink(weights: Any) -> bool:
    """Say whether a sink has yet to take its share: some give weights so (Granite SWA)."""
    return bool(np.allclose(weights.sum(-1), 1, atol=1e-3))


def build(name: str) -> PreTrainedModel:
    """Build a tiny model of a type with large random parameters, in eval mode."""
    torch.manual_seed(0)
    _, auto_class = AUTO_CLASSES[dict(model_types())[name]]
    config = tiny(transformers.CONFIG_MAPPING[name], BESIDES.get(name, {}))
    auto = getattr(transformers, auto_class)
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in auto.from_config(config).parameters())
    if size > LARGE:
        raise ValueError(f"still has {size / 1e6:.0f} million parameters")
    model: PreTrainedModel = auto.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=SPREAD)
    return model.eval().double()  # so that layers do not add up rounding


def tiny(config_class: Any, besides: dict[str, Any]) -> PreTrainedConfig:
    """Make a configuration whose known sizes are tiny, and those of its parts too."""
    default = config_class()
    options: dict[str, Any] = {}
    pattern = vars(default).get("layer_types") or []
    if len(set(pattern)) > 1 and "num_hidden_layers" in vars(
        default
    ):  # as few layers as have every type
        count = max(pattern.index(kind) for kind in set(pattern)) + 1
        besides = {"num_hidden_layers": count, "layer_types": pattern[:count]} | besides
    if getattr(default, "kv_lora_rank", None):  # latent attention has a key head for each query's
        besides = {"num_key_value_heads": 4} | besides
    for name, value in vars(default).items():
        if isinstance(value, PreTrainedConfig):
            options[name] = tiny(type(value), besides.get(name, {}))
        elif isinstance(value, int) and not isinstance(value, bool):
            if name in TINY and value > TINY[name]:
                options[name] = TINY[name]
            elif name in TOKENS:
                options[name] = TOKENS[name]
    config: PreTrainedConfig = config_class(**options | besides)
    return config


def inputs_of(model: PreTrainedModel) -> dict[str, Tensor]:
    """Make one sentence, picture or sound of random numbers, as the model takes it."""
    random = torch.Generator().manual_seed(0)
    parameters = inspect.signature(model.forward).parameters
    config = model.config
    ids = torch.randint(3, 100, (1, LENGTH), generator=random)
    name = model.main_input_name
    features = getattr(config, "encoder_config", None) or getattr(config, "audio_config", config)
    if name == "pixel_values":
        side = getattr(config, "image_size", 48)
        height, width = side if isinstance(side, list | tuple) else (side, side)
        channels = getattr(config, "num_channels", 3)
        inputs = {name: torch.randn(1, channels, height, width, generator=random)}
    elif name == "input_values" and hasattr(config, "time_stride"):  # a spectrogram
        inputs = {name: torch.randn(1, config.max_length, config.num_mel_bins, generator=random)}
    elif name == "input_values":
        inputs = {name: torch.randn(1, 4000, generator=random)}
    elif name == "input_features":
        names = ("num_mel_bins", "feature_projection_input_dim", "input_feat_per_channel")
        bins = next((n for n in (getattr(features, name, 0) for name in names) if n), 80)
        frames = 2 * getattr(config, "max_source_positions", 32)
        sound = torch.randn(1, bins, frames, generator=random)
        inputs = {name: sound if frames_last(model) else sound.mT}
    else:
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if "decoder_input_ids" in parameters:
        inputs["decoder_input_ids"] = ids[:, : LENGTH // 2]
    return {
        name: x.double() if x.is_floating_point() else x
        for name, x in inputs.items()
        if name in parameters
    }


def frames_last(model: PreTrainedModel) -> bool:
    """Say which way round sound is taken."""
    return model.config.model_type in {"whisper", "qwen2_audio_encoder", "voxtral"}


def by_eager(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Recorder:
    """Ask the model itself for its weights."""
    has_cache = "use_cache" in inspect.signature(model.forward).parameters
    options = {"use_cache": False} if has_cache else {}
    with attending(model, "eager"), torch.no_grad():
        outputs = model(**inputs, output_attentions=True, **options)
    recorder = Recorder()
    for of_kind in eager_weights(outputs, Recorder()).layers.values():
        for layer in of_kind.values():
            weights = layer.weigh()
            if (weights >= 0).all() and (weights.sum(-1) < 1 + 1e-3).all():  # no linear attention
                recorder.add(layer)
    return recorder


def layers_of(counts: dict[str, int]) -> str:
    """Say how many layers of each kind there are."""
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def reason(error: Exception) -> str:
    """Give the start of an error's message, fit for a cell."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}".replace("|", "/")


def summary(found: dict[str, Outcome]) -> str:
    """Count the verdicts, and give the share that is right of those that attend."""
    counts = Counter(outcome.verdict for outcome in found.values())
    built = sum(counts.values()) - counts["not built"]
    attend = built - counts["no attention"]
    right = counts["exact"] + counts["eager weights"]
    return (
        f"Of {len(found)} types, {built} were built, and {attend} of those attend: "
        f"{counts['exact']} are exact, {counts['eager weights']} are traced through eager weights, "
        f"together {right / max(attend, 1):.1%}; {counts['other']} are something else, "
        f"{counts['WRONG']} are wrong."
    )


def page(found: dict[str, Outcome], types: dict[str, str]) -> str:
    """Write the table, with what it means."""
    rows = [
        f"| {name} | {AUTO_CLASSES[types[name]][0]} | {outcome.verdict} | {outcome.detail} |"
        for name, outcome in found.items()
    ]
    return PAGE.format(
        version=transformers.__version__, summary=summary(found), exact=EXACT, rows="\n".join(rows)
    )


if __name__ == "__main__":
    typer.run(main)
