"""Make a notebook one HTML page: `python -m tools.notebook_page NOTEBOOK.ipynb`.

nbconvert makes it, by a template of its own in `tools/page/`: cells whose code JupyterLab folds are
folded, and pictures have their alternative text. The pictures of prose lie in the page.
"""

from pathlib import Path
from typing import Annotated

import typer
from nbconvert import HTMLExporter
from traitlets.config import Config

TEMPLATE = Path(__file__).parent / "page"


def page_of(notebook: Path) -> str:
    """Give the HTML page of a notebook."""
    exporter = HTMLExporter(
        config=Config({"TemplateExporter": {"extra_template_basedirs": [str(TEMPLATE.parent)]}}),
        template_name=TEMPLATE.name,
        embed_images=True,
    )
    page: str
    page, _ = exporter.from_filename(str(notebook))
    return page


def main(
    notebook: Path,
    output: Annotated[Path | None, typer.Option(help="The page to write.")] = None,
) -> None:
    """Write a notebook's page beside it."""
    output = output or notebook.with_suffix(".html")
    output.write_text(page_of(notebook), "utf-8")
    print(output)


if __name__ == "__main__":
    typer.run(main)
