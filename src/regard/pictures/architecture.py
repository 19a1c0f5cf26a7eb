"""The architecture as a picture: what feeds what, in an encoder-decoder Transformer."""

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from regard.pictures.axes import new_axes
from regard.pictures.given import given_axes
from regard.pictures.style import CATEGORICAL, INK, QUIET
from regard.record.door import whole_number

WIDTH, HEIGHT, GAP = 3.4, 0.62, 0.34
READS_SOURCE, READS_TARGET, READS_BOTH, THINKS = (
    "self-attention",
    "masked self-attention",
    "cross-attention",
    "feed-forward",
)
LEFT, RIGHT = 0.0, 5.6  # of the encoder and the decoder
Place = tuple[float, float]


def plot_architecture(num_layers: int = 2, *, ax: Axes | None = None) -> Axes:
    """Draw the encoder and the decoder of the paper, from the words up to what is written.

    Parameters
    ----------
    num_layers
        How many layers each side has; they are drawn once, and counted beside.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes
        Boxes from bottom to top, and arrows for what is handed on.

    Raises
    ------
    TypeError
        If the number is no whole number.
    ValueError
        If there is no layer.

    Notes
    -----
    Vaswani et al. (2017), figure 1, with the normalisation before each sub-layer.

    Examples
    --------
    >>> ax = plot_architecture(num_layers=6)
    >>> [text.get_text() for text in ax.texts if "x" in text.get_text()]
    ['next word', '6 x', '6 x']
    """
    if whole_number("num_layers", num_layers) < 1:
        raise ValueError(f"A Transformer has at least one layer a side, but got {num_layers}.")
    ax = given_axes(ax) or new_axes(8.6, 4.4)
    reading = _tower(ax, LEFT, ["source words", "+ positions", READS_SOURCE, THINKS])
    writing = _tower(
        ax,
        RIGHT,
        [
            "target words so far",
            "+ positions",
            READS_TARGET,
            READS_BOTH,
            THINKS,
            "next word",
        ],
    )
    _frame(ax, reading[2:], "encoder", num_layers)
    _frame(ax, writing[2:5], "decoder", num_layers)
    _hand_over(ax, reading[-1], writing[3])
    ax.set_xlim(LEFT - 1.2, RIGHT + WIDTH + 1.2)
    ax.set_ylim(-0.4, writing[-1][1] + HEIGHT + 0.4)
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def _tower(ax: Axes, left: float, names: list[str]) -> list[Place]:
    """Put boxes above each other, each fed by the one below; give their lower left corners."""
    corners = [(left, level * (HEIGHT + GAP)) for level in range(len(names))]
    for name, corner in zip(names, corners, strict=True):
        _box(ax, corner, name)
    for (x, y), (_, above) in pairwise(corners):
        _arrow(ax, (x + WIDTH / 2, y + HEIGHT), (x + WIDTH / 2, above))
    return corners


def _box(ax: Axes, corner: Place, name: str) -> None:
    attends = "attention" in name
    colour = CATEGORICAL[0] if attends else "none"
    edge = QUIET if name != THINKS else INK
    ax.add_patch(
        FancyBboxPatch(
            corner,
            WIDTH,
            HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=colour,
            edgecolor=edge,
            alpha=0.85 if attends else 1,
        )
    )
    middle = (corner[0] + WIDTH / 2, corner[1] + HEIGHT / 2)
    ink = "white" if attends else INK
    ax.annotate(name, middle, ha="center", va="center", color=ink)


def _frame(ax: Axes, corners: list[Place], name: str, num_layers: int) -> None:
    """Put a dashed frame around a layer, and say how many of it there are."""
    (left, low), (_, high) = corners[0], corners[-1]
    ax.add_patch(
        FancyBboxPatch(
            (left - 0.16, low - 0.14),
            WIDTH + 0.32,
            high + HEIGHT - low + 0.28,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor="none",
            edgecolor=QUIET,
            linestyle="--",
        )
    )
    beside = left - 0.3 if left == LEFT else left + WIDTH + 0.3
    where = "right" if left == LEFT else "left"
    ax.annotate(f"{num_layers} x", (beside, low + 0.2), ha=where, color=QUIET)
    ax.annotate(name, (beside, high + HEIGHT - 0.3), ha=where, color=QUIET)


def _hand_over(ax: Axes, source: Place, target: Place) -> None:
    """Let the decoder read what the encoder made: keys and values."""
    start = (source[0] + WIDTH, source[1] + HEIGHT / 2)
    end = (target[0] - 0.02, target[1] + HEIGHT / 2)
    _arrow(ax, start, end)
    ax.annotate(
        "keys and values", ((start[0] + end[0]) / 2, start[1] + 0.16), ha="center", color=QUIET
    )


def _arrow(ax: Axes, start: Place, end: Place) -> None:
    ax.annotate("", end, xytext=start, arrowprops={"arrowstyle": "->", "color": INK})
