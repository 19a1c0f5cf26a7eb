# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Seeing
#
# A heatmap over a picture looks like an answer to *where did it look?* Is it one? Here the right place is known: pictures
# are drawn, and questions about them have one answer, which stands in one patch. A small Transformer learns to answer in
# half a minute. It is told the answers, **never where to look**. Then it is opened.
#
# ## 1. Scenes whose answer key is known
#
# A picture has 4 x 4 patches of 8 x 8 pixels. One circle, square, triangle and cross lie in patches drawn by lot, a dot in
# every other one, each in one of six colours, each a little moved, with some noise on every pixel. Of each shape two things are asked:
# *what is its colour?* (`colour of the circle ?`) and *what is the colour of what lies below it?* (`colour below the circle ?`).
# The patch that holds the answer is the **gold** patch. For the second question it is not the patch of the shape that is **named**.

# %% jupyter={"source_hidden": true}
from collections.abc import Callable
from contextlib import nullcontext

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from matplotlib.patches import Rectangle
from torch import Tensor, nn

import regard
from regard.evidence.intervals import share_interval
from regard.evidence.strongest import most_read
from regard.lessons.scenes import (
    COLOURS,
    KINDS,
    PATCH,
    QUESTION_IDS,
    QUESTIONS,
    RELATIONS,
    ROW,
    WORDS,
    draw_scenes,
    painted_over,
    patch_boxes,
    patch_names,
    unread_by_patches,
    unread_by_words,
)
from regard.pictures.on_image import draw_on_image
from regard.pictures.style import INK, use_style

use_style()
torch.set_num_threads(1)  # threads of so small a model wait for each other

# %% alt="Three drawn scenes of 16 patches, each with a question, its answer and a frame round the gold patch"
SEED, STEPS, HELD_OUT = 0, 1_000, 500
COLOUR_NAMES = list(COLOURS)
NUM_QUESTIONS = len(QUESTIONS)
BELOW = len(KINDS)  # the first question of its kind: below the circle
held_out = draw_scenes(HELD_OUT, torch.Generator().manual_seed(10_000 + SEED))


def frame(ax: plt.Axes, patch: int, style: str = "-") -> None:
    """Draw a frame round a patch of a picture."""
    box = patch_boxes()[patch]
    corner = (box.left, box.top)
    ax.add_patch(Rectangle(corner, PATCH, PATCH, fill=False, ec=INK, lw=1.8, ls=style))


_, axes = plt.subplots(1, 3, figsize=(8, 2.7))
for number, (ax, question) in enumerate(zip(axes, (0, 4, 6), strict=True)):
    ax.imshow(held_out.pixels[number].numpy(), extent=(0, ROW * PATCH, ROW * PATCH, 0))
    frame(ax, int(held_out.gold[number, question]))
    answer = COLOUR_NAMES[held_out.answers[number, question]]
    ax.set_title(f"{QUESTIONS[question]}\n{answer}")
    ax.set_axis_off()
plt.show()

# %% [markdown]
# ## 2. A Transformer that looks
#
# A patch becomes a vector by a small network that sees nothing else, and learns vectors for its row and its column. Two
# encoder layers let patches read each other. Then the five words of the question read: first those before them, then the patches. At
# the last word, `?`, the answer is read off. `regard` needs to know nothing of these classes.

# %%
# include: regard.lessons.seer.SIZE

# include: regard.lessons.seer.NUM_HEADS

# include: regard.lessons.seer.Attention
# include: regard.lessons.seer.Layer
# include: regard.lessons.seer.Seer

# %% [markdown]
# ## 3. Half a minute of training
#
# Each step draws new scenes and asks all eight questions about each. The loss is that of the answers and nothing else. On
# the way, held-out scenes are asked.

# %% alt="Two curves against the training step: the share of answers that are right for each kind of question, beside guessing"
# include: regard.lessons.seer.NUM_SCENES

# include: regard.lessons.seer.WARM_UP

