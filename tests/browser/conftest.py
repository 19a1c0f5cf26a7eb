import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.lab import HERE, Lab, Watch
from tests.browser.serving import choose_theme, free_port, serving
from tools.find_browser import ADVICE, find_browser

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
TOKEN = "for-this-test-only"  # noqa: S105 - the server hears only this machine and ends with the test
CHROMIUM_OPTIONS = (
    "--no-sandbox",  # needed as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_browser()
    if path is None and os.environ.get("CI"):
        pytest.fail(ADVICE)  # where changes are judged, nothing is passed over
    if path is None:
        pytest.skip(ADVICE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_OPTIONS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the notebooks, so that no test writes to the repository."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    return folder


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """Start JupyterLab as `make notebook` does, in a folder of its own; gives its address."""
    port = free_port()
    command = (str(Path(sys.executable).with_name("regard")), "notebook")
    options = (
        f"--folder={folder}",
        "--no-browser",
        f"--ServerApp.ip={HERE}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True",
    )
    log = folder.parent / "jupyter.log"
    url = f"http://{HERE}:{port}"
    with serving([*command, *options], f"{url}/api", log):
        yield url


@pytest.fixture(scope="session")
def lab_url(lab_folder: Path, browser: Browser) -> Iterator[str]:
    """Start JupyterLab once for all tests; without a browser there is no need to."""
    with jupyterlab(lab_folder) as url:
        yield url


@pytest.fixture
def lab(browser: Browser, lab_url: str) -> Iterator[Lab]:
    with closing(browser.new_context(viewport={"width": 1400, "height": 1000})) as context:
        page = context.new_page()
        yield Lab(page, Watch(page), lab_url, TOKEN)


@pytest.fixture(params=["light", "dark"])
def themed_lab(
    request: pytest.FixtureRequest, browser: Browser, tmp_path: Path
) -> Iterator[tuple[Lab, str, Path]]:
    """Start a JupyterLab that is light or dark from its start; gives it, which, and its folder."""
    folder = tmp_path / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    choose_theme(tmp_path, request.param)
    size = {"width": 1280, "height": 1500}
    options: dict[str, Any] = {"viewport": size, "device_scale_factor": 2}
    with jupyterlab(folder) as url, closing(browser.new_context(**options)) as context:
        page = context.new_page()
        yield Lab(page, Watch(page), url, TOKEN), request.param, folder
