"""The view on light and on dark ground, in pages that say so as the hosts of notebooks do.

Screenshots go to $REGARD_SHOTS, if it is set, so that a person can look at them.
"""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from regard.viewer.page import FRONT_END
from tests.browser.contrast import ENOUGH, contrast_at, contrasts
from tests.browser.lab import READY_MS, Lab, Watch
from tests.browser.test_hosts import VIEW
from tests.browser.test_view import LOAD, Pictures, traits
from tests.browser.test_view_in_jupyterlab import write_notebook
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
        (
            f"<body style='background:#000;color:#fff'>"
            f"<div style='background:rgba(255,255,255,.1)'>{PLACE}</div>"
        ),
    ),
    "notebook 7, dark": (
        "dark",
        (
            f"<body data-jp-theme-light=false style='{JUPYTER_DARK}'>"
            f"<div style='background:var(--jp-layout-color1)'>{PLACE}</div>"
        ),
    ),
    "notebook 7, light": (
        "light",
        (
            f"<body data-jp-theme-light=true style='{JUPYTER_LIGHT}'>"
            f"<div style='background:var(--jp-layout-color1)'>{PLACE}</div>"
        ),
    ),
    "vs code, dark": (
        "dark",
        (
            f"<html style='{JUPYTER_LIGHT}{VSCODE_DARK}'><body class=vscode-dark "
            f"style='color:var(--vscode-editor-foreground)'>{PLACE}"
        ),
    ),
    "vs code, dark, with its white ground under widgets": (
        "light",
        (
            f"<html style='{JUPYTER_LIGHT}{VSCODE_DARK}'><body class=vscode-dark "
            f"style='color:var(--vscode-editor-foreground)'>"
            f"<div class=cell-output-ipywidget-background style='background:white'>{PLACE}</div>"
        ),
    ),
    "vs code, light": (
        "light",
        (
            f"<html style='{JUPYTER_LIGHT}{VSCODE_LIGHT}'><body class=vscode-light "
            f"style='color:var(--vscode-editor-foreground)'>{PLACE}"
        ),
    ),
    "colab, dark": (
        "dark",
        (
            f"<html theme=dark style='{COLAB_DARK}'>"
            f"<body style='color:var(--colab-primary-text-color)'>{PLACE}"
        ),
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
            assert contrast_at(page, [x - 34, y - 7, 34, 14]) >= ENOUGH


MOVES = {  # what changes the ground after the view stands there
    "moved": "document.querySelector('#dark').append(el)",
    "taken out and put back": "el.remove(); setTimeout(() => dark.append(el), 100)",
    "another theme": "document.querySelector('#place').className = 'night'",
    "another style": "document.body.firstElementChild.style.background = '#111'",
    "a fade": "document.querySelector('#place').className = 'fading night'",
    "a late style sheet": """document.head.append(Object.assign(document.createElement('link'),
        {rel: 'stylesheet', href: 'data:text/css,%23place{background:%23111!important}'}))""",
    "a late style": """document.head.append(Object.assign(document.createElement('style'),
        {textContent: '#place {background: #111 !important}'}))""",
}
GROUNDS = """<style>
    #dark { background: #111; color: #eee; }
    #place.night { background: #111; } #place.fading { transition: background-color 0.3s; }
    </style><div style='background:white'><div id=place></div></div><div id=dark></div>"""


@pytest.mark.parametrize("move", MOVES)
def test_the_theme_follows_the_ground(page: Page, move: str) -> None:
    pictures = mounted(page, GROUNDS)
    theme(page).to_have_attribute("data-theme", "light")
    page.evaluate(f"() => {{ {MOVES[move]} }}")
    theme(page).to_have_attribute("data-theme", "dark")
    pictures.drawn  # noqa: B018  waits for it
    measured = contrasts(page)
    assert {what: ratio for what, ratio in measured.items() if ratio < ENOUGH} == {}


def test_a_change_of_preference_is_followed(page: Page) -> None:
    mounted(page, f"<style>:root{{color-scheme:light dark}}</style>{PLACE}")
    theme(page).to_have_attribute("data-theme", "light")
    page.emulate_media(color_scheme="dark")
    theme(page).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="light")
    theme(page).to_have_attribute("data-theme", "light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_are_left_to_the_user(page: Page, scheme: Any) -> None:
    page.emulate_media(forced_colors="active", color_scheme=scheme)
    mounted(page, f"<body style='background:white'>{PLACE}")
    theme(page).to_have_attribute("data-theme", scheme)


def test_the_ground_is_found_around_shadow_trees(page: Page) -> None:
    mount = MOUNT_LATER.replace(".append(el)", ".attachShadow({mode: 'open'}).append(el)")
    mounted(page, f"<body style='background:#111'><div style='color:black'>{PLACE}</div>", mount)
    theme(page).to_have_attribute("data-theme", "dark")


def test_what_went_wrong_is_read_too(page: Page) -> None:
    for scheme in ("light", "dark"):
        mounted(page, f"<style>:root{{color-scheme:{scheme}}}</style>{PLACE}")
        page.evaluate("""document.querySelector('[data-regard]').shadowRoot
            .querySelector('[role=alert]').hidden = false""")
        alert = page.get_by_role("alert")
        alert.evaluate("alert => { alert.textContent = 'The kernel is gone: run the cell.'; }")
        box = alert.bounding_box()
        assert box
        inside = [box["x"] + 10, box["y"] + 4, box["width"] - 20, box["height"] - 8]
        assert contrast_at(page, inside) >= ENOUGH


def test_a_closed_view_follows_nothing(page: Page) -> None:
    mount = MOUNT_LATER.replace("window.front", "window.close_view = window.front")
    mounted(page, GROUNDS, mount)
    page.evaluate("""() => {
        window.host = document.querySelector('[data-regard]');
        close_view();
        document.querySelector('#dark').append(host); }""")
    page.wait_for_timeout(200)
    assert page.evaluate("host.dataset.theme") == "light"


def test_a_jupyterlab_started_light_or_dark_is_read(themed_lab: tuple[Lab, str, Path]) -> None:
    lab, scheme, folder = themed_lab
    path = folder / "weights.ipynb"
    write_notebook(path, f"{VIEW}shown")
    lab.open(path)
    lab.run_cell("regard.view")
    pictures = Pictures(lab.page, lab.watch)
    expect(lab.page.locator("[data-drawn]")).to_be_attached(timeout=READY_MS)
    theme(lab.page).to_have_attribute("data-theme", scheme)
    measured = contrasts(lab.page)
    pictures.shoot(f"jupyterlab_started_{scheme}")
    assert {"names that read", "names of rows", "numbers of heads"} <= set(measured)
    assert {what: ratio for what, ratio in measured.items() if ratio < ENOUGH} == {}