# include: regard.lessons.seer.train_seer


def answers_right(model: nn.Module, scenes: object) -> np.ndarray:
    """Ask all questions about each scene: (scenes, questions), true where the answer is right."""
    with torch.no_grad():
        patches = model.look(scenes.pixels).repeat_interleave(NUM_QUESTIONS, dim=0)
        scores = model.answer(patches, QUESTION_IDS.repeat(len(scenes.pixels), 1))
    return (scores.argmax(-1).view(-1, NUM_QUESTIONS) == scenes.answers).numpy()


def by_relation(per_question: np.ndarray) -> dict[str, np.ndarray]:
    """Part (scenes, questions) by what is asked: of the shape, or below it."""
    parts = np.split(per_question, len(RELATIONS), axis=1)
    return dict(zip(RELATIONS, parts, strict=True))


torch.manual_seed(SEED)
untrained = Seer().eval()
model = Seer()
model.load_state_dict(untrained.state_dict())
some = type(held_out)(*(part[:100] for part in held_out))
curve = {}


def note(step: int) -> None:
    """Count right answers every 50 steps."""
    if step % 50 == 0:
        curve[step] = {
            name: part.mean() for name, part in by_relation(answers_right(model, some)).items()
        }


train_seer(model, STEPS, seed=SEED, watch=note)
model.eval()
note(STEPS)
ax = pd.DataFrame(curve).T.plot(figsize=(7, 2.6), xlabel="training step", ylabel="answers right")
ax.axhline(1 / len(COLOURS), ls="--", color="grey", lw=1)
ax.yaxis.set_major_formatter("{x:.0%}")
ax.set(ylim=(0, 1.05), xlim=(0, STEPS))
plt.show()

# %%
right = by_relation(answers_right(model, held_out))
counts = torch.nn.functional.one_hot(held_out.colours, len(COLOURS)).sum(1)  # (scenes, colours)
most_in_scene = (counts.argmax(1)[:, None] == held_out.answers).numpy()
guesses = {
    "trained": right,
    "untrained": by_relation(answers_right(untrained, held_out)),
    "the colour that the scene has most": by_relation(most_in_scene),
}


def with_interval(part: np.ndarray) -> str:
    """Write a share with its 95 % interval, which resamples scenes."""
    low, high = share_interval(part.sum(1), np.full(len(part), part.shape[1]))
    return f"{part.mean():.1%} ({low:.1%} to {high:.1%})"


pd.DataFrame(
    {
        name: {relation: with_interval(part) for relation, part in parts.items()}
        for name, parts in guesses.items()
    }
).T

# %% [markdown]
# ## 4. Where does each word look?
#
# `regard.trace` runs the model once and keeps what every head did. The patches get their places in the picture.
# Below is one scene and one question: what each word reads in the head in which `?` reads the gold patch most often (section 5). The darker, the more; each panel is coloured up to its own largest weight. The frame is the gold patch, dotted the named shape's.


# %%
def look(pixels: Tensor, question: int, model: nn.Module) -> regard.Trace:
    """Trace one question about one picture, with the patches in their places."""
    seen = regard.trace(
        (pixels[None], QUESTION_IDS[[question]]),
        model,
        tokens=patch_names(),
        target_tokens=QUESTIONS[question].split(),
    )
    return regard.place(seen, patch_boxes(), images=pixels.numpy())


def readings(number: int, question: int) -> list[tuple[str, str, int, int]]:
    """Say who should read what, if heads did what we would: (name, kind, reader, read)."""
    gold, named = int(held_out.gold[number, question]), int(held_out.asked[number, question])
    if question < BELOW:
        return [("of: ? reads the gold patch", "cross", 4, gold)]
    return [
        ("below: ? reads the gold patch", "cross", 4, gold),
        ("below: ? reads the named shape", "cross", 4, named),
        ("below: the gold patch reads the named shape", "encoder", gold, named),
    ]


