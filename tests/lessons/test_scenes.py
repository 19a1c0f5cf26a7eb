"""Drawn scenes: the answer key is held against the pixels themselves."""

import pytest
import torch

from regard.lessons.scenes import (
    COLOURS,
    GROUND,
    KINDS,
    PATCH,
    QUESTION_IDS,
    QUESTIONS,
    ROW,
    SHAPES,
    WORDS,
    Scenes,
    draw_scenes,
    painted_over,
    patch_boxes,
    patch_names,
    unread_by_patches,
    unread_by_words,
)


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return draw_scenes(40, torch.Generator().manual_seed(0))


def cut_out(scenes: Scenes, number: int, patch: int) -> torch.Tensor:
    """Cut a patch out by its box: float (8, 8, 3)."""
    box = patch_boxes()[patch]
    rows, columns = slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right))
    return scenes.pixels[number, rows, columns].float()


def is_ink(patch: torch.Tensor) -> torch.Tensor:
    """Say which pixels are nearer to some colour than to the ground: (8, 8)."""
    paints = torch.tensor([(GROUND,) * 3, *COLOURS.values()]).float()
    return (patch[:, :, None] - paints).square().sum(-1).argmin(-1) > 0


def test_the_answer_is_the_colour_of_the_pixels_in_the_gold_patch(scenes: Scenes) -> None:
    paints = torch.tensor(list(COLOURS.values())).float()
    for number in range(40):
        for question in range(len(QUESTIONS)):
            patch = cut_out(scenes, number, int(scenes.gold[number, question]))
            mean = patch[is_ink(patch)].mean(0)
            assert (mean - paints).norm(dim=1).argmin() == scenes.answers[number, question]


def test_the_named_shape_is_drawn_where_the_key_says(scenes: Scenes) -> None:
    for number in range(40):
        for kind, shape in enumerate(SHAPES[: len(KINDS)]):
            ink = is_ink(cut_out(scenes, number, int(scenes.shapes[number, kind])))
            assert int(ink.sum()) == shape.count("#")
            rows = ["".join(".#"[pixel] for pixel in row) for row in ink.int().tolist()]
            lines = [row for row in rows if "#" in row]
            left = min(line.index("#") for line in lines)
            assert " ".join(line[left : left + 6] for line in lines) == shape


def test_what_lies_below_is_one_row_below_and_in_the_picture(scenes: Scenes) -> None:
    of, below = scenes.gold.chunk(2, dim=1)
    assert torch.equal(below - of, torch.full_like(of, ROW))
    assert below.max() < ROW * ROW
    assert torch.equal(scenes.asked, of.repeat(1, 2))
    assert all(len(set(row.tolist())) == len(KINDS) for row in scenes.shapes)


def test_questions_are_their_words() -> None:
    assert [" ".join(WORDS[i] for i in ids) for ids in QUESTION_IDS.tolist()] == QUESTIONS


def test_a_patch_that_is_painted_over_is_ground_and_nothing_else_changes(scenes: Scenes) -> None:
    gold = scenes.gold[:, 5]
    covered = scenes._replace(pixels=painted_over(scenes.pixels, gold))
    for number in range(40):
        for patch in range(ROW * ROW):
            was, now = (cut_out(some, number, patch) for some in (scenes, covered))
            if patch == gold[number]:
                assert (now == GROUND).all()
            else:
                assert torch.equal(was, now)


def test_links_are_marked() -> None:
    words = unread_by_words(torch.tensor([3, 7]))
    assert words.nonzero().tolist() == [[i, t, p] for i, p in enumerate((3, 7)) for t in range(5)]
    patches = unread_by_patches(torch.tensor([9, 4]), torch.tensor([5, 0]))
    assert patches.nonzero().tolist() == [[0, 9, 5], [1, 4, 0]]


def test_patches_are_named_row_by_row_as_their_boxes_lie() -> None:
    for name, box in zip(patch_names(), patch_boxes(), strict=True):
        row, column = map(int, name.split("."))
        assert (box.top, box.left) == ((row - 1) * PATCH, (column - 1) * PATCH)
