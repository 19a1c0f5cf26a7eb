"""The view on light and on dark ground, in pages that say so as the hosts of notebooks do.

Screenshots go to $REGARD_SHOTS, if it is set, so that a person can look at them.
"""

from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from regard.viewer.page import FRONT_END
from tests.browser.contrast import ENOUGH, contrasts
from tests.browser.lab import Watch
from tests.browser.test_view import LOAD, Pictures, traits
from tests.viewer.test_view import with_words

pytestmark = pytest.mark.browser

VIEWPORTS = {1280: 1400, 390: 2600}  # high enough for all of the view
# As anywidget is called in JupyterLab: the element joins the page later.
MOUNT_LATER = """async traits => {
    const el = document.createElement('div');
    const model = window.model(window.revive(traits));
    window.front.default.render({model, el});
    await new Promise(done => setTimeout(done, 50));
    document.querySelector('#place').append(el);
    window.el = el;
}"""
JUPYTER_LIGHT = "--jp-layout-color1:white; --jp-ui-font-color1:rgba(0,0,0,.87);"
JUPYTER_DARK = "--jp-layout-color1:#212121; --jp-ui-font-color1:rgba(255,255,255,.87);"
VSCODE_DARK = "--vscode-editor-background:#1f1f1f; --vscode-editor-foreground:#cccccc;"
VSCODE_LIGHT = "--vscode-editor-background:#ffffff; --vscode-editor-foreground:#3b3b3b;"
COLAB_DARK = "--colab-primary-text-color:#d5d5d5; --colab-primary-surface-color:#383838;"
PLACE = "<div id=place></div>"
HOSTS = {  # the theme that fits, the page
    "plain": ("light", PLACE),
    "dark by preference": ("dark", f"<style>:root{{color-scheme:dark}}</style>{PLACE}"),
    "painted": ("dark", f"<body style='background:#111; color:#eee'>{PLACE}"),
    "painted in a new notation": (
        "dark",
        f"<body style='background:oklch(0.2 0 0); color:oklch(0.9 0 0)'>{PLACE}",
    ),
    "veiled": (
        "dark",
        f"<body style='background:#000;color:#fff'>"
        f"<div style='background:rgba(255,255,255,.1)'>{PLACE}</div>",
    ),
    "notebook 7, dark": (
        "dark",
        f"<body data-jp-theme-light=false style='{JUPYTER_DARK}'>"
        f"<div style='background:var(--jp-layout-color1)'>{PLACE}</div>",
    ),
    "notebook 7, light": (
        "light",
        f"<body data-jp-theme-light=true style='{JUPYTER_LIGHT}'>"
        f"<div style='background:var(--jp-layout-color1)'>{PLACE}</div>",
    ),
    "vs code, dark": (
        "dark",
        f"<html style='{JUPYTER_LIGHT}{VSCODE_DARK}'><body class=vscode-dark "
        f"style='color:var(--vscode-editor-foreground)'>{PLACE}",
    ),
    "vs code, dark, with its white ground under widgets": (
        "light",
        f"<html style='{JUPYTER_LIGHT}{VSCODE_DARK}'><body class=vscode-dark "
        f"style='color:var(--vscode-editor-foreground)'>"
        f"<div class=cell-output-ipywidget-background style='background:white'>{PLACE}</div>",
    ),
    "vs code, light": (
        "light",
        f"<html style='{JUPYTER_LIGHT}{VSCODE_LIGHT}'><body class=vscode-light "
        f"style='color:var(--vscode-editor-foreground)'>{PLACE}",
    ),
    "colab, dark": (
        "dark",
        f"<html theme=dark style='{COLAB_DARK}'>"
        f"<body style='color:var(--colab-primary-text-color)'>{PLACE}",
    ),
    "colab, dark, ink alone": ("dark", f"<html theme=dark><body style='color:#d5d5d5'>{PLACE}"),
    "colab, light": ("light", f"<body style='color:#212121'>{PLACE}"),
}


def mounted(page: Page, body: str, mount: str = MOUNT_LATER) -> Pictures:
    """Show the view in a page."""
    page.set_content(f"<!doctype html>{body}")
    page.evaluate(LOAD, FRONT_END.read_text("utf-8"))
    page.evaluate(mount, traits(with_words()))
    pictures = Pictures(page, Watch(page))
    expect(page.locator("[data-drawn]")).to_be_attached()
    pictures.drawn  # noqa: B018  waits for it
    return pictures


def theme(page: Page) -> Any:
    return expect(page.locator("[data-regard]"))


@pytest.fixture
def page(browser: Browser) -> Any:
    with closing(browser.new_context(device_scale_factor=2)) as context:
        yield context.new_page()


@pytest.mark.parametrize("width", VIEWPORTS)
@pytest.mark.parametrize("host", HOSTS)
def test_every_label_is_read_in_every_host(page: Page, host: str, width: int) -> None:
    fitting, body = HOSTS[host]
    page.set_viewport_size({"width": width, "height": VIEWPORTS[width]})
    pictures = mounted(page, body)
    theme(page).to_have_attribute("data-theme", fitting)
    page.locator("summary").first.click()
    measured = contrasts(page)
    pictures.shoot(f"{host.replace(' ', '_')}_{width}")
    assert len(measured) > 25
    assert {what: ratio for what, ratio in measured.items() if ratio < ENOUGH} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_are_read_on_the_colours_of_weights(page: Page, scheme: str) -> None:
    pictures = mounted(page, f"<style>:root{{color-scheme:{scheme}}}</style>{PLACE}")
    for at in range(8):
        page.mouse.move(*pictures.token("reads", at))
        pictures.drawn  # noqa: B018  waits for it
        for other in range(8):
            x, y = pictures.token("is read", other)
            assert contrast_at(page, x, y) >= ENOUGH


def contrast_at(page: Page, x: float, y: float) -> float:
    """Measure the label around a place."""
    import io  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    from tests.browser.contrast import contrast_in  # noqa: PLC0415

    clip = {"x": x - 18, "y": y - 7, "width": 30, "height": 14}
    raw = page.screenshot(clip=clip)  # type: ignore[arg-type]
    return contrast_in(np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")))