def answers_of(model: nn.Module) -> object:
    """Ask every head for these patches, one question a scene."""
    asked = [(number, number % NUM_QUESTIONS) for number in range(HELD_OUT)]
    traces = (look(held_out.pixels[number], question, model) for number, question in asked)
    return regard.collect_answers(traces, [readings(*one) for one in asked])


answers = answers_of(model)
board = regard.scoreboard(answers, untrained=answers_of(untrained), least=5)
best = board[board["direction"] == "reads"].set_index("name")
HEAD = int(best.loc["below: ? reads the gold patch", "head"])

# %% alt="Attention: the words of a question, each over the picture that it reads, in one head"
SCENE = int(np.flatnonzero(right["below"][:, 0])[0])  # the first that is answered right
seen = look(held_out.pixels[SCENE], BELOW, model)


def plot_over(ax: plt.Axes, seen: regard.Trace, weights: np.ndarray, title: str) -> None:
    """Draw what is read over the greyed picture, a square a patch."""
    draw_on_image(seen.media.pictures[0], patch_boxes(), weights, ax)
    frame(ax, int(held_out.gold[SCENE, BELOW]))
    frame(ax, int(held_out.asked[SCENE, BELOW]), ":")
    ax.set_title(title)
    ax.set_axis_off()


words = QUESTIONS[BELOW].split()
_, axes = plt.subplots(1, len(words) + 1, figsize=(10, 2.1))
axes[0].imshow(held_out.pixels[SCENE].numpy())
axes[0].set_title("the picture")
axes[0].set_axis_off()
for ax, word, row in zip(axes[1:], words, seen.weights(0, HEAD, kind="cross"), strict=True):
    plot_over(ax, seen, row, f"{word}  (up to {row.max():.2f})")
plt.show()

# %% jupyter={"source_hidden": true}
told = COLOUR_NAMES[int(model(held_out.pixels[[SCENE]], QUESTION_IDS[[BELOW]]).argmax())]
gold, named = int(held_out.gold[SCENE, BELOW]), int(held_out.asked[SCENE, BELOW])
row = seen.weights(0, HEAD, kind="cross")[-1]
display(
    Markdown(
        f"The model answers **{told}**, which is right. In head {HEAD}, `?` reads patch {patch_names()[int(row.argmax())]} most, {row.max():.2f}; "
        f"the gold patch is {patch_names()[gold]} ({row[gold]:.2f}), the named circle lies in {patch_names()[named]} ({row[named]:.2f}). "
        "One picture is a case, not a finding."
    )
)

# %% [markdown]
# ## 5. How often?
#
# One question about each held-out scene. The best head is chosen on one half of them and counted on the other; intervals
# resample scenes. Beside it: the one patch that is gold most often (`offset_share`: `?` always stands at the same place, so a
# fixed offset is a fixed patch), and the best head of the untrained model. A `finding` is more than both could be by chance.

# %%
columns = ["name", "direction", "layer", "head", "count", "share", "low", "high", "weight"]
columns += ["offset_share", "untrained_share", "p_value", "finding"]
board[columns].round(3)

# %% jupyter={"source_hidden": true}
at = answers.groups()["below: ? reads the gold patch", "cross", "reads"]
of_scene = answers.readings["sentence"].to_numpy()[at]
cases = pd.DataFrame(
    {
        "the gold patch holds": [
            "a shape" if held_out.gold[n, n % NUM_QUESTIONS] in held_out.shapes[n] else "a dot"
            for n in of_scene
        ],
        "read most": answers.right(at, "cross")[:, HEAD],
        "answer right": right["below"][of_scene, of_scene % NUM_QUESTIONS - BELOW],
    }
)
cases["right, and another patch read most"] = cases["answer right"] & ~cases["read most"]
astray = cases.loc[cases["right, and another patch read most"], "the gold patch holds"]
display(
    Markdown(
        f"When does this head (cross-attention, head {HEAD}) miss? In {len(astray)} of {len(cases)} scenes it reads another patch most, and the answer to *below* is right all the same; "
        f"in {(astray == 'a shape').sum()} of these {len(astray)} the gold patch itself holds one of the four shapes. Asked after the fact, on all scenes, "
        "so this is a hint, no finding."
    )
)
cases.groupby("the gold patch holds").agg(["mean", "sum"]).round(3)

