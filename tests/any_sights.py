"""A tiny random model of any type that sees, with an image processor for its size.

The type's own processor is tried first, then a plain one, that squeezes a picture into a square.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from torch import Tensor
from transformers import PreTrainedModel
from transformers.models.auto import image_processing_auto

from tests.tiny_models import VOCABULARY, Family, build, families, target
from tests.tiny_pictures import words
from tests.tiny_sights import Seeing, picture, tokenizer

OWN: Mapping[str, Mapping[str, str]] = vars(image_processing_auto)["IMAGE_PROCESSOR_MAPPING_NAMES"]
TOO_FINE = {"swin2sr"}  # a token a pixel, of pictures that its processor leaves as they are
SEES = {"vision", "pictures"}
TEXT = "what is it ?"  # the ids of the text are drawn, with as many placeholders as are needed


def that_see() -> Iterator[Family]:
    """Give every type that sees pictures, in every such use."""
    return (family for family in families() if family.use in SEES)


def any_seeing(family: Family) -> Seeing:
    """Build a type, with the first processor that it runs with.

    Raises
    ------
    ValueError
        If it runs with none.
    """
    model = build(family.model_type, family.auto_class)
    is_text = family.use == "pictures"
    errors = []
    for name, images in processors(model, family):
        processor: Any = images
        try:
            if is_text or "decoder_input_ids" in _takes(model):
                processor = WithWords(images, model, is_text=is_text)
            given = processor(images=[Image.fromarray(picture(200, 120))], return_tensors="pt")
            with torch.no_grad():
                model(**{name: x for name, x in given.items() if isinstance(x, Tensor)})
        except Exception as error:  # noqa: BLE001  the next processor may be right
            errors.append(f"{name}: {type(error).__name__}: {str(error)[:90]}")
        else:
            return Seeing(model, processor, TEXT if is_text else None, is_redrawn=False, by=name)
    raise ValueError("; ".join(errors))


def _takes(model: PreTrainedModel) -> Mapping[str, Any]:
    return inspect.signature(model.forward).parameters


def processors(model: PreTrainedModel, family: Family) -> Iterator[tuple[str, Any]]:
    """Give image processors by name: the type's own for small pictures, and a plain one."""
    names = list(OWN.get(family.model_type, {}).values())
    if "image_grid_thw" in _takes(model):
        names.append("Qwen2VLImageProcessorPil")
    vision = getattr(model.config, "vision_config", model.config)
    for maker in (getattr(transformers, name) for name in names):
        needs_more = "_backends" in vars(maker)  # it stands for one that needs a package
        if needs_more or family.model_type in TOO_FINE:
            continue
        for options in sized(maker, vision, model.config):
            try:
                yield maker.__name__, maker(**options)
            except Exception:  # noqa: BLE001, S112  it has no such option
                continue
    side = getattr(vision, "image_size", None) or 64
    high, wide = (side, side) if isinstance(side, int) else side
    for frames in ((), (1,), (int(getattr(model.config, "num_frames", 2)),)):
        yield "plain", Plain(high, wide, frames)


def sized(maker: Any, vision: Any, config: Any) -> Iterator[dict[str, Any]]:
    """Give the options that make a processor's pictures small."""
    side = getattr(vision, "image_size", None) or 64
    high, wide = (side, side) if isinstance(side, int) else side
    patch = getattr(vision, "patch_size", 16)
    usual = getattr(maker, "size", None) or {}
    square = {"height": high, "width": wide}
    if hasattr(maker, "merge_size") or hasattr(maker, "min_pixels"):
        merged = getattr(vision, "spatial_merge_size", 2)
        edge = patch * merged
        yield {
            "patch_size": patch,
            "merge_size": merged,
            "temporal_patch_size": getattr(vision, "temporal_patch_size", 2),
            "size": {"shortest_edge": 4 * edge**2, "longest_edge": 12 * edge**2},
        }
        yield {
            "patch_size": patch,
            "size": {"shortest_edge": 4 * edge**2, "longest_edge": 12 * edge**2},
        }
    more: dict[str, Any] = {}
    if pinpoints := getattr(config, "image_grid_pinpoints", None):
        more["image_grid_pinpoints"] = pinpoints
    if hasattr(maker, "max_patches"):
        yield {"max_patches": 64}
    if hasattr(maker, "patch_size"):
        yield {"size": square, "patch_size": patch, **more}
    if {"height", "width"} <= usual.keys():
        yield {"size": square, "crop_size": square, **more}
    yield {"size": dict.fromkeys(usual, high) or square, "crop_size": square, **more}
    yield {"size": square, "crop_size": square, **more}


@dataclass(frozen=True)
class Plain:
    """Squeezes pictures to a size, in numbers from -1 to 1: (B, *frames, 3, H, W)."""

    height: int
    width: int
    frames: tuple[int, ...] = ()

    def preprocess(self) -> None:
        """Be known as an image processor."""

    def __call__(self, images: list[Image.Image], return_tensors: str = "pt") -> dict[str, Tensor]:
        """Squeeze them."""
        size = (self.width, self.height)
        pixels = [np.asarray(one.resize(size, Image.Resampling.BILINEAR)) for one in images]
        x = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1
        for _ in self.frames:
            x = x[:, None].repeat(1, self.frames[0], 1, 1, 1)
        return {"pixel_values": x}


@dataclass(frozen=True)
class WithWords:
    """Puts drawn ids beside pixels, with as many placeholders as the model makes features."""

    image_processor: Any
    model: PreTrainedModel
    is_text: bool = True
    tokenizer = tokenizer(*(f"<{n}>" for n in range(VOCABULARY - 8)))

    def __call__(
        self, images: Any, text: str = "", return_tensors: str = "pt"
    ) -> dict[str, Tensor]:
        """Process pictures, and write the ids."""
        found = self.image_processor(images=images, return_tensors=return_tensors)
        takes = _takes(self.model)
        pixels = {name: x for name, x in found.items() if isinstance(x, Tensor) and name in takes}
        torch.manual_seed(0)
        return pixels | (words(self.model, pixels, 1) if self.is_text else target(self.model))
