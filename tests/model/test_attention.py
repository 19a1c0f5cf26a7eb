"""What attention computes is what torch computes, over random shapes, masks and dtypes."""

import math
import re
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from regard.model.attention import calculate_attention_weights, multi_head_attention

# the largest difference from torch that each dtype's rounding explains
TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-5, torch.bfloat16: 5e-2}

quietly = settings(max_examples=60, deadline=None, derandomize=True)
lengths = st.integers(1, 7)


class Problem(NamedTuple):
    """Inputs of one attention, and a mask that broadcasts to its weights, or None."""

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Draw (..., T, d_k), (..., S, d_k), (..., S, d_v) and a mask of any shape that broadcasts."""
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    t, s, d_k, d_v = (draw(lengths) for _ in range(4))
    dtype = draw(st.sampled_from(list(TOLERANCES)))
    random = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    query, key, value = (
        torch.randn(*batch, *size, generator=random, dtype=torch.float64).to(dtype)
        for size in ((t, d_k), (s, d_k), (s, d_v))
    )
    if not draw(st.booleans()):
        return Problem(query, key, value, None)
    shape = [draw(st.sampled_from([1, size])) for size in (*batch, t, s)]
    share = draw(st.sampled_from([0.0, 0.3, 0.8]))  # of the edges that are open
    return Problem(query, key, value, torch.rand(shape, generator=random) < share)


@given(problems())
@quietly
def test_output_equals_torch(problem: Problem) -> None:
    ours = calculate_attention_weights(*problem).output
    torchs = F.scaled_dot_product_attention(
        *problem[:3], attn_mask=problem.mask
    ).nan_to_num()  # of a row that may attend nowhere, torch gives NaN or zero by its backend
    tolerance = TOLERANCES[problem.query.dtype]
    assert ours.dtype == problem.query.dtype
    assert_close(ours, torchs, atol=tolerance, rtol=tolerance)


@given(problems())
@quietly
def test_rows_sum_to_one_or_are_zero(problem: Problem) -> None:
    weights = calculate_attention_weights(*problem).weights
    mask = torch.ones(1, 1) > 0 if problem.mask is None else problem.mask
    mask = mask.expand(weights.shape)
    tolerance = TOLERANCES[problem.query.dtype]
    assert_close(weights.sum(-1), mask.any(-1).to(weights.dtype), atol=tolerance, rtol=0)
    assert torch.equal(weights != 0, mask)  # scores this small never underflow


@given(problems())
@quietly
def test_gradients_equal_torch_and_are_finite(problem: Problem) -> None:
    q, k, v = leaves = tuple(x.double().requires_grad_() for x in problem[:3])
    output = calculate_attention_weights(q, k, v, problem.mask).output
    ours = torch.autograd.grad(output.square().sum(), leaves)
    assert all(gradient.isfinite().all() for gradient in ours)
    # rows that may attend nowhere have no say: leave them out of what torch differentiates
    mask = torch.tensor([[True]]) if problem.mask is None else problem.mask
    alive = mask.any(-1, keepdim=True)
    output = F.scaled_dot_product_attention(q, k, v, attn_mask=mask | ~alive)
    torchs = torch.autograd.grad((output * alive).square().sum(), leaves)
    assert_close(ours, torchs, atol=1e-6, rtol=1e-6)


def test_a_row_that_may_attend_nowhere_is_zero() -> None:
    query, key, value = (torch.randn(2, 3, 4, requires_grad=True) for _ in range(3))
    mask = torch.tensor([[True, True, True], [False, False, False], [True, False, True]])
    output, weights = calculate_attention_weights(query, key, value, mask)
    assert torch.equal(weights[:, 1], torch.zeros(2, 3))
    assert torch.equal(output[:, 1], torch.zeros(2, 4))
    (output.sum() + weights.square().sum()).backward()
    assert query.grad is not None
    assert torch.equal(query.grad[:, 1], torch.zeros(2, 4))
    for leaf in (query, key, value):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()


def test_nan_is_not_hidden() -> None:
    x = torch.ones(2, 3)
    output, weights = calculate_attention_weights(x * math.nan, x, x)
    assert output.isnan().all()
    assert weights.isnan().all()
    mask = torch.tensor([[False, False], [True, True]])
    weights = calculate_attention_weights(x * math.nan, x, x, mask).weights
    assert torch.equal(weights[0], torch.zeros(2))
    assert weights[1].isnan().all()


def test_one_head_by_hand() -> None:
    """Scores 0 and log 3 after the division by sqrt(4): weights 1/4 and 3/4."""
    query = torch.tensor([[2.0, 0, 0, 0]])
    key = torch.tensor([[0.0, 1, 0, 0], [math.log(3), 0, 0, 0]])
    value = torch.tensor([[4.0], [8.0]])
    output, weights = calculate_attention_weights(query, key, value)
    assert_close(weights, torch.tensor([[0.25, 0.75]]))
    assert_close(output, torch.tensor([[7.0]]))


class Sizes(NamedTuple):
    """Sizes of a multi-head attention, and how its mask was drawn."""

    batch: int
    heads: int
    d_k: int
    t: int
    s: int
    seed: int
    masked: str


sizes = st.builds(
    Sizes,
    batch=st.integers(1, 3),
    heads=st.integers(1, 4),
    d_k=st.integers(1, 5),
    t=lengths,
    s=lengths,
    seed=st.integers(0, 999),
    masked=st.sampled_from(["nothing", "queries and keys", "keys", "heads"]),
)


def draw_mask(size: Sizes) -> Tensor | None:
    """Give a mask broadcastable to (B, h, T, S) that leaves every row something to attend to."""
    shapes = {
        "queries and keys": (1, 1, size.t, size.s),
        "keys": (size.batch, 1, 1, size.s),
        "heads": (size.batch, size.heads, size.t, size.s),
    }
    if size.masked == "nothing":
        return None
    mask = torch.rand(shapes[size.masked]) < 0.6
    mask[..., 0] = True  # nn.MultiheadAttention gives NaN where a row is dead
    return mask


@given(sizes)
@quietly
def test_multi_head_attention_equals_torch(size: Sizes) -> None:
    torch.manual_seed(size.seed)
    d_model = size.heads * size.d_k
    peer = nn.MultiheadAttention(d_model, size.heads, batch_first=True, dtype=torch.float64)
    nn.init.normal_(peer.in_proj_bias)
    nn.init.normal_(peer.out_proj.bias)
    query = torch.randn(size.batch, size.t, d_model, dtype=torch.float64)
    key, value = torch.randn(2, size.batch, size.s, d_model, dtype=torch.float64)
    mask = draw_mask(size)
    blocked = None
    if mask is not None:  # there, True = may not attend, and batch and heads share an axis
        blocked = ~mask.expand(size.batch, size.heads, size.t, size.s).flatten(0, 1)
    expected = peer(
        query, key, value, attn_mask=blocked, need_weights=True, average_attn_weights=False
    )

    weight, bias = peer.in_proj_weight.chunk(3), peer.in_proj_bias.chunk(3)
    q, k, v = map(F.linear, (query, key, value), weight, bias)
    concatenated, weights = multi_head_attention(q, k, v, size.heads, mask)
    assert_close(peer.out_proj(concatenated), expected[0], atol=1e-6, rtol=1e-6)
    assert_close(weights, expected[1], atol=1e-6, rtol=1e-6)


@given(sizes)
@quietly
def test_every_head_attends_within_its_own_features(size: Sizes) -> None:
    """Feature slices of head i are all that head i reads and writes."""
    torch.manual_seed(size.seed)
    d_model = size.heads * size.d_k
    query = torch.randn(size.batch, size.t, d_model)
    key, value = torch.randn(2, size.batch, size.s, d_model)
    output, weights = multi_head_attention(query, key, value, size.heads)
    assert output.shape == (size.batch, size.t, d_model)
    assert weights.shape == (size.batch, size.heads, size.t, size.s)
    for head in range(size.heads):
        own = slice(head * size.d_k, (head + 1) * size.d_k)
        alone = calculate_attention_weights(query[..., own], key[..., own], value[..., own])
        assert_close(output[..., own], alone.output)
        assert_close(weights[:, head], alone.weights)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((3,), (5, 3), (5, 3)), "takes (..., length, features), but got query (3,)"),
        (((2, 3), (5, 4), (5, 3)), "differ in their last size, d_k: query (2, 3), key (5, 4)"),
        (((2, 3), (5, 3), (4, 3)), "one value for each key, but got query (2, 3), key (5, 3), "),
    ],
)
def test_shapes_that_do_not_fit(shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        calculate_attention_weights(*(torch.zeros(shape) for shape in shapes))


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 4, 3), (3, 5, 3), (3, 5, 3)),
        ((2, 4, 3), (2, 5, 3), (3, 5, 3)),
        ((1, 2, 4, 3), (1, 3, 5, 3), (1, 3, 5, 3)),
    ],
)
def test_batches_or_heads_that_differ(shapes: tuple[tuple[int, ...], ...]) -> None:
    message = f"sizes before the last two must be the same: query {shapes[0]}, key {shapes[1]}, "
    with pytest.raises(ValueError, match=re.escape(message)):
        calculate_attention_weights(*(torch.zeros(shape) for shape in shapes))


def test_one_query_may_read_a_batch_of_keys() -> None:
    query, key, value = torch.randn(4, 3), torch.randn(2, 5, 3), torch.randn(2, 5, 6)
    output = calculate_attention_weights(query, key, value).output
    for i in range(2):
        assert_close(output[i], calculate_attention_weights(query, key[i], value[i]).output)


@pytest.mark.parametrize("shape", [(5,), (4, 5), (4, 1), (2, 1, 1, 5), (1, 1, 1, 5), (2, 3, 4, 5)])
def test_masks_that_broadcast(shape: tuple[int, ...]) -> None:
    query, key, value = (torch.randn(2, 3, length, 6) for length in (4, 5, 5))
    mask = torch.rand(shape) < 0.5
    weights = calculate_attention_weights(query, key, value, mask).weights
    assert torch.equal(weights != 0, mask.expand(2, 3, 4, 5))


@pytest.mark.parametrize(
    "shape",
    [(5, 4), (2, 5), (2, 4, 5), (3, 1, 1, 5), (2, 2, 4, 5), (1, 2, 3, 4, 5), (2, 2, 3, 4, 5)],
)
def test_masks_that_do_not_broadcast(shape: tuple[int, ...]) -> None:
    query, key, value = (torch.randn(2, 3, length, 6) for length in (4, 5, 5))
    message = f"The mask {shape} does not broadcast to the weights (2, 3, 4, 5): give it"
    with pytest.raises(ValueError, match=re.escape(message)):
        calculate_attention_weights(query, key, value, torch.ones(shape) > 0)


@pytest.mark.parametrize(
    "dtypes",
    [
        (torch.float32, torch.float64, torch.float64),
        (torch.float32, torch.float32, torch.bfloat16),
        (torch.int64, torch.int64, torch.int64),
        (torch.bool, torch.bool, torch.bool),
        (torch.complex64, torch.complex64, torch.complex64),
    ],
)
def test_dtypes_that_are_not_one_floating_dtype(dtypes: tuple[torch.dtype, ...]) -> None:
    message = "of one floating dtype, but got {}, {} and {}: convert".format(*dtypes)
    with pytest.raises(TypeError, match=re.escape(message)):
        calculate_attention_weights(*(torch.ones(2, 3, dtype=dtype) for dtype in dtypes))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_a_mask_that_is_not_bool(dtype: torch.dtype) -> None:
    x = torch.zeros(2, 3)
    with pytest.raises(TypeError, match=f"{dtype}, but must be bool.*pass `mask != 0`"):
        calculate_attention_weights(x, x, x, torch.ones(2, 2, dtype=dtype))


@pytest.mark.parametrize("num_heads", [0, -1, 3, 16])
def test_heads_that_do_not_divide_the_features(num_heads: int) -> None:
    x = torch.zeros(1, 2, 8)
    with pytest.raises(ValueError, match=f"8 features cannot be split into {num_heads} heads"):
        multi_head_attention(x, x, x, num_heads)
