"""The explorer: type a sentence, choose a head, see what it attends to.

What it shows is the interactive view, or a picture that the learner's own function draws.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import traitlets
from torch import nn
from transformers import PreTrainedTokenizerBase

from regard.pictures.markup import as_markup
from regard.record.door import function, text
from regard.record.kinds import Head, title_of
from regard.record.trace import Trace
from regard.tracing.run import trace
from regard.viewer.files import png_of
from regard.viewer.widget import AttentionView

LONGEST_MESSAGE = 600  # characters
ERROR = (
    '<div role="alert" style="background: #fdecea; color: #8c1d18; padding: 0.5em; '
    'line-height: 1.4">{}</div>'
)


class Explorer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Controls for the sentence, the kind of attention, the layer and the head, and what they show.

    `explore` makes it. Where a sentence cannot be shown, a message says why and what was shown
    stays. Without a kernel, or outside a notebook, it is a picture of that.
    """

    value = traitlets.Dict(
        help="What the picture shows: sentence, layer, head and kind, as the parameters are called."
    )

    def __init__(
        self,
        model: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        sentence: str,
        *,
        target: str | None,
        draw: Callable[..., Any] | None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.screen = Viewed(self.choose) if draw is None else Drawn(draw, model, tokenizer)
        self.targets = {sentence: target}  # another sentence has another translation
        self.seen: dict[str, Trace] = {}  # the last sentence: what there is to choose from
        self.sentence = widgets.Text(
            sentence,
            description="Sentence",
            continuous_update=False,
            layout=widgets.Layout(width="min(100%, 60em)"),
        )
        self.kind = widgets.Dropdown(description="Attention")
        self.layer = widgets.Dropdown(description="Layer", layout=widgets.Layout(width="11em"))
        self.head = widgets.Dropdown(description="Head", layout=widgets.Layout(width="11em"))
        self.message = widgets.HTML()
        choices = widgets.HBox(
            [self.kind, self.layer, self.head],
            layout=widgets.Layout(
                flex_flow="row wrap",
                display="none" if draw is None else "flex",  # the view has its own
            ),
        )
        super().__init__([self.sentence, choices, self.message, self.screen.box])
        self.controls = (self.sentence, self.kind, self.layer, self.head)
        self.problem = ""  # what the message says
        self.listening = True
        for control in self.controls:
            control.observe(self.update, "value")
        self.update()

    def update(self, _: object = None) -> None:
        """Show what the controls say, or why that cannot be shown."""
        if not self.listening:
            return
        try:
            sentence = self.sentence.value
            target = self.targets.get(sentence)
            if sentence not in self.seen:  # else only a learner's picture needs to run the model
                self.seen = {sentence: trace(sentence, self.model, self.tokenizer, target=target)}
            self.offer_choices(self.seen[sentence])
            chosen = {
                "sentence": sentence,
                "layer": self.layer.value,
                "head": self.head.value,
                "kind": self.kind.value,
            }
            self.screen.show(self.seen[sentence], target=target, **chosen)
        except Exception as error:  # noqa: BLE001 - a learner's model or picture may raise anything
            self.say(error)
            self.value = self.value or NothingShown(self.problem)
            return
        self.problem = ""
        self.message.value = ""
        self.value = chosen

    def offer_choices(self, seen: Trace) -> None:
        """Offer the kinds, layers and heads that there are; what is chosen stays if it can."""
        self.listening = False
        try:
            offer(self.kind, [(title_of(kind), kind) for kind in seen.kinds])
            layers = seen.layers[self.kind.value]
            offer(self.layer, [(str(i), i) for i in layers])
            num_heads = layers[self.layer.value].shape[0]
            offer(self.head, [(str(i), i) for i in range(num_heads)])
        finally:
            self.listening = True

    def choose(self, seen: Trace, head: Head) -> None:
        """Let the controls follow what was chosen in the view."""
        for control, value in zip((self.kind, self.layer, self.head), head, strict=True):
            self.listening = False
            control.value = value
            self.offer_choices(seen)  # another kind may have fewer layers or heads
        self.update()

    def say(self, error: Exception) -> None:
        """Show an error in place, as text and not as markup."""
        text = str(error)
        if not isinstance(error, ValueError):  # these are written for the reader; others may not be
            text = f"{type(error).__name__}: {text}"
        if len(text) > LONGEST_MESSAGE:
            text = f"{text[:LONGEST_MESSAGE]} …"
        self.problem = text
        self.message.value = ERROR.format(as_markup(" ".join(text.split())))

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Give the live view and, for where there is no kernel, the picture and a line of text."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options) or {}
        if not self.value:
            return bundle | {"text/plain": self.problem}
        kind, layer, head = (self.value[name] for name in ("kind", "layer", "head"))
        return bundle | {
            "text/plain": f"{Head(kind, layer, head)}: {self.value['sentence']}",
            "image/png": b64encode(self.screen.png()).decode("ascii"),
        }


class NothingShown(dict[str, Any]):
    """What `value` is before anything could be shown: whoever asks is told why."""

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem

    def __missing__(self, name: str) -> Any:
        raise ValueError(f"The explorer shows no {name} yet, only this message: {self.problem}")


class Drawn:
    """Shows what a function draws, as a picture."""

    def __init__(
        self, draw: Callable[..., Any], model: nn.Module, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        self.draw = draw
        self.read = {"model": model, "tokenizer": tokenizer}
        # not stretched, and nothing at first
        layout = widgets.Layout(display="none", align_self="flex-start")
        self.box = widgets.Image(format="png", layout=layout)

    def show(self, _: Trace, **chosen: Any) -> None:
        """Draw the picture; no figure is left open."""
        with no_new_figures():
            ax = self.draw(**self.read, **chosen)
            if not hasattr(ax, "figure"):
                raise TypeError(
                    f"The function that draws must return the Axes, but returned {ax!r}: "
                    "end it with `return ax`."
                )
            png = BytesIO()
            ax.figure.savefig(png, format="png", bbox_inches="tight")
        self.box.value = png.getvalue()
        self.box.layout.display = None

    def png(self) -> bytes:
        """Give the picture."""
        return bytes(self.box.value)


class Viewed:
    """Shows the interactive view; what is chosen there is told to `chosen`."""

    def __init__(self, chosen: Callable[[Trace, Head], None]) -> None:
        self.chosen = chosen
        self.box = widgets.VBox()
        self.view: AttentionView | None = None

    def show(self, seen: Trace, *, kind: str, layer: int, head: int, **_: Any) -> None:
        """Show a head, in the view of this trace."""
        if self.view is None or self.view.trace is not seen:
            view = AttentionView(seen, Head(kind, layer, head))
            view.observe(self.tell, "selection")
            if self.view is not None:
                self.view.close()
            self.view = view
            self.box.children = [view]
        self.view.select(layer, head, kind=kind)

    def tell(self, _: object) -> None:
        """Tell which head was chosen."""
        if self.view is not None:
            self.chosen(self.view.trace, self.view.selected)

    def png(self) -> bytes:
        """Draw the head that is shown."""
        if self.view is None:
            raise RuntimeError("Nothing is shown.")
        return png_of(self.view.trace, self.view.selected)


def offer(dropdown: widgets.Dropdown, options: Sequence[tuple[str, Any]]) -> None:
    """Set a dropdown's options; keep what is chosen if it is among them, else choose the first."""
    if dropdown.options == tuple(options):
        return
    chosen = dropdown.value
    dropdown.options = options
    dropdown.value = chosen if chosen in dict(options).values() else options[0][1]


@contextmanager
def no_new_figures() -> Iterator[None]:
    """Close the figures that are opened within, so that no cell shows them as well."""
    before = set(plt.get_fignums())
    try:
        yield
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)


def explore(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    sentence: str = "the cows did not follow the dog because it seemed weak .",
    *,
    target: str | None = None,
    draw: Callable[..., Any] | None = None,
) -> Explorer:
    """Explore a model's attention: type a sentence, choose kind, layer and head, and look.

    Parameters
    ----------
    model, tokenizer
        What `regard.tracing.run.trace` takes.
    sentence
        What is shown first.
    target
        The translation of that first sentence; without it, what the model writes itself.
    draw
        What draws, called as `visualize_attention_weights` is; it returns the Axes that it drew on.
        Without it, the interactive view is shown, as by `regard.view`.

    Returns
    -------
    Explorer
        Its `.value` holds sentence, layer, head and kind of the picture that it shows, so that
        `visualize_attention_weights(model=model, tokenizer=tokenizer, **explorer.value)` draws it.

    Raises
    ------
    TypeError
        If the sentence or the target is no text, or `draw` no function.

    Notes
    -----
    Nothing that is typed or chosen raises: a message says what is wrong and the last picture stays.

    Examples
    --------
    >>> from regard.model.lexicon import vocabulary
    >>> from regard.model.tokenization import build_tokenizer
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    >>> explorer = explore(model, build_tokenizer(vocabulary(300)), "the dog saw it .")
    >>> explorer.head.value = 1
    >>> explorer.value
    {'sentence': 'the dog saw it .', 'layer': 0, 'head': 1, 'kind': 'encoder'}
    """
    text("sentence, after the model and the tokenizer,", sentence)
    if target is not None:
        text("target", target)
    if draw is not None:
        function("draw, a function that draws and returns the Axes,", draw)
    return Explorer(model, tokenizer, sentence, target=target, draw=draw)
