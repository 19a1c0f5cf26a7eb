from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import Colormap, to_rgb
from numpy.typing import NDArray

from regard.pictures import style
from tests.pictures.drawing import HOSTILE


def lightness(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give CIE L*, from 0 (black) to 100 (white), of sRGB colours (N, 3)."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(luminance > 0.008856, 116 * np.cbrt(luminance) - 16, 903.3 * luminance)


def shades(colours: Colormap) -> NDArray[np.float64]:
    return lightness(np.asarray(colours(np.linspace(0, 1, 21)))[:, :3])


def test_weights_darken_evenly_from_blank_paper() -> None:
    shade = shades(style.ATTENTION)
    assert shade[0] == pytest.approx(100, abs=0.1)
    assert shade[-1] < 20
    steps = -np.diff(shade)
    assert steps.min() > 0.6 * steps.mean()
    assert steps.max() < 1.5 * steps.mean()


def test_neighbouring_categories_differ_in_grey() -> None:
    shade = lightness(np.array([to_rgb(colour) for colour in style.CATEGORICAL]))
    assert np.abs(np.diff(shade)).min() > 5
    assert len(style.MARKERS) == len(style.CATEGORICAL)


def rendered(text: str, **options: Any) -> NDArray[np.uint8]:
    figure = plt.figure(figsize=(4, 0.5), layout="none")
    figure.text(0.02, 0.3, text, **options)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba()).copy()  # type: ignore[attr-defined]  # Agg's


@pytest.mark.parametrize("token", HOSTILE)
def test_a_token_is_drawn_character_for_character(token: str) -> None:
    assert (rendered(style.literal(token)) == rendered(token, parse_math=False)).all()


@pytest.mark.parametrize(
    ("token", "written"),
    [("\n", r"\n"), ("\u202eabc", r"\u202eabc"), ("中文", r"\u4e2d\u6587"), ("a\x00", r"a\x00")],
)
def test_what_cannot_be_drawn_is_written_out(token: str, written: str) -> None:
    assert style.literal(token) == written


def test_a_long_token_shows_its_two_ends() -> None:
    shown = style.literal("begin" + "x" * 1000 + "end", 15)
    assert len(shown) <= 15
    assert shown.startswith("begin")
    assert shown.endswith("end")


def luminance(colour: Any) -> float:
    return float(((lightness(np.array([to_rgb(colour)]))[0] + 16) / 116) ** 3)


@pytest.mark.parametrize("weight", np.linspace(0, 1, 21).round(2).tolist())
def test_a_value_is_legible_on_its_colour(weight: float) -> None:
    ink, ground = luminance(style.ink_on(weight)), luminance(style.ATTENTION(weight))
    assert (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) > 3.5
