"""Pictures of "get started" and of the first tutorial, from a run of the demo. Needs Chromium.

python scripts/draw_start.py FOLDER     FOLDER keeps the run, so that drawing again takes seconds
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from pronotum import demo, workflows
from pronotum.report import overlays

DRAWS = ("demo.jpg", "start-check.jpg", "start-report.jpg", "start-overlay.jpg")
PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
WIDTH = 1100
"""Px of the pictures on the page."""
SHOWN = 6


def main(folder: Path) -> None:
    """Run the demo if it has not been run yet, and draw."""
    if not (folder / "report.html").exists():
        shutil.rmtree(folder, ignore_errors=True)
        demo.run(folder, on_step=print)
    predicted = sorted((folder / "predictions" / "overlays").glob("*.png"))
    tiles = [(path.stem, Image.open(path).convert("RGB")) for path in predicted[:SHOWN]]
    _save(overlays.contact_sheet(tiles, columns=3), "demo.jpg")
    _save(tiles[0][1], "start-overlay.jpg")
    with tempfile.TemporaryDirectory() as name:
        sheet, page = Path(name) / "sheet.png", Path(name) / "page.png"
        overlays.sheet(workflows.check(folder / "train"), sheet, limit=SHOWN, columns=3)
        _save(Image.open(sheet), "start-check.jpg")
        _photograph(folder / "report.html", page)
        _save(Image.open(page), "start-report.jpg")


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