# %% [markdown]
# ## 6. Does the answer need it?
#
# A link is cut by `regard.block`, a head by `regard.ablate`, and a patch can be painted over before the model sees it. If
# the heatmap told all, then only the patch that it points at would matter.


# %% alt="Bars: the share of right answers to both kinds of questions with everything in place, and without each of several links, heads and patches"
def knocked_out(relation: str) -> dict[str, np.ndarray]:
    """Ask the questions of one kind with something missing: right or not, (scenes, 4)."""
    of_relation = by_relation(np.arange(NUM_QUESTIONS)[None])[relation][0]
    pixels = held_out.pixels.repeat_interleave(len(KINDS), dim=0)
    questions = QUESTION_IDS[of_relation].repeat(HELD_OUT, 1)
    gold, named = (part[:, of_relation].flatten() for part in (held_out.gold, held_out.asked))
    other = (gold + ROW * 2) % ROW**2  # neither of the two
    head = ("cross", 0, int(best.loc[f"{relation}: ? reads the gold patch", "head"]))
    before = torch.ones(len(gold), questions.size(1), ROW**2, dtype=torch.bool)
    before[:, -1] = False  # the ? may read

    def cut(patches: Tensor) -> object:
        return regard.block(model, unread_by_words(patches), kind="cross")

    trials = {
        "nothing": (pixels, nullcontext()),
        "links to the gold patch": (pixels, cut(gold)),
        "links to the named shape": (pixels, cut(named)),
        "links to another patch": (pixels, cut(other)),
        "links of the words before ?": (pixels, regard.block(model, before, kind="cross")),
        "the best head": (pixels, regard.ablate(model, [head])),
        "gold patch, painted over": (painted_over(pixels, gold), nullcontext()),
        "named shape, painted over": (painted_over(pixels, named), nullcontext()),
    }
    results = {}
    for name, (shown, missing) in trials.items():
        with torch.no_grad(), missing:
            told = model(shown, questions).argmax(-1).view(HELD_OUT, -1)
        results[name] = (told == by_answers(relation)).numpy()
    return results


def by_answers(relation: str) -> Tensor:
    """Give the right answers to the questions of one kind: (scenes, 4)."""
    return torch.from_numpy(by_relation(held_out.answers.numpy())[relation])


results = {relation: knocked_out(relation) for relation in RELATIONS}
shares = pd.concat(
    {
        relation: pd.Series({name: part.mean() for name, part in parts.items()})
        for relation, parts in results.items()
    },
    names=["relation", "missing"],
).reset_index(name="share")
_, ax = plt.subplots(figsize=(8, 4.4))
sns.barplot(shares, x="share", y="missing", hue="relation", ax=ax)
for bars in ax.containers:
    ax.bar_label(bars, fmt="{:.1%}", padding=3, fontsize=8)
ax.axvline(1 / len(COLOURS), ls="--", color=INK, lw=1)
ax.xaxis.set_major_formatter("{x:.0%}")
ax.set(
    xlabel="answers right (dashed: guessing among six colours)",
    ylabel="what is missing",
    xlim=(0, 1),
)
sns.move_legend(ax, "center left", bbox_to_anchor=(1.08, 0.5), title="", frameon=False)
plt.show()

