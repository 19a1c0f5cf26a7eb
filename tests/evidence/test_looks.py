"""Where heads look, against loops that count it by hand; heads that are planted, and noise."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regard
from regard.evidence.looks import Glance, collect_looks
from regard.record.places import Box, Stretch
from regard.record.trace import Trace
from tests.tiny_sights import SEEING, picture

SIDE, ROW = 12, 3  # of a picture of 9 patches, in pixels; and patches in a row
PIXELS = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
PATCHES = regard.grid(ROW, ROW, PIXELS)
HEADS = (2, 3)  # layers and heads


def noise(rng: np.random.Generator, count: int = 1 + ROW**2) -> np.ndarray:
    """Give the weights of heads that know nothing, of a class token and the patches."""
    return rng.dirichlet(np.full(count, 0.5), (*HEADS, count))


def seen_with(weights: np.ndarray) -> Trace:
    return regard.place(Trace.from_weights(weights), [None, *PATCHES], images=PIXELS)


def overlap(one: Box, other: Box) -> float:
    wide = min(one.right, other.right) - max(one.left, other.left)
    high = min(one.bottom, other.bottom) - max(one.top, other.top)
    return max(wide, 0) * max(high, 0)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32),
    st.tuples(*[st.integers(0, SIDE - 1)] * 2, *[st.integers(1, SIDE)] * 2),
    st.integers(0, ROW**2),
)
def test_both_measures_equal_a_count_by_hand(
    seed: int, corner: tuple[int, int, int, int], query: int
) -> None:
    left, top, wide, high = corner
    gold = Box(0, left, top, left + wide, top + high)
    weights = noise(np.random.default_rng(seed))
    looks = collect_looks([seen_with(weights)], [[("it", query, gold)]])
    table = looks.per_head().set_index(["layer", "head"])
    middles = [patch.center for patch in PATCHES]
    centres = [
        n for n, (x, y) in enumerate(middles) if left <= x < left + wide and top <= y < top + high
    ]
    areas = [overlap(patch, gold) for patch in PATCHES]
    right = centres or [n for n, area in enumerate(areas) if area == max(areas)]
    for layer in range(HEADS[0]):
        for head in range(HEADS[1]):
            row = weights[layer, head, query, 1:]
            mass = sum(w * area / 16 for w, area in zip(row, areas, strict=True)) / row.sum()
            found: Any = table.loc[(layer, head)]
            assert found["mass"] == pytest.approx(mass, abs=1e-5)
            assert found["pointing"] == (int(row.argmax()) in right)
            assert found["placed"] == pytest.approx(row.sum(), abs=1e-5)
            assert found["even_mass"] == pytest.approx(sum(areas) / 16 / ROW**2, abs=1e-6)
            assert found["even_pointing"] == pytest.approx(len(right) / ROW**2)


def test_those_that_are_equally_strong_share_the_answer() -> None:
    weights = np.full((10, 10), 0.1)
    weights[1] = np.eye(10)[0]  # the first patch reads the class token alone
    gold = [("it", query, PATCHES[4]) for query in (0, 1)]
    looks = collect_looks([seen_with(weights)], [gold])
    assert looks.own[:, 0].tolist() == pytest.approx(np.array([[1 / 9] * 2, [0, 0]]))


def test_a_mask_says_the_same_as_its_boxes() -> None:
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[2:9, 1:6] = True
    seen = seen_with(noise(np.random.default_rng(0)))
    box = Box(0, 1, 2, 6, 9)
    halves = [Box(0, 1, 2, 4, 9), Box(0, 3, 2, 6, 9)]
    looks = collect_looks([seen], [[("it", 0, gold) for gold in (mask, box, halves, {0: mask})]])
    assert np.allclose(looks.own, looks.own[:1], atol=1e-6)


def test_words_compete_by_the_patches_that_they_read() -> None:
    seeing = SEEING["LLaVA"]()
    photo = picture(90, 60)
    seen = regard.trace("<image> what is it ?", seeing.model.eval(), seeing.processor, images=photo)
    kind, (_, columns) = seen.kinds[0], seen.sides[seen.kinds[0]]
    boxes = {n: place for n, place in enumerate(columns.places or ()) if isinstance(place, Box)}
    at = list(boxes)
    left = Box(0, 0, 0, 45, 60)
    looks = collect_looks([seen], [[("left", "it", left)]])
    weights = seen.weights(1, 0, kind=kind)[seen.tokens.index("it")][at]
    parts = [overlap(box, left) / overlap(box, box) for box in boxes.values()]
    found = looks.per_head().query("layer == 1 and head == 0").iloc[0]
    assert found["placed"] == pytest.approx(weights.sum(), abs=1e-5)
    assert found["mass"] == pytest.approx(weights @ parts / weights.sum(), abs=1e-5)
    assert looks.kind == kind
    tower = collect_looks([seen], [[("left", 0, left)]], kind="vision_tower")
    assert tower.kind == "vision_tower/encoder"


def test_frames_of_a_sound_are_asked_for_seconds() -> None:
    frames = [Stretch(at / 4, at / 4 + 0.25) for at in range(4)]
    seen = Trace.from_weights([[0.1, 0.2, 0.3, 0.4]] * 4)
    seen = regard.place(seen, frames, sound=(np.zeros(1000), 1000))
    gold: list[Glance] = [("word", 0, Stretch(0.5, 0.875)), ("word", 0, [Stretch(0, 0.3)])]
    looks = collect_looks([seen], [gold])
    assert looks.own[:, 0].tolist() == pytest.approx(np.array([[0, 0.5], [0, 0.14]]), abs=1e-6)


def test_the_region_of_the_trace_before_is_laid_on_this_picture() -> None:
    large = np.zeros((2 * SIDE, 3 * SIDE, 3), dtype=np.uint8)
    weights = noise(np.random.default_rng(0))
    one = regard.place(
        Trace.from_weights(weights), [None, *regard.grid(ROW, ROW, large)], images=large
    )
    gold: list[list[Glance]] = [
        [("it", 0, Box(0, 0, 0, 2 * SIDE, SIDE / 2))],
        [("it", 0, PATCHES[8]), ("other", 0, PATCHES[8])],
        [("it", 0, PATCHES[1])],
    ]
    looks = collect_looks([one, seen_with(weights), seen_with(weights)], gold)
    assert np.isnan(looks.other[[0, 2]]).all()  # the first trace, and the first of its name
    same = collect_looks([seen_with(weights)], [[("it", 0, Box(0, 0, 0, SIDE * 2 / 3, SIDE / 4))]])
    assert np.allclose(looks.other[1], same.own[0], atol=1e-6)
    assert np.allclose(looks.other[3], looks.own[1], atol=1e-6)


def test_what_looks_at_one_point_is_tried_at_all_patches() -> None:
    looks = collect_looks([seen_with(noise(np.random.default_rng(0)))], [[("it", 0, PATCHES[5])]])
    points = looks.fixed[0].reshape(16, 16, 2)
    assert points[8, 15].tolist() == [1, 1]  # in the middle of the right edge
    assert points.mean(axis=(0, 1)) == pytest.approx(1 / 9, abs=0.03)


def test_no_trace_is_kept() -> None:
    alive: list[weakref.ref[Trace]] = []
    most = 0

    def traces() -> Iterator[Trace]:
        nonlocal most
        rng = np.random.default_rng(0)
        for _ in range(12):
            gc.collect()
            most = max(most, sum(one() is not None for one in alive))
            seen = seen_with(noise(rng))
            alive.append(weakref.ref(seen))
            yield seen

    collect_looks(traces(), ([("it", 0, PATCHES[n % 9])] for n in range(12)))
    assert most <= 2


SEEN = seen_with(noise(np.random.default_rng(0)))
BARE = Trace.from_weights(np.eye(3))
GOLD: list[Any] = [("it", 0, PATCHES[0])]


@pytest.mark.parametrize(
    ("traces", "gold", "error", "said"),
    [
        (SEEN, [GOLD], TypeError, "traces are one for each sentence"),
        ([SEEN], [("it", 0, PATCHES[0])], ValueError, r"A gold look is \(name, query, region\)"),
        ([SEEN], ["it"], TypeError, "The gold of a trace is a list of looks"),
        ([SEEN] * 2, [GOLD], ValueError, "after 1 there are no more gold"),
        ([SEEN], [GOLD] * 2, ValueError, "after 1 there are no more traces"),
        ([SEEN], [[]], ValueError, "There are no gold looks"),
        (["it"], [GOLD], TypeError, "A trace is expected"),
        ([BARE], [GOLD], ValueError, "picture 0, but the trace has 0 pictures"),
        ([SEEN], [[(3, 0, PATCHES[0])]], TypeError, "The name of a gold look is a text"),
        ([SEEN], [[("it", 10, PATCHES[0])]], ValueError, "There is no query 10"),
        ([SEEN], [[("it", "dog", PATCHES[0])]], ValueError, "but no token is so"),
        ([SEEN, seen_with(np.eye(10))], [GOLD] * 2, ValueError, "trace 1 has other layers or"),
    ],
)
def test_what_cannot_be_asked_is_said(
    traces: Any, gold: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        collect_looks(traces, gold)


def test_keys_without_places_are_told_from_those_with() -> None:
    nowhere = regard.place(SEEN, [None] * 10)
    with pytest.raises(ValueError, match="of encoder none has a place: name another kind="):
        collect_looks([nowhere], [GOLD])


def test_looks_are_in_the_order_of_the_gold() -> None:
    gold: list[Any] = [[("b", 0, PATCHES[0]), ("a", 0, PATCHES[1])], [("b", 1, PATCHES[2])]]
    table = collect_looks([SEEN] * 2, gold).table
    assert table.values.tolist() == [[0, "b"], [0, "a"], [1, "b"]]
