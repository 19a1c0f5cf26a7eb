import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Text
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from regard.model.transformer import Transformer
from regard.pictures import style
from regard.pictures.head import plot_attention, plot_heatmap
from regard.pictures.heads import plot_heads
from regard.pictures.leak import plot_leak
from regard.pictures.learning import plot_loss
from regard.pictures.readings import plot_readings, plot_received
from regard.pictures.scores import plot_knockout, plot_scoreboard
from regard.record.layers import Layer, WeighedLayer
from regard.record.trace import Trace
from regard.record.words import Side
from regard.viewer.sentence import visualize_attention_weights

HOSTILE = ["$x$", "a$b", r"\$y\$", r"\alpha", "_a_", "^2", "<s>", "<script>", "{}", "%", "😀"]


@pytest.fixture(autouse=True)
def _style_and_no_figure_left() -> Iterator[None]:
    with mpl.rc_context():
        style.use_style()
        yield
    plt.close("all")


@pytest.fixture(autouse=True)
def _nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("a plot called show"))


def random_weights(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).dirichlet(np.full(shape[-1], 0.3), shape[:-1])


def words(count: int) -> list[str]:
    return [f"word{i}" for i in range(count)]


def cells(ax: Axes, mesh: int = 0) -> NDArray[np.float64]:
    meshes = [c for c in ax.collections if isinstance(c, QuadMesh)]
    values = np.ma.masked_array(meshes[mesh].get_array(), dtype=float)
    return values.filled(np.nan).reshape(round(max(ax.get_ylim())), round(max(ax.get_xlim())))


def tick_texts(ax: Axes) -> tuple[list[str], list[str]]:
    return (
        [label.get_text() for label in ax.get_xticklabels()],
        [label.get_text() for label in ax.get_yticklabels()],
    )


def points(line: Line2D) -> list[list[float]]:
    return [[float(x), float(y)] for x, y in np.asarray(line.get_xydata())]


def bars(ax: Axes) -> list[Rectangle]:
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def drawn(figure: Any) -> Figure:
    """Draw, and do it again: a layout may settle only then."""
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    figure.canvas.draw()
    return figure


# the style


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


# one heatmap


def test_a_heatmap_has_each_weight_where_its_words_meet() -> None:
    weights = random_weights(3, 5)
    ax = plot_heatmap(weights, ["it", "was", "weak"], words(5), title="a title")
    assert (cells(ax) == weights).all()
    assert tick_texts(ax) == (words(5), ["it", "was", "weak"])
    assert ax.get_xlabel() == "the token that is read (key)"
    assert ax.get_ylabel() == "the token that reads (query)"
    assert ax.get_title("left") == "a title"
    top, bottom = ax.get_ylim()[::-1]
    assert top < bottom, "the first query is the top row"


def test_ticks_stand_in_the_middle_of_their_cells() -> None:
    ax = plot_heatmap(random_weights(2, 3), words(2), words(3))
    assert list(ax.get_xticks()) == [0.5, 1.5, 2.5]
    assert list(ax.get_yticks()) == [0.5, 1.5]


@pytest.mark.parametrize("largest", [1.0, 0.2])
def test_colours_always_span_0_to_1(largest: float) -> None:
    ax = plot_heatmap(np.full((2, 2), largest), words(2), words(2))
    mesh = ax.collections[0]
    assert isinstance(mesh, QuadMesh)
    assert mesh.get_clim() == (0, 1)


def test_few_cells_have_their_values_written_in() -> None:
    weights = np.array([[1.0, 0.254, 0.004], [0.0, 0.999, 0.05]])
    ax = plot_heatmap(weights, words(2), words(3))
    assert [text.get_text() for text in ax.texts] == ["1", ".25", "", "", "1", ".05"]
    assert [text.get_position() for text in ax.texts[:4]] == [
        *((0.5, 0.5), (1.5, 0.5), (2.5, 0.5)),
        (0.5, 1.5),
    ]
    assert not plot_heatmap(random_weights(17, 17), words(17), words(17)).texts


