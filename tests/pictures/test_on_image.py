"""What is drawn over a picture: the weights that the trace has, where their tokens lie."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle

import regard
from regard.measures.rollout import rollout
from regard.pictures.on_image import draw_on_image
from regard.record.places import Box, Media, Place
from regard.record.trace import Trace
from tests.tiny_sights import SEEING, picture

WEIGHTS = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.25] * 4, [0.0, 0.0, 0.0, 1.0]])


def seen_picture() -> Trace:
    """Give a trace of a class token and three patches side by side."""
    seen = Trace.from_weights(WEIGHTS, tokens=["[CLS]", "left", "middle", "right"])
    places: list[Place | None] = [
        None,
        *(Box(0, 10.0 * n, 0.0, 10.0 * n + 10, 20.0) for n in range(3)),
    ]
    media = Media((np.zeros((20, 30, 3), dtype=np.uint8),))
    return replace(seen, source=replace(seen.source, places=places), media=media)


def test_each_patch_has_its_weight() -> None:
    ax = regard.plot_on_image(seen_picture(), 0, 0, "[CLS]")
    grey, over = ax.get_images()
    assert np.asarray(grey.get_array()).shape == (20, 30)
    drawn = np.asarray(over.get_array())[:, [5, 15, 25]]
    assert drawn == pytest.approx(np.tile(WEIGHTS[0, 1:], (20, 1)), abs=1e-6)
    assert over.get_clim() == pytest.approx((0, 0.4))
    assert ax.get_title("left").startswith("[CLS] reads: 0.9 of its attention in the picture")


def test_a_rollout_is_drawn_but_for_tokens_that_lie_nowhere() -> None:
    seen = replace(seen_picture(), layers=Trace.from_weights([[WEIGHTS], [WEIGHTS]]).layers)
    seen = replace(seen, counts={"encoder": 2})
    ax = regard.plot_rollout_on_image(seen, "[CLS]")
    through = 0.5 * WEIGHTS + 0.5 * np.eye(4)
    flow = (through @ through)[0]
    drawn = np.asarray(ax.get_images()[1].get_array())[0, [5, 15, 25]]
    assert drawn == pytest.approx(flow[1:], abs=1e-6)
    assert ax.get_title("left").split("\n") == [
        f"[CLS] at the end: {1 - flow[0]:.3g} of it comes from the picture",
        f"{flow[0]:.3g}, from other tokens, is left out",
        "rollout, encoder self-attention, 2 layers",
    ]


def test_a_rollout_through_registers_leaves_them_out() -> None:
    seeing = SEEING["DINOv2 with registers"]()
    seen = regard.trace(picture(64, 64), seeing.model.eval(), seeing.processor)
    flow = rollout(seen)[0]
    nowhere = [at for at, place in enumerate(seen.source.places or ()) if place is None]
    assert len(nowhere) > 1
    title = regard.plot_rollout_on_image(seen, 0).get_title("left")
    assert f"{flow[nowhere].sum():.3g}, from other tokens" in title


def test_the_patch_that_reads_is_outlined() -> None:
    ax = regard.plot_on_image(seen_picture(), 0, 0, 2)
    (mark,) = [one for one in ax.patches if isinstance(one, Rectangle)]
    assert (mark.get_xy(), mark.get_width(), mark.get_height()) == ((10, 0), 10, 20)


def test_what_lies_in_two_boxes_is_summed() -> None:
    whole, half = Box(0, 0, 0, 4, 4), Box(0, 0, 0, 2, 4)
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    drawn = draw_on_image(pixels, [whole, half], np.array([0.25, 0.5]), plt.figure().subplots())
    assert np.asarray(drawn.get_array())[0].tolist() == [0.75, 0.75, 0.25, 0.25]


def test_many_words_and_heads_share_a_scale() -> None:
    seeing = SEEING["LLaVA"]()
    text = "<image> what is it ?"
    seen = regard.trace(text, seeing.model.eval(), seeing.processor, images=picture(90, 60))
    words = regard.plot_words_on_image(seen, 0, None, ["what", "is", "it"])
    assert [ax.get_title("left") for ax in words] == ["what", "is", "it"]
    heads = regard.plot_heads_on_image(seen, 0, "it")
    assert len(heads) == 2
    for axes in (words, heads):
        assert len({ax.get_images()[1].get_clim() for ax in axes}) == 1


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        ({"query": "no such"}, "but no token is so"),
        ({"query": 9}, "There is no query 9"),
        ({"query": 0, "picture": 1}, "There is no picture 1"),
        ({"query": 0, "head": 3}, "There is no head 3"),
    ],
)
def test_what_is_not_there_is_said(ask: dict[str, object], said: str) -> None:
    given = {"layer": 0, "head": 0, **ask}
    with pytest.raises(ValueError, match=said):
        regard.plot_on_image(seen_picture(), **given)  # type: ignore[arg-type]  # wrong on purpose


def test_without_a_picture_it_says_how_to_get_one() -> None:
    seen = Trace.from_weights([[1.0]], tokens=["dog"])
    with pytest.raises(ValueError, match="has no picture: trace one with its processor"):
        regard.plot_on_image(seen, 0, 0, 0)


def test_tokens_without_places_are_told_from_those_with() -> None:
    seeing = SEEING["LLaVA"]()
    seen = regard.trace("<image> what", seeing.model.eval(), seeing.processor, images=picture(9, 9))
    nowhere = replace(
        seen, sides={kind: (s[0], replace(s[1], places=None)) for kind, s in seen.sides.items()}
    )
    with pytest.raises(ValueError, match=r"these kinds have places: \[\]"):
        regard.plot_on_image(nowhere, 0, 0, "what")


def test_a_box_that_is_partly_outside_is_drawn_where_it_is_inside() -> None:
    seen = seen_picture()
    places: list[Place | None] = [
        None,
        Box(0, -10.0, -5.0, 10.0, 20.0),
        Box(0, 10.0, 0.0, 20.0, 20.0),
        Box(0, 29.8, 0.0, 40.0, 25.0),
    ]
    seen = replace(seen, source=replace(seen.source, places=places))
    _, over = regard.plot_on_image(seen, 0, 0, "[CLS]").get_images()
    drawn = np.asarray(over.get_array())
    assert drawn[:, [0, 5, 15, 29]] == pytest.approx(
        np.tile(WEIGHTS[0, [1, 1, 2, 3]], (20, 1)), abs=1e-6
    )
