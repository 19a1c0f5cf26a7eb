"""A view as a file: a page, a picture for a paper, a table, or lines of text."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regard.pictures.difference import plot_changes
from regard.pictures.fonts import letters_stay
from regard.pictures.head import plot_attention, plot_heatmap
from regard.pictures.style import use_style
from regard.pictures.text import as_text
from regard.record import door
from regard.record.kinds import Head
from regard.record.spreadsheet import write_csv
from regard.record.trace import Trace
from regard.record.whole import whole_file, write_whole
from regard.viewer.opening import Opening
from regard.viewer.page import ALL, LARGEST_PAGE, Choice, check_size, one_line, page_of
from regard.viewer.seen import Matrix, is_plain, looked_at, seen_of

MANY_CELLS = 500  # from here on, a picture with a path for each is large; words stay words
PICTURES = (".svg", ".pdf", ".png")
SUFFIXES = (".html", *PICTURES, ".csv", ".txt")


def save(
    path: str | Path,
    trace: Trace,
    opening: Opening,
    choice: Choice = ALL,
    *,
    largest: int = LARGEST_PAGE,
) -> None:
    """Write a page, or a picture, a table or lines of text of what is seen, as the path ends.

    Raises
    ------
    TypeError
        If the path is none, or a number no whole number.
    ValueError
        If the ending is another, there is no such head, a choice is made for what is no page,
        several heads as one are to be lines of text, or the page is larger than `largest` bytes,
        which is said before all weights are computed.
    """
    file = door.path("The file of a view", path)
    suffix = checked_suffix(file, choice)
    page = ""
    if suffix == ".html":
        check_size(trace, choice, door.whole_number("largest", largest))
        page = page_of(trace, opening, choice, largest=largest)
    file.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".html":
        write_whole(file, page)
    elif suffix == ".csv":
        write_csv(file, table_of(trace, opening))
    elif suffix == ".txt":
        write_whole(file, lines_of(trace, opening) + "\n")
    else:
        write_picture(file, trace, opening)


def table_of(trace: Trace, opening: Opening) -> pd.DataFrame:
    """Give what is seen, one weight a row."""
    head, look = opening.head, opening.look
    if is_plain(look):
        return tidy(looked_at(trace, words=look["words"], hide=look["hide"]), head)
    seen = seen_of(trace, head, look)
    return one_a_row(seen.weights, seen.queries, seen.keys, {"of": seen.title})


def lines_of(trace: Trace, opening: Opening) -> str:
    """Write the head that is seen as lines of text."""
    kind, layer, head = opening.head
    if not is_plain(opening.look):
        raise ValueError(
            "One head is written as lines of text, but several heads, or one sentence of several, "
            "are seen: save them as a picture or as .csv, or look at one head again."
        )
    words, hide = opening.look["words"], opening.look["hide"]
    return as_text(looked_at(trace, words=words, hide=hide), layer, head, kind, rows=None)


def checked_suffix(path: Path, choice: Choice) -> str:
    """Give the ending of a path, or raise where no view is saved so, or no part of one."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"Got {path.name!r}, but a view is saved as one of {', '.join(SUFFIXES)}: end the name "
            "with one of them."
        )
    if suffix != ".html" and choice != ALL:
        raise ValueError(
            f"layers, heads and pixels are of a page, .html, but {path.name!r} holds the one head "
            "that is selected: leave them out, and select another head first if you want it."
        )
    return suffix


def write_picture(path: Path, trace: Trace, opening: Opening) -> None:
    """Draw what is seen for a paper: its text is text, its bytes are the same on each run.

    In an SVG all letters stay as they are: it is drawn where it is read, in fonts that are there.
    """
    suffix = path.suffix.lower()
    metadata = picture_metadata(suffix, trace, opening.head)
    letters = letters_stay() if suffix == ".svg" else nullcontext()
    with letters, drawn(trace, opening) as figure, whole_file(path) as unfinished:
        figure.savefig(unfinished, format=suffix[1:], metadata=metadata, bbox_inches="tight")


