"""Screenshots of every page of the desk, of synthetic beetles: docs/pictures/desk-*.png. Needs Chromium and playwright.

python scripts/draw_desk.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "desk"))

import browsing
import scenes

SIZES = {"laptop": (1280, 720), "tablet": (820, 1180)}


def main(out: Path) -> None:
    """Draw every page at both sizes and in both schemes of colour."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, browsing.chromium() as browser:
        project = scenes.project(Path(name) / "beetles")
        with browsing.served(project) as desk:
            for size, (width, height) in SIZES.items():
                for scheme in ("light", "dark"):
                    context = browser.new_context(
                        viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=size == "tablet"
                    )
                    page = context.new_page()
                    page.goto(desk.url)
                    for scene, arrange in scenes.SCENES.items():
                        arrange(page, desk)
                        page.wait_for_timeout(400)
                        page.screenshot(path=out / f"desk-{scene}-{size}-{scheme}.png")
                    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "docs" / "pictures")
