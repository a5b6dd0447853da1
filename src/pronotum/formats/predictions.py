"""What `pronotum predict` writes: a TPS file for every program, and a CSV for what TPS cannot carry."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pronotum.files import replacing
from pronotum.formats import tps
from pronotum.landmarks import Landmarks, Scheme

LEVELS = (50, 90, 95)
"""Probabilities, %, with which the true point lies within the radii."""
RADII = tuple(f"radius_{level}" for level in LEVELS)
COLUMNS = (
    *("image", "id", "landmark", "x", "y", "confidence"),
    *(*RADII, *(f"{name}_mm" for name in RADII)),
    *("flags", "remark"),
)


@dataclass(frozen=True, eq=False)
class Row:
    """What a model says of one photograph.

    Attributes:
        specimen: the landmarks, our frame; NaN = not placed.
        height: of the photograph, px.
        confidence: (K,) on [0, 1]; NaN = none.
        radii: (K, 3) px within which the true points lie with the probabilities of `LEVELS`; NaN = not known.
        flags: why a person should look at it; empty = accepted.
        remark: why landmarks were not placed, or whatever else the model says of the photograph; "" = nothing.
    """

    specimen: Landmarks
    height: int
    confidence: NDArray[np.float64]
    radii: NDArray[np.float64]
    flags: tuple[str, ...] = ()
    remark: str = ""


def write(folder: Path, answers: Iterable[Row], scheme: Scheme, *, strict: bool = False) -> tuple[Path, Path]:
    """Write ``predictions.tps`` and ``predictions.csv`` as the answers come; both appear when all have come.

    The TPS file is in the tpsDig convention (y up); a landmark that was not placed is ``-1 -1``. The CSV has one row
    per landmark, px of the photograph, y down, (0, 0) the centre of the top-left pixel; x and y are empty where it was
    not placed, and every row of a photograph has the photograph's flags and remark.

    Args:
        folder: made if need be.
        answers: one per photograph.
        scheme: names of the landmarks.
        strict: leave out of the TPS file what a person should look at first; the CSV has it all the same.
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
        for answer in answers:
            specimen = answer.specimen
            if not (strict and answer.flags):
                tps_file.write(tps.render(specimen, answer.height, "tpsdig"))
            said = zip(scheme.names, specimen.points, answer.confidence, answer.radii, strict=True)
            for name, (x, y), trust, radii in said:
                numbers = [_cell(x, 3), _cell(y, 3), _cell(trust, 4), *(_cell(radius, 2) for radius in radii)]
                numbers += [_cell(radius * (specimen.scale or np.nan), 5) for radius in radii]
                rows.writerow([specimen.image, specimen.id, name, *numbers, "; ".join(answer.flags), answer.remark])
    return landmark_file, table


def _cell(value: float, digits: int) -> str:
    """A number as a CSV has it; empty where it is missing or infinite."""
    return "" if not np.isfinite(value) else f"{value:.{digits}f}"