# %% jupyter={"source_hidden": true}
below = results["below"]
looks = best.loc["below: ? reads the named shape"]
display(
    Markdown(
        f"Asked what lies *below* a shape, does `?` look at the shape? The head that does so most often reads it most in {looks['share']:.1%} "
        f"({looks['low']:.1%} to {looks['high']:.1%}) of {looks['count']} scenes. Without all links from the words to it, "
        f"{with_interval(below['links to the named shape'])} of the answers are right, with all links {with_interval(below['nothing'])}. "
        f"With the shape itself painted over, it is {with_interval(below['named shape, painted over'])}. "
        + (
            "**So the model needs a patch that its words need not read: the heatmap shows where the answer stands, not how it was found.**"
            if below["links to the named shape"].mean() - below["named shape, painted over"].mean()
            > 0.2
            else "In this run, the two do not lie far apart."
        )
        + "\n\nThe words before `?` look somewhere, too, and their pictures are as colourful. Without all of their links to the picture, "
        f"{with_interval(below['links of the words before ?'])} are right. The way the model is built, nothing that they read there can reach the answer."
    )
)

# %% [markdown]
# ## 7. One floor down
#
# How does `?` find the patch below the circle, if it does not read the circle? Before words read anything, patches have read
# each other. So the encoder's heads are asked: does the gold patch read the named shape, which lies above it?

# %% alt="Attention: what the gold patch reads in the encoder's best head, over the picture, beside what the question mark reads"
found = best.loc["below: the gold patch reads the named shape"]
LAYER, FOUND = int(found["layer"]), int(found["head"])
_, axes = plt.subplots(1, 3, figsize=(8, 2.7))
axes[0].imshow(held_out.pixels[SCENE].numpy())
axes[0].set_title("the picture")
axes[0].set_axis_off()
plot_over(axes[1], seen, row, f"words: what ? reads,\nhead {HEAD}")
upper = seen.weights(LAYER, FOUND)[gold]
plot_over(axes[2], seen, upper, f"encoder: what the gold patch\nreads, layer {LAYER}, head {FOUND}")
plt.show()

# %% jupyter={"source_hidden": true}
pixels = held_out.pixels.repeat_interleave(len(KINDS), dim=0)
questions = QUESTION_IDS[BELOW:].repeat(HELD_OUT, 1)
golds, nameds = (part[:, BELOW:].flatten() for part in (held_out.gold, held_out.asked))
unlinked = {}
for name, read in {"the named shape": nameds, "itself": golds}.items():
    with torch.no_grad(), regard.block(model, unread_by_patches(golds, read), kind="encoder"):
        told = model(pixels, questions).argmax(-1).view(HELD_OUT, -1)
    unlinked[name] = (told == by_answers("below")).numpy()
