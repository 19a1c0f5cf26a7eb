"""The command line: `regard notebook`, `table`, `view`, `doctor`, `scoreboard`, `reproduce`.

What is slow to load is imported where it is used, so that `regard --help` is quick.
"""

import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import regard
from regard.lessons.shipped import lab_environment, place_notebooks, root_options
from regard.record.whole import check_place
from regard.tracing.loading import is_on_hub, load, one_line, silence

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from regard.record.kinds import Head
    from regard.record.trace import Trace
    from regard.viewer.opening import Opening

IN_OPTIONS = {  # what messages tell who writes Python, and what they tell here
    r"trace again with layers=\[(\d+)\], or without layers= to keep all": (
        r"name it too, with --keep-layer \1, or leave --keep-layer out to keep all"
    ),
    r"with layers=\[\.\.\.\] or heads=\[\.\.\.\]; coarser, with pixels=256; ": (
        "with --keep-layer 0; coarser, with --pixels 256; "
    ),
    r"trace a shorter text; or allow more, with largest=\.\.\. bytes": "or read a shorter text",
    "^layers, heads and pixels are": "--pixels is",
    "leave them out, and select another head first if you want it": (
        "leave it out, and choose the head with --layer and --head"
    ),
    "leave target out": "leave --target out",
    "pass target=": "pass --target",
    r"more sentences, or a smaller `least`": "more, with --sentences, or a smaller --least",
    r"pass decoder_input_ids among the tensors": "trace it in Python, with decoder_input_ids",
    r"trace text with its tokenizer, `regard\.trace\(.*?\)`": "leave --words out",
    r"`regard\.doctor\(.*?\)`": "`regard doctor TEXT --model NAME`",
    r"decode it anew, such as by `.*`": "type it anew, or save it as UTF-8",
}

Text = Annotated[
    str | None, typer.Argument(help="What the model reads; - takes it from standard input.")
]
File = Annotated[
    Path | None, typer.Option(help="Read the text from this file, in UTF-8; - as above.")
]
Model = Annotated[
    str, typer.Option(help="A folder, a .gguf file, or a name on the Hugging Face hub.")
]
Kind = Annotated[
    str | None, typer.Option(help='"encoder", "decoder" or "cross"; else the first there is.')
]
Words = Annotated[bool, typer.Option("--words", help="Merge sub-words to words.")]
NoSpecial = Annotated[bool, typer.Option("--no-special", help="Hide [CLS], </s> and the like.")]
Target = Annotated[
    str | None, typer.Option(help="What the decoder beside an encoder reads; else what it writes.")
]

app = typer.Typer(no_args_is_help=True, add_completion=False)


def print_version(asked: bool) -> None:  # noqa: FBT001 - typer hands the flag over like this
    """Print the version and leave."""
    if asked:
        typer.echo(regard.__version__)
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """See what a Transformer attends to."""


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def notebook(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Where they are, or are copied to.")] = Path(),
    *,
    copy: Annotated[
        bool, typer.Option("--copy", help="Only copy them, for another Jupyter, or Colab.")
    ] = False,
) -> None:
    """Open the notebooks in JupyterLab; options that follow are handed on to it."""
    if not copy and find_spec("jupyterlab") is None:
        typer.echo("JupyterLab is not installed: pip install 'regard[notebook]'", err=True)
        raise typer.Exit(1)
    try:
        path = place_notebooks(folder)
    except OSError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error
    if copy:
        typer.echo(f"the notebooks and what they read are in {path.parent.resolve()}")
        return
    typer.echo(f"opening {path} (Ctrl-C twice ends JupyterLab)")
    command = [sys.executable, "-m", "jupyterlab", str(path), *root_options(), *context.args]
    raise typer.Exit(subprocess.call(command, env=lab_environment()))  # noqa: S603 - the user's own


