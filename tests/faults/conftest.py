"""What the fault-injection suite shares: how much of it is run, what it notes of itself, and processes to kill.

``PRONOTUM_FAULTS=full`` runs all of it (`scripts/soak`); else a bounded part. With ``PRONOTUM_FAULTS_RECORD=FILE``
every test adds a line of JSON to the file, from which `docs/reliability.md` is made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from pronotum.formats import tps
from pronotum.landmarks import Landmarks
from pronotum.synthetic import draw

from .processes import Nursery

FULL = os.environ.get("PRONOTUM_FAULTS") == "full"
SIZE = (160, 120)
TINY = [
    *("--preset", "fast", "--pose", "upright", "--device", "cpu"),
    *("--set", "coarse_steps=1", "--set", "fine_steps=1", "--set", "batch=3"),
    *("--set", "coarse_epochs=3", "--set", "fine_epochs=2"),
    *("--set", "model.frame=[64,64]", "--set", "model.detail=[128,96]", "--set", "model.window=32"),
    *("--set", "model.coarse_widths=[8,8,8]", "--set", "model.coarse_depth=8"),
    *("--set", "model.fine_widths=[8,8]", "--set", "model.fine_depth=8"),
]
"""Of a training that takes about a second."""


@pytest.fixture(autouse=True)
def _noted(request: pytest.FixtureRequest, record_property) -> None:
    for marker in request.node.iter_markers("finding"):
        record_property("finding", marker.args[0])


@pytest.fixture
def note(record_property):
    """Say how many cases a test has run, and of what."""

    def noted(cases: int, what: str) -> None:
        record_property("cases", cases)
        record_property("what", what)

    return noted


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    place = os.environ.get("PRONOTUM_FAULTS_RECORD")
    if not place or (report.when != "call" and report.passed):
        return
    line = {
        "file": Path(report.nodeid.split("::")[0]).stem,
        "test": report.nodeid.split("::", 1)[1],
        "outcome": report.outcome,
        "seconds": report.duration,
        "full": FULL,
        **dict(report.user_properties),
    }
    if report.skipped:
        line["why"] = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    with open(place, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


@pytest.fixture(scope="session")
def beetles(tmp_path_factory) -> Path:
    """A folder of six small photographs with landmarks."""
    folder = tmp_path_factory.mktemp("beetles")
    specimens = []
    for number in range(1, 7):
        drawn = draw("pronotum", number, size=SIZE)
        Image.fromarray(drawn.image).save(folder / f"b{number}.jpg", quality=90)
        specimens.append(Landmarks(drawn.points, image=f"b{number}.jpg", id=str(number)))
    tps.save(folder / "landmarks.tps", specimens, lambda name: SIZE)
    return folder


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as opened:
        yield opened


@pytest.fixture(scope="session")
def trained(beetles, nursery, tmp_path_factory) -> Path:
    """The run folder of a training that nobody has disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    nursery.warm("train", beetles, "-o", folder, *TINY)
    return folder
