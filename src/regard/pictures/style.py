"""The look of every picture: colours, type and sizes, set once."""

import matplotlib as mpl
from cycler import cycler
from matplotlib.colors import LinearSegmentedColormap

from regard.pictures.fonts import drawable, families
from regard.pictures.letters import as_drawn, fitting

PAPER = "#ffffff"
INK = "#222222"
QUIET = "#6b6b6b"  # what is said beside: reference lines and their names
FAINT = "#d9d9d9"

# From paper to ink, each step as much darker as the last, so that it survives colour blindness and
# a grey printer: a weight of zero is blank. Tests measure it.
ATTENTION = LinearSegmentedColormap.from_list(
    "attention", ["#ffffff", "#c6e6de", "#76c3c0", "#3f98ae", "#366e9c", "#3d4579", "#2b1e3e"]
)
# Less and more: told apart by hue for most, and by the sides of the scale in grey.
DIFFERENCE = LinearSegmentedColormap.from_list(
    "difference", ["#7a3200", "#d55e00", "#f4b183", "#ffffff", "#a9c7dc", "#0072b2", "#00344f"]
)
ALARM = LinearSegmentedColormap.from_list("alarm", ["#f4b183", "#d55e00", "#7a3200"])

# Okabe and Ito (2008), "Color Universal Design": told apart by all, and neighbours also in grey.
CATEGORICAL = ("#0072b2", "#e69f00", "#009e73", "#56b4e9", "#d55e00", "#cc79a7")
BLUE = CATEGORICAL[0]
PALE_BLUE = "#a9c7dc"
MARKERS = ("o", "s", "D", "^", "v", "P")

LABEL_POINTS = 9.0  # the type of words beside a picture
SMALL_POINTS = 7.0  # where there are many
LONGEST_LABEL = 30  # characters; a longer token is shown by its two ends


def use_style() -> None:
    """Set matplotlib's defaults: call it once, before drawing.

    Pictures stand on opaque paper, so that they read the same on a dark theme, and are laid out so
    that no label is cut off. Letters that matplotlib's own font lacks, as it does Chinese,
    Japanese, Korean, Thai and Devanagari, are drawn in a font that the machine has, if it has any;
    else `literal` writes them by their numbers.

    Examples
    --------
    >>> with mpl.rc_context():
    ...     use_style()
    ...     mpl.rcParams["axes.spines.top"]
    False
    """
    mpl.rcParams.update(
        {
            "figure.dpi": 110,
            "font.family": families(),
            "figure.facecolor": PAPER,
            "savefig.facecolor": PAPER,
            "figure.constrained_layout.use": True,
            "axes.facecolor": PAPER,
            "axes.edgecolor": QUIET,
            "axes.labelcolor": INK,
            "axes.labelsize": LABEL_POINTS,
            "axes.prop_cycle": cycler(color=CATEGORICAL),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 10.5,
            "font.size": LABEL_POINTS,
            "legend.frameon": False,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )


def ink_on(weight: float) -> str:
    """Choose the ink that is legible on the colour of an attention weight.

    Examples
    --------
    >>> ink_on(0.1) == INK, ink_on(0.9) == PAPER
    (True, True)
    """
    return PAPER if weight > 0.55 else INK


def literal(text: str, longest: int | None = None) -> str:
    r"""Write a text so that matplotlib shows its characters and nothing else.

    A dollar sign starts no formula; what no font here can draw is written as Python writes it. More
    than `longest` characters are shown by the two ends, of whole letters.

    Examples
    --------
    >>> print(literal("the"), literal("$x$"), literal("a\n"), literal("antidisestablished", 9))
    the \$x\$ a\n anti…shed
    """
    letters = as_drawn(text, drawable(text))
    if longest is not None and sum(map(len, letters)) > longest:
        half = (longest - 1) // 2
        start, end = fitting(letters, half), fitting(letters[::-1], half)[::-1]
        letters = [*start, "…", *end]
    return "".join(letters).replace("$", r"\$")
