"""The small Transformer that is asked about pictures."""

import pytest
import torch

import regard
from regard.lessons.scenes import (
    PATCH,
    QUESTION_IDS,
    ROW,
    draw_scenes,
    patch_boxes,
    patch_names,
    unread_by_words,
)
from regard.lessons.seer import Seer, train_seer


@pytest.fixture
def model() -> Seer:
    torch.manual_seed(0)
    return Seer().eval()


def test_a_patchs_vector_is_of_the_pixels_of_its_box(model: Seer) -> None:
    """Without an encoder, a change within a box changes that patch's vector and no other."""
    alone = Seer(encoder_layers=0).eval()
    pixels = draw_scenes(1, torch.Generator().manual_seed(0)).pixels
    before = alone.look(pixels)[0]
    for number, box in enumerate(patch_boxes()):
        marked = pixels.clone()
        marked[0, int(box.top) + PATCH // 2, int(box.right) - 1] = 0
        changed = (alone.look(marked)[0] - before).abs().amax(1) > 1e-6
        assert changed.nonzero().flatten().tolist() == [number]
    marked = pixels.clone()
    marked[0, 0, 0] = 0
    assert ((model.look(marked) - model.look(pixels)).abs().amax(2) > 0).sum() > 1


def test_its_heads_are_seen_by_their_kinds_and_are_those_that_answer(model: Seer) -> None:
    scenes = draw_scenes(2, torch.Generator().manual_seed(0))
    inputs = scenes.pixels[:1], QUESTION_IDS[:1]
    words = ["colour", "of", "the", "circle", "?"]
    seen = regard.trace(inputs, model, tokens=patch_names(), target_tokens=words)
    assert seen.kinds == ("encoder", "decoder", "cross")
    assert [len(seen.layers[kind]) for kind in seen.kinds] == [2, 1, 1]
    assert seen.weights(0, 3, kind="cross").shape == (len(words), ROW * ROW)
    layer, patches = model.decoder, model.look(inputs[0])
    x = model.word(inputs[1]) + model.position
    normed = layer.norm_own(x)
    x = layer.norm_other(x + layer.own(normed, normed, is_causal=True))
    other = layer.other
    assert other is not None
    q, k = (
        part[0].unflatten(-1, (4, -1)).transpose(0, 1)
        for part in (other.query(x), other.key(patches))
    )
    by_hand = (q @ k.mT / q.size(-1) ** 0.5).softmax(-1)
    assert torch.allclose(torch.tensor(seen.weights(0, kind="cross")), by_hand, atol=1e-5)


def test_words_before_the_last_cannot_answer(model: Seer) -> None:
    scenes = draw_scenes(4, torch.Generator().manual_seed(0))
    whole = unread_by_words(torch.tensor([0, 1, 2, 3])).any(0, keepdim=True).expand(4, -1, -1)
    before = torch.ones_like(whole)
    before[:, -1] = False
    inputs = scenes.pixels, QUESTION_IDS[:4]
    with torch.no_grad():
        told = model(*inputs)
        with regard.block(model, before, kind="cross"):
            assert torch.equal(model(*inputs), told)
        with regard.block(model, whole, kind="cross"):
            assert not torch.allclose(model(*inputs), told)


def test_training_is_the_same_for_the_same_seed_and_is_watched() -> None:
    models, steps = [], list[int]()
    for watch in (None, steps.append):
        torch.manual_seed(1)
        models.append(Seer())
        train_seer(models[-1], 3, seed=1, watch=watch)
    assert steps == [0, 1, 2]
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(one, other)
