"""A tiny random model of every type that transformers knows, and something for it to read.

Each is built from its configuration alone, with few layers, small sizes and random weights that
are far from uniform, so that a wrong computation shows.
"""

import dataclasses
import inspect
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto

LENGTH, TARGET_LENGTH = 12, 9
VOCABULARY = 128
PLAIN_IDS = (10, 90)  # no special token lies between
GAIN = 1.5  # of a redrawn matrix: queries and keys as large make weights far from uniform
GAINS = {"hiera": 4.0, "mobilebert": 0.7}  # inputs are smaller; scores grow from layer to layer

USES = [  # what a type is used as, the auto class that builds it, and the mapping that lists it
    ("encoder", "AutoModelForMaskedLM", "MODEL_FOR_MASKED_LM_MAPPING_NAMES"),
    ("encoder", "AutoModelForTextEncoding", "MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES"),
    ("decoder", "AutoModelForCausalLM", "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"),
    ("seq2seq", "AutoModelForSeq2SeqLM", "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES"),
    ("vision", "AutoModelForImageClassification", "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES"),
    ("vision", "AutoModelForVideoClassification", "MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES"),
    ("vision", "AutoModel", "MODEL_FOR_IMAGE_MAPPING_NAMES"),
    ("speech", "AutoModelForCTC", "MODEL_FOR_CTC_MAPPING_NAMES"),
    ("speech", "AutoModelForSpeechSeq2Seq", "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES"),
    ("speech", "AutoModelForAudioClassification", "MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES"),
    ("pictures", "AutoModelForImageTextToText", "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES"),
]
REST = [  # types of text that stand in none of the lists above
    ("encoder", "AutoModel", "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES"),
    ("encoder", "AutoModel", "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES"),
    ("encoder", "AutoModel", "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES"),
]

SIDES = r"((speech_|t2u_)?(en|de)coder_|text_|conf_|swa_|linear_|cross_)?"
LAYERS = rf"{SIDES}(num_hidden_layers|num_layers|n_layers?|layers|depth)|num_(en|de)coder_layers"
SIZES = {  # the name of a field, as a whole, and the most that it may be
    rf"{SIDES}(num_attention_heads|num_heads|n_heads?|attention_heads)": 4,
    r"num_(en|de)coder_attention_heads|linear_num_(key|value)_heads": 4,
    rf"{SIDES}(num_key_value_heads|num_kv_heads)|kv_n_heads": 2,
    rf"{SIDES}(hidden_size|d_model|n_embd|hidden_dim|emb_dim|dim|embedding_size)": 64,
    r"hidden_size_global": 64,
    rf"{SIDES}(intermediate_size|ffn_dim|ffn_hidden_size|d_ff|dff|dim_ff|d_inner)": 96,
    r"(moe|shared|shared_expert|moe_shared_expert|dense)_intermediate_size": 32,
    r"(\w+_)?vocab_size(_per_layer_input)?": 128,
    rf"{SIDES}(head_dim|d_kv|dim_head|head_size|d_head)|kv_channels|attention_head_size": 16,
    r"qk_(rope|nope)_head_dim|v_head_dim|hidden_size_per_layer_input|rotary_dim": 16,
    r"linear_(key|value)_head_dim|linear_head_dim|index_head_dim": 16,
    r"(kv|q|o)_lora_rank": 32,
    r"num_experts|n_routed_experts|num_local_experts|moe_num_experts|zero_expert_num": 8,
    r"num_experts_per_tok(en)?|moe_topk|moe_top_k|moe_k|n_group|num_expert_group|index_n_heads": 2,
    r"topk_group|n_shared_experts|num_shared_experts": 1,
    r"image_size|pretrain_image_size": 64,
    r"patch_size": 16,
    r"out_hidden_size|projection_dim": 64,
    r"mm_tokens_per_image": 4,
    r"num_frames": 4,
    r"max_source_positions|num_latents": 48,
    r"num_filters": 4,
    r"encoder_hash_byte_group_vocab": 128,
}
SPECIAL_TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}

