"""A layer in windows, beside the matrix of blocks that it stands for."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from regard.measures.anatomy import dissect
from regard.record.layers import Recorder, ScoredLayer, WeighedLayer
from regard.record.streams import spans
from regard.record.trace import Trace
from regard.record.windows import WindowedLayer
from regard.record.words import Side

W, H, N, M, D = 5, 3, 4, 6, 8


def scored(*, is_causal: bool = False) -> WindowedLayer:
    torch.manual_seed(0)
    shared = torch.randn(H, N, M)
    return WindowedLayer(
        [
            ScoredLayer(
                "encoder", torch.randn(H, N, D), torch.randn(H, M, D), torch.randn(H, M, D),
                D**-0.5, bias=shared, is_causal=is_causal,
            )
            for _ in range(W)
        ]
    )  # fmt: skip


def weighed() -> WindowedLayer:
    torch.manual_seed(0)
    return WindowedLayer(
        [WeighedLayer("encoder", torch.rand(H, N, M).softmax(-1)) for _ in range(W)]
    )


def whole(layer: WindowedLayer) -> Tensor:
    """Build the matrix of blocks, head by head."""
    blocks = [window.weigh() for window in layer.windows]
    return torch.stack([torch.block_diag(*(block[head] for block in blocks)) for head in range(H)])


LAYERS = [scored(), scored(is_causal=True), weighed()]


@pytest.mark.parametrize("layer", LAYERS)
def test_it_is_the_matrix_of_blocks(layer: WindowedLayer) -> None:
    expected = whole(layer)
    assert layer.shape == tuple(expected.shape)
    assert_close(layer.weigh(), expected)
    for start in range(W * N):
        for stop in range(start, W * N + 1):
            part = layer.weigh(slice(1, 3), slice(start, stop))
            assert_close(part, expected[1:3, start:stop])


@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_outside_of_a_window_is_masked(layer: WindowedLayer) -> None:
    reads = whole(layer).sum(0) > 0
    first = reads.int().argmax(-1)
    after = reads.size(-1) - reads.flip(-1).int().argmax(-1)
    assert torch.equal(spans(layer), torch.stack([first, after], 1))


def test_a_query_that_reads_nothing_has_no_span() -> None:
    silent = torch.ones(1, N, N)
    silent[0, 2] = 0
    layer = WindowedLayer([WeighedLayer("encoder", silent)] * 2)
    assert spans(layer).tolist()[N + 2] == [0, 0]


def test_rows_and_columns_are_named() -> None:
    layer = scored()
    assert (layer.names[N], layer.names[-1]) == ("1.0", "4.3")
    assert (layer.key_names[M], layer.key_names[-1]) == ("1.0", "4.5")
    assert (len(layer.names), len(layer.key_names)) == (W * N, W * M)


def test_its_vectors_are_those_of_all_windows() -> None:
    layer = scored()
    query, key, value = layer.query, layer.key, layer.value
    assert query is not None
    assert key is not None
    assert value is not None
    assert query.shape == (H, W * N, D)
    assert key.shape == value.shape == (H, W * M, D)
    assert torch.equal(value[:, M : 2 * M], torch.as_tensor(layer.windows[1].value))  # type: ignore[union-attr]
    assert weighed().query is None


def test_values_go_where_nobody_wants_them() -> None:
    recorder = Recorder(values=False)
    recorder.add(scored(), 0)
    recorder.add(weighed(), 1)
    kept = recorder.layers["encoder"]
    assert kept[0].value is None  # type: ignore[attr-defined]
    assert_close(kept[0].weigh(), scored().weigh())
    assert_close(kept[1].weigh(), weighed().weigh())


def trace_of(layer: WindowedLayer) -> Trace:
    names = Side.of_names(layer.names)
    return Trace(names, Side(), [], {"encoder": {0: layer}}, {"encoder": 1})


def test_its_rows_and_columns_are_called_by_window_and_place() -> None:
    layer = weighed()
    rows, columns = replace(trace_of(layer), source=Side.of_names(["a"])).labels(0)
    assert (rows, columns) == (layer.names, layer.key_names)


@pytest.mark.parametrize("layer", LAYERS)
def test_it_is_saved(layer: WindowedLayer, tmp_path: Path) -> None:
    trace_of(layer).save(tmp_path / "x.trace")
    again = Trace.load(tmp_path / "x.trace").layer(0)
    assert isinstance(again, WindowedLayer)
    assert torch.equal(again.weigh(), layer.weigh())


def test_what_windows_share_is_saved_once(tmp_path: Path) -> None:
    trace_of(scored()).save(tmp_path / "x.trace")
    numbers = W * (H * N * D + H * M * D) + H * N * M
    assert (tmp_path / "x.trace").stat().st_size < 4 * numbers + 8000


def test_a_weight_is_taken_apart_in_its_window() -> None:
    layer = square()
    names = Side.of_names(layer.names)
    seen = Trace(names, Side(), [], {"encoder": {0: layer}}, {"encoder": 1})
    found = dissect(seen, layer=0, head=1, query=N + 2, key=N)
    assert found.weight == pytest.approx(float(layer.weigh()[1, N + 2, N]), abs=1e-6)
    assert str(found).startswith("1.2 reads 1.0: ")
    with pytest.raises(ValueError, match=r"Query 1\.2 is in window 1, and key 0\.1 in window 0"):
        dissect(seen, layer=0, head=1, query=N + 2, key=1)


def square() -> WindowedLayer:
    torch.manual_seed(0)
    states = torch.randn(W, 3, H, N, D)
    return WindowedLayer([ScoredLayer("encoder", q, k, v, D**-0.5) for q, k, v in states])
