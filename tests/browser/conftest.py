import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.lab import HERE, Lab, Watch
from tools.find_browser import ADVICE, find_browser

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
TOKEN = "for-this-test-only"  # noqa: S105 - the server hears only this machine and ends with the test
START_SECONDS = 120
STOP_SECONDS = 20
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


@pytest.fixture(scope="session")
def lab_url(lab_folder: Path, browser: Browser) -> Iterator[str]:
    """Start JupyterLab as `make notebook` does; without a browser there is no need to."""
    port = free_port()
    command = (str(Path(sys.executable).with_name("regard")), "notebook")
    options = (
        f"--folder={lab_folder}",
        "--no-browser",
        f"--ServerApp.ip={HERE}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={lab_folder}",
        f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True",
    )
    log = lab_folder.parent / "jupyter.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [*command, *options],
            env=os.environ | fresh_settings(lab_folder.parent),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://{HERE}:{port}"
        wait_until_up(f"{url}/api", server, log)
        yield url
    finally:
        stop(server)


@pytest.fixture
def lab(browser: Browser, lab_url: str) -> Iterator[Lab]:
    with closing(browser.new_context(viewport={"width": 1400, "height": 1000})) as context:
        page = context.new_page()
        yield Lab(page, Watch(page), lab_url, TOKEN)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        port: int = probe.getsockname()[1]
        return port


def fresh_settings(folder: Path) -> dict[str, str]:
    """Keep the settings, kernels and workspaces of whoever runs the tests out of them."""
    jupyter = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    places = (*jupyter, "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    return {name: str(folder / name.lower()) for name in places}


def wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urlopen(url, timeout=5):  # noqa: S310 - our own server
                return
        except (URLError, ConnectionError):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")
            time.sleep(0.2)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and its kernels; they are one session."""
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
