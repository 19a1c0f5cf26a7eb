"""Tiny models that see and hear, with the processors that people call them by.

Weights are random; sizes are small, but the processors are transformers' own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers as t
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from torch import nn

PLAIN = ["<pad>", "<s>", "</s>", "<unk>", "what", "is", "it", "?"]
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "max_position_embeddings": 2000,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
SIDE, PATCH = 64, 16
SQUARE = {"height": SIDE, "width": SIDE}
TILES = [[64, 128], [128, 64], [128, 128], [64, 192]]


@dataclass(frozen=True)
class Seeing:
    """A model, its processor and, where it reads a text too, that."""

    model: nn.Module
    processor: Any
    text: str | None = None
    part: str | None = None  # that reads the text
    is_sharp: bool = True  # does each token see its own patch only?
    is_redrawn: bool = True  # are its matrices to be drawn large?
    by: str = ""  # the name of the processor


def tower(**more: Any) -> dict[str, Any]:
    """Give the sizes of a vision tower."""
    return {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": PATCH,
        **more,
    }


def tokenizer(*special: str) -> t.PreTrainedTokenizerFast:
    """Give a tokenizer of a few words, and of tokens that stand for pictures."""
    vocabulary = {word: at for at, word in enumerate([*PLAIN, *special])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106  no password
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens([AddedToken(word, normalized=False) for word in special])
    names = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    return t.PreTrainedTokenizerFast(tokenizer_object=backend, **names)


def id_of(words: t.PreTrainedTokenizerFast, token: str) -> int:
    """Give the id of a token."""
    return int(words.get_vocab()[token])


def _alone(model: type, config: type, processor: Any, **more: Any) -> Callable[[], Seeing]:
    return lambda: Seeing(model(config(**tower(**more))), processor)


def _llava() -> Seeing:
    words = tokenizer("<image>")
    config = t.LlavaConfig(
        vision_config=t.CLIPVisionConfig(**tower()),
        text_config=t.LlamaConfig(**TEXT),
        image_token_index=id_of(words, "<image>"),
        vision_feature_layer=-1,
    )
    processor = t.LlavaProcessor(
        t.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE),
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    return Seeing(
        t.LlavaForConditionalGeneration(config), processor, "<image> what is it ?", "language_model"
    )


def _llava_next() -> Seeing:
    words = tokenizer("<image>")
    config = t.LlavaNextConfig(
        vision_config=t.CLIPVisionConfig(**tower()),
        text_config=t.LlamaConfig(**TEXT),
        image_token_index=id_of(words, "<image>"),
        vision_feature_layer=-1,
        image_grid_pinpoints=TILES,
    )
    images = t.LlavaNextImageProcessor(
        size={"shortest_edge": SIDE}, crop_size=SQUARE, image_grid_pinpoints=TILES
    )
    processor = t.LlavaNextProcessor(
        images,
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    return Seeing(
        t.LlavaNextForConditionalGeneration(config),
        processor,
        "<image> what is it ?",
        "language_model",
    )


def _idefics3() -> Seeing:
    places = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    more = ("<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *places)
    words = tokenizer("<image>", *more)
    config = t.Idefics3Config(
        text_config=t.LlamaConfig(**TEXT),
        vision_config=tower(),
        image_token_id=id_of(words, "<image>"),
        scale_factor=2,
    )
    images = t.Idefics3ImageProcessor(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
    )
    processor = t.Idefics3Processor(images, words, image_seq_len=4)
    model = t.Idefics3ForConditionalGeneration(config)
    return Seeing(model, processor, "<image> what is it ?", "text_model")


def _paligemma() -> Seeing:
    words = tokenizer("<image>")
    config = t.PaliGemmaConfig(
        text_config={**TEXT, "model_type": "gemma2", "head_dim": 16},
        vision_config=tower(model_type="siglip_vision_model", vision_use_head=False),
        image_token_index=id_of(words, "<image>"),
        projection_dim=32,
    )
    images: Any = t.SiglipImageProcessor(size=SQUARE)
    images.image_seq_length = (SIDE // PATCH) ** 2
    model = t.PaliGemmaForConditionalGeneration(config)
    return Seeing(
        model, t.PaliGemmaProcessor(images, words), "<image> what is it", "language_model"
    )


class PatchProcessor:
    """What Qwen2.5-VL's processor does, without its videos."""

    image_processor = t.Qwen2VLImageProcessor(
        patch_size=14, min_pixels=28 * 28 * 4, max_pixels=28 * 28 * 20
    )
    tokenizer = tokenizer("<|image_pad|>")

    def __call__(self, text: str, images: Any, return_tensors: str) -> dict[str, torch.Tensor]:
        """Put as many tokens before a text as there are patches, merged by four."""
        found = self.image_processor(images=images, return_tensors=return_tensors)
        count = int(found["image_grid_thw"].prod(-1).sum()) // 4
        ids = [len(PLAIN)] * count + self.tokenizer(text)["input_ids"]
        return {
            "input_ids": torch.tensor([ids]),
            "attention_mask": torch.ones(1, len(ids)),
            **found,
        }


