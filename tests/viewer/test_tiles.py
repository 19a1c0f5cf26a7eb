"""Maps of heads against the whole matrix, pooled by plain loops."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regard.record.layers import GroupedLayer, Layer, ScoredLayer, WeighedLayer
from regard.record.streams import spans
from regard.viewer import tiles
from regard.viewer.tiles import HeadMap, Part

sizes = st.integers(1, 23)


@st.composite
def layers(draw: st.DrawFn) -> ScoredLayer:
    """Draw a layer with everything that a softmax may hold."""
    queries, keys = draw(sizes), draw(sizes)
    torch.manual_seed(draw(st.integers(0, 99)))
    allowed = torch.rand(1, queries, keys) > 0.4
    return ScoredLayer(
        "decoder",
        torch.randn(2, queries, 4) * 2,
        torch.randn(1, keys, 4),
        None,
        scale=0.5,
        allowed=allowed if draw(st.booleans()) else None,
        bias=torch.randn(2, 1, keys) if draw(st.booleans()) else None,
        is_causal=draw(st.booleans()),
        softcap=2.0 if draw(st.booleans()) else None,
        sinks=torch.tensor([0.5, -1.0]) if draw(st.booleans()) else None,
    )


def pooled_by_loops(weights: np.ndarray[Any, Any], high: int, wide: int) -> np.ndarray[Any, Any]:
    rows, columns = weights.shape
    pooled = np.zeros((high, wide))
    for (row, column), weight in np.ndenumerate(weights):
        at = (row * high // rows, column * wide // columns)
        pooled[at] = max(pooled[at], weight)
    return pooled


@given(layers(), st.data())
def test_a_part_is_the_whole_pooled(layer: ScoredLayer, data: st.DataObject) -> None:
    whole = layer.weigh()[1].numpy()
    rows, columns = whole.shape
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    bottom = data.draw(st.integers(top + 1, rows))
    right = data.draw(st.integers(left + 1, columns))
    high, wide = data.draw(st.integers(1, bottom - top)), data.draw(st.integers(1, right - left))
    for seen in (layer, WeighedLayer("decoder", layer.weigh())):
        tile = HeadMap(seen, 1).tile(Part(top, bottom, left, right), high, wide)
        expected = pooled_by_loops(whole[top:bottom, left:right], high, wide)
        np.testing.assert_allclose(tile, expected, atol=2e-6)


@given(layers(), st.integers(2, 9))
def test_squares_hold_the_largest_weight_near_a_pixel(layer: ScoredLayer, finest: int) -> None:
    """Above, exact; here, only squares: never less than the largest, nor from far away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "MOST_EXACT", 0)
        patch.setattr(tiles, "BLOCK_BYTES", 64)
        seen = HeadMap(layer, 0, finest=finest)
        high, wide = (min(side, 2) for side in seen.pooled.shape)
        tile = seen.tile(seen.whole, high, wide)
    whole = layer.weigh()[0].numpy()
    assert seen.largest == pytest.approx(whole.max(), abs=2e-6)
    assert max(seen.pooled.shape) <= finest
    for (row, column), weight in np.ndenumerate(whole):
        at = (row * high // whole.shape[0], column * wide // whole.shape[1])
        assert tile[at] >= weight - 2e-6
    assert np.isin(tile, seen.pooled).all()  # of squares, and of nothing else


@given(layers())
def test_a_line_is_a_row_or_a_column(layer: ScoredLayer) -> None:
    whole = layer.weigh()[0].numpy()
    seen = HeadMap(layer, 0)
    np.testing.assert_allclose(seen.line(len(whole) - 1, is_query=True), whole[-1], atol=2e-6)
    np.testing.assert_allclose(seen.line(0, is_query=False), whole[:, 0], atol=2e-6)


def test_a_lone_strong_link_survives_every_zoom() -> None:
    weights = torch.full((1, 300, 300), 1e-4)
    weights[0, 211, 17] = 0.9
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "MOST_EXACT", 50)
        seen = HeadMap(WeighedLayer("encoder", weights), 0, finest=40)
        for reach in (300, 60, 12, 2):
            part = Part(max(211 - reach, 0), min(211 + reach, 300), 0, min(17 + reach, 300))
            assert seen.tile(part, 7, 7).max() == pytest.approx(0.9)


def test_a_part_that_is_not_there_is_refused() -> None:
    whole = Part(0, 4, 0, 5)
    assert Part.within(whole, [1, 4, 0, 5]) == Part(1, 4, 0, 5)
    for wrong in ([0, 0, 0, 5], [0, 5, 0, 5], [0, 4, 3, 2], [-1, 4, 0, 5]):
        with pytest.raises(ValueError, match="There is no part"):
            Part.within(whole, wrong)


# which keys a query may read


def spans_by_loops(may_read: Iterable[np.ndarray[Any, Any]]) -> list[list[int]]:
    found = [np.flatnonzero(row) for row in may_read]
    return [[int(at[0]), int(at[-1]) + 1] if len(at) else [0, 0] for at in found]


@given(layers())
def test_spans_are_those_of_the_mask(layer: ScoredLayer) -> None:
    may_read = layer.may_read().any(dim=0).expand(layer.shape[1:]).numpy()
    assert spans(layer).tolist() == spans_by_loops(may_read)


def test_a_weight_that_is_too_small_for_a_float_is_not_masked() -> None:
    query, key = torch.tensor([[[1.0]]]), torch.tensor([[[0.0], [-1e4]]])
    layer = ScoredLayer("cross", query, key, None, scale=1.0)
    assert layer.weigh()[0, 0, 1] == 0
    assert spans(layer).tolist() == [[0, 2]]
    assert math.isfinite(float(layer.score()[0, 0, 1]))


@given(layers())
def test_spans_of_words_hold_what_their_tokens_may_read(layer: ScoredLayer) -> None:
    _, queries, keys = layer.shape
    groups = [[at, at + 1] for at in range(0, queries - 1, 2)]
    kept = [[at] for at in range(1, keys)]
    grouped: Layer = GroupedLayer(layer, groups, kept)
    may_read = layer.may_read().any(dim=0).expand(queries, keys)
    expected = [may_read[group].any(dim=0)[1:].numpy() for group in groups]
    found = spans(grouped).tolist()
    for (first, after), (least, most) in zip(found, spans_by_loops(expected), strict=True):
        assert least == most or first <= least <= most <= after
    if layer.allowed is None:  # no gaps in what may be read
        assert found == spans_by_loops(expected)
