"""A desk in a process of its own, and a real Chromium to look at it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
COMMAND = [sys.executable, "-c", "from pronotum.cli import main; main()", "desk"]


def need_a_browser() -> None:
    """Skip where there is none; where tests decide what lands, that is an error."""
    why = "" if CHROMIUM else "no Chromium installed (Debian: apt-get install chromium)"
    try:
        import playwright  # noqa: F401
    except ImportError:
        why = "playwright is not installed"
    if why and os.environ.get("CI"):
        pytest.fail(why)
    elif why:
        pytest.skip(why)


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@dataclass
class Served:
    """A desk that runs.

    Attributes:
        url: with the token.
        process: that serves it.
    """

    url: str
    process: subprocess.Popen[str]

    @property
    def home(self) -> str:
        """The page, once the token is known."""
        return self.url.split("?")[0]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def serve(project: Path, *options: str, environment: dict[str, str] | None = None) -> Served:
    """Start a desk and wait until it says where it is."""
    process = subprocess.Popen(
        [*COMMAND, str(project), "--no-browser", "--who", "me", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", **(environment or {})},
    )
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        found = re.search(r"open (http://\S+)", line)
        if found:
            return Served(found[1], process)
    raise AssertionError(f"the desk did not start: {said}")


@contextmanager
def served(project: Path, *options: str) -> Iterator[Served]:
    """A desk that ends with the block."""
    desk = serve(project, *options)
    try:
        yield desk
    finally:
        desk.process.terminate()
        try:
            desk.process.wait(20)
        finally:
            desk.process.kill()
            assert desk.process.stdout is not None
            desk.process.stdout.close()