def png_of(trace: Trace, selected: Head) -> bytes:
    """Draw one head for where nothing moves."""
    png = BytesIO()
    with drawn(trace, Opening(selected)) as figure:
        figure.savefig(png, format="png", bbox_inches="tight", dpi="figure")
    return png.getvalue()


@contextmanager
def drawn(trace: Trace, opening: Opening) -> Iterator[Figure]:
    """Draw what is seen; the figure is closed in the end."""
    with mpl.rc_context():
        use_style()
        mpl.rcParams["svg.fonttype"] = "none"  # words, not outlines
        mpl.rcParams["svg.hashsalt"] = "regard"  # names are not drawn by chance
        mpl.rcParams["pdf.fonttype"] = 42  # TrueType fonts are embedded
        mpl.rcParams["savefig.dpi"] = 300  # of cells that are pixels
        ax, num_cells = heatmap_of(trace, opening)
        ax.collections[0].set_rasterized(num_cells > MANY_CELLS)
        figure = ax.get_figure(root=True)
        if figure is None:
            raise RuntimeError("The picture is in no figure.")
        try:
            yield figure
        finally:
            plt.close(figure)


def heatmap_of(trace: Trace, opening: Opening) -> tuple[Axes, int]:
    """Draw what is seen, and say of how many cells."""
    (kind, layer, head), look = opening.head, opening.look
    if is_plain(look):
        looked = looked_at(trace, words=look["words"], hide=look["hide"])
        cells = math.prod(looked.layers[kind][layer].shape[1:])
        return plot_attention(looked, layer, head, kind=kind), cells
    seen = seen_of(trace, opening.head, look)
    draw = plot_changes if seen.is_difference else plot_heatmap
    return draw(seen.weights, seen.queries, seen.keys, title=seen.title), seen.weights.size


def picture_metadata(suffix: str, trace: Trace, selected: Head) -> dict[str, Any]:
    """Say where a picture comes from, and leave out when it was made."""
    title = str(selected)
    origin = one_line("; ".join(f"{name}: {value}" for name, value in trace.origin.items()))
    made = f"regard {version('regard')}"
    if suffix == ".svg":
        return {"Title": title, "Description": origin, "Creator": made, "Date": None}
    if suffix == ".pdf":
        return {"Title": title, "Subject": origin, "Creator": made, "CreationDate": None}
    return {"Title": title, "Description": origin, "Software": made}


def tidy(trace: Trace, selected: Head) -> pd.DataFrame:
    """Give a head's weights, one a row, with the tokens and their positions.

    Examples
    --------
    >>> seen = Trace.from_weights([[1.0, 0.0], [0.25, 0.75]], tokens=["the", "dog"])
    >>> tidy(seen, ("encoder", 0, 0))[["query", "key", "weight"]]
      query  key  weight
    0   the  the    1.00
    1   the  dog    0.00
    2   dog  the    0.25
    3   dog  dog    0.75
    """
    kind, layer, head = selected
    labels, weights = trace.labels(layer, kind=kind), trace.weights(layer, head, kind=kind)
    whose = {"kind": kind, "layer": layer, "head": head}
    return one_a_row(weights, labels.queries, labels.keys, whose)


def one_a_row(
    weights: Matrix, queries: list[str], keys: list[str], whose: Mapping[str, object]
) -> pd.DataFrame:
    """Give weights, (Q, K), one a row, with the tokens and their positions, and whose they are."""
    query_at, key_at = (at.ravel() for at in np.indices(weights.shape))
    table = pd.DataFrame(
        {
            "query_position": query_at,
            "query": np.array(queries, dtype=object)[query_at],
            "key_position": key_at,
            "key": np.array(keys, dtype=object)[key_at],
            "weight": weights.ravel(),
        }
    )
    return pd.concat([pd.DataFrame(dict(whose), index=table.index), table], axis=1)


def write_table(path: Path, trace: Trace, selected: Head) -> None:
    """Write a head's weights as CSV; no token is a formula to a spreadsheet."""
    write_csv(path, tidy(trace, selected))
