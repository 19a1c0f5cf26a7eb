"""Servers that run for a test and end with it."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.browser.lab import HERE

START_SECONDS = 120
STOP_SECONDS = 20


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


def choose_theme(folder: Path, theme: str) -> None:
    """Have a JupyterLab or Notebook 7 that logs to this folder start light or dark."""
    settings = Path(fresh_settings(folder)["JUPYTERLAB_SETTINGS_DIR"])
    path = settings / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"theme": f"JupyterLab {theme.capitalize()}"}))


@contextmanager
def serving(command: Sequence[str], url: str, log: Path) -> Iterator[None]:
    """Run a server, which is up once this address answers, in the folder that its log is in."""
    with log.open("w") as stream:
        server = subprocess.Popen(
            command,
            cwd=log.parent,
            env=os.environ | fresh_settings(log.parent),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_up(url, server, log)
        yield
    finally:
        stop(server)


def wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urlopen(url, timeout=5):  # noqa: S310 - our own server
                return
        except (URLError, ConnectionError):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"The server did not start:\n{log.read_text()}")
            time.sleep(0.2)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and its kernels; they are one session."""
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
