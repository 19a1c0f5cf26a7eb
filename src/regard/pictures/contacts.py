"""Which residues of a protein read each other, as a map of contacts."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from torch import nn

from regard.measures.contacts import APART, check_contacts, contact_map
from regard.pictures.cells import draw_cells, name_cells, new_heatmap_axes
from regard.pictures.given import given_axes
from regard.pictures.style import ATTENTION, CATEGORICAL
from regard.record.regrouping import sides_of
from regard.record.trace import Trace, a_trace


def plot_contacts(
    seen: Trace,
    layer: int | None = None,
    head: int | None = None,
    *,
    contacts: object = None,
    kind: str | None = None,
    regression: nn.Linear | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw which residues read each other more than chance, beside those that touch.

    Parameters
    ----------
    seen, layer, head, kind, regression
        As for `regard.measures.contacts.contact_map`.
    contacts
        Which residues touch, bool (L, L): drawn above the diagonal, in place of what mirrors there.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes
        A row and a column for each residue, named by its letter and its number, counted from 1.
        What is no more than chance is blank; the colours go up to the largest value of residues
        that are 6 or more apart, since neighbours read each other anyway. With a regression they
        are probabilities, from 0 to 1.

    Raises
    ------
    TypeError, ValueError
        As `contact_map`; if `ax` is no Axes, or the contacts are not bool (L, L) and symmetric.

    Examples
    --------
    >>> seen = Trace.from_weights([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]], list("MKT"))
    >>> ax = plot_contacts(seen, layer=0, head=0)
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['M1', 'K2', 'T3']
    """
    found = contact_map(seen, layer, head, kind=kind, regression=regression)
    touch = None if contacts is None else check_contacts(contacts, len(found))
    names = _names(seen, kind)
    ax = given_axes(ax) or new_heatmap_axes(names, names)
    far = found[np.triu_indices(len(found), APART)]
    most = float(far.max(initial=0) if far.size else found.max(initial=0)) or 1.0
    label = "read each other, corrected (APC)"
    if regression is not None:
        most, label = 1.0, "probability of a contact"
    bar = {"label": label, "shrink": 0.6, "extend": "neither" if regression is not None else "max"}
    hidden = np.triu(np.ones_like(found), 1 if touch is not None else len(found))
    draw_cells(found, ax, vmin=0, vmax=most, cmap=ATTENTION, cbar_kws=bar, mask=hidden)
    if touch is not None:
        shown = np.ma.masked_equal(np.triu(touch, 1), value=False)
        ax.pcolormesh(shown, cmap=ListedColormap([CATEGORICAL[1]]))
    title = f"Contacts, {_which(seen, layer, head, kind, is_weighted=regression is not None)}"
    title += (
        ""
        if touch is None
        else "\nBelow the diagonal attention; above it, orange, residues that touch"
    )
    name_cells(ax, names, names, rows="residue", columns="residue", title=title)
    return ax


def _names(seen: Trace, kind: str | None) -> list[str]:
    """Name each residue by its letter and its number."""
    rows, _ = sides_of(seen, a_trace(seen).kind_or_first(kind))
    letters = [
        token for token, special in zip(rows.tokens, rows.special, strict=True) if not special
    ]
    return [f"{letter}{number}" for number, letter in enumerate(letters, 1)]


def _which(
    seen: Trace, layer: int | None, head: int | None, kind: str | None, *, is_weighted: bool
) -> str:
    """Say which heads are drawn."""
    kind = seen.kind_or_first(kind)
    some = next(iter(seen.layers[kind])) if layer is None else layer
    named = str(seen.head(some, head or 0, kind=kind))
    if head is not None:
        return named
    of_kind, of_layer, _ = named.rsplit(", ", 2)
    if layer is not None:
        return f"{of_kind}, {of_layer}, mean of its heads"
    return f"{of_kind}, all heads, {'by regression' if is_weighted else 'their mean'}"
