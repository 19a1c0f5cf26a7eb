"""A map of contacts shows the map, names residues, and marks those that touch."""

from typing import Any

import numpy as np
import pytest
from torch import nn

from regard.measures.contacts import contact_map
from regard.pictures.contacts import plot_contacts
from regard.record.trace import Trace
from tests.measures.test_contacts import planted
from tests.pictures.drawing import cells, drawn, tick_texts

SEEN, TOUCH = planted(14)


def test_cells_are_the_map_and_what_touches_stands_above_the_diagonal() -> None:
    ax = plot_contacts(SEEN, 1, 2, contacts=TOUCH)
    found = contact_map(SEEN, 1, 2)
    below = np.tril_indices(14)
    assert cells(ax)[below] == pytest.approx(found[below])
    assert np.isnan(cells(ax)[np.triu_indices(14, 1)]).all()
    orange: Any = ax.collections[1].get_array()
    shown = ~np.ma.getmaskarray(orange).reshape(14, 14)
    assert (shown == np.triu(TOUCH, 1)).all()


def test_without_contacts_the_whole_map_is_shown() -> None:
    ax = plot_contacts(SEEN, 1)
    assert cells(ax) == pytest.approx(contact_map(SEEN, 1))
    assert ax.get_title("left").endswith("layer 1, mean of its heads")
    drawn(ax.figure)
    assert tick_texts(ax)[1][:2] == ["01", "12"]  # the tokens 0 and 1, numbered from 1


def test_colours_go_up_to_what_is_far_apart() -> None:
    weights = SEEN.weights(1, 2) + 3 * np.eye(14, k=1, dtype=np.float32)  # neighbours stand out
    seen = Trace.from_weights(weights / weights.sum(axis=1, keepdims=True))
    found = contact_map(seen)
    far = max(found[i, j] for i in range(14) for j in range(i + 6, 14))
    assert far < found.max()
    assert plot_contacts(seen).collections[0].get_clim() == pytest.approx((0, far))
    ax = plot_contacts(SEEN, regression=nn.Linear(6, 1))
    assert ax.collections[0].get_clim() == (0, 1)
    assert ax.get_title("left").endswith("all heads, by regression")