def _qwen() -> Seeing:
    config = t.Qwen2_5_VLConfig(
        text_config={
            **TEXT,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [2, 3, 3],
                "rope_theta": 1e4,
            },
        },
        vision_config={
            "hidden_size": 32,
            "out_hidden_size": 32,
            "depth": 2,
            "num_heads": 2,
            "patch_size": 14,
            "intermediate_size": 32,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        image_token_id=len(PLAIN),
        video_token_id=60,
        vision_start_token_id=61,
        vision_end_token_id=62,
    )
    model = t.Qwen2_5_VLForConditionalGeneration(config)
    return Seeing(model, PatchProcessor(), "what is it ?", "language_model")


def _detr() -> Seeing:
    backbone = {
        "model_type": "resnet",
        "embedding_size": 16,
        "hidden_sizes": [16, 16, 32, 32],
        "depths": [1, 1, 1, 1],
        "out_features": ["stage4"],
    }
    of_backbone: dict[str, Any] = {
        "use_timm_backbone": False,
        "backbone": None,
        "backbone_config": backbone,
    }
    config = t.DetrConfig(
        **of_backbone,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=5,
    )
    processor = t.DetrImageProcessor(size={"shortest_edge": 128, "longest_edge": 200})
    return Seeing(t.DetrModel(config), processor, is_sharp=False)


CLIP = t.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE)
SEEING: dict[str, Callable[[], Seeing]] = {
    "ViT": _alone(t.ViTModel, t.ViTConfig, t.ViTImageProcessor(size=SQUARE)),
    "DeiT": _alone(t.DeiTModel, t.DeiTConfig, t.ViTImageProcessor(size=SQUARE)),
    "DINOv2 with registers": _alone(
        t.Dinov2WithRegistersModel, t.Dinov2WithRegistersConfig, CLIP, num_register_tokens=4
    ),
    "CLIP": _alone(t.CLIPVisionModel, t.CLIPVisionConfig, CLIP),
    "SigLIP": _alone(
        t.SiglipVisionModel, t.SiglipVisionConfig, t.SiglipImageProcessor(size=SQUARE)
    ),
    "YOLOS": _alone(
        t.YolosModel, t.YolosConfig, t.ViTImageProcessor(size=SQUARE), num_detection_tokens=7,
        image_size=[SIDE, SIDE],
    ),
    "DETR": _detr,
    "LLaVA": _llava,
    "LLaVA-NeXT": _llava_next,
    "Idefics3": _idefics3,
    "PaliGemma": _paligemma,
    "Qwen2.5-VL": _qwen,
}  # fmt: skip


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """Give a picture of noise."""
    drawn = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    return drawn.astype(np.uint8)