@app.command()
def table(
    text: Text = None,
    *,
    model: Model,
    file: File = None,
    layer: Annotated[int, typer.Option(help="Counted from 0.")],
    head: Annotated[int, typer.Option(help="Counted from 0.")],
    kind: Kind = None,
    target: Target = None,
    words: Words = False,
    no_special: NoSpecial = False,
    top: Annotated[
        int | None, typer.Option(min=1, help="List the keys that each token reads most.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write all weights to this CSV file too.")
    ] = None,
) -> None:
    """Print what a head attends to."""
    with one_line_for_errors(output):
        seen = traced(given_text(text, file), model, target, [layer])
        seen = grouped(seen, words=words, no_special=no_special)
        from regard.pictures.tables import lines_of  # noqa: PLC0415  slow to load

        width = shutil.get_terminal_size().columns
        lines = list(lines_of(seen, layer, head, kind, top=top, width=width))
        if output is not None:
            from regard.viewer.files import write_table  # noqa: PLC0415  slow to load

            write_table(output, seen, seen.head(layer, head, kind=kind))
            lines.append(f"all weights are in {output}")
    typer.echo("\n".join(lines))


@app.command()
def view(
    text: Text = None,
    *,
    model: Model,
    file: File = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Ends in .html, .svg, .pdf, .png, .csv or .txt."),
    ] = None,
    layer: Annotated[int | None, typer.Option(help="Shown first; else a clear head's.")] = None,
    head: Annotated[int | None, typer.Option(help="Shown first; else a clear one.")] = None,
    kind: Kind = None,
    target: Target = None,
    words: Words = False,
    no_special: NoSpecial = False,
    layers: Annotated[
        list[int] | None, typer.Option("--keep-layer", help="Only this layer; may be repeated.")
    ] = None,
    pixels: Annotated[
        int | None,
        typer.Option(min=1, help="Of a page: a side of a matrix, at most; for long texts."),
    ] = None,
) -> None:
    """Save a page with every head that works without a network, or a picture of one.

    Without a file, print what a head reads.
    """
    with one_line_for_errors(output):
        seen = traced(given_text(text, file), model, target, layers)
        seen = grouped(seen, words=words, no_special=no_special)
        from regard.viewer.opening import open_at  # noqa: PLC0415  slow to load

        opening = open_at(seen, layer, head, kind)
        if output is None:
            print_view(seen, opening.head)
        else:
            save_view(seen, output, opening, pixels)


def print_view(seen: "Trace", selected: "Head") -> None:
    """Print a head, in lines that fit the terminal."""
    from regard.pictures.text import NARROWEST, as_text  # noqa: PLC0415  slow to load

    width = max(NARROWEST, shutil.get_terminal_size().columns)
    kind, layer, head = selected
    typer.echo(as_text(seen, layer, head, kind, width=width))
    typer.echo("(every head, by hand: -o x.html)")


def save_view(seen: "Trace", output: Path, opening: "Opening", pixels: int | None) -> None:
    """Save a view, and say first how large a page may become."""
    from regard.viewer.files import save  # noqa: PLC0415  slow to load
    from regard.viewer.page import Choice, page_size  # noqa: PLC0415  slow to load

    choice = Choice(pixels=pixels)
    if output.suffix.lower() == ".html":
        typer.echo(page_size(seen, choice))
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: typer.echo(str(message), err=True)
        save(output, seen, opening, choice)
    typer.echo(f"{output} has {output.stat().st_size / 1e6:,.2f} MB")


@app.command()
def doctor(text: Text = None, *, model: Model, file: File = None, target: Target = None) -> None:
    """Say what would make attention other than it seems; exit with 1 if something does."""
    with one_line_for_errors():
        sentence = given_text(text, file)
        with silence():
            pretrained, tokenizer = loaded(model)
            diagnosis = regard.doctor(pretrained, tokenizer, sentence, target=target)
    typer.echo(in_options(str(diagnosis)))
    raise typer.Exit(0 if diagnosis.passed else 1)


