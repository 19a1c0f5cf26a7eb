"""The architecture: its boxes stand in order, and no name leaves its box."""

from typing import Any

import pytest

from regard.pictures.architecture import WIDTH, plot_architecture


def test_boxes_stand_from_the_words_up_and_hold_their_names() -> None:
    ax: Any = plot_architecture(num_layers=3)
    ax.figure.draw_without_rendering()
    boxes = [patch for patch in ax.patches if patch.get_width() == WIDTH]
    named = {text.get_text(): text for text in ax.texts if text.get_text()}
    order = ["target words so far", "+ positions", "masked self-attention", "cross-attention"]
    heights = [named[name].xy[1] for name in order]
    assert heights == sorted(heights)
    for box in boxes:
        inside = box.get_window_extent()
        names = [t for t in ax.texts if t.get_text() and box.contains_point(_middle(t))]
        assert len(names) == 1
        assert names[0].get_window_extent().width < inside.width


def _middle(text: Any) -> tuple[float, float]:
    extent = text.get_window_extent()
    return (extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2


def test_layers_are_counted_beside() -> None:
    texts = [text.get_text() for text in plot_architecture(num_layers=12).texts]
    assert texts.count("12 x") == 2
    with pytest.raises(ValueError, match="at least one layer a side, but got 0"):
        plot_architecture(0)