reads_above = {"a shape": [], "a dot": []}
for number in range(HELD_OUT // 5):
    strongest = most_read(look(held_out.pixels[number], 0, model), LAYER, FOUND)
    for patch in range(ROW, ROW**2):
        above = "a shape" if patch - ROW in held_out.shapes[number] else "a dot"
        reads_above[above].append(strongest[patch] == patch - ROW)
display(
    Markdown(
        f"In layer {LAYER}, head {FOUND} of the encoder, the gold patch reads the named shape most in {found['share']:.1%} ({found['low']:.1%} to "
        f"{found['high']:.1%}) of {found['count']} scenes; the best fixed offset, *{int(found['offset'])}*, finds it in {found['offset_share']:.1%}: "
        f"the shape always lies one row above, so this share alone cannot tell whether a head reads a place or a shape. In {HELD_OUT // 5} scenes, a patch with a shape "
        f"above it reads it most in {np.mean(reads_above['a shape']):.1%}, one with a dot above it in {np.mean(reads_above['a dot']):.1%}.\n\n"
        f"Is it needed? When the gold patch may not read the named shape, in all layers and heads of the encoder, {with_interval(unlinked['the named shape'])} of the "
        f"answers are right; when it may not read itself, {with_interval(unlinked['itself'])}. With all links it is {with_interval(right['below'])}."
    )
)

# %% [markdown]
# ## 8. Other seeds
#
# `make seeds` trains this model from five seeds, and a twin without the encoder, in which each patch is read as it is, and
# writes what came out, good or bad. Each dot is a seed.

# %% alt="Dots of five seeds for the model and its twin without encoder, for both kinds of questions: answers right, how often the best head reads the gold patch, and answers right with links cut and patches painted over"
seeds = pd.read_csv("seeing_seeds.csv")
measures = ["right", "best head: gold patch", "words may not read gold patch"]
measures += ["words may not read named shape", "named shape painted over"]
dots = seeds.melt(["model", "relation", "seed"], measures, "measure", "share")
_, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for ax, relation in zip(axes, RELATIONS, strict=True):
    part = dots[dots["relation"] == relation]
    sns.stripplot(
        part,
        x="share",
        y="measure",
        hue="model",
        dodge=True,
        jitter=False,
        size=7,
        alpha=0.7,
        ax=ax,
    )
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.set(
        title=relation, xlabel="of questions about held-out scenes", ylabel="", xlim=(-0.03, 1.03)
    )
axes[0].legend().remove()
sns.move_legend(axes[1], "center left", bbox_to_anchor=(1, 0.5), title="", frameon=False)
plt.show()

# %%
means = (
    seeds.drop(columns=["seed", "finding"])
    .groupby(["model", "relation"], sort=False)
    .agg(["mean", "min"])
)
parts = {name: means.xs(name, axis=1, level=1).T for name in ("mean", "min")}
is_time = parts["mean"].index == "seconds"
written = parts["mean"].map("{:.1%}".format) + parts["min"].map(" ({:.1%})".format)
written[is_time] = parts["mean"][is_time].map("{:.0f}".format) + parts["min"][is_time].map(
    " ({:.0f})".format
)
written.where(parts["mean"].notna(), "")

# %% [markdown]
# ## 9. What this run found

# %% jupyter={"source_hidden": true}
of_seeds = seeds[seeds["model"] == "encoder"].set_index("relation")
twin = seeds[seeds["model"] == "no encoder"].set_index("relation")


def spread(table: pd.DataFrame, relation: str, name: str) -> str:
    """Give the lowest and the highest of the seeds."""
    values = table.loc[[relation], name]
    return f"{values.min():.0%} to {values.max():.0%}"


shown = best.loc["below: ? reads the gold patch"]
display(
    Markdown(
        f"""
| does the picture show ... | this run | five seeds |
| --- | --- | --- |
| ... where the answer to *of* stands? The best head of `?` reads the gold patch most | {best.loc["of: ? reads the gold patch", "share"]:.1%} | {spread(of_seeds, "of", "best head: gold patch")} |
| ... where the answer to *below* stands? The same | {shown["share"]:.1%} | {spread(of_seeds, "below", "best head: gold patch")} |

| what the picture cannot show: answers to *below* that are right ... | this run | five seeds |
| --- | --- | --- |
| ... without the words' links to the named shape | {below["links to the named shape"].mean():.1%} | {spread(of_seeds, "below", "words may not read named shape")} |
| ... with the named shape painted over | {below["named shape, painted over"].mean():.1%} | {spread(of_seeds, "below", "named shape painted over")} |
| ... without the head whose picture is the best | {below["the best head"].mean():.1%} | {spread(of_seeds, "below", "without best head")} |
| ... where patches cannot read each other (no encoder) | | {spread(twin, "below", "right")} |
"""
    )
)

# %% [markdown]
# ## 10. References
#
# - Dosovitskiy, A., et al. (2021). An image is worth 16x16 words. *ICLR*. (Section 2: patches as tokens.)
# - Geva, M., et al. (2023). Dissecting recall of factual associations in auto-regressive language models. *EMNLP*.
#   (Section 6: taking links away.)
# - Jain, S., & Wallace, B. C. (2019). Attention is not explanation. *NAACL-HLT*. Wiegreffe, S., & Pinter, Y. (2019).
#   Attention is not not explanation. *EMNLP-IJCNLP*.
# - Zeiler, M. D., & Fergus, R. (2014). Visualizing and understanding convolutional networks. *ECCV*. (Section 6: covering
#   a part of the picture.)
