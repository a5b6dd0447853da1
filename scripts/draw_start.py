"""Pictures of "get started" and of the first tutorial, from the demo and a cross-validation of its beetles. Needs Chromium.

python scripts/draw_start.py FOLDER     FOLDER keeps the run, so that drawing again takes seconds
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from pronotum import crossvalidation, demo, landmarking, workflows
from pronotum.report import overlays

DRAWS = ("demo.jpg", "start-check.jpg", "start-report.jpg", "start-overlay.jpg")
PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
WIDTH = 1100
"""Px of the pictures on the page."""
SHOWN = 6


def main(folder: Path) -> None:
    """Run what has not been run yet, and draw."""
    beetles = folder / "demo"
    if not (beetles / "report.html").exists():
        demo.run(beetles, on_step=print)
    learnt = workflows.check(beetles / "train")
    options = workflows.TrainOptions(preset="fast", device="cpu", pose="upright")
    crossvalidation.crossvalidate(learnt, folder / "run", options, n_folds=4)
    photographs = landmarking.find_photographs([beetles / "test"])
    landmarking.predict(folder / "run", photographs[:SHOWN], folder / "results")
    drawn = sorted((folder / "results" / "overlays").glob("*.png"))
    with tempfile.TemporaryDirectory() as name:
        sheet = Path(name) / "sheet.png"
        overlays.sheet(learnt, sheet, limit=SHOWN, columns=3)
        _save(Image.open(sheet), "start-check.jpg")
        page = Path(name) / "page.png"
        _photograph(beetles / "report.html", page)
        _save(Image.open(page), "start-report.jpg")
    _save(Image.open(drawn[0]), "start-overlay.jpg")
    tiles = [
        (path.stem, Image.open(path).convert("RGB"))
        for path in sorted((beetles / "predictions" / "overlays").glob("*.png"))
    ]
    _save(overlays.contact_sheet(tiles[:SHOWN], columns=3), "demo.jpg")


def _photograph(page: Path, picture: Path) -> None:
    """The first screen of a page."""
    chromium = shutil.which("chromium") or "google-chrome"
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1280,900", f"--screenshot={picture}"]
    subprocess.run([chromium, *options, page.resolve().as_uri()], check=True, capture_output=True)


def _save(picture: Image.Image, name: str) -> None:
    picture = picture.convert("RGB")
    picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    picture.save(PICTURES / name, quality=85)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
