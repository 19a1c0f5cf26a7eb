"""A view in a notebook that became a page: nothing runs there, so its picture is shown."""

import base64
import re

import nbformat
import numpy as np
import pytest
from ipywidgets import Widget
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from traitlets.config import Config

from regard.viewer.widget import AttentionView, view
from tools.build_notebook import normalise

PICTURE = re.compile(r'<img[^>]* src="data:image/png;base64,([^"]+)"')
WIDGET = "application/vnd.jupyter.widget-view+json"


def executed(shown: AttentionView) -> NotebookNode:
    """Give a notebook as it is after its cell has run."""
    data, metadata = shown._repr_mimebundle_()
    output = nbformat.v4.new_output("execute_result", data, metadata=metadata, execution_count=1)
    cell = nbformat.v4.new_code_cell("shown", outputs=[output], execution_count=1)
    return nbformat.v4.new_notebook(cells=[cell])


def pictures(notebook: NotebookNode, config: Config | None = None) -> list[str]:
    """Give what the page shows; where a widget is, its picture is not."""
    page, _ = HTMLExporter(config=config).from_notebook_node(notebook)
    return [found.replace("\\n", "") for found in PICTURE.findall(page)]


@pytest.fixture
def shown() -> AttentionView:
    return view(np.eye(3), ["the", "dog", "saw"])


def test_the_page_of_an_executed_notebook_shows_the_picture(shown: AttentionView) -> None:
    notebook = executed(shown)
    picture = notebook.cells[0].outputs[0].data["image/png"]
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert pictures(notebook) == [picture]


def test_the_committed_notebook_keeps_the_picture_alone(shown: AttentionView) -> None:
    notebook = executed(shown)
    notebook.metadata.widgets = {}
    picture = notebook.cells[0].outputs[0].data["image/png"]
    normalise(notebook)
    assert WIDGET not in notebook.cells[0].outputs[0].data
    assert pictures(notebook) == [picture]


def test_with_saved_widgets_the_picture_can_go_first(shown: AttentionView) -> None:
    notebook = executed(shown)
    state = Widget.get_manager_state(widgets=[shown])
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": state}
    picture = notebook.cells[0].outputs[0].data["image/png"]
    assert (
        pictures(notebook) == []
    )  # the widget is there, whose scripts the page loads from the web
    first = Config({"NbConvertBase": {"display_data_priority": ["image/png"]}})
    assert pictures(notebook, first) == [picture]
