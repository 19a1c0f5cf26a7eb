"""Pictures with text for a tiny vision-language model: pixels, and as many placeholders as needed.

How many those are, the model tells by the features that it makes of the pixels. Of the layouts that
processors give, that is taken with which the model runs.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.tiny_models import PLAIN_IDS

Inputs = dict[str, Tensor]
BEFORE, AFTER = 4, 6  # tokens of text around the pictures
STARTS = ("vision_start_token_id", "image_start_token_id", "boi_token_id", "boi_token_index")
ENDS = ("vision_end_token_id", "image_end_token_id", "eoi_token_id", "eoi_token_index")
PLACEHOLDERS = ("image_token_id", "image_token_index", "img_context_token_id")


def with_pictures(model: PreTrainedModel, number: int) -> Inputs:
    """Give text in which there are pictures, such as the model's processor would give.

    Raises
    ------
    ValueError
        If the model runs with none of the layouts.
    """
    errors: list[str] = []
    for pixels in layouts(model, number):
        try:
            inputs = pixels | words(model, pixels, number)
            with torch.no_grad():
                model(**inputs)
        except Exception as error:  # noqa: BLE001  the next layout may be right
            shape = tuple(pixels[next(iter(pixels))].shape)
            errors.append(f"{shape}: {type(error).__name__}: {str(error)[:100]}")
        else:
            return inputs
    raise ValueError("; ".join(errors))


def layouts(model: Any, number: int) -> Iterator[Inputs]:
    """Give pixels as processors lay them out."""
    torch.manual_seed(0)
    takes, config = inspect.signature(model.forward).parameters, model.config
    vision = getattr(config, "vision_config", config)
    size = getattr(vision, "image_size", None) or 64
    height, width = size if isinstance(size, list | tuple) else (size, size)
    channels = first_of(vision, "num_channels", "in_channels", "in_chans") or 3
    channels = channels if isinstance(channels, int) else 3
    picture = (channels, height, width)
    sizes = {"image_sizes": torch.tensor([[height, width]] * number)}
    if "image_grid_thw" in takes:
        more = {"image_merge_sizes": torch.ones(number, dtype=torch.long)}
        more = {name: x for name, x in more.items() if name in takes}
        yield from patches(vision, number, channels, more)
        return
    if config.model_type == "mllama":
        yield tiles(vision, number, picture)
        return
    if "spatial_shapes" in takes:
        yield {
            "pixel_values": torch.randn(number, 16, channels * vision.patch_size**2),
            "spatial_shapes": torch.tensor([[4, 4]] * number),
            "pixel_attention_mask": torch.ones(number, 16, dtype=torch.long),
        }
        return
    if "flattened_patches" in takes:
        places = torch.tensor([[row, column] for row in range(1, 5) for column in range(1, 5)])
        values = torch.randn(16, getattr(vision, "patch_embed_hidden_size", 768))
        yield {"flattened_patches": torch.cat([places, values], dim=-1)[None]}
        return
    if "image_position_ids" in takes:
        grid = torch.tensor([[row, column] for row in range(6) for column in range(6)])
        yield {
            "pixel_values": torch.randn(number, 36, channels * vision.patch_size**2),
            "image_position_ids": grid.expand(number, -1, -1),
        }
        return
    for shape in ((number, *picture), (1, number, *picture), (number, 2, *picture)):
        pixels = {"pixel_values": torch.randn(shape)}
        pixels |= {"high_res_pixel_values": torch.randn(number, channels, 128, 128)}
        pixels = {name: x for name, x in pixels.items() if name in takes}
        yield pixels
        if "image_sizes" in takes:
            yield pixels | sizes


def patches(vision: Any, number: int, channels: int, more: Inputs) -> Iterator[Inputs]:
    """Give the patches of all pictures one after another: (patches, numbers of each)."""
    grids = torch.tensor([[1, 4, 4], [1, 4, 8]])[:number]
    thick = getattr(vision, "temporal_patch_size", 1)
    width = channels * thick * vision.patch_size**2
    pixels = torch.randn(int(grids.prod(1).sum()), width)
    apart = (
        pixels.view(-1, channels, vision.patch_size, vision.patch_size) if thick == 1 else pixels
    )
    for x in (pixels, apart, apart[None]):
        yield {"pixel_values": x, "image_grid_thw": grids} | more


def tiles(vision: Any, number: int, picture: tuple[int, int, int]) -> Inputs:
    """Give pictures of one tile each, as Mllama reads them."""
    most = vision.max_num_tiles
    mask = torch.zeros(1, number, most, dtype=torch.long)
    mask[..., 0] = 1
    return {
        "pixel_values": torch.randn(1, number, most, *picture),
        "aspect_ratio_ids": torch.ones(1, number, dtype=torch.long),
        "aspect_ratio_mask": mask,
        "cross_attention_mask": mask[:, None].expand(1, BEFORE + AFTER + number, number, most),
    }


def words(model: Any, pixels: Inputs, number: int) -> Inputs:
    """Give text with the pictures' placeholders among it, and what says which they are."""
    takes, config = inspect.signature(model.forward).parameters, model.config
    placeholder = first_of(config, *PLACEHOLDERS)
    starts, ends = first_of(config, *STARTS), first_of(config, *ENDS)
    between: list[int] = []
    for count in placeholders(model, pixels, number) if placeholder is not None else ():
        framed = [[x] if isinstance(x, int) else [] for x in (starts, ends)]
        between += [*framed[0], *[placeholder] * count, *framed[1]]
    text = torch.randint(*PLAIN_IDS, (BEFORE + AFTER,)).tolist()
    text = [x + 1 if x == placeholder else x for x in text]
    ids = torch.tensor([[*text[:BEFORE], *between, *text[BEFORE:]]])
    is_picture = (ids == placeholder).long() if placeholder is not None else torch.zeros_like(ids)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs["image_attention_mask"] = torch.ones(1, ids.size(1), number, dtype=torch.long)
    inputs |= {
        name: is_picture for name in ("mm_token_type_ids", "token_type_ids") if name in takes
    }
    if "decoder_input_ids" in takes:
        inputs["decoder_input_ids"] = torch.randint(*PLAIN_IDS, (1, AFTER))
    if "qformer_input_ids" in takes:
        inputs["qformer_input_ids"] = torch.randint(*PLAIN_IDS, (1, AFTER))
        inputs["qformer_attention_mask"] = torch.ones(1, AFTER, dtype=torch.long)
    if "bbox" in takes:
        inputs["bbox"] = torch.zeros(1, ids.size(1), 4)
    return {name: x for name, x in inputs.items() if name in takes}


def placeholders(model: Any, pixels: Inputs, number: int) -> list[int]:
    """Ask the model for the pictures' features, and count them, picture by picture."""
    owner = model if hasattr(model, "get_image_features") else getattr(model, "model", model)
    give = getattr(owner, "get_image_features", None)
    if give is None:  # it marks where a picture stands, once
        return [1] * number
    takes = inspect.signature(give).parameters
    with torch.no_grad():
        found = give(**{name: x for name, x in pixels.items() if name in takes})
    features = getattr(found, "pooler_output", found)
    features = features[0] if isinstance(features, tuple) and len(features) == 1 else features
    if isinstance(features, list | tuple) and len(features) == number:
        return [x.numel() // x.size(-1) for x in features]
    whole = features if isinstance(features, Tensor) else torch.cat(list(features))
    count = whole.numel() // whole.size(-1)
    return [count // number] * number


def first_of(config: Any, *names: str) -> Any:
    """Give the first of a configuration's fields that is there."""
    values = (getattr(config, name, None) for name in names)
    return next((value for value in values if value is not None), None)
