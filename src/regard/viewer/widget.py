"""The interactive view: every head at a glance, any weight by hand, and a file to take away."""

from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import anywidget
import traitlets

from regard.pictures.text import as_text
from regard.record.kinds import Head
from regard.record.trace import Trace
from regard.viewer.contract import Look, Meta
from regard.viewer.embedded import Embedded
from regard.viewer.files import png_of, save
from regard.viewer.look import PLAIN, checked
from regard.viewer.opening import Opening, open_at
from regard.viewer.packing import PackedHead, pack_meta, with_thumbnail
from regard.viewer.page import FRONT_END, LARGEST_PAGE, Choice, page_of, page_size
from regard.viewer.replies import Replies


class AttentionView(anywidget.AnyWidget):
    """All heads of a trace as a grid, one of them as a matrix and as lines between tokens.

    `view` makes it. In a notebook it is a widget; without a kernel, or outside a notebook, a
    picture of the chosen head. Weights are computed when their head is chosen, and travel as bytes:
    each is off by at most 1/255 of the head's largest. What is pointed at is asked for exactly.
    """

    _esm = FRONT_END

    meta = traitlets.Dict(help="Kinds, layers, heads and tokens that there are.").tag(sync=True)
    selection = traitlets.Dict(help="The head that is shown: kind, layer and head.").tag(sync=True)
    look = traitlets.Dict(
        help="How it is shown, as one value: see `regard.viewer.look.PLAIN`."
    ).tag(sync=True)
    thumbnails = traitlets.Bytes(help="All heads, small.").tag(sync=True)
    weights = traitlets.Dict(help="The head that is shown, in bytes.").tag(sync=True)

    def __init__(self, trace: Trace, selected: Head, opened: str = "") -> None:
        self.trace, self._opened = trace, Opening(selected, opened)
        self._replies = Replies(trace)
        selected = trace.head(selected.layer, selected.head, kind=selected.kind)
        packed = self._replies.pack(selected)  # raises here; later, the front end is told
        meta, thumbnails = pack_meta(trace)
        meta["opened"] = opened
        chosen = selected._asdict()
        super().__init__(meta=meta, thumbnails=thumbnails, selection=chosen, look=PLAIN)
        self._show(packed)
        self.observe(self._send_weights, "selection")
        self.on_msg(self._answer)

    def select(self, layer: int, head: int, *, kind: str | None = None) -> None:
        """Show another head; layers and heads count from 0.

        Raises
        ------
        TypeError
            If a number is no whole number, or the kind no text.
        ValueError
            If there is no such kind, layer or head.
        """
        kind = self.selected.kind if kind is None else kind
        self.selection = self.trace.head(layer, head, kind=kind)._asdict()

    @property
    def selected(self) -> Head:
        """The kind, the layer and the head that are shown."""
        return Head(**self.selection)

    def page_size(
        self,
        layers: Collection[int] | None = None,
        heads: Collection[int] | None = None,
        pixels: int | None = None,
    ) -> str:
        """Say about how large the saved page will become; a few heads are packed for that."""
        return page_size(self.trace, Choice(layers, heads, pixels))

    def save(
        self,
        path: str | Path,
        *,
        layers: Collection[int] | None = None,
        heads: Collection[int] | None = None,
        pixels: int | None = None,
        largest: int = LARGEST_PAGE,
    ) -> None:
        """Write the view to a file.

        Parameters
        ----------
        path
            Its ending says what becomes of it: ".html", one page with all heads that works
            anywhere, without a network; ".svg", ".pdf" or ".png", the chosen head for a paper;
            ".csv", the chosen head as a tidy table; ".txt", as lines of text.
        layers, heads
            Of a page: only these.
        pixels
            Of a page: a side of a matrix, at most; each is the largest of its weights. If not
            given, all weights; of more than 4,096 tokens, 1,024 pixels.
        largest
            Of a page: more bytes than this are not made.

        Raises
        ------
        TypeError
            If the path is none, or a number no whole number.
        ValueError
            If the ending is another, or the page would be too large.

        Examples
        --------
        >>> import tempfile
        >>> shown = view([[1.0, 0.0], [0.25, 0.75]], ["the", "dog"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     shown.save(Path(folder) / "head.csv")
        ...     (Path(folder) / "head.csv").read_text().splitlines()[-1]
        'encoder,0,0,1,dog,1,dog,0.75'
        """
        choice = Choice(layers, heads, pixels)
        save(path, self.trace, self._opened_now, choice, largest=largest)

    @property
    def _opened_now(self) -> Opening:
        """Give the head and the look that are seen; and why it is this head, if it is the first."""
        why = self._opened.why if self.selected == self._opened.head else ""
        return Opening(self.selected, why, cast("Look", self.look))

    def embed(
        self,
        *,
        height: int = 800,
        layers: Collection[int] | None = None,
        heads: Collection[int] | None = None,
        pixels: int | None = None,
    ) -> Embedded:
        """Give the saved page for a notebook's output: it is there without a kernel, and for ever.

        A widget is gone when its notebook is closed; this is part of the notebook's file, and as
        large as the page that `save` writes.

        Parameters
        ----------
        height
            Pixels of the frame.
        layers, heads, pixels
            As of `save`.

        Raises
        ------
        TypeError
            If a number is no whole number.
        ValueError
            If there are no such heads, or the frame is too low.

        Examples
        --------
        >>> view([[1.0, 0.0], [0.25, 0.75]], ["the", "dog"]).embed().height
        800
        """
        choice = Choice(layers, heads, pixels)
        return Embedded(page_of(self.trace, self._opened_now, choice), height)

    @traitlets.validate("selection")
    def _check_selection(self, proposal: Mapping[str, Any]) -> dict[str, Any]:
        wanted = proposal["value"]
        try:
            head = self.trace.head(wanted["layer"], wanted["head"], kind=wanted["kind"])
        except (KeyError, TypeError, ValueError) as error:
            raise traitlets.TraitError(
                f"{wanted} is no head of this view, which has the kinds {self.trace.kinds}: {error}"
            ) from error
        return head._asdict()

    @traitlets.validate("look")
    def _check_look(self, proposal: Mapping[str, Any]) -> Look:
        try:
            return checked(proposal["value"], self.trace)
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(str(error)) from error

    def _send_weights(self, _: object = None) -> None:
        try:
            packed = self._replies.pack(self.selected)
        except ValueError as error:  # whoever chose the head is in the front end
            self.send({"answer": "problem", "text": str(error)})
            return
        self._show(packed)

    def _show(self, packed: PackedHead) -> None:
        self.weights = {**self.selection, **vars(packed)}
        if not self.meta["looked"]:
            self.thumbnails = with_thumbnail(
                cast("Meta", self.meta), self.thumbnails, self.selected, packed
            )

    def _answer(self, _: object, content: Any, __: object) -> None:
        """Answer the front end; what goes wrong, it shows."""
        try:
            head = Head(content["kind"], content["layer"], content["head"])
            answer, buffers = self._replies.to(head, content)
        except (KeyError, TypeError, ValueError) as error:
            self.send({"answer": "problem", "text": str(error)})
            return
        self.send(content | {"answer": content["ask"]} | dict(answer), buffers)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Give the live view and, for where there is no kernel, the picture and a line of text."""
        shown = super()._repr_mimebundle_(**options)
        bundle, metadata = shown or ({}, {})
        fixed = {
            "text/plain": repr(self),
            "image/png": b64encode(png_of(self.trace, self.selected)).decode("ascii"),
        }
        return bundle | fixed, metadata

    def __str__(self) -> str:
        """Write the chosen head as lines of text, for a terminal or to be read aloud."""
        kind, layer, head = self.selected
        return as_text(self.trace, layer, head, kind)

    def __repr__(self) -> str:
        return f"AttentionView: {self.selected}"


def view(
    trace: Any,
    tokens: Sequence[str] | None = None,
    *,
    target_tokens: Sequence[str] | None = None,
    layer: int | None = None,
    head: int | None = None,
    kind: str | None = None,
) -> AttentionView:
    """View attention: every head at a glance, any weight by hand.

    Parameters
    ----------
    trace
        From `regard.trace`, or weights that are there already: what `Trace.from_weights` takes.
    tokens, target_tokens
        Of weights: what is read, and in cross-attention what reads.
    layer, head, kind
        The head that is shown first, counted from 0. If neither layer nor head is given, the one
        that most clearly reads single tokens (`regard.measures.clearest`); the view says so.

    Returns
    -------
    AttentionView
        A widget. Its `.selection` is the head that is shown, and may be set; `.save` writes it to a
        file.

    Raises
    ------
    TypeError
        If it is neither a trace nor numbers, such as a model or what it returned, the tokens are no
        list, or a number is no whole number.
    ValueError
        If the weights are no attention of these tokens, there is no such kind, layer or head, or
        a trace comes with tokens.

    Examples
    --------
    >>> view([[1.0, 0.0], [0.25, 0.75]], ["the", "dog"])
    AttentionView: encoder self-attention, layer 0, head 0
    """
    if isinstance(trace, Trace):
        if tokens is not None or target_tokens is not None:
            raise ValueError(
                "A trace has its own tokens: leave `tokens` and `target_tokens` out, or pass "
                "weights in place of the trace."
            )
        seen = trace
    else:
        seen = Trace.from_weights(
            trace, tokens, target_tokens=target_tokens, kind=kind or "encoder"
        )
    opening = open_at(seen, layer, head, kind)
    return AttentionView(seen, opening.head, opening.why)
