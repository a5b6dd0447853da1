"""What `pronotum predict` writes: a TPS file for every program, and a CSV for what TPS cannot carry."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pronotum.files import replacing
from pronotum.formats import tps
from pronotum.landmarks import Landmarks, Scheme

COLUMNS = ("image", "id", "landmark", "x", "y", "confidence")


def write(
    folder: Path, answers: Iterable[tuple[Landmarks, int, NDArray[np.float64]]], scheme: Scheme
) -> tuple[Path, Path]:
    """Write ``predictions.tps`` and ``predictions.csv`` as the answers come; both appear when all have come.

    The TPS file is in the tpsDig convention (y up). The CSV has one row per landmark, px of the photograph, y down,
    (0, 0) the centre of the top-left pixel.

    Args:
        folder: made if need be.
        answers: specimen (our frame), height of its photograph in px, and (K,) confidence.
        scheme: names of the landmarks.
    """
    landmark_file, table = folder / "predictions.tps", folder / "predictions.csv"
    with (
        replacing(landmark_file) as tps_part,
        replacing(table) as table_part,
        tps_part.open("w", encoding="utf-8", newline="") as tps_file,
        table_part.open("w", encoding="utf-8", newline="") as table_file,
    ):
        rows = csv.writer(table_file)
        rows.writerow(COLUMNS)
        for specimen, height, confidence in answers:
            tps_file.write(tps.render(specimen, height, "tpsdig"))
            for name, (x, y), trust in zip(scheme.names, specimen.points, confidence, strict=True):
                rows.writerow(
                    [
                        specimen.image,
                        specimen.id,
                        name,
                        f"{x:.3f}",
                        f"{y:.3f}",
                        "" if np.isnan(trust) else f"{trust:.4f}",
                    ]
                )
    return landmark_file, table
