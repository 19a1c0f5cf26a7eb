from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from regard.pictures import style


@pytest.fixture(autouse=True)
def _style_and_no_figure_left() -> Iterator[None]:
    with mpl.rc_context():
        style.use_style()
        yield
    plt.close("all")


@pytest.fixture(autouse=True)
def _nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("a plot called show"))