@app.command("scoreboard")
def print_scoreboard(
    treebank: Annotated[Path, typer.Argument(help="A file in the CoNLL-U format.")],
    *,
    model: Model,
    sentences: Annotated[
        int | None, typer.Option(min=2, help="How many to read; else all of them.")
    ] = None,
    least: Annotated[
        int, typer.Option(min=1, help="Relations that come less often in a half are left out.")
    ] = 20,
    count_on: Annotated[Path | None, typer.Option(help="A second file, to count on.")] = None,
    splits: Annotated[int, typer.Option(min=1, help="How often sentences are halved.")] = 10,
    baselines: Annotated[bool, typer.Option(help="And a twin, shuffled words: 3x slower.")] = True,
    start_token: Annotated[bool, typer.Option(help="Put a decoder's in front.")] = True,
    leave_out_first: Annotated[bool, typer.Option(help="The first word is no answer.")] = False,
    seed: Annotated[int, typer.Option(help="Of the halves, the twin and the intervals.")] = 0,
    output: Annotated[
        Path | None, typer.Option(help="Write the table to this CSV file, both directions.")
    ] = None,
) -> None:
    """Find the heads that read what words depend on, beside what simple rules find."""
    with one_line_for_errors(output):
        with silence():
            pretrained, tokenizer = loaded(model)
            from regard.evidence.treebank import score_treebank  # noqa: PLC0415  slow to load

            scores = score_treebank(
                treebank,
                pretrained,
                tokenizer,
                count_on=count_on,
                sentences=sentences,
                splits=splits,
                baselines=baselines,
                start_token=start_token,
                leave_out_first=leave_out_first,
                least=least,
                seed=seed,
            )
        if output is not None:
            from regard.record.spreadsheet import write_csv  # noqa: PLC0415  slow to load

            write_csv(output, scores)
    from regard.pictures.tables import scoreboard_lines  # noqa: PLC0415  slow to load

    typer.echo("\n".join(scoreboard_lines(scores)))
    if output is not None:
        typer.echo(f"all relations in both directions are in {output}")


@app.command("reproduce")
def print_reproduction(
    name: Annotated[str, typer.Argument(help="induction, norms or sinks.")],
    *,
    model: Model,
    file: Annotated[
        Path | None, typer.Option(help="Sentences, one a line, or a treebank in CoNLL-U.")
    ] = None,
) -> None:
    """Compute a known result anew: induction heads, norms of what is read, attention sinks."""
    with one_line_for_errors(), silence():
        from regard.known.reproduction import reproduce, sentences_in  # noqa: PLC0415  slow

        sentences = [] if file is None else sentences_in(file)
        pretrained, tokenizer = loaded(model)
        tables = list(reproduce(name, pretrained, tokenizer, sentences))
    for title, found in tables:
        typer.echo(title)
        typer.echo(found.to_string(index=False, float_format="{:.3f}".format))


def loaded(name: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Load a model and its tokenizer; say so where the network may be used."""
    if is_on_hub(name) and sys.stdout.isatty():
        typer.echo(f"loading {name} from the Hugging Face hub, or where it was kept")
    return load(name)


@contextmanager
def one_line_for_errors(output: Path | None = None) -> Iterator[None]:
    """Say what a user asked for in vain in one line, and leave with 2; first, if by the output."""
    try:
        if output is not None:
            check_place(output)
        yield
    except (ValueError, OSError) as error:
        typer.echo(in_options(one_line(error)), err=True)
        raise typer.Exit(2) from error


def in_options(message: str) -> str:
    """Let a message name the options of the command line.

    Examples
    --------
    >>> in_options("It takes no target: leave target out.")
    'It takes no target: leave --target out.'
    """
    for said, here in IN_OPTIONS.items():
        message = re.sub(said, here, message)
    return message


def traced(text: str, name: str, target: str | None, layers: list[int] | None) -> "Trace":
    """Load a model and run it on a text."""
    with silence():
        model, tokenizer = loaded(name)
        return regard.trace(text, model, tokenizer, target=target, layers=layers, values=False)


def grouped(seen: "Trace", *, words: bool, no_special: bool) -> "Trace":
    """Merge words and hide special tokens, where that is asked for."""
    seen = seen.merge_words() if words else seen
    return seen.hide() if no_special else seen


def given_text(text: str | None, file: Path | None) -> str:
    """Take the text from where it is, or raise where there is none, before a model is loaded."""
    if (text is None) == (file is None):
        raise ValueError(
            f"Got {'no text' if text is None else 'a text and a file'}: give one of them, a text "
            "such as 'The dog saw the cow.', --file FILE, or - for standard input."
        )
    if text == "-" or file == Path("-"):
        text = decoded("standard input", typer.get_binary_stream("stdin").read)
    elif file is not None:
        text = decoded(str(file), file.read_bytes)
    if text is None or not text.strip():
        raise ValueError("The text is empty: type one, such as 'The dog saw the cow.'")
    return text


def decoded(name: str, read: Callable[[], bytes]) -> str:
    """Read a text, or raise in words."""
    try:
        return read().decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not in UTF-8 ({error}): save it so.") from error
    except OSError as error:
        advice = "name a file of text, or - for standard input"
        raise ValueError(f"{name} cannot be read ({error.strerror}): {advice}.") from error
