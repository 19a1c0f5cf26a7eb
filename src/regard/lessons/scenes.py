"""Scenes of coloured shapes, questions about them, and the answer key."""

from typing import NamedTuple

import torch
from torch import Tensor

from regard.record.places import Box
from regard.tracing.own_places import grid

ROW, PATCH = 4, 8  # patches in a row, and in a column; pixels of a patch's side
COLOURS = {  # Okabe and Ito (2008): told apart by all
    "blue": (0, 114, 178),
    "orange": (230, 159, 0),
    "green": (0, 158, 115),
    "red": (213, 94, 0),
    "pink": (204, 121, 167),
    "black": (40, 40, 40),
}
KINDS = ("circle", "square", "triangle", "cross")  # one of each in a scene; all else are dots
SHAPES = (
    ".####. ##..## #....# #....# ##..## .####.",
    "###### ###### ###### ###### ###### ######",
    "..##.. ..##.. .####. .####. ###### ######",
    "..##.. ..##.. ###### ###### ..##.. ..##..",
    "...... ..##.. .####. .####. ..##.. ......",  # a dot
)
GROUND, NOISE = 236, 8  # a light grey, and how much each pixel differs from what is drawn
RELATIONS = ("of", "below")
QUESTIONS = [f"colour {relation} the {kind} ?" for relation in RELATIONS for kind in KINDS]
WORDS = sorted({word for question in QUESTIONS for word in question.split()})
QUESTION_IDS = torch.tensor([[WORDS.index(word) for word in q.split()] for q in QUESTIONS])


class Scenes(NamedTuple):
    """Pictures of 4 x 4 patches, and what is in them."""

    pixels: Tensor  # (B, 32, 32, 3), uint8
    colours: Tensor  # (B, 16): of what is in each patch
    shapes: Tensor  # (B, 4): the patch of each of KINDS

    @property
    def asked(self) -> Tensor:
        """The patch of the shape that each question names: (B, 8)."""
        return self.shapes.repeat(1, len(RELATIONS))

    @property
    def gold(self) -> Tensor:
        """The patch whose colour each question asks for: (B, 8)."""
        return torch.cat([self.shapes, self.shapes + ROW], dim=1)

    @property
    def answers(self) -> Tensor:
        """The colour that is right for each question: (B, 8)."""
        return self.colours.gather(1, self.gold)


def draw_scenes(count: int, generator: torch.Generator) -> Scenes:
    """Draw scenes by lot: four shapes, none in the last row, and a dot in every other patch.

    Examples
    --------
    >>> scenes = draw_scenes(3, torch.Generator().manual_seed(0))
    >>> scenes.pixels.shape, scenes.answers.shape
    (torch.Size([3, 32, 32, 3]), torch.Size([3, 8]))
    """
    num_patches = ROW * ROW
    shapes = torch.rand(count, num_patches - ROW, generator=generator).argsort(1)[:, : len(KINDS)]
    kinds = torch.full((count, num_patches), len(KINDS))  # dots
    kinds.scatter_(1, shapes, torch.arange(len(KINDS)).expand(count, -1))
    colours = torch.randint(len(COLOURS), (count, num_patches), generator=generator)
    shifts = torch.randint(9, (count, num_patches), generator=generator)
    drawn = _stamps()[kinds, shifts].unsqueeze(-1)  # (B, 16, 8, 8, 1)
    paint = torch.tensor(list(COLOURS.values()))[colours][:, :, None, None]  # (B, 16, 1, 1, 3)
    patches = torch.where(drawn, paint, GROUND).float()
    patches += NOISE * torch.randn(patches.shape, generator=generator)
    rows = patches.clamp(0, 255).byte().unflatten(1, (ROW, ROW))  # (B, 4, 4, 8, 8, 3)
    return Scenes(rows.transpose(2, 3).flatten(3, 4).flatten(1, 2), colours, shapes)


def painted_over(pixels: Tensor, patches: Tensor) -> Tensor:
    """Leave nothing but ground in one patch of each picture."""
    covered = pixels.clone()
    for picture, patch in zip(covered, patches.tolist(), strict=True):
        top, left = (PATCH * number for number in divmod(patch, ROW))
        picture[top : top + PATCH, left : left + PATCH] = GROUND
    return covered


def unread_by_words(patches: Tensor) -> Tensor:
    """Mark the links from all words to one patch of each picture, to block them: (B, 5, 16)."""
    marked = torch.zeros(len(patches), QUESTION_IDS.size(1), ROW * ROW, dtype=torch.bool)
    marked[torch.arange(len(patches)), :, patches] = True
    return marked


def unread_by_patches(readers: Tensor, patches: Tensor) -> Tensor:
    """Mark the link from one patch to another one of each picture: (B, 16, 16)."""
    marked = torch.zeros(len(patches), ROW * ROW, ROW * ROW, dtype=torch.bool)
    marked[torch.arange(len(patches)), readers, patches] = True
    return marked


def patch_names() -> list[str]:
    """Name the patches by row and column, counted from 1."""
    return [f"{row + 1}.{column + 1}" for row in range(ROW) for column in range(ROW)]


def patch_boxes() -> list[Box]:
    """Say where each patch lies in the picture."""
    return grid(ROW, ROW, over=Box(0, 0, 0, ROW * PATCH, ROW * PATCH))


def _stamps() -> Tensor:
    """Give every shape at the nine places that it may have in its patch: bool (5, 9, 8, 8)."""
    shapes = torch.tensor([[[dot == "#" for dot in row] for row in s.split()] for s in SHAPES])
    places = torch.zeros(len(SHAPES), 9, PATCH, PATCH, dtype=torch.bool)
    for number in range(9):
        top, left = divmod(number, 3)
        places[:, number, top : top + 6, left : left + 6] = shapes
    return places
