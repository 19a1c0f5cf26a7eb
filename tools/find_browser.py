"""Find a Chromium for the browser tests, or install one: `python tools/find_browser.py`.

One that is there is taken as it is; else Playwright's own download is tried; else, for root, the
package of a Debian-like system. Where none can be had this says what to do, and the browser tests
skip.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

VARIABLE = "REGARD_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome")
ADVICE = (
    f"no Chromium found: install one (`apt-get install chromium`, or any Chrome) "
    f"or set {VARIABLE} to its path"
)
INSTALL_TIMEOUT_SECONDS = 600


def find_browser() -> str | None:
    """Give the path of the first Chromium that starts."""
    return next((path for path in candidates() if starts(path)), None)


def candidates() -> Iterator[str]:
    """Give the places where a Chromium may be, the user's choice first."""
    for name in (os.environ.get(VARIABLE, ""), *NAMES):
        if path := shutil.which(name):
            yield path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    if Path(path).exists():
        yield path


def starts(path: str) -> bool:
    """Tell a browser from a stand-in that only says how to install one."""
    return succeeds(path, "--version")


def install_browser() -> str | None:
    """Try the ways to get a Chromium and give the path of the first that starts."""
    print("no Chromium found; trying Playwright's download")
    succeeds(sys.executable, "-m", "playwright", "install", "chromium")
    if (path := find_browser()) or not can_use_apt():
        return path
    print("no luck; trying the system's package chromium")
    if succeeds("apt-get", "update") and succeeds("apt-get", "install", "-y", "chromium"):
        return find_browser()
    return None


def can_use_apt() -> bool:
    """Whether this is root on a Debian-like system."""
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def succeeds(*command: str) -> bool:
    """Run a command without a word and tell whether it went well."""
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=INSTALL_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    print(find_browser() or install_browser() or f"{ADVICE}; the browser tests will skip")
