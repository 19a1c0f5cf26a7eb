"""Who may attend to whom, against torch's masks and against plain loops."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from regard.model.masks import create_masks, mask_future_tokens

quietly = settings(max_examples=40, deadline=None, derandomize=True)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Draw token ids (B, S) and (B, T) with padding, id 0, anywhere."""
    batch, s, t = (draw(st.integers(1, 4)) for _ in range(3))
    token = st.integers(0, 3)
    rows = [
        draw(st.lists(st.lists(token, min_size=n, max_size=n), min_size=batch, max_size=batch))
        for n in (s, t)
    ]
    return torch.tensor(rows[0]), torch.tensor(rows[1])


@pytest.mark.parametrize("length", [1, 2, 7])
def test_the_future_is_what_torch_says(length: int) -> None:
    blocked = nn.Transformer.generate_square_subsequent_mask(length)  # -inf where it may not
    ids = torch.ones(3, length, dtype=torch.int64)
    for batch in (ids, torch.zeros(3, length, 5)):
        mask = mask_future_tokens(batch)
        assert mask.dtype == torch.bool
        assert torch.equal(mask, blocked == 0)


@given(batches(), st.integers(0, 3))
@quietly
def test_masks_word_by_word(batch: tuple[Tensor, Tensor], pad_id: int) -> None:
    src, tgt = batch
    masks = create_masks(src, tgt, pad_id=pad_id)
    assert masks.source.shape == (len(src), 1, 1, src.size(1))
    assert masks.target.shape == (len(tgt), 1, tgt.size(1), tgt.size(1))
    for b in range(len(src)):
        for s in range(src.size(1)):
            assert bool(masks.source[b, 0, 0, s]) == (int(src[b, s]) != pad_id)
        for reader in range(tgt.size(1)):
            for read in range(tgt.size(1)):
                allowed = read <= reader and int(tgt[b, read]) != pad_id
                assert bool(masks.target[b, 0, reader, read]) == allowed


def test_padding_is_id_0_unless_told() -> None:
    masks = create_masks(torch.tensor([[5, 0]]), torch.tensor([[0, 1]]))
    assert masks.source.flatten().tolist() == [True, False]
    assert masks.target.flatten().tolist() == [False, False, False, True]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4, 5)])
def test_a_batch_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"(B, T, d), but got {shape}.")):
        mask_future_tokens(torch.zeros(shape))


@pytest.mark.parametrize(("src", "tgt"), [((3,), (1, 3)), ((1, 3), (1, 3, 2)), ((1, 3), (2, 3))])
def test_batches_that_do_not_fit(src: tuple[int, ...], tgt: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"of one batch, but got {src} and {tgt}.")):
        create_masks(torch.zeros(src), torch.zeros(tgt))
