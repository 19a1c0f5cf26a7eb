"""From pictures, sounds and messages to what a model takes, by its processor.

A processor is one of transformers, or a function from one of Pillow's pictures to a tensor, such as
timm's and open_clip's transforms.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from regard.record.door import described
from regard.record.places import Media, Pixels
from regard.tracing.expected import a_tokenizer
from regard.tracing.held import at_rate, is_picture, is_sound, pixels_of, samples_of, several
from regard.tracing.painted import hold
from regard.tracing.sights import Sights, UnseenError, sights_of

SHORTEST = 0.025  # seconds: a window of a spectrogram, and what wav2vec 2.0 sees at once
GRIDS = ("image_grid_thw", "spatial_shapes")  # each ends with rows and columns of patches
FRAME = 0.01  # seconds of a spectrogram's frame, where nobody says
LOG = logging.getLogger("regard.tracing.placing")
# of a processor that takes no plain pictures, or only lists of lists of them
REFUSALS = (TypeError, ValueError, LookupError, AttributeError, RuntimeError, ArithmeticError)


@dataclass(frozen=True)
class Processed:
    """What a model takes, and what it shows of what the user holds."""

    sentence: Any
    tokenizer: Any
    media: Media = field(default_factory=Media)
    sights: Sights = field(default_factory=Sights)
    seconds: float = 0.0  # of the sound, with silence that was added
    rate: int = 0  # of the samples that the model hears; 0 of a spectrogram
    axis: int = 1  # of the time, in the numbers of the sound


def processed(
    sentence: Any, processor: Any, images: Any = None, *, goes_on: bool = False
) -> Processed:
    """Let a processor make what a model takes of pictures, sounds and messages; text stays.

    Parameters
    ----------
    sentence
        What `regard.trace` takes; or a picture, a sound, or messages with pictures.
    processor
        A tokenizer where there is text alone.
    images
        The pictures of a text.
    goes_on
        Whether the model writes on, so that messages end where its answer begins.

    Raises
    ------
    TypeError, ValueError
        If there is no processor, or it takes no such thing.
    """
    is_seen = images is not None or is_picture(sentence) or is_messages(sentence)
    if not is_seen and not is_sound(sentence):
        return Processed(sentence, a_tokenizer(processor))
    if not callable(processor):
        raise TypeError(
            "A picture or a sound needs the model's processor, such as AutoProcessor or "
            "AutoImageProcessor gives, or a function from a picture to a tensor: "
            f"trace(picture, model, processor), but got {described(processor)}."
        )
    tokenizer = processor if _is_tokenizer(processor) else getattr(processor, "tokenizer", None)
    if not is_seen:
        return _heard(sentence, processor, tokenizer)
    return _seen(sentence, processor, tokenizer, images, goes_on=goes_on)


def is_messages(got: Any) -> bool:
    """Say whether these are the messages of a chat: [{"role": ..., "content": ...}, ...]."""
    is_list = isinstance(got, list) and len(got) > 0
    return is_list and all(isinstance(one, Mapping) and "role" in one for one in got)


def _is_tokenizer(got: Any) -> bool:
    return hasattr(got, "convert_ids_to_tokens")


def _seen(
    sentence: Any, processor: Any, tokenizer: Any, images: Any, *, goes_on: bool
) -> Processed:
    pictures = several(sentence) if is_picture(sentence) else several(images)
    if is_messages(sentence):
        pictures = [pixels_of(part["image"]) for part in _images_in(sentence)]
    given = _given(sentence, processor, pictures, goes_on=goes_on)
    pixels = given if isinstance(given, Tensor) else given.get("pixel_values")
    grids = () if isinstance(given, Tensor) else _grids(given, len(pictures))
    sights = Sights() if pixels is None else _sights(pictures, processor, pixels, grids)
    return Processed(given, tokenizer, Media(tuple(pictures)), sights)


def _given(sentence: Any, processor: Any, pictures: Sequence[Pixels], *, goes_on: bool) -> Any:
    """Call the processor with what the user holds."""
    shown = [Image.fromarray(pixels) for pixels in pictures]
    if is_messages(sentence):
        options = {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
        options["add_generation_prompt"] = goes_on
        return _tensors(processor.apply_chat_template(_with(sentence, shown), **options))
    if is_picture(sentence):
        return _pixels_of(processor, shown)
    try:
        return _tensors(processor(text=sentence, images=shown, return_tensors="pt"))
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{type(processor).__name__} makes nothing of this text with {len(shown)} pictures "
            f"({error}). Write in the text where each belongs, such as '<image>', or pass messages "
            '[{"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", '
            '"text": ...}]}].'
        ) from error


def _tensors(given: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: x for name, x in given.items() if isinstance(x, Tensor)}


def _pixels_of(processor: Any, shown: list[Image.Image]) -> Any:
    """Give what a processor of pictures, or a function of one picture, makes of some."""
    of_images = getattr(processor, "image_processor", processor)
    if hasattr(of_images, "preprocess"):
        return _tensors(of_images(images=shown, return_tensors="pt"))
    return torch.stack([processor(one) for one in shown])


def _grids(given: Mapping[str, Tensor], count: int) -> list[tuple[int, int]]:
    """Give the rows and columns of patches of each picture, where the processor says so."""
    for grids in (given[name] for name in GRIDS if name in given):
        sizes = [(int(grid[-2]), int(grid[-1])) for grid in grids.reshape(-1, grids.size(-1))]
        if len(sizes) == count:
            return sizes
    return []


def _sights(
    pictures: Sequence[Pixels],
    processor: Any,
    pixels: Tensor,
    grids: Sequence[tuple[int, int]],
) -> Sights:
    """Ask the processor where the pixels that it gave come from; nothing, if it does not tell."""

    def see(shown: list[Image.Image], *, nested: bool) -> Tensor:
        of_images = getattr(processor, "image_processor", processor)
        if not hasattr(of_images, "preprocess"):
            return torch.stack([processor(one) for one in shown])
        found = of_images(images=[shown] if nested else shown, return_tensors="pt")
        return torch.as_tensor(found["pixel_values"])

    for nested in (False, True):
        asked = partial(see, nested=nested)
        try:
            found = sights_of(pictures, asked, grids)
            sides = -3 if found.planes else -1
            if found.count == pixels.shape[:sides].numel():
                hold(pictures, found, asked, pixels)
                return found
        except REFUSALS:
            continue
        except UnseenError as error:
            LOG.info("the pictures are not followed through the processor: %s", error)
            break
    return Sights()


def _images_in(messages: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Give the parts of messages that are pictures."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part.get("type") == "image":
                if "image" not in part:
                    raise ValueError(
                        "A picture in a message is {'type': 'image', 'image': picture}, a picture "
                        f"of Pillow's, an array or a path, but got {sorted(part)}: nothing is "
                        "fetched from the web."
                    )
                yield part


def _with(messages: Sequence[Mapping[str, Any]], shown: list[Image.Image]) -> list[dict[str, Any]]:
    """Put opened pictures in place of what the user gave."""
    left = iter(shown)

    def opened(part: Mapping[str, Any]) -> dict[str, Any]:
        return {**part, "image": next(left)} if part.get("type") == "image" else dict(part)

    def content(got: Any) -> Any:
        return [opened(part) for part in got] if isinstance(got, list) else got

    return [{**message, "content": content(message.get("content"))} for message in messages]


def _heard(sentence: Any, processor: Any, tokenizer: Any) -> Processed:
    samples, rate = samples_of(sentence)
    extractor = getattr(processor, "feature_extractor", processor)
    wanted = int(getattr(extractor, "sampling_rate", rate))
    heard = at_rate(samples, rate, wanted)
    if len(heard) < SHORTEST * wanted:
        raise ValueError(
            f"The sound has {len(samples)} samples at {rate} a second, {len(samples) / rate:.2g} "
            f"seconds: it is too short to be heard, pass at least {SHORTEST} seconds."
        )
    given = _tensors(extractor(heard, sampling_rate=wanted, return_tensors="pt"))
    media = Media(sound=samples, rate=rate)
    if "input_values" in given and given["input_values"].dim() == 2:
        seconds = given["input_values"].size(1) / wanted
        return Processed(given, tokenizer, media, seconds=seconds, rate=wanted)
    features = given.get("input_features", given.get("input_values"))
    if features is None or features.dim() != 3:
        return Processed(given, tokenizer, media)
    axis = _time(features, extractor)
    hop = getattr(extractor, "hop_length", None)
    stacked = int(getattr(extractor, "stride", 1))  # frames a row (SeamlessM4T)
    seconds = features.size(axis) * stacked * (FRAME if hop is None else hop / wanted)
    return Processed(given, tokenizer, media, seconds=seconds, axis=axis)


def _time(features: Tensor, extractor: Any) -> int:
    """Say which side of a spectrogram, (1, bands, T) or (1, T, bands), is the time."""
    bands = getattr(extractor, "num_mel_bins", getattr(extractor, "feature_size", None))
    bands = features.size(1) if bands is None else int(bands)
    return 2 if features.size(1) == bands else 1
