"""Screenshots of every page of the desk, of synthetic beetles: docs/pictures/desk-*.jpg. Needs Chromium and playwright.

python scripts/draw_desk.py             those that the documentation shows
python scripts/draw_desk.py FOLDER      every page on a laptop and a tablet, light and dark
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "desk"))

import browsing
import scenes
from PIL import Image

SIZES = {"laptop": (1280, 720), "tablet": (820, 1180)}
PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
SHOWN = {("laptop", "light"): set(scenes.SCENES), ("laptop", "dark"): {"review"}, ("tablet", "light"): {"annotate"}}
DRAWS = tuple(f"desk-{scene}-{size}-{scheme}.jpg" for (size, scheme), shown in SHOWN.items() for scene in shown)


def main(out: Path, shown: dict[tuple[str, str], set[str]]) -> None:
    """Draw these pages at these sizes and in these schemes of colour."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, browsing.chromium() as browser:
        project = scenes.project(Path(name) / "beetles")
        with browsing.served(project) as desk:
            for (size, scheme), wanted in shown.items():
                width, height = SIZES[size]
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=size == "tablet"
                )
                page = context.new_page()
                page.goto(desk.url)
                for scene, arrange in scenes.SCENES.items():
                    arrange(page, desk)
                    page.wait_for_timeout(400)
                    if scene in wanted:
                        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                        picture.save(out / f"desk-{scene}-{size}-{scheme}.jpg", quality=88, subsampling=0)
                context.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), {(size, scheme): set(scenes.SCENES) for size in SIZES for scheme in ("light", "dark")})
    else:
        main(PICTURES, SHOWN)