def test_bools_and_tensors_are_weights_too() -> None:
    mask = torch.ones(3, 3, dtype=torch.bool).tril()
    assert (cells(plot_heatmap(mask, words(3), words(3))) == np.tri(3)).all()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros((4, 2, 3)), r"shape \(4, 2, 3\).*choose one, as weights\[head\]"),
        (np.zeros(3), r"shape \(3,\)"),
        (np.zeros((3, 2)), r"shape \(3, 2\) for 2 queries and 3 keys: pass one query"),
        (np.array([[0.5, 0.5, 0], [0, np.nan, 0]]), "1 of 6 do not.*'word1' reads 'key1', is nan"),
        (np.array([[np.inf, 0, 0], [0, 0, 0]]), "is inf"),
        (np.array([[1, 0, 0], [-0.5, 0, 0]]), "'word1' reads 'key0', is -0.5.*softmax"),
        (np.array([[3.0, 0, 0], [0, 0, 0]]), "between 0 and 1.*is 3"),
    ],
)
def test_what_is_no_attention_of_these_words_is_refused(
    weights: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plot_heatmap(weights, words(2), ["key0", "key1", "key2"])
    assert not plt.get_fignums(), "nothing is opened for it"


def test_no_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        plot_heatmap(np.zeros((0, 2)), [], words(2))


@pytest.mark.parametrize("count", [2, 16, 20, 60, 200])
@pytest.mark.parametrize("given", [True, False])
def test_labels_never_overlap_nor_leave_the_picture(count: int, given: bool) -> None:  # noqa: FBT001 - a case
    ax = plt.subplots(figsize=(5, 4))[1] if given else None
    tokens = [f"a-rather-long-token-{i}" for i in range(count)]
    ax = plot_heatmap(random_weights(count, count), tokens, tokens, ax=ax)
    figure = drawn(ax.figure)
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        named = [label for label in labels if label.get_text()]
        assert named
        for label in named:
            corners = label.get_window_extent().corners().tolist()
            assert all(figure.bbox.padded(1).contains(x, y) for x, y in corners)
        assert all(not overlap(*pair) for pair in pairwise(named))


def overlap(a: Text, b: Text) -> bool:
    """Say whether two labels of one angle stand nearer than their type is high, in points."""
    (ax, ay), (bx, by) = (label.get_transform().transform(label.get_position()) for label in (a, b))
    apart = np.hypot(ax - bx, ay - by) * 72 / 110
    across = np.sin(np.radians(a.get_rotation())) if a.get_rotation() else 1
    return bool(apart * across < a.get_fontsize())


def test_more_labels_are_shown_where_there_is_more_room() -> None:
    ax = plt.subplots(figsize=(4, 4))[1]
    plot_heatmap(random_weights(60, 60), words(60), words(60), ax=ax)
    drawn(ax.figure)
    few = len(ax.get_yticks())
    assert 4 < few < 60
    assert isinstance(ax.figure, Figure)
    ax.figure.set_size_inches(12, 12)
    drawn(ax.figure)
    assert len(ax.get_yticks()) > few
    assert tick_texts(ax)[1][1] == words(60)[int(ax.get_yticks()[1])]


def test_hostile_tokens_and_titles_are_text() -> None:
    count = len(HOSTILE)
    title = r"$\frac{broken$ $x$"
    ax = plot_heatmap(random_weights(count, count), HOSTILE, HOSTILE, title=title)
    drawn(ax.figure)
    assert tick_texts(ax)[1] == [style.literal(token) for token in HOSTILE]
    assert ax.get_title("left") == title


def luminance(colour: Any) -> float:
    return float(((lightness(np.array([to_rgb(colour)]))[0] + 16) / 116) ** 3)


@pytest.mark.parametrize("weight", np.linspace(0, 1, 21).round(2).tolist())
def test_a_value_is_legible_on_its_colour(weight: float) -> None:
    ink, ground = luminance(style.ink_on(weight)), luminance(style.ATTENTION(weight))
    assert (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) > 3.5
    ax = plot_heatmap([[weight]], ["a"], ["b"])
    assert ax.texts[0].get_color() == style.ink_on(weight)


# of a model


def test_cross_attention_has_source_words_in_columns_and_target_words_in_rows(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    source, target = "the dog did not follow it .", "a cat saw these cows"
    ax = visualize_attention_weights(source, model, tokenizer, 1, 0, kind="cross", target=target)
    columns, rows = tick_texts(ax)
    assert columns == [*source.split(), "</s>"]
    reads = ["<s>", *target.split()]
    writes = [*target.split(), "</s>"]
    assert rows == [f"{r} → {w}" for r, w in zip(reads, writes, strict=True)]
    ids = tokenizer.get_vocab()
    src = torch.tensor([[*(ids[word] for word in source.split()), 2]])
    tgt = torch.tensor([[1, *(ids[word] for word in target.split())]])
    with torch.no_grad():
        expected = model.eval().translate(src, tgt).cross_weights[1, 0, 0]
    np.testing.assert_allclose(cells(ax), expected, atol=1e-6)
    assert "writes next" in ax.get_ylabel()


def test_each_kind_is_named_and_has_its_words(
    model: Transformer, tokenizer: PreTrainedTokenizerBase
) -> None:
    arguments = ("the dog saw it .", model, tokenizer, 0, 1)
    encoder = visualize_attention_weights(*arguments)
    assert encoder.get_title("left") == "Encoder self-attention, layer 0, head 1"
    assert tick_texts(encoder) == (["the", "dog", "saw", "it", ".", "</s>"],) * 2
    decoder = visualize_attention_weights(*arguments, kind="decoder", target="a cat .")
    assert tick_texts(decoder)[0] == ["<s>", "a", "cat", "."]
    assert np.triu(cells(decoder), 1).max() == 0, "no token reads a later one"


def test_it_draws_where_it_is_told(model: Transformer, tokenizer: PreTrainedTokenizerBase) -> None:
    ax = plt.subplots()[1]
    assert visualize_attention_weights("a dog", model, tokenizer, 0, 0, ax=ax) is ax


@pytest.mark.parametrize(
    ("sentence", "layer", "head", "message"),
    [
        ("", 0, 0, "empty"),
        ("a xylophone", 0, 0, "xylophone"),
        ("a dog", 2, 0, "layer 2"),
        ("a dog", 0, -1, "head -1"),
        ("dog " * 300, 0, 0, "too long"),
    ],
)
def test_bad_input_is_named_and_opens_no_figure(
    model: Transformer,
    tokenizer: PreTrainedTokenizerBase,
    sentence: str,
    layer: int,
    head: int,
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        visualize_attention_weights(sentence, model, tokenizer, layer, head)
    assert not plt.get_fignums()


# many heads


def test_every_head_has_its_panel() -> None:
    weights = random_weights(4, 3, 5)
    panels = plot_heads(weights, words(3), words(5))
    assert [ax.get_title("left") for ax in panels] == ["head 0", "head 1", "head 2", "head 3"]
    for ax, head in zip(panels, weights, strict=True):
        assert (cells(ax) == head).all()
        assert ax.collections[0].get_clim() == (0, 1)
        assert ax.get_ylim() == (3, 0), "the first query is the top row"
    figure = drawn(panels[0].figure)
    assert len(figure.axes) == 4 + 1, "one colour bar for all"
    assert figure.get_supxlabel() == "the token that is read (key)"
    assert figure.get_supylabel() == "the token that reads (query)"


@pytest.mark.parametrize(
    ("count", "named_below", "named_beside"),
    [(1, {0}, {0}), (2, {0, 1}, {0}), (3, {1, 2}, {0, 2}), (4, {2, 3}, {0, 2})],
)
def test_words_stand_once_beside_each_row_and_below_each_column(
    count: int, named_below: set[int], named_beside: set[int]
) -> None:
    panels = plot_heads(random_weights(count, 3, 3), words(3), words(3))
    assert len(drawn(panels[0].figure).axes) == count + 1, "the panels and the colour bar"
    below = [any(t.label1.get_visible() for t in ax.xaxis.get_major_ticks()) for ax in panels]
    beside = [any(t.label1.get_visible() for t in ax.yaxis.get_major_ticks()) for ax in panels]
    assert {i for i, named in enumerate(below) if named} == named_below
    assert {i for i, named in enumerate(beside) if named} == named_beside


def test_heads_are_drawn_on_given_axes_under_given_titles() -> None:
    axes = plt.subplots(1, 2)[1]
    titles = ["layer 0", r"$\frac{broken$"]
    panels = plot_heads(random_weights(2, 3, 3), words(3), words(3), titles=titles, axes=axes)
    assert list(panels) == list(axes)
    assert [ax.get_title("left") for ax in panels] == titles
    drawn(panels[0].figure)


def test_heads_titles_and_axes_must_be_as_many() -> None:
    weights = random_weights(2, 3, 3)
    with pytest.raises(ValueError, match="2 heads, 1 titles"):
        plot_heads(weights, words(3), words(3), titles=["one"])
    with pytest.raises(ValueError, match="2 heads, 2 titles and 1 axes"):
        plot_heads(weights, words(3), words(3), axes=plt.subplots()[1])
    with pytest.raises(ValueError, match=r"shape \(3, 3\).*for one head use plot_heatmap"):
        plot_heads(weights[0], words(3), words(3))


# one token's reading


def test_each_word_is_as_dark_as_it_is_read() -> None:
    weights = [[0.1, 0.7, 0.2], [0.004, 0.996]]
    sentences = [["it", "saw", "$x$"], ["they", "overwhelmed"]]
    ax = plot_readings(weights, sentences, readers=[0, 1])
    assert [text.get_text() for text in ax.texts] == [
        *("it\n.10", "saw\n.70", "\\$x\\$\n.20"),
        *("they\n", "overwhelmed\n1"),
    ]
    drawn(ax.figure)
    cells = [cell for cell in bars(ax) if cell.get_fill()]
    for cell, text, weight in zip(cells, ax.texts, np.concatenate(weights), strict=True):
        assert cell.get_facecolor() == pytest.approx(style.ATTENTION(weight))
        box, words = cell.get_window_extent(), text.get_window_extent()
        assert box.x0 < words.x0
        assert words.x1 < box.x1
        assert box.y0 < words.y0
        assert words.y1 < box.y1
    outlines = [cell for cell in bars(ax) if not cell.get_fill()]
    assert [o.get_bbox().bounds for o in outlines] == [cells[i].get_bbox().bounds for i in (0, 4)]
    assert tick_texts(ax)[1] == ["it reads", "overwhelmed reads"]


@pytest.mark.parametrize("count", [3, 20, 40])
def test_words_stay_in_their_cells(count: int) -> None:
    short, long = ["a"] * count, [f"word{'s' * (i % 6)}" for i in range(count)]
    ax = plot_readings([np.full(count, 1 / count)] * 2, [short, long], [0, 0])
    drawn(ax.figure)
    cells = [cell.get_window_extent() for cell in bars(ax) if cell.get_fill()]
    for cell, text in zip(cells, ax.texts, strict=True):
        words = text.get_window_extent()
        assert cell.x0 < words.x0
        assert words.x1 < cell.x1


def test_words_of_one_place_stand_below_each_other() -> None:
    sentences = [["a", "b", "c"], ["longer", "b", "c"]]
    ax = plot_readings([np.full(3, 1 / 3)] * 2, sentences, [0, 0])
    left = [cell.get_x() for cell in bars(ax) if cell.get_fill()]
    assert left[:3] == left[3:]


def test_readings_need_a_row_and_a_reader_for_each_sentence() -> None:
    with pytest.raises(ValueError, match="1 rows of weights, 1 sentences and 2 readers"):
        plot_readings([[1.0]], [["it"]], [0, 0])
    with pytest.raises(ValueError, match="at least one"):
        plot_readings([], [], [])
    with pytest.raises(ValueError, match=r"shape \(1, 2\) for 1 queries and 1 keys"):
        plot_readings([[0.5, 0.5]], [["it"]], [0])
    with pytest.raises(ValueError, match="reader 1 for a sentence of 1 tokens"):
        plot_readings([[1.0]], [["it"]], [1])
    with pytest.raises(ValueError, match="'it' reads 'it', is nan"):
        plot_readings([[np.nan]], [["it"]], [0])


# training


def history(steps: int = 200, **measured: float) -> pd.DataFrame:
    step = np.arange(1, steps + 1)
    table = pd.DataFrame({"step": step, "epoch": 1, "loss": 5.0 - step / steps})
    for name, value in measured.items():
        table.loc[[steps // 2 - 1, steps - 1], name] = [value / 2, value]
    return table


def test_the_loss_is_drawn_raw_and_smooth() -> None:
    run = history()
    ax = plot_loss(run)
    raw, smooth = ax.lines
    assert points(raw) == run[["step", "loss"]].to_numpy().tolist()
    assert np.asarray(smooth.get_ydata())[100] == pytest.approx(
        run["loss"][99:103].mean(), abs=0.01
    )
    assert ax.get_xlabel() == "training step"
    assert isinstance(ax.figure, Figure)
    assert ax.figure.axes == [ax]


def test_held_out_shares_are_dots_where_they_were_measured() -> None:
    ax = plot_loss(history(exact=0.9, pronoun=0.6))
    assert isinstance(ax.figure, Figure)
    _, below = ax.figure.axes
    assert [line.get_label() for line in below.lines] == ["whole sentence right", "pronoun right"]
    assert [points(line) for line in below.lines] == [
        [[100, 0.45], [200, 0.9]],
        [[100, 0.3], [200, 0.6]],
    ]
    drawn(ax.figure)
    assert ax.get_position().y0 > below.get_position().y1, "below, and not over it"
    assert ax.get_xlim() == below.get_xlim()
    assert "100 %" in tick_texts(below)[1]


def test_one_step_is_a_history() -> None:
    drawn(plot_loss(history(steps=2)[:1]).figure)


def test_the_loss_stays_in_its_place_in_a_grid() -> None:
    figure, (left, right) = plt.subplots(1, 2)
    assert plot_loss(history(exact=1.0), ax=left) is left
    drawn(figure)
    below = figure.axes[2]
    assert below.get_position().x1 < right.get_position().x0


def test_what_is_no_history_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\['steps'\] and 1 rows: pass what train_model returned"):
        plot_loss(pd.DataFrame({"steps": [1]}))
    with pytest.raises(ValueError, match="0 rows"):
        plot_loss(history()[:0])
    with pytest.raises(ValueError, match=r"make it with plt\.subplots"):
        plot_loss(history(exact=1.0), ax=plt.figure().add_axes((0, 0, 1, 1)))


# attention received


def test_bars_are_as_high_as_the_attention_received() -> None:
    ax = plot_received([0.1, 0.6, 0.3], ["the", "the", "$x$"])
    assert [bar.get_height() for bar in bars(ax)] == [0.1, 0.6, 0.3]
    assert tick_texts(ax)[0] == ["the", "the", r"\$x\$"]
    assert [bar.get_x() + bar.get_width() / 2 for bar in bars(ax)] == pytest.approx(ax.get_xticks())
    (even,) = ax.lines
    assert [y for _, y in points(even)] == pytest.approx([1 / 3, 1 / 3])
    assert [text.get_text() for text in ax.texts] == ["even share, 1/3"]
    dark = [bar.get_facecolor() == mpl.colors.to_rgba(style.BLUE) for bar in bars(ax)]
    assert dark == [False, True, False]


def test_bars_need_a_token_each() -> None:
    with pytest.raises(ValueError, match="for 1 queries and 2 keys"):
        plot_received([0.1, 0.6, 0.3], ["the", "dog"])
    with pytest.raises(ValueError, match="average token' reads 'dog', is nan"):
        plot_received([0.1, np.nan], ["the", "dog"])


# tables of shares


SCORES = pd.DataFrame(
    {"trained": [1.0, 0.98], "untrained": [0.3, 0.12], "best fixed offset": [np.nan, 0.23]},
    index=["determiner-noun", "pronoun-antecedent"],
)


def test_each_score_stands_in_the_row_of_its_relation() -> None:
    ax = plot_scoreboard(SCORES)
    assert tick_texts(ax)[1] == list(SCORES.index)
    for line, name in zip(ax.lines, SCORES, strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal([x for x, _ in points(line)], SCORES[name])
        assert [round(y) for _, y in points(line)] == [0, 1]
    assert len({line.get_marker() for line in ax.lines}) == 3
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first relation is on top"
    assert tick_texts(ax)[0][-1] == "100 %"
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(SCORES.columns)


def test_no_mark_hides_another() -> None:
    ax = plot_scoreboard(pd.DataFrame({"a": [1.0], "b": [1.0], "c": [1.0]}, index=["relation"]))
    drawn(ax.figure)
    heights = [line.get_transform().transform(points(line))[0, 1] for line in ax.lines]
    assert (-np.diff(heights) * 72 / 110 > 6).all(), "points"


KNOCKOUT = pd.DataFrame(
    {"guided": [1.0, 0.57, 1.0], "unguided": [1.0, 0.78, 0.996]},
    index=["nothing", "its antecedent", "the other noun"],
)


def test_bars_stand_in_groups_of_what_may_not_be_read() -> None:
    ax = plot_knockout(KNOCKOUT, chance=0.4)
    groups = np.reshape(np.array(bars(ax), dtype=object), (2, 3))
    heights = [[bar.get_height() for bar in model] for model in groups]
    assert heights == KNOCKOUT.T.to_numpy().tolist()
    for model in groups:
        assert [round(bar.get_x() + bar.get_width() / 2) for bar in model] == [0, 1, 2]
    assert tick_texts(ax)[0] == list(KNOCKOUT.index)
    assert [y for _, y in points(ax.lines[0])] == [0.4, 0.4]
    said = [text.get_text() for text in ax.texts]
    assert said == ["100 %", "57 %", "100 %", "100 %", "78 %", "99.6 %", "chance, 40 %"]


@pytest.mark.parametrize("plot", [plot_scoreboard, plot_knockout])
def test_what_are_no_shares_is_refused(plot: Callable[[pd.DataFrame], Axes]) -> None:
    with pytest.raises(ValueError, match=r"got 97: divide per cents by 100"):
        plot(pd.DataFrame({"a": [0.5, 97]}))
    with pytest.raises(ValueError, match="0 rows and 1 columns"):
        plot(pd.DataFrame({"a": []}))


# the leak test


def test_a_sound_decoder_has_no_leak() -> None:
    ax = plot_leak(np.tri(4), words(4))
    assert ax.get_title("left") == "No output moves when a later token is changed"
    assert np.nan_to_num(cells(ax)).tolist() == np.tri(4).tolist()
    assert np.isnan(cells(ax, mesh=1)).all()
    assert ax.get_xlabel() == "the token that is changed"
    assert ax.get_ylabel() == "the output at this token"


def test_a_leak_lights_up_where_it_is() -> None:
    moved = np.tri(4)
    moved[0, 2], moved[1, 3], moved[2, 3] = 0.001, 0.5, 1e-7  # the last is rounding
    ax = plot_leak(moved, words(4))
    leaks = cells(ax, mesh=1)
    assert np.argwhere(~np.isnan(leaks)).tolist() == [[0, 2], [1, 3]]
    assert ax.get_title("left").startswith("LEAK: 2 of 6 times")
    mesh = ax.collections[1]
    drawn(ax.figure)
    shown = np.asarray(mesh.get_facecolor()).reshape(4, 4, 4)
    red, green, blue, opacity = shown[0, 2]
    assert opacity == 1
    assert red > green > blue, "orange, however little it moves"
    assert (shown[np.isnan(leaks)][:, 3] == 0).all()


def test_what_is_hatched_is_the_future() -> None:
    ax = plot_leak(np.tri(5), words(5))
    hatched, edge = (patch for patch in ax.patches if isinstance(patch, Polygon))
    assert hatched.get_hatch()
    assert not edge.get_hatch()
    for patch in (hatched, edge):
        inside = [
            [patch.get_path().contains_point((column + 0.5, row + 0.5)) for column in range(5)]
            for row in range(5)
        ]
        assert (np.array(inside) == ~np.tri(5, dtype=bool)).all()


@pytest.mark.parametrize(
    ("moved", "message"),
    [
        (np.zeros((2, 3)), r"shape \(2, 3\) for 3 tokens"),
        (np.full((3, 3), np.nan), "finite and at least 0"),
        (np.full((3, 3), np.inf), "finite and at least 0"),
        (np.full((3, 3), -1.0), "finite and at least 0"),
    ],
)
def test_what_are_no_moves_is_refused(moved: NDArray[np.float64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot_leak(moved, words(3))


def test_a_title_stands_above_the_finding() -> None:
    lines = plot_leak(np.ones((2, 2)), words(2), title="$no$ mask").get_title("left").split("\n")
    assert lines == ["$no$ mask", "LEAK: 1 of 1 times, a later token moves an output"]


def test_nothing_moves_in_one_token() -> None:
    drawn(plot_leak([[0.0]], ["<s>"]).figure)


# all of them


ON_AXES: dict[str, Callable[[Axes | None], Axes]] = {
    "heatmap": lambda ax: plot_heatmap(np.eye(3), words(3), words(3), ax=ax),
    "readings": lambda ax: plot_readings([[0.5, 0.5]], [["it", "saw"]], [0], ax=ax),
    "loss": lambda ax: plot_loss(history(exact=1.0), ax=ax),
    "received": lambda ax: plot_received(np.full(3, 1 / 3), words(3), ax=ax),
    "scoreboard": lambda ax: plot_scoreboard(SCORES, ax=ax),
    "leak": lambda ax: plot_leak(np.eye(3), words(3), ax=ax),
    "knockout": lambda ax: plot_knockout(KNOCKOUT, ax=ax),
}


@pytest.mark.parametrize("plot", ON_AXES.values(), ids=ON_AXES)
def test_a_picture_is_drawn_on_the_axes_given_or_on_one_new_figure(
    plot: Callable[[Axes | None], Axes],
) -> None:
    new = plot(None)
    assert plt.get_fignums() == [1]
    drawn(new.figure)
    given = plt.subplots(figsize=(4, 3))[1]
    assert plot(given) is given
    assert plt.get_fignums() == [1, 2]
    drawn(given.figure)


def test_a_head_of_a_trace_tells_what_is_hidden() -> None:
    side = Side(["[CLS]", "dog", "cow"], [True, False, False])
    weights = torch.tensor([[[1, 0, 0], [0.5, 0.2, 0.3], [0.25, 0.5, 0.25]]])
    layers: dict[str, dict[int, Layer]] = {"encoder": {0: WeighedLayer("encoder", weights)}}
    seen = Trace(side, Side(), [], layers, {"encoder": 1})
    ax = plot_attention(seen.hide(), layer=0, head=0)
    title, hidden = (ax.get_title(loc="left") or ax.get_title()).split("\n")
    assert title == "Encoder self-attention, layer 0, head 0"
    assert hidden == "38% of the attention goes to hidden tokens"  # (0.5 + 0.25) / 2
    assert [label.get_text() for label in ax.get_xticklabels()] == ["dog", "cow"]
    assert "\n" not in plot_attention(seen, layer=0, head=0).get_title()


def test_every_picture_is_tested() -> None:
    """Here, or beside what it is a picture of."""
    folder = Path(style.__file__).parent
    sources = "\n".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    tests = Path(__file__).parents[1].rglob("test_*.py")
    tested = "\n".join(path.read_text("utf-8") for path in tests)
    pictures = re.findall(r"^def (plot_\w+)", sources, re.MULTILINE)
    assert len(pictures) >= 10
    assert [name for name in pictures if f"{name}(" not in tested] == ["plot_held_out"]
