"""Draw the pictures of docs/image-processing.md from two synthetic mandibles.

python scripts/draw_image_processing.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from pronotum import geometry, synthetic
from pronotum.classical import clean
from pronotum.classical.histograms import bhattacharyya
from pronotum.classical.transfer import Reference, Settings, prepare, transfer
from pronotum.files import replacing
from pronotum.report import classical_figures

SIZE = (1632, 1224)
NAMES = ("outline", "histogram", "carried-over", "votes-of-line-pairs", "votes-of-outline")
DRAWS = tuple(f"image-processing/{name}.jpg" for name in NAMES)
WIDTH = 1100
"""Px of the pictures on the page."""


def main(folder: Path) -> None:
    """One picture per step."""
    one, other = (synthetic.draw("mandible_right", seed, size=SIZE) for seed in (3, 8))
    turned = np.ascontiguousarray(np.rot90(other.image, 2))
    manual = np.array(SIZE) - 1 - other.points
    settings = Settings()
    reference = prepare(Reference(one.image, one.points), settings)
    photograph = prepare(Reference(turned, manual), settings)
    a, b = reference.features, photograph.features
    likeness = bhattacharyya(a.histogram, b.histogram)
    found = transfer([reference], turned, settings)
    laid = geometry.transform(found.poses[0] @ np.linalg.inv(a.matrix), a.points)
    drawings = {
        "outline": classical_figures.outline(b.grey, b.points, b.segments),
        "histogram": classical_figures.histogram(a.histogram, other=b.histogram, similarity=likeness),
        "carried-over": classical_figures.carried_over(turned, found.points, manual=manual, contour=laid),
    }
    for pose, name in (("pht", "votes-of-line-pairs"), ("ght", "votes-of-outline")):
        votes = clean.vote_map(a, b, Settings(pose=pose))
        peak = geometry.transform(votes.peaks(1)[0][0], votes.reference[None])[0]
        drawings[name] = classical_figures.vote_map(votes.picture, b.grey, peak=peak)
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in drawings.items():
        canvas = FigureCanvasAgg(drawing)
        canvas.draw()
        pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        pixels.thumbnail((WIDTH, WIDTH))
        with replacing(folder / f"{name}.jpg") as temporary:
            pixels.save(temporary, format="JPEG", quality=82)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures/image-processing"))
