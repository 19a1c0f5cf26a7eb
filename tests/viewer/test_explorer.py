import html
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pytest
from ipywidgets import Dropdown
from matplotlib.axes import Axes
from nbclient import NotebookClient
from transformers import PreTrainedTokenizerBase

from regard.model.transformer import Transformer
from regard.viewer.explorer import LONGEST_MESSAGE, Explorer, explore, offer
from regard.viewer.sentence import visualize_attention_weights
from regard.viewer.widget import AttentionView

SENTENCE = "the dog saw it ."
PNG = b"\x89PNG\r\n\x1a\n"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# what a person may type, and what the message must say of it
HOSTILE = {
    "": "empty",
    "   ": "empty",
    "a xylophone": "'xylophone'",
    "<script>alert(1)</script>": "'script'",
    "</div><img src=x onerror=alert(1)>": "'onerror'",
    "$x$": "'$'",
    "😀 & \\frac": "'😀'",
    "x" * 10_000: "xxxx",
    "dog " * 2_500: "2501 tokens is too long",
    "\x00": r"'\x00'",
}


@pytest.fixture
def model(model: Transformer) -> Transformer:
    """Give a model with two layers in the encoder, but one in the decoder."""
    del model.decoder[1]
    return model


@pytest.fixture
def explorer(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> Iterator[Explorer]:
    yield explore(model, tokenizer, SENTENCE, draw=visualize_attention_weights)
    assert not plt.get_fignums(), "no figure is left open"


def choices(dropdown: Any) -> list[str]:
    return [label for label, _ in dropdown.options]


def said(explorer: Explorer) -> str:
    """Give what a browser would show of the message."""
    return html.unescape(re.sub(r"<[^>]*>", "", explorer.message.value))


def test_it_opens_with_the_sentence_and_its_picture(explorer: Explorer) -> None:
    assert explorer.value == {"sentence": SENTENCE, "kind": "encoder", "layer": 0, "head": 0}
    assert bytes(explorer.screen.box.value).startswith(PNG)
    assert explorer.screen.box.layout.display is None
    assert explorer.message.value == ""


def test_every_control_has_a_label(explorer: Explorer) -> None:
    labels = [control.description for control in explorer.controls]
    assert labels == ["Sentence", "Attention", "Layer", "Head"]
    assert not explorer.sentence.continuous_update


@pytest.mark.parametrize(
    ("control", "value"),
    [("sentence", "a cat heard the cows ."), ("kind", "cross"), ("layer", 1), ("head", 1)],
)
def test_each_control_changes_the_picture(explorer: Explorer, control: str, value: object) -> None:
    before, settings = explorer.screen.box.value, explorer.value
    getattr(explorer, control).value = value
    assert explorer.value == settings | {control: value}
    assert explorer.screen.box.value != before
    getattr(explorer, control).value = settings[control]
    assert explorer.screen.box.value == before, "the same settings give the same picture"


def test_the_kind_says_which_layers_there_are(explorer: Explorer) -> None:
    assert choices(explorer.kind) == [
        "encoder self-attention",
        "decoder self-attention",
        "cross-attention",
    ]
    assert choices(explorer.layer) == ["0", "1"]
    explorer.layer.value, explorer.head.value = 1, 1
    explorer.kind.value = "cross"
    assert choices(explorer.layer) == ["0"]
    assert explorer.value == {"sentence": SENTENCE, "kind": "cross", "layer": 0, "head": 1}
    explorer.kind.value = "encoder"
    assert choices(explorer.layer) == ["0", "1"]
    assert explorer.value["head"] == 1, "what can stay stays"


def test_what_is_chosen_stays_where_it_is_still_offered() -> None:
    dropdown = Dropdown(options=[("0", 0), ("1", 1), ("2", 2)], value=1)
    offer(dropdown, [("0", 0), ("1", 1)])
    assert dropdown.value == 1
    offer(dropdown, [("0", 0)])
    assert dropdown.value == 0


def test_one_change_draws_one_picture(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    drawn = []

    def draw(*args: Any, **options: Any) -> Axes:
        drawn.append(options["kind"])
        return visualize_attention_weights(*args, **options)

    explorer = explore(model, tokenizer, SENTENCE, draw=draw)
    explorer.layer.value = 1
    explorer.kind.value = "cross"  # which has fewer layers
    assert drawn == ["encoder", "encoder", "cross"]


def test_another_head_of_the_same_sentence_runs_the_model_once(
    explorer: Explorer, model: Transformer
) -> None:
    runs = []
    model.register_forward_hook(lambda *_: runs.append(explorer.head.value))
    explorer.head.value = 1
    explorer.kind.value = "cross"
    explorer.layer.value = 0
    assert runs == [1, 1]


@pytest.mark.parametrize("typed", HOSTILE)
def test_what_cannot_be_shown_is_said_in_place(explorer: Explorer, typed: str) -> None:
    picture, settings = explorer.screen.box.value, explorer.value
    explorer.sentence.value = typed
    assert HOSTILE[typed] in said(explorer)
    assert len(said(explorer)) < LONGEST_MESSAGE + 10
    assert explorer.screen.box.value == picture
    assert explorer.value == settings
    explorer.head.value = 1  # a sentence that cannot be shown still cannot
    assert explorer.value == settings
    explorer.sentence.value = SENTENCE
    assert explorer.message.value == ""
    assert explorer.value == settings | {"head": 1}


def test_the_message_is_text_that_a_screen_reader_speaks(explorer: Explorer) -> None:
    explorer.sentence.value = "<img src=x onerror=alert(1)> &amp;"
    tags = re.findall(r"<\s*(\w+)", explorer.message.value)
    assert tags == ["div"]
    assert 'role="alert"' in explorer.message.value
    assert "'<', 'img'" in said(explorer)


def test_a_formula_in_the_message_stays_text(explorer: Explorer) -> None:
    explorer.sentence.value = r"$x$ \(y\)"
    assert "'$'" in said(explorer)
    assert not re.search(r"[$\\]", explorer.message.value)


def test_a_first_sentence_that_cannot_be_shown_can_be_mended(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    explorer = explore(model, tokenizer, "a xylophone", draw=visualize_attention_weights)
    assert "xylophone" in said(explorer)
    assert explorer.screen.box.layout.display == "none"
    assert explorer.value == {}
    bundle = explorer._repr_mimebundle_()
    assert "image/png" not in bundle
    assert "'xylophone'" in bundle["text/plain"]
    explorer.sentence.value = SENTENCE
    assert explorer.value["sentence"] == SENTENCE
    assert explorer.screen.box.layout.display is None


def test_it_shows_the_learners_own_picture(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    def draw(
        sentence: str, model: object, tokenizer: object, layer: int, head: int, **options: Any
    ) -> Axes:
        calls.append((sentence, model, tokenizer, layer, head, options))
        return plt.subplots()[1]

    calls: list[object] = []
    explore(model, tokenizer, SENTENCE, target="a cat .", draw=draw)
    options = {"kind": "encoder", "target": "a cat ."}
    assert calls == [(SENTENCE, model, tokenizer, 0, 0, options)]
    assert not plt.get_fignums()


def fail(**_: Any) -> Axes:
    plt.subplots()
    raise KeyError("my <b>mistake</b>")


def forget(**_: Any) -> None:
    plt.subplots()


@pytest.mark.parametrize(
    ("draw", "message"),
    [(fail, "KeyError: 'my <b>mistake</b>'"), (forget, "must return the Axes, but returned None")],
)
def test_a_learners_mistake_is_said_in_place(
    model: Transformer, tokenizer: PreTrainedTokenizerBase, draw: Any, message: str
) -> None:
    explorer = explore(model, tokenizer, SENTENCE, draw=draw)
    assert message in said(explorer)
    assert not plt.get_fignums()


def test_figures_that_were_open_stay_open(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    mine = plt.figure()
    explore(model, tokenizer, SENTENCE, draw=visualize_attention_weights)
    assert plt.get_fignums() == [mine.number]
    plt.close(mine)


def test_the_given_translation_belongs_to_the_first_sentence(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    targets = []

    def draw(**options: Any) -> Axes:
        targets.append(options["target"])
        return visualize_attention_weights(**options)

    explorer = explore(model, tokenizer, SENTENCE, target="a cat .", draw=draw)
    explorer.sentence.value = "a cat"
    explorer.sentence.value = SENTENCE
    assert targets == ["a cat .", None, "a cat ."]


def test_its_value_draws_the_same_picture(
    explorer: Explorer, model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    explorer.kind.value = "cross"
    explorer.head.value = 1
    ax = visualize_attention_weights(model=model, tokenizer=tokenizer, **explorer.value)
    assert ax.get_title() == "Cross-attention, layer 0, head 1"
    plt.close("all")


def test_without_a_kernel_it_is_its_picture(explorer: Explorer) -> None:
    explorer.head.value = 1
    bundle = explorer._repr_mimebundle_()
    assert b64decode(bundle["image/png"]) == explorer.screen.box.value
    assert bundle["text/plain"] == f"encoder self-attention, layer 0, head 1: {SENTENCE}"
    assert bundle[WIDGET_VIEW]["model_id"] == explorer.model_id


@pytest.fixture
def viewed(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> Explorer:
    return explore(model, tokenizer, SENTENCE)


def shown_in(explorer: Explorer) -> AttentionView:
    (view,) = explorer.screen.box.children
    assert isinstance(view, AttentionView)
    return view


def test_without_a_picture_of_ones_own_it_is_the_view(viewed: Explorer) -> None:
    view = shown_in(viewed)
    assert view.trace.source_tokens[:2] == ["the", "dog"]
    viewed.kind.value, viewed.head.value = "cross", 1
    assert view.selected == ("cross", 0, 1)
    assert viewed.value == {"sentence": SENTENCE, "kind": "cross", "layer": 0, "head": 1}
    bundle = viewed._repr_mimebundle_()
    assert b64decode(bundle["image/png"]).startswith(PNG)


def test_what_is_chosen_in_the_view_is_chosen(viewed: Explorer) -> None:
    view = shown_in(viewed)
    view.select(1, 1, kind="encoder")
    assert viewed.value == {"sentence": SENTENCE, "kind": "encoder", "layer": 1, "head": 1}
    view.select(0, 1, kind="cross")  # which has fewer layers
    assert viewed.value == {"sentence": SENTENCE, "kind": "cross", "layer": 0, "head": 1}
    assert choices(viewed.layer) == ["0"]


def test_another_sentence_has_a_view_of_its_own(viewed: Explorer) -> None:
    first = shown_in(viewed)
    first.select(1, 1)
    viewed.sentence.value = "a cat heard the cows ."
    assert shown_in(viewed) is not first
    assert shown_in(viewed).selected == ("encoder", 1, 1)
    viewed.sentence.value = "a xylophone"
    assert "xylophone" in said(viewed)
    assert shown_in(viewed).trace.source_tokens[0] == "a"


CELL = """
from regard.viewer.explorer import explore
from regard.model.lexicon import vocabulary
from regard.model.tokenization import build_tokenizer
from regard.model.transformer import build_transformer_model
model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
explorer = explore(model, build_tokenizer(vocabulary(300)), "the dog saw it .")
explorer.sentence.value = "a xylophone"
explorer
"""


def test_a_notebook_keeps_one_picture_and_nothing_else() -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in (CELL, "explorer.head.value = 1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    first, second = (cell.outputs for cell in notebook.cells)
    (shown,) = first
    assert shown.output_type == "execute_result"
    assert set(shown.data) == {"text/plain", "image/png", WIDGET_VIEW}
    assert b64decode(shown.data["image/png"]).startswith(PNG)
    assert second == []


def test_what_is_no_sentence_and_no_function_is_said(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    wrong: Any = 5
    with pytest.raises(TypeError, match=r"sentence, after the model .*is a text, but got a Tok"):
        explore(SENTENCE, model, tokenizer)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"target is a text, but got 5 \(int\)"):
        explore(model, tokenizer, SENTENCE, target=wrong)
    with pytest.raises(TypeError, match=r"draw, a function that draws.*, is expected, but got 5"):
        explore(model, tokenizer, SENTENCE, draw=wrong)


def test_what_was_never_shown_is_asked_for_in_vain(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    """As the notebook's section 9 asks, after a first sentence that could not be shown."""
    explorer = explore(model, tokenizer, "the elephant .", draw=visualize_attention_weights)
    assert explorer.value == {}
    message = "shows no sentence yet, only this message: The tokenizer does not know 'elephant'"
    with pytest.raises(ValueError, match=message):
        explorer.value["sentence"]
    explorer.sentence.value = ""
    with pytest.raises(ValueError, match="shows no layer yet, only this message: The sentence is"):
        explorer.value["layer"]
    explorer.sentence.value = SENTENCE
    assert explorer.value["sentence"] == SENTENCE
