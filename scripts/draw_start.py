"""Pictures of "get started" and of the first tutorial, from a run of the demo; the report needs Chromium, playwright.

python scripts/draw_start.py FOLDER     FOLDER keeps the run, so that drawing again takes seconds
python scripts/draw_start.py            only the landmarks that it learns from, for which no run is needed
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "desk"))

import browsing
from PIL import Image

from pronotum import demo, workflows
from pronotum.data import Dataset
from pronotum.report import overlays

DRAWS = ("demo.jpg", "start-check.jpg", "start-report.jpg")
PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
WIDTH = 1100
"""Px of the pictures on the page."""
REPORT = {"width": 1100, "height": 760}
"""Of the window in which the report is opened, px."""
SHOWN = 6


def main(folder: Path) -> None:
    """Run the demo if it has not been run yet, and draw."""
    if not (folder / "report.html").exists():
        shutil.rmtree(folder, ignore_errors=True)
        demo.run(folder, on_step=print)
    predicted = folder / "predictions" / "predictions.tps"
    sheet(workflows.check(predicted, photographs=folder / "test"), "demo.jpg")
    with browsing.chromium() as browser:
        page = browser.new_page(viewport=REPORT)
        page.goto((folder / "report.html").resolve().as_uri())
        _save(Image.open(io.BytesIO(page.screenshot())), "start-report.jpg")
    sheet(workflows.check(folder / "train"), "start-check.jpg")


def sheet(data: Dataset, name: str) -> None:
    """Draw landmarks as ``pronotum check`` does."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "sheet.png"
        overlays.sheet(data, drawn, limit=SHOWN, columns=3)
        _save(Image.open(drawn), name)


def _save(picture: Image.Image, name: str) -> None:
    picture = picture.convert("RGB")
    picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    picture.save(PICTURES / name, quality=85)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as drawn:
            sheet(demo.draw_beetles(Path(drawn) / "train", "pronotum", n=SHOWN, seed=0), "start-check.jpg")