ROPE = {"rope_type": "default", "rope_theta": 10000.0}
SIDED = ROPE | {"mrope_section": [2, 3, 3]}  # positions in time, rows and columns
RESNET = {  # instead of a backbone from timm
    "use_timm_backbone": False,
    "backbone": None,
    "backbone_config": {
        "model_type": "resnet",
        "embedding_size": 16,
        "hidden_sizes": [16, 16, 32, 32],
        "depths": [1, 1, 1, 1],
        "out_features": ["stage2", "stage3", "stage4"],
    },
}

OVERRIDES: dict[str, dict[str, Any]] = {  # by type, of configurations within others too
    # What has no default, or one that the type itself refuses.
    "cohere_compass_text": {"rope_parameters": {"full_attention": ROPE}},
    "dbrx": {"attn_config": {"rope_theta": 10000.0, "clip_qkv": 8}},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "dots1": {"n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2},
    "esm": {"vocab_size": 128, "pad_token_id": 1, "mask_token_id": 3},
    "gemma4_assistant": {"text_config": {"num_kv_shared_layers": 6}},
    "gemma4_unified_assistant": {"text_config": {"num_kv_shared_layers": 6}},
    "led": {"attention_window": 4},
    "longformer": {"attention_window": 4},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "moonshine_streaming": {"num_key_value_heads": 4},
    "nemotron": {"num_key_value_heads": 2},
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 16,
        "indexer_budget": 8,
        "indexer_compress_ratio": 4,
        "ngram_vocab_size_base": 100,
    },
    "wav2vec2-bert": {"vocab_size": 128},
    "wav2vec2-conformer": {"vocab_size": 128},
    "xmod": {"default_language": "en_XX"},
    # Where two sizes must agree.
    "depth_pro": {"patch_size": 64, "intermediate_hook_ids": (1, 0)},
    "dots3_note": {
        "vision_config": {
            "mlp_layer_types": ["dense", "sparse"],
            "adapter_in_dim": 64,
            "adapter_out_dim": 64,
        },
        "audio_config": {"adapter_input_size": 64, "adapter_out_dim": 64},
    },
    "efficientnet": {"hidden_dim": 2560},
    "fun_asr_nano": {"adaptor_config": {"intermediate_size": 16}},
    "nemo_speechlm": {
        "audio_config": {"diarization_config": {"head_config": {"audio_hidden_size": 64}}}
    },
    "perceiver": {"num_self_attends_per_block": 2, "d_latents": 64},
    "esmc": {"num_key_value_heads": 4, "vocab_size": 128},
    "layoutlmv3": {"coordinate_size": 10, "shape_size": 12, "input_size": 64},
    "lilt": {"hidden_size": 96},
    "granite_speech5_encoder": {"num_key_value_heads": 4},
    "mamba2": {"head_dim": 32, "n_groups": 1},
    "lxmert": {"l_layers": 2, "x_layers": 2, "r_layers": 2},
    "mimi": {"upsample_groups": 64},
    "donut-swin": {"window_size": 2},
    "shieldgemma2": {"yes_token_index": 10, "no_token_index": 11},
    "swin": {"window_size": 2},
    "swin2sr": {"depths": [2, 2], "num_heads": [3, 3], "window_size": 4, "image_size": 32},
    "vjepa2": {"crop_size": 64, "frames_per_clip": 4},
    "mobilebert": {"embedding_size": 32},
    "moonshine": {"encoder_num_key_value_heads": 4, "decoder_num_key_value_heads": 4},
    "reformer": {"axial_pos_shape": (8, 8), "axial_pos_embds_dim": (32, 32)},
    # Where the pattern of layers is given by numbers, or needs several of a kind.
    "bamba": {"attn_layer_indices": [1]},
    "gemma3n_text": {"num_kv_shared_layers": 0},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": {"layer_types": ["linear_attention", "full_attention"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False},
    "recurrent_gemma": {"num_hidden_layers": 3, "lru_width": 64},
    "zamba": {"num_hidden_layers": 4, "layers_block_type": ["linear_attention", "hybrid"] * 2},
    "zamba2": {"num_hidden_layers": 4, "layers_block_type": ["linear_attention", "hybrid"] * 2},
    # Where a picture needs as many features as there are places for it.
    "blip-2": {"image_token_index": 120, "num_query_tokens": 8},
    "instructblip": {"image_token_index": 120, "num_query_tokens": 8},
    "instructblipvideo": {"video_token_index": 120, "num_query_tokens": 8},
    "hunyuan_vl_text": {"rope_parameters": ROPE | {"mrope_section": [2, 2, 2, 2]}},
    "kosmos-2": {"latent_query_num": 8},
    "llama4_vision_model": {
        "projector_input_dim": 64,
        "projector_output_dim": 64,
        "vision_output_dim": 64,
        "intermediate_size": 256,
    },
    "llava_next": {"image_grid_pinpoints": [[64, 64]]},
    "llava_next_video": {"image_grid_pinpoints": [[64, 64]]},
    "llava_onevision": {"image_grid_pinpoints": [[64, 64]], "vision_aspect_ratio": "anyres_max_9"},
    "aria": {"projector_patch_to_query_dict": {16: 4, 32: 8}},
    "glm4v_moe_text": {"rope_parameters": SIDED | {"partial_rotary_factor": 1.0}},
    "glm4v_text": {"rope_parameters": SIDED},
    "glm_ocr_text": {"rope_parameters": SIDED},
    "mllama_text_model": {"cross_attention_layers": [1]},
    "mllama_vision_model": {"intermediate_layers_indices": [0, 1], "vision_output_dim": 192},
    "paddleocr_vl_text": {"rope_parameters": SIDED},
    "qwen2_5_vl_text": {"rope_parameters": SIDED},
    "qwen2_vl": {"vision_config": {"embed_dim": 64}},
    "qwen2_vl_text": {"rope_parameters": SIDED},
    "vipllava": {"vision_feature_layers": [-2, 1]},
    # Where the default attends sparsely, in a way that has no weights.
    "big_bird": {"attention_type": "original_full"},
}
BASES: dict[str, dict[str, Any]] = {  # what is shrunk, where that is not a type's own default
    "conditional_detr": RESNET,
    "dab-detr": RESNET,
    "deformable_detr": RESNET,
    "detr": RESNET,
    "table-transformer": RESNET,
    "gemma4_assistant": {
        "text_config": {"hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 0}
    },
}
SPECTROGRAM: dict[str, tuple[int, ...] | Tensor] = {"input_features": (1, 100, 128)}
EXTRA_INPUTS: dict[str, dict[str, tuple[int, ...] | Tensor]] = {  # by type, or by use and type
    "audio-spectrogram-transformer": {"input_values": (1, 1024, 128)},
    "bros": {"bbox": (1, LENGTH, 4)},
    "canary": SPECTROGRAM,
    "cohere_asr": SPECTROGRAM,
    "depth_pro": {"pixel_values": (1, 3, 256, 256)},
    "dia": {"decoder_input_ids": torch.arange(TARGET_LENGTH * 9).view(1, TARGET_LENGTH, 9)},
    "granite_speech5_ctc": {"input_features": (1, 100, 320)},
    "lasr_ctc": SPECTROGRAM,
    "lxmert": {"visual_feats": (1, 5, 2048), "visual_pos": (1, 5, 4)},
    "siglip2": {
        "pixel_values": (1, 16, 768),
        "pixel_attention_mask": torch.ones(1, 16, dtype=torch.long),
        "spatial_shapes": torch.tensor([[4, 4]]),
    },
    "speech seamless_m4t": {"input_features": (1, 100, 160)},
    "speech seamless_m4t_v2": {"input_features": (1, 100, 160)},
    "vision perceiver": {"inputs": (1, 3, 56, 56)},
    "vjepa2": {"pixel_values_videos": (1, 4, 3, 64, 64)},
    "voxtral_realtime": {"input_features": (1, 128, 8 * LENGTH)},
    "wav2vec2-bert": {"input_features": (1, 100, 160)},
    "speech whisper": {"input_features": (1, 80, 96)},
}


@dataclass(frozen=True)
class Family:
    """A type of model in one of its uses."""

    use: str
    model_type: str
    auto_class: str


def families() -> Iterator[Family]:
    """Give every type in every use."""
    seen: set[tuple[str, str]] = set()
    for use, auto_class, mapping in USES:
        for model_type in getattr(modeling_auto, mapping):
            if (use, model_type) not in seen:
                seen.add((use, model_type))
                yield Family(use, model_type, auto_class)
    known = {model_type for _, model_type in seen}
    for use, auto_class, mapping in REST:
        for model_type in getattr(modeling_auto, mapping):
            if model_type not in known:
                known.add(model_type)
                yield Family(use, model_type, auto_class)


def tiny_config(model_type: str) -> PreTrainedConfig:
    """Give a type's configuration with few layers, small sizes and a small vocabulary."""
    given = BASES.get(model_type, {})
    config = CONFIG_MAPPING[model_type](**given)
    return shrunk(config, {}, OVERRIDES.get(model_type, {}))


def shrunk(
    config: PreTrainedConfig, given: Mapping[str, Any], overrides: Mapping[str, Any]
) -> PreTrainedConfig:
    """Make a configuration anew, and those within it, with no size above what `SIZES` allows."""
    layers = layers_for(config)
    chosen = dict(given)
    for field in dataclasses.fields(config):
        value: Any = vars(config).get(field.name)
        if isinstance(value, PreTrainedConfig):
            within = OVERRIDES.get(value.model_type, {}) | overrides.get(field.name, {})
            chosen[field.name] = shrunk(value, given_to(value), within)
        elif is_per_layer(config, value):
            if field.default is not None or field.name in given:
                chosen[field.name] = value[:layers]
        elif (small := small_value(field.name, value, layers)) is not value:
            chosen[field.name] = small
    if "kv_lora_rank" in vars(config):  # latent attention: each head has its own keys
        chosen["num_key_value_heads"] = 4
    flat = {name: value for name, value in overrides.items() if name not in config.sub_configs}
    return type(config)(**chosen | flat)


def given_to(config: PreTrainedConfig) -> dict[str, Any]:
    """Give what a configuration within another was made with, beside its defaults."""
    usual = vars(type(config)())
    return {
        name: value
        for name, value in vars(config).items()
        if not name.startswith("_") and (name not in usual or usual[name] != value)
    }


def layers_for(config: PreTrainedConfig) -> int:
    """Give the least layers, at least two, in which every type of layer comes up."""
    patterns = [value for value in vars(config).values() if is_per_layer(config, value)]
    firsts = [pattern.index(kind) + 1 for pattern in patterns for kind in pattern]
    return max([2, *firsts])


def is_per_layer(config: PreTrainedConfig, value: Any) -> bool:
    """Say whether a value is a list of names, one for each layer."""
    layers = getattr(config, "num_hidden_layers", None)
    return isinstance(value, list) and len(value) == layers and isinstance(value[0], str)


def small_value(name: str, value: Any, layers: int) -> Any:
    """Give the value that a field has in the tiny model."""
    if re.search(r"_token_(id|index)$", name):
        return small_token(name, value)
    if value is None and name == "head_dim":
        return 16
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if re.fullmatch(LAYERS, name):
        return min(layers, value)
    return min([value, *(most for pattern, most in SIZES.items() if re.fullmatch(pattern, name))])


def small_token(name: str, value: Any) -> Any:
    """Move a token's id into the tiny vocabulary, above the plain ones."""
    if isinstance(value, list):
        value = value[0]
    if not isinstance(value, int) or value < VOCABULARY:
        return value
    return SPECIAL_TOKENS.get(name, PLAIN_IDS[1] + value % (VOCABULARY - PLAIN_IDS[1]))


def build(model_type: str, auto_class: str, attention: str | None = "eager") -> PreTrainedModel:
    """Build a tiny model with weights that are far from uniform, and the same ones every time."""
    config = tiny_config(model_type)
    maker = getattr(transformers, auto_class)
    classes = maker._model_mapping.get(type(config), None)  # noqa: SLF001  (it is nowhere public)
    if isinstance(classes, tuple):  # which of several classes: the first
        config.architectures = [classes[0].__name__]
    if auto_class == "AutoModelForCausalLM" and hasattr(config, "is_decoder"):
        config.is_decoder = True
    if auto_class == "AutoModelForTextEncoding":
        config.is_encoder_decoder = False
    torch.manual_seed(0)
    made: PreTrainedModel = maker.from_config(
        config, attn_implementation=attention, dtype=torch.float32
    )
    redraw(made, GAINS.get(model_type, GAIN))
    return made.eval()


@torch.no_grad()
def redraw(model: nn.Module, gain: float) -> None:
    """Draw matrices large enough for clear attention, and shake biases and gains."""
    embeddings = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    for parameter in model.parameters():
        if id(parameter) in embeddings:
            parameter.normal_()
        elif parameter.dim() > 1:
            parameter.normal_(std=gain / math.sqrt(math.prod(parameter.shape[1:]) or 1))
        else:
            parameter.add_(torch.randn_like(parameter), alpha=0.2)


def inputs_for(model: PreTrainedModel, use: str) -> dict[str, Tensor]:
    """Give what a model's forward pass asks for: a sentence, a picture or a sound, drawn anew."""
    torch.manual_seed(0)
    model_type = model.config.model_type
    extra = EXTRA_INPUTS.get(f"{use} {model_type}") or EXTRA_INPUTS.get(model_type, {})
    own = {name: x if isinstance(x, Tensor) else torch.randn(x) for name, x in extra.items()}
    return SAMPLES[use](model) | own


def sentence(model: PreTrainedModel) -> dict[str, Tensor]:
    """Give a sentence, and one to write where a decoder reads that."""
    inputs = {
        "input_ids": torch.randint(*PLAIN_IDS, (1, LENGTH)),
        "attention_mask": torch.ones(1, LENGTH, dtype=torch.long),
    }
    return inputs | target(model)


def target(model: PreTrainedModel) -> dict[str, Tensor]:
    """Give the sentence that a decoder reads beside an encoder, if there is one."""
    if "decoder_input_ids" not in inspect.signature(model.forward).parameters:
        return {}
    return {"decoder_input_ids": torch.randint(*PLAIN_IDS, (1, TARGET_LENGTH))}


def picture(model: PreTrainedModel) -> dict[str, Tensor]:
    """Give a picture, or a few of them as a film."""
    name, config = model.main_input_name, model.config
    if name == "input_ids":
        return sentence(model)
    size = getattr(config, "image_size", 64)
    height, width = (size, size) if isinstance(size, int) else size
    frames = [config.num_frames] if hasattr(config, "num_frames") else []
    channels = getattr(config, "num_channels", 3)
    return {name: torch.randn(1, *frames, channels, height, width)}


def sound(model: PreTrainedModel) -> dict[str, Tensor]:
    """Give a quarter of a second of sound, or a second of a spectrogram."""
    name = model.main_input_name
    if name == "input_ids":
        return sentence(model)
    shape = (1, 100, 80) if name == "input_features" else (1, 4000)
    return {name: torch.randn(shape)} | target(model)


SAMPLES = {
    "encoder": sentence,
    "decoder": sentence,
    "seq2seq": sentence,
    "vision": picture,
    "speech": sound,
    "pictures": sentence,  # tests/tiny_pictures.py puts pictures between
}
